//go:build dbt

package models

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/sql"
)

// builtFrom is the folder that the process of BenchmarkBuildBesideDBT builds from.
const builtFrom = "FALLOFF_BUILT_FROM"

// TestMain is the program that is measured where it is asked to build.
func TestMain(m *testing.M) {
	dir := os.Getenv(builtFrom)
	if dir == "" {
		os.Exit(m.Run())
	}
	in := syntheticInputs(dir)
	files, err := filepath.Glob(filepath.Join(dir, "*.parquet"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("nothing in %s", dir)
	}
	if err == nil {
		_, err = Build(context.Background(), in)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// BenchmarkBuildBesideDBT measures a process that builds all marts of 60,000 appointments and writes them as Parquet, beside dbt's, which
// makes the same models into tables of a DuckDB file. $FALLOFF_DBT is dbt: see infra/dbt.
func BenchmarkBuildBesideDBT(b *testing.B) {
	dbt := os.Getenv("FALLOFF_DBT")
	if dbt == "" {
		b.Fatal("FALLOFF_DBT does not name dbt: run make bench-dbt")
	}
	project, err := Load(b.Context(), sql.Files())
	if err != nil {
		b.Fatal(err)
	}
	in := syntheticClinic(b, 60_000)
	dir := filepath.Dir(in.Tables["appointments"][0])
	folder := b.TempDir()
	writeDBTProject(b, folder, project, in)
	run := func(name string, args ...string) time.Duration {
		cmd := exec.CommandContext(b.Context(), name, args...)
		cmd.Dir = folder
		cmd.Env = append(os.Environ(), builtFrom+"="+dir, "DBT_SEND_ANONYMOUS_USAGE_STATS=false", "DO_NOT_TRACK=1")
		started := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%s: %v\n%s", name, err, out)
		}
		return time.Since(started)
	}
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	var ours, theirs time.Duration
	for b.Loop() {
		os.Remove(filepath.Join(folder, "bench.duckdb"))
		ours += run(self)
		theirs += run(dbt, "run", "--profiles-dir", folder, "--project-dir", folder)
	}
	b.ReportMetric(ours.Seconds()/float64(b.N), "s/build")
	b.ReportMetric(theirs.Seconds()/float64(b.N), "s/dbt")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "times-faster")
}

// writeDBTProject writes the models as a dbt project that reads the same files: the very same texts, each with a remark that names what
// it reads, since dbt finds that in its own templates only.
func writeDBTProject(tb testing.TB, dir string, project *Project, in Inputs) {
	tb.Helper()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	// Some tables of different layers have the same name: in dbt a name is one.
	unique := func(m *Model) string { return string(m.Layer) + "__" + m.table }
	for _, m := range project.Models {
		if m.Layer == Fitted {
			continue // dbt gets it as a table: what Go finds is no SQL
		}
		depends := ""
		for _, name := range m.Reads {
			if read, isModel := project.Model(name); isModel && read.Layer != Fitted {
				depends += "-- depends_on: {{ ref('" + unique(read) + "') }}\n"
			}
		}
		write("models/"+string(m.Layer)+"/"+unique(m)+".sql", depends+"{{ config(schema='"+string(m.Layer)+"', alias='"+m.table+"') }}\n"+m.Text)
	}
	statements := []string{"set TimeZone = 'UTC'", "create schema if not exists lake", "create schema if not exists settings", "create schema if not exists closed", "create schema if not exists fitted"}
	for _, m := range project.macros {
		statements = append(statements, m.text)
	}
	fitted := fittedTables(tb, project, in)
	for schema, tables := range map[string][]settingsTable{"settings": settingsTables(in), closedSchema: closedTables(in), string(Fitted): fitted} {
		for _, t := range tables {
			statements = append(statements, "create or replace table "+schema+"."+t.name+" "+columnList(t.columns))
			for _, row := range t.rows {
				var cells []string
				for _, cell := range row {
					if cell == nil {
						cells = append(cells, "null")
						continue
					}
					cells = append(cells, quoted(fmt.Sprint(cell)))
				}
				statements = append(statements, "insert into "+schema+"."+t.name+" values ("+strings.Join(cells, ", ")+")")
			}
		}
	}
	for dataset, row := range datasetRows() {
		columns, err := schemaOf(row)
		if err != nil {
			tb.Fatal(err)
		}
		if len(in.Tables[dataset]) == 0 {
			statements = append(statements, "create or replace table lake."+dataset+" "+columnList(columns))
			continue
		}
		var names []string
		for _, c := range columns {
			names = append(names, c.Name)
		}
		statements = append(statements, "create or replace view lake."+dataset+" as select "+strings.Join(names, ", ")+" from read_parquet("+textList(in.Tables[dataset])+")")
	}
	tables := statements[6+len(project.macros):]
	slices.Sort(tables) // `create` comes before `insert`
	var hooks strings.Builder
	for _, statement := range statements {
		hooks.WriteString("  - " + fmt.Sprintf("%q", "{% raw %}"+strings.TrimRight(strings.TrimSpace(statement), ";")+"{% endraw %}") + "\n")
	}
	write("dbt_project.yml", "name: falloff_bench\nversion: '1.0'\nprofile: falloff_bench\nmodel-paths: [models]\nmacro-paths: [macros]\nmodels:\n  +materialized: table\non-run-start:\n"+hooks.String())
	write("profiles.yml", "falloff_bench:\n  target: bench\n  outputs:\n    bench:\n      type: duckdb\n      path: "+filepath.Join(dir, "bench.duckdb")+"\n      threads: 2\n")
	write("macros/schema.sql", "{% macro generate_schema_name(custom_schema_name, node) -%}{{ custom_schema_name }}{%- endmacro %}\n")
}

// fittedTables are what Go fits to these inputs.
func fittedTables(tb testing.TB, project *Project, in Inputs) []settingsTable {
	tb.Helper()
	var out []settingsTable
	for _, m := range project.Models {
		if m.Layer != Fitted {
			continue
		}
		w, err := project.Run(tb.Context(), in, m.Name())
		if err != nil {
			tb.Fatal(err)
		}
		t := settingsTable{name: m.table, columns: fitters()[m.table].columns}
		rows, err := w.Query(tb.Context(), "select "+strings.Join(columnNames(t.columns), ", ")+" from "+m.Name())
		if err != nil {
			tb.Fatal(err)
		}
		for rows.Next() {
			cells, places := make([]any, len(t.columns)), make([]any, len(t.columns))
			for i := range cells {
				places[i] = &cells[i]
			}
			if err := rows.Scan(places...); err != nil {
				tb.Fatal(err)
			}
			for i, cell := range cells {
				if at, isTime := cell.(time.Time); isTime {
					cells[i] = at.Format(time.DateOnly)
				}
			}
			t.rows = append(t.rows, cells)
		}
		if err := rows.Err(); err != nil {
			tb.Fatal(err)
		}
		rows.Close()
		w.Close()
		out = append(out, t)
	}
	return out
}
