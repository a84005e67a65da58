package query

import (
	"fmt"
	"slices"
	"strings"

	"github.com/falloff-analytics/falloff/warehouse/dictionary"
)

// fromMarts asks the metric's own query over the marts.
func (p *metricPlan) fromMarts() error {
	m, r := p.metric, p.request
	if reason := p.engine.lackingMarts(m); reason != "" {
		return &UnavailableError{Name: m.Name, Reason: reason}
	}
	if err := p.checkSeries(); err != nil {
		return err
	}
	if err := p.checkNeeded(); err != nil {
		return err
	}
	var columns, groups []string
	add := func(c Column, expression string) {
		p.columns = append(p.columns, c)
		columns = append(columns, expression+" as "+quoted(c.Name))
	}
	if r.Grain != "" {
		add(Column{Name: "time", Title: strings.ToUpper(r.Grain[:1]) + r.Grain[1:], Type: Day, Description: "First day of the " + r.Grain}, p.period(r.Grain))
		p.order = append(p.order, quoted("time"))
		if m.Period() == "week" && r.Grain != "week" {
			p.says = "A week counts where it begins."
		}
	}
	for _, name := range r.By {
		d, _ := dictionary.DimensionNamed(name)
		add(split(d), p.readable(d))
		p.order = append(p.order, ordered(d)...)
		groups = append(groups, p.column(name))
	}
	p.addSeries(func(expression string) {
		add(Column{Name: "series", Title: "Series", Type: Text}, expression)
	})
	switch m.Combine {
	case dictionary.Sum:
		add(figure(m), "sum(metric.value)")
	case dictionary.Mean:
		weight := quoted(m.WeightColumn())
		add(figure(m), fmt.Sprintf("sum(metric.value * metric.%s) / nullif(sum(metric.%s) filter (where metric.value is not null), 0)", weight, weight))
	default:
		add(figure(m), "metric.value")
	}
	if m.Combine == dictionary.Mean && m.Weight == "" {
		add(Column{Name: "of", Title: "Of", Type: Integer, Unit: Count, Description: "How many it is the share of"}, "sum(metric."+quoted(m.Counts)+")")
	}
	with, from := p.figures(r.By)
	p.text = with + "\n\nselect\n    " + strings.Join(columns, ",\n    ") + from
	if where := p.conditions(); len(where) > 0 {
		p.text += "\nwhere " + strings.Join(where, "\n    and ")
	}
	if m.Combine != dictionary.Never && (len(groups) > 0 || r.Grain != "") {
		p.text += "\ngroup by all"
	}
	if len(p.order) == 0 {
		p.order = []string{"value"}
	}
	return nil
}

// figures is the metric's own query, from which the dimensions are read.
func (p *metricPlan) figures(dimensions []string) (with, from string) {
	with, from = "with metric as (\n"+indented(p.metric.Query)+"\n)", "\nfrom metric"
	if titles, join := titled(dimensions, p.column); titles != "" {
		return with + ",\n\n" + titles, from + join
	}
	return with, from
}

// addSeries says how the answer is drawn: the time or a number across, else the first dimension; a curve for each value of the others.
func (p *metricPlan) addSeries(add func(expression string)) {
	by := slices.Clone(p.request.By)
	x := "time"
	if p.request.Grain == "" {
		if len(by) < 2 {
			return
		}
		at := max(slices.IndexFunc(by, func(name string) bool { d, _ := dictionary.DimensionNamed(name); return d.Kind == dictionary.Ordinal }), 0)
		x = by[at]
		by = slices.Delete(by, at, at+1)
	}
	switch len(by) {
	case 0:
		return
	case 1:
		p.series = &Series{X: x, Name: by[0], Value: "value"}
	default:
		parts := make([]string, len(by))
		for i, name := range by {
			d, _ := dictionary.DimensionNamed(name)
			parts[i] = "coalesce(cast(" + p.readable(d) + " as varchar), '–')"
		}
		add("concat_ws(' · ', " + strings.Join(parts, ", ") + ")")
		p.series = &Series{X: x, Name: "series", Value: "value"}
	}
}

// inSeries is the one of the metric's series that the question is about, empty for none.
func (p *metricPlan) inSeries() string {
	for _, name := range p.touched() {
		if p.metric.IsSeries(name) {
			return name
		}
	}
	return ""
}

// checkSeries refuses two series together: figures are split by one of them at a time. Whoever is answered about a caseload alone has the
// series of staff members and no other.
func (p *metricPlan) checkSeries() error {
	var asked []string
	for _, name := range p.touched() {
		if p.metric.IsSeries(name) {
			asked = append(asked, name)
		}
	}
	if len(asked) > 1 {
		return p.refuse(asked[1], "the metric is split by one of "+strings.Join(p.metric.Series, ", ")+" at a time", "choose one of them")
	}
	if p.engine.narrowed && len(p.metric.Series) > 0 && !slices.Equal(asked, []string{"staff_member"}) {
		return p.refuse("by", "of a caseload the metric is known by staff member alone", "split it by staff_member")
	}
	return nil
}

// checkNeeded refuses to combine what must not be: every dimension is split by, held, or narrowed to one value.
func (p *metricPlan) checkNeeded() error {
	if p.metric.Combine != dictionary.Never {
		return nil
	}
	one := func(name string) bool {
		return slices.ContainsFunc(p.request.Filters, func(f Filter) bool { return f.Dimension == name && !f.Not && len(f.Values) == 1 })
	}
	for _, name := range slices.Concat(p.metric.Needed(), p.touched()) {
		switch {
		case name == p.metric.Period():
			if p.request.Grain == "" {
				return p.refuse("grain", "figures of several months are not to be combined", "send "+p.metric.Grains()[0])
			}
		case !slices.Contains(p.request.By, name) && !one(name):
			return p.refuse(name, "figures of several of its values are not to be combined", "split by it, or choose one value of it")
		}
	}
	if p.metric.Period() != "" && p.request.Grain == "" && p.isRanged() {
		return p.refuse("grain", "figures of several months are not to be combined", "send "+p.metric.Grains()[0])
	}
	return nil
}

func (p *metricPlan) isRanged() bool {
	return p.metric.Period() != "" && (!p.request.From.IsZero() || !p.request.To.IsZero())
}

// conditions are what rows must fulfil: filters, time, and what is held.
func (p *metricPlan) conditions() []string {
	m, r := p.metric, p.request
	var where []string
	series := p.inSeries()
	for _, name := range m.Dimensions {
		held, isHeld := m.Hold[name]
		touched := slices.Contains(p.touched(), name)
		switch {
		case name == "dimension" && series != "":
			where = append(where, "metric.dimension = '"+series+"'")
		case name == m.Period() && (r.Grain != "" || p.isRanged()):
			where = append(where, p.day()+" is not null")
		case name == "currency" && !touched:
			where = append(where, "metric.currency = "+p.bind(p.engine.meta.Currency))
		case isHeld && !touched:
			where = append(where, "metric."+quoted(name)+" = "+p.bind(held))
		case isHeld && held == total && !p.chosen(name): // the row of all is none of the values
			where = append(where, "metric."+quoted(name)+" <> "+p.bind(total))
		}
	}
	for _, f := range r.Filters {
		column := "cast(" + p.column(f.Dimension) + " as varchar)"
		if f.Not {
			where = append(where, fmt.Sprintf("(%s is null or %s not in (%s))", column, column, p.bindAll(f.Values)))
		} else {
			where = append(where, fmt.Sprintf("%s in (%s)", column, p.bindAll(f.Values)))
		}
	}
	if p.isRanged() {
		if !r.From.IsZero() {
			where = append(where, p.lastDay()+" >= cast("+p.bind(r.From.String())+" as date)")
		}
		if !r.To.IsZero() {
			where = append(where, p.day()+" <= cast("+p.bind(r.To.String())+" as date)")
		}
	}
	return where
}

// total is the value of rows that are of all values of a dimension together.
const total = "all"

// chosen says that values of a dimension are named.
func (p *metricPlan) chosen(name string) bool {
	return slices.ContainsFunc(p.request.Filters, func(f Filter) bool { return f.Dimension == name && !f.Not })
}

// column is where a dimension's values are.
func (p *metricPlan) column(name string) string {
	if p.metric.IsSeries(name) {
		return "metric.split_by"
	}
	return "metric." + quoted(name)
}

// readable is a dimension as people read it.
func (p *metricPlan) readable(d dictionary.Dimension) string {
	return readable(d, p.column(d.Name))
}

func readable(d dictionary.Dimension, column string) string {
	if d.Kind != dictionary.Code {
		return column
	}
	words := fmt.Sprintf("upper(left(%s, 1)) || replace(substr(%s, 2), '_', ' ')", column, column)
	if d.Name == categories {
		return "coalesce(kind.title, " + words + ")"
	}
	return words
}

// categories is the dimension whose values have titles of their own.
const categories = "category"

// titled gives the ledger's categories their titles, as readable takes them, where they are among the dimensions. They are written out,
// since the statement is run elsewhere too, where no table has them.
func titled(dimensions []string, column func(string) string) (titles, join string) {
	if !slices.Contains(dimensions, categories) {
		return "", ""
	}
	rows := make([]string, len(leakCategories))
	for i, c := range leakCategories {
		rows[i] = "    (" + literal(c.slug) + ", " + literal(c.title) + ")"
	}
	titles = "kind (category, title) as (\n    values\n" + strings.Join(rows, ",\n") + "\n)"
	return titles, "\nleft join kind on kind.category = " + column(categories)
}

// choice is a dimension's value, and what answers call it.
func choice(d dictionary.Dimension, column string) string {
	return fmt.Sprintf("cast(%s as varchar) as text, cast(%s as varchar) as value", readable(d, column), column)
}

// ordered is the order of a dimension's values: by the number that they begin with, where they do.
func ordered(d dictionary.Dimension) []string {
	column := quoted(d.Name)
	if d.Kind == dictionary.Ordinal {
		return []string{column}
	}
	return []string{"try_cast(regexp_extract(" + column + ", '^[0-9]+') as bigint) nulls last", column + " nulls last"}
}

// day is the first day of the period that a row is about; null for a row that is of all of them.
func (p *metricPlan) day() string {
	column := "cast(metric." + p.metric.Period() + " as varchar)"
	if p.metric.Period() == "week" {
		return "cast(metric.week as date)"
	}
	return "try_cast(left(" + column + ", 7) || '-01' as date)"
}

func (p *metricPlan) lastDay() string {
	if p.metric.Period() == "week" {
		return "cast(metric.week as date) + 6"
	}
	return "last_day(" + p.day() + ")"
}

// period is the first day of what a row falls into.
func (p *metricPlan) period(grain string) string {
	if grain == p.metric.Period() || grain == "month" && p.metric.Period() == "cohort_month" {
		return p.day()
	}
	return "cast(date_trunc('" + grain + "', " + p.day() + ") as date)"
}

// values asks for the values of a dimension, and what answers call them. Neither is ever null.
func (p *metricPlan) values(dimension string, released bool) error {
	d, _ := dictionary.DimensionNamed(dimension)
	text := Column{Name: "text", Title: d.Title, Type: Text}
	p.columns, p.order = []Column{text, {Name: "value", Title: "Value", Type: Text}}, ordered(dictionary.Dimension{Name: text.Name})
	if released {
		return p.releasedValues(d)
	}
	if reason := p.engine.lackingMarts(p.metric); reason != "" {
		return &UnavailableError{Name: p.metric.Name, Reason: reason}
	}
	where := p.column(dimension) + " is not null"
	if p.metric.IsSeries(dimension) {
		where += " and metric.dimension = '" + dimension + "'"
	} else if p.metric.Hold[dimension] == total {
		where += " and " + p.column(dimension) + " <> '" + total + "'"
	}
	with, from := p.figures([]string{dimension})
	p.text = with + "\n\nselect distinct " + choice(d, p.column(dimension)) + from + "\nwhere " + where
	return nil
}

func quoted(name string) string { return `"` + name + `"` }

func indented(text string) string {
	return "    " + strings.ReplaceAll(text, "\n", "\n    ")
}
