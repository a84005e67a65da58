package query

import (
	"os"
	"path/filepath"
	"testing"

	"cloud.google.com/go/civil"
)

// No query of ours tries any of this. The engine must hold all the same, should one ever carry a hole.
func TestTheEngineCanReachNothingOutside(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret.csv")
	if err := os.WriteFile(secret, []byte("a,b\n1,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	engine, err := Open(t.Context(), nil, Meta{Clinic: "c", Commit: "1", AsOf: civil.Date{Year: 2026, Month: 9, Day: 30}}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = engine.Close() }()
	for _, statement := range []string{
		"select a from read_csv('" + secret + "')",
		"select a from '" + secret + "'",
		"select content from read_text('" + secret + "')",
		"select file from glob('" + dir + "/*')",
		"copy snapshot to '" + filepath.Join(dir, "out.csv") + "'",
		"attach '" + filepath.Join(dir, "other.db") + "'",
		"export database '" + dir + "/out'",
		"install httpfs",
		"load httpfs",
		"set enable_external_access = true",
		"set lock_configuration = false",
		"set memory_limit = '64GB'",
		"reset memory_limit",
		"set temp_directory = '" + dir + "'",
		"create persistent secret s (type s3, key_id 'a', secret 'b')",
	} {
		if _, err := engine.db.ExecContext(t.Context(), statement); err == nil {
			t.Errorf("it ran: %s", statement)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("it left files: %v", entries)
	}
}

func TestDefinitionsAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range catalogue {
		if seen[d.Name] {
			t.Errorf("%s is there twice", d.Name)
		}
		seen[d.Name] = true
		if d.Title == "" || d.Description == "" || len(d.Columns) == 0 || d.order == "" || d.Marts == nil {
			t.Errorf("%s lacks a title, a description, columns, marts or an order", d.Name)
		}
		if bound, err := d.Bind(nil); err != nil || len(bound) != len(d.Parameters) {
			t.Errorf("%s: defaults: %v %v", d.Name, bound, err)
		}
		mentioned := map[string]bool{}
		for _, name := range d.placeholders() {
			mentioned[name] = true
		}
		for _, p := range d.Parameters {
			if !mentioned[p.Name] {
				t.Errorf("%s: the SQL does not use %s", d.Name, p.Name)
			}
			if p.Title == "" || p.Description == "" {
				t.Errorf("%s: parameter %s lacks a title or a description", d.Name, p.Name)
			}
			// A default must pass the check that a sent value passes.
			if _, err := d.Bind(map[string]any{p.Name: p.Default}); err != nil {
				t.Errorf("%s: %v", d.Name, err)
			}
			delete(mentioned, p.Name)
		}
		if (mentioned["from"] && mentioned["to"]) != (d.TimeRange != "") {
			t.Errorf("%s: the time range is declared as %q", d.Name, d.TimeRange)
		}
		delete(mentioned, "from")
		delete(mentioned, "to")
		if len(mentioned) > 0 {
			t.Errorf("%s: the SQL uses what is declared nowhere: %v", d.Name, mentioned)
		}
		columns := map[string]bool{}
		for _, c := range d.Columns {
			columns[c.Name] = true
		}
		if s := d.Series; s != nil && (!columns[s.X] || !columns[s.Name] || !columns[s.Value]) {
			t.Errorf("%s: the series names columns that are not there: %+v", d.Name, *s)
		}
	}
	files, err := texts.ReadDir("sql")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(catalogue) {
		t.Errorf("%d SQL files for %d definitions", len(files), len(catalogue))
	}
}
