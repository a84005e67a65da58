package access_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/access"
)

const minimal = "version: 1\nclinics: [harbour-street, elm-grove]\n"

func parse(t *testing.T, text string) *access.Policy {
	t.Helper()
	p, err := access.Parse([]byte(text), "access.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheSampleIsAPolicy(t *testing.T) {
	p := parse(t, access.SamplePolicy)
	if !p.RequiresSecondFactor() || len(p.Clinics()) != 2 || len(p.Roles()) != 11 {
		t.Errorf("second factor %v, clinics %v, %d roles", p.RequiresSecondFactor(), p.Clinics(), len(p.Roles()))
	}
	keeper, ok := p.Role("bookkeeper")
	if !ok || keeper.Gives(access.PatientsView) || !keeper.Gives(access.MoneyView) || !keeper.Gives(access.ReportsView) {
		t.Errorf("the bookkeeper: %v, %v", ok, keeper.Permissions())
	}
}

// A second factor is demanded unless the file says otherwise.
func TestTheSecondFactorIsTheDefault(t *testing.T) {
	if !parse(t, minimal).RequiresSecondFactor() || parse(t, minimal+"require_second_factor: false\n").RequiresSecondFactor() {
		t.Error("the default is not to demand it")
	}
}

// What cannot be right is refused, with the line and what to do.
func TestMistakesInThePolicy(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no version":            {"clinics: [a]\n", "access.yaml, line 1: the version is 0. Write version: 1 as the first line"},
		"another version":       {"version: 2\n", "line 1: the version is 2"},
		"empty":                 {"", "access.yaml: it holds 0 documents"},
		"two documents":         {"version: 1\n---\nversion: 1\n", "it holds 2 documents"},
		"not YAML":              {"version: 1\nclinics: [a\n", "it is not YAML"},
		"a tab":                 {"version: 1\n\tclinics: [a]\n", "line 2: it is not YAML"},
		"binary":                {"version: 1\x00", "the file is not text"},
		"deep":                  {"version: " + strings.Repeat("[", 5000), "nested too deep"},
		"an unknown key":        {minimal + "peeple: []\n", "line 3: there is no key `peeple` there. Did you mean `people`?"},
		"a key in a rule":       {minimal + "people:\n  - login: ada\n    rolls: []\n", "line 5: there is no key `rolls` there. Did you mean `roles`?"},
		"a key twice":           {minimal + "clinics: [x]\n", "line 3: it is not YAML"},
		"an alias":              {minimal + "people: &a []\nteams: *a\n", "anchors are not read"},
		"a wrong type":          {minimal + "require_second_factor: perhaps\n", "line 3: it is not YAML as it should be"},
		"clinics as text":       {"version: 1\nclinics: harbour-street\n", "line 2: it is not YAML as it should be"},
		"no clinic's id":        {"version: 1\nclinics: [Harbour Street]\n", `line 2: "Harbour Street" is no clinic's id`},
		"all as a clinic":       {"version: 1\nclinics: [\"*\"]\n", `"*" is no clinic's id`},
		"a clinic twice":        {"version: 1\nclinics: [a, a]\n", "the clinic a is there twice"},
		"an unknown clinic":     {minimal + "people:\n  - login: ada\n    roles:\n      - {role: manager, clinics: [harbor-street]}\n", `line 6: the policy has no clinic "harbor-street". Did you mean harbour-street?`},
		"a far clinic":          {minimal + "people:\n  - login: ada\n    roles:\n      - {role: manager, clinics: [other]}\n", "Add it to the list `clinics` at the top"},
		"no clinic":             {minimal + "people:\n  - login: ada\n    roles:\n      - {role: manager}\n", `line 6: it says at no clinic. Add clinics: [ID], or clinics: "*" for all of the lake`},
		"all and one":           {minimal + "people:\n  - login: ada\n    roles:\n      - {role: manager, clinics: [\"*\", elm-grove]}\n", `Write clinics: "*" alone`},
		"an unknown role":       {minimal + "people:\n  - login: ada\n    roles:\n      - {role: manger, clinics: \"*\"}\n", `line 6: there is no role "manger". Did you mean manager?`},
		"a service's role":      {minimal + "people:\n  - login: ada\n    roles:\n      - {role: batch_service, clinics: \"*\"}\n", "is for service tokens"},
		"nobody":                {minimal + "people:\n  - roles:\n      - {role: manager, clinics: \"*\"}\n", "it names nobody, or two"},
		"two names":             {minimal + "people:\n  - login: ada\n    subject: x\n    issuer: https://id.example\n", "it names nobody, or two"},
		"a name of two lines":   {minimal + "people:\n  - login: \"ada\\nben\"\n", "is not one line"},
		"no role":               {minimal + "people:\n  - login: ada\n", "line 4: login ada gets no role"},
		"a person twice":        {minimal + "people:\n  - {login: ada, roles: [{role: manager, clinics: \"*\"}]}\n  - {login: ada, roles: [{role: biller, clinics: \"*\"}]}\n", "line 5: login ada is there twice"},
		"no issuer":             {minimal + "people:\n  - {issuer: id.example, subject: x, roles: [{role: manager, clinics: \"*\"}]}\n", `"id.example" is no issuer's address`},
		"a team's login":        {minimal + "teams:\n  - {team: Desk, login: ada, roles: [{role: manager, clinics: \"*\"}]}\n", "the key `login` does not belong there"},
		"a team's caseload":     {minimal + "teams:\n  - {team: Desk, staff: [{clinic: elm-grove, names: [X]}]}\n", "a caseload is a person's"},
		"no team":               {minimal + "teams:\n  - {roles: [{role: manager, clinics: \"*\"}]}\n", "no team is named"},
		"a role in Grafana":     {minimal + "grafana_roles:\n  - {grafana_role: viewer2, roles: [{role: manager, clinics: \"*\"}]}\n", "Did you mean Viewer?"},
		"half a claim":          {minimal + "claims:\n  - {issuer: https://id.example, claim: groups, roles: [{role: manager, clinics: \"*\"}]}\n", "an entry of claims has issuer, claim and value"},
		"a caseload nowhere":    {minimal + "people:\n  - {login: ada, staff: [{clinic: nowhere, names: [X]}]}\n", `the policy has no clinic "nowhere"`},
		"nobody's caseload":     {minimal + "people:\n  - {login: ada, staff: [{clinic: elm-grove, names: []}]}\n", "no practitioner is named"},
		"a template's name":     {minimal + "roles:\n  - {name: manager, of: [biller]}\n", "there is a role manager already"},
		"a bad name":            {minimal + "roles:\n  - {name: Book Keeper, of: [biller]}\n", `"Book Keeper" is no role's name`},
		"an unknown template":   {minimal + "roles:\n  - {name: keeper, of: [biler]}\n", `there is no template "biler". Did you mean biller?`},
		"an unknown permission": {minimal + "roles:\n  - {name: keeper, with: [money.veiw]}\n", `there is no permission "money.veiw". Did you mean money.view?`},
		"nothing to take":       {minimal + "roles:\n  - {name: keeper, of: [front_desk], without: [money.view]}\n", "the role does not hold money.view anyway"},
		"half taken away":       {minimal + "roles:\n  - {name: keeper, of: [biller], without: [leaks.view]}\n", "it takes leaks.view away, which leaks.assign implies"},
		"an empty role":         {minimal + "roles:\n  - {name: keeper}\n", "the role keeper holds nothing"},
		"support by the way":    {minimal + "roles:\n  - {name: keeper, of: [vendor_support]}\n", "gives nothing without support access"},
		"an unsaid narrowing":   {minimal + "roles:\n  - {name: keeper, of: [practitioner]}\n", "Say view_assigned_only: true or false"},
		"narrowed money":        {minimal + "roles:\n  - {name: keeper, of: [practitioner], with: [money.view], view_assigned_only: true}\n", "money.view cannot be narrowed"},
		"support by file":       {minimal + "support:\n  - {login: kim, clinics: \"*\", from: 2026-01-01T00:00:00Z, until: 2026-01-01T01:00:00Z, reason: ticket/1}\n", "line 4: support access is not granted in this file"},
	} {
		p, err := access.Parse([]byte(c.text), "access.yaml")
		var told *access.FileError
		if p != nil || !errors.As(err, &told) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || told.Hint == "" {
			t.Errorf("%s:\n got %v\nwant %s", name, err, c.want)
		}
	}
}

// Grants of support access are added while a server runs, each by the rules.
func TestSupportIsAddedByTheRules(t *testing.T) {
	p := parse(t, minimal+"people:\n  - {login: kim, roles: [{role: vendor_support, clinics: \"*\"}]}\n")
	from := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	good := access.Support{Issuer: access.Grafana, Subject: "kim", Clinics: []string{"elm-grove"}, From: from, Until: from.Add(time.Hour), Reason: "ticket/4711"}
	for name, change := range map[string]func(*access.Support){
		"nobody":    func(s *access.Support) { s.Subject = "" },
		"nowhere":   func(s *access.Support) { s.Clinics = nil },
		"no reason": func(s *access.Support) { s.Reason = "" },
		"endless":   func(s *access.Support) { s.Until = from.Add(access.LongestSupport + time.Second) },
		"backward":  func(s *access.Support) { s.Until = from.Add(-time.Hour) },
		"sentence":  func(s *access.Support) { s.Reason = "because Ada said so" },
	} {
		bad := good
		change(&bad)
		if _, err := p.WithSupport(bad); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	kim := access.Principal{Person: "kim", Issuer: access.Grafana, Subject: "kim", SecondFactor: true}
	granted, err := p.WithSupport(good)
	if err != nil {
		t.Fatal(err)
	}
	if !granted.Visible(kim, from).Allows("elm-grove", access.MoneyView) || p.Visible(kim, from).Allows("elm-grove", access.MoneyView) {
		t.Error("the grant does not hold in the one policy, or holds in the other")
	}
}

// Whatever comes as a policy is one, or an error that says where and what to do.
func FuzzParse(f *testing.F) {
	f.Add(access.SamplePolicy)
	f.Add(minimal + "people: &x [*x]\n")
	f.Add("version: 1\nroles:\n- name: [a: b]\n")
	f.Add("version: !!binary aGk=\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := access.Parse([]byte(text), "access.yaml")
		var told *access.FileError
		if err != nil && (!errors.As(err, &told) || told.Hint == "") {
			t.Errorf("an error without a hint: %v", err)
		}
		if (p == nil) != (err != nil) {
			t.Errorf("policy %v, error %v", p != nil, err)
		}
	})
}
