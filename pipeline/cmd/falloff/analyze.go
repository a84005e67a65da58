package main

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/warehouse/analysis"
	"github.com/falloff-analytics/falloff/warehouse/bgnbd"
	"github.com/falloff-analytics/falloff/warehouse/export"
)

// analyzeFlags are the flags of analyze as they were typed.
type analyzeFlags struct {
	files               map[analysis.Input]*string
	asOf, metric        string
	definition, basis   string
	falloffDays         int
	model, unit, params string
	horizonDays         float64
	changed             func(flag string) bool
}

func (a *app) analyzeCommand() *cobra.Command {
	f := analyzeFlags{files: map[analysis.Input]*string{analysis.Events: new(string), analysis.Durations: new(string), analysis.Invoices: new(string)}}
	cmd := &cobra.Command{
		Use:   "analyze (--events FILE --as-of DATE | --durations FILE | --invoices FILE --as-of DATE) --metric METRIC",
		Short: "compute the models' figures over any file, to check them or to use them elsewhere",
		Example: `  falloff analyze --events visits.csv --as-of 2026-03-31 --metric retention
  falloff analyze --events visits.parquet --as-of 2026-03-31 --metric survival --definition first_lapse --falloff-days 42
  falloff analyze --events visits.csv --as-of 2026-03-31 --metric alive --model bgnbd --params 0.24,4.41,0.79,2.43
  falloff analyze --durations lung.csv --metric survival
  falloff analyze --invoices invoices.csv --as-of 2026-03-31 --basis due`,
		Args: cobra.NoArgs,
		Long: `Runs the SQL macros that the models run over a CSV (RFC 4180, with a header) or Parquet file, and writes CSV to standard
output, numbers with all their digits. It reads no lake and no settings.

--events: columns entity,date; several rows a day are one visit; dates after --as-of are left out (status: they are bookings).
  retention  cohort_month,month_index,cohort_size,active
  survival   time,n_risk,n_event,n_censor,survival,std_err,ci_low,ci_high (Kaplan-Meier, Greenwood, log-log 95 %)
  alive      entity,x,t_x,t,p_alive,expected (MBG/NBD or BG/NBD; parameters that were fitted are told on standard error)
  status     entity,first,last,visits,status
--durations: columns time,event[,group], time in whole days, event 0, 1, false or true
  survival   as above, the group first where there is one
  incidence  time,cause,n_risk,n_event,n_censor,incidence (Aalen-Johansen; event 0 censored, 1, 2 ... which end it was)
--invoices: columns invoice,invoice_date,due_date,settled_date,amount
  aging      bucket,invoices,amount

Empty cells are values that do not exist, such as the standard error where nobody is left. Texts that would begin a formula in a
spreadsheet get an apostrophe before them. docs/statistics.md has the definitions, and how to check them in R.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.changed = cmd.Flags().Changed
			q, err := f.request()
			if err != nil {
				return err
			}
			if a.json {
				return usagef("analyze prints CSV: leave --json out")
			}
			out := csv.NewWriter(a.stdout)
			record := []string{}
			err = analysis.Run(cmd.Context(), q, analysis.Answer{
				Header: out.Write,
				Row: func(values []any) error {
					record = record[:0]
					for _, v := range values {
						record = append(record, export.SafeCell(v))
					}
					return out.Write(record)
				},
				Fitted: func(fit bgnbd.Fit) { a.tellFit(q.Model, fit) },
			})
			out.Flush()
			if err != nil {
				return err
			}
			return out.Error()
		},
	}
	flags := cmd.Flags()
	flags.StringVar(f.files[analysis.Events], "events", "", "`file` with the columns entity,date")
	flags.StringVar(f.files[analysis.Durations], "durations", "", "`file` with the columns time,event and, if wanted, group")
	flags.StringVar(f.files[analysis.Invoices], "invoices", "", "`file` with the columns invoice,invoice_date,due_date,settled_date,amount")
	flags.StringVar(&f.asOf, "as-of", "", "the `date` D of events and invoices, YYYY-MM-DD: what comes later has not happened")
	flags.StringVar(&f.metric, "metric", "", "what to compute: retention, survival, alive, status, incidence, aging")
	flags.StringVar(&f.definition, "definition", string(analysis.LastVisit), "when an entity that stays away has lapsed: last_visit or first_lapse (survival of events)")
	flags.IntVar(&f.falloffDays, "falloff-days", 90, "after how many `days` away an entity has lapsed (survival of events)")
	flags.StringVar(&f.model, "model", string(bgnbd.MBG), "mbgnbd or bgnbd (alive)")
	flags.StringVar(&f.unit, "unit", "week", "unit of x, t_x, t and the parameters: week or day (alive)")
	flags.StringVar(&f.params, "params", "", "parameters `r,alpha,a,b` instead of fitted ones (alive)")
	flags.Float64Var(&f.horizonDays, "horizon-days", 90, "over how many `days` after D visits are expected (alive)")
	flags.StringVar(&f.basis, "basis", string(analysis.InvoiceDate), "the day that an invoice's age counts from: invoice or due (aging)")
	return cmd
}

// ownFlags are the flags that go with one metric alone, of one input.
var ownFlags = []struct {
	name   string
	metric analysis.Metric
	input  analysis.Input
}{
	{"definition", analysis.Survival, analysis.Events},
	{"falloff-days", analysis.Survival, analysis.Events},
	{"model", analysis.Alive, analysis.Events},
	{"unit", analysis.Alive, analysis.Events},
	{"params", analysis.Alive, analysis.Events},
	{"horizon-days", analysis.Alive, analysis.Events},
	{"basis", analysis.Aging, analysis.Invoices},
}

// request checks the flags, and that they go together.
func (f *analyzeFlags) request() (analysis.Request, error) {
	q := analysis.Request{FalloffDays: f.falloffDays, HorizonDays: f.horizonDays}
	for _, input := range []analysis.Input{analysis.Events, analysis.Durations, analysis.Invoices} {
		if !f.changed(string(input)) {
			continue
		}
		if q.Input != "" {
			return q, usagef("--%s and --%s do not go together: analyze one file at a time", q.Input, input)
		}
		q.Input, q.File = input, *f.files[input]
	}
	if q.Input == "" {
		return q, usagef("no file: say what to analyze with --events FILE, --durations FILE or --invoices FILE. See `falloff analyze --help`")
	}
	if err := f.setMetric(&q); err != nil {
		return q, err
	}
	for _, own := range ownFlags {
		if f.changed(own.name) && (own.metric != q.Metric || own.input != q.Input) {
			return q, usagef("--%s is for --%s with --metric %s, not for --%s with --metric %s: leave it out", own.name, own.input, own.metric, q.Input, q.Metric)
		}
	}
	if q.Input == analysis.Durations {
		if f.changed("as-of") {
			return q, usagef("--as-of is for --events and --invoices: durations are as they are, leave it out")
		}
	} else if f.asOf == "" {
		return q, usagef("no day: say with --as-of YYYY-MM-DD at the end of which day things stood")
	}
	var err error
	if q.AsOf, err = parseDay("--as-of", f.asOf); err != nil {
		return q, err
	}
	return q, f.setOptions(&q)
}

func (f *analyzeFlags) setMetric(q *analysis.Request) error {
	known := analysis.Metrics(q.Input)
	if f.metric == "" && len(known) == 1 {
		q.Metric = known[0]
		return nil
	}
	q.Metric = analysis.Metric(f.metric)
	if slices.Contains(known, q.Metric) {
		return nil
	}
	names := make([]string, len(known))
	for i, metric := range known {
		names[i] = string(metric)
	}
	if f.metric == "" {
		return usagef("no metric: say what to compute of --%s with --metric %s", q.Input, strings.Join(names, "|"))
	}
	return usagef("--metric %q is not known for --%s: use %s", f.metric, q.Input, strings.Join(names, ", "))
}

func (f *analyzeFlags) setOptions(q *analysis.Request) error {
	switch q.Definition = analysis.Definition(f.definition); q.Definition {
	case analysis.LastVisit, analysis.FirstLapse:
	default:
		return usagef("--definition %q is not known: use last_visit or first_lapse", f.definition)
	}
	if f.falloffDays < 1 || f.falloffDays > 36500 {
		return usagef("--falloff-days %d: use 1 to 36500", f.falloffDays)
	}
	switch q.Model = bgnbd.Model(f.model); q.Model {
	case bgnbd.MBG, bgnbd.BG:
	default:
		return usagef("--model %q is not known: use mbgnbd or bgnbd", f.model)
	}
	switch f.unit {
	case "week":
		q.UnitDays = 7
	case "day":
		q.UnitDays = 1
	default:
		return usagef("--unit %q is not known: use week or day", f.unit)
	}
	if !(f.horizonDays >= 0 && f.horizonDays <= 36500) {
		return usagef("--horizon-days %v: use 0 to 36500", f.horizonDays)
	}
	switch q.Basis = analysis.Basis(f.basis); q.Basis {
	case analysis.InvoiceDate, analysis.DueDate:
	default:
		return usagef("--basis %q is not known: use invoice or due", f.basis)
	}
	if !f.changed("params") {
		return nil
	}
	var err error
	q.Parameters, err = parseParameters(f.params)
	return err
}

func parseParameters(text string) (*bgnbd.Parameters, error) {
	cells := strings.Split(text, ",")
	values := make([]float64, len(cells))
	for i, cell := range cells {
		var err error
		if values[i], err = strconv.ParseFloat(strings.TrimSpace(cell), 64); err != nil {
			return nil, usagef("--params %q: write the four numbers r,alpha,a,b", text)
		}
	}
	if len(values) != 4 {
		return nil, usagef("--params has %d numbers: write the four numbers r,alpha,a,b", len(values))
	}
	p := &bgnbd.Parameters{R: values[0], Alpha: values[1], A: values[2], B: values[3]}
	if err := p.Check(); err != nil {
		return nil, usagef("--params: %v", err)
	}
	return p, nil
}

// tellFit says what was fitted, as --params takes it. That a fallback stands in is said even where quiet was asked for.
func (a *app) tellFit(model bgnbd.Model, fit bgnbd.Fit) {
	if fit.Fallback != "" {
		_, _ = fmt.Fprintf(a.stderr, "%s: %s: a weak prior stands in, and what follows rests on it more than on the file\n", model, fit.Fallback)
	}
	state := "converged"
	if !fit.Converged {
		state = "NOT CONVERGED"
	}
	p := fit.Parameters
	a.tellf("%s fitted to %d entities: %s after %d evaluations from %d starts, log-likelihood %s", model, fit.Entities, state, fit.Evaluations, fit.Starts,
		export.Text(fit.LogLikelihood))
	a.tellf("--params %s,%s,%s,%s", export.Text(p.R), export.Text(p.Alpha), export.Text(p.A), export.Text(p.B))
	if fit.Limit != "" {
		a.tellf("%s: the likelihood says no more about them than that, and p_alive and expected are at that limit", fit.Limit)
	}
}
