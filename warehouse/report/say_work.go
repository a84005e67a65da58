package report

import (
	"cmp"

	"cloud.google.com/go/civil"
)

const mostActions = 6

// recoverable are the leaks of all months that money can still be had of, by category, the most first.
func (c *composer) recoverable() []row {
	return c.f.byCategory.of(func(r row) bool {
		return r.text("category") != "write_off" && !r.flag("withheld") && r.count("amount_cents") > 0
	})
}

// firstThings says what to do first.
func (c *composer) firstThings() ([]section, error) {
	rows := c.recoverable()
	if len(rows) == 0 {
		return nil, nil
	}
	c.use("leaked_revenue")
	s := section{ID: "first", Title: c.text("first", nil)}
	s.say(c.text("first_text", with{"as_of": c.form.day(c.f.about.asOf)}))
	t := &table{ID: "actions", Caption: c.text("actions", nil), Columns: []column{
		{Title: c.text("col_do", nil)}, {Title: c.text("col_why", nil)}, {c.text("col_cases", nil), true}, {c.text("col_amount", nil), true}, {Title: c.text("col_oldest", nil)},
	}}
	for i, r := range rows {
		if i == mostActions {
			rest := rows[i:]
			t.row(c.text("and_others", nil), c.plural("categories_more", int64(len(rest)), nil), c.form.count(sum(rest, "leaks")), c.form.money(sum(rest, "amount_cents")), "")
			break
		}
		t.row(c.term(cmp.Or(r.text("remedy"), r.text("title"))), c.term(r.text("title")), c.form.count(r.count("leaks")), c.form.money(r.count("amount_cents")), c.form.day(r.day("oldest_on")))
	}
	t.sum(c.text("sum", nil), "", c.form.count(sum(rows, "leaks")), c.form.money(sum(rows, "amount_cents")), "")
	s.addTable(t)
	return []section{s}, nil
}

// recoveredIn is what came in for leaks in a month, by us and on its own.
func (c *composer) recoveredIn(month civil.Date) (us, own int64, ok bool) {
	if c.f.recoveries == nil {
		return 0, 0, false
	}
	for _, r := range c.f.recoveries.of(inMonth(month)) {
		if r.flag("withheld") {
			return 0, 0, false
		}
		if r.text("series") == "By us" {
			us += r.count("amount_cents")
		} else {
			own += r.count("amount_cents")
		}
	}
	return us, own, true
}

// recovered says what came back.
func (c *composer) recovered() ([]section, error) {
	if c.f.recoveries == nil && c.f.wonBack == nil {
		return nil, nil
	}
	s := section{ID: "recovered", Title: c.text("recovered", nil)}
	if c.f.recoveries != nil {
		c.use("recovered_money", "recovered_by_us")
		t := &table{ID: "recoveries", Caption: c.text("recoveries", nil), Columns: []column{
			{Title: c.text("col_month", nil)}, {c.text("by_us", nil), true}, {c.text("on_its_own", nil), true}, {c.text("col_together", nil), true},
		}}
		var allUs, allOwn int64
		withheld := false
		for n := monthsBack; n >= 0; n-- {
			month := c.f.month.AddMonths(-n)
			us, own, ok := c.recoveredIn(month)
			switch {
			case !ok:
				w := c.text("withheld_cell", nil)
				t.row(c.form.month(month), w, w, w)
				withheld = true
			case us != 0 || own != 0 || n == 0:
				t.row(c.form.month(month), c.form.moneyOrDash(us), c.form.moneyOrDash(own), c.form.moneyOrDash(us+own))
				allUs, allOwn = allUs+us, allOwn+own
			}
		}
		if !withheld {
			t.sum(c.text("sum", nil), c.form.moneyOrDash(allUs), c.form.moneyOrDash(allOwn), c.form.money(allUs+allOwn))
		}
		s.addTable(t)
		s.note(c.text("recovered_note", nil))
	}
	if c.f.wonBack != nil {
		var us, own int64
		for _, r := range c.f.wonBack.of(inMonth(c.f.month)) {
			if r.text("series") == "By us" {
				us += r.count("patients")
			} else {
				own += r.count("patients")
			}
		}
		c.use("reactivations")
		if us+own == 0 {
			s.say(c.text("nobody_won_back", with{"month": c.form.month(c.f.month)}))
			return []section{s}, nil
		}
		s.say(c.plural("won_back", us+own, with{"month": c.form.month(c.f.month), "us": c.form.count(us)}))
	}
	return []section{s}, nil
}

// receivables says what is owed, by age.
func (c *composer) receivables() ([]section, error) {
	if c.f.aging == nil || len(c.f.aging.rows) == 0 {
		return nil, nil
	}
	c.use("receivables")
	s := section{ID: "receivables", Title: c.text("receivables", nil)}
	names, buckets := []string{"Insurers", "Patients"}, []string{}
	cents := map[[2]string]row{}
	for _, r := range c.f.aging.rows {
		name := r.text("series")
		if name != names[0] {
			name = names[1]
		}
		if len(buckets) == 0 || buckets[len(buckets)-1] != r.text("bucket") {
			buckets = append(buckets, r.text("bucket"))
		}
		cents[[2]string{name, r.text("bucket")}] = r
	}
	t := &table{ID: "aging-table", Caption: c.text("aging_table", with{"as_of": c.form.day(c.f.about.asOf)}), Columns: []column{
		{Title: c.text("col_age", nil)}, {c.term(names[0]), true}, {c.term(names[1]), true}, {c.text("col_together", nil), true}, {c.text("col_invoices", nil), true},
	}}
	var stacks []stack
	var all [2]int64
	var invoices int64
	whole := true
	for _, b := range buckets {
		insurers, patients := cents[[2]string{names[0], b}], cents[[2]string{names[1], b}]
		i, p := insurers.count("amount_cents"), patients.count("amount_cents")
		together, n := c.form.moneyOrDash(i+p), c.form.count(insurers.count("invoices")+patients.count("invoices"))
		if insurers.flag("withheld") || patients.flag("withheld") {
			whole, together, n = false, c.text("withheld_cell", nil), c.text("withheld_cell", nil)
		}
		t.row(c.ageOf(b), c.orWithheld(insurers, c.form.moneyOrDash(i)), c.orWithheld(patients, c.form.moneyOrDash(p)), together, n)
		stacks = append(stacks, stack{name: c.ageOf(b), parts: []int64{i, p}})
		all[0], all[1], invoices = all[0]+i, all[1]+p, invoices+insurers.count("invoices")+patients.count("invoices")
	}
	if whole {
		t.sum(c.text("sum", nil), c.form.money(all[0]), c.form.money(all[1]), c.form.money(all[0]+all[1]), c.form.count(invoices))
	}
	fig := &figure{ID: "aging", Caption: c.text("aging", nil), Numbers: t.ID, See: c.text("see_table", nil)}
	fig.Alt = c.text("aging_alt", with{"insurers": c.form.wholeMoney(all[0]), "patients": c.form.wholeMoney(all[1]), "invoices": c.form.count(invoices)})
	var err error
	fig.SVG, err = c.columns(fig.ID, fig.Caption, fig.Alt, stacks, []string{c.term(names[0]), c.term(names[1])}, []pattern{solid, hatched}, true)
	if err != nil {
		return nil, err
	}
	s.Blocks = append(s.Blocks, fig)
	s.addTable(t)
	if c.f.receivables != nil {
		for _, r := range c.f.receivables.rows {
			days, ok := r.number("days_in_receivables")
			if !ok {
				continue
			}
			c.use("days_in_receivables")
			s.say(c.text("days_in_receivables", with{
				"days": c.form.decimal(days, 1), "net": c.form.money(r.count("net_cents")), "open": c.form.money(r.count("open_cents")),
				"back": c.form.money(r.count("on_account_cents") + r.count("overpaid_cents")),
			}))
		}
	}
	return []section{s}, nil
}

// ageOf is a bucket of ages as it is read.
func (c *composer) ageOf(bucket string) string { return c.term(bucket) }
