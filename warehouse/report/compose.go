package report

import (
	"cmp"
	"slices"
	"strings"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/warehouse/dictionary"
	"github.com/falloff-analytics/falloff/warehouse/query"
)

// composer says figures in a language.
type composer struct {
	words   *words
	form    form
	f       *figures
	asked   *asker
	options Options
	// used are the figures of the metric dictionary that the report shows, in order; numbers are the tables behind the charts.
	used    []string
	numbers []*table
}

// document says everything there is to say, in the order in which it is read.
func (c *composer) document() (*document, error) {
	clinic := cmp.Or(c.f.about.Name, c.options.Clinic)
	month := c.form.month(c.f.month)
	d := &document{
		Language: string(c.options.Language), Clinic: clinic, Title: c.text("title", with{"clinic": clinic, "month": month}),
		Footer: c.text("footer", with{"clinic": clinic, "month": month}), Contents: c.text("contents", nil),
	}
	if c.options.Language == French {
		d.Language = "fr-CA"
	}
	d.Facts = []fact{
		{c.text("fact_as_of", nil), c.form.day(c.f.about.asOf)},
		{c.text("fact_prepared", nil), c.form.moment(c.options.Now, c.f.about.zone)},
		{c.text("fact_snapshot", nil), c.f.about.Commit},
	}
	if c.options.For != "" {
		d.Facts = append(d.Facts, fact{c.text("fact_for", nil), c.options.For})
	}
	if c.hasMoney() {
		d.Facts = append(d.Facts, fact{c.text("fact_currency", nil), c.form.currency})
	}
	if c.f.monthEnd.After(c.f.about.asOf) {
		d.Notices = append(d.Notices, c.text("incomplete", with{"month": month, "as_of": c.form.day(c.f.about.asOf)}))
	}
	if c.isClosed() {
		d.Notices = append(d.Notices, c.text("closed", with{"month": month}))
	}
	parts := []func() ([]section, error){c.inShort, c.leaked, c.firstThings, c.falloff, c.cohorts, c.receivables, c.recovered, c.freshness}
	for _, part := range parts {
		sections, err := part()
		if err != nil {
			return nil, err
		}
		d.Sections = append(d.Sections, sections...)
	}
	if len(d.Sections) < 3 { // the sentences in short and the freshness alone
		return nil, ErrNoFigures
	}
	d.Sections = append(d.Sections, c.notShown(), c.meanings(), c.behind(), c.independence())
	return d, nil
}

func (c *composer) hasMoney() bool { return c.f.leaks != nil || c.f.waterfall != nil }

func (c *composer) isClosed() bool {
	return len(c.f.leaks.of(func(r row) bool { return inMonth(c.f.month)(r) && r.flag("is_closed") })) > 0
}

// use notes figures whose definitions the report then gives.
func (c *composer) use(metrics ...string) {
	for _, m := range metrics {
		if !slices.Contains(c.used, m) {
			c.used = append(c.used, m)
		}
	}
}

// behindChart keeps the numbers of a chart for the end of the report, and has the chart say where they are.
func (c *composer) behindChart(fig *figure, t *table) {
	t.ID = fig.ID + "-numbers"
	c.numbers = append(c.numbers, t)
	fig.Numbers, fig.See = t.ID, c.text("see_numbers", nil)
}

// orWithheld is a number of a released answer, or the word for one that is withheld.
func (c *composer) orWithheld(r row, text string) string {
	if r.flag("withheld") {
		return c.text("withheld_cell", nil)
	}
	return text
}

// freshness says what the figures rest on.
func (c *composer) freshness() ([]section, error) {
	s := section{ID: "freshness", Title: c.text("freshness", nil)}
	s.say(c.text("freshness_text", with{
		"as_of": c.form.day(c.f.about.asOf), "snapshot": c.f.about.Commit, "committed": c.form.moment(c.f.about.CommittedAt, c.f.about.zone),
	}))
	t := &table{ID: "freshness-table", Caption: c.text("freshness_table", nil), Columns: []column{
		{Title: c.text("col_dataset", nil)}, {c.text("col_rows", nil), true}, {Title: c.text("col_from", nil)}, {Title: c.text("col_to", nil)}, {c.text("col_behind", nil), true},
	}}
	if c.f.freshness != nil {
		for _, r := range c.f.freshness.rows {
			behind := "–"
			if days, ok := r.number("days_behind"); ok {
				behind = c.form.count(int64(days))
			}
			to := r.day("covered_to")
			if to.IsZero() {
				to = r.day("observed_on")
			}
			t.row(c.dataset(r.text("dataset")), c.form.count(r.count("rows")), c.form.day(r.day("covered_from")), c.form.day(to), behind)
		}
	}
	s.addTable(t)
	return []section{s}, nil
}

// dataset is what people call a dataset.
func (c *composer) dataset(name string) string {
	if said, ok := c.words.Datasets[name][c.form.language]; ok {
		return said
	}
	return strings.ReplaceAll(name, "_", " ")
}

// notShown says what the person does not see, and what is withheld.
func (c *composer) notShown() section {
	s := section{ID: "not-shown", Title: c.text("not_shown", nil)}
	withheld := int64(0)
	for _, n := range c.asked.withheld {
		withheld += int64(n)
	}
	switch {
	case withheld > 0:
		s.say(c.plural("withheld", withheld, nil))
	case c.asked.released:
		s.say(c.text("nothing_withheld_released", nil))
	default:
		s.say(c.text("nothing_withheld", nil))
	}
	days := slices.Compact(slices.Sorted(slices.Values(c.asked.days)))
	for _, text := range days {
		if day, err := civil.ParseDate(text); err == nil {
			s.say(c.text("older_tables", with{"day": c.form.day(day)}))
		}
	}
	var left []string
	for _, part := range []struct {
		key    string
		absent bool
	}{
		{"part_money", c.f.waterfall == nil}, {"part_leaks", c.f.leaks == nil}, {"part_falloff", c.f.curves == nil},
		{"part_cohorts", c.f.cohortCells == nil}, {"part_receivables", c.f.aging == nil}, {"part_recoveries", c.f.recoveries == nil},
	} {
		if part.absent {
			left = append(left, c.text(part.key, nil))
		}
	}
	if len(left) > 0 {
		s.say(c.text("left_out", with{"parts": c.enumerated(left)}))
	}
	if c.f.narrowed {
		s.say(c.text("narrowed", nil))
	}
	s.say(c.text("no_rows", nil))
	return s
}

// enumerated is a list of words with an and before the last.
func (c *composer) enumerated(items []string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	return strings.Join(items[:len(items)-1], ", ") + " " + c.text("and", nil) + " " + items[len(items)-1]
}

// meanings gives the definition of every figure that the report shows, from the metric dictionary.
func (c *composer) meanings() section {
	s := section{ID: "definitions", Title: c.text("definitions", nil), Small: true}
	s.say(c.text("definitions_text", nil))
	all, err := dictionary.Metrics()
	if err != nil {
		panic(err) // it is part of the program, and tested
	}
	var d definitions
	for _, name := range c.used {
		at := slices.IndexFunc(all, func(m dictionary.Metric) bool { return m.Name == name })
		title, meaning := all[at].Title, all[at].Definition
		if c.options.Language == French {
			title, meaning = c.spaced(c.words.Figures[name].Title), c.spaced(c.words.Figures[name].Definition)
		}
		d.Terms = append(d.Terms, fact{title, meaning})
	}
	s.Blocks = append(s.Blocks, d)
	if c.f.leaks == nil {
		return s
	}
	s.say(c.text("categories_meaning", nil))
	var categories definitions
	for _, kind := range query.LeakCategories() {
		if said := c.words.Categories[kind.Slug][c.form.language]; said != "" {
			categories.Terms = append(categories.Terms, fact{c.term(kind.Title), c.spaced(said)})
		}
	}
	s.Blocks = append(s.Blocks, categories)
	return s
}

// behind has the numbers of the charts.
func (c *composer) behind() section {
	s := section{ID: "numbers", Title: c.text("numbers", nil), Small: true}
	if len(c.numbers) == 0 {
		s.say(c.text("no_charts", nil))
	}
	for _, t := range c.numbers {
		s.addTable(t)
	}
	return s
}

func (c *composer) independence() section {
	s := section{ID: "independence", Title: c.text("independence", nil), Small: true}
	s.say(c.text("independence_text", nil), c.text("disclaimer", nil))
	return s
}
