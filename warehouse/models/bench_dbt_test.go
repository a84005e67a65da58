//go:build dbt

package models

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
