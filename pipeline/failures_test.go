package pipeline_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/extractors/simclinic/portal"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// trial is an extraction of two reports, appointments and then sales, through a browser of its own, in which one thing fails.
type trial struct {
	staff   *portal.Portal
	site    *pipeline.Site
	typed   settings.Clinic
	cfg     jane.Config
	mutated atomic.Bool
	exports atomic.Int64
	// on, where set, is called before the portal answers.
	on atomic.Pointer[func(r portal.Request)]
	// stopped, where set, is the time on both sides, which only a wait moves on.
	stopped atomic.Pointer[time.Time]
}

func (s *trial) now() time.Time {
	if at := s.stopped.Load(); at != nil {
		return *at
	}
	return time.Now()
}

func (s *trial) wait(ctx context.Context, d time.Duration) error {
	if at := s.stopped.Load(); at != nil {
		later := at.Add(d)
		s.stopped.Store(&later)
	}
	return context.Cause(ctx)
}

// stopClocks keeps a code that is refused from being refused in the next time step.
func (s *trial) stopClocks() {
	middle := time.Now().Truncate(30 * time.Second).Add(15 * time.Second)
	s.stopped.Store(&middle)
}

const appSecret, otherSecret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

func newTrial(t *testing.T) *trial {
	t.Helper()
	clinic := driftClinic(t, 5)
	s := &trial{}
	all := portal.Mutations()
	changed := all[slices.IndexFunc(all, func(m portal.Mutation) bool { return m.Name == "three dots removed" })]
	options := portal.Options{
		Clock:       s.now,
		ExportDelay: portal.DelayRange{Min: time.Millisecond, Max: 2 * time.Millisecond},
		BeforeRequest: func(r portal.Request) {
			if do := s.on.Load(); do != nil {
				(*do)(r)
			}
		},
		Wrap: func(next http.Handler) http.Handler {
			other, _ := changed.Wrap(next)
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if s.mutated.Load() {
					other.ServeHTTP(w, r)
				} else {
					next.ServeHTTP(w, r)
				}
			})
		},
	}
	var err error
	if s.staff, err = portal.New(clinic, options); err != nil {
		t.Fatal(err)
	}
	url, stop, err := s.staff.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	if s.typed, err = settings.Parse(clinic.SettingsYAML(), "clinic.yaml"); err != nil {
		t.Fatal(err)
	}
	scratch, err := os.MkdirTemp("", "fo") // with a short name, which Chromium's sockets need
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(scratch) })
	clerk := portal.DefaultClerk()
	s.cfg = jane.Config{
		BaseURL: url, Account: jane.NewCredentials(clerk.Username, clerk.Password), Format: "csv",
		Clock: s.now, Wait: s.wait,
	}
	s.cfg.Browser.ScratchParent = scratch
	s.site = testSite(t, "staged")
	return s
}

// atSales has something done each time the portal is asked for the second report.
func (s *trial) atSales(do func()) {
	hook := func(r portal.Request) {
		if r.Path == "/api/reports/sales" {
			do()
		}
	}
	s.on.Store(&hook)
}

func (s *trial) Kinds() []extractors.ReportKind { return realPortal{}.Kinds() }

func (s *trial) Visit(orders []extractors.Order, w pipeline.Watch) (extractors.Source, error) {
	cfg := s.cfg
	cfg.Orders, cfg.ObservedOn, cfg.Pause, cfg.Budget, cfg.Access, cfg.Check = orders, w.ObservedOn, w.Before, w.Budget, w.Access, w.Check
	return jane.New(cfg)
}

// extract is one run with these credentials.
func (s *trial) extract(t *testing.T, credentials string) (*pipeline.Extracted, error) {
	t.Helper()
	seal, err := s.site.Vault.AEAD(t.Context(), "staged", "staging")
	if err != nil {
		t.Fatal(err)
	}
	return s.site.Extract(t.Context(), pipeline.ExtractOptions{
		Portal: s, Credentials: credentials, Settings: &s.typed, Seal: seal, Budget: -1,
		Plan: pipeline.PlanOptions{Day: driftWindow.To, Trailing: 30, Ahead: 20, Only: []string{"appointments", "sales"}},
	})
}

// landed are the datasets that have rows in the lake, the access ledger left out.
func (s *trial) landed(t *testing.T) (out []string) {
	t.Helper()
	head, err := s.site.Clinic.Head(t.Context())
	if errors.Is(err, lake.ErrNoCommit) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range head.Datasets {
		if name != contract.AccessLedger && len(d.Objects) > 0 {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// TestEveryFailure has the simulator produce each cause of a failure, in a run of two reports. It must be that cause, after as
// many attempts as the manual says, with what a person is to do; nothing may land; and the run after it was put right must land
// both, without reading again what had been read.
func TestEveryFailure(t *testing.T) {
	t.Parallel()
	clerk := portal.DefaultClerk().Username
	const person, later, revoked, paused = pipeline.StatePerson, pipeline.StateLater, pipeline.StateRevoked, pipeline.StatePaused
	charts := portal.Toggles{Billing: true, Charts: true}
	fitting := portal.Toggles{Billing: true}
	type failing struct {
		arrange func(t *testing.T, s *trial)
		// attempts is what the failure tells; read how many reports the next run need not read again.
		attempts, read int
		state          pipeline.State
		says           string
		mend           func(s *trial)
	}
	tests := map[extractors.Cause]failing{
		extractors.WrongPassword: {
			arrange: func(_ *testing.T, s *trial) { s.staff.SetPassword(clerk, "another-one-now") }, attempts: 1, state: person, says: "Sign in to the portal by hand to find the right password",
			mend: func(s *trial) { s.staff.SetPassword(clerk, portal.DefaultClerk().Password) },
		},
		extractors.SecondFactorRequired: {
			arrange: func(_ *testing.T, s *trial) {
				s.staff.SetSecondFactor(clerk, portal.SecondFactor{Method: portal.ByApp, Secret: appSecret})
			},
			attempts: 1, state: person, says: "secret of its authenticator app",
			mend: func(s *trial) { s.cfg.Account = s.cfg.Account.WithCodes(appSecret) },
		},
		extractors.SecondFactorRejected: {
			arrange: func(_ *testing.T, s *trial) {
				s.staff.SetSecondFactor(clerk, portal.SecondFactor{Method: portal.ByApp, Secret: appSecret})
				s.cfg.Account = s.cfg.Account.WithCodes(otherSecret)
				s.stopClocks()
			},
			attempts: 1, state: person, says: "by signing in by hand with a code of the same app",
			mend: func(s *trial) { s.cfg.Account = s.cfg.Account.WithCodes(appSecret) },
		},
		extractors.AccountLocked: {
			arrange: func(_ *testing.T, s *trial) { s.staff.Lock(clerk) }, attempts: 1, state: person, says: "have the clinic unlock the account",
		},
		extractors.AccountDeactivated: {
			arrange: func(_ *testing.T, s *trial) { s.atSales(func() { s.staff.Deactivate(clerk) }) }, attempts: 1, state: revoked, says: "The clinic has switched the account off",
			mend: func(s *trial) { s.staff.Reactivate(clerk) },
		},
		extractors.PermissionMissing: {
			arrange: func(_ *testing.T, s *trial) { s.staff.SetAccess(clerk, portal.FrontDeskAll, fitting) }, attempts: 1, state: person, says: "Administrative / All Billing with Access Billing on",
			mend: func(s *trial) { s.staff.SetAccess(clerk, portal.AdministrativeAllBilling, fitting) },
		},
		extractors.PermissionExcessive: {
			arrange: func(_ *testing.T, s *trial) {
				s.staff.SetAccess(clerk, portal.AdministrativeAllBilling, charts)
			},
			attempts: 1, state: person, says: "switch Access Charts and Manage Shifts off",
			mend: func(s *trial) { s.staff.SetAccess(clerk, portal.AdministrativeAllBilling, fitting) },
		},
		extractors.RefusedWrite: {
			arrange: func(_ *testing.T, s *trial) { s.atSales(func() { s.staff.TryWrites(1) }) }, attempts: 1, read: 1, state: person, says: "It was stopped before it left",
			mend: func(s *trial) { s.staff.TryWrites(0) },
		},
		extractors.SessionExpired: {
			arrange: func(_ *testing.T, s *trial) { s.atSales(s.staff.ExpireSessions) }, attempts: 2, read: 1, state: later, says: "nobody else may use this account at the same time",
		},
		extractors.RateLimited: {
			arrange: func(_ *testing.T, s *trial) { s.atSales(func() { s.staff.LimitRate(1, 90*time.Second) }) }, attempts: 4, read: 1, state: later, says: "asks to slow down",
		},
		extractors.PortalMaintenance: {
			arrange: func(_ *testing.T, s *trial) { s.atSales(func() { s.staff.SetMaintenance(true) }) }, attempts: 1, read: 1, state: later, says: "closed for maintenance",
			mend: func(s *trial) { s.staff.SetMaintenance(false) },
		},
		extractors.PageChanged: {
			arrange: func(_ *testing.T, s *trial) { s.mutated.Store(true); s.cfg.Timeouts = hastyWaits }, attempts: 1, state: person, says: "Nothing of this report was taken",
			mend: func(s *trial) { s.mutated.Store(false); s.cfg.Timeouts = jane.Timeouts{} },
		},
		extractors.ExportIncomplete: {
			arrange: func(_ *testing.T, s *trial) {
				hook := func(r portal.Request) {
					if r.Method == http.MethodPost && r.Path == "/api/exports" && s.exports.Add(1) > 1 {
						s.staff.FaultExports(portal.ExportTruncated)
					}
				}
				s.on.Store(&hook)
			},
			attempts: 2, read: 1, state: later, says: "ask for a shorter range",
		},
		extractors.ExportStale: {
			arrange: func(t *testing.T, s *trial) {
				ours := s.site
				s.site = testSite(t, "staged") // somebody looks at the same reports before, and the portal keeps what it has computed
				if _, err := s.extract(t, "first"); err != nil {
					t.Fatal(err)
				}
				s.site = ours
				s.staff.KeepStale(true)
			},
			attempts: 1, state: later, says: "keeps showing an old result",
			mend: func(s *trial) { s.staff.KeepStale(false) },
		},
		extractors.Network: {
			arrange: func(_ *testing.T, s *trial) { s.atSales(s.staff.Unplug) }, attempts: 2, read: 1, state: later, says: "can a browser on this machine open the portal?",
			mend: func(s *trial) { s.staff.Plug() },
		},
		extractors.BrowserMissing: {
			arrange: func(_ *testing.T, s *trial) { s.cfg.Browser.Executable = "/nowhere/chromium" }, attempts: 1, state: person, says: "FALLOFF_CHROMIUM",
			mend: func(s *trial) { s.cfg.Browser.Executable = "" },
		},
		extractors.BrowserCrashed: {
			arrange: func(t *testing.T, s *trial) {
				s.atSales(func() {
					all, _ := browsersIn(t, s.cfg.Browser.ScratchParent, 0)
					for _, pid := range all {
						_ = syscall.Kill(pid, syscall.SIGKILL)
					}
				})
			},
			attempts: 2, read: 1, state: later, says: "memory to spare",
		},
		extractors.Paused: {
			arrange: func(t *testing.T, s *trial) {
				if _, err := s.site.Pause(t.Context(), "Ada Vale", ""); err != nil {
					t.Fatal(err)
				}
			},
			state: paused, says: "paused by Ada Vale",
			mend: func(s *trial) {
				if _, err := s.site.Resume(context.Background()); err != nil {
					panic(err)
				}
			},
		},
	}
	for _, cause := range extractors.Causes() {
		test, ok := tests[cause]
		if !ok {
			// It is refused before there is a run: testdata/run_refusals.txtar of the commands.
			if cause != extractors.AgreementMissing && cause != extractors.Deadline { // TestDeadline has the other
				t.Errorf("nothing produces %s", cause)
			}
			continue
		}
		t.Run(string(cause), func(t *testing.T) {
			t.Parallel()
			s := newTrial(t)
			test.arrange(t, s)
			out, err := s.extract(t, "first")
			var failure *extractors.Failure
			if !errors.As(err, &failure) || failure.Cause != cause {
				t.Fatalf("it ended with %v", err)
			}
			if failure.Attempts != test.attempts || !strings.Contains(failure.Hint, test.says) {
				t.Errorf("after %d attempts, want %d, it says %q, want %q", failure.Attempts, test.attempts, failure.Hint, test.says)
			}
			hold, err := s.site.Hold(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if state, todo := hold.State(); state != test.state || todo == "" {
				t.Errorf("the state is %q, want %q; to do: %q", state, test.state, todo)
			}
			if landed := s.landed(t); landed != nil || out.Commit != 0 {
				t.Errorf("%v landed", landed)
			}
			if cause == extractors.AccountLocked {
				return // the simulator locks for good
			}
			s.on.Store(nil)
			if test.mend != nil {
				test.mend(s)
			}
			credentials := "first"
			if cause.RejectsAccount() {
				credentials = "second"
			}
			if out, err = s.extract(t, credentials); err != nil || out.Resumed != test.read {
				t.Fatalf("put right, it ended with %v, and %d reports had been read before, want %d", err, out.Resumed, test.read)
			}
			if got, want := s.landed(t), []string{contract.Appointments, contract.Insurers, contract.InvoiceLines}; !slices.Equal(got, want) {
				t.Errorf("%v landed, want %v", got, want)
			}
			if len(s.staff.Trespasses()) > 0 {
				t.Errorf("the portal received %+v", s.staff.Trespasses())
			}
		})
	}
}
