package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/civil"
)

// statusRows are patients by status: of the caseload where the person sees that alone.
func (c *composer) statusRows() []row {
	source := c.f.statuses
	if c.f.narrowed && c.f.caseload != nil {
		source = c.f.caseload
	}
	return source.of(func(row) bool { return true })
}

// shortOfPatients says in sentences how patients stay.
func (c *composer) shortOfPatients() []string {
	var said []string
	total, fallen, known := int64(0), int64(0), true
	for _, r := range c.statusRows() {
		known = known && !r.flag("withheld")
		total += r.count("patients")
		if r.text("status") == "fallen_off" {
			fallen = r.count("patients")
		}
	}
	if known && total > 0 {
		key := "short_fallen"
		if c.f.narrowed {
			key = "short_fallen_caseload"
		}
		said = append(said, c.plural(key, fallen, with{"total": c.form.count(total), "share": c.form.share(float64(fallen)/float64(total), 0)}))
	}
	if first, ok := c.firstVisit(); ok {
		said = append(said, c.text("short_first_visit", with{"share": c.form.share(first, 0)}))
	}
	return said
}

// firstVisit is the share that stops after the first visit, where there is one curve of it.
func (c *composer) firstVisit() (share float64, ok bool) {
	rows := c.f.visits.of(func(r row) bool { return r.count("visit_number") == 1 })
	if len(rows) != 1 {
		return 0, false
	}
	return rows[0].number("stopping_share")
}

// falloff says how patients stay and stop.
func (c *composer) falloff() ([]section, error) {
	s := section{ID: "falloff", Title: c.text("falloff", nil)}
	if c.f.narrowed {
		s.Title = c.text("falloff_caseload", nil)
	}
	c.sayStatuses(&s)
	if err := c.sayCurves(&s); err != nil {
		return nil, err
	}
	if err := c.sayVisits(&s); err != nil {
		return nil, err
	}
	c.saySummary(&s)
	if len(s.Blocks) == 0 {
		return nil, nil
	}
	return []section{s}, nil
}

func (c *composer) sayStatuses(s *section) {
	rows := c.statusRows()
	if len(rows) == 0 {
		return
	}
	c.use("patients_by_status")
	t := &table{ID: "statuses", Caption: c.text("statuses", with{"as_of": c.form.day(c.f.about.asOf)}), Columns: []column{
		{Title: c.text("col_status", nil)}, {c.text("col_patients", nil), true}, {c.text("col_share", nil), true},
	}}
	booked := c.f.narrowed && c.f.caseload != nil
	if booked {
		t.Columns = append(t.Columns, column{c.text("col_nothing_booked", nil), true})
	}
	for _, r := range rows {
		share, _ := r.number("share")
		texts := []string{c.term(r.text("title")), c.orWithheld(r, c.form.count(r.count("patients"))), c.orWithheld(r, c.form.share(share, 0))}
		if booked {
			texts = append(texts, c.form.count(r.count("nothing_booked")))
		}
		t.row(texts...)
	}
	s.addTable(t)
}

// sayCurves shows how long patients stay, a curve a discipline.
func (c *composer) sayCurves(s *section) error {
	if c.f.curves == nil || len(c.f.curves.rows) == 0 {
		return nil
	}
	c.use("survival")
	byName := map[string][]point{}
	for _, r := range c.f.curves.rows {
		p := point{day: r.count("day"), atRisk: r.count("n_risk")}
		p.survival, _ = r.number("survival")
		low, hasLow := r.number("ci_low")
		high, hasHigh := r.number("ci_high")
		if hasLow && hasHigh {
			p.low, p.high, p.hasInterval = low, high, true
		}
		byName[r.text("series")] = append(byName[r.text("series")], p)
	}
	var names []string
	for name := range byName {
		names = append(names, name)
	}
	// Those of the most patients.
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(byName[b][0].atRisk, byName[a][0].atRisk), strings.Compare(a, b))
	})
	s.say(c.text("curves_text", nil))
	numbers := &table{Caption: c.text("curves_numbers", nil), Columns: []column{
		{Title: c.text("col_curve", nil)}, {c.text("col_day", nil), true}, {c.text("col_survival", nil), true}, {c.text("col_interval", nil), true}, {c.text("col_at_risk", nil), true},
	}}
	numbers.ID = "curves-numbers"
	var all panels
	for i, name := range names {
		for _, day := range []int64{40, 90, 180, 270, 360} {
			at := slices.IndexFunc(byName[name], func(p point) bool { return p.day == day })
			if at < 0 {
				continue
			}
			p, interval := byName[name][at], "–"
			if p.hasInterval {
				interval = c.form.share(p.low, 0) + " – " + c.form.share(p.high, 0)
			}
			numbers.row(c.term(name), c.form.count(day), c.form.share(p.survival, 0), interval, c.form.count(p.atRisk))
		}
		if i >= mostCurves {
			continue
		}
		fig := &figure{ID: "curve-" + strconv.Itoa(i+1), Caption: c.term(name), Numbers: numbers.ID, See: c.text("see_numbers", nil)}
		last := byName[name][len(byName[name])-1]
		fig.Alt = c.text("curve_alt", with{
			"name": c.term(name), "n": c.form.count(byName[name][0].atRisk), "days": c.form.count(last.day), "share": c.form.share(last.survival, 0),
		})
		var err error
		if fig.SVG, err = c.survival(fig.ID, fig.Caption, fig.Alt, byName[name], curveDays); err != nil {
			return err
		}
		all.Figures = append(all.Figures, fig)
	}
	if len(names) > mostCurves {
		s.note(c.plural("curves_left_out", int64(len(names)-mostCurves), nil))
	}
	s.Blocks = append(s.Blocks, all)
	c.numbers = append(c.numbers, numbers)
	s.note(c.text("curves_note", nil))
	return nil
}

// sayVisits shows after which visit patients stop.
func (c *composer) sayVisits(s *section) error {
	if c.f.visits == nil || len(c.f.visits.rows) == 0 {
		return nil
	}
	rows := c.f.visits.rows
	series := rows[0].text("series")
	rows = c.f.visits.of(func(r row) bool { return r.text("series") == series })
	c.use("stopping_share")
	fig := &figure{ID: "visits", Caption: c.text("visits", nil)}
	numbers := &table{Caption: fig.Caption, Columns: []column{
		{c.text("col_visit", nil), false}, {c.text("col_visits", nil), true}, {c.text("col_stopped", nil), true}, {c.text("col_share", nil), true},
	}}
	var values []float64
	var names, below []string
	worst, worstShare := int64(0), -1.0
	for _, r := range rows {
		share, ok := r.number("stopping_share")
		if !ok {
			continue
		}
		n := r.count("visit_number")
		values, names, below = append(values, share), append(names, c.form.count(n)), append(below, c.form.count(r.count("visits")))
		numbers.row(c.form.count(n), c.form.count(r.count("visits")), c.form.count(r.count("stopped")), c.form.share(share, 1))
		if share > worstShare {
			worst, worstShare = n, share
		}
	}
	if len(values) == 0 {
		return nil
	}
	fig.Alt = c.text("visits_alt", with{
		"visit": c.form.count(worst), "share": c.form.share(worstShare, 0), "last": names[len(names)-1], "last_share": c.form.share(values[len(values)-1], 0),
	})
	var err error
	if fig.SVG, err = c.shares(fig.ID, fig.Caption, fig.Alt, values, names, below, c.text("axis_visits", nil)); err != nil {
		return err
	}
	c.behindChart(fig, numbers)
	s.Blocks = append(s.Blocks, fig)
	return nil
}

// saySummary puts disciplines side by side.
func (c *composer) saySummary(s *section) {
	if c.f.summary == nil || len(c.f.summary.rows) == 0 {
		return
	}
	c.use("median_days_to_falloff", "conversion")
	t := &table{ID: "summary", Caption: c.text("summary", nil), Columns: []column{
		{Title: c.text("col_of", nil)}, {c.text("col_episodes", nil), true}, {c.text("col_median", nil), true}, {c.text("col_median_interval", nil), true}, {c.text("col_second", nil), true},
	}}
	for _, r := range c.f.summary.rows {
		median, interval, second := c.text("not_reached", nil), "–", "–"
		if days, ok := r.number("median_days"); ok {
			median = c.form.count(int64(days))
		}
		low, hasLow := r.number("median_days_low")
		high, hasHigh := r.number("median_days_high")
		switch {
		case hasLow && hasHigh:
			interval = fmt.Sprintf("%s – %s", c.form.count(int64(low)), c.form.count(int64(high)))
		case hasLow:
			interval = c.text("from", with{"low": c.form.count(int64(low))})
		}
		if share, ok := r.number("conversion_share"); ok {
			second = c.form.share(share, 0)
		}
		texts := []string{c.term(r.text("value")), c.form.count(r.count("episodes")), median, interval, second}
		if r.flag("withheld") {
			for i := range texts[1:] {
				texts[i+1] = c.text("withheld_cell", nil)
			}
		}
		t.row(texts...)
	}
	s.addTable(t)
}

// cohorts shows cohorts by the months since their first visit.
func (c *composer) cohorts() ([]section, error) {
	if c.f.cohortCells == nil || len(c.f.cohortCells.rows) == 0 {
		return nil, nil
	}
	c.use("retention")
	s := section{ID: "cohorts", Title: c.text("cohorts", nil)}
	t := &table{ID: "cohort-table", Caption: c.text("cohort_table", nil), Wide: true, Columns: []column{
		{Title: c.text("col_cohort", nil)}, {c.text("col_episodes", nil), true},
	}}
	for n := range cohortSpan + 1 {
		t.Columns = append(t.Columns, column{c.text("col_since_first", with{"month": c.form.count(int64(n))}), true})
	}
	cells, order := map[string]map[int64]row{}, []string{}
	for _, r := range c.f.cohortCells.rows {
		name := r.text("cohort_month")
		if cells[name] == nil {
			cells[name] = map[int64]row{}
			order = append(order, name)
		}
		cells[name][r.count("month_index")] = r
	}
	for _, name := range order {
		month, err := civil.ParseDate(name + "-01")
		if err != nil {
			continue
		}
		size := "–"
		for _, r := range cells[name] {
			if n := r.count("cohort_size"); n > 0 {
				size = c.form.count(n)
			}
		}
		line := []cell{{Text: c.form.month(month)}, {Text: size}}
		for n := range int64(cohortSpan + 1) {
			r, ok := cells[name][n]
			share, has := r.number("active_share")
			switch {
			case ok && r.flag("withheld"):
				line = append(line, cell{Text: c.text("withheld_cell", nil)})
			case !ok || !has:
				line = append(line, cell{Text: ""})
			default:
				line = append(line, cell{Text: c.form.share(share, 0), Shade: min(5, 1+int(share*5))})
			}
		}
		t.Rows = append(t.Rows, line)
	}
	s.addTable(t)
	s.note(c.text("cohorts_note", nil))
	return []section{s}, nil
}
