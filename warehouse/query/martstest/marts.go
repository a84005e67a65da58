// Package martstest writes small Parquet marts for tests of what reads them: a clinic of a handful of rows whose every
// answer can be worked out by hand, and a large one for benchmarks. Their columns are those of sql/marts.
package martstest

import (
	"database/sql"
	"embed"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	"github.com/duckdb/duckdb-go/v2"

	"github.com/falloff-analytics/falloff/warehouse/query"
)

//go:embed small/*.sql large/*.sql closed/*.sql
var scripts embed.FS

// AsOf is the day whose state the marts describe.
var AsOf = civil.Date{Year: 2026, Month: time.September, Day: 30}

// Small writes the marts that small/ spells out, one Parquet file each, and gives their paths by mart.
func Small(tb testing.TB) map[string][]string {
	tb.Helper()
	return write(tb, "small")
}

// Closed is Small after July was closed, as closed/ spells it out.
func Closed(tb testing.TB) map[string][]string {
	tb.Helper()
	marts := Small(tb)
	maps.Copy(marts, write(tb, "closed"))
	return marts
}

// Large writes marts as a clinic with a million appointments has them: ledger and weeks in full size.
func Large(tb testing.TB) map[string][]string {
	tb.Helper()
	return write(tb, "large")
}

// manyRows are the marts of a row a patient, an episode or a warning, with how often Whole repeats each of the small clinic's, and what
// then tells the repeats apart.
var manyRows = map[string]struct {
	times   int
	replace string
}{
	"patient_outlook":  {12500, "patient || '_' || i as patient, list_rank + 2 * i as list_rank"},
	"patient_status":   {12500, "patient || '_' || i as patient"},
	"episode_status":   {12500, "patient || '_' || i as patient, episode_id || '_' || i as episode_id"},
	"caseload":         {12500, "patient || '_' || i as patient"},
	"leak_recoveries":  {48000, "leak_id || '_' || i as leak_id"},
	"billing_warnings": {500, "source_id || '_' || i as source_id"},
}

// Whole is every mart of a clinic with a million appointments, for all that a dashboard asks: Large, some 60,000 patients, and of the
// marts that hold a row a month or a group what Small has, or a little more.
func Whole(tb testing.TB) map[string][]string {
	tb.Helper()
	marts := writeAs(tb, "small", func(mart, script string) string {
		if many, ok := manyRows[mart]; ok {
			return fmt.Sprintf("select few.* replace (%s) from (%s\n) as few cross join range(%d) as series (i)", many.replace, script, many.times)
		}
		return script
	})
	maps.Copy(marts, write(tb, "large"))
	return marts
}

// Meta describes the snapshot that Small and Large write.
func Meta(clinic, commit string) query.Meta {
	return query.Meta{
		Clinic: clinic, Name: "Harbour Street Physio", Commit: commit, AsOf: AsOf,
		TimeZone: "America/Toronto", Currency: "CAD",
		CommittedAt: time.Date(2026, time.October, 1, 6, 30, 0, 0, time.UTC),
		Freshness: []query.Freshness{
			{
				Dataset: "appointments", Rows: 1200,
				CoveredFrom: civil.Date{Year: 2025, Month: time.January, Day: 1}, CoveredTo: AsOf, ObservedOn: AsOf,
			},
			{
				Dataset: "claims", Rows: 310,
				CoveredFrom: civil.Date{Year: 2025, Month: time.January, Day: 1},
				CoveredTo:   AsOf.AddDays(-2), ObservedOn: AsOf.AddDays(-1),
			},
			{Dataset: "insurers", Rows: 3},
			{Dataset: "policies", Rows: 40, ObservedOn: AsOf.AddDays(-5)},
			{Dataset: "shifts", Rows: 24, CoveredTo: AsOf.AddDays(30), ObservedOn: AsOf},
		},
	}
}

func write(tb testing.TB, folder string) map[string][]string {
	tb.Helper()
	return writeAs(tb, folder, func(_, script string) string { return script })
}

// writeAs writes what as makes of each script.
func writeAs(tb testing.TB, folder string, as func(mart, script string) string) map[string][]string {
	tb.Helper()
	connector, err := duckdb.NewConnector(":memory:", nil)
	if err != nil {
		tb.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer func() { _ = db.Close() }()
	entries, err := scripts.ReadDir(folder)
	if err != nil {
		tb.Fatal(err)
	}
	dir := tb.TempDir()
	marts := map[string][]string{}
	for _, entry := range entries {
		script, err := scripts.ReadFile(folder + "/" + entry.Name())
		if err != nil {
			tb.Fatal(err)
		}
		mart := strings.TrimSuffix(entry.Name(), ".sql")
		path := filepath.Join(dir, mart+".parquet")
		if _, err := db.ExecContext(tb.Context(), fmt.Sprintf("copy (\n%s\n) to '%s' (format parquet)", as(mart, string(script)), path)); err != nil {
			tb.Fatalf("writing mart %s: %v", mart, err)
		}
		marts[mart] = []string{path}
	}
	if len(marts) == 0 {
		tb.Fatal("no marts were written")
	}
	return marts
}
