package schedule

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/unit"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// memoryBook is a book that two schedulers share.
type memoryBook struct {
	mu       sync.Mutex
	states   map[string]State
	versions map[string]int64
	// fails, if set, says that the next request fails.
	fails func(write bool) error
}

func newBook() *memoryBook {
	return &memoryBook{states: map[string]State{}, versions: map[string]int64{}}
}

func (b *memoryBook) Read(_ context.Context, clinic string) (State, int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fails != nil {
		if err := b.fails(false); err != nil {
			return State{}, 0, err
		}
	}
	return b.states[clinic], b.versions[clinic], nil
}

func (b *memoryBook) Swap(_ context.Context, clinic string, version int64, next State) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fails != nil {
		if err := b.fails(true); err != nil {
			return 0, err
		}
	}
	if b.versions[clinic] != version {
		return 0, fmt.Errorf("swap: %w", lake.ErrOvertaken)
	}
	b.states[clinic], b.versions[clinic] = next, version+1
	return version + 1, nil
}

// stage is where units are at work, and what they did.
type stage struct {
	mu    sync.Mutex
	zone  *time.Location
	did   []string
	now   map[string]int
	peak  int
	takes time.Duration
	// ends says how the nth unit of a clinic's task ends, nil for well.
	ends func(what string, n int) unit.Outcome
	n    map[string]int
}

func newStage(z *time.Location) *stage {
	return &stage{zone: z, takes: 10 * time.Minute, now: map[string]int{}, n: map[string]int{}}
}

func (s *stage) do(ctx context.Context, what string) unit.Outcome {
	s.mu.Lock()
	s.did = append(s.did, time.Now().In(s.zone).Format("01-02 15:04 ")+what)
	s.now[what]++
	if s.now[what] > 1 {
		s.did = append(s.did, "TWICE AT ONCE "+what)
	}
	working := 0
	for _, n := range s.now {
		working += n
	}
	s.peak = max(s.peak, working)
	n := s.n[what]
	s.n[what]++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.now[what]--
		s.mu.Unlock()
	}()
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return unit.Outcome{Exit: 130, Cause: "interrupted"}
	}
	if s.ends != nil {
		return s.ends(what, n)
	}
	return unit.Outcome{}
}

type nightRunner struct{ *stage }

func (r nightRunner) Run(ctx context.Context, o unit.Order) (unit.Outcome, error) {
	return r.do(ctx, "run "+o.Clinic), nil
}

func (s *stage) conductor(book Book, holder string, clinics ...Clinic) *Conductor {
	return &Conductor{
		Clinics: func(context.Context) ([]Clinic, error) { return clinics, nil }, Book: book, Run: nightRunner{s}, Parallel: 4, Holder: holder, Now: time.Now,
		Do: func(ctx context.Context, task Task, clinic string) (unit.Outcome, error) {
			return s.do(ctx, string(task)+" "+clinic), nil
		},
	}
}

func nightly(t *testing.T, id, host string, z *time.Location) Clinic {
	return Clinic{ID: id, Host: host, Timings: map[Task]Timing{Run: {Cron: parsed(t, "15 3 * * *"), Zone: z, Seed: id}}}
}

// conduct lets a conductor work for a time.
func conduct(t *testing.T, c *Conductor, d time.Duration) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), d)
	defer stop()
	if err := c.Conduct(ctx, false); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ended with %v", err)
	}
}

func (s *stage) check(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(s.did, want) {
		t.Errorf("done was\n  %s\nwant\n  %s", strings.Join(s.did, "\n  "), strings.Join(want, "\n  "))
	}
}

// until sleeps until a time of 2000, in which the tests' clock begins: at midnight UTC of the first of January.
func until(t *testing.T, z *time.Location, text string) {
	t.Helper()
	when, err := time.ParseInLocation("2006-01-02 15:04", "2000-"+text, z)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(when))
}

func TestNights(t *testing.T) {
	t.Parallel()
	z := zone(t, "America/Vancouver")
	synctest.Test(t, func(t *testing.T) {
		until(t, z, "03-31 12:00")
		s := newStage(z)
		clinic := nightly(t, "a", "p", z)
		clinic.Timings[Backup] = Timing{Cron: parsed(t, "20 3 * * *"), Zone: z}
		clinic.Timings[Rehearsal] = Timing{Cron: parsed(t, "0 6 3 * *"), Zone: z}
		conduct(t, s.conductor(newBook(), "one", clinic), 4*24*time.Hour)
		s.check(t, // new: what it missed is made up for, but for the rehearsal
			"03-31 12:00 run a", "03-31 12:10 backup a", "04-01 03:15 run a", "04-01 03:25 backup a",
			"04-02 03:15 run a", "04-02 03:25 backup a", "04-03 03:15 run a", "04-03 03:25 backup a", "04-03 06:00 rehearsal a", "04-04 03:15 run a", "04-04 03:25 backup a")
	})
}

// The clock of 2000 was put forward on the 2nd of April and back on the 29th of October there.
func TestNightsOnWhichClocksChange(t *testing.T) {
	t.Parallel()
	z := zone(t, "America/Vancouver")
	for from, want := range map[string][]string{
		"04-01 04:00": {"04-01 04:00 run a", "04-02 03:00 run a", "04-03 02:30 run a"},
		"10-28 04:00": {"10-28 04:00 run a", "10-29 02:30 run a", "10-30 02:30 run a"},
	} {
		synctest.Test(t, func(t *testing.T) {
			until(t, z, from)
			s := newStage(z)
			clinic := nightly(t, "a", "p", z)
			clinic.Timings[Run] = Timing{Cron: parsed(t, "30 2 * * *"), Zone: z}
			conduct(t, s.conductor(newBook(), "one", clinic), 48*time.Hour)
			s.check(t, want...)
		})
	}
}

// What failed is tried again by its cause.
func TestTriedAgain(t *testing.T) {
	t.Parallel()
	z := zone(t, "UTC")
	for _, test := range []struct {
		exit  int
		cause string
		until int // it ends well from that try on
		want  []string
	}{
		{5, "network", 2, []string{"01-10 03:15", "01-10 03:40", "01-10 04:20"}},
		{5, "network", 9, []string{"01-10 03:15", "01-10 03:40", "01-10 04:20", "01-10 05:30"}},
		{6, "storage", 1, []string{"01-10 03:15", "01-10 03:40"}},
		{5, "deadline", 9, []string{"01-10 03:15"}},
		{4, "wrong_password", 9, []string{"01-10 03:15"}},
		{2, "usage", 9, []string{"01-10 03:15"}},
		{3, "export_incomplete", 9, []string{"01-10 03:15", "01-10 03:40"}},
		{1, "unexpected", 9, []string{"01-10 03:15", "01-10 03:40"}},
	} {
		t.Run(test.cause, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, book := newStage(z), newBook()
				s.ends = func(_ string, n int) unit.Outcome {
					if n >= test.until {
						return unit.Outcome{}
					}
					return unit.Outcome{Exit: test.exit, Cause: test.cause, Hint: "do something"}
				}
				until(t, z, "01-10 03:15")
				c := s.conductor(book, "one", nightly(t, "a", "p", z))
				conduct(t, c, 20*time.Hour)
				var want []string
				for _, at := range test.want {
					want = append(want, at+" run a")
				}
				s.check(t, want...)
				p := book.states["a"].Tasks[Run]
				well := len(test.want) > test.until
				if p.Attempts != len(test.want) || !p.Again.IsZero() || p.Holder != "" || p.Good.IsZero() == well || !well && (p.Last.Cause != test.cause || p.Last.Hint == "") {
					t.Errorf("the state is %+v", p)
				}
				// The next night begins anew.
				s.did = nil
				conduct(t, c, 8*time.Hour)
				if len(s.did) == 0 || s.did[0] != "01-11 03:15 run a" {
					t.Errorf("the next night is %q", s.did)
				}
			})
		})
	}
}

// A machine that was off makes up for what it missed once; a restart does nothing again.
func TestOffAndOn(t *testing.T) {
	t.Parallel()
	z := zone(t, "UTC")
	synctest.Test(t, func(t *testing.T) {
		s, book := newStage(z), newBook()
		until(t, z, "01-10 03:00")
		book.states["a"] = State{Tasks: map[Task]Progress{Run: {Due: time.Date(2000, 1, 9, 3, 15, 0, 0, z)}}}
		conduct(t, s.conductor(book, "one", nightly(t, "a", "p", z)), time.Hour)
		conduct(t, s.conductor(book, "two", nightly(t, "a", "p", z)), time.Hour)
		s.check(t, "01-10 03:15 run a")
		until(t, z, "01-19 09:00")
		conduct(t, s.conductor(book, "three", nightly(t, "a", "p", z)), time.Hour)
		s.check(t, "01-10 03:15 run a", "01-19 09:00 run a")
		// One that is stopped in the middle goes on at once.
		until(t, z, "01-20 03:12")
		conduct(t, s.conductor(book, "four", nightly(t, "a", "p", z)), 5*time.Minute)
		conduct(t, s.conductor(book, "five", nightly(t, "a", "p", z)), time.Hour)
		s.check(t, "01-10 03:15 run a", "01-19 09:00 run a", "01-20 03:15 run a", "01-20 03:17 run a")
	})
}

// Two schedulers on two machines do everything once, together; when one dies in the middle the other takes over.
func TestTwoSchedulers(t *testing.T) {
	t.Parallel()
	z := zone(t, "UTC")
	synctest.Test(t, func(t *testing.T) {
		s, book := newStage(z), newBook()
		s.takes = 50 * time.Minute // longer than a holder counts without a sign of life
		until(t, z, "01-10 03:00")
		clinics := []Clinic{nightly(t, "a", "p", z), nightly(t, "b", "q", z), nightly(t, "c", "r", z)}
		var both sync.WaitGroup
		for _, holder := range []string{"one", "two"} {
			both.Go(func() { conduct(t, s.conductor(book, holder, clinics...), 4*24*time.Hour) })
		}
		both.Wait()
		slices.Sort(s.did)
		if n := len(s.did); n != 3*5 || len(slices.Compact(slices.Clone(s.did))) != n {
			t.Errorf("%d units were at work: %q", n, s.did)
		}
		// A holder that gives no sign of life any more.
		s.did = nil
		until(t, z, "01-15 03:20")
		night := time.Date(2000, 1, 15, 3, 15, 0, 0, z)
		state, version, _ := book.Read(t.Context(), "a")
		gone := night.Add(holderTTL)
		if _, err := book.Swap(t.Context(), "a", version, with(state, Run, Progress{Due: night, Attempts: 1, Begun: night, Holder: "dead", Until: gone, Again: gone})); err != nil {
			t.Fatal(err)
		}
		conduct(t, s.conductor(book, "three", clinics[0]), time.Hour)
		s.check(t, "01-15 03:30 run a")
	})
}

// One unit at a time is at a portal's host, and no more than were allowed at all.
func TestOneAtATimeAtAPortal(t *testing.T) {
	t.Parallel()
	z := zone(t, "UTC")
	synctest.Test(t, func(t *testing.T) {
		s := newStage(z)
		until(t, z, "01-10 03:14")
		book := newBook()
		var clinics []Clinic
		for i, host := range []string{"p", "p", "q", "r"} {
			id := string(rune('a' + i))
			clinics = append(clinics, nightly(t, id, host, z))
			book.states[id] = State{Tasks: map[Task]Progress{Run: {Due: time.Date(2000, 1, 9, 3, 15, 0, 0, z)}}}
		}
		c := s.conductor(book, "one", clinics...)
		c.Parallel = 2
		conduct(t, c, 12*time.Hour)
		slices.Sort(s.did)
		s.check(t, "01-10 03:15 run a", "01-10 03:15 run c", "01-10 03:25 run b", "01-10 03:25 run d")
		if s.peak != 2 {
			t.Errorf("%d were at work at once", s.peak)
		}
	})
}

func TestOnce(t *testing.T) {
	t.Parallel()
	z := zone(t, "UTC")
	synctest.Test(t, func(t *testing.T) {
		s, book := newStage(z), newBook()
		until(t, z, "01-10 12:00")
		c := s.conductor(book, "one", nightly(t, "a", "p", z), nightly(t, "b", "p", z))
		s.ends = func(string, int) unit.Outcome { return unit.Outcome{Exit: 5} }
		told := []string{}
		c.Notify = func(_ context.Context, clinic string) (unit.Outcome, error) {
			told = append(told, clinic)
			return unit.Outcome{}, nil
		}
		for range 2 {
			if err := c.Conduct(t.Context(), true); err != nil {
				t.Error(err)
			}
		}
		s.check(t, "01-10 12:00 run a", "01-10 12:10 run b")
		if !slices.Equal(told, []string{"a", "b"}) {
			t.Errorf("told was of %q", told)
		}
	})
}

// A lake that cannot be reached, now and then or for hours, costs no night and doubles none.
func TestALakeThatFails(t *testing.T) {
	t.Parallel()
	z := zone(t, "UTC")
	synctest.Test(t, func(t *testing.T) {
		s, book := newStage(z), newBook()
		until(t, z, "01-10 03:00")
		requests := 0
		away := errors.New("the lake is away")
		book.fails = func(bool) error {
			requests++
			if hour := time.Now().Hour(); requests%5 == 0 || time.Now().Day() == 12 && hour >= 3 && hour < 6 {
				return away
			}
			return nil
		}
		var troubles int
		c := s.conductor(book, "one", nightly(t, "a", "p", z))
		c.Say = func(e Event) {
			if e.What == Trouble {
				troubles++
			}
		}
		conduct(t, c, 6*24*time.Hour)
		nights := map[string]int{}
		for _, line := range s.did {
			nights[line[:5]]++
		}
		for _, day := range []string{"01-11", "01-12", "01-13", "01-14", "01-15"} {
			if nights[day] != 1 {
				t.Errorf("on %s %d nights were done: %q", day, nights[day], s.did)
			}
		}
		if troubles == 0 || requests > 20_000 {
			t.Errorf("%d troubles in %d requests", troubles, requests)
		}
		c.Book = &memoryBook{fails: func(bool) error { return away }}
		if err := c.Conduct(t.Context(), true); !errors.Is(err, away) {
			t.Errorf("once, it ends with %v", err)
		}
	})
}
