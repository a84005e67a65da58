package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/server"
	"github.com/falloff-analytics/falloff/warehouse/server/servertest"
)

// sayings keep what is said of leaks in memory, each with what it was asked; the real ones are tried by the command.
type sayings struct {
	mu      sync.Mutex
	version int64
	said    []query.LeakSaid
	asked   int
	err     error
	by      []server.Asker
}

func (s *sayings) Said(context.Context, string) (int64, []query.LeakSaid, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return s.version, append([]query.LeakSaid(nil), s.said...), s.err
}

func (s *sayings) History(_ context.Context, _, leakID string) (*server.LeakHistory, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.said {
		if one.LeakID == leakID {
			return &server.LeakHistory{LeakID: leakID, State: one.State, InLedger: true, Said: []server.LeakStepSaid{}, Money: &server.LeakMoney{}}, nil
		}
	}
	return nil, server.Refuse(http.StatusNotFound, "unknown_leak", "no such leak", "look again")
}

func (s *sayings) Say(_ context.Context, by server.Asker, _ string, steps []server.LeakStep) ([]server.LeakStepSaid, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by = append(s.by, by)
	said := []server.LeakStepSaid{}
	for _, step := range steps {
		s.version++
		s.said = append(s.said, query.LeakSaid{LeakID: step.LeakID, State: step.State, Note: step.Note})
		said = append(said, server.LeakStepSaid{LeakID: step.LeakID, Sequence: 1, At: time.Unix(0, 0), From: "open", State: step.State, Actor: "p1_x"})
	}
	return said, nil
}

// desks stand for what answers something else than figures; each notes what it is asked.
type desks struct {
	mu    sync.Mutex
	asked []string
	staff []string
}

func (d *desks) note(what string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, what)
}

func (d *desks) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.asked)
}

type auditDesk struct{ *desks }

func (d auditDesk) Search(_ context.Context, by server.Asker, q server.AuditQuery) (*server.AuditPage, error) {
	d.note("audit " + by.Person + " " + q.Clinic)
	return &server.AuditPage{Found: 1, Next: "desk/1", Records: []server.AuditRecord{{
		Chain: "desk", Number: 1, At: time.Unix(0, 0), Person: "mia", Action: "query.answered", After: map[string]any{"rows": 1},
	}}}, nil
}

type supportDesk struct{ *desks }

func (d supportDesk) List(_ context.Context, clinic string) ([]server.SupportGrant, error) {
	d.note("support " + clinic)
	return []server.SupportGrant{{Session: "s", Login: "sam", Issuer: "grafana", Reason: "ticket/1", GrantedBy: "mia"}}, nil
}

func (d supportDesk) Grant(_ context.Context, by server.Asker, clinic string, r server.SupportRequest) (*server.SupportGrant, error) {
	d.note("grant " + by.Person + " " + clinic)
	return &server.SupportGrant{Session: "s", Login: r.Login, Issuer: "grafana", Reason: r.Reason, GrantedBy: by.Person, Until: time.Unix(0, 0).Add(r.For)}, nil
}

func (d supportDesk) End(_ context.Context, by server.Asker, clinic, session string) (*server.SupportGrant, error) {
	d.note("end " + by.Person + " " + clinic)
	ended := time.Unix(0, 0)
	return &server.SupportGrant{Session: session, Ended: &ended, EndedBy: by.Person}, nil
}

type settingsDesk struct{ *desks }

func (d settingsDesk) Show(_ context.Context, clinic string) (*server.ClinicSettings, error) {
	d.note("settings " + clinic)
	return &server.ClinicSettings{
		Clinic: clinic, StaleAfterDays: 2, IdentityMode: "privacy", Extraction: &server.ExtractionState{State: "ok"}, Agreement: &server.AgreementState{Version: 1},
	}, nil
}

func (d settingsDesk) Change(_ context.Context, by server.Asker, clinic string, _ server.SettingsChange) error {
	d.note("change " + by.Person + " " + clinic)
	return nil
}

type identityDesk struct{ *desks }

func (d identityDesk) Reveal(_ context.Context, by server.Asker, clinic, patient string, staff []string) (*server.Identity, error) {
	d.note("reveal " + by.Person + " " + clinic)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.staff = staff
	return &server.Identity{Patient: patient, FirstName: "Rosalind", GUID: "0d9c1c6e"}, nil
}

type historyDesk struct{ *desks }

func (d historyDesk) Events(_ context.Context, clinic string, kind server.EventKind, from, to civil.Date) ([]server.ClinicEvent, error) {
	d.note("events " + clinic + " " + string(kind) + " " + from.String() + " " + to.String())
	return []server.ClinicEvent{{At: time.Unix(0, 0), Kind: kind, Title: "It happened", Text: "at last"}}, nil
}

// withDesks has everything answered.
func withDesks(o server.Options) (server.Options, *desks) {
	d := &desks{}
	o.Leaks, o.AuditLog, o.Support, o.Settings, o.Identities, o.History = &sayings{}, auditDesk{d}, supportDesk{d}, settingsDesk{d}, identityDesk{d}, historyDesk{d}
	return o, d
}

// Each kind of events is for those who may see what it tells of; whoever may see none of them is refused before anything is asked.
func TestWhoSeesWhichEvents(t *testing.T) {
	o, d := withDesks(options(t, newLake(t)))
	address, _ := serve(t, o)
	all := []string{"sync", "setting", "price", "support"}
	for person, want := range map[string][]string{
		access.ClinicOwner: all, access.Manager: all, access.PrivacyOfficer: all, "everywhere": all,
		access.Analyst: all[:3], access.BatchService: all[:3],
		access.Biller: all[:1], access.FrontDesk: all[:1], access.Practitioner: all[:1], access.RecoveryCoordinator: all[:1], servertest.Figures: all[:1],
		"elsewhere": nil, "nobody": nil, access.VendorSupport: nil,
	} {
		before := d.count()
		status, body := askAs(t, person, http.MethodGet, "http://"+address+"/v1/events?clinic=harbour-street&from=2026-01-01&to=2026-02-01T10:00:00Z", "")
		var told struct{ Events []server.ClinicEvent }
		if err := json.Unmarshal(body, &told); err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for _, e := range told.Events {
			kinds = append(kinds, string(e.Kind))
		}
		if !slices.Equal(kinds, want) || (status == http.StatusOK) != (want != nil) || d.count() != before+len(want) {
			t.Errorf("%s sees %v with %d after %d questions, and should see %v", person, kinds, status, d.count()-before, want)
		}
	}
	if last := d.asked[len(d.asked)-1]; !strings.HasSuffix(last, "2026-01-01 2026-02-01") {
		t.Errorf("it was asked %q", last)
	}
	for query, want := range map[string]string{"&kinds=price,sync": `"kind":"price"`, "&kinds=rumour": "no such kind", "&from=yesterday": "neither a day"} {
		if _, body := askAs(t, access.Manager, http.MethodGet, "http://"+address+"/v1/events?clinic=harbour-street"+query, ""); !bytes.Contains(body, []byte(want)) || bytes.Contains(body, []byte("support")) && query[1] == 'k' && want[0] == '"' {
			t.Errorf("%s: %s", query, body)
		}
	}
}

// Who may have what done is written down here by hand. Whoever may not is refused before anything is asked, at their own clinic and at
// any other.
func TestWhoMayAskTheDesks(t *testing.T) {
	l := newLake(t)
	l.heads["second-clinic"] = "1"
	o, d := withDesks(options(t, l))
	log := o.Audit.(*servertest.Log)
	address, _ := serve(t, o)
	owners := []string{"everywhere", access.ClinicOwner}
	managers := append([]string{access.Manager}, owners...)
	officers := append([]string{access.PrivacyOfficer}, managers...)
	for _, test := range []struct {
		method, path, body string
		may                []string
		status             int
	}{
		{"GET", "/v1/audit?clinic=CLINIC", "", officers, 200},
		{"GET", "/v1/support?clinic=CLINIC", "", officers, 200},
		{"POST", "/v1/support", `{"clinic":"CLINIC","login":"sam","reason":"ticket/1","minutes":60}`, managers, 200},
		{"POST", "/v1/support/end", `{"clinic":"CLINIC","session":"s"}`, officers, 200},
		{"GET", "/v1/settings?clinic=CLINIC", "", append([]string{access.Analyst, access.BatchService}, officers...), 200},
		{"POST", "/v1/settings", `{"clinic":"CLINIC","quiet_hours":"08:00-18:00"}`, managers, 200},
		{"POST", "/v1/settings", `{"clinic":"CLINIC","stale_after_days":3}`, managers, 200},
		{"POST", "/v1/settings", `{"clinic":"CLINIC","paused":true}`, officers, 200},
		{"POST", "/v1/settings", `{"clinic":"CLINIC","paused":false}`, managers, 200},
		{"POST", "/v1/settings", `{"clinic":"CLINIC","paused":true,"quiet_hours":""}`, managers, 200},
		{"POST", "/v1/settings", `{"clinic":"CLINIC","identity_mode":"recovery"}`, append([]string{access.PrivacyOfficer}, owners...), 409},
		{"POST", "/v1/identities/reveal", `{"clinic":"CLINIC","patient":"p1_aaa"}`, append([]string{access.RecoveryCoordinator}, managers...), 200},
	} {
		for _, person := range servertest.People() {
			for _, clinic := range []string{servertest.Clinic, "second-clinic", "no-clinic"} {
				here := func(text string) string { return strings.ReplaceAll(text, "CLINIC", clinic) }
				want := http.StatusForbidden
				switch {
				case clinic == servertest.Clinic && slices.Contains(test.may, person), clinic == "second-clinic" && (person == "everywhere" || person == "elsewhere"):
					want = test.status
				case clinic == "no-clinic" && person == "everywhere": // the desk says that there is no such clinic; this one does not know
					continue
				}
				before, records := d.count(), len(log.Events())
				status, body := askAs(t, person, test.method, "http://"+address+here(test.path), here(test.body))
				if status != want {
					t.Errorf("%s %s %s by %s: %d %s, and it should be %d", test.method, here(test.path), here(test.body), person, status, body, want)
				}
				if asked := d.count() > before; asked != (want == http.StatusOK) {
					t.Errorf("%s %s %s by %s: that a desk was asked is %v", test.method, here(test.path), here(test.body), person, asked)
				}
				events, named := log.Events(), person
				if person == access.BatchService {
					named = "service/nightly"
				}
				if len(events) != records+1 || events[records].Person != named || want == http.StatusForbidden && events[records].Refused == "" {
					t.Errorf("%s %s by %s: recorded as %+v", test.method, here(test.path), person, events[records:])
				}
			}
		}
	}
	// Without a clinic the log is for those alone who may search it everywhere.
	for _, person := range servertest.People() {
		status, _ := askAs(t, person, http.MethodGet, "http://"+address+"/v1/audit", "")
		if (status == http.StatusOK) != (person == "everywhere") {
			t.Errorf("%s searches the whole log: %d", person, status)
		}
	}
	text, err := json.Marshal(log.Events())
	if err != nil || bytes.Contains(text, []byte("Rosalind")) || bytes.Contains(text, []byte("p1_aaa")) {
		t.Errorf("the records say who was revealed: %v", err)
	}
}

func TestSettingsAreCutToTheCaller(t *testing.T) {
	o, _ := withDesks(options(t, newLake(t)))
	address, _ := serve(t, o)
	for _, test := range []struct {
		person      string
		with, lacks []string
	}{
		{access.Manager, []string{`"identity_mode":"privacy"`, `"extraction":{`, `"agreement":{`, `"synced":[`}, nil},
		{access.Analyst, []string{`"stale_after_days":2`, `"synced":[`}, []string{"identity_mode", "extraction", "agreement"}},
	} {
		_, body := askAs(t, test.person, http.MethodGet, "http://"+address+"/v1/settings?clinic=harbour-street", "")
		for _, want := range test.with {
			if !bytes.Contains(body, []byte(want)) {
				t.Errorf("%s is not shown %s:\n%s", test.person, want, body)
			}
		}
		for _, no := range test.lacks {
			if bytes.Contains(body, []byte(no)) {
				t.Errorf("%s is shown %s:\n%s", test.person, no, body)
			}
		}
	}
}

func TestWhatTheDesksAreAskedIsChecked(t *testing.T) {
	o, d := withDesks(options(t, newLake(t)))
	address, _ := serve(t, o)
	for _, test := range []struct{ method, path, body string }{
		{"GET", "/v1/audit?clinic=harbour-street&limit=0", ""},
		{"GET", "/v1/audit?clinic=harbour-street&limit=501", ""},
		{"GET", "/v1/audit?clinic=harbour-street&from=yesterday", ""},
		{"POST", "/v1/support", `{"clinic":"harbour-street","login":"sam","reason":"ticket/1"}`},
		{"POST", "/v1/support", `{"clinic":"harbour-street","login":"sam","reason":"ticket/1","minutes":4321}`},
		{"POST", "/v1/settings", `{"clinic":"harbour-street"}`},
		{"POST", "/v1/settings", `{"clinic":"harbour-street","price":1}`},
		{"POST", "/v1/settings", `{"quiet_hours":""}`},
		{"POST", "/v1/identities/reveal", `{"clinic":"harbour-street"}`},
	} {
		if status, body := askAs(t, access.ClinicOwner, test.method, "http://"+address+test.path, test.body); status != http.StatusBadRequest {
			t.Errorf("%s %s: %d %s", test.path, test.body, status, body)
		}
	}
	if d.count() != 0 {
		t.Errorf("the desks were asked all the same: %v", d.asked)
	}
	// A server that was started without them says so.
	address, _ = serve(t, options(t, newLake(t)))
	for _, path := range []string{"/v1/audit?clinic=harbour-street", "/v1/support?clinic=harbour-street", "/v1/settings?clinic=harbour-street", "/v1/leaks/history?clinic=harbour-street&leak=a/1"} {
		if status, body := askAs(t, access.ClinicOwner, http.MethodGet, "http://"+address+path, ""); status != http.StatusNotImplemented {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// Whoever may reveal those alone whom they treat is told about those alone.
func TestARevealIsNarrowedToTheCaseload(t *testing.T) {
	o, d := withDesks(options(t, newLake(t)))
	policy, err := access.Parse([]byte(`version: 1
clinics: [harbour-street]
roles:
  - {name: caller, says: Calls their own patients., of: [practitioner], with: [identities.reveal], view_assigned_only: true}
people:
  - login: practitioner
    roles: [{role: caller, clinics: [harbour-street]}]
    staff: [{clinic: harbour-street, names: [Robin Mercer]}]
`), "access.yaml")
	if err != nil {
		t.Fatal(err)
	}
	o.Policy = func() *access.Policy { return policy }
	address, _ := serve(t, o)
	status, body := askAs(t, access.Practitioner, http.MethodPost, "http://"+address+"/v1/identities/reveal", `{"clinic":"harbour-street","patient":"p1_aaa"}`)
	if status != http.StatusOK || !slices.Equal(d.staff, []string{"Robin Mercer"}) {
		t.Errorf("%d %s, of the caseload of %q", status, body, d.staff)
	}
}

// While support access goes on, every answer about the clinic says so to everybody, kept answers too, and none of another clinic.
// It ends by the clock.
func TestSupportAccessShowsOnEveryAnswer(t *testing.T) {
	l := newLake(t)
	l.heads["second-clinic"] = "1"
	o, _ := withDesks(options(t, l))
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	var clock sync.Mutex
	o.Now = func() time.Time { clock.Lock(); defer clock.Unlock(); return now }
	policy, err := o.Policy().WithSupport(access.Support{
		Issuer: access.Grafana, Subject: access.VendorSupport, Clinics: []string{servertest.Clinic}, From: now.Add(-time.Hour), Until: now.Add(time.Hour), Reason: "ticket/4711",
	})
	if err != nil {
		t.Fatal(err)
	}
	o.Policy = func() *access.Policy { return policy }
	log := o.Audit.(*servertest.Log)
	address, _ := serve(t, o)
	banner := func(person, method, path, body string) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+person)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode, answer.Header.Get("X-Falloff-Support")
	}
	const raised = "ticket/4711; until=2026-11-26T13:00:00Z"
	ask := func(clinic string) string { return `{"clinic":"` + clinic + `","query":"leak_total"}` }
	for _, test := range []struct{ person, method, path, body, want string }{
		{access.Manager, "POST", "/v1/query", ask(servertest.Clinic), raised},
		{access.Manager, "POST", "/v1/query", ask(servertest.Clinic), raised}, // a kept answer
		{access.Manager, "GET", "/v1/freshness?clinic=harbour-street", "", raised},
		{access.Manager, "GET", "/v1/settings?clinic=harbour-street", "", raised},
		{access.Practitioner, "GET", "/v1/freshness?clinic=harbour-street", "", raised},
		{"elsewhere", "POST", "/v1/query", ask("second-clinic"), ""},
		{"elsewhere", "POST", "/v1/query", ask(servertest.Clinic), ""}, // refused: they learn nothing of this clinic
	} {
		if _, got := banner(test.person, test.method, test.path, test.body); got != test.want {
			t.Errorf("%s %s %s by %s says %q of support access, want %q", test.method, test.path, test.body, test.person, got, test.want)
		}
	}
	_, body := askAs(t, access.Practitioner, http.MethodGet, "http://"+address+"/v1/freshness?clinic=harbour-street", "")
	if !bytes.Contains(body, []byte(`"support":[{"reason":"ticket/4711","until":"2026-11-26T13:00:00Z"}]`)) {
		t.Errorf("freshness: %s", body)
	}
	if status, _ := banner(access.VendorSupport, "GET", "/v1/freshness?clinic=harbour-street", ""); status != http.StatusOK {
		t.Errorf("the vendor's person is answered with %d", status)
	}
	if events := log.Events(); events[len(events)-1].Support != "ticket/4711" {
		t.Errorf("their request is recorded as %+v", events[len(events)-1])
	}
	clock.Lock()
	now = now.Add(time.Hour)
	clock.Unlock()
	if status, got := banner(access.VendorSupport, "GET", "/v1/freshness?clinic=harbour-street", ""); status != http.StatusForbidden || got != "" {
		t.Errorf("an hour later the vendor's person is answered with %d %q", status, got)
	}
	if _, got := banner(access.Manager, "POST", "/v1/query", ask(servertest.Clinic)); got != "" {
		t.Errorf("an hour later a kept answer still says %q", got)
	}
}
