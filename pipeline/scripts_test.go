package pipeline_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/civil"
	"github.com/duckdb/duckdb-go/v2"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/simclinic"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/dictionary"
)

// docs/schema.md says what the program says.
func TestSchemaIsCurrent(t *testing.T) {
	tables, err := dictionary.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(filepath.Join("..", "docs", "schema.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != dictionary.Markdown(tables) {
		t.Error("docs/schema.md is stale: run make docs")
	}
}

// plainDuckDB is a DuckDB that knows nothing of us.
func plainDuckDB(t *testing.T) *sql.DB {
	t.Helper()
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// texts are the rows of a query for one text.
func texts(t *testing.T, db *sql.DB, query string) (out []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		out = append(out, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// busySite is a simulated clinic with rows in every dataset that reports bring.
func busySite(t *testing.T) *pipeline.Site {
	t.Helper()
	dials := simclinic.DefaultDials()
	dials.Patients, dials.From = 200, civil.Date{Year: 2025, Month: 2, Day: 1}
	clinic, err := simclinic.New(dials)
	if err != nil {
		t.Fatal(err)
	}
	typed, err := settings.Parse(clinic.SettingsYAML(), "clinic.yaml")
	if err != nil {
		t.Fatal(err)
	}
	reports := append(exported(t, clinic, "csv"), hoursOf("2025-12-01..2025-12-01", "2025-12-31", "Kim", 8), extractors.Report{
		Name: "c_activity.csv", StatedRows: -1, Dataset: contract.PortalActivity,
		Body: []byte("Time,Staff Member,Activity,Rows\n2025-11-20 08:30:00 -0500,falloff,Signed in,\n"),
	})
	site := testSite(t, "busy")
	if _, err := site.Ingest(t.Context(), reports, pipeline.IngestOptions{Source: "test", Settings: &typed, Account: "falloff"}); err != nil {
		t.Fatal(err)
	}
	return site
}

// A DuckDB that ran the script shows the same tables, columns, rows and sums as falloff sql; and every example of docs/schema.md
// runs in it and has an answer.
func TestTheScriptShowsWhatFalloffShows(t *testing.T) {
	t.Parallel()
	site := busySite(t)
	if _, err := site.Build(t.Context(), pipeline.BuildOptions{}); err != nil {
		t.Fatal(err)
	}
	script, err := site.Script(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	db := plainDuckDB(t)
	if _, err := db.ExecContext(t.Context(), script); err != nil {
		t.Fatalf("%v in\n%s", err, script)
	}
	if _, err := db.ExecContext(t.Context(), script); err != nil {
		t.Errorf("a second time: %v", err)
	}
	view, err := site.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	tables, err := dictionary.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// What no report of the simulated clinic brings, or nobody sees, or only a closed month has.
	absent := []string{"lake." + contract.AccessLedger, "lake." + contract.LeakStates, "lake." + contract.Identities, "marts.published_figures", "marts.restatements"}
	for _, table := range tables {
		if slices.Contains(absent, table.FullName()) {
			continue
		}
		sums := "count(*)"
		for _, c := range table.Columns {
			if c.Unit == "cents" {
				sums += ", sum(" + c.Name + ")"
			}
		}
		ask := "select concat_ws(' ', " + sums + ") from " + table.FullName()
		var theirs string
		if err := db.QueryRowContext(t.Context(), ask).Scan(&theirs); err != nil {
			t.Errorf("%s: %v", table.FullName(), err)
			continue
		}
		_, ours, err := view.Query(t.Context(), ask)
		if err != nil || ours[0][0] != theirs {
			t.Errorf("%s: %v there, %v here: %v", table.FullName(), theirs, ours, err)
		}
		columns := texts(t, db, "select column_name || ' ' || column_type from (describe "+table.FullName()+")")
		var said []string
		for _, c := range table.Columns {
			said = append(said, c.Name+" "+c.Type)
		}
		if !slices.Equal(columns, said) {
			t.Errorf("%s has %v\nthe dictionary says %v", table.FullName(), columns, said)
		}
		if len(texts(t, db, "select '1' from ("+table.Example+"\n)")) == 0 {
			t.Errorf("the example of %s has no answer", table.FullName())
		}
	}
	if script, err = site.Script(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"add_parquet_key", "secret_access"} {
		if strings.Contains(strings.ToLower(script), secret) {
			t.Errorf("the script holds %s", secret)
		}
	}
}
