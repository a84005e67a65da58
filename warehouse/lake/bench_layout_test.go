//go:build duckdb_arrow

package lake_test

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/parquet-go/parquet-go"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// candidate is a layout that was thought of.
type candidate struct {
	group     int
	byPatient bool
	bloom     uint // bits a value, 0 for none
}

func (c candidate) String() string {
	order, bloom := "day,key", "no-bloom"
	if c.byPatient {
		order = "patient,time"
	}
	if c.bloom > 0 {
		bloom = fmt.Sprintf("bloom-%d", c.bloom)
	}
	return fmt.Sprintf("%dk,%s,%s", c.group/1000, order, bloom)
}

func (c candidate) write(tb testing.TB, rows []contract.Appointment) []byte {
	tb.Helper()
	sorting := []parquet.SortingColumn{parquet.Ascending("service_date")}
	if c.byPatient {
		sorting = []parquet.SortingColumn{parquet.Ascending("patient"), parquet.Ascending("starts_at")}
	}
	options := []parquet.WriterOption{
		parquet.SchemaOf(contract.Appointment{}), parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(int64(c.group)),
		parquet.SortingWriterConfig(parquet.SortingColumns(sorting...)),
	}
	if c.bloom > 0 {
		options = append(options, parquet.BloomFilters(parquet.SplitBlockFilter(c.bloom, "patient")))
	}
	var body bytes.Buffer
	w := parquet.NewGenericWriter[contract.Appointment](&body, options...)
	if _, err := w.Write(rows); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return body.Bytes()
}

// BenchmarkLayout asks the queries that exist of each layout, over half a year of a clinic with 130,000 appointments a month, so that row groups matter: one
// month by practitioner and state, and one patient over all time. Each figure is the processor's time, the least of several
// runs, so that work beside it says less. `go test ./warehouse/lake -run '^$' -bench Layout -benchtime 1x`
func BenchmarkLayout(b *testing.B) {
	const months = 6
	rows := schedule(months*130_000, months)
	byMonth := map[string][]contract.Appointment{}
	for _, r := range rows {
		byMonth[contract.MonthOf(r.ServiceDate)] = append(byMonth[contract.MonthOf(r.ServiceDate)], r)
	}
	patients := []string{*rows[0].Patient, *rows[200_000].Patient, *rows[90_000].Patient}
	for _, c := range []candidate{
		{122_880, false, 0}, {122_880, false, 10}, {61_440, false, 0}, {20_480, false, 0}, {20_480, false, 10},
		{122_880, true, 0}, {20_480, true, 0}, {20_480, true, 10},
	} {
		b.Run(c.String(), func(b *testing.B) {
			folder := b.TempDir()
			var files []string
			size := 0
			began := processor(b)
			for month, of := range byMonth {
				sorted := slices.Clone(of)
				if c.byPatient {
					slices.SortStableFunc(sorted, func(x, y contract.Appointment) int {
						return cmp.Or(strings.Compare(*x.Patient, *y.Patient), cmp.Compare(x.StartsAt, y.StartsAt))
					})
				}
				body := c.write(b, sorted)
				size += len(body)
				path := filepath.Join(folder, month+".parquet")
				if err := os.WriteFile(path, body, 0o600); err != nil {
					b.Fatal(err)
				}
				files = append(files, "'"+path+"'")
			}
			wrote := processor(b) - began
			slices.Sort(files)
			db, err := sql.Open("duckdb", "")
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			db.SetMaxOpenConns(1)
			if _, err := db.ExecContext(b.Context(), "set threads = 1"); err != nil {
				b.Fatal(err)
			}
			month := fmt.Sprintf(`select staff_member, state, count(*), count(distinct patient), sum(epoch(ends_at - starts_at)) from read_parquet(%s) group by all order by all`, files[3])
			var ofMonth, ofPatient time.Duration
			for b.Loop() {
				ofMonth = best(b, db, 7, month)
				for _, patient := range patients {
					ofPatient += best(b, db, 7, fmt.Sprintf(`select service_date, state, treatment, staff_member from read_parquet([%s]) where patient = '%s' order by starts_at`, strings.Join(files, ","), patient))
				}
			}
			b.ReportMetric(float64(size)/float64(len(rows)), "B/row")
			b.ReportMetric(float64(len(rows))/wrote.Seconds(), "rows/cpu-s")
			b.ReportMetric(float64(ofMonth.Microseconds())/1000, "cpu-ms/month")
			b.ReportMetric(float64(ofPatient.Microseconds())/3000/float64(b.N), "cpu-ms/patient")
		})
	}
}

// processor is the time that this process has used of the processor.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// best is the least that a query uses of the processor, of several times.
func best(b *testing.B, db *sql.DB, times int, query string) time.Duration {
	b.Helper()
	shortest := time.Hour
	for range times {
		began := processor(b)
		rows, err := db.QueryContext(context.Background(), query)
		if err != nil {
			b.Fatal(err)
		}
		for rows.Next() {
		}
		if err := errorsOf(rows); err != nil {
			b.Fatal(err)
		}
		shortest = min(shortest, processor(b)-began)
	}
	return shortest
}

func errorsOf(rows *sql.Rows) error {
	err := rows.Err()
	if closed := rows.Close(); err == nil {
		err = closed
	}
	return err
}
