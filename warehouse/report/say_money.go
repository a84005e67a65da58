package report

import (
	"cmp"
	"slices"

	"cloud.google.com/go/civil"
)

// identity are the terms of a month's money, as the waterfall has them.
type identity struct {
	expected, collected, adjusted, leaked, notYetDue, unreconciled int64
}

// rest is what the terms leave of what was expected: 0, or they do not add up.
func (i identity) rest() int64 {
	return i.expected - i.collected - i.adjusted - i.leaked - i.notYetDue - i.unreconciled
}

// identityOf reads the terms off the waterfall's steps; ok is false where the month has none.
func identityOf(a *answer) (i identity, ok bool) {
	if a == nil || len(a.rows) == 0 {
		return i, false
	}
	for _, r := range a.rows {
		amount := r.count("amount_cents")
		_, isLeak := r["leaked_cents"]
		switch name := r.text("step"); {
		case isLeak:
			i.leaked += amount
		case name == "Expected":
			i.expected = amount
		case name == "Collected":
			i.collected = amount
		case name == "Adjusted":
			i.adjusted = amount
		case name == "Not yet due":
			i.notYetDue = amount
		case name == "Unreconciled":
			i.unreconciled = amount
		}
	}
	return i, true
}

// leakedIn is what leaks of a month's services, firm and likely; ok is false where that is not known, or withheld in part.
func (c *composer) leakedIn(month civil.Date) (cents int64, ok bool) {
	rows := c.f.leaks.of(inMonth(month))
	if slices.ContainsFunc(rows, func(r row) bool { return r.flag("withheld") }) {
		return 0, false
	}
	return sum(rows, "amount_cents"), len(rows) > 0
}

// inShort says the month in a few sentences.
func (c *composer) inShort() ([]section, error) {
	s := section{ID: "in-short", Title: c.text("in_short", nil)}
	var l list
	add := func(text string) { l.Items = append(l.Items, text) }
	month, asOf := c.form.month(c.f.month), c.form.day(c.f.about.asOf)
	leaked, known := c.leakedIn(c.f.month)
	if i, ok := identityOf(c.f.waterfall); ok && i.expected > 0 {
		add(c.text("short_identity", with{
			"month": month, "as_of": asOf, "expected": c.form.wholeMoney(i.expected), "collected": c.form.wholeMoney(i.collected),
			"collected_share": c.form.share(float64(i.collected)/float64(i.expected), 0), "leaked": c.form.wholeMoney(i.leaked),
			"leaked_share": c.form.share(float64(i.leaked)/float64(i.expected), 1),
		}))
	} else if known {
		add(c.text("short_leaked", with{"month": month, "leaked": c.form.wholeMoney(leaked)}))
	}
	if worst := c.leaksOfMonth(); known && len(worst) > 0 {
		add(c.plural("short_worst", worst[0].count, with{"category": c.term(worst[0].title), "amount": c.form.wholeMoney(worst[0].cents)}))
	}
	before := c.f.month.AddMonths(-1)
	if was, ok := c.leakedIn(before); ok && known {
		key := "short_more"
		if leaked <= was {
			key = "short_less"
		}
		add(c.text(key, with{"difference": c.form.wholeMoney(abs(leaked - was)), "before": c.form.month(before)}))
	}
	if rows := c.recoverable(); len(rows) > 0 {
		add(c.plural("short_total", sum(rows, "leaks"), with{"total": c.form.wholeMoney(sum(rows, "amount_cents")), "remedy": c.term(cmp.Or(rows[0].text("remedy"), rows[0].text("title")))}))
	}
	for _, text := range c.shortOfPatients() {
		add(text)
	}
	if us, own, ok := c.recoveredIn(c.f.month); ok {
		add(c.text("short_recovered", with{"month": month, "us": c.form.wholeMoney(us), "own": c.form.wholeMoney(own)}))
	}
	s.Blocks = append(s.Blocks, l)
	return []section{s}, nil
}

// leak is what a month leaks in one category.
type leak struct {
	title              string
	count, cents, firm int64
	restated           int64
	withheld           bool
}

// leaksOfMonth are the month's leaks by category, the most money first.
func (c *composer) leaksOfMonth() []leak {
	var all []leak
	for _, r := range c.f.leaks.of(inMonth(c.f.month)) {
		l := leak{title: r.text("series"), count: r.count("leaks"), cents: r.count("amount_cents"), restated: r.count("restated_cents"), withheld: r.flag("withheld")}
		for _, firm := range c.f.firm.of(func(f row) bool { return inMonth(c.f.month)(f) && f.text("series") == l.title }) {
			l.firm += firm.count("amount_cents")
		}
		all = append(all, l)
	}
	slices.SortStableFunc(all, func(a, b leak) int { return cmp.Compare(b.cents, a.cents) })
	return all
}

// leaked says where the month's money went.
func (c *composer) leaked() ([]section, error) {
	if !c.hasMoney() {
		return nil, nil
	}
	s := section{ID: "leaked", Title: c.text("leaked", nil)}
	if err := c.sayIdentity(&s); err != nil {
		return nil, err
	}
	c.sayCategories(&s)
	if err := c.sayRun(&s); err != nil {
		return nil, err
	}
	c.sayRestatements(&s)
	return []section{s}, nil
}

// sayIdentity shows the way from expected to collected, and the sum to the cent.
func (c *composer) sayIdentity(s *section) error {
	i, ok := identityOf(c.f.waterfall)
	if !ok {
		return nil
	}
	c.use("expected_money", "collected_money", "adjusted_money", "leaked_revenue", "not_yet_due_money", "unreconciled_money")
	month := c.form.month(c.f.month)
	fig := &figure{ID: "waterfall", Caption: c.text("waterfall", with{"month": month, "as_of": c.form.day(c.f.about.asOf)})}
	fig.Alt = c.text("waterfall_alt", with{
		"expected": c.form.money(i.expected), "adjusted": c.form.money(i.adjusted), "leaked": c.form.money(i.leaked),
		"due": c.form.money(i.notYetDue), "collected": c.form.money(i.collected),
	})
	numbers := &table{Caption: fig.Caption, Columns: []column{{Title: c.text("col_step", nil)}, {c.text("col_amount", nil), true}, {c.text("col_of_expected", nil), true}}}
	var steps []step
	for _, r := range c.f.waterfall.rows {
		one := step{name: c.term(r.text("step")), pattern: plain, amount: r.count("amount_cents"), base: r.count("base_cents")}
		if _, isKept := r["kept_cents"]; isKept {
			one.pattern = solid
		} else if _, isLeak := r["leaked_cents"]; isLeak {
			one.pattern = hatched
		}
		share, _ := r.number("share")
		numbers.row(one.name, c.form.money(one.amount), c.form.share(share, 1))
		steps = append(steps, one)
	}
	var err error
	if fig.SVG, err = c.waterfall(fig.ID, fig.Caption, fig.Alt, steps); err != nil {
		return err
	}
	c.behindChart(fig, numbers)
	s.Blocks = append(s.Blocks, fig)
	before, hasBefore := identityOf(c.f.waterfallBefore)
	t := &table{ID: "identity", Caption: c.text("identity", nil), Columns: []column{
		{Title: c.text("col_part", nil)}, {month, true}, {c.text("col_share", nil), true}, {c.form.month(c.f.month.AddMonths(-1)), true},
	}}
	parts := []struct {
		key     string
		now, at int64
	}{
		{"collected", i.collected, before.collected}, {"adjusted", i.adjusted, before.adjusted}, {"leaked_part", i.leaked, before.leaked},
		{"not_yet_due", i.notYetDue, before.notYetDue}, {"unreconciled", i.unreconciled, before.unreconciled},
	}
	if rest := i.rest(); rest != 0 || before.rest() != 0 {
		parts = append(parts, struct {
			key     string
			now, at int64
		}{"not_adding_up", rest, before.rest()})
	}
	then := func(cents int64) string {
		if !hasBefore {
			return "–"
		}
		return c.form.money(cents)
	}
	of := func(cents int64) string {
		if i.expected == 0 {
			return "–"
		}
		return c.form.share(float64(cents)/float64(i.expected), 1)
	}
	for _, p := range parts {
		t.row(c.text(p.key, nil), c.form.money(p.now), of(p.now), then(p.at))
	}
	t.sum(c.text("expected", nil), c.form.money(i.expected), of(i.expected), then(before.expected))
	s.addTable(t)
	s.note(c.text("identity_note", nil))
	return nil
}

// sayCategories shows what leaked by category, and how sure that is. Estimates stand beside, in no sum.
func (c *composer) sayCategories(s *section) {
	all := c.leaksOfMonth()
	if len(all) == 0 {
		if c.f.leaks != nil {
			s.say(c.text("no_leaks", with{"month": c.form.month(c.f.month)}))
		}
		return
	}
	c.use("leaked_revenue")
	closed, released := c.isClosed(), c.f.leaks.released
	t := &table{ID: "categories", Caption: c.text("categories", with{"month": c.form.month(c.f.month)}), Columns: []column{
		{Title: c.text("col_category", nil)}, {c.text("col_leaks", nil), true},
	}}
	if !released {
		t.Columns = append(t.Columns, column{c.text("col_firm", nil), true}, column{c.text("col_likely", nil), true})
	}
	t.Columns = append(t.Columns, column{c.text("col_together", nil), true})
	if closed {
		t.Columns = append(t.Columns, column{c.text("col_restated", nil), true})
	}
	var total leak
	line := func(title string, l leak) []string {
		texts := []string{title, c.form.count(l.count)}
		if !released {
			texts = append(texts, c.form.moneyOrDash(l.firm), c.form.moneyOrDash(l.cents-l.firm))
		}
		texts = append(texts, c.form.money(l.cents))
		if closed {
			texts = append(texts, c.form.money(l.restated))
		}
		if l.withheld {
			for i := range texts[1:] {
				texts[i+1] = c.text("withheld_cell", nil)
			}
		}
		return texts
	}
	for _, l := range all {
		t.row(line(c.term(l.title), l)...)
		total.count, total.cents, total.firm, total.restated = total.count+l.count, total.cents+l.cents, total.firm+l.firm, total.restated+l.restated
		total.withheld = total.withheld || l.withheld
	}
	t.sum(line(c.text("sum", nil), total)...)
	s.addTable(t)
	s.note(c.text("certainty_note", nil))
	if c.f.estimates == nil {
		return
	}
	rows := c.f.estimates.of(inMonth(c.f.month))
	if len(rows) > 0 {
		c.use("estimated_loss")
		s.say(c.plural("estimates", sum(rows, "leaks"), with{"amount": c.form.wholeMoney(sum(rows, "amount_cents"))}))
	}
}

// sayRun shows twelve months of leaks.
func (c *composer) sayRun(s *section) error {
	from := c.f.month.AddMonths(-monthsBack)
	certain := c.f.byCertainty != nil
	source := c.f.leaks
	names, patterns := []string{c.text("leaked_part", nil)}, []pattern{hatched}
	columns := []column{{Title: c.text("col_month", nil)}}
	if certain {
		source, names, patterns = c.f.byCertainty, []string{c.text("firm", nil), c.text("likely", nil)}, []pattern{solid, hatched}
		columns = append(columns, column{c.text("firm", nil), true}, column{c.text("likely", nil), true})
	}
	columns = append(columns, column{c.text("col_together", nil), true})
	numbers := &table{Columns: columns}
	var stacks []stack
	var most, least stack
	total := int64(0)
	for n := range monthsBack + 1 {
		month := from.AddMonths(n)
		rows := source.of(inMonth(month))
		if len(rows) == 0 && len(stacks) == 0 {
			continue // before the history begins
		}
		one := stack{name: c.form.shortMonth(month)}
		if n == 0 || month.Month == 1 || len(stacks) == 0 {
			one.below = month.String()[:4]
		}
		all := sum(rows, "amount_cents")
		texts := []string{c.form.month(month)}
		if certain {
			firm := sum(source.of(func(r row) bool { return inMonth(month)(r) && r.text("series") == "Firm" }), "amount_cents")
			one.parts = []int64{firm, all - firm}
			texts = append(texts, c.form.money(firm), c.form.money(all-firm))
		} else {
			one.parts = []int64{all}
		}
		together := c.form.money(all)
		if slices.ContainsFunc(rows, func(r row) bool { return r.flag("withheld") }) {
			together = c.text("withheld_in_part", with{"amount": together})
		}
		numbers.row(append(texts, together)...)
		stacks, total = append(stacks, one), total+all
		if len(stacks) == 1 || all > of(most) {
			most = stack{name: c.form.month(month), parts: []int64{all}}
		}
		if len(stacks) == 1 || all < of(least) {
			least = stack{name: c.form.month(month), parts: []int64{all}}
		}
	}
	if len(stacks) < 2 {
		return nil
	}
	fig := &figure{ID: "run", Caption: c.plural("run", int64(len(stacks)), nil)}
	fig.Alt = c.text("run_alt", with{
		"most": most.name, "most_amount": c.form.wholeMoney(of(most)), "least": least.name, "least_amount": c.form.wholeMoney(of(least)),
		"last_amount": c.form.wholeMoney(of(stacks[len(stacks)-1])), "last": c.form.month(c.f.month),
	})
	numbers.Caption = fig.Caption
	numbers.sum(append(make([]string, len(columns)-1), c.form.money(total))...)
	numbers.Sum[0].Text = c.text("sum", nil)
	var err error
	if fig.SVG, err = c.columns(fig.ID, fig.Caption, fig.Alt, stacks, names, patterns, false); err != nil {
		return err
	}
	c.behindChart(fig, numbers)
	s.Blocks = append(s.Blocks, fig)
	return nil
}

// of is what a column comes to.
func of(s stack) (total int64) {
	for _, part := range s.parts {
		total += part
	}
	return total
}

// sayRestatements lists what corrections made of a closed month.
func (c *composer) sayRestatements(s *section) {
	if !c.isClosed() {
		return
	}
	rows := c.f.restated.of(inMonth(c.f.month))
	if len(rows) == 0 {
		s.say(c.text("no_restatements", nil))
		return
	}
	c.use("restated")
	t := &table{ID: "restatements", Caption: c.text("restatements", nil), Columns: []column{
		{Title: c.text("col_figure", nil)}, {Title: c.text("col_category", nil)}, {c.text("col_published", nil), true}, {c.text("col_since", nil), true},
		{c.text("col_difference", nil), true}, {Title: c.text("col_seen", nil)},
	}}
	for _, r := range rows {
		show := c.form.count
		if r.text("unit") == "cents" {
			show = c.form.money
		}
		t.row(c.term(r.text("figure")), c.term(r.text("category")), show(r.count("published")), show(r.count("restated")), show(r.count("difference")), c.form.day(r.day("first_seen")))
	}
	s.addTable(t)
}
