package pipeline_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2" // the alternative that imports are measured beside

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/simclinic"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// BenchmarkImport takes appointments and sales from CSV bytes to a commit of Parquet: parsed, checked, pseudonymised, merged,
// sorted, and durable. DuckDB beside it copies the same files to Parquet as they are, names and all, on one thread: what
// reading and writing alone cost. A lake on this machine is encrypted unless it is declared otherwise; one in a bucket is not by us.
func BenchmarkImport(b *testing.B) {
	dials := simclinic.DefaultDials()
	dials.Patients = 6000
	clinic, err := simclinic.New(dials)
	if err != nil {
		b.Fatal(err)
	}
	typed, err := settings.Parse(clinic.SettingsYAML(), "clinic.yaml")
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	if err := clinic.Export(context.Background(), filepath.Join(dir, "exports"), filepath.Join(dir, "truth.csv"), "csv"); err != nil {
		b.Fatal(err)
	}
	var reports handed
	var paths []string
	rows := 0
	for _, report := range []string{"appointments", "sales"} {
		found, err := filepath.Glob(filepath.Join(dir, "exports", "*_"+report+"_*.csv"))
		if err != nil || len(found) == 0 {
			b.Fatalf("no %s report was exported (%v)", report, err)
		}
		for _, path := range found {
			body, err := os.ReadFile(path)
			if err != nil {
				b.Fatal(err)
			}
			reports = append(reports, extractors.Report{Name: filepath.Base(path), Body: body, StatedRows: -1})
			paths = append(paths, path)
		}
	}
	land := func(b *testing.B, unencrypted bool) {
		spent := cpuSeconds()
		for i := range b.N {
			at := filepath.Join(b.TempDir(), fmt.Sprint(i))
			site, err := pipeline.OpenSite(b.Context(), pipeline.SiteOptions{Lake: filepath.Join(at, "lake"), Clinic: "bench", ConfigDir: filepath.Join(at, "config"), Unencrypted: unencrypted})
			if err != nil {
				b.Fatal(err)
			}
			in, err := site.Ingest(b.Context(), reports, pipeline.IngestOptions{Source: "bench", Settings: &typed})
			if err != nil {
				b.Fatal(err)
			}
			rows = 0
			for _, f := range in.Files {
				rows += f.Rows
			}
		}
		b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		b.ReportMetric(float64(rows)*float64(b.N)/(cpuSeconds()-spent), "rows/cpu-s")
	}
	b.Run("falloff", func(b *testing.B) { land(b, false) })
	b.Run("falloff-unencrypted", func(b *testing.B) { land(b, true) })
	b.Run("DuckDB-COPY", func(b *testing.B) {
		db, err := sql.Open("duckdb", "")
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		if _, err := db.Exec("set threads = 1"); err != nil {
			b.Fatal(err)
		}
		spent := cpuSeconds()
		for b.Loop() {
			for i, path := range paths {
				copying := fmt.Sprintf("copy (from read_csv('%s', all_varchar = true, null_padding = true)) to '%s' (format parquet, compression zstd)",
					path, filepath.Join(b.TempDir(), fmt.Sprintf("%d.parquet", i)))
				if _, err := db.Exec(copying); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		b.ReportMetric(float64(rows)*float64(b.N)/(cpuSeconds()-spent), "rows/cpu-s")
	})
}

// cpuSeconds is what all threads of this process have used of the processor, in the kernel too: what "a core" is measured in on a
// machine where others work.
func cpuSeconds() float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}
