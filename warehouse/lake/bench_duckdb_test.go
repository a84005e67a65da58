//go:build duckdb_arrow

package lake_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowmem "github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/duckdb/duckdb-go/v2"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// BenchmarkWriteDuckDB is the alternative to BenchmarkWrite: DuckDB's COPY of the same rows on one thread, from an Arrow
// record to a file in the temporary folder, without and with the making of the record.
func BenchmarkWriteDuckDB(b *testing.B) {
	rows := schedule(written, 1)
	b.Run("copy", func(b *testing.B) {
		record := arrowAppointments(rows)
		defer record.Release()
		path := filepath.Join(b.TempDir(), "copy.parquet")
		b.ResetTimer()
		for range b.N {
			copyWithDuckDB(b, record, path)
		}
		b.StopTimer()
		st, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		perSecond(b, int(st.Size()))
	})
	b.Run("copy-with-arrow", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "copy.parquet")
		for range b.N {
			record := arrowAppointments(rows)
			copyWithDuckDB(b, record, path)
			record.Release()
		}
		perSecond(b, 0)
	})
}

func copyWithDuckDB(b *testing.B, record arrow.RecordBatch, path string) {
	b.Helper()
	ctx := context.Background()
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		b.Fatal(err)
	}
	defer connector.Close()
	conn, err := connector.Connect(ctx)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	ar, err := duckdb.NewArrowFromConn(conn)
	if err != nil {
		b.Fatal(err)
	}
	reader, err := array.NewRecordReader(record.Schema(), []arrow.RecordBatch{record})
	if err != nil {
		b.Fatal(err)
	}
	defer reader.Release()
	release, err := ar.RegisterView(reader, "rows")
	if err != nil {
		b.Fatal(err)
	}
	defer release()
	for _, statement := range []string{"set threads to 1", "copy rows to '" + path + "' (format parquet, compression zstd)"} {
		r, err := ar.QueryContext(ctx, statement)
		if err != nil {
			b.Fatal(err)
		}
		for r.Next() {
		}
		if err := r.Err(); err != nil {
			b.Fatal(err)
		}
		r.Release()
	}
}

func arrowAppointments(rows []contract.Appointment) arrow.RecordBatch {
	text, number, yes := arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64, arrow.FixedWidthTypes.Boolean
	day, instant := arrow.FixedWidthTypes.Date32, &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	names := []string{"appointment_id", "seat", "patient", "location", "staff_member", "treatment", "state", "service_date", "starts_at", "ends_at",
		"time_zone", "first_visit", "booked_at", "arrived_at", "cancelled_at", "booked_online", "cancelled_reason", "observed_on"}
	types := []arrow.DataType{number, arrow.PrimitiveTypes.Int32, text, text, text, text, text, day, instant, instant,
		text, yes, instant, instant, instant, yes, text, day}
	fields := make([]arrow.Field, len(names))
	for i := range names {
		fields[i] = arrow.Field{Name: names[i], Type: types[i], Nullable: true}
	}
	rb := array.NewRecordBuilder(arrowmem.DefaultAllocator, arrow.NewSchema(fields, nil))
	defer rb.Release()
	texts := func(i int, v *string) {
		if v == nil {
			rb.Field(i).AppendNull()
		} else {
			rb.Field(i).(*array.StringBuilder).Append(*v)
		}
	}
	instants := func(i int, v *int64) {
		if v == nil {
			rb.Field(i).AppendNull()
		} else {
			rb.Field(i).(*array.TimestampBuilder).Append(arrow.Timestamp(*v))
		}
	}
	bools := func(i int, v *bool) {
		if v == nil {
			rb.Field(i).AppendNull()
		} else {
			rb.Field(i).(*array.BooleanBuilder).Append(*v)
		}
	}
	for i := range rows {
		r := &rows[i]
		rb.Field(0).(*array.Int64Builder).Append(r.AppointmentID)
		rb.Field(1).(*array.Int32Builder).Append(r.Seat)
		for n, v := range []*string{r.Patient, &r.Location, &r.StaffMember, &r.Treatment, &r.State} {
			texts(2+n, v)
		}
		rb.Field(7).(*array.Date32Builder).Append(arrow.Date32(r.ServiceDate))
		instants(8, &r.StartsAt)
		instants(9, &r.EndsAt)
		texts(10, &r.TimeZone)
		bools(11, r.FirstVisit)
		instants(12, r.BookedAt)
		instants(13, r.ArrivedAt)
		instants(14, r.CancelledAt)
		bools(15, r.BookedOnline)
		texts(16, r.CancelledReason)
		rb.Field(17).(*array.Date32Builder).Append(arrow.Date32(r.ObservedOn))
	}
	return rb.NewRecordBatch()
}
