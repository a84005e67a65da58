package plugin

import (
	"bytes"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// million is an answer of a million rows and eight columns as the query server sends it: in batches as DuckDB makes them, compressed.
func million(b *testing.B) []byte {
	b.Helper()
	field := func(name string, kind arrow.DataType, unit string) arrow.Field {
		return arrow.Field{Name: name, Type: kind, Nullable: true, Metadata: arrow.NewMetadata([]string{fieldTitle, fieldUnit}, []string{name, unit})}
	}
	instant := &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	metadata := arrow.NewMetadata([]string{metaTitle, metaCurrency}, []string{"A million rows", "CAD"})
	schema := arrow.NewSchema([]arrow.Field{
		field("day", instant, ""), field("category", arrow.BinaryTypes.String, ""), field("amount_cents", arrow.PrimitiveTypes.Int64, "cents"),
		field("rows", arrow.PrimitiveTypes.Int64, "count"), field("share", arrow.PrimitiveTypes.Float64, "fraction"),
		field("patient", arrow.BinaryTypes.String, ""), field("is_complete", arrow.FixedWidthTypes.Boolean, ""), field("payer", arrow.BinaryTypes.String, ""),
	}, &metadata)
	var body bytes.Buffer
	writer := ipc.NewWriter(&body, ipc.WithSchema(schema), ipc.WithZstd())
	const rows, batch = 1_000_000, 2048 // DuckDB's vector
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer builder.Release()
	for i := range rows {
		builder.Field(0).(*array.TimestampBuilder).Append(arrow.Timestamp(int64(i%2000) * 86_400_000_000))
		builder.Field(1).(*array.StringBuilder).Append([]string{"visit_not_closed", "claim_rejected", "no_show_fee"}[i%3])
		builder.Field(2).(*array.Int64Builder).Append(int64(2000 + i*7919%18000))
		builder.Field(3).(*array.Int64Builder).Append(int64(i % 5))
		builder.Field(4).(*array.Float64Builder).Append(float64(i%100) / 100)
		builder.Field(5).(*array.StringBuilder).Append(fmt.Sprintf("p1_%d", i*31%20000))
		builder.Field(6).(*array.BooleanBuilder).Append(i%7 > 0)
		if i%2 == 0 {
			builder.Field(7).AppendNull()
		} else {
			builder.Field(7).(*array.StringBuilder).Append("Insurer " + fmt.Sprint(i%9))
		}
		if (i+1)%batch == 0 || i+1 == rows {
			record := builder.NewRecordBatch()
			if err := writer.Write(record); err != nil {
				b.Fatal(err)
			}
			record.Release()
		}
	}
	if err := writer.Close(); err != nil {
		b.Fatal(err)
	}
	return body.Bytes()
}

// processor reports the time of the processor for each operation: on a machine with other work it says more than the clock.
func processor(b *testing.B) func() {
	b.Helper()
	b.ReportAllocs()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	runtime.GC()
	before := used()
	return func() { b.ReportMetric(float64((used()-before).Milliseconds())/float64(b.N), "cpu-ms/op") }
}

// BenchmarkMillionRows compares what the plugin makes of an answer with handing the server's Arrow on as it is: both read the compressed
// stream and end with uncompressed Arrow, which is what Grafana takes.
func BenchmarkMillionRows(b *testing.B) {
	body := million(b)
	b.Run("frames", func(b *testing.B) {
		defer processor(b)()
		for b.Loop() {
			frame, _, err := decode(bytes.NewReader(body))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := frame.MarshalArrow(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("frames_without_sending", func(b *testing.B) {
		defer processor(b)()
		for b.Loop() {
			if _, _, err := decode(bytes.NewReader(body)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("straight_through", func(b *testing.B) {
		defer processor(b)()
		for b.Loop() {
			if err := through(body); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// through reads a stream and writes it again, uncompressed, into memory.
func through(body []byte) error {
	reader, err := ipc.NewReader(bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer reader.Release()
	var out bytes.Buffer
	writer := ipc.NewWriter(&out, ipc.WithSchema(reader.Schema()))
	for reader.Next() {
		if err := writer.Write(reader.RecordBatch()); err != nil {
			return err
		}
	}
	if err := reader.Err(); err != nil {
		return err
	}
	return writer.Close()
}
