package chain_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/audit/chain"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// machine is where a server runs: its keys and its two places.
type machine struct {
	dir  string
	keys vault.AuditKeys
}

func newMachine(t testing.TB) machine {
	t.Helper()
	m := machine{dir: t.TempDir()}
	v, err := vault.Open(t.Context(), vault.Options{ConfigDir: filepath.Join(m.dir, "config")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	if m.keys, err = v.AuditKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m machine) waiting(server string) string { return filepath.Join(m.dir, "waiting", server) }
func (m machine) mark(server string) string    { return filepath.Join(m.dir, "marks", server) }

func (m machine) options(store lake.Store, server string) chain.Options {
	return chain.Options{
		Store: store, Server: server, Dir: filepath.Join(m.dir, "waiting"), Mark: m.mark(server),
		Seal: m.keys.Seal, Sign: m.keys.Sign, Public: m.keys.Public,
		// Nothing is sent but when it is asked for, unless a test says so.
		SendAfter: time.Hour, CheckpointEvery: time.Hour,
	}
}

func open(t testing.TB, o chain.Options) *chain.Chain {
	t.Helper()
	c, err := chain.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil && !errors.Is(err, chain.ErrClosed) {
			t.Error(err)
		}
	})
	return c
}

func closed(t testing.TB, c *chain.Chain) {
	t.Helper()
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// killed ends a chain as a power cut would, but for the record that it was closed, which is cut off its file.
func killed(t testing.TB, m machine, c *chain.Chain) {
	t.Helper()
	folder := m.waiting(c.Server())
	before, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int64{}
	for _, e := range before {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		sizes[e.Name()] = info.Size()
	}
	mark, err := os.ReadFile(m.mark(c.Server()))
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_ = c.Close(ended)
	after, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range after {
		path := filepath.Join(folder, e.Name())
		if size, was := sizes[e.Name()]; was {
			err = os.Truncate(path, size)
		} else {
			err = os.Remove(path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(m.mark(c.Server()), mark, 0o600); err != nil {
		t.Fatal(err)
	}
}

func answered(person string, rows int) audit.Entry {
	return audit.Entry{
		Person: person, Address: "192.0.2.7", Action: audit.QueryAnswered, Clinic: "harbour", Entity: "query/revenue_leaks",
		After: audit.Fields{"query": "revenue_leaks", "rows": rows, "snapshot": 12, "cached": false},
	}
}

func record(t testing.TB, c *chain.Chain, person string, rows ...int) {
	t.Helper()
	for _, n := range rows {
		if _, err := c.Append(t.Context(), answered(person, n)); err != nil {
			t.Fatal(err)
		}
	}
}

func flush(t testing.TB, c *chain.Chain) {
	t.Helper()
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func search(t testing.TB, store lake.Store, f audit.Filter) []audit.Record {
	t.Helper()
	records, err := chain.Search(t.Context(), store, f)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func verified(t testing.TB, store lake.Store, known chain.Known) chain.Verified {
	t.Helper()
	v, err := chain.Verify(t.Context(), store, known)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// rows are the numbers that the records of a search are about.
func rows(records []audit.Record) []int {
	out := []int{}
	for _, r := range records {
		if n, ok := r.After["rows"].(float64); ok {
			out = append(out, int(n))
		}
	}
	return out
}

func TestChain(t *testing.T) {
	m, store := newMachine(t), &storetest.Memory{}
	c := open(t, m.options(store, "desk"))
	other := open(t, m.options(store, "annex"))
	record(t, c, "ada@harbour.example", 1, 2, 3)
	record(t, other, "ben", 11)
	if found := search(t, store, audit.Filter{Action: audit.QueryAnswered}); len(found) > 0 {
		t.Errorf("%d records are in the lake that nobody sent", len(found))
	}
	flush(t, c)
	if got := rows(search(t, store, audit.Filter{})); !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("after the flush of one: %v", got)
	}
	record(t, c, "ben", 4)
	closed(t, c)
	closed(t, other)
	v := verified(t, store, chain.Known{})
	if len(v.Chains) != 2 || v.Chains[1].Server != "desk" || v.Chains[1].Records != 6 || v.Chains[1].Segments != 2 ||
		v.Chains[1].Checkpoints != 2 || v.Chains[1].Checkpoint != 6 || v.Chains[1].Key != chain.Fingerprint(m.keys.Public) || v.Log.Records != 2 {
		t.Errorf("%+v", v)
	}
	for what, f := range map[string]audit.Filter{
		"[1 2 3]":      {Person: "ada@harbour.example"},
		"[4 11]":       {Person: "ben", Clinic: "harbour"},
		"[1 2 3 4 11]": {Action: audit.QueryAnswered, Entity: "query/revenue_leaks"},
		"[]":           {Clinic: "hillside"},
	} {
		got := rows(search(t, store, f))
		slices.Sort(got)
		if fmt.Sprint(got) != what {
			t.Errorf("%+v finds %v", f, got)
		}
	}
	if begun := search(t, store, audit.Filter{Action: audit.ChainBegun}); len(begun) != 2 || begun[0].Chain != "" || begun[0].Person != "service/server-desk" {
		t.Errorf("begun: %+v", begun)
	}
	for name := range store.List(t.Context(), "", "") {
		if err := lake.ValidName(name); err != nil {
			t.Error(err)
		}
	}
	if clinics, err := lake.Clinics(t.Context(), store); err != nil || len(clinics) > 0 {
		t.Errorf("the chains look like the clinics %v, %v", clinics, err)
	}
}

// A server that is started again goes on where it ended, in order or not.
func TestGoingOn(t *testing.T) {
	m, store := newMachine(t), &storetest.Memory{}
	o := m.options(store, "desk")
	record(t, open(t, o), "ada", 1) // closed at the end, and refused: another has its name
	if _, err := chain.Open(t.Context(), o); !errors.Is(err, chain.ErrBusy) {
		t.Fatalf("a second process: %v", err)
	}
	states := func() []string {
		var out []string
		for _, r := range search(t, store, audit.Filter{Action: audit.ChainOpened}) {
			out = append(out, fmt.Sprintf("%v after %v", r.After["state"], r.After["follows"]))
		}
		return out
	}
	m = newMachine(t)
	store = &storetest.Memory{}
	o = m.options(store, "desk")
	c := open(t, o)
	record(t, c, "ada", 1)
	closed(t, c) // 1 to 3
	c = open(t, o)
	record(t, c, "ada", 2, 3)
	killed(t, m, c) // 4 to 6, none of them sent
	c = open(t, o)
	flush(t, c) // 7
	record(t, c, "ada", 4)
	killed(t, m, c) // 8
	c = open(t, o)
	closed(t, c)
	if got := rows(search(t, store, audit.Filter{})); !slices.Equal(got, []int{1, 2, 3, 4}) {
		t.Errorf("%v", got)
	}
	if got, want := states(), []string{"new after 0", "closed after 3", "recovered after 6", "recovered after 8"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if v := verified(t, store, chain.Known{}); v.Chains[0].Records != 10 || len(v.Chains[0].Gaps) > 0 {
		t.Errorf("%+v", v)
	}
	left, err := os.ReadDir(m.waiting("desk"))
	if err != nil || len(left) != 1 { // the lock
		t.Errorf("left on this machine: %v, %v", left, err)
	}
}

// What was promised and lost is named, with what is left of the one or the other memory.
func TestLostTail(t *testing.T) {
	wipe := func(t *testing.T, paths ...string) {
		t.Helper()
		for _, p := range paths {
			if err := os.RemoveAll(p); err != nil {
				t.Fatal(err)
			}
		}
	}
	for what, test := range map[string]struct {
		lose  func(t *testing.T, m machine)
		want  string
		gap   chain.Gap
		after []int
	}{
		"the records": {
			func(t *testing.T, m machine) { wipe(t, m.waiting("desk")) },
			"the records 4 to 5 were lost on the server, as it says, before reaching the lake", chain.Gap{Server: "desk", Record: 6, Lost: 2, Said: true}, []int{1, 2, 5},
		},
		"the last frame of them": {
			func(t *testing.T, m machine) {
				files, err := filepath.Glob(filepath.Join(m.waiting("desk"), "*.wal"))
				if err != nil || len(files) != 1 {
					t.Fatal(files, err)
				}
				body, err := os.ReadFile(files[0])
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(files[0], body[:len(body)-1], 0o600); err != nil {
					t.Fatal(err)
				}
			},
			"record 5 was lost on the server, as it says, before reaching the lake", chain.Gap{Server: "desk", Record: 6, Lost: 1, Said: true}, []int{1, 2, 3, 5},
		},
		"all that this machine knew": {
			func(t *testing.T, m machine) { wipe(t, m.waiting("desk"), m.mark("desk")) },
			"the server lost what it knew before record 4", chain.Gap{Server: "desk", Record: 4, Lost: -1, Said: true}, []int{1, 2, 5},
		},
		"the mark alone, which is not needed": {
			func(t *testing.T, m machine) { wipe(t, m.mark("desk")) }, "", chain.Gap{}, []int{1, 2, 3, 4, 5},
		},
	} {
		t.Run(what, func(t *testing.T) {
			m, store := newMachine(t), &storetest.Memory{}
			o := m.options(store, "desk")
			c := open(t, o)
			record(t, c, "ada", 1, 2)
			flush(t, c)
			record(t, c, "ada", 3, 4)
			killed(t, m, c)
			test.lose(t, m)
			c = open(t, o)
			record(t, c, "ada", 5)
			flush(t, c)
			v, err := chain.Verify(t.Context(), store, chain.Known{})
			if got := rows(search(t, store, audit.Filter{})); !slices.Equal(got, test.after) {
				t.Errorf("found %v", got)
			}
			if test.want == "" {
				if err != nil || len(v.Chains[0].Gaps) > 0 {
					t.Errorf("%+v, %v", v, err)
				}
				return
			}
			if !errors.Is(err, audit.ErrTampered) || !strings.Contains(err.Error(), test.want) || strings.Count(err.Error(), "\n") > 0 {
				t.Fatalf("got %v", err)
			}
			if !slices.Equal(v.Chains[0].Gaps, []chain.Gap{test.gap}) {
				t.Errorf("gaps %+v", v.Chains[0].Gaps)
			}
			if v := verified(t, store, chain.Known{Explained: []string{test.gap.Name()}}); !v.Chains[0].Gaps[0].Explained {
				t.Errorf("explained: %+v", v)
			}
		})
	}
}

// Records get into the lake by themselves within the time that was set, and a checkpoint within its time.
func TestSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, store := newMachine(t), &storetest.Memory{}
		o := m.options(store, "desk")
		o.SendAfter, o.CheckpointEvery = 5*time.Second, time.Minute
		c := open(t, o)
		checkpoints := func() int { return len(storetest.Names(t, store, "audit/servers/desk/checkpoints/")) }
		for i, wait := range []time.Duration{0, time.Second, 17 * time.Second} {
			time.Sleep(wait)
			record(t, c, "ada", i)
			time.Sleep(6 * time.Second)
			synctest.Wait()
			if got := rows(search(t, store, audit.Filter{})); len(got) != i+1 {
				t.Errorf("6 seconds after record %d the lake has %v", i, got)
			}
			if n := checkpoints(); n != 1 {
				t.Errorf("%d checkpoints", n)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := checkpoints(); n != 2 {
			t.Errorf("%d checkpoints a minute later", n)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := checkpoints(); n != 2 {
			t.Errorf("%d checkpoints after an hour of nothing", n)
		}
		if h := c.Health(); h.Waiting != 0 || !h.Oldest.IsZero() || h.Refusing != nil || h.Failing != nil || h.Checkpoint != 4 {
			t.Errorf("%+v", h)
		}
		closed(t, c)
		verified(t, store, chain.Known{})
	})
}

// down is a store that cannot be reached for a while.
type down struct {
	lake.Store

	mu   sync.Mutex
	gone bool
}

func (d *down) set(gone bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gone = gone
}

func (d *down) Create(ctx context.Context, name string, body []byte) error {
	d.mu.Lock()
	gone := d.gone
	d.mu.Unlock()
	if gone {
		return &lake.StoreError{Op: "create", Name: name, Store: d.String(), Err: errors.New("connection refused")}
	}
	return d.Store.Create(ctx, name, body)
}

// While the lake cannot be reached records wait, up to the bound; then they are refused, and with them what they were of.
func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, store := newMachine(t), &down{Store: &storetest.Memory{}}
		o := m.options(store, "desk")
		o.SendAfter, o.Backlog, o.SegmentBytes = 5*time.Second, 20_000, 4_000
		c := open(t, o)
		store.set(true)
		kept := 0
		var refused error
		for refused == nil && kept < 1000 {
			if _, refused = c.Append(t.Context(), answered("ada", kept)); refused == nil {
				kept++
			}
		}
		if !errors.Is(refused, chain.ErrBacklog) || kept < 30 || kept > 100 {
			t.Fatalf("after %d records: %v", kept, refused)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if h := c.Health(); h.Waiting < 20_000 || time.Since(h.Oldest) < time.Minute || !errors.Is(h.Refusing, chain.ErrBacklog) ||
			h.Failing == nil || !strings.Contains(h.Failing.Error(), "connection refused") {
			t.Errorf("%+v", h)
		}
		store.set(false)
		time.Sleep(time.Minute)
		record(t, c, "ada", kept)
		closed(t, c)
		if got := rows(search(t, store, audit.Filter{})); len(got) != kept+1 || !slices.IsSorted(got) {
			t.Errorf("%d records, want %d", len(got), kept+1)
		}
		if v := verified(t, store, chain.Known{}); v.Chains[0].Segments < 5 {
			t.Errorf("%+v", v.Chains[0])
		}
	})
}
