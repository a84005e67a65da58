package dictionary_test

import (
	"database/sql"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/falloff-analytics/falloff/warehouse/dictionary"
)

// martsWithoutRows is a DuckDB with all marts, empty.
func martsWithoutRows(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	tables, err := dictionary.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	statements := []string{"create schema marts"}
	for _, table := range tables {
		if table.Schema != "marts" {
			continue
		}
		var columns []string
		for _, c := range table.Columns {
			columns = append(columns, c.Name+" "+c.Type)
		}
		statements = append(statements, fmt.Sprintf("create table %s (%s)", table.FullName(), strings.Join(columns, ", ")))
	}
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// columnsOf describes what a query gives.
func columnsOf(t *testing.T, db *sql.DB, query string) (names []string, types map[string]string, err error) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "select column_name, column_type from (describe "+query+")")
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	types = map[string]string{}
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			return nil, nil, err
		}
		types[name] = kind
		names = append(names, name)
	}
	return names, types, rows.Err()
}

// Every entry has a query that runs and gives the dimensions, the figure, and what suppression counts, each of a type that fits;
// and a formula that has an author names its source.
func TestMetricsAreWhatTheySay(t *testing.T) {
	db := martsWithoutRows(t)
	metrics, err := dictionary.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	if len(metrics) < 30 {
		t.Errorf("only %d metrics", len(metrics))
	}
	for _, m := range metrics {
		names, types, err := columnsOf(t, db, m.Query)
		if err != nil {
			t.Errorf("%s: %v", m.Name, err)
			continue
		}
		want := append(slices.Clone(m.Dimensions), "value")
		if m.Counts != dictionary.NoCounts {
			want = append(want, m.Counts)
		}
		if m.Weight != "" {
			want = append(want, m.Weight)
			if types[m.Weight] != "BIGINT" {
				t.Errorf("%s: its mean is by %s, a %s", m.Name, m.Weight, types[m.Weight])
			}
		}
		if !slices.Equal(slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(want))) {
			t.Errorf("%s gives %v, and says %v", m.Name, names, want)
			continue
		}
		for _, dimension := range m.Dimensions {
			if !slices.Contains([]string{"VARCHAR", "DATE", "BIGINT", "BOOLEAN"}, types[dimension]) {
				t.Errorf("%s: nothing can be split by %s, a %s", m.Name, dimension, types[dimension])
			}
			if d, known := dictionary.DimensionNamed(dimension); known && (d.Kind == dictionary.Ordinal) != (types[dimension] == "BIGINT") {
				t.Errorf("%s: %s is %s, and a %s", m.Name, dimension, types[dimension], d.Kind)
			} else if !known && (len(m.Series) == 0 || dimension != "dimension" && dimension != "split_by") {
				t.Errorf("%s: nothing says what %s is", m.Name, dimension)
			}
		}
		for name := range m.Hold {
			if !slices.Contains(m.Dimensions, name) {
				t.Errorf("%s holds %s, by which it is not split", m.Name, name)
			}
		}
		for _, name := range m.Series {
			if _, known := dictionary.DimensionNamed(name); !known {
				t.Errorf("%s: nothing says what %s is", m.Name, name)
			}
		}
		figure := []string{"BIGINT"}
		if m.Unit == "share" || m.Unit == "days" || m.Unit == "visits" {
			figure = append(figure, "DOUBLE")
		}
		if !slices.Contains(figure, types["value"]) {
			t.Errorf("%s: its value is %s, in %s", m.Name, types["value"], m.Unit)
		}
		if m.Counts != dictionary.NoCounts && types[m.Counts] != "BIGINT" {
			t.Errorf("%s: %s is %s, and counts nothing", m.Name, m.Counts, types[m.Counts])
		}
		for _, formula := range []string{"Kaplan", "Aalen", "P(alive)", "expected in the 90 days"} {
			if strings.Contains(m.Definition, formula) && m.Source == "" {
				t.Errorf("%s speaks of %s and names no source", m.Name, formula)
			}
		}
	}
}

// docs/metrics.md is made from the entries.
func TestMetricsPageIsFresh(t *testing.T) {
	metrics, err := dictionary.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != dictionary.MetricsMarkdown(metrics) {
		t.Error("docs/metrics.md is not what the metrics say: run make docs")
	}
}
