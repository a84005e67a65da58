//go:build duckdb_arrow

package lake_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// BenchmarkWriteBeside is what one partition costs the processor, from typed rows in order to one file: as the lake writes it, plain
// and encrypted, beside DuckDB's COPY on one thread and arrow-go without encryption, the making of the Arrow record among it. They
// take turns, and the figure of each is the least of its turns, so that work beside says less.
// `go test ./warehouse/lake -run '^$' -bench WriteBeside -benchtime 5x`
func BenchmarkWriteBeside(b *testing.B) {
	rows := schedule(written, 1)
	clinic := dirClinicEncrypted(b)
	path := filepath.Join(b.TempDir(), "copy.parquet")
	writers := []struct {
		name  string
		write func() (size int, err error)
	}{
		{"plain", func() (int, error) { body, err := lake.EncodeSortedAppointments(rows); return len(body), err }},
		{"duckdb", func() (int, error) {
			record := arrowAppointments(rows)
			defer record.Release()
			copyWithDuckDB(b, record, path)
			at, err := os.Stat(path)
			return int(at.Size()), err
		}},
		{"encrypted", func() (int, error) { body, err := lake.EncryptAppointments(clinic, rows); return len(body), err }},
		{"arrow", func() (int, error) { return arrowUnencrypted(rows) }},
	}
	least, size := make([]time.Duration, len(writers)), make([]int, len(writers))
	for b.Loop() {
		for i, w := range writers {
			began := processor(b)
			n, err := w.write()
			if err != nil {
				b.Fatal(err)
			}
			took := processor(b) - began
			if size[i] = n; least[i] == 0 || took < least[i] {
				least[i] = took
			}
		}
	}
	for i, w := range writers {
		b.ReportMetric(float64(len(rows))/least[i].Seconds(), w.name+"-rows/cpu-s")
		b.ReportMetric(float64(size[i])/float64(len(rows)), w.name+"-B/row")
	}
	b.ReportMetric(float64(least[1])/float64(least[0]), "plain/duckdb")
	b.ReportMetric(float64(least[3])/float64(least[2]), "encrypted/arrow")
}

// arrowUnencrypted is what arrow-go makes of the rows by itself, builders included.
func arrowUnencrypted(rows []contract.Appointment) (size int, err error) {
	record := arrowAppointments(rows)
	defer record.Release()
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(record.Schema(), &out, parquet.NewWriterProperties(
		parquet.WithCompression(compress.Codecs.Zstd), parquet.WithMaxRowGroupLength(122_880)), pqarrow.DefaultWriterProps())
	if err == nil {
		err = w.Write(record)
	}
	if err == nil {
		err = w.Close()
	}
	return out.Len(), err
}
