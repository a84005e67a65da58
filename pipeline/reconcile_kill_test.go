package pipeline_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/simclinic/portal"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/transforms/contract"
)

// reconciled reads the portal's activity log anew and holds the ledger against it.
func (s *theatre) reconciled(t *testing.T) *pipeline.Reconciled {
	t.Helper()
	today := civil.DateOf(time.Now().In(s.clinic.Zone()))
	look := s.errand
	look.Only, look.Day, look.Trailing = []string{contract.ActivityReport}, today, 3
	if done, killed := startChild(t, look).wait(t); killed || done.Error != "" {
		t.Fatalf("reading the activity log: %s", done.Error)
	}
	site, err := pipeline.OpenSite(t.Context(), pipeline.SiteOptions{Lake: s.Lake, Clinic: "staged", ConfigDir: s.Config})
	if err != nil {
		t.Fatal(err)
	}
	found, err := site.Reconcile(t.Context(), extractors.Window{From: today.AddDays(-1), To: today})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// things are lines of a log in words, in an order of their own.
func things(lines []pipeline.AccessedThing) []string {
	var out []string
	for _, l := range lines {
		out = append(out, strings.TrimSpace(l.Action+" "+l.Subject))
	}
	slices.Sort(out)
	return out
}

// TestReconcileAfterAKilledRun ends a run against a real browser with kill -9, when the portal has made an export and its
// file is being fetched. Of what that run did, nothing but the portal's log and the run's intent is left. It raises no alarm; what
// somebody else does with the account still does.
func TestReconcileAfterAKilledRun(t *testing.T) {
	s := newTheatre(t)
	s.Lake = filepath.Join(s.dir, "lake")
	s.Only = []string{"appointments", "sales"}
	release := make(chan struct{})
	t.Cleanup(sync.OnceFunc(func() { close(release) }))
	var c *child
	var files atomic.Int64
	started := make(chan struct{})
	s.on(func(r portal.Request) {
		// At the second file, so that what came with the first is kept, and the credentials have proven themselves.
		if strings.HasPrefix(r.Path, "/downloads/") && strings.HasSuffix(r.Path, ".csv") && files.Add(1) == 2 {
			<-started
			_ = c.cmd.Process.Kill()
			<-release
		}
	})
	c = startChild(t, s.errand)
	close(started)
	if done, killed := c.wait(t); !killed {
		t.Fatalf("the run was not killed: %+v\n%s", done, c.worked.String())
	}
	s.on(nil)
	var exported []string
	for _, e := range s.staff.Activity() {
		if e.Action == portal.ActionExported {
			exported = append(exported, e.Subject)
		}
	}
	if len(exported) != 2 {
		t.Fatalf("the killed run had exported %q", exported)
	}

	if done, killed := startChild(t, s.errand).wait(t); killed || done.Error != "" || done.Extracted.Resumed != 1 {
		t.Fatalf("the run after it: %+v", done)
	}
	found := s.reconciled(t)
	report := found.Unfinished
	for _, l := range report {
		if l.Subject != "sales" {
			t.Errorf("taken for the killed run's: %s %s", l.Action, l.Subject)
		}
	}
	if lines := things(report); !slices.Contains(lines, "exported sales") || !slices.Contains(lines, "ran sales") || slices.Contains(lines, "downloaded sales") {
		t.Errorf("the killed run's are %q", lines)
	}
	if len(found.OnlyTheirs) > 0 || len(found.OnlyOurs) > 0 || found.Matched == 0 || found.Alarm() != nil {
		t.Errorf("%d matched, only theirs %q, only ours %q: %v", found.Matched, things(found.OnlyTheirs), things(found.OnlyOurs), found.Alarm())
	}
	killedRuns := len(report)

	s.intrude(t)
	found = s.reconciled(t)
	if got, want := things(found.OnlyTheirs), []string{"opened schedule", "signed_in"}; !slices.Equal(got, want) {
		t.Errorf("only theirs are %q, want %q", got, want)
	}
	if len(found.Unfinished) != killedRuns || len(found.OnlyOurs) > 0 {
		t.Errorf("the killed run's are %q, only ours %q", things(found.Unfinished), things(found.OnlyOurs))
	}
	if alarm := new(pipeline.AlarmError); !errors.As(found.Alarm(), &alarm) {
		t.Errorf("no alarm: %v", found.Alarm())
	}
	s.demandInnocent(t, "at the end")
}

// intrude signs in with the account as somebody else who has its password, and opens the schedule.
func (s *theatre) intrude(t *testing.T) {
	t.Helper()
	clerk := portal.DefaultClerk()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Timeout: time.Minute}
	token, csrf := regexp.MustCompile(`"csrf": ?"([A-Z0-9]+)"`), ""
	for _, call := range []struct{ method, path, body string }{
		{http.MethodGet, "/admin", ""},
		{http.MethodPost, "/api/session", fmt.Sprintf(`{"username":%q,"password":%q}`, clerk.Username, clerk.Password)},
		{http.MethodGet, "/api/schedule", ""},
	} {
		request, err := http.NewRequestWithContext(t.Context(), call.method, s.Portal+call.path, bytes.NewReader([]byte(call.body)))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-CSRF-Token", csrf)
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %d, %v", call.method, call.path, answer.StatusCode, err)
		}
		if found := token.FindSubmatch(text); found != nil {
			csrf = string(found[1])
		}
	}
}
