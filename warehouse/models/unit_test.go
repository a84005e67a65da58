package models

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cloud.google.com/go/civil"
	"github.com/goccy/go-yaml"

	"github.com/falloff-analytics/falloff/sql"
)

// unitFile is one file of sql/tests; sql/tests/README.md says what a person writes in it.
type unitFile struct {
	AsOf   string     `yaml:"as_of"`
	Clinic unitClinic `yaml:"clinic"`
	Tests  []unitTest `yaml:"tests"`
}

type unitTest struct {
	Name        string            `yaml:"name"`
	Why         string            `yaml:"why"`
	AsOf        string            `yaml:"as_of"`
	HistoryFrom string            `yaml:"history_from"`
	Clinic      *unitClinic       `yaml:"clinic"`
	Given       map[string]string `yaml:"given"`
	Expect      map[string]string `yaml:"expect"`
}

func TestModelsAsTheirYAMLSays(t *testing.T) {
	project, err := Load(t.Context(), sql.Files())
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../sql/tests/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no model tests found in sql/tests: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var suite unitFile
		if err := yaml.UnmarshalWithOptions(content, &suite, yaml.Strict()); err != nil {
			t.Fatalf("%s: %s", file, yaml.FormatError(err, false, true))
		}
		for _, test := range suite.Tests {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml")+"/"+test.Name, func(t *testing.T) {
				runUnitTest(t, project, suite, test)
			})
		}
	}
}

func runUnitTest(t *testing.T, project *Project, suite unitFile, test unitTest) {
	if len(test.Expect) == 0 {
		t.Fatal("the test expects nothing: name a model under `expect`")
	}
	clinic := suite.Clinic
	if test.Clinic != nil {
		clinic = clinic.with(*test.Clinic)
	}
	in := Inputs{Settings: clinic.settings(t), Threads: 1, AsOf: unitDay(t, cmpOr(test.AsOf, suite.AsOf, "2026-03-31"))}
	if test.HistoryFrom != "" {
		in.HistoryFrom = unitDay(t, test.HistoryFrom)
	}
	in.Tables = givenFiles(t, in, test.Given)

	s, err := open(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.prepare(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	wanted, err := ancestors(project, slices.Sorted(maps.Keys(test.Expect)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.run(t.Context(), project, wanted, true); err != nil {
		t.Fatal(err)
	}
	for _, model := range slices.Sorted(maps.Keys(test.Expect)) {
		compareModel(t, s, model, test.Expect[model])
	}
	if t.Failed() && test.Why != "" {
		t.Logf("why: %s", test.Why)
	}
}

// ancestors lists the models that the named ones need, themselves included, in an order in which they can run.
func ancestors(p *Project, names []string) ([]*Model, error) {
	needed := map[string]bool{}
	var need func(name string)
	need = func(name string) {
		if m, isModel := p.Model(name); isModel && !needed[name] {
			needed[name] = true
			for _, read := range m.Reads {
				need(read)
			}
		}
	}
	for _, name := range names {
		if _, isModel := p.Model(name); !isModel {
			return nil, fmt.Errorf("there is no model %s", name)
		}
		need(name)
	}
	return slices.DeleteFunc(slices.Clone(p.Models), func(m *Model) bool { return !needed[m.Name()] }), nil
}

// compareModel compares the columns that the expectation names, rows in any order.
func compareModel(t *testing.T, s *session, model, expectation string) {
	t.Helper()
	columns, want := textTable(t, expectation)
	have, err := s.columns(t.Context(), "select * from "+model)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(expectation) == "none" {
		columns, want = []string{have[0].Name, have[min(1, len(have)-1)].Name}, nil
	}
	selected := make([]string, len(columns))
	for i, name := range columns {
		selected[i] = fmt.Sprintf("coalesce(%s::varchar, '-')", name)
		if !slices.ContainsFunc(have, func(c Column) bool { return c.Name == name }) {
			// Money may be written in units, as people read it.
			if !slices.ContainsFunc(have, func(c Column) bool { return c.Name == name+"_cents" }) {
				t.Fatalf("%s has no column %s", model, name)
			}
			selected[i] = fmt.Sprintf("coalesce((%s_cents / 100)::decimal(18,2)::varchar, '-')", name)
		}
	}
	rows, err := s.conn.QueryContext(t.Context(), fmt.Sprintf("select [%s] from %s", strings.Join(selected, ", "), model))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got [][]string
	for rows.Next() {
		var cells []any
		if err := rows.Scan(&cells); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(cells))
		for i, cell := range cells {
			row[i] = cell.(string)
		}
		got = append(got, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, slices.Compare)
	slices.SortFunc(want, slices.Compare)
	if !slices.EqualFunc(got, want, func(a, b []string) bool { return slices.EqualFunc(a, b, sameCell) }) {
		t.Errorf("%s\nwant:\n%sgot:\n%s", model, printTable(columns, want), printTable(columns, got))
	}
}

// sameCell compares numbers with a fraction to 1e-9, everything else as text.
func sameCell(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && strings.ContainsAny(a+b, ".e") &&
		math.Abs(x-y) <= 1e-9*max(math.Abs(x), math.Abs(y))
}

// textTable reads a table of cells between bars, its first line the header; `#` begins a comment.
func textTable(t *testing.T, table string) (columns []string, rows [][]string) {
	t.Helper()
	for line := range strings.Lines(table) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" || line == "none" {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if columns == nil {
			columns = cells
			continue
		}
		if len(cells) > len(columns) {
			t.Fatalf("row %q has more cells than the header %v", line, columns)
		}
		for len(cells) < len(columns) {
			cells = append(cells, "")
		}
		rows = append(rows, cells)
	}
	return columns, rows
}

func printTable(columns []string, rows [][]string) string {
	var b strings.Builder
	fmt.Fprintln(&b, "  "+strings.Join(columns, " | "))
	for _, row := range rows {
		fmt.Fprintln(&b, "  "+strings.Join(row, " | "))
	}
	if len(rows) == 0 {
		fmt.Fprintln(&b, "  (no rows)")
	}
	return b.String()
}

func unitDay(t *testing.T, text string) civil.Date {
	t.Helper()
	d, err := civil.ParseDate(text)
	if err != nil {
		t.Fatalf("%q is not a day: write YYYY-MM-DD", text)
	}
	return d
}

func cmpOr(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
