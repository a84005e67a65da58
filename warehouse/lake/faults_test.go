package lake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// ledger is the checkpoint of these tests: the numbers of the pieces of work that have landed.
type ledger struct {
	Done []int `json:"done"`
}

// slip is a row with few columns: thousands of histories are written of them.
type slip struct {
	ID         int64 `parquet:"id"`
	On         int32 `parquet:"on,date"`
	Cents      int64 `parquet:"amount_cents"`
	ObservedOn int32 `parquet:"observed_on,date"`
}

func (s slip) Unit() string       { return strconv.FormatInt(s.ID, 10) }
func (s slip) Key() string        { return fmt.Sprintf("%012d", s.ID) }
func (s slip) Day() int32         { return s.On }
func (s slip) Observed() int32    { return s.ObservedOn }
func (s slip) PatientRef() string { return "" }

var slips = func() lake.Table[slip] {
	t, err := lake.NewTable[slip]("slips", "on", "id")
	if err != nil {
		panic(err)
	}
	return t
}()

// piece is one piece of work: a row of its own in one of two months and a row that all pieces rewrite, or just a new object
// where rows would take too long; and a note in the checkpoint. One that has landed is not done again, as a run that resumes
// does it.
func piece(ctx context.Context, clinic *lake.Clinic, n int, rows bool) error {
	_, err := clinic.Update(ctx, lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
		var l ledger
		if at := tx.Source("work"); at != nil {
			if err := json.Unmarshal(at, &l); err != nil {
				return err
			}
		}
		if slices.Contains(l.Done, n) {
			return lake.ErrUnchanged
		}
		l.Done = append(l.Done, n)
		if !rows {
			if err := tx.PutSettings(ctx, fmt.Append(nil, l.Done)); err != nil {
				return err
			}
			return tx.SetSource("work", l)
		}
		if _, err := lake.Upsert(ctx, tx, slips, lake.Batch[slip]{Rows: []slip{
			{ID: int64(100 + n), On: day("2026-01-31") + int32(n%2), Cents: int64(n), ObservedOn: day("2026-03-01")},
			{ID: 1, On: day("2026-01-05"), Cents: int64(n), ObservedOn: day("2026-03-01") + int32(n)},
		}}); err != nil {
			return err
		}
		return tx.SetSource("work", l)
	})
	return err
}

// whole holds a clinic to what a reader may see at any time: of each piece of work everything or nothing, and each once.
func whole(t testing.TB, where string, clinic *lake.Clinic) []int {
	t.Helper()
	commit, err := clinic.Head(t.Context())
	if errors.Is(err, lake.ErrNoCommit) {
		return nil
	}
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	var l ledger
	if err := json.Unmarshal(commit.Sources["work"], &l); err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	if len(l.Done) != int(commit.Number) {
		t.Fatalf("%s: %v are done in %d commits", where, l.Done, commit.Number)
	}
	if len(l.Done) > 0 && commit.Settings != nil {
		body, err := clinic.Snapshot(commit).Settings(t.Context())
		if err != nil || string(body) != fmt.Sprint(l.Done) {
			t.Fatalf("%s: %v are done, the settings say %s (%v)", where, l.Done, body, err)
		}
		return l.Done
	}
	rows, cents := 0, int64(0)
	for r, err := range lake.Rows(t.Context(), clinic.Snapshot(commit), slips) {
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		if r.ID > 100 {
			rows++
			cents += r.Cents
		}
	}
	want := int64(0)
	for _, n := range l.Done {
		want += int64(n)
	}
	if rows != len(l.Done) || cents != want {
		t.Fatalf("%s: %v are done, and there are %d rows of %d cents in all", where, l.Done, rows, cents)
	}
	return l.Done
}

// lives goes through one seeded history over a store: processes one after the other do pieces of work, in bad weather, with
// clocks that are wrong, and die; in between somebody clears up.
func lives(t testing.TB, store lake.Store, seed uint64) {
	t.Helper()
	where := fmt.Sprintf("seed %d (FALLOFF_SEED=%d go test ./warehouse/lake -run '^%s$')", seed, seed, strings.Split(t.Name(), "/")[0])
	r := rand.New(rand.NewPCG(seed, 5))
	pieces := 1 + r.IntN(3)
	_, memory := store.(*storetest.Memory)
	rows := seed%10 == 0 || !memory
	clean := openClinic(t, store)
	open := func(s lake.Store) *lake.Clinic {
		skew := time.Duration(r.IntN(2000)-1000) * time.Hour
		clinic, err := lake.Open(s, "harbour-street", lake.Options{NamingKey: testKey, Now: func() time.Time { return noon().Add(skew) }})
		if err != nil {
			t.Fatal(err)
		}
		return clinic
	}
	for n := 1; n <= pieces; n++ {
		for attempt := 1; ; attempt++ {
			rough, dies := 0, 0
			if attempt < 6 {
				rough = []int{0, 30, 150}[r.IntN(3)]
				if r.IntN(2) == 0 {
					dies = 1 + r.IntN(25)
				}
			}
			weather := storetest.NewWeather(store, r.Uint64(), rough, dies)
			failed := piece(t.Context(), open(weather), n, rows)
			done := whole(t, where, clean)
			if failed == nil {
				if !slices.Contains(done, n) {
					t.Fatalf("%s: piece %d was said to have landed", where, n)
				}
				break
			}
			if slices.Contains(done, n) && !strings.Contains(failed.Error(), "not known whether") && attempt == 1 {
				t.Fatalf("%s: piece %d has landed, and its error does not say that it may have: %v", where, n, failed)
			}
			if r.IntN(4) == 0 {
				// A day passes for what lies there, and somebody clears up, perhaps not to the end.
				weather := storetest.NewWeather(store, r.Uint64(), rough, dies)
				_, _ = open(weather).GC(t.Context(), lake.GCOptions{Grace: -time.Hour})
				whole(t, where, clean)
			}
		}
	}
	if done := whole(t, where, clean); len(done) != pieces {
		t.Fatalf("%s: %v are done of %d", where, done, pieces)
	}
	found, err := clean.Verify(t.Context(), lake.VerifyOptions{All: true})
	if err != nil || len(found.Findings) > 0 {
		t.Fatalf("%s: %v %v", where, err, found)
	}
}

// seeds are those of a property test: one where a failure is looked at, more where there is time.
func seeds(usual, long int) (from, to uint64) {
	if text := os.Getenv("FALLOFF_SEED"); text != "" {
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			return n, n + 1
		}
	}
	if os.Getenv("FALLOFF_LONG") != "" {
		return 0, uint64(long)
	}
	return 0, uint64(usual)
}

func TestHistories(t *testing.T) {
	from, to := seeds(20_000, 1_000_000)
	for worker := range uint64(2) {
		t.Run(fmt.Sprint("worker ", worker), func(t *testing.T) {
			t.Parallel()
			for seed := from + worker; seed < to; seed += 2 {
				lives(t, new(storetest.Memory), seed)
			}
		})
	}
}

// The same over a real server, whose answers are refused, lost, cut short and throttled on the way.
func TestHistoriesOnARealServer(t *testing.T) {
	from, to := seeds(15, 500)
	for seed := from; seed < to; seed++ {
		cfg, bucket := storetest.Gateway(t)
		r := rand.New(rand.NewPCG(seed, 8))
		var mu sync.Mutex
		through := storetest.Proxy(t, cfg, func(w http.ResponseWriter, request *http.Request, pass http.Handler) {
			mu.Lock()
			how := r.IntN(60)
			mu.Unlock()
			switch how {
			case 0, 1:
				storetest.Refuse(w, http.StatusServiceUnavailable, "SlowDown")
			case 2:
				storetest.Refuse(w, http.StatusInternalServerError, "InternalError")
			case 3:
				storetest.Refuse(w, http.StatusForbidden, "ExpiredToken")
			case 4:
				storetest.Lose(w, request, pass)
			case 5:
				storetest.CutShort(w, request, pass)
			default:
				pass.ServeHTTP(w, request)
			}
		})
		for opened := 0; ; opened++ {
			store, err := lake.OpenS3(t.Context(), lake.S3Location{Bucket: bucket, Prefix: "lake", Config: &through})
			if err != nil && opened < 20 {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			stubborn := &stubborn{Store: store}
			lives(t, stubborn, seed)
			break
		}
	}
}

// TestEveryRequestToARealServer refuses one request after the other that a piece of work with rows makes to a real server, and loses
// the answer of each: what comes after finds everything or nothing, and does it once. By default of a few, in the long suite of all.
func TestEveryRequestToARealServer(t *testing.T) {
	every := uint64(7)
	if os.Getenv("FALLOFF_LONG") != "" {
		every = 1
	}
	from, _ := seeds(0, 0)
	cfg, bucket := storetest.Gateway(t)
	for how, fault := range map[string]func(w http.ResponseWriter, r *http.Request, pass http.Handler){
		"refused": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			storetest.Refuse(w, http.StatusForbidden, "AccessDenied")
		},
		"lost":      storetest.Lose,
		"cut short": storetest.CutShort,
	} {
		for fail := 1 + from%every; ; fail += every {
			where := fmt.Sprintf("request %d is %s", fail, how)
			at := lake.S3Location{Bucket: bucket, Prefix: fmt.Sprintf("%s-%d", strings.ReplaceAll(how, " ", "-"), fail), Config: &cfg}
			direct, err := lake.OpenS3(t.Context(), at)
			if err != nil {
				t.Fatal(err)
			}
			clean := openClinic(t, direct)
			if err := piece(t.Context(), clean, 1, true); err != nil { // the bucket was asked whether it keeps conditions, too
				t.Fatal(err)
			}
			var requests atomic.Uint64
			through := storetest.Proxy(t, cfg, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
				if requests.Add(1) == fail {
					fault(w, r, pass)
					return
				}
				pass.ServeHTTP(w, r)
			})
			at.Config = &through
			store, failed := lake.OpenS3(t.Context(), at)
			if failed == nil {
				failed = piece(t.Context(), openClinic(t, store), 2, true)
			}
			reached := requests.Load() >= fail
			done := whole(t, where, clean)
			if failed == nil && !slices.Contains(done, 2) {
				t.Fatalf("%s: the work was said to have landed", where)
			}
			if failed != nil && slices.Contains(done, 2) && !strings.Contains(failed.Error(), "not known whether") {
				t.Fatalf("%s: the work has landed, and the error does not say that it may have: %v", where, failed)
			}
			if err := piece(t.Context(), clean, 2, true); err != nil {
				t.Fatalf("%s: %v", where, err)
			}
			if done := whole(t, where, clean); len(done) != 2 {
				t.Fatalf("%s: %v are done", where, done)
			}
			found, err := clean.Verify(t.Context(), lake.VerifyOptions{All: true})
			if err != nil || len(found.Findings) > 0 {
				t.Fatalf("%s: %v %v", where, err, found)
			}
			if !reached {
				break
			}
		}
	}
}

// stubborn asks again where the test itself looks, so that only what a run does has to live with an error.
type stubborn struct{ lake.Store }

func (s *stubborn) Get(ctx context.Context, name string) (body []byte, err error) {
	for range 10 {
		if body, err = s.Store.Get(ctx, name); err == nil || errors.Is(err, lake.ErrNotFound) {
			return body, err
		}
	}
	return nil, err
}

func (s *stubborn) GetRange(ctx context.Context, name string, offset, length int64) (body []byte, err error) {
	for range 10 {
		if body, err = s.Store.GetRange(ctx, name, offset, length); err == nil || errors.Is(err, lake.ErrNotFound) {
			return body, err
		}
	}
	return nil, err
}

func (s *stubborn) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		var names []string
		var failed error
		for range 10 {
			names, failed = nil, nil
			for name, err := range s.Store.List(ctx, prefix, after) {
				names, failed = append(names, name), err
			}
			if failed == nil {
				break
			}
		}
		if failed != nil {
			yield("", failed)
			return
		}
		for _, name := range names {
			if !yield(name, nil) {
				return
			}
		}
	}
}

// A commit whose answer was lost, and that then comes back in half, is not taken for another's: the work would be done twice.
func TestACommitThatComesBackInHalfIsNotAnothers(t *testing.T) {
	inner := new(storetest.Memory)
	store := &halving{Store: inner}
	turns := 0
	_, err := openClinic(t, store).Update(t.Context(), lake.Ingest, func(context.Context, *lake.Tx) error {
		turns++
		return nil
	})
	if turns != 1 || err == nil || !strings.Contains(err.Error(), "not known whether") {
		t.Errorf("%d turns, %v", turns, err)
	}
	if got := head(t, openClinic(t, inner)).Number; got != 1 {
		t.Errorf("%d commits", got)
	}
}

type halving struct{ lake.Store }

func (h *halving) Create(ctx context.Context, name string, body []byte) error {
	_ = h.Store.Create(ctx, name, body)
	return storetest.ErrInjected
}

func (h *halving) Get(ctx context.Context, name string) ([]byte, error) {
	body, err := h.Store.Get(ctx, name)
	return body[:len(body)/2], err
}

// What a server says when it will not serve, and what a person is told to do.
func TestS3RefusalsHaveAHint(t *testing.T) {
	cfg, bucket := storetest.Gateway(t)
	for code, test := range map[string]struct {
		status int
		hint   string
	}{
		"SlowDown":             {http.StatusServiceUnavailable, "overloaded"},
		"ExpiredToken":         {http.StatusForbidden, "sign in to AWS again"},
		"RequestTimeTooSkewed": {http.StatusForbidden, "clock is wrong"},
		"AccessDenied":         {http.StatusForbidden, "s3:PutObject"},
	} {
		t.Run(code, func(t *testing.T) {
			refusing := false
			through := storetest.Proxy(t, cfg, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
				if refusing {
					storetest.Refuse(w, test.status, code)
					return
				}
				pass.ServeHTTP(w, r)
			})
			store, err := lake.OpenS3(t.Context(), lake.S3Location{Bucket: bucket, Prefix: strings.ToLower(code), Config: &through})
			if err != nil {
				t.Fatal(err)
			}
			clinic := openClinic(t, store)
			mustUpsert(t, clinic, appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01")})
			refusing = true
			err = run(t.Context(), clinic, appointments{Rows: visits("2/0 2026-01-05 booked @2026-01-01")})
			if err == nil || !strings.Contains(err.Error(), test.hint) {
				t.Errorf("%v", err)
			}
			refusing = false
			if got := show(stored(t, clinic)); !reflect.DeepEqual(got, []string{"1/0 2026-01-05 booked @2026-01-01"}) {
				t.Errorf("a reader sees %v", got)
			}
		})
	}
}

// A slow store: a run whose time is up ends, and nothing of it is seen.
func TestARunWhoseTimeIsUpLeavesNothingHalf(t *testing.T) {
	inner := new(storetest.Memory)
	clinic := openClinic(t, inner)
	if err := piece(t.Context(), clinic, 1, true); err != nil {
		t.Fatal(err)
	}
	for calls := 1; calls < 12; calls++ {
		ctx, cancel := context.WithCancel(t.Context())
		_ = piece(ctx, openClinic(t, &slow{Store: inner, left: calls, up: cancel}), 1+calls, true)
		cancel()
		whole(t, fmt.Sprintf("time was up at call %d", calls), clinic)
	}
	sound(t, clinic)
}

// slow ends the caller's time at one of its calls, before it answers.
type slow struct {
	lake.Store
	mu   sync.Mutex
	left int
	up   func()
}

func (s *slow) wait(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left--; s.left == 0 {
		s.up()
	}
	return ctx.Err()
}

func (s *slow) Get(ctx context.Context, name string) ([]byte, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, name)
}

func (s *slow) Create(ctx context.Context, name string, body []byte) error {
	if err := s.wait(ctx); err != nil {
		return err
	}
	return s.Store.Create(ctx, name, bytes.Clone(body))
}
