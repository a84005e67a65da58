package query

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/falloff-analytics/falloff/warehouse/dictionary"
	"github.com/falloff-analytics/falloff/warehouse/disclosure"
)

// releasedFigure says where a metric is in the released tables that serve it.
type releasedFigure struct {
	// column is the measure or share; by is the SQL that makes the metric's unit of it, where that is another.
	column string
	by     string
	// renames are dimensions that have another name there.
	renames map[string]string
}

// releasedFigures are the metrics that whoever sees no rows is shown. One that is in none of them is for rows only.
var releasedFigures = map[string]releasedFigure{
	"patients_by_status":       {column: "patients"},
	"expected_visits_lost":     {column: "visits_lost_thousandths", by: " / 1000.0"},
	"leaked_revenue":           {column: "amount_cents"},
	"leaks":                    {column: "leaks"},
	"estimated_loss":           {column: "amount_cents"},
	"recovered_money":          {column: "recovered_cents"},
	"recovered_by_us":          {column: "recovered_by_us_cents"},
	"billing_warnings":         {column: "warnings", renames: map[string]string{"kind": "warning"}},
	"gross_collection_rate":    {column: "gross_rate"},
	"net_collection_rate":      {column: "net_rate"},
	"settled_collection_rate":  {column: "settled_rate"},
	"collected_money":          {column: "collected_cents"},
	"adjusted_money":           {column: "adjusted_cents"},
	"adjustments":              {column: "amount_cents"},
	"receivables":              {column: "open_cents"},
	"rejection_rate":           {column: "rejection_rate"},
	"short_payments":           {column: "short_cents"},
	"show_rate":                {column: "show_share"},
	"kept_rate":                {column: "kept_share"},
	"visits":                   {column: "arrived"},
	"recovered_within_14_days": {column: "recovered_share_14"},
	"recovered_within_30_days": {column: "recovered_share_30"},
	"utilisation":              {column: "utilisation"},
	"conversion":               {column: "conversion_share"},
	"rebooked":                 {column: "rebooked_share"},
	"reactivations":            {column: "reactivations"},
	"retention":                {column: "active_share"},
}

// servingTables are the released tables that a metric is shown from, each with its dimensions as the metric calls them.
func servingTables(m dictionary.Metric) map[string][]string {
	of, ok := releasedFigures[m.Name]
	if !ok {
		return nil
	}
	tables := map[string][]string{}
	for _, g := range disclosure.Groups() {
		for _, t := range g.Tables {
			if !slices.Contains(t.Metrics, m.Name) {
				continue
			}
			names := []string{}
			for _, d := range t.Dimensions {
				names = append(names, of.called(d))
			}
			tables[t.Name] = names
		}
	}
	return tables
}

// called is a released table's dimension as the metric calls it.
func (f releasedFigure) called(dimension string) string {
	for metrics, table := range f.renames {
		if table == dimension {
			return metrics
		}
	}
	return dimension
}

// MetricMarts are the marts that a metric's query reads.
func MetricMarts(m dictionary.Metric) []string {
	var marts []string
	for _, found := range martMention.FindAllStringSubmatch(m.Query, -1) {
		if !slices.Contains(marts, found[1]) {
			marts = append(marts, found[1])
		}
	}
	return marts
}

// MetricIsReleased says that a metric is shown to whoever sees no rows, and MetricReleased by which dimensions: each list is one way to ask.
func MetricIsReleased(m dictionary.Metric) bool { return len(servingTables(m)) > 0 }

// MetricReleased are the ways to split a metric that is shown from released tables, the plainest first.
func MetricReleased(m dictionary.Metric) [][]string {
	ways := [][]string{}
	for _, dimensions := range servingTables(m) {
		way := slices.Clone(dimensions)
		slices.Sort(way)
		ways = append(ways, way)
	}
	slices.SortFunc(ways, func(a, b []string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(strings.Join(a, " "), strings.Join(b, " "))
	})
	return ways
}

// fromReleased asks one released table. Every row of the answer is a cell of it as it stands: nothing is added up, so that nothing is told
// that is not released.
func (p *metricPlan) fromReleased() error {
	m := p.metric
	of, ok := releasedFigures[m.Name]
	if !ok {
		hint := "ask whoever keeps the access policy"
		if why := disclosure.RowsOnly()[m.Name]; why != "" {
			hint = why
		}
		return p.refuse("metric", "it is shown to those alone who may see rows", hint)
	}
	if err := p.checkReleased(); err != nil {
		return err
	}
	wanted := p.releasedDimensions()
	tables := servingTables(m)
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		if sameNames(tables[name], wanted) {
			p.table = name
		}
	}
	if p.table == "" {
		return p.refuse("by", "it is not released by these dimensions together, and would tell of single patients, whose rows you may not see", "it is released by: "+ways(m))
	}
	if _, loaded := p.engine.releasedOn[p.table]; !loaded {
		return &UnavailableError{Name: m.Name, Reason: "it has no released table " + p.table}
	}
	p.says = saidOf(p.table)
	p.releasedText(of)
	return nil
}

// checkReleased refuses what would have to be counted anew.
func (p *metricPlan) checkReleased() error {
	m, r := p.metric, p.request
	if r.Grain != "" && r.Grain != "month" {
		return p.refuse("grain", "what is released is of months", "send month")
	}
	if r.Grain == "" && p.isRanged() {
		return p.refuse("from", "what is released of some months is each month alone", "send month as the grain, or no time range")
	}
	for _, f := range r.Filters {
		held := m.Hold[f.Dimension]
		switch {
		case f.Dimension == "currency" || held != "" && held != total:
			return p.refuse(f.Dimension, "it is not released by this", "leave it out")
		case !slices.Contains(r.By, f.Dimension) && (f.Not || len(f.Values) != 1):
			return p.refuse(f.Dimension, "several values together are not released", "choose one value, or split by it")
		}
	}
	return nil
}

// releasedDimensions are those that the released table must have, as the metric calls them.
func (p *metricPlan) releasedDimensions() []string {
	wanted := p.touched()
	if p.request.Grain != "" {
		period := p.metric.Period()
		if period == "week" {
			period = "month"
		}
		wanted = append(wanted, period)
	}
	return wanted
}

func (p *metricPlan) releasedText(of releasedFigure) {
	r := p.request
	var columns []string
	add := func(c Column, expression string) {
		p.columns = append(p.columns, c)
		columns = append(columns, expression+" as "+quoted(c.Name))
	}
	column := func(name string) string {
		if there, renamed := of.renames[name]; renamed {
			name = there
		}
		return "cell." + quoted(name)
	}
	if r.Grain != "" {
		period := "month"
		if p.metric.Period() == "cohort_month" {
			period = "cohort_month"
		}
		day := "try_cast(" + column(period) + " || '-01' as date)"
		add(Column{Name: "time", Title: "Month", Type: Day, Description: "First day of the month"}, day)
		p.order = append(p.order, quoted("time"))
	}
	for _, name := range r.By {
		d, _ := dictionary.DimensionNamed(name)
		add(split(d), readable(d, column(name)))
		p.order = append(p.order, ordered(d)...)
	}
	p.addSeries(func(string) {})
	add(figure(p.metric), "cell."+quoted(of.column)+of.by)
	add(withheldFlag(), "cell.suppressed")
	var where []string
	for _, f := range r.Filters {
		condition := " in ("
		if f.Not {
			condition = " not in ("
		}
		where = append(where, column(f.Dimension)+condition+p.bindAll(f.Values)+")")
	}
	if !r.From.IsZero() && r.Grain != "" {
		where = append(where, "last_day("+columns[0][:strings.LastIndex(columns[0], " as ")]+") >= cast("+p.bind(r.From.String())+" as date)")
	}
	if !r.To.IsZero() && r.Grain != "" {
		where = append(where, columns[0][:strings.LastIndex(columns[0], " as ")]+" <= cast("+p.bind(r.To.String())+" as date)")
	}
	titles, join := titled(r.By, column)
	if titles != "" {
		p.text = "with " + titles + "\n\n"
	}
	p.text += "select\n    " + strings.Join(columns, ",\n    ") + "\nfrom released." + quoted(p.table) + " as cell" + join
	if len(where) > 0 {
		p.text += "\nwhere " + strings.Join(where, "\n    and ")
	}
	if len(p.order) == 0 {
		p.order = []string{"value"}
	}
}

// releasedValues lists what a dimension has in the released tables that are loaded.
func (p *metricPlan) releasedValues(d dictionary.Dimension) error {
	of := releasedFigures[p.metric.Name]
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(servingTables(p.metric))) {
		if _, loaded := p.engine.releasedOn[name]; !loaded || !slices.Contains(servingTables(p.metric)[name], d.Name) {
			continue
		}
		there := d.Name
		if renamed, ok := of.renames[there]; ok {
			there = renamed
		}
		parts = append(parts, fmt.Sprintf("select cast(%s as varchar) as value from released.%s", quoted(there), quoted(name)))
	}
	if len(parts) == 0 {
		return p.refuse(d.Name, "it is not released by this", "it is released by: "+ways(p.metric))
	}
	column := "cell.value"
	with := "with cell as (\n" + indented(strings.Join(parts, "\nunion\n")) + "\n)"
	titles, join := titled([]string{d.Name}, func(string) string { return column })
	if titles != "" {
		with += ",\n\n" + titles
	}
	p.text = with + "\n\nselect " + choice(d, column) + "\nfrom cell" + join + "\nwhere " + column + " is not null"
	return nil
}

// ways says in words how a metric is released.
func ways(m dictionary.Metric) string {
	var texts []string
	for _, way := range MetricReleased(m) {
		text := strings.Join(way, " and ")
		if text == "" {
			text = "nothing, as a total"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "; ")
}

func sameNames(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// saidOf says what a released table leaves out.
func saidOf(table string) string {
	for _, g := range disclosure.Groups() {
		if !slices.ContainsFunc(g.Tables, func(t disclosure.Table) bool { return t.Name == table }) {
			continue
		}
		switch g.Name {
		case "care", "receivables", "warnings":
			return ""
		case "leaks":
			return ofMonthsOver
		default:
			return ofMonths
		}
	}
	return ""
}
