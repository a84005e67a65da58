package plugin

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// stream writes one batch as a query server would.
func stream(tb testing.TB, schema *arrow.Schema, fill func(*array.RecordBuilder)) []byte {
	tb.Helper()
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer builder.Release()
	fill(builder)
	batch := builder.NewRecordBatch()
	defer batch.Release()
	var out bytes.Buffer
	writer := ipc.NewWriter(&out, ipc.WithSchema(schema))
	if err := writer.Write(batch); err != nil {
		tb.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func unit(name string) arrow.Metadata { return arrow.NewMetadata([]string{fieldUnit}, []string{name}) }

func TestTimestampsKeepTheirUnit(t *testing.T) {
	at := time.Date(2026, 9, 30, 12, 30, 0, 0, time.UTC)
	for _, u := range []arrow.TimeUnit{arrow.Second, arrow.Millisecond, arrow.Microsecond, arrow.Nanosecond} {
		schema := arrow.NewSchema([]arrow.Field{{Name: "at", Type: &arrow.TimestampType{Unit: u, TimeZone: "UTC"}, Nullable: true}}, nil)
		body := stream(t, schema, func(b *array.RecordBuilder) {
			stamp, err := arrow.TimestampFromTime(at, u)
			if err != nil {
				t.Fatal(err)
			}
			b.Field(0).(*array.TimestampBuilder).Append(stamp)
			b.Field(0).AppendNull()
		})
		frame, _, err := decode(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := frame.Fields[0].ConcreteAt(0); !ok || !got.(time.Time).Equal(at) {
			t.Errorf("%s: %v", u, got)
		}
		if !frame.Fields[0].NilAt(1) {
			t.Errorf("%s: an empty cell is %v", u, frame.Fields[0].At(1))
		}
	}
}

func TestMoneyIsShownInItsCurrency(t *testing.T) {
	for code, want := range map[string]string{
		"CAD": "currency:financial:$", "GBP": "currency:financial:£", "CHF": "currency:financial:CHF\u00a0", "": "none",
	} {
		metadata := arrow.NewMetadata([]string{metaCurrency}, []string{code})
		schema := arrow.NewSchema([]arrow.Field{{Name: "amount_cents", Type: arrow.PrimitiveTypes.Int64, Metadata: unit("cents")}}, &metadata)
		body := stream(t, schema, func(b *array.RecordBuilder) { b.Field(0).(*array.Int64Builder).Append(-123456) })
		frame, _, err := decode(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := frame.Fields[0].ConcreteAt(0); got != -1234.56 {
			t.Errorf("%s: -123456 cents are %v", code, got)
		}
		if got := frame.Fields[0].Config.Unit; got != want {
			t.Errorf("%s: shown as %q, not %q", code, got, want)
		}
	}
}

func TestATypeFromALaterVersionIsSaid(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "share", Type: arrow.PrimitiveTypes.Float32}}, nil)
	body := stream(t, schema, func(b *array.RecordBuilder) { b.Field(0).(*array.Float32Builder).Append(1) })
	if _, _, err := decode(bytes.NewReader(body)); err == nil || !strings.Contains(err.Error(), "share") || !strings.Contains(err.Error(), "update the plugin") {
		t.Errorf("got %v", err)
	}
}

// A stream that broke off on the way must never look like a shorter answer.
func TestAStreamThatBreaksOffIsAnError(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)
	body := stream(t, schema, func(b *array.RecordBuilder) {
		for n := range 100 {
			b.Field(0).(*array.Int64Builder).Append(int64(n))
		}
	})
	for cut := range body {
		if frame, _, err := decode(bytes.NewReader(body[:cut])); err == nil {
			t.Errorf("cut after %d of %d bytes it is an answer of %d rows", cut, len(body), frame.Rows())
		}
	}
}

func TestTooManySeriesAreRefused(t *testing.T) {
	metadata := arrow.NewMetadata([]string{metaSeriesX, metaSeriesName, metaSeriesValue}, []string{"x", "name", "y"})
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "x", Type: arrow.PrimitiveTypes.Int64}, {Name: "name", Type: arrow.PrimitiveTypes.Int64}, {Name: "y", Type: arrow.PrimitiveTypes.Int64},
	}, &metadata)
	for n, ok := range map[int]bool{widest: true, widest + 1: false} {
		body := stream(t, schema, func(b *array.RecordBuilder) {
			for i := range n {
				for field := range 3 {
					b.Field(field).(*array.Int64Builder).Append(int64(i))
				}
			}
		})
		frame, got, err := decode(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := spread(frame, got); (err == nil) != ok {
			t.Errorf("%d series: %v", n, err)
		}
	}
}

// What has no Arrow framing is an error before the Arrow library sees it.
func FuzzCheckFraming(f *testing.F) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)
	whole := stream(f, schema, func(b *array.RecordBuilder) { b.Field(0).(*array.Int64Builder).Append(7) })
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte("<html>")) // as a length this is 1.8 GB
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		if err := checkFraming(body); err == nil && len(body) < 8 {
			t.Errorf("%d bytes are a whole stream", len(body))
		}
	})
}
