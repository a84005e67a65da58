package models_test

import (
	"context"
	stdsql "database/sql"
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/sql"
	"github.com/falloff-analytics/falloff/warehouse/analysis"
	"github.com/falloff-analytics/falloff/warehouse/bgnbd"
	"github.com/falloff-analytics/falloff/warehouse/export"
	"github.com/falloff-analytics/falloff/warehouse/models"
	"github.com/falloff-analytics/falloff/warehouse/models/mutation"
)

// goldenCase holds mutants of macros to what other people's programs found of the same files: the reference results of `falloff analyze`.
type goldenCase struct{ t *testing.T }

func (goldenCase) Title() string { return "the reference results of falloff analyze" }

// macrosOf are those that a file of results is made with.
func macrosOf() map[string][]string {
	survival := []string{"kaplan_meier", "first_lapse", "engagement_gaps", "last_visit"}
	alive := []string{"repeat_visits", "alive", "chance_of", "exp_minus_one", "log_one_plus", "log_mixture", "visits_while_there"}
	return map[string][]string{
		"retention.csv":            {"retention"},
		"status.csv":               {"visit_status", "visit_episodes"},
		"survival_last_visit.csv":  survival,
		"survival_first_lapse.csv": survival,
		"survival.csv":             {"kaplan_meier"},
		"incidence.csv":            {"aalen_johansen"},
		"aging_invoice.csv":        {"aging"},
		"aging_due.csv":            {"aging"},
		"alive_mbgnbd.csv":         alive,
		"alive_bgnbd.csv":          alive,
		aliveCases:                 alive,
	}
}

const aliveCases = "alive_cases.csv"

// isMadeWith says that the mutant's macro is one of a file's; without a mutant all are asked.
func isMadeWith(file string, m mutation.Mutant) bool {
	return m.File == "" || slices.ContainsFunc(macrosOf()[file], func(macro string) bool { return m.File == "macros/"+macro+".sql" })
}

func (goldenCase) Weight(m mutation.Mutant, _ *models.Variation) float64 {
	for file := range macrosOf() {
		if m.File != "" && isMadeWith(file, m) {
			return 1
		}
	}
	return 0
}

func (g goldenCase) Open(ctx context.Context) (mutation.Opened, error) {
	if file, err := g.differing(ctx, mutation.Mutant{}); err != nil || file != "" {
		g.t.Fatalf("%s is another one without any mistake: %v", file, err)
	}
	return g, nil
}

func (goldenCase) Close() {}

func (g goldenCase) Try(ctx context.Context, m mutation.Mutant, _ *models.Variation) (mutation.Finding, error) {
	file, err := g.differing(ctx, m)
	if err != nil || file == "" {
		return mutation.Finding{}, err
	}
	return mutation.Finding{Noticed: mutation.Independent, By: file, IsChanged: true, IsSeen: true}, nil
}

func golden(name string) string { return filepath.Join("..", "analysis", "testdata", "golden", name) }

// differing names the first file of results that the mutant's macros do not give.
func (g goldenCase) differing(ctx context.Context, m mutation.Mutant) (string, error) {
	day := civil.Date{Year: 2025, Month: time.June, Day: 15}
	of := func(file string, input analysis.Input, metric analysis.Metric) analysis.Request {
		return analysis.Request{File: golden(file), Input: input, Metric: metric, AsOf: day, Macros: m.Tree(sql.Files())}
	}
	survival := func(d analysis.Definition, days int) analysis.Request {
		q := of("events.csv", analysis.Events, analysis.Survival)
		q.Definition, q.FalloffDays = d, days
		return q
	}
	aging := func(b analysis.Basis) analysis.Request {
		q := of("invoices.csv", analysis.Invoices, analysis.Aging)
		q.Basis = b
		return q
	}
	requests := []struct {
		file string
		q    analysis.Request
	}{
		{"retention.csv", of("events.csv", analysis.Events, analysis.Retention)},
		{"status.csv", of("events.csv", analysis.Events, analysis.Status)},
		{"survival_last_visit.csv", survival(analysis.LastVisit, 90)},
		{"survival_first_lapse.csv", survival(analysis.FirstLapse, 42)},
		{"survival.csv", of("durations.csv", analysis.Durations, analysis.Survival)},
		{"incidence.csv", of("competing.csv", analysis.Durations, analysis.Incidence)},
		{"aging_invoice.csv", aging(analysis.InvoiceDate)},
		{"aging_due.csv", aging(analysis.DueDate)},
	}
	for _, fit := range g.rows("fits.csv") {
		q := of("repeat_visits.csv", analysis.Events, analysis.Alive)
		q.AsOf = civil.Date{Year: 2025, Month: time.August, Day: 23}
		q.Model, q.UnitDays, q.HorizonDays = bgnbd.Model(fit[0]), 7, 90
		q.Parameters = &bgnbd.Parameters{R: number(g.t, fit[1]), Alpha: number(g.t, fit[2]), A: number(g.t, fit[3]), B: number(g.t, fit[4])}
		requests = append(requests, struct {
			file string
			q    analysis.Request
		}{"alive_" + fit[0] + ".csv", q})
	}
	if file, err := g.differingScores(ctx, m); err != nil || file != "" { // the quickest
		return file, err
	}
	for _, r := range requests {
		if !isMadeWith(r.file, m) {
			continue
		}
		var got [][]string
		err := analysis.Run(ctx, r.q, analysis.Answer{Header: func([]string) error { return nil }, Row: func(values []any) error {
			row := make([]string, len(values))
			for i, v := range values {
				row[i] = export.Text(v)
			}
			got = append(got, row)
			return nil
		}})
		if err != nil {
			return "", err
		}
		if !sameRows(got, g.rows(r.file)) {
			return r.file, nil
		}
	}
	return "", nil
}

// differingScores compares scores at the edges with those in arbitrary precision.
func (g goldenCase) differingScores(ctx context.Context, m mutation.Mutant) (string, error) {
	const file = aliveCases
	if !isMadeWith(file, m) {
		return "", nil
	}
	db, err := stdsql.Open("duckdb", "")
	if err != nil {
		return "", err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	exec := func(ctx context.Context, statement string) error {
		_, err := db.ExecContext(ctx, statement)
		return err
	}
	if err := models.DefineMacros(ctx, m.Tree(sql.Files()), exec); err != nil {
		return "", err
	}
	if err := exec(ctx, "create table cases as select row_number() over () - 1 as series, * from read_csv('"+golden(file)+"')"); err != nil {
		return "", err
	}
	horizons := map[string]bool{}
	for _, row := range g.rows(file) {
		horizons[row[8]] = true
	}
	for horizon := range horizons {
		for _, statement := range []string{
			"create or replace table parameters as select series, model, r::double as r, alpha::double as alpha, a::double as a, b::double as b from cases where horizon = " + horizon + "::double",
			"create or replace table histories as select series, 'e' as entity, x::bigint as x, t_x::double as t_x, t::double as t from cases where horizon = " + horizon + "::double",
		} {
			if err := exec(ctx, statement); err != nil {
				return "", err
			}
		}
		var wrong int
		if err := db.QueryRowContext(ctx, `select count(*)
			from (select series, p_alive, expected from cases where horizon = `+horizon+`::double) as want
			left join alive('histories', 'parameters', `+horizon+`::double) as got using (series)
			where not coalesce(abs(got.p_alive - want.p_alive) <= 1e-9 * abs(want.p_alive), false)
				or not coalesce(abs(got.expected - want.expected) <= 1e-9 * abs(want.expected), false)`).Scan(&wrong); err != nil {
			return "", err
		}
		if wrong > 0 {
			return file, nil
		}
	}
	return "", nil
}

func (g goldenCase) rows(name string) [][]string {
	f, err := os.Open(golden(name))
	if err != nil {
		g.t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		g.t.Fatal(err)
	}
	return rows[1:]
}

func number(t *testing.T, cell string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(cell, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// sameRows compares numbers to 1e-9 of the size, texts and empty cells exactly.
func sameRows(got, want [][]string) bool {
	if len(got) != len(want) {
		return false
	}
	for i, row := range got {
		for j, cell := range row {
			g, errGot := strconv.ParseFloat(cell, 64)
			w, errWant := strconv.ParseFloat(want[i][j], 64)
			isNumber := errGot == nil && errWant == nil
			if !isNumber && cell != want[i][j] || isNumber && math.Abs(g-w) > 1e-9*math.Abs(w) {
				return false
			}
		}
	}
	return true
}
