package main_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/identity/plugintoken"
	"github.com/falloff-analytics/falloff/warehouse/query/martstest"
	"github.com/falloff-analytics/falloff/warehouse/sandbox"
	"github.com/falloff-analytics/falloff/warehouse/server"
	"github.com/falloff-analytics/falloff/warehouse/server/servertest"
)

// asMetric is a query about a metric.
func asMetric(name string, more map[string]any) map[string]any {
	metric := map[string]any{"name": name}
	model := map[string]any{"mode": "metric", "metric": metric}
	for key, value := range more {
		if slices.Contains([]string{"by", "grain", "filters"}, key) {
			metric[key] = value
		} else {
			model[key] = value
		}
	}
	return model
}

func TestAMetricGivesFrames(t *testing.T) {
	b, url := start(t), queryServer(t)
	only := func(key, operator string, values ...string) []map[string]any {
		return []map[string]any{{"key": key, "operator": operator, "values": values}}
	}
	answers := ask(t, b, configured(url, "harbour-street", pluginKey().Text()),
		asMetric("leaked_revenue", map[string]any{"by": []string{"category"}, "filters": only("category", "=|", "copay_missed", "claim_rejected")}),
		asMetric("leaked_revenue", map[string]any{"by": []string{"certainty"}, "grain": "quarter", "format": "series"}),
		asMetric("show_rate", map[string]any{"grain": "month", "format": "series"}),
		asMetric("leaked_revenue", map[string]any{"useTimeRange": true}),
		asMetric("leaked_revenue", map[string]any{"filters": only("certainty", "!=", "firm"), "adhoc": []map[string]any{{"key": "category", "operator": "=", "value": "no_show_fee"}}}),
		asMetric("leaked_revenue", map[string]any{"filters": only("discipline", "=", "all"), "adhoc": []map[string]any{{"key": "location", "operator": "=|", "values": []string{}}}}),
		asMetric("leaked_revenue", map[string]any{"grain": "auto"}),
		asMetric("leaked_revenue", map[string]any{"by": []string{"certainty"}, "filters": only("discipline", "=", "Nothing' or 1=1 --")}),
	)
	if diff := cmp.Diff([]string{"Claim rejected, not resubmitted | 120.00", "Co-pay not collected | 30.00"}, rows(frame(t, answers["A"]))); diff != "" {
		t.Errorf("by category (-want +got):\n%s", diff)
	}
	if amount := frame(t, answers["A"]).Fields[1].Config; amount.DisplayNameFromDS != "Leaked revenue" || amount.Unit != "currency:financial:$" {
		t.Errorf("the amount is shown as %+v", amount)
	}
	if text := frame(t, answers["A"]).Meta.ExecutedQueryString; !strings.Contains(text, "from marts.leak_ledger") || !strings.Contains(text, "'copay_missed', 'claim_rejected'") {
		t.Errorf("the query inspector shows %s", text)
	}
	quarters := frame(t, answers["B"])
	if diff := cmp.Diff([]string{"2026-07-01 | 230.00 | 240.00"}, rows(quarters)); diff != "" || quarters.Fields[2].Name != "Likely" {
		t.Errorf("by quarter (-want +got):\n%s", diff)
	}
	// One curve is drawn as it is, without what the share is of.
	if rate := frame(t, answers["C"]); len(rate.Fields) != 2 || rate.Rows() != 2 {
		t.Errorf("one curve has %d columns and %d rows", len(rate.Fields), rate.Rows())
	}
	for ref, want := range map[string]string{"D": "145.00", "E": "50.00", "F": "470.00"} {
		if got := rows(frame(t, answers[ref])); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %v, and it should be %s", ref, got, want)
		}
	}
	if months := frame(t, answers["G"]); months.Rows() != 3 {
		t.Errorf("a month's range has %d months", months.Rows())
	}
	if nothing := answers["H"]; nothing.GetError() != "" {
		t.Errorf("a value that is nobody's: %s", nothing.GetError())
	}
}

func TestAMetricThatCannotBeAskedIsSaid(t *testing.T) {
	b, url := start(t), queryServer(t)
	answers := ask(t, b, configured(url, "harbour-street", pluginKey().Text()),
		map[string]any{"mode": "metric"},
		asMetric("nothing", nil),
		asMetric("leaked_revenue", map[string]any{"adhoc": []map[string]any{{"key": "category", "operator": "=~", "value": ".*"}}}),
		asMetric("leaked_revenue", map[string]any{"adhoc": []map[string]any{{"key": "patient", "operator": "=", "value": "p1_aaa"}}}),
		map[string]any{"mode": "sql"},
		map[string]any{"mode": "leaks", "query": "leak_worklist", "adhoc": []map[string]any{{"key": "patient", "operator": "=", "value": "p1_aaa"}}},
		map[string]any{"mode": "leaks", "query": "leak_worklist", "adhoc": []map[string]any{{"key": "payer", "operator": "!=", "value": "Sun Life"}}},
	)
	for ref, want := range map[string]string{
		"A": "No metric is chosen", "B": "no metric named", "C": "Nothing is filtered by the operator", "D": "not split by it", "E": "No SQL is written",
		"F": "not filtered by patient", "G": "one value of each filter",
	} {
		if got := answers[ref].GetError(); !strings.Contains(got, want) {
			t.Errorf("%s: %q, and it should say %q", ref, got, want)
		}
	}
	// Whoever sees no money is refused, whatever the query says.
	refused := ask(t, b, configuredFor(access.Practitioner, url, "harbour-street", pluginKey().Text()), asMetric("leaked_revenue", nil))["A"]
	if !strings.Contains(refused.GetError(), "another permission") {
		t.Errorf("the practitioner is told %q", refused.GetError())
	}
	withheld := frame(t, ask(t, b, configuredFor("figures", url, "harbour-street", pluginKey().Text()), asMetric("patients_by_status", map[string]any{"by": []string{"status"}}))["A"])
	if len(withheld.Meta.Notices) != 1 || !strings.Contains(withheld.Meta.Notices[0].Text, "withheld") || !slices.ContainsFunc(rows(withheld), func(r string) bool { return strings.Contains(r, "| - | true") }) {
		t.Errorf("whoever sees no rows sees %v", rows(withheld))
	}
}

func TestAdHocFiltersNarrowTheListOfLeaks(t *testing.T) {
	b, url := start(t), queryServer(t)
	answers := ask(t, b, configured(url, "harbour-street", pluginKey().Text()),
		map[string]any{"mode": "leaks", "query": "leak_worklist", "params": map[string]any{"minimum": 50, "payer": "all"}, "adhoc": []map[string]any{{"key": "payer", "operator": "=", "value": "Sun Life"}}},
		map[string]any{"mode": "metric", "metric": map[string]any{"name": "leaks"}, "query": "leak_worklist", "adhoc": []map[string]any{{"key": "payer", "operator": "=", "value": "Sun Life"}}},
	)
	if got := frame(t, answers["A"]).Rows(); got != 1 {
		t.Errorf("%d leaks of one payer", got)
	}
	// A named query is what its author made it.
	if got := frame(t, answers["B"]).Rows(); got != 5 {
		t.Errorf("%d leaks in a named query", got)
	}
}

// analyst notes what it is asked, and answers with a stream of the server's own.
type analyst struct {
	mu    sync.Mutex
	asked []string
	body  []byte
}

func (a *analyst) Run(_ context.Context, _ string, _ []string, statement string) (server.SQLAnswer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, statement)
	if strings.Contains(statement, "drop") {
		return server.SQLAnswer{}, &sandbox.Error{}
	}
	return server.SQLAnswer{IPC: a.body, Rows: 1, Snapshot: "7"}, nil
}

// arrowOf is an Arrow stream as the query server sends it.
func arrowOf(t *testing.T, url string) []byte {
	t.Helper()
	signer, err := plugintoken.NewSigner(pluginKey(), nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signer.Sign(plugintoken.Person{Login: "everywhere", Role: "Viewer", Clinic: plugintoken.AllClinics, SecondFactor: true})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/query", strings.NewReader(`{"clinic":"harbour-street","query":"leak_total"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%d %s %v", response.StatusCode, body, err)
	}
	return body
}

func TestSQLGoesOutWithItsMacrosWrittenOut(t *testing.T) {
	asked := &analyst{}
	options := servertest.SignedOptions(t, oneClinic{martstest.Small(t), martstest.Released(t)}, pluginKey())
	options.SQL = asked
	b, url := start(t), served(t, options)
	asked.body = arrowOf(t, url)
	instance := configuredFor(access.Analyst, url, "harbour-street", pluginKey().Text())
	answers := ask(t, b, instance,
		map[string]any{"mode": "sql", "sql": "select '$__timeFrom' from marts.leak_ledger where $__timeFilter(occurred_on)"},
		map[string]any{"mode": "sql", "sql": "select $__timeFilter(occurred_on"},
	)
	want := "select '$__timeFrom' from marts.leak_ledger where cast(occurred_on as date) between date '2026-09-01' and date '2026-09-30'"
	if got := frame(t, answers["A"]); got.Meta.ExecutedQueryString != want || !slices.Equal(asked.asked, []string{want}) {
		t.Errorf("it asks %q, and shows %q", asked.asked, got.Meta.ExecutedQueryString)
	}
	if got := answers["B"].GetError(); !strings.Contains(got, "bracket is never closed") {
		t.Errorf("half a macro: %q", got)
	}
	for login, says := range map[string]string{access.Manager: "sql.run", access.Practitioner: "sql.run", "": "Nobody is signed in"} {
		if got := ask(t, b, configuredFor(login, url, "harbour-street", pluginKey().Text()), map[string]any{"mode": "sql", "sql": "select 1"})["A"].GetError(); !strings.Contains(got, says) {
			t.Errorf("%s is told %q", login, got)
		}
	}
}

func TestWhatTheEditorChoosesFrom(t *testing.T) {
	b, server := start(t), queryServer(t)
	for _, test := range []struct {
		login, path string
		status      int
		has, lacks  string
	}{
		{access.Manager, "metrics", 200, `"leaked_revenue"`, ""},
		{access.Practitioner, "metrics", 200, `"show_rate"`, `"leaked_revenue"`},
		{access.Manager, "metrics?clinic=second-clinic", 200, `"leaked_revenue"`, ""}, // the data source is bound
		{access.Manager, "metrics/values?" + url.Values{"metric": {"show_rate"}, "dimension": {"staff_member"}}.Encode(), 200, `"Robin Mercer"`, ""},
		{access.Manager, "metrics/values?metric=leaked_revenue&dimension=category", 200, `{"text":"Visit without a charge","value":"arrived_no_charge"}`, ""},
		{access.Manager, "metrics/values?metric=show_rate&dimension=patient", 400, "not split by it", ""},
		{access.Analyst, "permissions", 200, `"sql.run"`, ""},
		{access.Manager, "permissions", 200, `"money.view"`, `"sql.run"`},
		{access.Manager, "choices?list=location", 200, `{"text":"Harbour Street","value":"Harbour Street"}`, ""},
		{access.Manager, "choices?list=discipline", 200, `"Massage"`, ""},
		{access.Manager, "choices?list=patient", 400, "not one of its choices", ""},
		{access.Analyst, "tables", 200, `"marts.leak_ledger"`, ""},
		{access.Manager, "tables", 403, "sql.run", "leak_ledger"},
		{"nobody", "metrics", 403, "", "leaked_revenue"},
	} {
		status, body := call(t, b, configuredFor(test.login, server, "harbour-street", pluginKey().Text()), http.MethodGet, test.path)
		if status != test.status || !strings.Contains(body, test.has) || test.lacks != "" && strings.Contains(body, test.lacks) {
			t.Errorf("%s asks %s: %d %.300s", test.login, test.path, status, body)
		}
	}
	status, body := post(t, b, configuredFor(access.Manager, server, "harbour-street", pluginKey().Text()), "metric/sql",
		`{"metric":{"name":"leaked_revenue","by":["category"],"grain":"auto","filters":[{"key":"payer","operator":"=","values":["all"]}]}}`)
	if status != 200 || !strings.Contains(body, "from marts.leak_ledger") {
		t.Errorf("the SQL of a metric: %d %s", status, body)
	}
	status, body = post(t, b, configuredFor(access.Manager, server, "harbour-street", pluginKey().Text()), "metric/sql", `{"metric":{"name":"leaked_revenue","by":["patient"]}}`)
	if status != 400 || !strings.Contains(body, "split by: category") {
		t.Errorf("what cannot be asked: %d %s", status, body)
	}
}
