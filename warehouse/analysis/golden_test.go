package analysis

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/sql"
	"github.com/falloff-analytics/falloff/warehouse/bgnbd"
	"github.com/falloff-analytics/falloff/warehouse/export"
)

// The files in testdata/golden are made by infra/golden from other people's programs: see versions.txt beside them.

var goldenDay = civil.Date{Year: 2025, Month: 6, Day: 15}

func golden(name string) string { return filepath.Join("testdata", "golden", name) }

// ask runs a request and gives its rows as they are printed.
func ask(t *testing.T, q Request) ([]string, [][]string) {
	t.Helper()
	header, rows, err := answerOf(t, q)
	if err != nil {
		t.Fatal(err)
	}
	return header, rows
}

func answerOf(t *testing.T, q Request) (header []string, rows [][]string, err error) {
	t.Helper()
	err = Run(t.Context(), q, Answer{
		Header: func(columns []string) error {
			header = append(header, columns...)
			return nil
		},
		Row: func(values []any) error {
			row := make([]string, len(values))
			for i, v := range values {
				row[i] = export.Text(v)
			}
			rows = append(rows, row)
			return nil
		},
	})
	return header, rows, err
}

func readCSV(t *testing.T, file string) ([]string, [][]string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[0], rows[1:]
}

// sameNumber compares to 1e-9 of the size, and texts and empty cells exactly.
func sameNumber(got, want string) bool {
	g, errGot := strconv.ParseFloat(got, 64)
	w, errWant := strconv.ParseFloat(want, 64)
	if errGot != nil || errWant != nil {
		return got == want
	}
	return g == w || math.Abs(g-w) <= 1e-9*math.Abs(w)
}

func expectGolden(t *testing.T, q Request, file string) {
	t.Helper()
	wantHeader, want := readCSV(t, golden(file))
	header, rows := ask(t, q)
	if strings.Join(header, ",") != strings.Join(wantHeader, ",") {
		t.Fatalf("columns %v, want %v", header, wantHeader)
	}
	if len(rows) != len(want) {
		t.Fatalf("%d rows, want %d", len(rows), len(want))
	}
	wrong := 0
	for i, row := range rows {
		for j := range row {
			if !sameNumber(row[j], want[i][j]) {
				if wrong++; wrong < 10 {
					t.Errorf("row %d, %s is %q, want %q (%v)", i+1, header[j], row[j], want[i][j], want[i])
				}
			}
		}
	}
}

func TestAgainstIndependentPrograms(t *testing.T) {
	events := Request{File: golden("events.csv"), Input: Events, AsOf: goldenDay}
	with := func(q Request, change func(*Request)) Request {
		change(&q)
		return q
	}
	for _, test := range []struct {
		file string
		q    Request
	}{
		{"retention.csv", with(events, func(q *Request) { q.Metric = Retention })},
		{"status.csv", with(events, func(q *Request) { q.Metric = Status })},
		{"survival_last_visit.csv", with(events, func(q *Request) { q.Metric, q.Definition, q.FalloffDays = Survival, LastVisit, 90 })},
		{"survival_first_lapse.csv", with(events, func(q *Request) { q.Metric, q.Definition, q.FalloffDays = Survival, FirstLapse, 42 })},
		{"survival.csv", Request{File: golden("durations.csv"), Input: Durations, Metric: Survival}},
		{"incidence.csv", Request{File: golden("competing.csv"), Input: Durations, Metric: Incidence}},
		{"aging_invoice.csv", Request{File: golden("invoices.csv"), Input: Invoices, Metric: Aging, AsOf: goldenDay, Basis: InvoiceDate}},
		{"aging_due.csv", Request{File: golden("invoices.csv"), Input: Invoices, Metric: Aging, AsOf: goldenDay, Basis: DueDate}},
	} {
		t.Run(test.file, func(t *testing.T) { expectGolden(t, test.q, test.file) })
	}
}

// number reads a cell of a reference file.
func number(t *testing.T, cell string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(cell, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestFitsAgainstLifetimes(t *testing.T) {
	_, fits := readCSV(t, golden("fits.csv"))
	if len(fits) != 2 {
		t.Fatalf("%d fits", len(fits))
	}
	for _, row := range fits {
		model := bgnbd.Model(row[0])
		theirs := bgnbd.Parameters{R: number(t, row[1]), Alpha: number(t, row[2]), A: number(t, row[3]), B: number(t, row[4])}
		q := Request{
			File: golden("repeat_visits.csv"), Input: Events, Metric: Alive, AsOf: civil.Date{Year: 2025, Month: 8, Day: 23},
			Model: model, UnitDays: 7, HorizonDays: 90,
		}
		// With the parameters that lifetimes found, every entity is scored as the published formulas score it.
		q.Parameters = &theirs
		expectGolden(t, q, "alive_"+row[0]+".csv")

		q.Parameters = nil
		var fit bgnbd.Fit
		err := Run(t.Context(), q, Answer{
			Header: func([]string) error { return nil }, Row: func([]any) error { return nil },
			Fitted: func(f bgnbd.Fit) { fit = f },
		})
		if err != nil {
			t.Fatal(err)
		}
		if reference := number(t, row[5]); fit.LogLikelihood < reference-1e-6 || fit.LogLikelihood > reference+1 {
			t.Errorf("%s: log-likelihood %.9f, lifetimes came to %.9f", model, fit.LogLikelihood, reference)
		}
		if !fit.Converged || fit.Fallback != "" || fit.Limit != "" {
			t.Errorf("%s: %+v", model, fit)
		}
	}
}

// valuesOf writes the parameters, histories and horizons of cases as SQL.
func valuesOf(cases [][]string) string {
	var out []string
	for _, row := range cases {
		out = append(out, "('"+row[0]+"', "+strings.Join(row[1:5], "::double, ")+"::double, "+row[5]+"::bigint, "+strings.Join(row[6:9], "::double, ")+"::double)")
	}
	return strings.Join(out, ", ")
}

// TestScoresAtTheEdges holds likelihood, P(alive) and expected visits to the published formulas in arbitrary precision, at
// parameters and histories where doubles overflow or lose their digits when the formulas are taken as they are written.
func TestScoresAtTheEdges(t *testing.T) {
	_, cases := readCSV(t, golden("alive_cases.csv"))
	if len(cases) < 200 {
		t.Fatalf("only %d cases", len(cases))
	}
	db, err := open(t.Context(), sql.Files())
	if err != nil {
		t.Fatal(err)
	}
	defer db.close()
	if err := db.execAll(t.Context(), "create table cases as select row_number() over () - 1 as series, * from (values "+valuesOf(cases)+
		") as c (model, r, alpha, a, b, x, t_x, t, horizon)"); err != nil {
		t.Fatal(err)
	}
	horizons := map[string]bool{}
	for _, row := range cases {
		horizons[row[8]] = true
	}
	compared := 0
	for horizon := range horizons {
		if err := db.execAll(t.Context(),
			"create or replace table parameters as select series, model, r, alpha, a, b from cases where horizon = "+horizon+"::double",
			"create or replace table histories as select series, 'e' as entity, x, t_x, t from cases where horizon = "+horizon+"::double"); err != nil {
			t.Fatal(err)
		}
		compared += compareScores(t, db, cases, horizon)
	}
	if compared != len(cases) {
		t.Errorf("%d of %d cases compared", compared, len(cases))
	}
}

// compareScores scores the histories of one horizon and gives how many there were.
func compareScores(t *testing.T, db *database, cases [][]string, horizon string) (compared int) {
	t.Helper()
	rows, err := db.conn.QueryContext(t.Context(), "select series, p_alive, expected from alive('histories', 'parameters', "+horizon+"::double)")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var i int
		var alive, expected float64
		if err := rows.Scan(&i, &alive, &expected); err != nil {
			t.Fatal(err)
		}
		compared++
		row := cases[i]
		if !sameNumber(export.Text(alive), row[10]) {
			t.Errorf("%v: p_alive %v", row, alive)
		}
		if !sameNumber(export.Text(expected), row[11]) {
			t.Errorf("%v: expected %v", row, expected)
		}
		p := bgnbd.Parameters{R: number(t, row[1]), Alpha: number(t, row[2]), A: number(t, row[3]), B: number(t, row[4])}
		x, err := strconv.ParseInt(row[5], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		history := bgnbd.History{X: x, RecencyT: number(t, row[6]), AgeT: number(t, row[7]), Count: 1}
		// Where the likelihood is 1 there is no size to compare with.
		if l := bgnbd.LogLikelihood(bgnbd.Model(row[0]), p, []bgnbd.History{history}); math.Abs(l-number(t, row[9])) > 1e-9*math.Abs(l)+1e-13 {
			t.Errorf("%v: log-likelihood %v", row, l)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return compared
}
