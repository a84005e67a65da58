package lake_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

const hintName = "clinic=harbour-street/commits/hint"

// far is a store at the end of a long way: each request takes one second. In a bubble of its own time that tells how many of
// them waited for another, however many there were.
type far struct {
	lake.Store
	lists atomic.Int64
}

func (f *far) wait() { time.Sleep(time.Second) }

func (f *far) Get(ctx context.Context, name string) ([]byte, error) {
	f.wait()
	return f.Store.Get(ctx, name)
}

func (f *far) GetRange(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	f.wait()
	return f.Store.GetRange(ctx, name, offset, length)
}

func (f *far) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	f.lists.Add(1)
	f.wait()
	return f.Store.List(ctx, prefix, after)
}

// oldLake is a lake of as many months of ten datasets, in some commits, made by copying one month's object entry.
func oldLake(t testing.TB, store lake.Store, months, commits int) {
	t.Helper()
	clinic := openClinic(t, store)
	mustUpsert(t, clinic, lake.Batch[contract.Appointment]{Rows: visits("1/0 2026-01-05 booked @2026-01-01")})
	for n := 2; n <= commits; n++ {
		_, err := clinic.Update(t.Context(), lake.Build, func(context.Context, *lake.Tx) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	// The newest commit is the real one with many partitions: what it names need not be there to be opened.
	name := fmt.Sprintf("clinic=harbour-street/commits/%012d.json", commits)
	body, err := store.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	commit, err := lake.DecodeCommit(body)
	if err != nil {
		t.Fatal(err)
	}
	object := commit.Datasets["appointments"].Objects[0]
	for d := range 10 {
		dataset := fmt.Sprintf("dataset_%d", d)
		var objects []lake.Object
		for m := range months {
			o := object
			o.Month = fmt.Sprintf("%d-%02d", 2016+m/12, m%12+1)
			o.Path = strings.NewReplacer("appointments", dataset, "2026-01", o.Month).Replace(object.Path)
			objects = append(objects, o)
		}
		commit.Datasets = maps.Clone(commit.Datasets)
		commit.Datasets[dataset] = lake.Dataset{Objects: objects}
	}
	if body, err = lake.EncodeCommit(commit); err != nil {
		t.Fatal(err)
	}
	if err := store.Replace(t.Context(), name, body); err != nil {
		t.Fatal(err)
	}
}

func setHint(t testing.TB, store lake.Store, text string) {
	t.Helper()
	if err := store.Replace(t.Context(), hintName, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// The newest commit of a lake of 120 months of ten datasets is opened in two rounds of requests, and what one then asks for
// comes in the third, without a listing; a stale hint costs a round, and a useless one a listing.
func TestASnapshotOpensInThreeRoundTrips(t *testing.T) {
	const commits = 40
	store := new(storetest.Memory)
	oldLake(t, store, 120, commits)
	for _, test := range []struct {
		hint          string // "-" for none
		rounds, lists int
	}{
		{"40\n", 2, 0},
		{"40", 2, 0},
		{"39\n", 2, 0},
		{"38\n", 3, 0},
		{"36\n", 3, 0},
		{"33\n", 4, 0}, // 7 behind
		{"1\n", 8, 0},  // 39 behind
		{"41\n", 5, 1}, // a commit that is not there
		{"9999999\n", 5, 1},
		{"-", 4, 1},
		{"", 4, 1},
		{"forty\n", 4, 1},
		{"-3\n", 4, 1},
		{"99999999999999999999\n", 4, 1},
	} {
		if test.hint == "-" {
			if err := store.Delete(t.Context(), hintName); err != nil {
				t.Fatal(err)
			}
		} else {
			setHint(t, store, test.hint)
		}
		synctest.Test(t, func(t *testing.T) {
			distant := &far{Store: store}
			began := time.Now()
			commit, err := openClinic(t, distant).Head(t.Context())
			rounds := int(time.Since(began) / time.Second)
			if err != nil || commit.Number != commits || len(commit.Datasets["dataset_9"].Objects) != 120 {
				t.Fatalf("hint %q: %v, %v", test.hint, commit, err)
			}
			if rounds > test.rounds || int(distant.lists.Load()) != test.lists {
				t.Errorf("hint %q: %d rounds and %d listings, at most %d and %d are due", test.hint, rounds, distant.lists.Load(), test.rounds, test.lists)
			}
		})
	}
}

func TestARealServerIsNotAskedForAList(t *testing.T) {
	cfg, bucket := storetest.Gateway(t)
	var asked storetest.Requests
	through := storetest.Proxy(t, cfg, asked.Handle)
	store, err := lake.OpenS3(t.Context(), lake.S3Location{Bucket: bucket, Prefix: "lake", Config: &through})
	if err != nil {
		t.Fatal(err)
	}
	clinic := openClinic(t, store)
	for range 3 {
		mustUpsert(t, clinic, lake.Batch[contract.Appointment]{Rows: visits("1/0 2026-01-05 booked @2026-01-01")})
	}
	asked.All.Store(0)
	asked.Lists.Store(0)
	if commit := head(t, clinic); commit.Number != 3 {
		t.Errorf("commit %d", commit.Number)
	}
	if n := asked.All.Load(); asked.Lists.Load() != 0 || n > 6 {
		t.Errorf("%d requests, %d of them lists", n, asked.Lists.Load())
	}
}

// unhinted is a store in which the hint cannot be written.
type unhinted struct{ lake.Store }

func (u unhinted) Replace(ctx context.Context, name string, body []byte) error {
	if strings.HasSuffix(name, "/hint") {
		return errors.New("no hint today")
	}
	return u.Store.Replace(ctx, name, body)
}

func TestAHintThatCannotBeWrittenFailsNothing(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			store := open(t)
			clinic := openClinic(t, unhinted{store})
			for n := int64(1); n <= 12; n++ {
				mustUpsert(t, clinic, lake.Batch[contract.Appointment]{Rows: visits(fmt.Sprintf("%d/0 2026-01-05 booked @2026-01-01", n))})
				if n == 2 {
					setHint(t, store, "2\n")
				}
				if got := head(t, clinic).Number; got != n {
					t.Fatalf("the newest commit is %d, found %d", n, got)
				}
			}
			if got := len(stored(t, clinic)); got != 12 {
				t.Errorf("%d rows", got)
			}
		})
	}
}

// A list of a moment ago lacks the newest commits: they are found behind it.
func TestAStaleListIsLookedBehind(t *testing.T) {
	store := new(storetest.Memory)
	clinic := openClinic(t, store)
	for n := range 9 {
		mustUpsert(t, clinic, lake.Batch[contract.Appointment]{Rows: visits(fmt.Sprintf("%d/0 2026-01-05 booked @2026-01-01", n+1))})
	}
	if err := store.Delete(t.Context(), hintName); err != nil {
		t.Fatal(err)
	}
	for seen := 1; seen <= 9; seen++ {
		commit, err := openClinic(t, &staleList{store, fmt.Sprintf("clinic=harbour-street/commits/%012d.json", seen)}).Head(t.Context())
		if err != nil || commit.Number != 9 {
			t.Errorf("the list ends at %d: %v, %v", seen, commit, err)
		}
	}
}

// staleList does not list names after one.
type staleList struct {
	lake.Store
	last string
}

func (s *staleList) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for name, err := range s.Store.List(ctx, prefix, after) {
			if name > s.last || !yield(name, err) {
				return
			}
		}
	}
}

// A server that takes the condition of a create-only write and ignores it is refused before anything is written that another
// could lose.
func TestAServerThatIgnoresTheConditionIsRefused(t *testing.T) {
	cfg, bucket := storetest.Gateway(t)
	through := storetest.Proxy(t, cfg, storetest.Unconditional(cfg))
	bad, err := lake.OpenS3(t.Context(), lake.S3Location{Bucket: bucket, Prefix: "lake", Config: &through})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := bad.Create(t.Context(), "x/y", []byte("1"))
		if !errors.Is(err, lake.ErrUnconditional) || !strings.Contains(err.Error(), "If-None-Match") || !strings.Contains(err.Error(), "proxy") {
			t.Errorf("%v", err)
		}
	}
	_, err = openClinic(t, bad).Update(t.Context(), lake.Ingest, func(context.Context, *lake.Tx) error { return nil })
	if !errors.Is(err, lake.ErrUnconditional) {
		t.Errorf("a commit: %v", err)
	}
	if names := storetest.Names(t, bad, ""); len(names) != 0 {
		t.Errorf("it wrote %v", names)
	}
}

// A bucket is asked once in a process, and a bucket that was asked before costs one request.
func TestTheProbeCostsOneObject(t *testing.T) {
	cfg, bucket := storetest.Gateway(t)
	var probes atomic.Int64
	through := storetest.Proxy(t, cfg, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		if strings.Contains(r.URL.Path, "create-only") {
			probes.Add(1)
		}
		pass.ServeHTTP(w, r)
	})
	var asked []int64
	for open := range 2 {
		store, err := lake.OpenS3(t.Context(), lake.S3Location{Bucket: bucket, Prefix: "lake", Config: &through})
		if err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			if err := store.Create(t.Context(), fmt.Sprintf("x/%d-%d", open, n), nil); err != nil {
				t.Fatal(err)
			}
		}
		asked = append(asked, probes.Swap(0))
		if names := storetest.Names(t, store, ""); slices.ContainsFunc(names, func(n string) bool { return !strings.HasPrefix(n, "x/") }) {
			t.Errorf("a list shows %v", names)
		}
	}
	if !slices.Equal(asked, []int64{2, 1}) {
		t.Errorf("it asked %v times", asked)
	}
}

// A probe that could not be made is no answer: it is made again.
func TestAProbeThatFailsIsRepeated(t *testing.T) {
	cfg, bucket := storetest.Gateway(t)
	var failing atomic.Bool
	failing.Store(true)
	through := storetest.Proxy(t, cfg, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		if failing.Load() && r.Method == http.MethodPut {
			storetest.Refuse(w, http.StatusForbidden, "ExpiredToken")
			return
		}
		pass.ServeHTTP(w, r)
	})
	store, err := lake.OpenS3(t.Context(), lake.S3Location{Bucket: bucket, Prefix: "lake", Config: &through})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Create(t.Context(), "x/y", nil); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("%v", err)
	}
	failing.Store(false)
	if err := store.Create(t.Context(), "x/y", nil); err != nil {
		t.Error(err)
	}
}

// BenchmarkCommitBytes is the size of a commit for each partition that it names.
func BenchmarkCommitBytes(b *testing.B) {
	for _, months := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("%dx10", months), func(b *testing.B) {
			store := new(storetest.Memory)
			oldLake(b, store, months, 2)
			commit := head(b, openClinic(b, store))
			var body []byte
			for b.Loop() {
				body, _ = json.Marshal(commit)
			}
			b.ReportMetric(float64(len(body))/float64(months*10), "B/partition")
		})
	}
}
