package pipeline

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/civil"
	"golang.org/x/sync/errgroup"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

var (
	oneSeed = flag.Uint64("seed", 0, "run the simulation of this seed alone, and say what happens")
	runs    = flag.Int("simulations", 0, "how many seeds the simulation runs")
	share   = flag.Uint64("share", 0, "of the seeds, run those that leave this rest")
	shares  = flag.Uint64("shares", 1, "when divided by this")
)

// worlds is how many histories of a portal the seeds share, so that the undisturbed run of each is made once.
const worlds = 6

const simNights = 2

// simulation is a clinic, its portal, and the machines that extract from it.
type simulation struct {
	t      testing.TB
	r      *rand.Rand
	store  *storetest.Memory
	portal *simPortal
	keys   identity.Keys
	typed  settings.Clinic
	random *seededReader
	pids   int
	// ran counts the processes that extracted.
	ran  int
	gone map[int]bool
	// interrupted counts what may each have cost one report read twice, and lost lines of the ledger.
	interrupted, allInterrupted int
	said                        []string
	// credentials are what the processes sign in with, given how many times a person has given others, budget how many requests
	// a day they may send.
	credentials string
	given       int
	budget      int
	// discarded are reports that were read under an access that has ended, and so are read again.
	discarded int
	// restless says that the portal's data change while a run is at work, closing that history is read again as a whole.
	restless, closing bool
	// rerun says that a night was run twice to its end, so that it cannot be compared any more.
	rerun bool
	mu    sync.Mutex
}

func newSimulation(t testing.TB, seed, worldSeed uint64) *simulation {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 7))
	secret, err := identity.NewSecret(make([]byte, identity.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := identity.Derive(secret)
	if err != nil {
		t.Fatal(err)
	}
	return &simulation{
		t: t, r: r, credentials: "right", budget: -1, store: &storetest.Memory{}, keys: keys, random: &seededReader{r: rand.New(rand.NewPCG(seed, 8))}, gone: map[int]bool{},
		typed:  settings.Clinic{Name: "Simulated", TimeZone: "America/Toronto", Currency: "CAD", TaxName: "HST", Insurers: []string{"Blue Shield"}},
		portal: &simPortal{password: "right", refused: map[string]int{}, world: newWorld(rand.New(rand.NewPCG(worldSeed, 1)))},
	}
}

func (s *simulation) sayf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

func (s *simulation) failf(format string, args ...any) {
	s.t.Helper()
	s.t.Errorf(format, args...)
}

// site is the clinic as a machine opens it.
func (s *simulation) site(m *machine, host string) *Site {
	s.mu.Lock()
	s.pids++
	pid := s.pids
	s.mu.Unlock()
	clinic, err := lake.Open(simStore{s.store, m}, "simulated", lake.Options{NamingKey: s.keys.ObjectNames().Expose(), Random: s.random})
	if err != nil {
		s.t.Fatal(err)
	}
	return &Site{Clinic: clinic, Keys: s.keys, random: s.random, asTenant: &tenant{host: host, pid: pid, machine: host, now: time.Now, gone: func(pid int) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.gone[pid]
	}}}
}

// process runs an extraction on a machine with that trouble, from start to end.
func (s *simulation) process(host string, tr trouble) (*Extracted, *machine, error) {
	return s.processAs(host, tr, s.credentials)
}

// processAs is process with credentials of its own.
func (s *simulation) processAs(host string, tr trouble, credentials string) (*Extracted, *machine, error) {
	m := &machine{trouble: tr}
	site := s.site(m, host)
	out, err := site.Extract(context.Background(), ExtractOptions{
		Portal: client{s.portal, m, credentials}, Credentials: credentials, Settings: &s.typed, Seal: plainCipher{}, Budget: s.budget,
		Plan: PlanOptions{Day: s.portal.day, Trailing: 40, Ahead: 30, From: s.from()},
	})
	s.mu.Lock()
	s.gone[site.asTenant.pid] = true
	s.ran++
	s.mu.Unlock()
	s.sayf("%s %+v: %d orders, %d resumed, discarded %q, %d steps: %v", host, tr, out.Orders, out.Resumed, out.Discarded, m.steps, err)
	if out.Discarded != "" {
		s.failf("a run was discarded: %s", out.Discarded)
	}
	return out, m, err
}

// from is where history begins on the first night.
func (s *simulation) from() civil.Date {
	if s.portal.night == 0 || s.closing {
		return simFirst
	}
	return civil.Date{}
}

// begin turns to a night.
func (s *simulation) begin(night int, worldSeed uint64) {
	p := s.portal
	p.mu.Lock()
	defer p.mu.Unlock()
	p.night, p.day, p.served, p.failing = night, simLast.AddDays(night), 0, ""
	if p.next != nil { // no run has seen it
		p.world, p.next = p.next, nil
	}
	tomorrow := p.world.tomorrow(rand.New(rand.NewPCG(worldSeed, uint64(100+night))), p.day)
	switch {
	case s.restless && !s.closing:
		p.next, p.changeAt = tomorrow, 1+s.r.IntN(9)
	case night > 0:
		p.world = tomorrow
	}
}

// reference is what an undisturbed run of each night makes.
type reference struct {
	commits []*lake.Commit
	served  []int
	steps   []int
}

func newReference(t *testing.T, worldSeed uint64) reference {
	t.Helper()
	s := newSimulation(t, 1, worldSeed)
	var ref reference
	for night := range simNights {
		s.begin(night, worldSeed)
		out, m, err := s.process("a", trouble{})
		if err != nil {
			t.Fatalf("world %d, night %d, undisturbed: %v", worldSeed, night, err)
		}
		head, err := s.site(&machine{}, "a").Clinic.Head(context.Background())
		if err != nil || !out.Changed && night == 0 {
			t.Fatal(err)
		}
		ref.commits = append(ref.commits, head)
		ref.served = append(ref.served, s.portal.served)
		ref.steps = append(ref.steps, m.steps)
	}
	return ref
}

// night disturbs the runs of one night until one has landed.
func (s *simulation) night(steps int) {
	for attempt := 0; ; attempt++ {
		if attempt > 40 {
			s.failf("no run came to an end")
			return
		}
		kind := s.r.IntN(12)
		if attempt > 6 {
			kind = 0
		}
		host := []string{"a", "b"}[s.r.IntN(2)]
		at := 1 + s.r.IntN(steps)
		var err error
		switch kind {
		case 1, 2, 3: // kill -9, at any step
			s.interrupted++
			_, _, err = s.process(host, trouble{at, s.r.IntN(2) == 0, killed})
		case 4: // one step fails
			s.interrupted++
			_, _, err = s.process(host, trouble{at, s.r.IntN(2) == 0, failing})
		case 5: // the portal fails
			causes := []extractors.Cause{extractors.SessionExpired, extractors.RateLimited, extractors.PageChanged, extractors.ExportIncomplete, extractors.Network, extractors.PortalMaintenance}
			s.portal.mu.Lock()
			s.portal.failing, s.portal.failAt = causes[s.r.IntN(len(causes))], s.portal.served+1+s.r.IntN(9)
			s.portal.mu.Unlock()
			s.interrupted++
			_, _, err = s.process(host, trouble{})
			s.portal.failing = ""
		case 6:
			err = s.paused(host)
		case 7: // two at once
			err = s.two(trouble{}, trouble{}, time.Duration(s.r.IntN(30))*time.Second)
		case 8: // one stands still until another has taken over, and then goes on
			s.interrupted += 2
			err = s.two(trouble{at, false, frozen}, trouble{}, time.Duration(20+s.r.IntN(100))*time.Second)
		case 9:
			err = s.refused(host, at)
		case 10:
			err = s.deactivated(host)
		case 11:
			err = s.overspent(host)
		default:
			_, _, err = s.process(host, trouble{})
		}
		if err == nil {
			return
		}
		var busy *BusyError
		var refusal *RefusedError
		switch {
		case errors.As(err, &busy):
			time.Sleep(20 * time.Second)
		case errors.As(err, &refusal):
			s.failf("good data was refused: %v", err)
			return
		}
		if failure := new(extractors.Failure); errors.As(err, &failure) && failure.Cause == extractors.WrongPassword {
			// A process died while it signed in for the first time: a person looks, and gives the password again.
			s.sayf("a person gives the password again")
			if err := s.site(&machine{}, "a").proven(context.Background(), s.credentials); err != nil {
				s.failf("%v", err)
			}
		}
	}
}

// paused pauses a run while it is at work: no report may begin more than some seconds later.
func (s *simulation) paused(host string) error {
	other := s.site(&machine{}, "c")
	ctx := context.Background()
	var asked time.Time
	at := s.portal.served + 1 + s.r.IntN(6)
	asking := make(chan struct{})
	s.portal.mu.Lock()
	s.portal.onServe = func(served int) {
		if !asked.IsZero() && time.Since(asked) > 2*holdPoll {
			s.failf("a report began %v after the pause", time.Since(asked))
		}
		if served == at {
			asked = time.Now()
			close(asking)
		}
	}
	s.portal.mu.Unlock()
	ended := make(chan struct{})
	finished := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-asking:
			if changed, err := other.Pause(ctx, "somebody", ""); err != nil || !changed {
				s.failf("pausing: %v", err)
			}
		case <-finished:
		}
	}()
	s.interrupted++
	_, _, err := s.process(host, trouble{})
	close(finished)
	<-ended
	s.portal.mu.Lock()
	s.portal.onServe = nil
	s.portal.mu.Unlock()
	var failure *extractors.Failure
	if !asked.IsZero() && err != nil {
		if !errors.As(err, &failure) || failure.Cause != extractors.Paused {
			s.failf("a paused run ended with %v", err)
		}
		before := s.portal.served
		if _, _, again := s.process(host, trouble{}); !errors.As(again, &failure) || failure.Cause != extractors.Paused || s.portal.served != before {
			s.failf("a paused clinic was extracted: %v", again)
		}
	}
	if _, resuming := other.Resume(ctx); resuming != nil {
		s.failf("resuming: %v", resuming)
	}
	return err
}

// two runs two processes on two machines; it succeeds if one of them does.
func (s *simulation) two(first, second trouble, apart time.Duration) error {
	errs := make(chan error, 2)
	go func() {
		_, _, err := s.process("a", first)
		errs <- err
	}()
	go func() {
		time.Sleep(apart)
		_, _, err := s.process("b", second)
		errs <- err
	}()
	one, other := <-errs, <-errs
	// The second may have come when the first had landed, and read everything once more.
	s.rerun = s.landings() > s.portal.night+1
	if one == nil || other == nil {
		return nil
	}
	return one
}

// landings counts the runs that have landed.
func (s *simulation) landings() int {
	ctx := context.Background()
	clinic := s.site(&machine{}, "checker").Clinic
	landed := map[string]bool{}
	for n := int64(1); ; n++ {
		commit, err := clinic.At(ctx, n)
		if err != nil {
			return len(landed)
		}
		if commit.Kind == lake.Ingest {
			landed[string(commit.Sources[portalSource])] = true
		}
	}
}

// check holds a night's outcome against everything that must hold.
func (s *simulation) check(night int, ref reference) {
	ctx := context.Background()
	site := s.site(&machine{}, "checker")
	head, err := site.Clinic.Head(ctx)
	if err != nil {
		s.failf("%v", err)
		return
	}
	// The same plain bytes as of an undisturbed run: objects are named by a keyed hash of them.
	compared := func(c *lake.Commit, of int) (want, got string) {
		if s.restless {
			return "", "" // such a history is compared at its end
		}
		return describeData(ref.commits[of]), describeData(c)
	}
	want, got := compared(head, night)
	if want != got {
		s.failf("night %d: the lake differs from that of an undisturbed run:\n%s\nwant\n%s", night, got, want)
	}
	// At most one report is read twice for each interruption, and none is lost.
	if repeats := s.portal.served - ref.served[night] - s.discarded; !s.restless && (repeats+s.discarded < 0 || repeats > s.interrupted) {
		s.failf("night %d: %d reports were read, %d in an undisturbed run, with %d interruptions", night, s.portal.served, ref.served[night], s.interrupted)
	}
	// Nothing is left behind.
	for name, err := range s.store.List(ctx, "clinic=simulated/staging/", "") {
		s.failf("night %d: left behind: %s %v", night, name, err)
	}
	if run, _, err := recordOf[extractionRecord](site, extractionRegister, "").read(ctx); err != nil || !landedRun(head.Sources[portalSource], run.Run) {
		s.failf("night %d: a run is still in progress: %+v %v", night, run, err)
	}
	// Data becomes visible once a night, whole.
	landed := 0
	for n := int64(1); n <= head.Number; n++ {
		commit, err := site.Clinic.At(ctx, n)
		if err != nil {
			s.failf("%v", err)
			return
		}
		if commit.Kind == lake.Ingest {
			landed++
			if want, got := compared(commit, min(landed-1, night)); want != got {
				s.failf("night %d: commit %d shows half of a run", night, n)
			}
		} else if n > 1 {
			before, err := site.Clinic.At(ctx, n-1)
			if err != nil || describeData(before) != describeData(commit) {
				s.failf("night %d: commit %d, of a failed run, changes data (%v)", night, n, err)
			}
		}
	}
	if landed != night+1 {
		s.failf("night %d: %d commits of data", night, landed)
	}
	s.checkLedger(ctx, site, head)
}

// checkLedger holds the access ledger against what the portal saw: what a process that was not killed did is all there,
// and nothing is there that was not done.
func (s *simulation) checkLedger(ctx context.Context, site *Site, head *lake.Commit) {
	lines := map[string]bool{}
	for row, err := range lake.Rows(ctx, site.Clinic.Snapshot(head), lake.AccessLedger) {
		if err != nil {
			s.failf("%v", err)
			return
		}
		lines[row.Subject] = true
	}
	missing := 0
	for i, l := range s.portal.log {
		key := fmt.Sprintf("%s #%d", l.subject, i+1)
		if !lines[key] {
			missing++
			if l.told {
				s.sayf("not in the ledger: %s", key)
			}
		}
		delete(lines, key)
	}
	for key := range lines {
		s.failf("the ledger has a line that the portal has not: %q", key)
	}
	// A report makes two lines, signing in and out one each: what was done since the last staged report.
	if missing > 4*s.allInterrupted {
		s.failf("%d lines are missing from the ledger after %d interruptions", missing, s.allInterrupted)
	}
}

// simulated finds what a process says of how much it has simulated.
var simulated = regexp.MustCompile(`(\d+) processes in \d+ histories`)

// describeData names the rows of every dataset, what is known to be gone, and what is covered.
func describeData(c *lake.Commit) string {
	var out strings.Builder
	for _, name := range sortedKeys(c.Datasets) {
		if name == contract.AccessLedger {
			continue
		}
		d := c.Datasets[name]
		fmt.Fprintf(&out, "%s", name)
		for _, o := range d.Objects {
			fmt.Fprintf(&out, " %s", o.Path[strings.LastIndex(o.Path, "month="):][:20])
		}
		if d.Removed != nil {
			fmt.Fprintf(&out, " removed %s", d.Removed.Path)
		}
		fmt.Fprintf(&out, " %v\n", d.Covers)
	}
	return out.String()
}

// TestSimulation runs thousands of nights that go wrong in every way, each from a seed: kills at any step before and after
// it took effect, steps that fail, a portal that fails, that takes the password no more or ends the access, a day's requests that are spent, pauses, two
// machines at once, machines that stand still, and a portal whose rows go, move, and are renumbered from night to night, or
// while a run is at work. Then everything that must hold is checked. One seed is run
// again, with what happened, by
//
//	go test ./pipeline -run TestSimulation -seed N
func TestSimulation(t *testing.T) {
	if os.Getenv("FALLOFF_SIMULATION") == "" {
		t.Parallel()
		// Libraries pool what they made in a bubble of simulated time, and nothing outside of it may use that: so the
		// simulation has processes of its own, one a processor, since in a bubble one thing is done at a time.
		parts := 1
		if *oneSeed == 0 {
			parts = runtime.GOMAXPROCS(0)
		}
		said := make([][]byte, parts)
		var all errgroup.Group
		for part := range parts {
			all.Go(func() (err error) {
				cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSimulation$", "-test.v", "-test.timeout=0",
					fmt.Sprintf("-seed=%d", *oneSeed), fmt.Sprintf("-simulations=%d", *runs), fmt.Sprintf("-share=%d", part), fmt.Sprintf("-shares=%d", parts))
				cmd.Env = append(os.Environ(), "FALLOFF_SIMULATION=1", "GOGC=400", "GOMAXPROCS=2")
				said[part], err = cmd.CombinedOutput()
				return err
			})
		}
		err := all.Wait()
		processes := 0
		for _, out := range said {
			t.Logf("%s", out)
			if counted := simulated.FindSubmatch(out); counted != nil {
				n, _ := strconv.Atoi(string(counted[1]))
				processes += n
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		least := 1_000
		if os.Getenv("FALLOFF_LONG") != "" {
			least = 30_000
		}
		if t.Logf("%d processes in all", processes); *oneSeed == 0 && *runs == 0 && processes < least {
			t.Errorf("%d processes prove little: %d are wanted", processes, least)
		}
		return
	}
	n := *runs
	if n == 0 {
		n = 110
		if os.Getenv("FALLOFF_LONG") != "" {
			n = 4_000
		}
	}
	seeds := make([]uint64, 0, n)
	for seed := range uint64(n) {
		if seed%*shares == *share {
			seeds = append(seeds, seed+1)
		}
	}
	if *oneSeed != 0 {
		seeds = []uint64{*oneSeed}
	}
	synctest.Test(t, func(t *testing.T) {
		references := make([]reference, worlds)
		processes := 0
		for _, seed := range seeds {
			w := seed % worlds
			if references[w].commits == nil {
				references[w] = newReference(t, w)
			}
			s := newSimulation(t, seed, w)
			s.restless = seed%5 == 0
			for night := range simNights {
				s.interrupted, s.discarded = 0, 0
				s.begin(night, w)
				s.night(references[w].steps[night])
				s.allInterrupted += s.interrupted
				if !s.rerun {
					s.check(night, references[w])
				}
				if t.Failed() || s.rerun {
					break
				}
			}
			if s.restless && !s.rerun && !t.Failed() {
				s.closeHistory(w)
			}
			processes += s.ran
			if t.Failed() || *oneSeed != 0 {
				t.Logf("seed %d:\n%s", seed, strings.Join(s.said, "\n"))
			}
			if t.Failed() {
				t.Fatalf("seed %d failed: go test ./pipeline -run TestSimulation -seed %d", seed, seed)
			}
		}
		t.Logf("%d processes in %d histories", processes, len(seeds))
	})
}
