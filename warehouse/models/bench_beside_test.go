package models

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/sql"
)

// BenchmarkBuildBesideByHand runs the same statements over the same files twice: as Build does, the marts not yet written, and by hand
// in one DuckDB, each model made into a table after the other. It reports the ratio of the two. By hand nothing is freed in
// between, nothing is planned together and nothing is checked.
func BenchmarkBuildBesideByHand(b *testing.B) {
	sizes := []int{1_000_000}
	if os.Getenv("FALLOFF_LONG") != "" {
		sizes = append(sizes, 5_000_000)
	}
	for _, appointments := range sizes {
		b.Run(fmt.Sprintf("appointments=%d", appointments), func(b *testing.B) {
			project, err := Load(b.Context(), sql.Files())
			if err != nil {
				b.Fatal(err)
			}
			in := syntheticClinic(b, appointments)
			var ours, byHand time.Duration
			for b.Loop() {
				ours += timed(b, func() error {
					s, err := open(b.Context(), in)
					if err != nil {
						return err
					}
					defer s.close()
					if err := s.prepare(b.Context(), in); err != nil {
						return err
					}
					if _, err := s.run(b.Context(), project, project.Models, false); err != nil {
						return err
					}
					_, err = s.check(b.Context(), project.Checks)
					return err
				})
				byHand += timed(b, func() error {
					s, err := open(b.Context(), in)
					if err != nil {
						return err
					}
					defer s.close()
					if err := s.prepare(b.Context(), in); err != nil {
						return err
					}
					if err := defineMacros(b.Context(), project.macros, s.exec); err != nil {
						return err
					}
					for _, m := range project.Models {
						if m.Layer == Fitted { // what Go searches for, SQL by hand cannot
							if err := s.fit(b.Context(), m); err != nil {
								return err
							}
							continue
						}
						if err := s.exec(b.Context(), fmt.Sprintf("create table %s as %s", m.Name(), m.Text)); err != nil {
							return err
						}
					}
					return nil
				})
			}
			b.ReportMetric(ours.Seconds()/float64(b.N), "s/build")
			b.ReportMetric(byHand.Seconds()/float64(b.N), "s/by-hand")
			b.ReportMetric(ours.Seconds()/byHand.Seconds(), "ratio")
		})
	}
}

func timed(b *testing.B, do func() error) time.Duration {
	b.Helper()
	started := time.Now()
	if err := do(); err != nil {
		b.Fatal(err)
	}
	return time.Since(started)
}

// BenchmarkBuildGrowth builds clinics of growing size, and reports how far the memory of the process has gone up: to be run one size at
// a time for that figure.
func BenchmarkBuildGrowth(b *testing.B) {
	sizes := []int{100_000, 300_000, 1_000_000}
	if os.Getenv("FALLOFF_LONG") != "" {
		sizes = append(sizes, 3_000_000, 5_000_000, 10_000_000)
	}
	for _, appointments := range sizes {
		b.Run(fmt.Sprintf("appointments=%d", appointments), func(b *testing.B) {
			in := syntheticClinic(b, appointments)
			in.MemoryLimit = os.Getenv("FALLOFF_MEMORY_LIMIT")
			for b.Loop() {
				if _, err := Build(b.Context(), in); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/build")
			b.ReportMetric(peakMemory(b)/(1<<20), "peak-MiB")
		})
	}
}

// peakMemory is the most memory that this process has had so far, in bytes; 0 where the system does not tell.
func peakMemory(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var kilobytes float64
			if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
				b.Fatal(err)
			}
			return kilobytes * 1024
		}
	}
	return 0
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
		depends := ""
		for _, name := range m.Reads {
			if read, isModel := project.Model(name); isModel {
				depends += "-- depends_on: {{ ref('" + unique(read) + "') }}\n"
			}
		}
		write("models/"+string(m.Layer)+"/"+unique(m)+".sql", depends+"{{ config(schema='"+string(m.Layer)+"', alias='"+m.table+"') }}\n"+m.Text)
	}
	statements := []string{"set TimeZone = 'UTC'", "create schema if not exists lake", "create schema if not exists settings", "create schema if not exists closed"}
	for _, m := range project.macros {
		statements = append(statements, m.text)
	}
	for schema, tables := range map[string][]settingsTable{"settings": settingsTables(in), closedSchema: closedTables(in)} {
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
	tables := statements[4+len(project.macros):]
	slices.Sort(tables) // `create` comes before `insert`
	var hooks strings.Builder
	for _, statement := range statements {
		hooks.WriteString("  - " + fmt.Sprintf("%q", "{% raw %}"+strings.TrimRight(strings.TrimSpace(statement), ";")+"{% endraw %}") + "\n")
	}
	write("dbt_project.yml", "name: falloff_bench\nversion: '1.0'\nprofile: falloff_bench\nmodel-paths: [models]\nmacro-paths: [macros]\nmodels:\n  +materialized: table\non-run-start:\n"+hooks.String())
	write("profiles.yml", "falloff_bench:\n  target: bench\n  outputs:\n    bench:\n      type: duckdb\n      path: "+filepath.Join(dir, "bench.duckdb")+"\n      threads: 2\n")
	write("macros/schema.sql", "{% macro generate_schema_name(custom_schema_name, node) -%}{{ custom_schema_name }}{%- endmacro %}\n")
}
