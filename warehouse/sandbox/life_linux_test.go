package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/falloff-analytics/falloff/transforms/secret"
	"github.com/falloff-analytics/falloff/warehouse/parquetkeys"
)

// await waits for a condition, as long as a loaded machine may need.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came to be: %s", what)
		}
	}
}

// working gives the process that holds the tables of one visible set.
func working(p *Pool, visible string) *process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.places[placeName{"harbour-street", "1", visible}].worker
}

// heavy takes minutes, little memory, and no notice of being cancelled.
const heavy = "select levenshtein(repeat('ab', 300000), repeat('ba', 300000)) from visits"

func TestADeadWorkerIsReplaced(t *testing.T) {
	c, p := newClinic(t), newPool(t, Options{})
	if _, err := p.Query(t.Context(), c.request("select count(*) from visits")); err != nil {
		t.Fatal(err)
	}
	first := working(p, "all")
	// While it is idle: who asks next does not notice.
	if err := syscall.Kill(first.cmd.Process.Pid, syscall.SIGSEGV); err != nil {
		t.Fatal(err)
	}
	<-first.ended
	if _, err := p.Query(t.Context(), c.request("select count(*) from visits")); err != nil {
		t.Errorf("after its death: %v", err)
	}
	// While it is at work: who asked is told what happened.
	second := working(p, "all")
	for _, death := range []struct {
		signal syscall.Signal
		code   Code
	}{{syscall.SIGABRT, Died}, {syscall.SIGKILL, TooMuchMemory}, {syscall.SIGXCPU, TooSlow}} {
		told, before := make(chan error, 1), ticks(t, second.cmd.Process.Pid)
		go func() {
			_, err := p.Query(t.Context(), c.request(heavy))
			told <- err
		}()
		await(t, "it computes", func() bool { return ticks(t, second.cmd.Process.Pid) > before+10 })
		if err := syscall.Kill(second.cmd.Process.Pid, death.signal); err != nil {
			t.Fatal(err)
		}
		if err := <-told; code(err) != death.code {
			t.Errorf("by %v: %v", death.signal, err)
		}
		if _, err := p.Query(t.Context(), c.request("select count(*) from visits")); err != nil {
			t.Errorf("after its death by %v: %v", death.signal, err)
		}
		second = working(p, "all")
	}
	// The gate's own.
	gate := p.gate.worker
	if err := syscall.Kill(gate.cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-gate.ended
	if _, err := p.Query(t.Context(), c.request("select count(*) from visits")); err != nil {
		t.Errorf("after the gate's death: %v", err)
	}
}

func TestAWorkerEndsWithItsServer(t *testing.T) {
	p := newPool(t, Options{})
	worker, err := p.start(t.Context(), openRequest{MemoryMB: 200, Threads: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() { // nobody waits for what it computes
		_, _ = worker.ask(context.Background(), sayQuery, queryRequest{
			checkRequest: checkRequest{SQL: strings.ReplaceAll(heavy, "from visits", "")}, Rows: 1, Bytes: 1 << 20, Seconds: 600}, time.Hour, nil)
	}()
	await(t, "it computes", func() bool { return ticks(t, worker.cmd.Process.Pid) > 20 })
	worker.in.Close() // as the end of the process whose pipe it is
	<-worker.ended
}

// ticks is how much of the processor's time a process has used, in hundredths of a second.
func ticks(t *testing.T, pid int) (sum int) {
	t.Helper()
	body, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(body[bytes.LastIndexByte(body, ')')+1:]))
	var user, system int
	if _, err := fmt.Sscan(fields[11], &user); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(fields[12], &system); err != nil {
		t.Fatal(err)
	}
	return user + system
}

func TestThereAreNoMoreWorkersThanAllowed(t *testing.T) {
	c, p := newClinic(t), newPool(t, Options{Workers: 2})
	var all sync.WaitGroup
	for i := range 12 {
		request := c.request("select count(*) from referrals")
		request.Visible = fmt.Sprint("set ", i%4)
		request.Load = func(ctx context.Context, tables []TableName) (Files, error) {
			if n := p.Stats().Workers; n > 2 {
				t.Errorf("%d workers", n)
			}
			return Files{Paths: map[string][]string{"lake.referrals": {filepath.Join(c.dir, "referrals.parquet")}}}, nil
		}
		all.Go(func() {
			if _, err := p.Query(t.Context(), request); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := p.Stats().Workers; n > 2 {
		t.Errorf("%d workers in the end", n)
	}
}

func TestWhoFindsAllWorkersAtWorkIsTold(t *testing.T) {
	c, p := newClinic(t), newPool(t, Options{Workers: 1, Limits: Limits{Time: time.Second}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	first := c.request("select count(*) from referrals")
	held := make(chan struct{})
	load := first.Load
	first.Load = func(ctx context.Context, tables []TableName) (Files, error) {
		close(held)
		<-ctx.Done() // as a store that does not answer
		return load(ctx, tables)
	}
	go func() {
		defer close(ended)
		_, _ = p.Query(ctx, first)
	}()
	<-held
	other := c.request("select count(*) from referrals")
	other.Visible = "other"
	if _, err := p.Query(t.Context(), other); code(err) != Busy {
		t.Errorf("another set: %v", err)
	}
	if _, err := p.Query(t.Context(), c.request("select count(*) from referrals")); code(err) != Busy {
		t.Errorf("the same set: %v", err)
	}
	cancel()
	<-ended
	if _, err := p.Query(t.Context(), other); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestIdleWorkersEnd(t *testing.T) {
	c, p := newClinic(t), newPool(t, Options{Idle: 50 * time.Millisecond})
	if _, err := p.Query(t.Context(), c.request("select count(*) from visits")); err != nil {
		t.Fatal(err)
	}
	await(t, "no worker holds tables", func() bool { return p.Stats().Workers == 0 })
	if _, err := p.Query(t.Context(), c.request("select count(*) from visits")); err != nil {
		t.Error(err)
	}
}

func TestAClinicIsForgotten(t *testing.T) {
	c, p := newClinic(t), newPool(t, Options{Grace: 50 * time.Millisecond})
	if _, err := p.Query(t.Context(), c.request("select count(*) from visits")); err != nil {
		t.Fatal(err)
	}
	worker := working(p, "all")
	told, before := make(chan error, 1), ticks(t, worker.cmd.Process.Pid)
	go func() {
		_, err := p.Query(t.Context(), c.request(heavy))
		told <- err
	}()
	await(t, "it computes", func() bool { return ticks(t, worker.cmd.Process.Pid) > before+10 })
	p.Forget("another-clinic")
	if !worker.alive() {
		t.Error("another clinic's worker was ended")
	}
	p.Forget("harbour-street")
	if worker.alive() || p.Stats().Workers != 0 {
		t.Error("the worker lives")
	}
	if err := <-told; code(err) != Cancelled {
		t.Errorf("who had asked was told: %v", err)
	}
}

func TestAPoolThatIsClosedAnswersNothing(t *testing.T) {
	c, p := newClinic(t), newPool(t, Options{})
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Query(t.Context(), c.request("select 1")); err == nil {
		t.Error("it answers")
	}
}

func TestTablesUnderAKeyAreRead(t *testing.T) {
	c, p := newClinic(t), newPool(t, Options{})
	key := secret.FromText("0123456789abcdef0123456789abcdef")
	path := filepath.Join(c.dir, "sealed.parquet")
	var body bytes.Buffer
	schema := arrow.NewSchema([]arrow.Field{{Name: "patient", Type: arrow.BinaryTypes.String}}, nil)
	writer, err := pqarrow.NewFileWriter(schema, &body, parquet.NewWriterProperties(
		parquet.WithDictionaryDefault(false), // as the lake writes them
		parquet.WithEncryptionProperties(parquet.NewFileEncryptionProperties(key.Text()))), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	builder.Field(0).(*array.StringBuilder).AppendValues([]string{"p-1", "p-2"}, nil)
	if err := writer.Write(builder.NewRecordBatch()); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, body.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := &parquetkeys.Keys{}
	keys.Add(path, "k1", key)
	request := c.request("select max(patient) as last, count(*) as n from sealed")
	request.Tables = []Table{{TableName: TableName{"marts", "sealed"}, Only: []Only{{Column: "patient", Values: []string{"p-1"}}}}}
	request.Load = func(context.Context, []TableName) (Files, error) {
		return Files{Paths: map[string][]string{"marts.sealed": {path}}, Keys: keys}, nil
	}
	answer, err := p.Query(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if _, got := rows(t, answer); len(got) != 1 || got[0][0] != "p-1" || got[0][1] != "1" {
		t.Errorf("%v", got)
	}
	if key.Text() != "0123456789abcdef0123456789abcdef" {
		t.Error("the caller's key is gone")
	}
}

func TestWhatASnapshotLacksIsSaid(t *testing.T) {
	c, p := newClinic(t), newPool(t, Options{})
	request := c.request("from visits")
	request.Load = func(context.Context, []TableName) (Files, error) { return Files{}, nil }
	if _, err := p.Query(t.Context(), request); code(err) != Failed || !strings.Contains(err.Error(), "marts.visits") {
		t.Errorf("%v", err)
	}
	request.Load = func(context.Context, []TableName) (Files, error) {
		return Files{Paths: map[string][]string{"marts.visits": {filepath.Join(c.dir, "nosuch")}}}, nil
	}
	if _, err := p.Query(t.Context(), request); err == nil {
		t.Error("a file that is not there was read")
	}
	if n := p.Stats().Workers; n != 0 {
		t.Errorf("%d workers", n)
	}
}

// The worker sees to its own end where nobody else does.
func TestTheProcessorsTimeIsLimited(t *testing.T) {
	p := newPool(t, Options{})
	worker, err := p.start(t.Context(), openRequest{MemoryMB: 200, Threads: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer worker.kill()
	_, err = worker.ask(t.Context(), sayQuery, queryRequest{
		checkRequest: checkRequest{SQL: strings.ReplaceAll(heavy, "from visits", "")}, Rows: 1, Bytes: 1 << 20, Seconds: 0}, time.Hour, nil)
	if code(err) != TooSlow {
		t.Errorf("%v", err)
	}
}
