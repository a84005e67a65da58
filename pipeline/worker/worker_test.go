package worker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/falloff-analytics/falloff/pipeline/unit"
	"github.com/falloff-analytics/falloff/pipeline/worker"
	"github.com/falloff-analytics/falloff/pipeline/worker/pgtest"
)

// stage is a database and a fleet for one test.
type stage struct {
	t    *testing.T
	url  string
	pool *pgxpool.Pool

	mu      sync.Mutex
	clinics []worker.Clinic
	paused  map[string]bool
	today   civil.Date
	// orders are those that were carried out, in the order in which they began.
	orders []unit.Order
	// run is what a unit does.
	run func(ctx context.Context, order unit.Order, nth int) (unit.Outcome, error)
}

func newStage(t *testing.T, url string, clinics ...string) *stage {
	t.Helper()
	s := &stage{t: t, url: url, paused: map[string]bool{}, today: firstDay.AddDays(1)}
	for _, id := range clinics {
		s.clinics = append(s.clinics, worker.Clinic{ID: id, Zone: time.UTC, Host: "one.example"})
	}
	s.pool = s.open()
	if _, err := worker.Migrate(t.Context(), s.pool); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stage) open() *pgxpool.Pool {
	s.t.Helper()
	pool, err := worker.Open(s.t.Context(), s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(pool.Close)
	return pool
}

func (s *stage) Clinics(context.Context) ([]worker.Clinic, error) { return s.clinics, nil }

func (s *stage) Paused(_ context.Context, clinic string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paused[clinic], nil
}

func (s *stage) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.today.In(time.UTC).Add(6 * time.Hour)
}

func (s *stage) Run(ctx context.Context, order unit.Order) (unit.Outcome, error) {
	s.mu.Lock()
	s.orders = append(s.orders, order)
	nth := 0
	for _, o := range s.orders {
		if o == order {
			nth++
		}
	}
	s.mu.Unlock()
	return s.run(ctx, order, nth)
}

// begun counts how often a clinic's orders were begun, of every clinic if it is "".
func (s *stage) begun(clinic string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.orders {
		if clinic == "" || o.Clinic == clinic {
			n++
		}
	}
	return n
}

// longLease is one that no busy machine loses: a night that is begun again since its worker was not heard of would be a second one.
const longLease = time.Minute

func (s *stage) options() worker.Options {
	return worker.Options{
		Pool: s.pool, Fleet: s, Runner: s, Parallel: 4, PerHost: 4, Now: s.now, Lease: longLease, Every: time.Second, Grace: time.Minute, Log: s.t.Output(),
		Pauses: worker.Pauses{First: time.Millisecond, Longest: time.Millisecond, Slow: time.Millisecond, Refused: time.Millisecond, Bug: time.Millisecond},
	}
}

// begin runs a worker; end has it stop and waits until it has.
func (s *stage) begin(o worker.Options) (end func()) {
	ctx, stop := context.WithCancel(context.WithoutCancel(s.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(ctx, o) }()
	end = sync.OnceFunc(func() {
		stop()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(end)
	return end
}

// await waits until something holds.
func (s *stage) await(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			jobs, err := worker.List(s.t.Context(), s.pool, worker.States(), 100)
			s.t.Fatalf("it never came about that %s: %+v %v", what, jobs, err)
		}
	}
}

// jobs lists every job, by clinic.
func (s *stage) jobs() map[string]worker.Job {
	s.t.Helper()
	jobs, err := worker.List(s.t.Context(), s.pool, worker.States(), 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	out := map[string]worker.Job{}
	for _, j := range jobs {
		out[fmt.Sprint(j.Clinic, " ", j.Day)] = j
	}
	return out
}

func (s *stage) state(clinic string, day civil.Date) string {
	s.t.Helper()
	return s.jobs()[fmt.Sprint(clinic, " ", day)].State
}

func (s *stage) ask(clinic string, from civil.Date) worker.Asked {
	s.t.Helper()
	i := slices.IndexFunc(s.clinics, func(c worker.Clinic) bool { return c.ID == clinic })
	asked, err := worker.Ask(s.t.Context(), s.pool, s.clinics[i], from, s.now())
	if err != nil {
		s.t.Fatal(err)
	}
	return asked
}

func done(context.Context, unit.Order, int) (unit.Outcome, error) {
	return unit.Outcome{Commit: 1, New: true}, nil
}

func TestWorker(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	for name, test := range map[string]func(t *testing.T, url string){
		"verdicts": testVerdicts, "hosts": testHosts, "asked": testAsked, "stop": testStop, "deadline": testDeadline, "priorities": testPriorities, "over": testOver,
		"empty": testEmpty, "history": testHistory,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, server.New(name))
		})
	}
}

// A night is tried again as its end says, and a rejected credential never: not in its night, and in the next only so often as it
// takes falloff to refuse.
func testVerdicts(t *testing.T, url string) {
	ends := map[string]struct {
		out   unit.Outcome
		until int // from which try on it is done, 0 for never
		err   error
		tries int
		state string
	}{
		"fine":     {tries: 1, until: 1, state: "completed"},
		"password": {out: unit.Outcome{Exit: 4, Cause: "wrong_password", Message: "signing in: wrong_password"}, tries: 1, state: "cancelled"},
		"flags":    {out: unit.Outcome{Exit: 2}, tries: 1, state: "cancelled"},
		"network":  {out: unit.Outcome{Exit: 5, Cause: "network"}, until: 5, tries: 5, state: "completed"},
		"closed":   {out: unit.Outcome{Exit: 5, Cause: "portal_maintenance"}, until: 3, tries: 3, state: "completed"},
		"lake":     {out: unit.Outcome{Exit: 6, Cause: "storage"}, until: 2, tries: 2, state: "completed"},
		"killed":   {out: unit.Outcome{Exit: 130, Cause: "killed"}, until: 2, tries: 2, state: "completed"},
		"refused":  {out: unit.Outcome{Exit: 3, Cause: "export_incomplete"}, tries: 2, state: "cancelled"},
		"bug":      {out: unit.Outcome{Exit: 1, Cause: "unexpected"}, tries: 2, state: "cancelled"},
		"nothing":  {err: errors.New("no such program"), tries: 2, state: "cancelled"},
		"mixed":    {out: unit.Outcome{Exit: 3, Cause: "export_incomplete"}, until: 2, tries: 2, state: "completed"},
	}
	clinics := make([]string, 0, len(ends))
	for name := range ends {
		clinics = append(clinics, name)
	}
	s := newStage(t, url, append(clinics, "paused")...)
	s.paused["paused"] = true
	s.run = func(_ context.Context, order unit.Order, nth int) (unit.Outcome, error) {
		end := ends[order.Clinic]
		if !order.Once || order.To != firstDay && order.To != firstDay.AddDays(1) {
			t.Errorf("ordered %+v", order)
		}
		if end.until > 0 && nth >= end.until {
			return done(nil, order, nth)
		}
		return end.out, end.err
	}
	s.begin(s.options())
	ended := func(day civil.Date) func() bool {
		return func() bool {
			jobs := s.jobs()
			for name, end := range ends {
				if jobs[fmt.Sprint(name, " ", day)].State != end.state {
					return false
				}
			}
			return true
		}
	}
	s.await("every night has ended as it should", ended(firstDay))
	for name, end := range ends {
		job := s.jobs()[fmt.Sprint(name, " ", firstDay)]
		total := 0
		for _, n := range job.Last.Tries {
			total += n
		}
		if n := s.begun(name); n != end.tries || total != n || job.Attempt != n {
			t.Errorf("%s was begun %d times, want %d; the job says %+v", name, n, end.tries, job)
		}
		if last := job.Last; end.state == "cancelled" && end.err == nil && (last.Cause != end.out.Cause || last.Verdict != end.out.Verdict()) {
			t.Errorf("%s: the job says %+v", name, last)
		}
	}
	if s.begun("paused") != 0 {
		t.Error("a paused clinic was read")
	}
	s.mu.Lock()
	s.today = s.today.AddDays(1)
	s.mu.Unlock()
	s.await("the next night has ended too", ended(firstDay.AddDays(1)))
	if n := s.begun("password"); n != 2 {
		t.Errorf("a rejected password was met %d times in two nights", n)
	}
}

// No more of one host's clinics are read at once than may be, whoever reads them, and another host's are not kept waiting.
func testHosts(t *testing.T, url string) {
	clinics := make([]string, 14)
	for i := range clinics {
		clinics[i] = fmt.Sprintf("c%02d", i)
	}
	s := newStage(t, url, clinics...)
	for i := range s.clinics[:2] {
		s.clinics[i].Host = "two.example"
	}
	host := func(clinic string) string {
		if clinic < "c02" {
			return "two.example"
		}
		return "one.example"
	}
	var mu sync.Mutex
	at, most := map[string]int{}, map[string]int{}
	turned := make(chan bool)
	turn := sync.OnceFunc(func() { close(turned) })
	s.run = func(_ context.Context, order unit.Order, _ int) (unit.Outcome, error) {
		mu.Lock()
		at[host(order.Clinic)]++
		most[host(order.Clinic)] = max(most[host(order.Clinic)], at[host(order.Clinic)])
		mu.Unlock()
		<-turned
		mu.Lock()
		at[host(order.Clinic)]--
		mu.Unlock()
		return done(nil, order, 1)
	}
	o := s.options()
	o.PerHost = 2
	s.begin(o)
	other := s.options()
	other.PerHost, other.Pool = 2, s.open()
	s.begin(other)
	t.Cleanup(turn) // where the test fails before that
	// All others have been begun and found no place.
	s.await("four are read and ten wait", func() bool {
		counts, err := worker.Count(t.Context(), s.pool)
		return err == nil && counts["running"] == 4 && counts["scheduled"] == 10
	})
	turn()
	s.await("all are done", func() bool {
		counts, err := worker.Count(t.Context(), s.pool)
		return err == nil && counts["completed"] == len(clinics)
	})
	if most["one.example"] != 2 || most["two.example"] != 2 || s.begun("") != len(clinics) {
		t.Errorf("at most %v were read at once, %d in all", most, s.begun(""))
	}
}

// A clinic and day are one job for good; a person who asks has it begun anew, before others.
func testAsked(t *testing.T, url string) {
	s := newStage(t, url, "a", "b")
	var mu sync.Mutex
	rejected := true
	s.run = func(_ context.Context, order unit.Order, nth int) (unit.Outcome, error) {
		mu.Lock()
		defer mu.Unlock()
		if order.Clinic == "b" && rejected {
			return unit.Outcome{Exit: 4, Cause: "wrong_password"}, nil
		}
		return done(nil, order, nth)
	}
	s.begin(s.options())
	s.await("both have ended", func() bool { return s.state("a", firstDay) == "completed" && s.state("b", firstDay) == "cancelled" })
	mu.Lock()
	rejected = false
	mu.Unlock()
	before := s.jobs()
	asked := s.ask("b", civil.Date{})
	if asked.Was != "cancelled" || asked.Job != before[fmt.Sprint("b ", firstDay)].ID {
		t.Errorf("asked: %+v", asked)
	}
	s.await("it was done then", func() bool { return s.state("b", firstDay) == "completed" })
	if last := s.jobs()[fmt.Sprint("b ", firstDay)]; last.Last.Tries[unit.Person] != 0 || last.Priority != worker.PriorityAsked {
		t.Errorf("after somebody has looked: %+v", last)
	}
	s.ask("a", civil.Date{})
	s.await("what had landed is read again", func() bool { return s.begun("a") == 2 && s.state("a", firstDay) == "completed" })
	asked = s.ask("a", firstDay.AddDays(-400))
	s.await("the history is read", func() bool { return s.begun("a") == 3 && s.state("a", firstDay) == "completed" })
	counted := func() int {
		counts, err := worker.Count(t.Context(), s.pool)
		if err != nil {
			t.Error(err)
		}
		return counts["completed"]
	}
	s.await("it is done", func() bool { return counted() == 3 })
	s.ask("a", firstDay.AddDays(-400))
	s.await("it is read again", func() bool { return s.begun("a") == 4 && counted() == 3 })
	s.mu.Lock()
	defer s.mu.Unlock()
	var ofA []unit.Order
	for _, o := range s.orders {
		if o.Clinic == "a" {
			ofA = append(ofA, o)
		}
	}
	want := []unit.Order{{Clinic: "a", To: firstDay, Once: true}, {Clinic: "a", To: firstDay}, {Clinic: "a", To: firstDay, From: firstDay.AddDays(-400), Once: true}, {Clinic: "a", To: firstDay, From: firstDay.AddDays(-400)}}
	if !slices.Equal(ofA, want) || asked.Was != "" {
		t.Errorf("ordered %+v, want %+v; %+v", ofA, want, asked)
	}
}

// A worker that is told to stop lets its nights end, and asks those to end that take too long. Those are nobody's failure, and go on elsewhere.
func testStop(t *testing.T, url string) {
	s := newStage(t, url, "quick", "slow", "mute")
	told := make(chan bool)
	tell := sync.OnceFunc(func() { close(told) })
	s.run = func(ctx context.Context, order unit.Order, nth int) (unit.Outcome, error) {
		switch {
		case nth > 1:
		case order.Clinic == "quick":
			<-told // it does not end by being asked
		case order.Clinic == "mute": // it ends without a word
			<-ctx.Done()
			return unit.Outcome{}, context.Cause(ctx)
		default:
			<-ctx.Done()
			return unit.Outcome{Exit: 130, Cause: "interrupted"}, nil
		}
		return done(ctx, order, nth)
	}
	o := s.options()
	o.Grace = 300 * time.Millisecond
	end := s.begin(o)
	t.Cleanup(tell) // where the test fails before that
	s.await("all are at work", func() bool { return s.begun("") == 3 })
	stopping := make(chan bool)
	go func() {
		end()
		close(stopping)
	}()
	s.await("those that do were asked to end", func() bool {
		return s.state("slow", firstDay) == "available" && s.state("mute", firstDay) == "available"
	})
	tell()
	<-stopping
	jobs := s.jobs()
	if quick, slow, mute := jobs[fmt.Sprint("quick ", firstDay)], jobs[fmt.Sprint("slow ", firstDay)], jobs[fmt.Sprint("mute ", firstDay)]; quick.State != "completed" || slow.Attempt+mute.Attempt != 0 {
		t.Errorf("quick %+v, slow %+v, mute %+v", quick, slow, mute)
	}
	other := s.options()
	other.Pool = s.open()
	s.begin(other)
	s.await("they are done elsewhere", func() bool {
		return s.state("slow", firstDay) == "completed" && s.state("mute", firstDay) == "completed"
	})
	if s.begun("quick") != 1 || s.begun("slow") != 2 || s.begun("mute") != 2 {
		t.Errorf("begun: %+v", s.orders)
	}
}

// A night that takes too long is asked to end and tried again.
func testDeadline(t *testing.T, url string) {
	s := newStage(t, url, "a")
	s.run = func(ctx context.Context, order unit.Order, nth int) (unit.Outcome, error) {
		if nth == 1 {
			<-ctx.Done()
			return unit.Outcome{Exit: 130, Cause: "interrupted"}, nil
		}
		return done(ctx, order, nth)
	}
	o := s.options()
	o.Deadline = 200 * time.Millisecond
	s.begin(o)
	s.await("it is done", func() bool { return s.state("a", firstDay) == "completed" })
	if job := s.jobs()[fmt.Sprint("a ", firstDay)]; job.Attempt != 2 || job.Last.Tries[unit.Later] != 1 {
		t.Errorf("%+v", job)
	}
}

// What somebody asked for comes before the nightly ones, those before what is caught up on, and histories last.
func testPriorities(t *testing.T, url string) {
	s := newStage(t, url, "night", "late", "history", "asked")
	s.clinics[1].Priority = worker.PriorityCatchUp
	fleet := s.clinics
	s.run = done
	s.ask("history", firstDay.AddDays(-30))
	s.ask("asked", civil.Date{})
	s.clinics = fleet[:2]
	// The nights are inserted by a worker that has no place for them.
	o := s.options()
	blocked := make(chan bool)
	unblock := sync.OnceFunc(func() { close(blocked) })
	s.run = func(ctx context.Context, order unit.Order, nth int) (unit.Outcome, error) {
		<-blocked
		return done(ctx, order, nth)
	}
	o.Parallel = 1
	s.begin(o)
	t.Cleanup(unblock) // where the test fails before that
	s.await("all wait but one", func() bool {
		counts, err := worker.Count(t.Context(), s.pool)
		return err == nil && counts["available"] == 3 && counts["running"] == 1
	})
	unblock()
	s.await("all are done", func() bool {
		counts, err := worker.Count(t.Context(), s.pool)
		return err == nil && counts["completed"] == 4
	})
	var order []string
	for _, o := range s.orders {
		order = append(order, o.Clinic)
	}
	if got := strings.Join(order, " "); got != "asked night late history" {
		t.Errorf("read in the order %s", got)
	}
}

// A night that has gone on with a history, up to the history's last day, reads its own day as well, and is done when that is.
func testHistory(t *testing.T, url string) {
	s := newStage(t, url, "a")
	s.run = func(_ context.Context, order unit.Order, nth int) (unit.Outcome, error) {
		switch nth {
		case 1: // the history took what the portal is asked in a day
			return unit.Outcome{Exit: 5, Cause: "rate_limited"}, nil
		case 2:
			return unit.Outcome{Commit: 1, New: true, Day: order.To.AddDays(-3), Requests: 70}, nil
		default:
			return unit.Outcome{Commit: 2, Day: order.To, Requests: 7}, nil
		}
	}
	s.begin(s.options())
	s.await("it is done", func() bool { return s.state("a", firstDay) == "completed" })
	if s.begun("a") != 3 {
		t.Errorf("it was begun %d times", s.begun("a"))
	}
	if last := s.jobs()[fmt.Sprint("a ", firstDay)].Last; last == nil || last.Commit != 2 || !last.New || last.Requests != 77 {
		t.Errorf("noted is %+v", last)
	}
}

// A night whose day is over is given up: the next reads what it did not.
func testOver(t *testing.T, url string) {
	s := newStage(t, url, "a")
	s.run = func(context.Context, unit.Order, int) (unit.Outcome, error) {
		return unit.Outcome{Exit: 5, Cause: "network"}, nil
	}
	o := s.options()
	o.Pauses.First, o.Pauses.Longest = 48*time.Hour, 48*time.Hour
	s.begin(o)
	s.await("it is given up", func() bool { return s.state("a", firstDay) == "cancelled" })
	if s.begun("a") != 1 {
		t.Errorf("it was begun %d times", s.begun("a"))
	}
}

// TestDatabaseAway has the database go away while a night is at work: once it may be that others have taken its place, it is asked to end,
// and it goes on when the database is back.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	s := newStage(t, server.URL(""), "a")
	asked := make(chan error, 1)
	s.run = func(ctx context.Context, order unit.Order, nth int) (unit.Outcome, error) {
		if nth == 1 {
			<-ctx.Done()
			asked <- context.Cause(ctx)
			return unit.Outcome{Exit: 130, Cause: "interrupted"}, nil
		}
		return done(ctx, order, nth)
	}
	o := s.options()
	o.Log, o.Lease = nil, 2*time.Second
	s.begin(o)
	s.await("it is at work", func() bool { return s.begun("a") == 1 })
	server.Stop()
	if why := <-asked; !strings.Contains(fmt.Sprint(why), "lease") {
		t.Errorf("it was asked to end since %v", why)
	}
	server.Begin()
	s.await("it is done", func() bool {
		counts, err := worker.Count(t.Context(), s.pool)
		return err == nil && counts["completed"] == 1
	})
	if s.begun("a") < 2 { // on a busy machine two seconds are lost more than once
		t.Errorf("it was begun %d times", s.begun("a"))
	}
}

// TestLogNamesNoDatabase has River complain of a database, and looks for its name in that.
func TestLogNamesNoDatabase(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	s := newStage(t, server.New("canary-base"), "a")
	s.run = done
	var log safeBuffer
	o := s.options()
	o.Log = &log
	s.begin(o)
	s.await("it works", func() bool { return s.state("a", firstDay) == "completed" })
	server.Stop()
	s.await("River complains", func() bool {
		return strings.Contains(log.String(), "level=ERROR") && strings.Contains(log.String(), "connect")
	})
	server.Begin()
	for _, name := range []string{"canary-base", "user=falloff"} {
		if strings.Contains(log.String(), name) {
			t.Errorf("%s is named in %s", name, log.String())
		}
	}
}

// safeBuffer is a buffer for several writers.
type safeBuffer struct {
	mu  sync.Mutex
	all strings.Builder
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}
