package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/input"
	"github.com/go-rod/rod/lib/proto"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"

	"github.com/falloff-analytics/falloff/grafana-plugin/chromiumtest"
	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/server"
	"github.com/falloff-analytics/falloff/warehouse/server/servertest"
)

// stage makes the page on which the parts are shown, and gives its folder.
func stage(t *testing.T) string {
	t.Helper()
	bundle := t.TempDir()
	command := exec.Command("node", "node_modules/webpack/bin/webpack.js", "-c", "webpack.stage.ts", "--output-path", bundle)
	command.Dir = ".."
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("making the page: %v. Run make setup-plugin\n%s", err, output)
	}
	return bundle
}

// editors serves the plugin's parts on pages of their own, with Grafana's component library and no Grafana, and passes on to the backend
// what they ask. It gives the address.
func editors(t *testing.T, b backend, bundle string, as *pluginv2.PluginContext) string {
	t.Helper()
	say := func(w http.ResponseWriter, status int, body string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(bundle)))
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>falloff</title><link rel="icon" href="data:,"></head><body style="margin:0"><script src="/stage.js"></script></body></html>`)
	})
	mux.HandleFunc("/api/datasources/uid/falloff/resources/{path...}", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		address := r.PathValue("path")
		if r.URL.RawQuery != "" {
			address += "?" + r.URL.RawQuery
		}
		status, answer := callWith(t, b, as, &pluginv2.CallResourceRequest{
			Method: r.Method, Url: address, Body: body, Headers: map[string]*pluginv2.StringList{"Content-Type": {Values: r.Header["Content-Type"]}},
		})
		say(w, status, answer)
	})
	mux.HandleFunc("POST /api/ds/query", func(w http.ResponseWriter, r *http.Request) {
		var request struct{ Queries []map[string]any }
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
		}
		type answer struct {
			Status int           `json:"status"`
			Error  string        `json:"error,omitempty"`
			Frames []*data.Frame `json:"frames"`
		}
		results := map[string]answer{}
		for refID, response := range ask(t, b, as, request.Queries...) {
			one := answer{Status: int(response.GetStatus()), Error: response.GetError()}
			for _, packed := range response.GetFrames() {
				f, err := data.UnmarshalArrowFrame(packed)
				if err != nil {
					t.Error(err)
				}
				one.Frames = append(one.Frames, f)
			}
			results[refID] = one
		}
		text, err := json.Marshal(map[string]any{"results": results})
		if err != nil {
			t.Error(err)
		}
		say(w, http.StatusOK, string(text))
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

// part is one of the plugin's parts on its page.
type part struct {
	*rod.Page

	t *testing.T
}

// open shows a part. What the page complains of fails the test.
func open(t *testing.T, browser *rod.Browser, address string, with map[string]string) part {
	t.Helper()
	page, err := browser.Page(proto.TargetCreateTarget{URL: "about:blank"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = page.Close() })
	page = page.Timeout(3 * time.Minute)
	if err := page.SetViewport(&proto.EmulationSetDeviceMetricsOverride{Width: 1100, Height: 700, DeviceScaleFactor: 1}); err != nil {
		t.Fatal(err)
	}
	go page.EachEvent(func(e *proto.RuntimeExceptionThrown) {
		if said := e.ExceptionDetails.Exception; said != nil && !strings.Contains(said.Description, "Canceled") { // Monaco's own way to end what is no longer wanted
			t.Errorf("exception: %s %s", e.ExceptionDetails.Text, said.Description)
		}
	})()
	values := url.Values{}
	for name, value := range with {
		values.Set(name, value)
	}
	if err := page.Navigate(address + "/?" + values.Encode()); err != nil {
		t.Fatal(err)
	}
	return part{page, t}
}

// picture leaves a screenshot for people among the test's artifacts.
func (p part) picture(name string) {
	p.t.Helper()
	shot, err := p.Screenshot(false, nil)
	if err == nil {
		err = os.WriteFile(filepath.Join(p.t.ArtifactDir(), name+".png"), shot, 0o600)
	}
	if err != nil {
		p.t.Error(err)
	}
	p.t.Logf("screenshot: %s", filepath.Join(p.t.ArtifactDir(), name+".png"))
}

// until waits for a condition of the page, with a picture where it does not come.
func (p part) until(condition string, args ...any) {
	p.t.Helper()
	if err := p.Timeout(time.Minute).Wait(rod.Eval(condition, args...)); err != nil {
		p.picture("waited")
		p.t.Fatalf("%s %v: %v", condition, args, err)
	}
}

func (p part) says(text string) {
	p.t.Helper()
	p.until(`(text) => document.body.innerText.includes(text)`, text)
}

func (p part) click(selector string) {
	p.t.Helper()
	element, err := p.Timeout(time.Minute).Element(selector)
	if err == nil {
		err = element.Click(proto.InputMouseButtonLeft, 1)
	}
	if err != nil {
		p.picture("clicked")
		p.t.Fatalf("%s: %v", selector, err)
	}
}

// choose takes an option, by its beginning, of a list that is opened by a click.
func (p part) choose(list, option string) {
	p.t.Helper()
	p.click(list)
	p.until(`(option) => {
		const found = [...document.querySelectorAll('[role=option]')].find((one) => one.innerText.startsWith(option));
		found?.click();
		return Boolean(found);
	}`, option)
}

func (p part) query() map[string]any {
	p.t.Helper()
	found, err := p.Eval(`() => window.stage.query`)
	if err != nil {
		p.t.Fatal(err)
	}
	query := map[string]any{}
	if err := found.Value.Unmarshal(&query); err != nil {
		p.t.Fatal(err)
	}
	return query
}

// barriers has axe look for what keeps people with a disability from using the part. What Grafana's editor of code colours is Grafana's own.
func (p part) barriers() {
	p.t.Helper()
	script, err := os.ReadFile("../node_modules/axe-core/axe.min.js")
	if err != nil {
		p.t.Fatalf("accessibility cannot be checked: %v. Run make setup-plugin", err)
	}
	if err := p.AddScriptTag("", string(script)); err != nil {
		p.t.Fatal(err)
	}
	found, err := p.Eval(`async () => {
		const result = await axe.run({ include: 'main', exclude: '.monaco-editor' }, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa'], resultTypes: ['violations'] });
		return result.violations.map((v) => v.help + ': ' + v.nodes.map((n) => n.html.slice(0, 300) + ' ' + n.failureSummary).join('\n'));
	}`)
	if err != nil {
		p.t.Fatalf("looking for barriers: %v", err)
	}
	for _, v := range found.Value.Arr() {
		p.t.Error(v.Str())
	}
}

// The editors in a real browser, with what Grafana makes editors of: the popup that completes SQL, a variable's values, a dashboard's
// filters, and every part in the light theme. The other tests have the dark one.
func TestEditorsInABrowser(t *testing.T) {
	b, s := start(t), newDeskServer(t)
	s.desks.settings.TimeZone = "America/Toronto"
	s.desks.grants = []server.SupportGrant{{Session: "s", Login: "sam", Reason: "ticket/4711", GrantedBy: "mia", Until: time.Date(2026, time.September, 3, 10, 0, 0, 0, time.UTC), Active: true}}
	browser := chromiumtest.Start(t)
	bundle := stage(t)
	analyst := editors(t, b, bundle, s.as(access.Analyst, false))

	t.Run("SQL is completed", func(t *testing.T) {
		for _, test := range []struct{ name, typed, offered, taken string }{
			{"tables", "select 1 from marts.leak_led", "leak_ledger", "select 1 from marts.leak_ledger"},
			{"columns", "select leak.amount_c from marts.leak_ledger as leak", "amount_cents", ""},
			{"macros", "select 1 from marts.leak_ledger where $__timeF", "$__timeFilter", "select 1 from marts.leak_ledger where $__timeFilter(column)"},
		} {
			t.Run(test.name, func(t *testing.T) {
				p := open(t, browser, analyst, map[string]string{"clinic": servertest.Clinic, "query": `{"refId":"A","mode":"sql","sql":""}`})
				p.says("tables, all in the schema marts")
				p.click(".monaco-editor .view-lines")
				typed, rest := test.typed, ""
				if at := strings.Index(test.typed, " from marts.leak_ledger as"); at > 0 {
					typed, rest = test.typed[:at], test.typed[at:]
				}
				if rest != "" { // what is selected from is written first, as people do
					if err := p.InsertText(rest); err != nil {
						t.Fatal(err)
					}
					if err := p.Keyboard.Press(input.Home); err != nil {
						t.Fatal(err)
					}
				}
				for _, letter := range typed {
					if err := p.InsertText(string(letter)); err != nil {
						t.Fatal(err)
					}
				}
				if err := p.KeyActions().Press(input.ControlLeft).Type(input.Space).Do(); err != nil {
					t.Fatal(err)
				}
				p.until(`(offered) => [...document.querySelectorAll('.suggest-widget.visible .monaco-list-row')].some((row) => row.innerText.includes(offered))`, test.offered)
				p.picture(test.name)
				if test.taken == "" {
					return
				}
				if err := p.Keyboard.Press(input.Enter); err != nil {
					t.Fatal(err)
				}
				if err := p.KeyActions().Press(input.ControlLeft).Type(input.KeyS).Do(); err != nil {
					t.Fatal(err)
				}
				p.until(`(taken) => window.stage.query.sql === taken`, test.taken)
			})
		}
	})

	t.Run("a variable's values are chosen", func(t *testing.T) {
		p := open(t, browser, analyst, map[string]string{"part": "variable", "query": `{"refId":"variable","list":"payer"}`})
		p.says("narrows nothing")
		p.choose("#falloff-variable-list", "Practitioners")
		p.until(`() => window.stage.query.list === 'staff_member'`)
		p.click("label[for=falloff-variable-without-all]")
		p.until(`() => window.stage.query.withoutAll === true`)
		p.picture("list")
		p.choose("#falloff-variable-list", "A query")
		p.until(`() => window.stage.query.query === 'disciplines' && !('list' in window.stage.query && window.stage.query.list)`)
		p.says("Ask by")
		p.picture("query")
		p.choose("#falloff-variable-list", "Clinics")
		p.says("The value is the clinic’s id")
		if got := p.query(); got["list"] != "clinic" || got["query"] != nil {
			t.Errorf("the query is %v", got)
		}
	})

	t.Run("a dashboard's filters narrow", func(t *testing.T) {
		p := open(t, browser, analyst, map[string]string{"clinic": servertest.Clinic})
		p.says("Ask by")
		eval := func(script string, args ...any) string {
			t.Helper()
			found, err := p.Eval(script, args...)
			if err != nil {
				t.Fatal(err)
			}
			return found.Value.JSON("", "")
		}
		if keys := eval(`() => window.stage.tagKeys()`); !strings.Contains(keys, `"category"`) {
			t.Errorf("filters are about %s", keys)
		}
		if values := eval(`() => window.stage.tagValues('category')`); !strings.Contains(values, `{"text":"Claim rejected, not resubmitted","value":"claim_rejected"}`) {
			t.Errorf("a filter's values are %s", values)
		}
		const asked = `(filters) => window.stage.answer({ refId: 'A', mode: 'metric', metric: { name: 'leaked_revenue', by: ['category'] }, format: 'table' }, filters)`
		all, one := eval(asked, []any{}), eval(asked, []map[string]string{{"key": "category", "operator": "=", "value": "claim_rejected"}})
		if all == one || one != `[["Claim rejected, not resubmitted"],[120]]` {
			t.Errorf("without a filter %s, with one %s", all, one)
		}
	})

	t.Run("the light theme", func(t *testing.T) {
		manager := editors(t, b, bundle, s.as(access.Manager, false))
		for _, shown := range []struct{ name, address, part, query, says string }{
			{"metric", analyst, "query", `{"refId":"A","mode":"metric","metric":{"name":"leaked_revenue","by":["discipline"]}}`, "Split by"},
			{"cohort", analyst, "query", `{"refId":"A","mode":"cohort","query":"retention_curve","params":{}}`, "Ask by"},
			{"leaks", analyst, "query", `{"refId":"A","mode":"leaks","query":"leak_worklist","params":{}}`, "Ask by"},
			{"named", analyst, "query", `{"refId":"A","mode":"named","query":"leak_total","params":{}}`, "Ask by"},
			{"sql", analyst, "query", `{"refId":"A","mode":"sql","sql":"select category, count(*) as leaks\nfrom marts.leak_ledger -- all of them\nwhere $__timeFilter(occurred_on) and state = 'open'\ngroup by 1"}`, "tables, all in the schema"},
			{"sql refused", manager, "query", `{"refId":"A","mode":"sql","sql":"select 1"}`, "SQL is not for you"},
			{"variable", analyst, "variable", `{"refId":"A","list":"payer"}`, "narrows nothing"},
			{"config", manager, "config", `{"refId":"A"}`, "Plugin key"},
			{"settings", manager, "settings", `{"refId":"A"}`, "Quiet hours"},
			{"support", manager, "support", `{"refId":"A"}`, "Let somebody in"},
		} {
			t.Run(shown.name, func(t *testing.T) {
				p := open(t, browser, shown.address, map[string]string{"clinic": servertest.Clinic, "part": shown.part, "query": shown.query, "theme": "light"})
				p.says(shown.says)
				if err := p.WaitStable(300 * time.Millisecond); err != nil {
					t.Fatal(err)
				}
				p.picture(strings.ReplaceAll(shown.name, " ", "-"))
				p.barriers()
			})
		}
	})
}
