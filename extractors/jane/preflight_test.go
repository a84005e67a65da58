package jane_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/extractors/simclinic/portal"
)

// verdicts lists the checks that are not as they must be, as `name: verdict`.
func verdicts(checks jane.Checks) string {
	var all []string
	for _, c := range checks {
		if c.Verdict != jane.Fits {
			all = append(all, c.Name+": "+string(c.Verdict))
		}
	}
	return strings.Join(all, ", ")
}

const (
	noBilling = "report sales: missing, report claims: missing, report insurance_policies: missing, " +
		"report transactions: missing, report applied_unapplied_payments: missing, report adjustments: missing, report write_off: missing, report credit: missing, report accounts_receivable: missing"
	noReports = "report appointments: not reached, report sales: not reached, report claims: not reached, report insurance_policies: not reached, report shift: not reached, " +
		"report transactions: not reached, report applied_unapplied_payments: not reached, report adjustments: not reached, report write_off: not reached, report credit: not reached, report accounts_receivable: not reached, report unscheduled_patients: not reached, report activity: not reached"
	noAccess      = "Access level: not reached, Active: not reached, Access Charts: not reached, Manage Shifts: not reached, Access Billing: not reached"
	noNavigation  = "Patients and their contact data: not reached, Charts: not reached, Shift management: not reached"
	nothingBeyond = noAccess + ", " + noNavigation + ", " + noReports
)

func TestPreflight(t *testing.T) {
	t.Parallel()
	fitting := portal.Toggles{Billing: true}
	clerk := func(level portal.Level, toggles portal.Toggles) func(*portal.Portal) {
		return func(p *portal.Portal) { p.SetAccess("clerk", level, toggles) }
	}
	const billing = portal.AdministrativeAllBilling
	for _, test := range []struct {
		name     string
		make     func(*portal.Portal)
		edit     func(*jane.Config)
		cause    extractors.Cause
		verdicts string
		// says is in what a person is told to do.
		says string
	}{
		{"fits", nil, nil, "", "", ""},
		{"fits, with codes", func(p *portal.Portal) {
			p.SetSecondFactor("clerk", portal.SecondFactor{Method: portal.ByApp, Secret: appSecret})
		}, func(c *jane.Config) { c.Account = c.Account.WithCodes(appSecret) }, "", "", ""},
		{"charts", clerk(billing, portal.Toggles{Billing: true, Charts: true}), nil, extractors.PermissionExcessive,
			"Access Charts: excess, Charts: excess", "switch Access Charts off"},
		{"shifts", clerk(billing, portal.Toggles{Billing: true, ManageShifts: true}), nil, extractors.PermissionExcessive,
			"Manage Shifts: excess, Shift management: excess", "switch Manage Shifts off"},
		{"no billing", clerk(billing, portal.Toggles{}), nil, extractors.PermissionMissing,
			"Access Billing: missing, " + noBilling, "switch Access Billing on"},
		{"full access", clerk(portal.FullAccess, fitting), nil, extractors.PermissionExcessive,
			"Access level: excess, Patients and their contact data: excess", "set the access level to Administrative / All Billing"},
		{"front desk", clerk(portal.FrontDesk, fitting), nil, extractors.PermissionMissing,
			"Access level: missing, Patients and their contact data: excess, " + noBilling + ", report activity: missing",
			"set the access level to Administrative / All Billing"},
		{"wrong password", nil, func(c *jane.Config) { c.Account = jane.NewCredentials("clerk", "wrong-horse") }, extractors.WrongPassword,
			"sign-in: failed, second factor: not reached, " + nothingBeyond, "Sign in to the portal by hand"},
		{"deactivated", func(p *portal.Portal) { p.Deactivate("clerk") }, nil, extractors.AccountDeactivated,
			"sign-in: failed, second factor: not reached, " + nothingBeyond, "switched the account off"},
		{"no secret", func(p *portal.Portal) {
			p.SetSecondFactor("clerk", portal.SecondFactor{Method: portal.ByApp, Secret: appSecret})
		}, nil, extractors.SecondFactorRequired, "second factor: failed, " + nothingBeyond, "secret of its authenticator app"},
		{"dead", func(p *portal.Portal) { p.Unplug() }, nil, extractors.Network,
			"address: failed, certificate: not reached, sign-in: not reached, second factor: not reached, " + nothingBeyond, "Check the address"},
		{"maintenance", func(p *portal.Portal) { p.SetMaintenance(true) }, nil, extractors.PortalMaintenance,
			"sign-in: failed, second factor: not reached, " + nothingBeyond, "closed for maintenance"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, url := startPortal(t, portal.Options{})
			cfg := config(url)
			cfg.Orders = nil
			if test.make != nil {
				test.make(p)
			}
			if test.edit != nil {
				test.edit(&cfg)
			}
			checks, err := jane.Preflight(t.Context(), cfg)
			if test.cause == "" && err != nil {
				t.Fatal(err)
			}
			if test.cause != "" {
				if failure := wantCause(t, err, test.cause); failure.Attempts != 1 {
					t.Errorf("%d attempts", failure.Attempts)
				}
			}
			if got := sortedLike(verdicts(checks), test.verdicts); got != test.verdicts || checks.OK() != (test.cause == "") {
				t.Errorf("found   %s\nwant    %s", got, test.verdicts)
			}
			said := ""
			for _, c := range checks {
				said += c.Do + "\n"
			}
			if !strings.Contains(said, test.says) {
				t.Errorf("it does not say %q but %q", test.says, said)
			}
			if len(p.SignIns()) > 1 {
				t.Errorf("%d sign-ins", len(p.SignIns()))
			}
			for _, r := range p.Requests() {
				if r.Method != "GET" && !strings.HasPrefix(r.Path, "/api/session") || strings.HasPrefix(r.Path, "/downloads") {
					t.Errorf("it sent %s %s", r.Method, r.Path)
				}
			}
			wantHarmless(t, p)
			text, err := json.Marshal(checks)
			if err != nil || strings.Contains(string(text), "clerk") || strings.Contains(string(text), canaryName) || !strings.HasPrefix(string(text), `{"ok":`) {
				t.Errorf("as JSON: %s, %v", text, err)
			}
		})
	}
}

// sortedLike puts the parts of a list in the order of another that has the same.
func sortedLike(got, want string) string {
	parts := strings.Split(got, ", ")
	var out []string
	for w := range strings.SplitSeq(want, ", ") {
		for i, p := range parts {
			if p == w {
				out, parts = append(out, p), append(parts[:i:i], parts[i+1:]...)
				break
			}
		}
	}
	return strings.Join(append(out, parts...), ", ")
}

// TestNavigationIsLookedAt has a level that the profile takes for a fitting one see patients all the same.
func TestNavigationIsLookedAt(t *testing.T) {
	t.Parallel()
	original, err := os.ReadFile("profile.yaml")
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(original), `fitting: ["Administrative / All Billing"]`, `fitting: ["Account Owner"]`, 1)
	profile, err := jane.ParseProfile([]byte(changed))
	if err != nil {
		t.Fatal(err)
	}
	p, url := startPortal(t, portal.Options{})
	p.SetAccess("clerk", portal.AccountOwner, portal.Toggles{Billing: true})
	cfg := config(url)
	cfg.Profile = profile
	_, _, err = read(t, cfg)
	if failure := wantCause(t, err, extractors.PermissionExcessive); !strings.Contains(failure.Error(), "Patients and their contact data is offered") {
		t.Errorf("it does not say what is too much: %v", failure)
	}
	wantHarmless(t, p)
}
