package lake_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"

	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/diskcache"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// openCached opens the test clinic as a process does that has a cache in a folder.
func openCached(tb testing.TB, store lake.Store, folder string, options lake.Options) *lake.Clinic {
	tb.Helper()
	seal, err := subtle.NewAESGCM(bytes.Repeat([]byte{9}, 32))
	if err != nil {
		tb.Fatal(err)
	}
	options.NamingKey, options.Now = testKey, noon
	options.Cache = diskcache.New(folder, 1<<30, time.Now).For("harbour-street", seal)
	clinic, err := lake.Open(store, "harbour-street", options)
	if err != nil {
		tb.Fatal(err)
	}
	return clinic
}

// asked is what was read from an S3 server, by the folder of the clinic that it lies in.
type asked struct {
	mu sync.Mutex
	of map[string]int
}

func (a *asked) handle(w http.ResponseWriter, r *http.Request, pass http.Handler) {
	if _, in, found := strings.Cut(r.URL.Path, "clinic=harbour-street/"); found && r.Method == http.MethodGet {
		folder, _, _ := strings.Cut(in, "/")
		a.mu.Lock()
		a.of[folder]++
		a.mu.Unlock()
	}
	pass.ServeHTTP(w, r)
}

// objects is how many objects with content were asked for since the last time.
func (a *asked) objects() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for folder, times := range a.of {
		if folder != "commits" {
			n += times
		}
	}
	a.of = map[string]int{}
	return n
}

const perState = `select state, staff_member, count(*), count(distinct patient), sum(epoch(ends_at - starts_at))::bigint from %s group by all order by all`

// answer asks a clinic's newest commit through DuckDB, and its settings.
func answer(ctx context.Context, clinic *lake.Clinic) (string, error) {
	commit, err := clinic.Head(ctx)
	if err != nil {
		return "", err
	}
	snapshot := clinic.Snapshot(commit)
	local, err := snapshot.Materialise(ctx, lake.Want{})
	if err != nil {
		return "", err
	}
	defer func() { _ = local.Close() }()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	if err := local.Keys.Unlock(ctx, func(ctx context.Context, statement string) error {
		_, err := db.ExecContext(ctx, statement)
		return err
	}); err != nil {
		return "", err
	}
	rows, err := db.QueryContext(ctx, fmt.Sprintf(perState, local.Keys.Scan(local.Datasets["appointments"])))
	if err != nil {
		return "", err
	}
	defer func() { _ = rows.Close() }()
	var out strings.Builder
	for rows.Next() {
		var state, staff string
		var n, patients, seconds int64
		if err := rows.Scan(&state, &staff, &n, &patients, &seconds); err != nil {
			return "", err
		}
		fmt.Fprintln(&out, state, staff, n, patients, seconds)
	}
	if err := rows.Err(); err != nil {
		return "", err
	}
	settings, err := snapshot.Settings(ctx)
	out.Write(settings)
	return out.String(), err
}

// A second query fetches nothing, from the same process or another one, and no object lies on a disk as it is.
func TestASecondQueryFetchesNothing(t *testing.T) {
	config, bucket := storetest.Gateway(t)
	for name, options := range map[string]lake.Options{
		"as it is": {}, "encrypted": {Keys: testKeys(t, dataKey), Encrypt: true},
	} {
		t.Run(name, func(t *testing.T) {
			counted := &asked{of: map[string]int{}}
			through := storetest.Proxy(t, config, counted.handle)
			location := lake.S3Location{Bucket: bucket, Prefix: strings.ReplaceAll(name, " ", "-"), Config: &through}
			store, err := lake.OpenS3(t.Context(), location)
			if err != nil {
				t.Fatal(err)
			}
			cached, temporary := t.TempDir(), t.TempDir()
			t.Setenv("TMPDIR", temporary)
			rows := schedule(20_000, 6)
			writer := openCached(t, store, cached, options)
			if err := run(t.Context(), writer, appointments{Rows: rows}); err != nil {
				t.Fatal(err)
			}
			counted.objects()
			want, err := answer(t.Context(), writer)
			if err != nil || strings.Count(want, "\n") < 40 {
				t.Fatalf("%q, %v", want, err)
			}
			if objects := counted.objects(); objects != 6+1 {
				t.Fatalf("the first query fetched %d objects", objects)
			}
			for _, who := range []string{"this process", "another"} {
				reader := writer
				if who == "another" {
					reader = openCached(t, store, cached, options)
				}
				if got, err := answer(t.Context(), reader); err != nil || got != want {
					t.Errorf("%s: %q, %v", who, got, err)
				}
				if n := counted.objects(); n != 0 {
					t.Errorf("%s fetched %d objects again", who, n)
				}
			}
			// Later data: what did not change is not fetched again.
			changed := slices.Clone(rows[len(rows)-10:])
			for i := range changed {
				changed[i].State, changed[i].ObservedOn = "archived", changed[i].ObservedOn+1
			}
			if err := run(t.Context(), writer, appointments{Rows: changed}); err != nil {
				t.Fatal(err)
			}
			counted.objects()
			if got, err := answer(t.Context(), openCached(t, store, cached, options)); err != nil || !strings.Contains(got, "archived") {
				t.Errorf("%q, %v", got, err)
			}
			if n := counted.objects(); n != 1 {
				t.Errorf("after a change of one month %d objects were fetched", n)
			}
			// Whoever verifies asks the store.
			snapshot := writer.Snapshot(head(t, writer))
			if err := snapshot.Verify(t.Context()); err != nil || counted.objects() < 6 {
				t.Errorf("the cache was verified in the lake's place: %v", err)
			}
			demandNothingPlain(t, store, snapshot, cached, temporary)
		})
	}
}

// demandNothingPlain looks for bytes of a snapshot's objects in all files of some folders.
func demandNothingPlain(t *testing.T, store lake.Store, snapshot *lake.Snapshot, folders ...string) {
	t.Helper()
	known := [][]byte{[]byte("PAR1"), []byte("PARE"), []byte("Practitioner"), []byte("Harbour Street"), []byte("p1_0")}
	for _, o := range snapshot.Objects("appointments") {
		body, err := store.Get(t.Context(), "clinic=harbour-street/"+o.Path)
		if err != nil {
			t.Fatal(err)
		}
		known = append(known, body[:64], body[len(body)/2:len(body)/2+64])
	}
	entries := 0
	for _, folder := range folders {
		if err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			body, err := os.ReadFile(path)
			entries++
			for _, k := range known {
				if bytes.Contains(body, k) {
					t.Errorf("%s holds %q", path, k)
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if entries < 6 {
		t.Errorf("%d files were looked at", entries)
	}
}

// A damaged entry is fetched again, and a damaged object is never kept.
func TestADamagedCacheIsFetchedAgain(t *testing.T) {
	store := &reads{Store: new(storetest.Memory)}
	folder := t.TempDir()
	clinic := openCached(t, store, folder, lake.Options{})
	mustUpsert(t, clinic, appointments{Rows: schedule(300, 3)})
	want, err := answer(t.Context(), clinic)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := filepath.Glob(filepath.Join(folder, "clinic=harbour-street", "*"))
	if err != nil || len(entries) != 3 {
		t.Fatalf("%v, %v", entries, err)
	}
	flip := func(path string) {
		body, err := os.ReadFile(path)
		if err == nil {
			body[len(body)/3] ^= 1
			err = os.WriteFile(path, body, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	flip(entries[1])
	store.names = nil
	if got, err := answer(t.Context(), clinic); err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	if n := store.objects(); n != 1 {
		t.Errorf("%d objects were fetched, one was damaged", n)
	}
	if got, err := answer(t.Context(), clinic); err != nil || got != want || store.objects() != 1 {
		t.Errorf("it was not kept again: %v", err)
	}
	// The store's own damage does not get in.
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	o := clinic.Snapshot(head(t, clinic)).Objects("appointments")[0]
	sound, err := store.Get(t.Context(), "clinic=harbour-street/"+o.Path)
	if err != nil {
		t.Fatal(err)
	}
	bad := slices.Clone(sound)
	bad[len(bad)/3] ^= 1
	replace(t, store, "clinic=harbour-street/"+o.Path, bad)
	if _, err := answer(t.Context(), clinic); !errors.Is(err, lake.ErrDamaged) {
		t.Errorf("%v", err)
	}
	replace(t, store, "clinic=harbour-street/"+o.Path, sound)
	if got, err := answer(t.Context(), clinic); err != nil || got != want {
		t.Errorf("after it was mended: %q, %v", got, err)
	}
}

// reads notes what is read of a store.
type reads struct {
	lake.Store

	mu    sync.Mutex
	names []string
}

func (r *reads) Get(ctx context.Context, name string) ([]byte, error) {
	r.mu.Lock()
	r.names = append(r.names, name)
	r.mu.Unlock()
	return r.Store.Get(ctx, name)
}

func (r *reads) objects() (n int) {
	for _, name := range r.names {
		if strings.Contains(name, "/data/") {
			n++
		}
	}
	return n
}

// What no kept commit names leaves the cache with the lake.
func TestGCClearsTheCache(t *testing.T) {
	store := new(storetest.Memory)
	folder := t.TempDir()
	clinic := openCached(t, store, folder, lake.Options{})
	rows := schedule(300, 3)
	mustUpsert(t, clinic, appointments{Rows: rows})
	if _, err := answer(t.Context(), clinic); err != nil {
		t.Fatal(err)
	}
	rows[0].State, rows[0].ObservedOn = "archived", rows[0].ObservedOn+1
	mustUpsert(t, clinic, appointments{Rows: rows[:1]})
	want, err := answer(t.Context(), clinic)
	if err != nil {
		t.Fatal(err)
	}
	keep := &lake.Retention{Daily: 1}
	for _, test := range []struct {
		options lake.GCOptions
		gone    int
	}{{lake.GCOptions{Grace: -2 * time.Minute}, 0}, {lake.GCOptions{Grace: -2 * time.Minute, Keep: keep}, 1}} {
		out, err := clinic.GC(t.Context(), test.options)
		if err != nil || out.Cached != test.gone || (out.CachedBytes > 0) != (test.gone > 0) {
			t.Fatalf("%+v, %v; want %d to go from the cache", out, err, test.gone)
		}
	}
	if entries, err := filepath.Glob(filepath.Join(folder, "clinic=harbour-street", "*")); err != nil || len(entries) != 3 {
		t.Errorf("%v, %v", entries, err)
	}
	if got, err := answer(t.Context(), clinic); err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
}

// What is sealed under a key of its own goes with that key: it is never cached.
func TestWhatHasItsOwnKeyIsNotCached(t *testing.T) {
	folder := t.TempDir()
	clinic := openCached(t, new(storetest.Memory), folder, lake.Options{Sealed: map[string]lake.Sealer{"appointments": ownKey{bytes.Repeat([]byte{1}, 32)}}})
	mustUpsert(t, clinic, appointments{Rows: schedule(30, 1)})
	if n := len(stored(t, clinic)); n != 30 {
		t.Fatalf("%d rows", n)
	}
	if entries, err := filepath.Glob(filepath.Join(folder, "clinic=harbour-street", "*")); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
}

// cachedReaderEnv makes the test binary a process that reads a lake in S3 with a cache: a cachedReader as JSON.
const cachedReaderEnv = "FALLOFF_TEST_CACHED_READER"

type cachedReader struct{ Endpoint, Bucket, Folder string }

// TestCachedReaderProcess is that process.
func TestCachedReaderProcess(t *testing.T) {
	var r cachedReader
	if work := os.Getenv(cachedReaderEnv); work == "" {
		return // it is no test of its own
	} else if err := json.Unmarshal([]byte(work), &r); err != nil {
		t.Fatal(err)
	}
	config := aws.Config{BaseEndpoint: &r.Endpoint, Region: storetest.Region, Credentials: credentials.NewStaticCredentialsProvider(storetest.AccessKey, storetest.SecretKey, "")}
	store, err := lake.OpenS3(t.Context(), lake.S3Location{Bucket: r.Bucket, Config: &config})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		got, err := answer(t.Context(), openCached(t, store, r.Folder, lake.Options{}))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("ANSWER %q\n", got)
	}
}

// Two processes that read one lake through one cache get the same rows, and together fetch each object twice at most.
func TestTwoProcessesShareACache(t *testing.T) {
	config, bucket := storetest.Gateway(t)
	counted := &asked{of: map[string]int{}}
	through := storetest.Proxy(t, config, counted.handle)
	store, err := lake.OpenS3(t.Context(), lake.S3Location{Bucket: bucket, Config: &through})
	if err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), openClinic(t, store), appointments{Rows: schedule(20_000, 12)}); err != nil {
		t.Fatal(err)
	}
	want, err := answer(t.Context(), openClinic(t, store))
	if err != nil {
		t.Fatal(err)
	}
	counted.objects()
	work, err := json.Marshal(cachedReader{*through.BaseEndpoint, bucket, t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	outputs := make([][]byte, 2)
	var both sync.WaitGroup
	for n := range outputs {
		both.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCachedReaderProcess$")
			cmd.Env = append(os.Environ(), cachedReaderEnv+"="+string(work))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("process %d: %v, %s", n, err, out)
			}
			outputs[n] = out
		})
	}
	both.Wait()
	for n, out := range outputs {
		if got := strings.Count(string(out), fmt.Sprintf("ANSWER %q\n", want)); got != 5 {
			t.Errorf("process %d gave the right answer %d times of 5: %s", n, got, out)
		}
	}
	if n := counted.objects(); n < 13 || n > 26 {
		t.Errorf("%d objects were fetched; there are 13 and two processes", n)
	}
}
