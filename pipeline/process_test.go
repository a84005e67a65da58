package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/browser"
	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/extractors/simclinic/portal"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/transforms/secret"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// extractorEnv makes the test binary a program that extracts once and says how that ended. It holds an errand as JSON.
const extractorEnv = "FALLOFF_TEST_EXTRACTOR"

func TestMain(m *testing.M) {
	if work := os.Getenv(extractorEnv); work != "" {
		os.Exit(extractorProcess(work))
	}
	// Half of the tests wait for a browser, and half compute: more of them run at once than there are processors, unless -parallel
	// says otherwise.
	if err := flag.Set("test.parallel", "3"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// errand is what such a program is to do.
type errand struct {
	Lake, Config, Scratch, Portal, Settings string
	Day                                     civil.Date
	Trailing                                int
	Only                                    []string
	// Credentials is the id of what it signs in with.
	Credentials string
}

// errandDone is what it says at its end, as JSON.
type errandDone struct {
	Extracted *pipeline.Extracted
	Error     string
	Cause     extractors.Cause
	Busy      *pipeline.Lease
}

// extractorProcess is that program.
func extractorProcess(work string) int {
	var e errand
	var done errandDone
	err := json.Unmarshal([]byte(work), &e)
	if err == nil {
		done.Extracted, err = e.extract(context.Background())
	}
	if err != nil {
		done.Error = err.Error()
		if failure := new(extractors.Failure); errors.As(err, &failure) {
			done.Cause = failure.Cause
		}
		if busy := new(pipeline.BusyError); errors.As(err, &busy) {
			done.Busy = &busy.Lease
		}
	}
	if json.NewEncoder(os.Stdout).Encode(done) != nil || err != nil {
		return 1
	}
	return 0
}

func (e errand) extract(ctx context.Context) (*pipeline.Extracted, error) {
	unlocked, err := vault.Open(ctx, vault.Options{ConfigDir: e.Config})
	if err != nil {
		return nil, err
	}
	site, err := pipeline.OpenSite(ctx, pipeline.SiteOptions{Lake: e.Lake, Clinic: "staged", ConfigDir: e.Config, Vault: unlocked})
	if err != nil {
		return nil, err
	}
	seal, err := unlocked.AEAD(ctx, "staged", "staging")
	if err != nil {
		return nil, err
	}
	typed, err := settings.Parse([]byte(e.Settings), "clinic.yaml")
	if err != nil {
		return nil, err
	}
	clerk := portal.DefaultClerk()
	browser.Sweep(e.Scratch) // as falloff run does it
	return site.Extract(ctx, pipeline.ExtractOptions{
		Portal: realPortal{url: e.Portal, scratch: e.Scratch}, Credentials: e.Credentials, Account: secret.FromText(clerk.Username),
		Settings: &typed, Seal: seal, Budget: -1, Plan: pipeline.PlanOptions{Day: e.Day, Trailing: e.Trailing, Ahead: 20, Only: e.Only},
		Progress: func(s pipeline.Step) { fmt.Fprintf(os.Stderr, "%+v\n", s) },
	})
}

// realPortal orders through a real browser.
type realPortal struct{ url, scratch string }

func (p realPortal) Kinds() []extractors.ReportKind {
	profile, err := jane.DefaultProfile()
	if err != nil {
		panic(err)
	}
	return profile.Kinds()
}

func (p realPortal) Visit(orders []extractors.Order, w pipeline.Watch) (extractors.Source, error) {
	clerk := portal.DefaultClerk()
	return jane.New(jane.Config{
		BaseURL: p.url, Account: jane.NewCredentials(clerk.Username, clerk.Password), Format: "csv", Orders: orders,
		ObservedOn: w.ObservedOn, Pause: w.Before, Budget: w.Budget, Access: w.Access,
		Browser: browser.Config{ScratchParent: p.scratch},
	})
}

// child is a running extractor.
type child struct {
	cmd          *exec.Cmd
	said, worked bytes.Buffer
	ended        chan struct{}
}

func startChild(t *testing.T, e errand) *child {
	t.Helper()
	work, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(self), ended: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), extractorEnv+"="+string(work))
	c.cmd.Stdout, c.cmd.Stderr = &c.said, &c.worked
	c.cmd.WaitDelay = 10 * time.Second
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = c.cmd.Wait()
		close(c.ended)
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.ended
	})
	return c
}

// wait waits for the end. killed says that it did not come to say how it ended.
func (c *child) wait(t *testing.T) (done errandDone, killed bool) {
	t.Helper()
	select {
	case <-c.ended:
	case <-time.After(5 * time.Minute):
		t.Fatalf("the extractor does not end; it said\n%s", c.worked.String())
	}
	if c.cmd.ProcessState.ExitCode() == -1 {
		return done, true
	}
	if err := json.Unmarshal(c.said.Bytes(), &done); err != nil {
		t.Fatalf("the extractor said %q: %v\n%s", c.said.String(), err, c.worked.String())
	}
	return done, false
}

// browsersIn lists the processes that work in a folder, and of these the ones that parent started.
func browsersIn(t *testing.T, folder string, parent int) (all, own []int) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(paths) == 0 {
		t.Fatal("this test looks for processes in /proc, which is not there")
	}
	for _, path := range paths {
		home := filepath.Dir(path)
		line, _ := os.ReadFile(path)
		at, _ := os.Readlink(filepath.Join(home, "cwd"))
		if !bytes.Contains(line, []byte(folder)) && !strings.HasPrefix(at, folder) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(home))
		if err != nil || pid == parent {
			continue
		}
		stat, _ := os.ReadFile(filepath.Join(home, "stat"))
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		all = append(all, pid)
		if len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			own = append(own, pid)
		}
	}
	return all, own
}

// eventually waits, generously, for something that must come.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("it never came that %s", what)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// exportsOf counts the portal's exports by report and range, from the activity log's entry number from on.
func exportsOf(p *portal.Portal, from int) map[string]int {
	out := map[string]int{}
	for _, e := range p.Activity()[from:] {
		if e.Action == portal.ActionExported {
			out[fmt.Sprintf("%s %s %s", e.Subject, e.Filters.From, e.Filters.To)]++
		}
	}
	return out
}

// landedData names all data of the newest commit: the objects, which are named by their plain bytes, what is known to be gone,
// and what is covered.
func landedData(t *testing.T, lakeAt, config string) string {
	t.Helper()
	ctx := t.Context()
	site, err := pipeline.OpenSite(ctx, pipeline.SiteOptions{Lake: lakeAt, Clinic: "staged", ConfigDir: config})
	if err != nil {
		t.Fatal(err)
	}
	head, err := site.Clinic.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for name, d := range head.Datasets {
		if name == "access_ledger" {
			continue
		}
		for _, o := range d.Objects {
			out = append(out, o.Path)
		}
		if d.Removed != nil {
			out = append(out, d.Removed.Path)
		}
		out = append(out, fmt.Sprint(name, d.Covers))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}
