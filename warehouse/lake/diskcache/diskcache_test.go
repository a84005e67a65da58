package diskcache_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"

	"github.com/falloff-analytics/falloff/warehouse/lake/diskcache"
)

func seal(tb testing.TB, key byte) diskcache.Sealer {
	tb.Helper()
	s, err := subtle.NewAESGCM(bytes.Repeat([]byte{key}, 32))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// a clock that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func open(tb testing.TB, folder string, limit int64, now func() time.Time) *diskcache.Cache {
	tb.Helper()
	c := diskcache.New(folder, limit, now)
	if err := c.Make(); err != nil {
		tb.Fatal(err)
	}
	return c
}

// content is bytes that a name stands for, of 1 to 4 kB.
func content(n int) (name string, body []byte) {
	body = bytes.Repeat(fmt.Appendf(nil, "row %09d of a canary; ", n), 50+n%130)
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), body
}

// files are the entries of a cache and their bytes, and what is half-written.
func files(tb testing.TB, folder string) (entries []string, total int64, unfinished int) {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "clinic=*", "*"))
	if err != nil {
		tb.Fatal(err)
	}
	hidden, err := filepath.Glob(filepath.Join(folder, "clinic=*", ".new-*"))
	if err != nil {
		tb.Fatal(err)
	}
	for _, p := range paths {
		if strings.HasPrefix(filepath.Base(p), ".") {
			continue
		}
		st, err := os.Stat(p)
		if err != nil {
			tb.Fatal(err)
		}
		entries, total = append(entries, p), total+st.Size()
	}
	return entries, total, len(hidden)
}

func TestWhatWasPutIsGot(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "made")
	part := open(t, folder, 1<<20, time.Now).For("a", seal(t, 1))
	name, body := content(7)
	if got := part.Get(name); got != nil {
		t.Fatalf("it has %d bytes of nothing", len(got))
	}
	part.Put(name, body)
	part.Put(name, body)
	// As another process would.
	again := open(t, folder, 1<<20, time.Now).For("a", seal(t, 1))
	if got := again.Get(name); !bytes.Equal(got, body) {
		t.Errorf("%d bytes of %d", len(got), len(body))
	}
	entries, _, _ := files(t, folder)
	if len(entries) != 1 {
		t.Fatalf("%v", entries)
	}
	for _, at := range []string{folder, filepath.Dir(entries[0]), entries[0]} {
		if st, err := os.Stat(at); err != nil || st.Mode().Perm()&0o077 != 0 {
			t.Errorf("others may read %s: %v, %v", at, st.Mode(), err)
		}
	}
	if stored, err := os.ReadFile(entries[0]); err != nil || bytes.Contains(stored, []byte("canary")) {
		t.Errorf("it lies there as it is, %v", err)
	}
}

// An entry that was changed, cut, moved to another name or clinic, or sealed under another key is no entry, and is removed.
func TestADamagedEntryIsDropped(t *testing.T) {
	otherName, otherBody := content(8)
	for what, damage := range map[string]func(t *testing.T, path string, cache *diskcache.Cache) *diskcache.Part{
		"a flipped bit": func(t *testing.T, path string, cache *diskcache.Cache) *diskcache.Part {
			rewrite(t, path, func(b []byte) []byte { b[len(b)/2] ^= 4; return b })
			return cache.For("a", seal(t, 1))
		},
		"the end cut off": func(t *testing.T, path string, cache *diskcache.Cache) *diskcache.Part {
			rewrite(t, path, func(b []byte) []byte { return b[:len(b)-1] })
			return cache.For("a", seal(t, 1))
		},
		"nothing left": func(t *testing.T, path string, cache *diskcache.Cache) *diskcache.Part {
			rewrite(t, path, func([]byte) []byte { return nil })
			return cache.For("a", seal(t, 1))
		},
		"another entry": func(t *testing.T, path string, cache *diskcache.Cache) *diskcache.Part {
			part := cache.For("a", seal(t, 1))
			part.Put(otherName, otherBody)
			if err := os.Rename(filepath.Join(filepath.Dir(path), otherName), path); err != nil {
				t.Fatal(err)
			}
			return part
		},
		"another key": func(t *testing.T, _ string, cache *diskcache.Cache) *diskcache.Part {
			return cache.For("a", seal(t, 2))
		},
	} {
		t.Run(what, func(t *testing.T) {
			folder := t.TempDir()
			cache := open(t, folder, 1<<20, time.Now)
			name, body := content(7)
			cache.For("a", seal(t, 1)).Put(name, body)
			part := damage(t, filepath.Join(folder, "clinic=a", name), cache)
			if got := part.Get(name); got != nil {
				t.Fatalf("it gave %d bytes", len(got))
			}
			if entries, _, _ := files(t, folder); len(entries) != 0 {
				t.Errorf("%v are left", entries)
			}
			part.Put(name, body)
			if got := part.Get(name); !bytes.Equal(got, body) {
				t.Error("what was put in its place is not got")
			}
		})
	}
}

func rewrite(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheOneNotReadForLongestGoesFirst(t *testing.T) {
	folder, at := t.TempDir(), &clock{at: time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)}
	cache := open(t, folder, 20_000, at.now)
	parts := map[string]*diskcache.Part{"a": cache.For("a", seal(t, 1)), "b": cache.For("b", seal(t, 2))}
	kept, keptBody := content(0)
	parts["a"].Put(kept, keptBody)
	for n := 1; n < 200; n++ {
		at.pass(2 * time.Minute)
		name, body := content(n)
		parts[[]string{"a", "b"}[n%2]].Put(name, body)
		if got := parts["a"].Get(kept); !bytes.Equal(got, keptBody) {
			t.Fatalf("after %d others, the one that is always read is gone", n)
		}
		if _, total, _ := files(t, folder); total > 20_000 {
			t.Fatalf("after %d there are %d bytes", n, total)
		}
		if got := parts[[]string{"a", "b"}[n%2]].Get(name); !bytes.Equal(got, body) {
			t.Fatalf("the newest, %d, is not there", n)
		}
	}
	early, _ := content(1)
	if got := parts["b"].Get(early); got != nil {
		t.Error("the eldest is still there")
	}
	if entries, _, _ := files(t, folder); len(entries) < 4 {
		t.Errorf("only %d are left", len(entries))
	}
	huge := bytes.Repeat([]byte("x"), 20_001)
	parts["a"].Put("huge", huge)
	if got := parts["a"].Get("huge"); got != nil {
		t.Error("one above the limit was kept")
	}
	if got := parts["a"].Get(kept); got == nil {
		t.Error("and others went for it")
	}
}

func TestAClinicIsForgotten(t *testing.T) {
	folder := t.TempDir()
	cache := open(t, folder, 1<<20, time.Now)
	for n := range 10 {
		name, body := content(n)
		cache.For("a", seal(t, 1)).Put(name, body)
		cache.For("b", seal(t, 1)).Put(name, body)
	}
	live, body := content(3)
	part := cache.For("a", seal(t, 1))
	for _, dry := range []bool{true, false, false} {
		n, size, err := part.Retain(func(name string) bool { return name == live }, dry)
		if want := 9; dry && (n != want || size == 0 || err != nil) {
			t.Errorf("would remove %d, %d bytes, %v", n, size, err)
		}
	}
	if got := part.Get(live); !bytes.Equal(got, body) {
		t.Error("what is live is gone")
	}
	gone, err := cache.Forget("a")
	if err != nil || gone.Entries != 1 || gone.Bytes <= int64(len(body)) {
		t.Errorf("%+v, %v", gone, err)
	}
	if entries, _, _ := files(t, folder); len(entries) != 10 || !strings.Contains(entries[0], "clinic=b") {
		t.Errorf("%v", entries)
	}
	if gone, err := cache.Forget("a"); err != nil || gone.Entries != 0 {
		t.Errorf("%+v, %v", gone, err)
	}
}

// A folder that cannot be written to, and a ledger that says nothing, keep nobody from reading.
func TestNothingRestsOnTheCache(t *testing.T) {
	folder := t.TempDir()
	cache := open(t, folder, 30_000, time.Now)
	part := cache.For("a", seal(t, 1))
	for n := range 40 {
		name, body := content(n)
		part.Put(name, body)
		if err := os.WriteFile(filepath.Join(folder, "bytes"), []byte(strings.Repeat("?", n%25)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, total, _ := files(t, folder); total > 30_000 {
			t.Fatalf("%d bytes", total)
		}
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	name, body := content(1)
	part.Put(name, body)
	if got := part.Get(name); got != nil {
		t.Error("it was kept nowhere")
	}
	if err := diskcache.New(folder, 1, time.Now).Make(); err == nil {
		t.Error("a file was made a folder")
	}
	if diskcache.New(folder, 0, time.Now).Keeps() || (*diskcache.Cache)(nil).Keeps() || !cache.Keeps() {
		t.Error("a cache of no bytes says that it keeps something")
	}
}

// workerEnv makes the test binary a process that uses a cache: folder, limit and seed.
const workerEnv = "FALLOFF_TEST_CACHE"

func TestMain(m *testing.M) {
	if work := os.Getenv(workerEnv); work != "" {
		os.Exit(worker(strings.Fields(work)))
	}
	os.Exit(m.Run())
}

// worker reads some of 400 contents many times over, and puts what is missing; what it gets must be what was put.
func worker(args []string) int {
	limit, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return 2
	}
	seed, err := strconv.ParseUint(args[2], 10, 64)
	if err != nil {
		return 2
	}
	cache := diskcache.New(args[0], limit, time.Now)
	s, err := subtle.NewAESGCM(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		return 2
	}
	part := cache.For("a", s)
	r := rand.New(rand.NewPCG(seed, 1))
	fmt.Println("began")
	hits := 0
	for range 600 {
		name, body := content(int(r.ExpFloat64()*40) % 400)
		got := part.Get(name)
		switch {
		case got == nil:
			part.Put(name, body)
		case !bytes.Equal(got, body):
			fmt.Println("another content came back")
			return 1
		default:
			hits++
		}
		if r.IntN(100) == 0 {
			part.Drop(name)
		}
	}
	fmt.Printf("hits: %d\n", hits)
	return 0
}

// Processes that share a folder never get half of an entry or another's, and together stay within the limit, one being killed
// among them.
func TestSeveralProcesses(t *testing.T) {
	const limit = 100_000
	folder := t.TempDir()
	process := func(seed int) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d", workerEnv, folder, limit, seed))
		return cmd
	}
	for round := range 3 {
		victim := process(100 + round)
		said, err := victim.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := said.Read(make([]byte, 1)); err != nil { // it is at work
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for n := range 3 {
			wg.Go(func() {
				if out, err := process(10*round + n).CombinedOutput(); err != nil || !strings.Contains(string(out), "hits: ") || strings.Contains(string(out), "hits: 0\n") {
					t.Errorf("process %d: %v, %s", n, err, out)
				}
			})
		}
		if err := victim.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = victim.Wait() // it was killed
		wg.Wait()
		if entries, total, _ := files(t, folder); total > limit || len(entries) < 20 {
			t.Fatalf("%d entries of %d bytes in all, the limit is %d", len(entries), total, limit)
		}
	}
	// What the killed ones left half-written goes once it is old.
	if _, _, unfinished := files(t, folder); unfinished > 3 {
		t.Errorf("%d half-written files, of three killed processes", unfinished)
	}
	late := func() time.Time { return time.Now().Add(2 * time.Hour) }
	part := open(t, folder, limit/2, late).For("a", seal(t, 1))
	name, body := content(1000)
	part.Put(name, body)
	if _, total, unfinished := files(t, folder); unfinished != 0 || total > limit/2 {
		t.Errorf("%d half-written files and %d bytes are left", unfinished, total)
	}
}
