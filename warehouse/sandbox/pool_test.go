package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// TestMain makes the test's own program a worker where it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "sandbox-worker" {
		out, err := Answers()
		if err == nil {
			err = RunWorker(context.Background(), os.Stdin, out, os.Exit)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// clinic is a folder with the tables of the tests as Parquet files.
type clinic struct {
	dir    string
	loaded []TableName
}

func newClinic(t testing.TB) *clinic {
	t.Helper()
	c := &clinic{dir: t.TempDir()}
	db := parserDB(t)
	makeTables(t, db)
	for _, statement := range []string{
		`insert into marts.visits select 'p-' || (i % 40), timestamptz '2026-01-01 09:00:00+00' + to_days(i % 120) + to_hours(i % 9), 1 + i // 40,
			['physio', 'massage', 'chiro'][1 + i % 3], 'pr-' || (i % 7), 5000 + 100 * (i % 50), ['a' || (i % 5), 'b'] from range(400) t(i)`,
		`insert into lake.referrals select 'p-' || i, 'dr-' || (i % 4), date '2025-12-01' + i::int from range(30) t(i)`,
		`insert into marts.payer_money values ('secret', 1)`,
		`copy marts.visits to '` + c.dir + `/visits.parquet'`,
		`copy lake.referrals to '` + c.dir + `/referrals.parquet'`,
		`copy marts.payer_money to '` + c.dir + `/payer_money.parquet'`,
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *clinic) request(text string) Request {
	return Request{
		Clinic: "harbour-street", Snapshot: "1", Visible: "all", SQL: text,
		Tables: []Table{{TableName: TableName{"marts", "visits"}}, {TableName: TableName{"lake", "referrals"}}},
		Load: func(_ context.Context, tables []TableName) (Files, error) {
			c.loaded = append(c.loaded, tables...)
			files := Files{Paths: map[string][]string{}}
			for _, table := range tables {
				files.Paths[table.String()] = []string{filepath.Join(c.dir, table.Name+".parquet")}
			}
			return files, nil
		},
	}
}

func newPool(t testing.TB, options Options) *Pool {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	options.Command = []string{self, "sandbox-worker"}
	p, err := NewPool(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// rows are the rows of an answer as text.
func rows(t testing.TB, answer *Answer) (schema *arrow.Schema, out [][]string) {
	t.Helper()
	reader, err := ipc.NewReader(bytes.NewReader(answer.IPC))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Release()
	for reader.Next() {
		batch := reader.RecordBatch()
		for i := range int(batch.NumRows()) {
			row := make([]string, batch.NumCols())
			for j, column := range batch.Columns() {
				row[j] = column.ValueStr(i)
			}
			out = append(out, row)
		}
	}
	if err := reader.Err(); err != nil {
		t.Fatal(err)
	}
	return reader.Schema(), out
}

func code(err error) Code {
	refusal, ok := errors.AsType[*Error](err)
	if !ok {
		return ""
	}
	return refusal.Code()
}

func TestAWorkerAnswers(t *testing.T) {
	c, p := newClinic(t), newPool(t, Options{})
	request := c.request("select discipline, count(*) as n, sum(fee_cents) as fees, max(visited_at)::date as last, true as yes from visits group by all order by 1")
	request.Metadata = map[string]string{"falloff.clinic": "harbour-street"}
	answer, err := p.Query(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	schema, got := rows(t, answer)
	if value, _ := schema.Metadata().GetValue("falloff.clinic"); value != "harbour-street" {
		t.Errorf("metadata: %v", schema.Metadata())
	}
	var types []string
	for _, field := range schema.Fields() {
		types = append(types, field.Type.String())
	}
	if want := []string{"utf8", "int64", "float64", "timestamp[us, tz=UTC]", "bool"}; !slices.Equal(types, want) {
		t.Errorf("types %v, want %v", types, want)
	}
	if len(got) != 3 || got[0][0] != "chiro" || got[0][1] != "133" || got[2][1] != "134" || answer.Rows != 3 {
		t.Errorf("rows %v", got)
	}
	if !slices.Equal(answer.Reads, []TableName{{"marts", "visits"}}) {
		t.Errorf("it says that it read %v", answer.Reads)
	}
	if stats := p.Stats(); stats.Workers != 1 || stats.Answered != 1 || stats.Started != 2 {
		t.Errorf("%+v", stats)
	}
}

func TestAnOrderStays(t *testing.T) {
	c, p := newClinic(t), newPool(t, Options{})
	answer, err := p.Query(t.Context(), c.request("select 50000 - range as n from range(50000) order by n"))
	if err != nil {
		t.Fatal(err)
	}
	_, got := rows(t, answer)
	if len(got) != 50_000 {
		t.Fatalf("%d rows", len(got))
	}
	for i, row := range got {
		if row[0] != fmt.Sprint(i+1) {
			t.Fatalf("row %d is %s", i, row[0])
		}
	}
}

func TestWhatIsRefusedOpensNoFile(t *testing.T) {
	c, p := newClinic(t), newPool(t, Options{})
	if _, err := p.Query(t.Context(), c.request("select * from marts.payer_money")); code(err) != NotAllowed {
		t.Errorf("%v", err)
	}
	if len(c.loaded) > 0 {
		t.Errorf("it opened %v", c.loaded)
	}
	if stats := p.Stats(); stats.Workers != 0 || stats.Refused[NotAllowed] != 1 {
		t.Errorf("%+v", stats)
	}
}

func TestOnlyWhatIsVisibleIsInTheWorker(t *testing.T) {
	c, p := newClinic(t), newPool(t, Options{})
	request := c.request("from visits")
	request.Visible = "pr-1"
	request.Tables = []Table{{
		TableName: TableName{"marts", "visits"}, Columns: []string{"patient", "practitioner"},
		Only: []Only{{Column: "practitioner", Values: []string{"pr-1", "it's"}}},
	}}
	answer, err := p.Query(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	schema, got := rows(t, answer)
	if schema.NumFields() != 2 || len(got) != 57 {
		t.Errorf("%d columns, %d rows", schema.NumFields(), len(got))
	}
	for _, row := range got {
		if row[1] != "pr-1" {
			t.Errorf("somebody else's: %v", row)
		}
	}
	request.Visible, request.Tables[0].Only[0].Values = "nobody", nil
	if answer, err = p.Query(t.Context(), request); err != nil || answer.Rows != 0 {
		t.Errorf("of nobody: %v %v", answer, err)
	}
}

func TestTablesAreLoadedWhenTheyAreAsked(t *testing.T) {
	c, p := newClinic(t), newPool(t, Options{})
	for _, text := range []string{"select count(*) from visits", "select max(visit_number) from visits", "select count(*) from referrals", "select count(*) from visits"} {
		if _, err := p.Query(t.Context(), c.request(text)); err != nil {
			t.Fatal(err)
		}
	}
	// The second worker holds what the first one did too.
	want := []TableName{{"marts", "visits"}, {"lake", "referrals"}, {"marts", "visits"}}
	if !slices.Equal(c.loaded, want) {
		t.Errorf("it loaded %v, want %v", c.loaded, want)
	}
}

func TestLimits(t *testing.T) {
	c, p := newClinic(t), newPool(t, Options{Limits: Limits{Rows: 500, Bytes: 1 << 20}, MemoryMB: 300, Grace: 200 * time.Millisecond})
	for _, limit := range []struct {
		name, text string
		code       Code
		says       string
	}{
		{"rows", "select * from visits, range(10)", TooLarge, "500 rows"},
		{"bytes", "select string_agg(md5((a.range * 400 + b.range)::varchar), '') from range(400) a, range(400) b group by a.range", TooLarge, "bytes"},
		{"time", "select count(*) from visits a, visits b, visits c, visits d", TooSlow, "stopped after 1s"},
		{"time in a scalar", heavy, TooSlow, "stopped after 1s"},
		{"memory", "select list(repeat('x', 1000) || i::varchar) from range(1000000) t(i)", TooMuchMemory, "too much memory"},
		{"a column that is not there", "select nosuch from visits", Failed, "failed"},
	} {
		t.Run(limit.name, func(t *testing.T) {
			began := time.Now()
			request := c.request(limit.text)
			if limit.code == TooSlow {
				request.Limits.Time = time.Second
			}
			_, err := p.Query(t.Context(), request)
			if code(err) != limit.code || !strings.Contains(err.Error(), limit.says) {
				t.Errorf("it ended after %v with %v (%s)", time.Since(began), err, code(err))
			}
			if _, err := p.Query(t.Context(), c.request("select count(*) from visits")); err != nil {
				t.Errorf("the next statement: %v", err)
			}
		})
	}
}

func TestWhoGivesUpGetsItsWorkerStopped(t *testing.T) {
	c, p := newClinic(t), newPool(t, Options{Grace: 100 * time.Millisecond})
	if _, err := p.Query(t.Context(), c.request("select count(*) from visits")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := p.Query(ctx, c.request(heavy))
	if !errors.Is(err, context.DeadlineExceeded) || code(err) != TooSlow {
		t.Errorf("%v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if _, err := p.Query(ctx, c.request("select 1")); !errors.Is(err, context.Canceled) || code(err) != Cancelled {
		t.Errorf("%v", err)
	}
}
