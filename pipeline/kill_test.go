package pipeline_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/simclinic"
	"github.com/falloff-analytics/falloff/extractors/simclinic/canary"
	"github.com/falloff-analytics/falloff/extractors/simclinic/portal"
)

// theatre is a simulated portal, and folders for extractors of their own process.
type theatre struct {
	errand

	dir      string
	clinic   *simclinic.Clinic
	staff    *portal.Portal
	searcher *canary.Searcher
	// onRequest, where set, is called before the portal answers.
	onRequest atomic.Pointer[func(r portal.Request)]
}

func newTheatre(t *testing.T) *theatre {
	t.Helper()
	s := &theatre{dir: t.TempDir()}
	dials := simclinic.DefaultDials()
	dials.Patients, dials.From, dials.Seed = 50, civil.Date{Year: 2025, Month: time.October, Day: 1}, 5
	var err error
	if s.clinic, err = simclinic.New(dials); err != nil {
		t.Fatal(err)
	}
	s.staff, err = portal.New(s.clinic, portal.Options{
		ExportDelay: portal.DelayRange{Min: time.Millisecond, Max: 20 * time.Millisecond},
		BeforeRequest: func(r portal.Request) {
			if do := s.onRequest.Load(); do != nil {
				(*do)(r)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.staff.Close)
	url, stop, err := s.staff.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	// In memory where there is such a place, and with a short name, which Chromium's sockets need.
	parent := "/dev/shm"
	if at, err := os.Stat(parent); err != nil || !at.IsDir() {
		parent = "/tmp"
	}
	scratch, err := os.MkdirTemp(parent, "fo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(scratch) })
	if err := os.Mkdir(filepath.Join(s.dir, "tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", filepath.Join(s.dir, "tmp"))
	s.errand = errand{
		Config: filepath.Join(s.dir, "config"), Scratch: scratch, Portal: url, Settings: string(s.clinic.SettingsYAML()),
		Day: s.clinic.ReportDate(), Trailing: 40, Only: []string{"appointments", "sales", "claims", "transactions", "write_off"}, Credentials: "first",
	}
	planted := s.clinic.Planted()
	for _, id := range s.clinic.Identifiers() {
		if len(id.Value) >= 8 { // shorter ones occur by chance
			planted = append(planted, id.Value)
		}
	}
	if s.searcher, err = canary.New(planted); err != nil {
		t.Fatal(err)
	}
	return s
}

// on has something done before each answer of the portal from now on.
func (s *theatre) on(do func(r portal.Request)) {
	if do == nil {
		s.onRequest.Store(nil)
		return
	}
	s.onRequest.Store(&do)
}

// demandInnocent looks for planted identities in everything that was written.
func (s *theatre) demandInnocent(t *testing.T, when string) {
	t.Helper()
	for _, root := range []string{s.dir, s.Scratch} {
		hits, err := s.searcher.Tree(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range hits {
			t.Errorf("%s, a planted identity (%s) is in %q", when, h.Form, h.File)
		}
	}
}

// objects counts the files below a lake.
func objects(lakeAt string) (n int) {
	_ = filepath.WalkDir(lakeAt, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			n++
		}
		return nil
	})
	return n
}

// A blow is what ends a run: when, and whom.
type blow struct {
	// request is the number of the portal's request before which it falls, 0 where objects is set: how many objects the lake
	// holds when it falls.
	request, objects int
	// browser says that Chromium is ended, and not the program.
	browser bool
}

func (b blow) String() string {
	whom := "falloff"
	if b.browser {
		whom = "Chromium"
	}
	if b.objects > 0 {
		return fmt.Sprintf("%s at object %d", whom, b.objects)
	}
	return fmt.Sprintf("%s at request %d", whom, b.request)
}

// fall ends a child, or its browser, at the chosen moment. What is returned says whether that was done, once the child has ended.
func (s *theatre) fall(t *testing.T, b blow, start func() *child) (c *child, struck func() bool) {
	t.Helper()
	var once sync.Once
	var done atomic.Bool
	started := make(chan struct{})
	strike := func() {
		once.Do(func() {
			<-started
			done.Store(true)
			if !b.browser {
				_ = c.cmd.Process.Kill()
				return
			}
			_, own := browsersIn(t, s.Scratch, c.cmd.Process.Pid)
			for _, pid := range own {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		})
	}
	if b.request > 0 {
		var seen atomic.Int64
		s.on(func(portal.Request) {
			if seen.Add(1) == int64(b.request) {
				strike()
			}
		})
	}
	c = start()
	close(started)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for b.objects > 0 && objects(s.Lake) < b.objects {
			select {
			case <-c.ended:
				return
			case <-time.After(time.Millisecond):
			}
		}
		if b.objects > 0 {
			strike()
		}
	}()
	return c, func() bool {
		<-watched
		s.on(nil)
		return done.Load()
	}
}

// TestKilledRuns ends runs against a real browser with kill -9, ours or Chromium, at moments that a seed chooses, and runs
// again until the data has landed. What lands must be that of an undisturbed run, to the byte; no report but the one that was
// being read may be asked for twice; and nothing may stay behind: no process, no folder of the browser's, no part of a
// run, and nowhere an identity, neither right after the kill nor at the end.
func TestKilledRuns(t *testing.T) {
	const seed = 20261125
	chance := rand.New(rand.NewPCG(seed, 1))
	s := newTheatre(t)
	s.Lake = filepath.Join(s.dir, "lake-undisturbed")
	if done, killed := startChild(t, s.errand).wait(t); killed || done.Error != "" {
		t.Fatalf("undisturbed: %s", done.Error)
	}
	want, exports := landedData(t, s.Lake, s.Config), exportsOf(s.staff, 0)
	requests, kept := len(s.staff.Requests()), objects(s.Lake)
	s.demandInnocent(t, "after an undisturbed run")

	runs := 3
	if os.Getenv("FALLOFF_LONG") != "" {
		runs = 12
	}
	t.Logf("seed %d: %d runs; undisturbed: %d requests, %d exports, %d objects", seed, runs, requests, len(exports), kept)
	for i := range runs {
		b := blow{request: 1 + chance.IntN(requests)}
		switch i % 3 {
		case 1:
			b = blow{objects: 1 + chance.IntN(kept)}
		case 2:
			b.browser = true
		}
		t.Run(fmt.Sprint(i+1, " ", b), func(t *testing.T) {
			s.Lake = filepath.Join(s.dir, fmt.Sprintf("lake-%d", i))
			s.survive(t, b, want, exports)
		})
	}
}

// survive is one of these runs.
func (s *theatre) survive(t *testing.T, b blow, want string, exports map[string]int) {
	t.Helper()
	before := len(s.staff.Activity())
	c, struck := s.fall(t, b, func() *child { return startChild(t, s.errand) })
	done, killed := c.wait(t)
	if !struck() {
		t.Logf("the run had ended before the blow fell: %s", done.Error)
	}
	if killed == b.browser && struck() {
		t.Errorf("killed is %v: %s", killed, done.Error)
	}
	s.demandInnocent(t, "right after the blow")
	eventually(t, "no process of the browser is left", func() bool {
		all, _ := browsersIn(t, s.Scratch, c.cmd.Process.Pid)
		return len(all) == 0
	})
	for attempt := 0; killed || done.Error != ""; attempt++ {
		if attempt == 3 {
			t.Fatalf("none of three runs after the blow came to its end: %s (%s)", done.Error, done.Cause)
		}
		again := s.errand
		if done.Cause == extractors.WrongPassword {
			// It was killed while it signed in for the first time, so nobody knows whether the password was refused: a person
			// gives it again.
			again.Credentials = "second"
		}
		done, killed = startChild(t, again).wait(t)
	}
	if got := landedData(t, s.Lake, s.Config); got != want {
		t.Errorf("the lake differs from that of an undisturbed run:\n%s\nwant\n%s", got, want)
	}
	repeated := 0
	for what, n := range exportsOf(s.staff, before) {
		if exports[what] == 0 {
			t.Errorf("exported, but not by an undisturbed run: %s", what)
		}
		repeated += n - exports[what]
	}
	if repeated > 1 {
		t.Errorf("%d reports were exported again after one blow", repeated)
	}
	if left, err := filepath.Glob(filepath.Join(s.Scratch, "*")); err != nil || len(left) > 0 {
		t.Errorf("the browser's folders were left: %v %v", left, err)
	}
	if staged := objects(filepath.Join(s.Lake, "clinic=staged", "staging")); staged > 0 {
		t.Errorf("%d parts of the run are left", staged)
	}
	if all, _ := browsersIn(t, s.Scratch, 0); len(all) > 0 {
		t.Errorf("%d processes of the browser are left", len(all))
	}
	s.demandInnocent(t, "at the end")
}

// TestTwoProcesses starts a second run while one is at work: it is refused and told by whom, and takes over at once when
// the first was killed, on the same machine.
func TestTwoProcesses(t *testing.T) {
	s := newTheatre(t)
	s.Lake = filepath.Join(s.dir, "lake")
	reached, release := make(chan struct{}), make(chan struct{})
	var exports atomic.Int64
	s.on(func(r portal.Request) {
		// At the second export, so that the credentials have proven themselves at the first.
		if r.Method == http.MethodPost && r.Path == "/api/exports" && exports.Add(1) == 2 {
			close(reached)
			<-release
		}
	})
	letGo := sync.OnceFunc(func() { close(release) })
	t.Cleanup(letGo)
	first := startChild(t, s.errand)
	select {
	case <-reached:
	case <-first.ended:
		t.Fatalf("the first run ended: %s", first.said.String())
	case <-time.After(3 * time.Minute):
		t.Fatal("the first run never asked for an export")
	}
	signIns := len(s.staff.SignIns())

	done, _ := startChild(t, s.errand).wait(t)
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if done.Busy == nil || done.Busy.PID != first.cmd.Process.Pid || done.Busy.Host != host || done.Busy.Since.IsZero() {
		t.Fatalf("the second run ended with %q and was told of %+v", done.Error, done.Busy)
	}
	for _, part := range []string{host, fmt.Sprint("process ", first.cmd.Process.Pid), done.Busy.Since.UTC().Format("2006-01-02 15:04:05")} {
		if !strings.Contains(done.Error, part) {
			t.Errorf("%q does not name %q", done.Error, part)
		}
	}
	if now := len(s.staff.SignIns()); now != signIns {
		t.Errorf("the refused run signed in")
	}

	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-first.ended
	letGo()
	began := time.Now()
	var reachedAgain atomic.Int64
	s.on(func(portal.Request) { reachedAgain.CompareAndSwap(0, int64(time.Since(began))) })
	done, killed := startChild(t, s.errand).wait(t)
	if killed || done.Error != "" {
		t.Fatalf("the run after it: %s", done.Error)
	}
	// A lease that must be waited for lasts a minute from its last renewal, and is then watched for 20 seconds more.
	if waited := time.Duration(reachedAgain.Load()); waited == 0 || waited > 40*time.Second {
		t.Errorf("the run after it reached the portal after %v", waited)
	}
	if head := landedData(t, s.Lake, s.Config); head == "" {
		t.Error("nothing landed")
	}
}
