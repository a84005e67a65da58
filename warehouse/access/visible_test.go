package access_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/access"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// user is somebody who signed in to Grafana.
func user(login string, teams ...string) access.Principal {
	return access.Principal{Person: login, Issuer: access.Grafana, Subject: login, Teams: teams, SecondFactor: true}
}

// staffed is a policy in which each template is held by somebody of its name at harbour-street.
func staffed(t *testing.T) *access.Policy {
	t.Helper()
	text := minimal + "people:\n"
	for _, r := range access.Templates() {
		if r.Name == access.BatchService {
			continue
		}
		text += "  - login: " + r.Name + "\n    roles: [{role: " + r.Name + ", clinics: [harbour-street]}]\n"
		if r.Narrowed {
			text += "    staff: [{clinic: harbour-street, names: [Ben Okafor]}, {clinic: elm-grove, names: [Ben Okafor]}]\n"
		}
	}
	return parse(t, text)
}

// What each template shows and lets do, group by group, written down apart from the table that it is made of: all, or the
// permissions of the group. What is not named is not held.
var promised = map[string]map[string]string{
	access.ClinicOwner: {
		"falloff": "all", "money": "all", "payers": "all", "schedule": "all", "patients": "all", "leaks": "all", "tasks": "all", "identities": "all",
		"sql": "all", "metrics": "all", "freshness": "all", "reports": "all", "audit": "view export", "ledger": "all", "settings": "all", "extraction": "all",
		"credentials": "view set forget", "agreement": "all", "lake": "all", "build": "all", "tokens": "all", "access": "view explain", "support": "all",
	},
	access.Manager: {
		"falloff": "all", "money": "all", "payers": "all", "schedule": "all", "patients": "all", "leaks": "all", "tasks": "all", "identities": "view reveal",
		"metrics": "all", "freshness": "all", "reports": "all", "audit": "view", "ledger": "all", "settings": "all", "extraction": "all", "credentials": "view set",
		"agreement": "view", "lake": "view close_month", "build": "view", "tokens": "view", "access": "view explain", "support": "all",
	},
	access.Biller: {
		"money": "all", "payers": "all", "patients": "all", "leaks": "view assign contact note", "tasks": "view create work", "reports": "view export",
		"metrics": "all", "freshness": "all", "extraction": "view import",
	},
	access.FrontDesk: {
		"schedule": "all", "patients": "all", "leaks": "view contact note", "tasks": "view work", "metrics": "all", "freshness": "all",
	},
	access.Practitioner: {"falloff": "all", "schedule": "all", "patients": "all", "metrics": "all", "freshness": "all"},
	access.Analyst: {
		"falloff": "all", "money": "all", "payers": "all", "schedule": "all", "patients": "all", "leaks": "view", "tasks": "view", "sql": "all", "metrics": "all",
		"freshness": "all", "reports": "view export", "settings": "view", "build": "view",
	},
	access.RecoveryCoordinator: {
		"falloff": "all", "schedule": "all", "patients": "all", "leaks": "view assign contact note", "tasks": "all", "identities": "view reveal",
		"metrics": "all", "freshness": "all",
	},
	access.PrivacyOfficer: {
		"audit": "view export", "ledger": "all", "identities": "view set_mode", "agreement": "view", "access": "view explain", "support": "view revoke",
		"tokens": "view revoke", "extraction": "view pause", "credentials": "view", "settings": "view", "lake": "view verify erase retain", "reports": "view",
		"metrics": "all", "freshness": "all",
	},
	access.VendorSupport: {},
}

// Each template holds at its clinic what is promised, at another clinic nothing, and nowhere what reaches beyond a clinic.
func TestTheTemplatesHoldWhatIsPromised(t *testing.T) {
	policy := staffed(t)
	for _, r := range access.Templates() {
		if r.Name == access.BatchService {
			continue
		}
		want, known := promised[r.Name]
		if !known {
			t.Fatalf("nothing is promised of %s", r.Name)
		}
		v := policy.Visible(user(r.Name), noon)
		for _, p := range access.Permissions() {
			actions, action := want[p.Group()], strings.TrimPrefix(string(p), p.Group()+".")
			if got := v.Allows("harbour-street", p); got != (actions == "all" || slices.Contains(strings.Fields(actions), action)) {
				t.Errorf("%s: %s is %v", r.Name, p, got)
			}
			if v.Allows("elm-grove", p) || v.Allows("*", p) || v.Allows("", p) || v.AllowsLakeWide(p) {
				t.Errorf("%s holds %s beyond their clinic", r.Name, p)
			}
		}
		for _, clinic := range []string{"elm-grove", "nowhere", "*", ""} {
			if n := len(v.Marts(clinic)) + len(v.AggregateMarts(clinic)) + len(v.Metrics(clinic)) + len(v.Permissions(clinic)); n > 0 {
				t.Errorf("%s sees %d things at %q", r.Name, n, clinic)
			}
		}
		wantClinics := []string{"harbour-street"}
		if r.BySupport {
			wantClinics = []string{}
		}
		if got := v.Clinics([]string{"elm-grove", "harbour-street", "nowhere"}); !slices.Equal(got, wantClinics) {
			t.Errorf("%s is at %v", r.Name, got)
		}
	}
}

// A practitioner sees the own caseload and no money, whatever is asked.
func TestAPractitionerSeesTheirCaseloadAndNoMoney(t *testing.T) {
	v := staffed(t).Visible(user(access.Practitioner), noon)
	for _, m := range access.Marts() {
		for what, reach := range map[string]access.Reach{"rows": v.Rows("harbour-street", m.Name), "aggregates": v.Aggregates("harbour-street", m.Name)} {
			if reach.Everyones() {
				t.Errorf("%s of %s are everyone's", what, m.Name)
			}
			if !reach.None() && !slices.Equal(reach.Staff(), []string{"Ben Okafor"}) {
				t.Errorf("%s of %s are of %v", what, m.Name, reach.Staff())
			}
		}
	}
	if got := v.Marts("harbour-street"); !slices.Equal(got, []string{
		"caseload", "episode_status", "falloff_by_days", "falloff_by_visit", "falloff_summary", "patient_outlook", "patient_status", "show_rates", "staff_hours", "visits_by_week",
	}) {
		t.Errorf("rows of %v", got)
	}
	for _, money := range []string{"leaked_revenue", "receivables", "rejection_rate", "expected_visits_lost", "patients_by_status"} {
		if !v.Metric("harbour-street", money).None() {
			t.Errorf("%s is open", money)
		}
	}
	if got := v.Query("harbour-street", "worst_open_leaks"); !got.None() {
		t.Errorf("worst_open_leaks is open: %v", got)
	}
	// Who stands for nobody sees nothing of any patient.
	lost := parse(t, minimal+"people:\n  - login: zoe\n    roles: [{role: practitioner, clinics: \"*\"}]\n    staff: [{clinic: elm-grove, names: [Zoe Lam]}]\n")
	z := lost.Visible(user("zoe"), noon)
	if len(z.Marts("harbour-street")) > 0 || len(z.Metrics("harbour-street")) > 0 || !z.Allows("harbour-street", access.FreshnessView) {
		t.Errorf("at a clinic without a caseload: %v, %v", z.Marts("harbour-street"), z.Metrics("harbour-street"))
	}
	if got := z.Rows("elm-grove", "patient_status").Staff(); !slices.Equal(got, []string{"Zoe Lam"}) {
		t.Errorf("at elm-grove: %v", got)
	}
}

// A further role opens what a narrowed one keeps shut, for its own permissions alone.
func TestAFurtherRoleWidensOnlyWhatItGives(t *testing.T) {
	policy := parse(t, minimal+`people:
  - login: ada
    roles:
      - {role: practitioner, clinics: [harbour-street]}
      - {role: front_desk, clinics: [harbour-street]}
    staff: [{clinic: harbour-street, names: [Ada Moss]}]
`)
	v := policy.Visible(user("ada"), noon)
	if !v.Rows("harbour-street", "patient_status").Everyones() || !v.Rows("harbour-street", "staff_hours").Everyones() {
		t.Error("the front desk's patients are not everyone's")
	}
	if got := v.Rows("harbour-street", "falloff_summary"); got.Everyones() || !slices.Equal(got.Staff(), []string{"Ada Moss"}) {
		t.Errorf("falloff is %v", got)
	}
	if got := v.Scope("harbour-street", access.FalloffView); !slices.Equal(got.Staff(), []string{"Ada Moss"}) {
		t.Errorf("falloff.view is of %v", got)
	}
}

// Nobody sees anything who is not signed in, has no role, or lacks the second factor that the policy demands.
func TestNothingWithoutARole(t *testing.T) {
	owner := minimal + "people:\n  - {login: ada, roles: [{role: clinic_owner, clinics: \"*\"}]}\n"
	policy := parse(t, owner)
	without := user("ada")
	without.SecondFactor = false
	service := user("ada")
	service.Service = true
	scoped := user("ada")
	scoped.Scope = &access.Scope{Role: access.ClinicOwner, Clinics: []string{"*"}}
	elsewhere := user("ada")
	elsewhere.Issuer = "https://id.example"
	cased := user("Ada")
	for name, who := range map[string]access.Principal{
		"nobody": {}, "no issuer": {Person: "ada", Subject: "ada", SecondFactor: true}, "a stranger": user("zoe"), "no second factor": without,
		"a person as a service": service, "a person with a scope": scoped, "another issuer's ada": elsewhere, "another Ada": cased,
		"a service of no role": {Person: "service/x", Service: true, Issuer: access.ServiceTokens, Subject: "x", Scope: &access.Scope{Role: "nothing", Clinics: []string{"*"}}},
		"support as a service": {Person: "service/x", Service: true, Issuer: access.ServiceTokens, Subject: "x", Scope: &access.Scope{Role: access.VendorSupport, Clinics: []string{"*"}}},
		"a service nowhere":    {Person: "service/x", Service: true, Issuer: access.ServiceTokens, Subject: "x", Scope: &access.Scope{Role: access.BatchService}},
	} {
		v := policy.Visible(who, noon)
		if v.Refused() == "" || len(v.Permissions("harbour-street")) > 0 || len(v.Clinics([]string{"harbour-street"})) > 0 || v.AllowsLakeWide(access.ServerView) {
			t.Errorf("%s: %q, %v", name, v.Refused(), v.Permissions("harbour-street"))
		}
	}
	if v := (*access.Policy)(nil).Visible(user("ada"), noon); v.Refused() == "" {
		t.Error("without a policy there is something to see")
	}
	if v := (access.Visible{}); v.Refused() == "" || v.Allows("harbour-street", access.FreshnessView) || v.Key("a") == "" {
		t.Error("undecided, there is something to see")
	}
	v := policy.Visible(user("ada"), noon)
	if v.Refused() != "" || len(v.Permissions("any-clinic")) != len(access.Permissions()) || !v.AllowsLakeWide(access.AccessChange) {
		t.Errorf("the owner of all: %q, %d permissions", v.Refused(), len(v.Permissions("any-clinic")))
	}
	if v := parse(t, owner+"require_second_factor: false\n").Visible(without, noon); v.Refused() != "" {
		t.Errorf("where none is demanded: %s", v.Refused())
	}
}

// A token for one clinic opens no other, and nothing that reaches beyond it.
func TestATokenForOneClinic(t *testing.T) {
	policy := parse(t, minimal+"people:\n  - {login: ada, roles: [{role: clinic_owner, clinics: \"*\"}]}\n")
	who := user("ada")
	who.Clinic = "harbour-street"
	v := policy.Visible(who, noon)
	if !v.Allows("harbour-street", access.MoneyView) || v.Allows("elm-grove", access.MoneyView) || v.Allows("harbour-street", access.AccessChange) || v.AllowsLakeWide(access.AccessChange) {
		t.Error("it opens more than its clinic, or not its clinic")
	}
	if got := v.Clinics([]string{"harbour-street", "elm-grove"}); !slices.Equal(got, []string{"harbour-street"}) {
		t.Errorf("clinics %v", got)
	}
}

// Teams, Grafana's roles and claims give roles; those of another issuer do not.
func TestMappings(t *testing.T) {
	policy := parse(t, access.SamplePolicy)
	if v := policy.Visible(user("zoe", "Front desk"), noon); !v.Allows("elm-grove", access.LeaksContact) || v.Allows("elm-grove", access.MoneyView) {
		t.Errorf("the team's role: %v", v.Permissions("elm-grove"))
	}
	editor := user("yan")
	editor.Roles = []string{"Editor"}
	if v := policy.Visible(editor, noon); !v.Allows("elm-grove", access.MoneyView) || v.Allows("elm-grove", access.PatientsView) || v.Allows("harbour-street", access.MoneyView) {
		t.Errorf("the editor: %v", v.Permissions("elm-grove"))
	}
	claimed := access.Principal{Person: "kit", Issuer: "https://id.example", Subject: "kit", Claims: map[string][]string{"groups": {"x", "falloff-managers"}}, SecondFactor: true}
	if v := policy.Visible(claimed, noon); !v.Allows("elm-grove", access.TasksAssign) {
		t.Errorf("the claim's role: %s", v.Refused())
	}
	claimed.Issuer = "https://other.example"
	claimed.Teams, claimed.Roles = []string{"Front desk"}, []string{"Editor"}
	if v := policy.Visible(claimed, noon); v.Refused() == "" {
		t.Error("another issuer's claims count")
	}
	if v := policy.Visible(access.Principal{Person: "eve", Issuer: "https://id.example", Subject: "5f2c9a", SecondFactor: true}, noon); !v.Allows("harbour-street", access.SQLRun) {
		t.Errorf("the issuer's subject: %s", v.Refused())
	}
}

// Support access begins and ends by the clock, is at its clinics alone, and can be shown.
func TestSupportAccessIsGrantedForATime(t *testing.T) {
	from := time.Date(2026, time.November, 26, 9, 0, 0, 0, time.UTC)
	grant := func(text, login, clinic, reason string) *access.Policy {
		t.Helper()
		p, err := parse(t, text).WithSupport(access.Support{Issuer: access.Grafana, Subject: login, Clinics: []string{clinic}, From: from, Until: from.Add(24 * time.Hour), Reason: reason})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	policy := grant(access.SamplePolicy, "zoe", "harbour-street", "ticket/1")
	withRole := grant(strings.Replace(access.SamplePolicy, "people:\n", "people:\n  - {login: vendor.kim, roles: [{role: vendor_support, clinics: \"*\"}]}\n", 1), "vendor.kim", "harbour-street", "ticket/4711")
	for at, want := range map[string]bool{
		"2026-11-26T08:59:59Z": false, "2026-11-26T09:00:00Z": true, "2026-11-27T08:59:59Z": true, "2026-11-27T09:00:00Z": false,
	} {
		moment, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		v := withRole.Visible(user("vendor.kim"), moment)
		if v.Allows("harbour-street", access.MoneyView) != want || v.Allows("elm-grove", access.MoneyView) || len(v.Support()) > 0 != want {
			t.Errorf("at %s: %v, %v", at, v.Permissions("harbour-street"), v.Support())
		}
		if want && (v.Support()[0].Reason != "ticket/4711" || v.Until().Format(time.RFC3339) != "2026-11-27T09:00:00Z" || len(v.Marts("harbour-street")) > 0) {
			t.Errorf("at %s: %+v until %s, rows of %v", at, v.Support(), v.Until(), v.Marts("harbour-street"))
		}
	}
	// A grant without the role gives nothing.
	if v := policy.Visible(user("zoe"), noon); v.Refused() == "" {
		t.Error("a grant alone gives something")
	}
}

// A service does what its token says, and no more than its role.
func TestServices(t *testing.T) {
	policy := parse(t, minimal)
	job := func(s access.Scope) access.Visible {
		return policy.Visible(access.Principal{Person: "service/nightly", Service: true, Issuer: access.ServiceTokens, Subject: "t1", Scope: &s}, noon)
	}
	v := job(access.Scope{Role: access.BatchService, Clinics: []string{"elm-grove"}, Permissions: []access.Permission{access.BuildRun, access.LakeDelete}})
	if !v.Allows("elm-grove", access.BuildRun) || !v.Allows("elm-grove", access.BuildView) || v.Allows("elm-grove", access.LakeDelete) ||
		v.Allows("elm-grove", access.ExtractionRun) || v.Allows("harbour-street", access.BuildRun) {
		t.Errorf("it holds %v", v.Permissions("elm-grove"))
	}
	if v := job(access.Scope{Role: access.BatchService, Clinics: []string{"*"}}); !v.Allows("harbour-street", access.ExtractionRun) || len(v.Marts("harbour-street")) > 0 {
		t.Errorf("all of the role: %v", v.Permissions("harbour-street"))
	}
}

// Two who see the same have one key, two who do not have two.
func TestTheKeyNamesWhatIsVisible(t *testing.T) {
	policy := parse(t, minimal+`people:
  - {login: ann, roles: [{role: manager, clinics: "*"}]}
  - {login: bob, roles: [{role: manager, clinics: [harbour-street]}]}
  - {login: cat, roles: [{role: biller, clinics: [harbour-street]}]}
  - {login: dan, roles: [{role: practitioner, clinics: "*"}], staff: [{clinic: harbour-street, names: [A, B]}, {clinic: elm-grove, names: [A]}]}
  - {login: eve, roles: [{role: practitioner, clinics: "*"}], staff: [{clinic: harbour-street, names: [B, A]}]}
  - {login: fay, roles: [{role: practitioner, clinics: "*"}], staff: [{clinic: harbour-street, names: ["A, B"]}]}
`)
	key := func(login, clinic string) string { return policy.Visible(user(login), noon).Key(clinic) }
	for _, same := range [][2]string{{"ann", "bob"}, {"dan", "eve"}} {
		if key(same[0], "harbour-street") != key(same[1], "harbour-street") {
			t.Errorf("%s and %s see the same, and have two keys", same[0], same[1])
		}
	}
	seen := map[string]string{}
	for _, login := range []string{"ann", "cat", "dan", "fay", "stranger"} {
		for _, clinic := range []string{"harbour-street", "elm-grove"} {
			if login == "cat" && clinic == "elm-grove" { // nothing, as the stranger
				continue
			}
			k := key(login, clinic)
			if other, twice := seen[k]; twice {
				t.Errorf("%s at %s has the key of %s", login, clinic, other)
			}
			seen[k] = login + " at " + clinic
		}
	}
}

func BenchmarkVisible(b *testing.B) {
	policy, err := access.Parse([]byte(access.SamplePolicy), "access.yaml")
	if err != nil {
		b.Fatal(err)
	}
	who := user("ben", "Front desk")
	for b.Loop() {
		if policy.Visible(who, noon).Rows("harbour-street", "patient_status").None() {
			b.Fatal("nothing is visible")
		}
	}
}
