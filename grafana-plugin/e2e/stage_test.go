package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/disclosure"
	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/query/martstest"
	"github.com/falloff-analytics/falloff/warehouse/server"
	"github.com/falloff-analytics/falloff/warehouse/server/servertest"
)

// fixture is a lake of one clinic.
type fixture struct {
	marts    map[string][]string
	released *disclosure.Released
}

func (fixture) Clinics(context.Context) ([]string, error) { return []string{servertest.Clinic}, nil }

func (fixture) Head(_ context.Context, clinic string) (string, error) {
	if clinic != servertest.Clinic {
		return "", server.ErrUnknownClinic
	}
	return "7", nil
}

func (f fixture) Open(ctx context.Context, clinic string, view server.View) (server.Engine, error) {
	return servertest.Open(ctx, f.marts, f.released, clinic, "7", view)
}

// tasks are what people said at the clinic: of a patient who then booked, and of one who came back.
type tasks struct{}

func (tasks) Said(context.Context, string) (version int64, said []query.LeakSaid, err error) {
	return 1, []query.LeakSaid{
		{LeakID: "falloff/p1_aaa/Physiotherapy/2026", State: "contacted", Assignee: "Robin Mercer", Note: "left_message", Since: civil.Date{Year: 2026, Month: time.September, Day: 26}},
		{LeakID: "falloff/p1_eee/Physiotherapy/2024", State: "contacted", Assignee: "Robin Mercer", Since: civil.Date{Year: 2026, Month: time.January, Day: 2}},
	}, nil
}

func (tasks) History(context.Context, string, string) (*server.LeakHistory, error) {
	return nil, server.ErrUnknownClinic
}

func (tasks) Say(context.Context, server.Asker, string, []server.LeakStep) ([]server.LeakStepSaid, error) {
	return nil, server.ErrUnknownClinic
}

// desk is what a clinic has beside its figures: settings, a record in the audit log, support access that is over, a sync and a price.
type desk struct{}

func (desk) Show(_ context.Context, clinic string) (*server.ClinicSettings, error) {
	return &server.ClinicSettings{
		Clinic: clinic, Name: "Harbour Street", TimeZone: "America/Toronto", Currency: "CAD", QuietHours: "08:00-18:00", StaleAfterDays: 2,
		IdentityMode: "privacy", Extraction: &server.ExtractionState{State: "ok"}, Agreement: &server.AgreementState{Accepted: true, Version: 1, AcceptedVersion: 1},
	}, nil
}

func (desk) Change(context.Context, server.Asker, string, server.SettingsChange) error { return nil }

func (desk) Search(context.Context, server.Asker, server.AuditQuery) (*server.AuditPage, error) {
	return &server.AuditPage{Found: 1, Records: []server.AuditRecord{{
		Chain: "desk", Number: 1, At: staged, Person: "mia", Action: "query.answered", Entity: "query/leak_total", After: map[string]any{"rows": 1},
	}}}, nil
}

func (desk) Events(_ context.Context, _ string, kind server.EventKind, _, _ civil.Date) ([]server.ClinicEvent, error) {
	return []server.ClinicEvent{{At: staged, Kind: kind, Title: "It happened", Text: "at last"}}, nil
}

type supportDesk struct{}

var staged = time.Date(2026, time.September, 3, 8, 0, 0, 0, time.UTC)

func (supportDesk) List(context.Context, string) ([]server.SupportGrant, error) {
	ended := staged.Add(time.Hour)
	return []server.SupportGrant{{
		Session: "s", Login: "sam", Issuer: access.Grafana, Reason: "ticket/4711", GrantedBy: "mia", From: staged, Until: ended, Ended: &ended, Uses: 3,
	}}, nil
}

func (supportDesk) Grant(context.Context, server.Asker, string, server.SupportRequest) (*server.SupportGrant, error) {
	return nil, server.ErrUnknownClinic
}

func (supportDesk) End(context.Context, server.Asker, string, string) (*server.SupportGrant, error) {
	return nil, server.ErrUnknownClinic
}

// stage is a query server over fixture marts, and a data source of Grafana's that asks it. Both go with the test.
type stage struct {
	grafana grafana
	// source is the data source's uid.
	source string
}

func (g grafana) stage(t *testing.T, policy *access.Policy) stage {
	t.Helper()
	key := servertest.NewKey(t)
	o := servertest.SignedOptions(t, fixture{martstest.Small(t), martstest.Released(t)}, key)
	o.Policy = func() *access.Policy { return policy }
	o.Settings, o.AuditLog, o.History, o.Support, o.Leaks = desk{}, desk{}, desk{}, supportDesk{}, tasks{}
	address, _ := servertest.Serve(t, o)

	var source struct {
		Datasource struct{ UID string }
	}
	g.call(t, http.MethodPost, "/api/datasources", map[string]any{
		"name": fmt.Sprintf("Falloff test %d", time.Now().UnixNano()), "type": pluginID, "access": "proxy",
		"url": address, "jsonData": map[string]any{"clinic": servertest.Clinic, "secondFactor": true},
		"secureJsonData": map[string]any{"pluginKey": key.Text()},
	}, &source)
	t.Cleanup(func() { g.call(t, http.MethodDelete, "/api/datasources/uid/"+source.Datasource.UID, nil, nil) })
	return stage{g, source.Datasource.UID}
}

// show imports a dashboard and gives its address, with the data source and the fixture's days chosen.
func (s stage) show(t *testing.T, d dashboard) string {
	t.Helper()
	var model map[string]any
	if err := json.Unmarshal(d.text, &model); err != nil {
		t.Fatal(err)
	}
	uid := fmt.Sprintf("falloff-test-%d", time.Now().UnixNano())
	model["uid"], model["title"] = uid, model["title"].(string)+" "+uid
	s.grafana.call(t, http.MethodPost, "/api/dashboards/db", map[string]any{"dashboard": model}, nil)
	t.Cleanup(func() { s.grafana.call(t, http.MethodDelete, "/api/dashboards/uid/"+uid, nil, nil) })
	// The fixture's days stay where they are while the calendar goes on: January to October 2026.
	return s.grafana.url + "/d/" + uid + "?from=1767225600000&to=1793404800000&var-datasource=" + s.source
}

// admit makes a viewer of Grafana's with the login, who goes with the test, and gives Grafana as they see it.
func (g grafana) admit(t *testing.T, login string) grafana {
	t.Helper()
	as := grafana{url: g.url, user: login, password: "only-in-this-test"}
	var user struct{ ID int }
	if status := g.call(t, http.MethodGet, "/api/users/lookup?loginOrEmail="+login, nil, &user); status == http.StatusOK {
		t.Fatalf("Grafana has a user %s already: this test makes one, and takes it away again. Remove that user, or use another Grafana", login)
	}
	g.call(t, http.MethodPost, "/api/admin/users", map[string]any{"name": login, "login": login, "password": as.password, "OrgId": 1}, &user)
	t.Cleanup(func() { g.call(t, http.MethodDelete, fmt.Sprintf("/api/admin/users/%d", user.ID), nil, nil) })
	return as
}
