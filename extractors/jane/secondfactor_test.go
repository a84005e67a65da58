package jane_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/extractors/simclinic/portal"
)

const (
	appSecret   = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	otherSecret = "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU"
)

// handClock is a clock that only moves when somebody waits.
type handClock struct {
	mu    sync.Mutex
	at    time.Time
	waits []time.Duration
}

// newHandClock stands ten seconds into a time step.
func newHandClock() *handClock {
	return &handClock{at: time.Date(2026, 3, 21, 3, 0, 10, 0, time.UTC)}
}

func (c *handClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *handClock) wait(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
	c.waits = append(c.waits, d)
	return context.Cause(ctx)
}

// ahead is the same clock, by d ahead.
func (c *handClock) ahead(d time.Duration) func() time.Time {
	return func() time.Time { return c.now().Add(d) }
}

func clerkWith(method portal.Method, secret string) []portal.Account {
	clerk := portal.DefaultClerk()
	clerk.SecondFactor = portal.SecondFactor{Method: method, Secret: secret}
	return []portal.Account{clerk}
}

// withCodes is config for an account with an authenticator app, at a clock's time.
func withCodes(url, secret string, clock *handClock) jane.Config {
	cfg := config(url)
	cfg.Account = cfg.Account.WithCodes(secret)
	cfg.Orders = orders("claims")
	cfg.Clock, cfg.Wait = clock.now, clock.wait
	return cfg
}

func outcomes(p *portal.Portal) (all []portal.CodeOutcome) {
	for _, c := range p.Codes() {
		all = append(all, c.Outcome)
	}
	return all
}

func TestSecondFactor(t *testing.T) {
	t.Parallel()
	const right, wrong = portal.CodeAccepted, portal.CodeWrong
	const rejected, required = extractors.SecondFactorRejected, extractors.SecondFactorRequired
	for _, test := range []struct {
		name   string
		method portal.Method
		secret string
		// ahead is how far the portal's clock is ahead of ours; tolerance is in time steps, as portal.Options has it.
		ahead     time.Duration
		tolerance int
		cause     extractors.Cause
		codes     []portal.CodeOutcome
		says      string
	}{
		{"a code", portal.ByApp, appSecret, 0, -1, "", []portal.CodeOutcome{right}, ""},
		{"secret as it is shown", portal.ByApp, " jbsw y3dp ehpk 3pxp jbsw y3dp ehpk 3pxp ", 0, -1, "", []portal.CodeOutcome{right}, ""},
		{"a step off, tolerated", portal.ByApp, appSecret, 30 * time.Second, 1, "", []portal.CodeOutcome{right}, ""},
		{"our clock is late", portal.ByApp, appSecret, 30 * time.Second, -1, "", []portal.CodeOutcome{wrong, right}, ""},
		{"our clock is early", portal.ByApp, appSecret, -30 * time.Second, -1, "", []portal.CodeOutcome{wrong, right}, ""},
		{"two steps late, one tolerated", portal.ByApp, appSecret, time.Minute, 1, "", []portal.CodeOutcome{wrong, right}, ""},
		{"our clock is wrong", portal.ByApp, appSecret, 5 * time.Minute, 1, rejected, []portal.CodeOutcome{wrong, wrong}, "clock is right"},
		{"another secret", portal.ByApp, otherSecret, 0, 1, rejected, []portal.CodeOutcome{wrong}, "clock agrees with the portal's"},
		{"no secret", portal.ByApp, "", 0, 1, required, nil, "secret of its authenticator app"},
		{"text message", portal.BySMS, appSecret, 0, 1, required, nil, "Set an authenticator app up"},
		{"recovery code", portal.ByRecoveryCode, appSecret, 0, 1, required, nil, "Set an authenticator app up"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			clock := newHandClock()
			p, url := startPortal(t, portal.Options{
				Accounts: clerkWith(test.method, appSecret), Clock: clock.ahead(test.ahead), CodeTolerance: test.tolerance,
			})
			source, err := jane.New(withCodes(url, test.secret, clock))
			if err != nil {
				t.Fatal(err)
			}
			reports := 0
			// What is rejected stays so for this Portal: a second call sends nothing.
			for range 2 {
				err = source.Reports(t.Context(), func(extractors.Report) error { reports++; return nil })
				if test.cause == "" {
					break
				}
				failure := wantCause(t, err, test.cause)
				if !strings.Contains(failure.Error(), test.says) || failure.Attempts != max(1, len(test.codes)) {
					t.Errorf("the failure does not say %q after %d attempts: %v", test.says, len(test.codes), failure)
				}
			}
			if (err == nil) != (test.cause == "") || (reports == 1) != (test.cause == "") {
				t.Errorf("%d reports, %v", reports, err)
			}
			if got := outcomes(p); !slices.Equal(got, test.codes) {
				t.Errorf("the codes were %v, want %v", got, test.codes)
			}
			if n := len(p.SignIns()); n != 1 || len(clock.waits) > 0 {
				t.Errorf("the password was sent %d times, waited %v", n, clock.waits)
			}
			wantHarmless(t, p)
		})
	}
}

// TestACodeIsUsedOnce signs in twice within one time step: once more within a run whose session ends, and then from
// elsewhere, where nobody knows of the code.
func TestACodeIsUsedOnce(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	var p *portal.Portal
	p, url := startPortal(t, portal.Options{
		Accounts: clerkWith(portal.ByApp, appSecret), Clock: clock.now, CodeTolerance: -1,
		BeforeRequest: whenAsked("GET", "/status", func() { p.ExpireSessions() }),
	})
	var state []byte
	cfg := withCodes(url, appSecret, clock)
	cfg.KeepState = func(kept []byte) { state = kept }
	if reports, _, err := read(t, cfg); err != nil || len(reports) != 1 {
		t.Fatalf("%d reports, %v", len(reports), err)
	}
	// Ten seconds into the first step; twenty more to the next.
	if !slices.Equal(clock.waits, []time.Duration{20 * time.Second}) {
		t.Errorf("waited %v", clock.waits)
	}

	// A new process that has the state waits as well.
	cfg.State, cfg.KeepState = state, nil
	if _, _, err := read(t, cfg); err != nil {
		t.Fatal(err)
	}
	if got := outcomes(p); !slices.Equal(got, []portal.CodeOutcome{portal.CodeAccepted, portal.CodeAccepted, portal.CodeAccepted}) {
		t.Errorf("the codes were %v", got)
	}
	// One that has not is told by the portal, and then waits.
	cfg.State = nil
	if _, _, err := read(t, cfg); err != nil {
		t.Fatal(err)
	}
	if got := outcomes(p)[3:]; !slices.Equal(got, []portal.CodeOutcome{portal.CodeUsed, portal.CodeAccepted}) {
		t.Errorf("the codes were %v", got)
	}
	wantHarmless(t, p)
}

func TestBlockedCodesAreWaitedOut(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	p, url := startPortal(t, portal.Options{
		Accounts: clerkWith(portal.ByApp, appSecret), Clock: clock.now, BlockCodesAfter: 1, BlockCodesFor: 20 * time.Minute,
	})
	var state []byte
	run := func(secret string) error {
		cfg := withCodes(url, secret, clock)
		cfg.State, cfg.KeepState = state, func(kept []byte) { state = kept }
		_, _, err := read(t, cfg)
		return err
	}
	wantCause(t, run(otherSecret), extractors.SecondFactorRejected)
	if err := clock.wait(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	// The secret is right now, but no code counts; from then on none is sent until the portal takes them again.
	for range 2 {
		failure := wantCause(t, run(appSecret), extractors.SecondFactorRejected)
		if !strings.Contains(failure.Error(), "no codes until 03:20") {
			t.Errorf("it does not say until when: %v", failure)
		}
	}
	if got := outcomes(p); !slices.Equal(got, []portal.CodeOutcome{portal.CodeWrong, portal.CodeBlocked}) {
		t.Errorf("the codes were %v", got)
	}
	if err := clock.wait(t.Context(), 20*time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := run(appSecret); err != nil {
		t.Error(err)
	}
}
