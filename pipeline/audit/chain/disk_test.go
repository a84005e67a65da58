package chain_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/audit/chain"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// brokenDisk fails as it is told.
type brokenDisk struct {
	chain.Disk

	full, unsynced *atomic.Bool
	syncs          *atomic.Int64
}

func (d brokenDisk) Write(b []byte) (int, error) {
	if d.full.Load() {
		n, err := d.Disk.Write(b[:len(b)/2])
		return n, errors.Join(err, syscall.ENOSPC)
	}
	return d.Disk.Write(b)
}

func (d brokenDisk) Sync() error {
	if d.syncs != nil {
		d.syncs.Add(1)
	}
	if d.unsynced.Load() {
		return syscall.EIO
	}
	return d.Disk.Sync()
}

// A full disk refuses, and takes again when there is room; a flush that failed ends everything, because nobody knows then what the disk holds.
func TestDiskFaults(t *testing.T) {
	m, store := newMachine(t), &storetest.Memory{}
	o := m.options(store, "desk")
	c := open(t, o)
	flush(t, c)
	var full, unsynced atomic.Bool
	c.OnDisk(func(d chain.Disk) chain.Disk { return brokenDisk{Disk: d, full: &full, unsynced: &unsynced} })
	full.Store(true) // with the first record of a file
	if _, err := c.Append(t.Context(), answered("ada", 1)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("on a full disk: %v", err)
	}
	full.Store(false)
	record(t, c, "ada", 2, 3)
	full.Store(true)
	for range 3 {
		if _, err := c.Append(t.Context(), answered("ada", 4)); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("on a full disk: %v", err)
		}
	}
	flush(t, c)
	full.Store(false)
	record(t, c, "ada", 5)
	unsynced.Store(true)
	if _, err := c.Append(t.Context(), answered("ada", 6)); !errors.Is(err, syscall.EIO) {
		t.Errorf("a flush that fails: %v", err)
	}
	unsynced.Store(false)
	if _, err := c.Append(t.Context(), answered("ada", 7)); !errors.Is(err, chain.ErrStopped) || !errors.Is(c.Health().Refusing, chain.ErrStopped) {
		t.Errorf("after a flush that failed: %v", err)
	}
	if err := c.Close(t.Context()); !errors.Is(err, chain.ErrStopped) {
		t.Errorf("closing it: %v", err)
	}
	closed(t, open(t, o))
	verified(t, store, chain.Known{})
	// The sixth was promised to nobody, and may be there.
	if got := rows(search(t, store, audit.Filter{})); !slices.Equal(got, []int{2, 3, 5, 6}) && !slices.Equal(got, []int{2, 3, 5}) {
		t.Errorf("%v", got)
	}
}

// Whatever becomes of the end of the file, what is left of it is taken up and the rest is said to be lost; what is not at the end
// is not taken for it.
func TestDamagedFiles(t *testing.T) {
	m := newMachine(t)
	fresh := func(t *testing.T) (o chain.Options, path string, body []byte) {
		t.Helper()
		m.dir = t.TempDir()
		o = m.options(&storetest.Memory{}, "desk")
		c := open(t, o)
		flush(t, c)
		record(t, c, "ada", 1, 2, 3)
		killed(t, m, c)
		files, err := filepath.Glob(filepath.Join(m.waiting("desk"), "*.wal"))
		if err != nil || len(files) != 1 {
			t.Fatal(files, err)
		}
		if body, err = os.ReadFile(files[0]); err != nil {
			t.Fatal(err)
		}
		return o, files[0], body
	}
	write := func(path string, body []byte) {
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, _, whole := fresh(t)
	frame := len(whole) / 3
	step := 151
	if os.Getenv("FALLOFF_LONG") != "" {
		step = 7
	}
	for at := 0; at < len(whole); at += step {
		for what, damage := range map[string]func(b []byte) []byte{
			"cut":           func(b []byte) []byte { return b[:at] },
			"a bit flipped": func(b []byte) []byte { b[at] ^= 4; return b },
			"zeros from on": func(b []byte) []byte { clear(b[at:]); return b },
			"a frame moved": func(b []byte) []byte { return slices.Concat(b[frame:2*frame], b[:frame], b[2*frame:]) },
		} {
			o, path, body := fresh(t)
			write(path, damage(bytes.Clone(body)))
			closed(t, open(t, o))
			v, err := chain.Verify(t.Context(), o.Store, chain.Known{})
			if !errors.Is(err, audit.ErrTampered) || len(v.Chains[0].Gaps) != 1 || v.Chains[0].Gaps[0].Lost < 1 {
				t.Errorf("%s at byte %d: %+v, %v", what, at, v.Chains, err)
			}
			if got := rows(search(t, o.Store, audit.Filter{})); !slices.Equal(got, []int{1, 2, 3}[:len(got)]) || len(got) != 3-int(v.Chains[0].Gaps[0].Lost) {
				t.Errorf("%s at byte %d: found %v", what, at, got)
			}
		}
	}
	// Garbage behind what was promised is what a power cut leaves.
	o, path, body := fresh(t)
	write(path, append(body, 0, 0, 1, 0, 7, 7, 7))
	closed(t, open(t, o))
	if v := verified(t, o.Store, chain.Known{}); len(v.Chains[0].Gaps) > 0 || len(rows(search(t, o.Store, audit.Filter{}))) != 3 {
		t.Errorf("%+v", v)
	}
}

// A hole between two files is refused, and named when it is explained by moving the file away.
func TestHoleBetweenFiles(t *testing.T) {
	m, store := newMachine(t), &down{Store: &storetest.Memory{}}
	o := m.options(store, "desk")
	o.SegmentBytes = 1
	c := open(t, o)
	flush(t, c)
	store.set(true)
	record(t, c, "ada", 1, 2, 3)
	killed(t, m, c)
	store.set(false)
	files, err := filepath.Glob(filepath.Join(m.waiting("desk"), "*.wal"))
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	body, err := os.ReadFile(files[1])
	if err != nil {
		t.Fatal(err)
	}
	body[9] ^= 1
	if err := os.WriteFile(files[1], body, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := chain.Open(t.Context(), o); !errors.Is(err, chain.ErrDamaged) {
		t.Errorf("with a damaged file: %v", err)
	}
	if err := os.Remove(files[1]); err != nil {
		t.Fatal(err)
	}
	closed(t, open(t, o))
	if got := rows(search(t, store, audit.Filter{})); !slices.Equal(got, []int{1, 3}) {
		t.Errorf("%v", got)
	}
	v, err := chain.Verify(t.Context(), store, chain.Known{})
	if !errors.Is(err, audit.ErrTampered) || !strings.HasSuffix(err.Error(), "record 3 is missing") {
		t.Errorf("%+v, %v", v, err)
	}
	if v := verified(t, store, chain.Known{Explained: []string{"desk/4"}}); !slices.Equal(v.Chains[0].Gaps, []chain.Gap{{Server: "desk", Record: 4, Lost: 1, Explained: true}}) {
		t.Errorf("%+v", v)
	}
}

// Nothing that lies on this machine between can be read there, nor is it any other server's.
func TestWhatWaitsIsSealed(t *testing.T) {
	m, store := newMachine(t), &storetest.Memory{}
	c := open(t, m.options(store, "desk"))
	record(t, c, "wilhelmina.quux", 1, 2)
	if err := filepath.WalkDir(m.dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasSuffix(path, "vault.json.lock") {
			return err
		}
		body, err := os.ReadFile(path)
		if bytes.Contains(body, []byte("quux")) || bytes.Contains(body, []byte("revenue_leaks")) {
			t.Errorf("%s can be read", path)
		}
		if info, failed := e.Info(); failed != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), failed)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	killed(t, m, c)
	if err := os.Rename(m.waiting("desk"), m.waiting("annex")); err != nil {
		t.Fatal(err)
	}
	closed(t, open(t, m.options(store, "annex")))
	if got := rows(search(t, store, audit.Filter{})); len(got) > 0 {
		t.Errorf("another server took up %v", got)
	}
}

// One flush to the disk is for everybody who waits for it.
func BenchmarkAppend(b *testing.B) {
	for name, appenders := range map[string]int{"32 appenders": 32, "one flush a record": 1} {
		b.Run(name, func(b *testing.B) {
			m, store := newMachine(b), &storetest.Memory{}
			o := m.options(store, "desk")
			o.Backlog = 1 << 40
			c := open(b, o)
			flush(b, c)
			var syncs atomic.Int64
			c.OnDisk(func(d chain.Disk) chain.Disk {
				return brokenDisk{Disk: d, full: new(atomic.Bool), unsynced: new(atomic.Bool), syncs: &syncs}
			})
			b.ResetTimer()
			var next atomic.Int64
			var wait sync.WaitGroup
			for range appenders {
				wait.Go(func() {
					for next.Add(1) <= int64(b.N) {
						if _, err := c.Append(b.Context(), answered("ada", 1)); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wait.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(b.N)/float64(max(syncs.Load(), 1)), "records/flush")
		})
	}
}
