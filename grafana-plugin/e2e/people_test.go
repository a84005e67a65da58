package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/proto"

	"github.com/falloff-analytics/falloff/grafana-plugin/chromiumtest"
	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/server/servertest"
)

// Manager and analyst see every panel filled. A practitioner's own page is whole, and no other page shows them what their role is not
// for; who has no role sees an error in every panel, and no number.
func TestEveryDashboardAsEveryone(t *testing.T) {
	g := running(t)
	policy := servertest.Policy(t)
	set := g.stage(t, policy)
	browser := chromiumtest.Start(t)
	all := dashboards(t)
	addresses := map[string]string{}
	for _, d := range all {
		addresses[d.UID] = set.show(t, d)
	}
	for _, login := range []string{access.Manager, access.Analyst, access.Practitioner, "nobody"} {
		t.Run(login, func(t *testing.T) {
			as := g.admit(t, login)
			sees := policy.Visible(access.Principal{Person: login, Subject: login, Issuer: access.Grafana, SecondFactor: true}, time.Now())
			session, err := browser.Incognito()
			if err != nil {
				t.Fatal(err)
			}
			as.signIn(t, session)
			for _, d := range all {
				t.Run(d.UID, func(t *testing.T) {
					whole := login == access.Manager || login == access.Analyst || login == access.Practitioner && d.UID == "falloff-my-patients"
					look(t, session, addresses[d.UID], d, func(p panel, s panelState) {
						if p.Type == clinicPanel || p.Targets[0].Desk != "" {
							judgeDesk(t, sees, p, s)
							return
						}
						allowed := !sees.Query(servertest.Clinic, p.Targets[0].Query).None()
						switch {
						case !allowed && !s.Failed:
							t.Errorf("panel %q is not for %s, and shows %q", p.Title, login, s.Text)
						case allowed && whole && s.wrong() != "":
							t.Errorf("panel %q: %s: %q", p.Title, s.wrong(), s.Text)
						case allowed && s.wrong() != "" && !s.saysWhyEmpty(d):
							t.Errorf("panel %q: %s, and not why: %q", p.Title, s.wrong(), s.Text)
						}
					}, whole)
				})
			}
		})
	}
}

// judgeDesk demands of a panel that shows no figures that whoever may not see what it shows reads why, without an alarm, and sees nothing of it.
func judgeDesk(t *testing.T, sees access.Visible, p panel, s panelState) {
	t.Helper()
	needs, shows, refusal := access.AuditView, "query.answered", "audit.view"
	switch {
	case p.Type == clinicPanel && p.Options.Part == "settings":
		needs, shows, refusal = access.SettingsView, "Quiet hours", "settings are not shown"
	case p.Type == clinicPanel:
		needs, shows, refusal = access.SupportView, "ticket/4711", "Support access is not shown"
	case p.Targets[0].Desk == "support":
		needs, shows, refusal = access.SupportView, "ticket/4711", "support.view"
	}
	switch {
	case s.Failed || s.Loading:
		t.Errorf("panel %q: %s: %q", p.Title, s.wrong(), s.Text)
	case sees.Allows(servertest.Clinic, needs):
		if !strings.Contains(s.Text, shows) {
			t.Errorf("panel %q shows %q, and not %q", p.Title, s.Text, shows)
		}
	case !strings.Contains(s.Text, refusal) || strings.Contains(s.Text, shows):
		t.Errorf("panel %q is not for them, and shows %q", p.Title, s.Text)
	}
}

// look opens a dashboard as on a laptop, and on a phone, has every panel that asks something judged, and demands of a page that is
// shown whole that the browser complains of nothing and that it can be read by everyone.
func look(t *testing.T, browser *rod.Browser, address string, d dashboard, judge func(panel, panelState), whole bool) {
	t.Helper()
	page, err := browser.Page(proto.TargetCreateTarget{URL: "about:blank"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = page.Close() }()
	page = page.Timeout(5 * time.Minute)
	var heard complaints
	heard.listen(page)
	rows, stacked := 0, 0
	for _, p := range d.Panels {
		rows = max(rows, p.GridPos.Y+p.GridPos.H)
		stacked += p.GridPos.H
	}
	for _, screen := range []struct {
		name         string
		width, units int
	}{{"laptop", 1280, rows}, {"phone", 390, stacked}} {
		// Panels are drawn when they come into view: one tall view has them all. A unit of the grid is 30 pixels and a gap of 8.
		size := &proto.EmulationSetDeviceMetricsOverride{Width: screen.width, Height: 38*screen.units + 400, DeviceScaleFactor: 1}
		if err := page.SetViewport(size); err != nil {
			t.Fatal(err)
		}
		if err := page.Navigate(address); err != nil {
			t.Fatal(err)
		}
		states := settle(t, page, d)
		keepScreenshot(t, page, screen.name)
		for _, s := range states {
			at := slices.IndexFunc(d.Panels, func(p panel) bool {
				begin, _, _ := strings.Cut(p.Title, "$") // a variable stands there, and what is chosen here
				return p.Title == s.Title || begin != p.Title && strings.HasPrefix(s.Title, begin)
			})
			if at < 0 {
				t.Errorf("%s: there is a panel %q that the dashboard has not", screen.name, s.Title)
				continue
			}
			judge(d.Panels[at], s)
		}
		if whole {
			readable(t, page, screen.name)
		}
	}
	if whole {
		heard.report(t)
	}
}

// readable has axe look for what keeps people with a disability from reading the panels.
func readable(t *testing.T, page *rod.Page, screen string) {
	t.Helper()
	script, err := os.ReadFile("../node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatalf("accessibility cannot be checked: %v. Run make setup-plugin", err)
	}
	if err := page.AddScriptTag("", string(script)); err != nil {
		t.Fatal(err)
	}
	found, err := page.Eval(`async () => {
		const result = await axe.run(
			{ include: [['section[data-testid^="data-testid Panel header"]']] },
			{ runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa'], resultTypes: ['violations'] }
		);
		return result.violations.map((v) => ({ id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.map((n) => n.html.slice(0, 300)) }));
	}`)
	if err != nil {
		t.Fatalf("looking for barriers: %v", err)
	}
	var violations []struct {
		ID, Impact, Help string
		Nodes            []string
	}
	if err := found.Value.Unmarshal(&violations); err != nil {
		t.Fatal(err)
	}
	for _, v := range violations {
		if slices.Contains(grafanasOwn, v.ID) {
			t.Logf("%s: Grafana's own, %d times: %s", screen, len(v.Nodes), v.Help)
			continue
		}
		t.Errorf("%s: %s (%s), %d times, such as\n%s", screen, v.Help, v.Impact, len(v.Nodes), v.Nodes[0])
	}
}

// grafanasOwn are barriers in Grafana's own panels that no dashboard can take away.
var grafanasOwn = []string{}

// Whatever a viewer sends to Grafana in their own name, they are answered what their role is for.
func TestAForgedQueryIsRefused(t *testing.T) {
	g := running(t)
	set := g.stage(t, servertest.Policy(t))
	practitioner, nobody := g.admit(t, access.Practitioner), g.admit(t, "nobody")
	plain := map[string]any{"query": "leak_total", "params": map[string]any{}, "format": "table"}
	with := func(changes map[string]any) map[string]any {
		q := maps.Clone(plain)
		maps.Copy(q, changes)
		return q
	}
	for _, test := range []struct {
		name    string
		as      grafana
		headers map[string]string
		query   map[string]any
	}{
		{"a practitioner asks for money", practitioner, nil, plain},
		{"under another's name", practitioner, map[string]string{"X-Grafana-User": access.Manager, "X-Grafana-Id": "forged"}, plain},
		{"with a token of their own", practitioner, map[string]string{"Authorization": "", "X-Id-Token": "forged"}, plain},
		{"who they are in the query", practitioner, nil, with(map[string]any{"login": access.Manager, "person": access.Manager, "user": access.Manager})},
		{"SQL for a name", practitioner, nil, with(map[string]any{"query": "leak_total; select 1"})},
		{"SQL for a choice", practitioner, nil, with(map[string]any{"query": "visits_by_week", "params": map[string]any{"split": "state' or true --"}})},
		{"somebody without a role", nobody, nil, with(map[string]any{"query": "freshness"})},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := with(test.query)
			q["refId"], q["datasource"] = "A", map[string]any{"type": pluginID, "uid": set.source}
			body, err := json.Marshal(map[string]any{"queries": []any{q}, "from": "1767225600000", "to": "1793404800000"})
			if err != nil {
				t.Fatal(err)
			}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, test.as.url+"/api/ds/query", strings.NewReader(string(body)))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/json")
			for name, value := range test.headers {
				request.Header.Set(name, value)
			}
			request.SetBasicAuth(test.as.user, test.as.password)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			text, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			var answer struct {
				Results map[string]struct {
					Error  string
					Frames []any
				}
			}
			if err := json.Unmarshal(text, &answer); err != nil {
				t.Fatalf("%d %s", response.StatusCode, text)
			}
			if a := answer.Results["A"]; a.Error == "" || len(a.Frames) > 0 {
				t.Errorf("it was answered: %d %s", response.StatusCode, text)
			}
		})
	}
	// The same way must let in what is theirs, or the refusals above would prove nothing. The data source is bound to their clinic:
	// whichever a query names, that one is asked.
	var answer struct {
		Results map[string]struct {
			Error  string
			Frames []struct {
				Schema struct {
					Meta struct{ Custom struct{ Clinic string } }
				}
				Data struct{ Values [][]any }
			}
		}
	}
	own := with(map[string]any{"query": "visits_by_week", "clinic": "second-clinic", "refId": "A", "datasource": map[string]any{"type": pluginID, "uid": set.source}})
	practitioner.call(t, http.MethodPost, "/api/ds/query", map[string]any{"queries": []any{own}, "from": "1767225600000", "to": "1793404800000"}, &answer)
	a := answer.Results["A"]
	if a.Error != "" || len(a.Frames) != 1 || len(a.Frames[0].Data.Values) == 0 || len(a.Frames[0].Data.Values[0]) == 0 || a.Frames[0].Schema.Meta.Custom.Clinic != servertest.Clinic {
		t.Errorf("a practitioner is not answered about their own weeks: %s", fmt.Sprint(a))
	}
}
