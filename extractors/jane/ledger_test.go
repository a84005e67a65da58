package jane_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/extractors/simclinic/portal"
)

// titles are the portal's names of the reports that the profile names otherwise.
var titles = map[string]string{"Claim submissions": "claims", "Insurance policies": "insurance_policies", "Sales": "sales"}

// theirs is a line of the portal's own log in the words of ours.
func theirs(e portal.Entry) string {
	window := extractors.Window{From: e.Filters.From, To: e.Filters.To}
	subject, format, _ := strings.Cut(e.Subject, " to ")
	if name := titles[subject]; name != "" {
		subject = name
	}
	switch e.Action {
	case portal.ActionSignedIn:
		return "signed_in"
	case portal.ActionAsked:
		return "code_asked"
	case portal.ActionRefused:
		return "refused"
	case portal.ActionSignedOut:
		return "signed_out"
	case portal.ActionOpened:
		return strings.Replace("opened "+subject, "account settings", "account", 1)
	case portal.ActionRan:
		return fmt.Sprintf("ran %s %s %d", subject, window, e.Rows)
	case portal.ActionExported:
		return fmt.Sprintf("exported %s %s %d %s", subject, window, e.Rows, format)
	case portal.ActionPreviewed, portal.ActionDownloaded:
		for _, name := range titles {
			if strings.Contains(e.Subject, name) {
				subject = name
			}
		}
		return strings.ToLower(string(e.Action)) + " " + subject
	}
	return "? " + string(e.Action)
}

func ours(a extractors.Access) string {
	switch a.Action {
	case extractors.ActionRan:
		return fmt.Sprintf("ran %s %s %d", a.Subject, a.Window, a.Rows)
	case extractors.ActionExported:
		return fmt.Sprintf("exported %s %s %d CSV", a.Subject, a.Window, a.Rows)
	}
	return strings.TrimSpace(a.Action + " " + a.Subject)
}

// TestAccessLedger holds our ledger against the portal's own log of a run in which much goes wrong on the way: line by
// line, in order, with range and rows.
func TestAccessLedger(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	var p *portal.Portal
	p, url := startPortal(t, portal.Options{
		Accounts: clerkWith(portal.ByApp, appSecret), Clock: clock.ahead(30 * time.Second), CodeTolerance: -1,
		BeforeRequest: whenAsked("GET", "/api/reports/sales", func() { p.LimitRate(1, time.Second) }),
	})
	p.PagesInsteadOfFiles(1)
	p.FaultExports(portal.ExportTruncated)
	cfg := withCodes(url, appSecret, clock)
	cfg.Orders = orders("claims", "sales")
	var lines []extractors.Access
	cfg.Access = func(a extractors.Access) { lines = append(lines, a) }
	if reports, _, err := read(t, cfg); err != nil || len(reports) != 2 {
		t.Fatalf("%d reports, %v", len(reports), err)
	}
	var want, got []string
	for _, e := range p.Activity() {
		want = append(want, theirs(e))
	}
	refused := 0
	for _, a := range lines {
		if a.At.IsZero() || a.Route == "" || strings.Contains(fmt.Sprint(a), "harbour") {
			t.Errorf("the line says too little or too much: %+v", a)
		}
		switch {
		case a.Outcome == extractors.AccessDone || a.Action == extractors.ActionRefused:
			got = append(got, ours(a))
		default:
			refused++
		}
		if a.Action == extractors.ActionDownloaded && a.Outcome == extractors.AccessDone && a.Bytes <= 0 {
			t.Errorf("a file without bytes: %+v", a)
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("ours:\n%s\n\ntheirs:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// The page in a file's place, and the report that was limited.
	if refused != 2 {
		t.Errorf("%d lines were refused, want 2: %+v", refused, lines)
	}
	if len(got) < 20 || got[0] != "code_asked" || got[1] != "refused" || got[2] != "signed_in" || got[len(got)-1] != "signed_out" {
		t.Errorf("the ledger is %v", got)
	}
}

// TestTheBrowserIsKnownAgain runs twice with what the first run kept: the second is asked for the password alone, and
// nobody gets a mail about a new device.
func TestTheBrowserIsKnownAgain(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	for _, trust := range []bool{true, false} {
		p, url := startPortal(t, portal.Options{Accounts: clerkWith(portal.ByApp, appSecret), Clock: clock.now, TrustBrowser: trust})
		var state []byte
		run := func() {
			cfg := withCodes(url, appSecret, clock)
			cfg.State, cfg.KeepState = state, func(kept []byte) { state = kept }
			if reports, _, err := read(t, cfg); err != nil || len(reports) != 1 {
				t.Fatalf("%d reports, %v", len(reports), err)
			}
		}
		run()
		run()
		codes := 2
		if trust {
			codes = 1
		}
		if len(p.Codes()) != codes || len(p.SignIns()) != 2 || p.NewDeviceMails() != 1 {
			t.Errorf("trust %v: %d codes, want %d; %d sign-ins; %d mails about new devices, want the first alone", trust, len(p.Codes()), codes, len(p.SignIns()), p.NewDeviceMails())
		}
		// Damaged, it is as good as none.
		state = []byte(`{"version":1,"browser":"bm90IGEgc3RhdGU="}`)
		if trust {
			run()
			// With it went the knowledge of the code that was used.
			if got := outcomes(p); len(got) != 3 || got[1] != portal.CodeUsed || got[2] != portal.CodeAccepted || p.NewDeviceMails() != 2 {
				t.Errorf("%v, %d mails", got, p.NewDeviceMails())
			}
		}
		wantHarmless(t, p)
	}
}

func TestAWriteEndsTheRun(t *testing.T) {
	t.Parallel()
	p, url := startPortal(t, portal.Options{})
	p.TryWrites(1)
	cfg := config(url)
	cfg.Orders = orders("claims", "sales")
	reports, ledger, err := read(t, cfg)
	failure := wantCause(t, err, extractors.RefusedWrite)
	if len(reports) > 0 || failure.Attempts != 1 || failure.Cause.Retryable() || !strings.Contains(failure.Error(), "POST /api/payments") {
		t.Errorf("%d reports came, then %v", len(reports), failure)
	}
	if p.PaymentsRecorded() != 0 || ledger.RefusedWrites() == 0 || len(p.SignIns()) != 1 {
		t.Errorf("%d payments were recorded, %d writes were refused, %d sign-ins", p.PaymentsRecorded(), ledger.RefusedWrites(), len(p.SignIns()))
	}
	for _, r := range p.Trespasses() {
		t.Errorf("the portal received %s %s", r.Method, r.Path)
	}
}

func TestAPageThatHangsIsReplaced(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name              string
		hangs             int
		attempts, signIns int
	}{
		{"once", 1, 0, 1},
		{"twice", 2, 0, 2},
		{"for ever", 1000, 4, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, url := startPortal(t, portal.Options{})
			p.HangPages(test.hangs)
			cfg := config(url)
			cfg.Orders = orders("claims")
			cfg.Timeouts.Answer = 10 * time.Second // less would take a busy machine for a page that hangs
			scratch := shortDir(t)
			cfg.Browser.ScratchParent = scratch
			var told events
			cfg.Progress = told.add
			reports, _, err := read(t, cfg)
			if test.attempts > 0 {
				if failure := wantCause(t, err, extractors.BrowserCrashed); failure.Attempts != test.attempts {
					t.Errorf("the failure tells of %d attempts, want %d: %v", failure.Attempts, test.attempts, failure)
				}
			} else if err != nil || len(reports) != 1 {
				t.Fatalf("%d reports, %v", len(reports), err)
			}
			if len(p.SignIns()) != test.signIns {
				t.Errorf("%d sign-ins, want %d", len(p.SignIns()), test.signIns)
			}
			wantNothingLeft(t, scratch)
			for _, r := range p.Trespasses() {
				t.Errorf("the portal received %s %s", r.Method, r.Path)
			}
		})
	}
}

// TestPoliteness draws the pauses, keeps to the quiet hours, and tells the budget what was sent.
func TestPoliteness(t *testing.T) {
	t.Parallel()
	clock := newHandClock() // 03:00:10
	p, url := startPortal(t, portal.Options{Clock: clock.now})
	cfg := withCodes(url, "", clock)
	cfg.Orders = orders("shift")
	cfg.Politeness = jane.Politeness{MinPause: 5 * time.Minute, MaxPause: 10 * time.Minute, QuietFrom: 3*time.Hour + 6*time.Minute, QuietTo: 20 * time.Hour}
	sent := 0
	cfg.Budget = func(requests int) error { sent += requests; return nil }
	reports, ledger, err := read(t, cfg)
	failure := wantCause(t, err, extractors.Paused)
	if len(clock.waits) < 1 || len(clock.waits) != len(reports) || clock.waits[0] < 5*time.Minute || clock.waits[0] > 10*time.Minute {
		t.Errorf("waited %v between %d reports", clock.waits, len(reports))
	}
	if !strings.Contains(failure.Error(), "between 03:06 and 20:00") {
		t.Errorf("it does not say when: %v", failure)
	}
	if sent != ledger.Allowed() || sent < 10 {
		t.Errorf("the budget was told of %d requests, the ledger counts %d", sent, ledger.Allowed())
	}
	wantHarmless(t, p)

	spent := fmt.Errorf("the day's requests are spent")
	cfg.Politeness = jane.Politeness{}
	calls := 0
	cfg.Budget = func(int) error {
		if calls++; calls == 2 {
			return &extractors.Failure{Cause: extractors.Paused, Doing: "counting requests", Hint: "wait", Err: spent}
		}
		return nil
	}
	if reports, _, err = read(t, cfg); len(reports) != 1 {
		t.Errorf("%d reports came within the budget", len(reports))
	}
	wantCause(t, err, extractors.Paused)
	if n := p.Requests(); !strings.Contains(n[0].UserAgent, "falloff/") {
		t.Errorf("the portal is told %q", n[0].UserAgent)
	}
}

func TestParseQuietHours(t *testing.T) {
	if from, to, err := jane.ParseQuietHours("07:00-20:30"); err != nil || from != 7*time.Hour || to != 20*time.Hour+30*time.Minute {
		t.Errorf("%v to %v, %v", from, to, err)
	}
	for _, bad := range []string{"", "7-20", "07:00", "07:00-25:00", "07:61-08:00", "07:00-20:00 ", "-7:00-20:00", "08:00-08:00", "08:00-24:01"} {
		if _, _, err := jane.ParseQuietHours(bad); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}
