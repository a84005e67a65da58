package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/query/martstest"
	"github.com/falloff-analytics/falloff/warehouse/server"
	"github.com/falloff-analytics/falloff/warehouse/server/servertest"
)

// desks are what a query server keeps of a clinic beside its figures, in memory.
type desks struct {
	mu       sync.Mutex
	settings server.ClinicSettings
	grants   []server.SupportGrant
	searched []server.AuditQuery
	records  []server.AuditRecord
}

func (d *desks) Show(_ context.Context, clinic string) (*server.ClinicSettings, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	shown := d.settings
	shown.Clinic = clinic
	return &shown, nil
}

func (d *desks) Change(_ context.Context, _ server.Asker, _ string, c server.SettingsChange) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.QuietHours != nil && *c.QuietHours == "always" {
		return server.Refuse(http.StatusBadRequest, "bad_parameter", "these are no hours", "write them as 07:00-20:00")
	}
	if c.QuietHours != nil {
		d.settings.QuietHours = *c.QuietHours
	}
	return nil
}

type supportDesk struct{ *desks }

func (d supportDesk) List(context.Context, string) ([]server.SupportGrant, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.grants), nil
}

func (d supportDesk) Grant(_ context.Context, by server.Asker, _ string, r server.SupportRequest) (*server.SupportGrant, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	from := time.Date(2026, time.October, 1, 9, 0, 0, 0, time.UTC)
	d.grants = append(d.grants, server.SupportGrant{Session: "s1", Login: r.Login, Reason: r.Reason, GrantedBy: by.Person, From: from, Until: from.Add(r.For), Active: true})
	return &d.grants[len(d.grants)-1], nil
}

func (d supportDesk) End(_ context.Context, by server.Asker, _, session string) (*server.SupportGrant, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, g := range d.grants {
		if g.Session == session {
			ended := g.From.Add(time.Hour)
			d.grants[i].Active, d.grants[i].Ended, d.grants[i].EndedBy, d.grants[i].Uses = false, &ended, by.Person, 3
			return &d.grants[i], nil
		}
	}
	return nil, server.Refuse(http.StatusNotFound, "not_found", "no support access of that session goes on", "look again")
}

type auditDesk struct{ *desks }

func (d auditDesk) Search(_ context.Context, _ server.Asker, q server.AuditQuery) (*server.AuditPage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.searched = append(d.searched, q)
	return &server.AuditPage{Records: d.records, Found: 2 * len(d.records)}, nil
}

type historyDesk struct{}

func (historyDesk) Events(_ context.Context, _ string, kind server.EventKind, from, _ civil.Date) ([]server.ClinicEvent, error) {
	at := from.In(time.UTC).Add(6 * time.Hour)
	until := at.Add(2 * time.Hour)
	event := server.ClinicEvent{At: at, Kind: kind, Title: "Of " + string(kind), Text: "it was so"}
	if kind == server.SupportEvent {
		event.Until = &until
	}
	return []server.ClinicEvent{event}, nil
}

// serviceToken stands for a service token that holds what batch jobs do.
const serviceToken = "fsv1_of_a_test"

// deskServer is a query server with desks, an audit log to look at, and a policy that can change.
type deskServer struct {
	url   string
	desks *desks
	log   *servertest.Log

	mu     sync.Mutex
	policy *access.Policy
}

func (s *deskServer) set(policy *access.Policy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.policy = policy
}

func (s *deskServer) current() *access.Policy {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.policy
}

func newDeskServer(t *testing.T) *deskServer {
	t.Helper()
	d := &desks{settings: server.ClinicSettings{QuietHours: "07:00-20:00", StaleAfterDays: 2, IdentityMode: "privacy"}}
	o := servertest.SignedOptions(t, oneClinic{martstest.Small(t), martstest.Released(t)}, pluginKey())
	signed := o.Identify
	o.Identify = func(ctx context.Context, r *http.Request) (access.Principal, error) {
		if r.Header.Get("Authorization") == "Bearer "+serviceToken {
			return access.Principal{
				Person: access.ServicePrefix + "grafana", Service: true, Issuer: access.ServiceTokens, Subject: "grafana",
				Scope: &access.Scope{Role: access.BatchService, Clinics: []string{servertest.Clinic}},
			}, nil
		}
		return signed(ctx, r)
	}
	s := &deskServer{desks: d, log: o.Audit.(*servertest.Log), policy: servertest.Policy(t)}
	o.Policy = s.current
	o.Settings, o.Support, o.AuditLog, o.History = d, supportDesk{d}, auditDesk{d}, historyDesk{}
	s.url, _ = servertest.Serve(t, o)
	return s
}

// as is the data source bound to the clinic, asked by somebody; with the service token where service says so.
func (s *deskServer) as(login string, service bool) *pluginv2.PluginContext {
	c := configuredFor(login, s.url, servertest.Clinic, pluginKey().Text())
	if service {
		c.DataSourceInstanceSettings.DecryptedSecureJsonData["serviceToken"] = serviceToken
		c.DataSourceInstanceSettings.Uid += "service"
	}
	return c
}

func send(t *testing.T, b backend, instance *pluginv2.PluginContext, path, kind, body string) (int, string) {
	t.Helper()
	return callWith(t, b, instance, &pluginv2.CallResourceRequest{
		Method: http.MethodPost, Url: path, Body: []byte(body),
		Headers: map[string]*pluginv2.StringList{"Content-Type": {Values: []string{kind}}},
	})
}

func TestSettingsAreChangedInTheNameOfWhoeverIsSignedIn(t *testing.T) {
	b, s := start(t), newDeskServer(t)
	mia := s.as(access.Manager, true)
	for _, test := range []struct {
		name, login, path, kind, body string
		status                        int
		says                          string
	}{
		{"a manager", access.Manager, "settings", "application/json", `{"quiet_hours":"08:00-18:00"}`, 200, `"quiet_hours":"08:00-18:00"`},
		{"what is no hours", access.Manager, "settings", "application/json", `{"quiet_hours":"always"}`, 400, "These are no hours. Write them as 07:00-20:00."},
		{"an analyst", access.Analyst, "settings", "application/json", `{"quiet_hours":"08:00-18:00"}`, 403, "It needs settings.change at this clinic"},
		{"nobody", "", "settings", "application/json", `{"quiet_hours":"08:00-18:00"}`, 400, "Nobody is signed in"},
		{"another clinic", access.Manager, "settings", "application/json", `{"clinic":"second-clinic","quiet_hours":"09:00-18:00"}`, 200, `"clinic":"harbour-street"`},
		{"the identity mode", "everywhere", "settings", "application/json", `{"identity_mode":"recovery"}`, 409, "Run falloff identity-mode"},
		{"what is not known", access.Manager, "settings", "application/json", `{"tea":"green"}`, 400, "not the JSON object"},
		{"two objects", access.Manager, "settings", "application/json", `{"quiet_hours":""}{}`, 400, "cannot be read"},
		{"a form", access.Manager, "settings", "text/plain", `{"quiet_hours":""}`, 400, "cannot be read"},
		{"support access", access.Manager, "support", "application/json", `{"login":"sam","reason":"ticket/4711","minutes":60}`, 200, `"granted_by":"manager"`},
		{"support access by a practitioner", access.Practitioner, "support", "application/json", `{"login":"sam","reason":"ticket/4711","minutes":60}`, 403, "support.grant"},
		{"its end", access.PrivacyOfficer, "support/end", "application/json", `{"session":"s1"}`, 200, `"ended_by":"privacy_officer"`},
		{"what is no desk", access.Manager, "identities/reveal", "application/json", `{"patient":"p1_aaa"}`, 404, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, body := send(t, b, s.as(test.login, true), test.path, test.kind, test.body)
			if status != test.status || !strings.Contains(body, test.says) {
				t.Errorf("%d %s, and it should be %d and say %q", status, body, test.status, test.says)
			}
		})
	}
	if status, body := call(t, b, mia, http.MethodGet, "settings?clinic=second-clinic"); status != 200 || !strings.Contains(body, `"quiet_hours":"09:00-18:00"`) || !strings.Contains(body, servertest.Clinic) {
		t.Errorf("settings: %d %s", status, body)
	}
	if status, body := call(t, b, s.as(access.Practitioner, true), http.MethodGet, "settings"); status != 403 || !strings.Contains(body, "It needs settings.view") {
		t.Errorf("a practitioner's settings: %d %s", status, body)
	}
	if status, body := call(t, b, mia, http.MethodGet, "me"); status != 200 || !strings.Contains(body, `"settings.change"`) || strings.Contains(body, "second-clinic") {
		t.Errorf("me: %d %s", status, body)
	}
}

func TestDesksAreShownAsTables(t *testing.T) {
	b, s := start(t), newDeskServer(t)
	audit := map[string]any{"desk": "audit", "params": map[string]any{"person": " ben ", "action": "", "entity": "settings/quiet_hours"}}
	asked := []map[string]any{audit, {"desk": "support"}, {"desk": "events", "kinds": []string{"sync", "support"}}, {"desk": "banner"}, {"desk": "tea"}}
	mia := s.as(access.Manager, false)

	// With nothing to show there is no frame: a panel says its own sentence then.
	answers := ask(t, b, mia, asked...)
	for _, ref := range []string{"A", "B"} {
		if a := answers[ref]; a.GetError() != "" || len(a.GetFrames()) != 0 {
			t.Errorf("%s: an empty desk answers %v", ref, a)
		}
	}
	if got := rows(frame(t, answers["D"])); len(got) != 1 || got[0] != " | " {
		t.Errorf("without support access the banner says %q", got)
	}
	if got := answers["E"].GetError(); !strings.Contains(got, "cannot be read") {
		t.Errorf("a desk that there is not: %q", got)
	}
	if q := s.desks.searched[0]; q.Person != "ben" || q.Entity != "settings/quiet_hours" || q.Action != "" || q.Clinic != servertest.Clinic ||
		q.From != (civil.Date{Year: 2026, Month: 9, Day: 1}) || q.To != (civil.Date{Year: 2026, Month: 9, Day: 30}) {
		t.Errorf("the audit log was asked %+v", q)
	}

	at := time.Date(2026, time.September, 3, 8, 0, 0, 0, time.UTC)
	s.desks.records = []server.AuditRecord{{
		At: at, Person: "ben", Action: "setting.changed", Entity: "settings/quiet_hours", Address: "127.0.0.1",
		Before: map[string]any{"value": "none"}, After: map[string]any{"value": "08:00-18:00", "session": "x"},
	}}
	send(t, b, mia, "support", "application/json", `{"login":"sam","reason":"ticket/4711","minutes":60}`)
	answers = ask(t, b, mia, asked...)
	log := frame(t, answers["A"])
	if diff := cmp.Diff([]string{"2026-09-03 | ben | setting.changed | settings/quiet_hours | 127.0.0.1 | value none | session x, value 08:00-18:00"}, rows(log)); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
	if len(log.Meta.Notices) != 1 || !strings.Contains(log.Meta.Notices[0].Text, "newest 1 of 2") {
		t.Errorf("that there is more is said as %+v", log.Meta.Notices)
	}
	if got := rows(frame(t, answers["B"])); len(got) != 1 || got[0] != "goes on | sam | ticket/4711 | 2026-10-01 | 2026-10-01 | manager | - | -" {
		t.Errorf("support access: %q", got)
	}
	events := frame(t, answers["C"])
	var names []string
	for _, f := range events.Fields {
		names = append(names, f.Name)
	}
	if !slices.Equal(names, []string{"time", "timeEnd", "title", "text", "tags"}) || events.Rows() != 2 {
		t.Errorf("the events have %v", names)
	}
	if ends, ok := events.Fields[1].ConcreteAt(1); !ok || !ends.(time.Time).Equal(time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)) || !events.Fields[1].NilAt(0) {
		t.Errorf("they end %v", ends)
	}

	// Who may not is told so in words where the panel is everybody's, and has no marks.
	others := ask(t, b, s.as(access.Practitioner, false), asked...)
	for ref, want := range map[string]string{"A": "it needs audit.view", "B": "it needs support.view"} {
		if got := rows(frame(t, others[ref])); len(got) != 1 || !strings.Contains(got[0], want) || strings.Contains(got[0], "sam") || strings.Contains(got[0], "ben") {
			t.Errorf("%s: a practitioner reads %q", ref, got)
		}
	}
	if got := frame(t, others["C"]); got.Rows() != 1 {
		t.Errorf("a practitioner sees %d events", got.Rows())
	}
	strangers := ask(t, b, s.as("nobody", false), map[string]any{"desk": "events"}, map[string]any{"desk": "banner"}, map[string]any{"desk": "audit"})
	if a := strangers["A"]; a.GetError() != "" || len(a.GetFrames()) != 0 {
		t.Errorf("somebody without a role sees the events %v", a)
	}
}

// K10: everybody at the clinic reads it, and it does not break out of the sentence.
func TestTheBannerSaysThatSupportAccessGoesOn(t *testing.T) {
	b, s := start(t), newDeskServer(t)
	policy, err := s.current().WithSupport(access.Support{
		Issuer: access.Grafana, Subject: access.VendorSupport, Clinics: []string{servertest.Clinic}, Reason: "ticket/4711",
		From: time.Now().Add(-time.Minute), Until: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.set(policy)
	for _, login := range []string{access.Manager, access.Practitioner} {
		got := rows(frame(t, ask(t, b, s.as(login, false), map[string]any{"desk": "banner"})["A"]))
		if len(got) != 1 || !strings.Contains(got[0], "support can see this clinic until") || !strings.Contains(got[0], "(ticket/4711)") {
			t.Errorf("%s reads %q", login, got)
		}
	}
}

// schedulerAsks is what Grafana sends for an alert rule, or somebody else who pretends to be one.
func schedulerAsks(t *testing.T, b backend, instance *pluginv2.PluginContext, user *pluginv2.User, header bool, q map[string]any) *pluginv2.DataResponse {
	t.Helper()
	instance.User = user
	text, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	request := &pluginv2.QueryDataRequest{PluginContext: instance, Queries: []*pluginv2.DataQuery{{RefId: "A", Json: text, TimeRange: &pluginv2.TimeRange{}}}}
	if header {
		request.Headers = map[string]string{"FromAlert": "true"}
	}
	response, err := b.data.QueryData(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	return response.GetResponses()["A"]
}

// Alert rules run in nobody's name: they are answered what the service token opens. Nobody else is, whatever they say of themselves.
func TestAlertRulesGoByTheServiceToken(t *testing.T) {
	b, s := start(t), newDeskServer(t)
	fresh := map[string]any{"query": "freshness", "format": "number", "value": "days_behind", "labels": []string{"dataset"}}
	scheduler := &pluginv2.User{Login: "grafana_scheduler", Name: "grafana_scheduler", Role: "Admin"} // as Grafana 12.4 sends it

	answered := frame(t, schedulerAsks(t, b, s.as("", true), scheduler, true, fresh))
	if len(answered.Fields) != 2 || answered.Fields[0].Name != "dataset" || !answered.Fields[1].Type().Numeric() || answered.Meta.Type != data.FrameTypeNumericLong {
		t.Errorf("an alert rule reckons with %+v", answered)
	}
	if events := s.log.Events(); events[len(events)-1].Person != "service/grafana" {
		t.Errorf("it is recorded as %+v", events[len(events)-1])
	}
	if got := schedulerAsks(t, b, s.as("", true), scheduler, true, map[string]any{"query": "leak_total"}); !strings.Contains(got.GetError(), "another permission") {
		t.Errorf("beyond what the token opens it is answered %v", got)
	}
	if got := schedulerAsks(t, b, s.as("", false), scheduler, true, fresh); !strings.Contains(got.GetError(), "no service token") || !strings.Contains(got.GetError(), "falloff token issue") {
		t.Errorf("without a token it says %q", got.GetError())
	}
	for name, test := range map[string]struct {
		user   *pluginv2.User
		header bool
		says   string
	}{
		"a viewer who says so":              {&pluginv2.User{Login: "nobody", Name: "N", Role: "Viewer"}, true, "No role is given"},
		"a public dashboard":                {&pluginv2.User{Role: "Viewer"}, false, "Nobody is signed in"},
		"a public dashboard that says so":   {&pluginv2.User{Role: "Viewer"}, true, "Nobody is signed in"},
		"nobody at all":                     {nil, true, "Nobody is signed in"},
		"the scheduler's name alone":        {scheduler, false, "Nobody is signed in"},
		"somebody who took that name":       {&pluginv2.User{Login: "grafana_scheduler", Email: "eve@clinic.example", Role: "Viewer"}, true, "No role is given"},
		"a viewer of that name":             {&pluginv2.User{Login: "grafana_scheduler", Role: "Viewer"}, true, "Nobody is signed in"},
		"somebody who took another of them": {&pluginv2.User{Login: "grafana_backup", Role: "Admin"}, true, "Nobody is signed in"},
	} {
		before := len(s.log.Events())
		if got := schedulerAsks(t, b, s.as("", true), test.user, test.header, fresh); !strings.Contains(got.GetError(), test.says) || len(got.GetFrames()) > 0 {
			t.Errorf("%s is answered %v", name, got)
		}
		for _, e := range s.log.Events()[before:] {
			if e.Person == "service/grafana" {
				t.Errorf("%s went by the service token", name)
			}
		}
	}
}

func TestNumbersForAlertRules(t *testing.T) {
	b, url := start(t), queryServer(t)
	answers := ask(t, b, configuredFor("figures", url, servertest.Clinic, pluginKey().Text()),
		map[string]any{"query": "patient_status_counts", "format": "number", "value": "patients"},
		map[string]any{"query": "leaks_by_category", "format": "number", "value": "amount_cents", "labels": []string{"title"}},
		map[string]any{"query": "leaks_by_category", "format": "number", "value": "amount_cents", "labels": []string{}},
		map[string]any{"query": "freshness", "format": "number", "value": "as_of", "labels": []string{}},
		map[string]any{"query": "freshness", "format": "number", "value": "dataset"},
		map[string]any{"query": "freshness", "format": "number", "value": "tea"},
	)
	for _, row := range rows(frame(t, answers["A"])) {
		if strings.HasSuffix(row, "-") || strings.HasSuffix(row, " 0") {
			t.Errorf("a rule would take what is withheld for %q", row)
		}
	}
	if got := frame(t, answers["B"]); len(got.Fields) != 2 || got.Fields[0].Name != "title" {
		t.Errorf("by category: %v", rows(got))
	}
	all := frame(t, answers["C"])
	if len(all.Fields) != 1 || all.Rows() != 1 {
		t.Errorf("the largest alone: %v", rows(all))
	}
	age, _ := frame(t, answers["D"]).Fields[0].FloatAt(0)
	if want := time.Since(time.Date(2026, 9, 30, 0, 0, 0, 0, time.UTC)).Hours() / 24; age < want-1 || age > want+1 {
		t.Errorf("the state of 30 September is %f days old, and it is %f", age, want)
	}
	for _, ref := range []string{"E", "F"} {
		if got := answers[ref].GetError(); !strings.Contains(got, "no column of numbers") {
			t.Errorf("%s: %q", ref, got)
		}
	}
}

func TestWhoMayWatchHowFreshAClinicIs(t *testing.T) {
	b, s := start(t), newDeskServer(t)
	channel := "freshness/" + servertest.Clinic
	for _, test := range []struct {
		name, login, path string
		service           bool
		want              pluginv2.SubscribeStreamResponse_Status
	}{
		{"a manager", access.Manager, channel, true, pluginv2.SubscribeStreamResponse_OK},
		{"a practitioner", access.Practitioner, channel, true, pluginv2.SubscribeStreamResponse_OK},
		{"of another clinic", "elsewhere", channel, true, pluginv2.SubscribeStreamResponse_PERMISSION_DENIED},
		{"without a role", "nobody", channel, true, pluginv2.SubscribeStreamResponse_PERMISSION_DENIED},
		{"not signed in", "", channel, true, pluginv2.SubscribeStreamResponse_PERMISSION_DENIED},
		{"without a service token", access.Manager, channel, false, pluginv2.SubscribeStreamResponse_NOT_FOUND},
		{"another clinic than the data source's", "everywhere", "freshness/second-clinic", true, pluginv2.SubscribeStreamResponse_NOT_FOUND},
		{"something else", access.Manager, "leaks/" + servertest.Clinic, true, pluginv2.SubscribeStreamResponse_NOT_FOUND},
		{"a path", access.Manager, "freshness/../v1/audit", true, pluginv2.SubscribeStreamResponse_NOT_FOUND},
	} {
		response, err := b.stream.SubscribeStream(t.Context(), &pluginv2.SubscribeStreamRequest{PluginContext: s.as(test.login, test.service), Path: test.path})
		if err != nil {
			t.Fatal(err)
		}
		if response.GetStatus() != test.want {
			t.Errorf("%s: %s, and it should be %s", test.name, response.GetStatus(), test.want)
		}
		published, err := b.stream.PublishStream(t.Context(), &pluginv2.PublishStreamRequest{PluginContext: s.as(test.login, test.service), Path: test.path, Data: []byte(`{}`)})
		if err != nil || published.GetStatus() != pluginv2.PublishStreamResponse_PERMISSION_DENIED {
			t.Errorf("%s publishes: %v %v", test.name, published, err)
		}
	}
}

// What goes to everyone who watches says that there is something new and nothing of what it is, and is asked for in nobody's name.
func TestAStreamSaysThatThereIsNews(t *testing.T) {
	b, s := start(t), newDeskServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := b.stream.RunStream(ctx, &pluginv2.RunStreamRequest{PluginContext: s.as(access.Manager, true), Path: "freshness/" + servertest.Clinic})
	if err != nil {
		t.Fatal(err)
	}
	packet, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var told data.Frame
	if err := json.Unmarshal(packet.GetData(), &told); err != nil {
		t.Fatal(err)
	}
	state, _ := told.FieldByName("state")
	if len(told.Fields) != 2 || told.Rows() != 1 || len(fmt.Sprint(state.At(0))) != 16 {
		t.Errorf("it says %s", packet.GetData())
	}
	events := s.log.Events()
	if len(events) != 1 || events[0].Person != "service/grafana" || events[0].Route != "/v1/freshness" {
		t.Errorf("it was asked as %+v", events)
	}
}
