package main_test

import (
	stdcmp "cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/grafana/grafana-plugin-sdk-go/backend/grpcplugin"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/disclosure"
	"github.com/falloff-analytics/falloff/warehouse/identity/plugintoken"
	"github.com/falloff-analytics/falloff/warehouse/query/martstest"
	"github.com/falloff-analytics/falloff/warehouse/server"
	"github.com/falloff-analytics/falloff/warehouse/server/servertest"
)

// pluginKey is the key that the data sources and the query servers of these tests share.
var pluginKey = sync.OnceValue(func() plugintoken.Key {
	key, err := plugintoken.NewKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

// binary builds the backend once, the way it is shipped: without cgo.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "falloff-plugin-")
	if err != nil {
		return "", err
	}
	built := filepath.Join(dir, "gpx_falloff")
	command := exec.Command("go", "build", "-o", built, ".")
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the backend without cgo: %w\n%s", err, output)
	}
	return built, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(built))
	}
	os.Exit(code)
}

// backend is the plugin's process, spoken to as Grafana does.
type backend struct {
	data        grpcplugin.DataClient
	diagnostics grpcplugin.DiagnosticsClient
	resource    grpcplugin.ResourceClient
	stream      grpcplugin.StreamClient
}

func start(t *testing.T) backend {
	t.Helper()
	built, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	client := plugin.NewClient(&plugin.ClientConfig{
		Cmd: exec.Command(built),
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion:  grpcplugin.ProtocolVersion,
			MagicCookieKey:   grpcplugin.MagicCookieKey,
			MagicCookieValue: grpcplugin.MagicCookieValue,
		},
		VersionedPlugins: map[int]plugin.PluginSet{grpcplugin.ProtocolVersion: {
			"data":        &grpcplugin.DataGRPCPlugin{},
			"diagnostics": &grpcplugin.DiagnosticsGRPCPlugin{},
			"resource":    &grpcplugin.ResourceGRPCPlugin{},
			"stream":      &grpcplugin.StreamGRPCPlugin{},
		}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.NewNullLogger(),
	})
	t.Cleanup(client.Kill)
	protocol, err := client.Client()
	if err != nil {
		t.Fatalf("starting the backend: %v", err)
	}
	dispense := func(name string) any {
		part, err := protocol.Dispense(name)
		if err != nil {
			t.Fatal(err)
		}
		return part
	}
	return backend{
		data:        dispense("data").(grpcplugin.DataClient),
		diagnostics: dispense("diagnostics").(grpcplugin.DiagnosticsClient),
		resource:    dispense("resource").(grpcplugin.ResourceClient),
		stream:      dispense("stream").(grpcplugin.StreamClient),
	}
}

// oneClinic is a lake with one snapshot of one clinic.
type oneClinic struct {
	marts    map[string][]string
	released *disclosure.Released
}

func (oneClinic) Clinics(context.Context) ([]string, error) {
	return []string{"harbour-street", "second-clinic"}, nil
}

func (oneClinic) Head(_ context.Context, clinic string) (string, error) {
	if clinic != "harbour-street" && clinic != "second-clinic" {
		return "", server.ErrUnknownClinic
	}
	return "7", nil
}

func (o oneClinic) Open(ctx context.Context, clinic string, view server.View) (server.Engine, error) {
	return servertest.Open(ctx, o.marts, o.released, clinic, "7", view)
}

// queryServer is a real query server over fixture marts; it gives its URL.
func queryServer(t *testing.T) string {
	t.Helper()
	return served(t, servertest.SignedOptions(t, oneClinic{martstest.Small(t), martstest.Released(t)}, pluginKey()))
}

// served starts a query server; it gives its URL.
func served(t *testing.T, options server.Options) string {
	t.Helper()
	url, _ := servertest.Serve(t, options)
	return url
}

// configured is a data source's settings as Grafana sends them along, asked by the owner of every clinic.
func configured(url, clinic, key string) *pluginv2.PluginContext {
	return configuredFor("everywhere", url, clinic, key)
}

// configuredFor is configured, asked by somebody else; nobody where the login is empty.
func configuredFor(login, url, clinic, key string) *pluginv2.PluginContext {
	stored, _ := json.Marshal(map[string]any{"clinic": clinic, "secondFactor": true})
	var user *pluginv2.User
	if login != "" {
		user = &pluginv2.User{Login: login, Name: "A Name", Email: login + "@clinic.example", Role: "Viewer"}
	}
	return &pluginv2.PluginContext{
		OrgId: 1, PluginId: "falloff-falloff-datasource", User: user,
		DataSourceInstanceSettings: &pluginv2.DataSourceInstanceSettings{
			Uid: url + clinic + key, Name: "Falloff", Url: url, JsonData: stored,
			DecryptedSecureJsonData: map[string]string{"pluginKey": key},
		},
	}
}

func ask(t *testing.T, b backend, instance *pluginv2.PluginContext, queries ...map[string]any) map[string]*pluginv2.DataResponse {
	t.Helper()
	request := &pluginv2.QueryDataRequest{PluginContext: instance}
	for i, q := range queries {
		text, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		request.Queries = append(request.Queries, &pluginv2.DataQuery{
			RefId: string(rune('A' + i)), Json: text, MaxDataPoints: 100, IntervalMS: 1000,
			TimeRange: &pluginv2.TimeRange{
				FromEpochMS: time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC).UnixMilli(),
				ToEpochMS:   time.Date(2026, 9, 30, 12, 0, 0, 0, time.UTC).UnixMilli(),
			},
		})
	}
	response, err := b.data.QueryData(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	return response.GetResponses()
}

// frame is the one frame of an answer.
func frame(t *testing.T, answer *pluginv2.DataResponse) *data.Frame {
	t.Helper()
	if answer == nil || answer.GetError() != "" || len(answer.GetFrames()) != 1 {
		t.Fatalf("got %v", answer)
	}
	f, err := data.UnmarshalArrowFrame(answer.GetFrames()[0])
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// rows prints a frame's cells, a row a line, empty cells as "-".
func rows(f *data.Frame) []string {
	var lines []string
	for i := range f.Rows() {
		var cells []string
		for _, field := range f.Fields {
			value, ok := field.ConcreteAt(i)
			switch at := value.(type) {
			case time.Time:
				value = at.UTC().Format(time.DateOnly)
			case float64:
				value = fmt.Sprintf("%.2f", at)
			}
			if !ok {
				value = "-"
			}
			cells = append(cells, fmt.Sprint(value))
		}
		lines = append(lines, strings.Join(cells, " | "))
	}
	return lines
}

func TestQueryDataGivesFrames(t *testing.T) {
	b, url := start(t), queryServer(t)
	answers := ask(t, b, configured(url, "harbour-street", pluginKey().Text()),
		map[string]any{"query": "leaks_by_category", "params": map[string]any{"certainty": "firm"}},
		map[string]any{"query": "leaks_by_month", "format": "series"},
		map[string]any{"query": "leaks_by_month", "format": "series", "useTimeRange": true},
		map[string]any{"query": "cohort_heatmap", "format": "matrix", "params": map[string]any{"months": "2"}},
		map[string]any{"query": "worst_open_leaks", "params": map[string]any{"category": "write_off"}},
		map[string]any{"query": "freshness"},
		map[string]any{"query": "worst_open_leaks", "params": map[string]any{"category": "write_off"}, "noHeaders": true},
	)

	table := frame(t, answers["A"])
	want := []string{
		"Claim rejected, not resubmitted | 120.00 | 1 | 0.52 | 2026-07-02 | Correct and resubmit the claim | claim_rejected",
		"Claim never sent | 80.00 | 1 | 0.35 | 2026-08-14 | Submit the claim | claim_never_sent",
		"Co-pay not collected | 30.00 | 1 | 0.13 | 2026-07-02 | Collect from the patient | copay_missed",
	}
	if diff := cmp.Diff(want, rows(table)); diff != "" {
		t.Errorf("categories (-want +got):\n%s", diff)
	}
	amount := table.Fields[1].Config
	if amount.DisplayNameFromDS != "Leaked" || amount.Unit != "currency:financial:$" || *amount.Decimals != 2 {
		t.Errorf("the amount is shown as %+v", amount)
	}
	if day := table.Fields[4].Config; day.Unit != "time:YYYY-MM-DD" {
		t.Errorf("the day is shown as %+v", day)
	}
	if got := fmt.Sprint(table.Meta.Custom); !strings.Contains(got, "commit:7") || !strings.Contains(got, "asOf:2026-09-30") {
		t.Errorf("the frame says of its snapshot %s", got)
	}

	// July has the rejected claim and the co-pay, August the claim never sent and one uncharged visit, September one
	// uncharged visit and the fee. Where a month has none of a category its cell is empty, not zero.
	wide := frame(t, answers["B"])
	if diff := cmp.Diff([]string{
		"2026-07-01 | 120.00 | 30.00 | - | - | -",
		"2026-08-01 | - | - | 95.00 | 80.00 | -",
		"2026-09-01 | - | - | 95.00 | - | 50.00",
	}, rows(wide)); diff != "" {
		t.Errorf("months (-want +got):\n%s", diff)
	}
	if colour := wide.Fields[5].Config.Color["fixedColor"]; colour == nil || colour == wide.Fields[1].Config.Color["fixedColor"] {
		t.Errorf("the last series has colour %v", colour)
	}
	if wide.Fields[1].Name != "Claim rejected, not resubmitted" || wide.Fields[1].Config.Unit != "currency:financial:$" {
		t.Errorf("the first series is %q in %q", wide.Fields[1].Name, wide.Fields[1].Config.Unit)
	}
	if got := rows(frame(t, answers["C"])); len(got) != 1 || got[0] != "2026-09-01 | 95.00 | 50.00" {
		t.Errorf("within September: %v", got)
	}
	if diff := cmp.Diff([]string{"2026-07 · 10 | 1.00 | 0.60 | 0.40", "2026-08 · 8 | 1.00 | 0.25 | -"}, rows(frame(t, answers["D"]))); diff != "" {
		t.Errorf("cohorts (-want +got):\n%s", diff)
	}
	if empty := frame(t, answers["E"]); len(empty.Fields) != 14 || empty.Rows() != 0 {
		t.Errorf("an empty answer has %d columns and %d rows", len(empty.Fields), empty.Rows())
	}
	// Columns without rows would be drawn as bare headers in a table: it says its own sentence where there is no frame.
	if empty := answers["G"]; empty.GetError() != "" || len(empty.GetFrames()) != 0 {
		t.Errorf("an empty answer for a table is %v", empty)
	}
	landed, _ := frame(t, answers["F"]).FieldByName("committed_at")
	if at, ok := landed.ConcreteAt(0); !ok || !at.(time.Time).Equal(time.Date(2026, 10, 1, 6, 30, 0, 0, time.UTC)) {
		t.Errorf("landed at %v: a timestamp lost its unit", at)
	}
}

func TestAQueryThatFailsTakesNoOtherWithIt(t *testing.T) {
	b, url := start(t), queryServer(t)
	answers := ask(t, b, configured(url, "harbour-street", pluginKey().Text()),
		map[string]any{"query": "leak_total"},
		map[string]any{"query": "no_such_query"},
		map[string]any{"query": "worst_open_leaks", "params": map[string]any{"limit": -1}},
		map[string]any{},
		map[string]any{"query": "leak_total", "format": "series"},
		map[string]any{"query": 7},
		map[string]any{"query": "leak_total", "format": "pie"},
	)
	frame(t, answers["A"])
	for ref, want := range map[string]string{
		"B": "no query named", "C": "from 1 to 1000", "D": "No query is chosen", "E": "cannot be shown as series",
		"F": "cannot be read", "G": "format is not known",
	} {
		answer := answers[ref]
		if answer == nil || !strings.Contains(answer.GetError(), want) || answer.GetStatus() < 400 || answer.GetErrorSource() != "downstream" {
			t.Errorf("%s: got %v, want %q", ref, answer, want)
		}
	}
}

func TestADataSourceAsksForItsOwnClinicAlone(t *testing.T) {
	b, url := start(t), queryServer(t)
	clinicOf := func(bound, asked string) string {
		f := frame(t, ask(t, b, configured(url, bound, pluginKey().Text()), map[string]any{"query": "leak_total", "clinic": asked})["A"])
		return fmt.Sprint(f.Meta.Custom)
	}
	if got := clinicOf("harbour-street", "second-clinic"); !strings.Contains(got, "clinic:harbour-street") {
		t.Errorf("a data source of one clinic answered from another: %s", got)
	}
	if got := clinicOf("", "second-clinic"); !strings.Contains(got, "clinic:second-clinic") {
		t.Errorf("a data source of no clinic answered from %s", got)
	}
	if answer := ask(t, b, configured(url, "", pluginKey().Text()), map[string]any{"query": "leak_total"})["A"]; !strings.Contains(answer.GetError(), "No clinic") {
		t.Errorf("without any clinic: %v", answer)
	}
	_, body := call(t, b, configured(url, "harbour-street", pluginKey().Text()), http.MethodGet, "clinics")
	if !strings.Contains(body, "harbour-street") || strings.Contains(body, "second-clinic") {
		t.Errorf("it lists %s", body)
	}
}

func call(t *testing.T, b backend, instance *pluginv2.PluginContext, method, path string) (int, string) {
	t.Helper()
	return callWith(t, b, instance, &pluginv2.CallResourceRequest{Method: method, Url: path})
}

func post(t *testing.T, b backend, instance *pluginv2.PluginContext, path, body string) (int, string) {
	t.Helper()
	return callWith(t, b, instance, &pluginv2.CallResourceRequest{Method: http.MethodPost, Url: path, Body: []byte(body)})
}

// callWith calls a resource: method, address, body and headers are the request's.
func callWith(t *testing.T, b backend, instance *pluginv2.PluginContext, request *pluginv2.CallResourceRequest) (int, string) {
	t.Helper()
	request.PluginContext = instance
	request.Path, _, _ = strings.Cut(request.GetUrl(), "?")
	stream, err := b.resource.CallResource(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	response, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return int(response.GetCode()), string(response.GetBody())
}

func TestResources(t *testing.T) {
	b, url := start(t), queryServer(t)
	instance := configured(url, "", pluginKey().Text())
	if status, body := call(t, b, instance, http.MethodGet, "queries"); status != 200 || !strings.Contains(body, `"name":"retention_curve"`) {
		t.Errorf("queries: %d %s", status, body)
	}
	if status, body := call(t, b, instance, http.MethodGet, "clinics"); status != 200 || !strings.Contains(body, `"id":"second-clinic"`) {
		t.Errorf("clinics: %d %s", status, body)
	}
	if status, _ := call(t, b, instance, http.MethodPost, "queries"); status != http.StatusMethodNotAllowed {
		t.Errorf("a POST answers %d", status)
	}
	if status, _ := call(t, b, instance, http.MethodGet, "v1/query"); status != http.StatusNotFound {
		t.Errorf("another path answers %d", status)
	}
	if status, body := call(t, b, configured(url, "", servertest.NewKey(t).Text()), http.MethodGet, "queries"); status != http.StatusBadGateway || !strings.Contains(body, `"category":"key"`) {
		t.Errorf("with a wrong key: %d %s", status, body)
	}
}

func TestEachPersonSeesWhatTheyMay(t *testing.T) {
	b, url := start(t), queryServer(t)
	for _, test := range []struct{ login, query, says string }{
		{access.Manager, "leak_total", ""},
		{access.Practitioner, "leak_total", "another permission"},
		{access.Practitioner, "visits_by_week", ""},
		{"elsewhere", "leak_total", "another permission"},
		{"nobody", "leak_total", "No role is given"},
		{"", "leak_total", "Nobody is signed in"},
	} {
		answer := ask(t, b, configuredFor(test.login, url, "harbour-street", pluginKey().Text()), map[string]any{"query": test.query})["A"]
		if got := answer.GetError(); test.says == "" && got != "" || !strings.Contains(got, test.says) {
			t.Errorf("%s asks %s: %q, and it should say %q", test.login, test.query, got, test.says)
		}
	}
}

// What is withheld is an empty cell, never zero, and said beside the panel.
func TestWhatIsWithheldIsSaid(t *testing.T) {
	b, url := start(t), queryServer(t)
	asked := []map[string]any{{"query": "patient_status_counts"}, {"query": "leaks_by_month", "format": "series"}}
	answers := ask(t, b, configuredFor("figures", url, "harbour-street", pluginKey().Text()), asked...)
	statuses, months := frame(t, answers["A"]), frame(t, answers["B"])
	for _, f := range []*data.Frame{statuses, months} {
		if len(f.Meta.Notices) != 1 || !strings.Contains(f.Meta.Notices[0].Text, "are withheld") {
			t.Errorf("the notices are %+v", f.Meta.Notices)
		}
	}
	empty := 0
	for i := range statuses.Rows() {
		n, ok := statuses.Fields[1].ConcreteAt(i)
		if !ok {
			empty++
		} else if n == 0.0 || n == int64(0) {
			t.Errorf("row %d is shown as %v", i, n)
		}
	}
	if empty != 2 {
		t.Errorf("%d statuses are empty", empty)
	}
	exact := frame(t, ask(t, b, configured(url, "harbour-street", pluginKey().Text()), asked...)["A"])
	if len(exact.Meta.Notices) != 0 {
		t.Errorf("whoever sees the rows is told %+v", exact.Meta.Notices)
	}
}

func TestHealthNamesWhatIsWrong(t *testing.T) {
	b, url := start(t), queryServer(t)
	stranger := httptest.NewServer(http.NotFoundHandler())
	defer stranger.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // a refused handshake is what is asked for
	secure.StartTLS()
	defer secure.Close()
	elsewhere := httptest.NewServer(http.RedirectHandler(url, http.StatusTemporaryRedirect))
	defer elsewhere.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()

	answering := func(status int, body string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}

	for _, test := range []struct {
		name, url, clinic, key string
		login                  string
		category, says         string
	}{
		{name: "no role", login: "nobody", url: url, clinic: "harbour-street", key: pluginKey().Text(), category: "permission", says: "No role is given"},
		{name: "not signed in", login: "-", url: url, clinic: "harbour-street", key: pluginKey().Text(), category: "person", says: "Nobody is signed in"},
		{
			name: "models that are not built", url: answering(200, `{"clinics":[{"id":"harbour-street","name":"H"}]}`), clinic: "harbour-street", key: pluginKey().Text(),
			category: "snapshot", says: "falloff build",
		},
		{
			name: "a server that fails", url: answering(500, `{"code":"internal","error":"the query server could not answer","hint":"its log says why"}`), key: pluginKey().Text(),
			category: "server", says: "Its log says why",
		},
		{
			name: "a server that is too slow", url: answering(504, `{"code":"timeout","error":"the query took too long","hint":"ask again"}`), key: pluginKey().Text(),
			category: "timeout", says: "took too long",
		},
		{name: "well", url: url, clinic: "harbour-street", key: pluginKey().Text(), says: "snapshot 7, as of 2026-09-30"},
		{name: "well, trailing slash, no clinic", url: url + "/", key: pluginKey().Text(), says: "harbour-street, second-clinic"},
		{name: "no URL", key: pluginKey().Text(), category: "settings", says: "URL is missing"},
		{name: "no URL at all", url: "8750", key: pluginKey().Text(), category: "settings", says: "not an address"},
		{name: "credentials in the URL", url: "http://a:b@127.0.0.1:8750", key: pluginKey().Text(), category: "settings", says: "not an address"},
		{name: "plain HTTP to another machine", url: "http://falloff.example:8750", key: pluginKey().Text(), category: "settings", says: "Plain HTTP"},
		{name: "another scheme", url: "ftp://127.0.0.1", key: pluginKey().Text(), category: "settings", says: "https://"},
		{name: "no key", url: url, category: "key", says: "key is missing"},
		{name: "half a key", url: url, key: pluginKey().Text()[:20], category: "key", says: "cannot be read"},
		{name: "a wrong key", url: url, key: servertest.NewKey(t).Text(), category: "key", says: "refuses the plugin key"},
		{name: "an unknown clinic", url: url, clinic: "elsewhere", key: pluginKey().Text(), category: "clinic", says: "no clinic"},
		{name: "nothing listens", url: gone.URL, key: pluginKey().Text(), category: "unreachable", says: "falloff serve"},
		{name: "something else listens", url: stranger.URL, key: pluginKey().Text(), category: "not_a_query_server", says: "404"},
		{name: "a redirect is not followed", url: elsewhere.URL, key: pluginKey().Text(), category: "not_a_query_server", says: "307"},
		{name: "a certificate of nobody's", url: secure.URL, key: pluginKey().Text(), category: "tls", says: "not trusted"},
		{name: "TLS to a plain server", url: strings.Replace(url, "http://", "https://", 1), key: pluginKey().Text(), category: "tls", says: "TLS 1.3"},
		{name: "a name that is none", url: "https://no-such-host.invalid", key: pluginKey().Text(), category: "name_unresolved", says: "host name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			response, err := b.diagnostics.CheckHealth(t.Context(), &pluginv2.CheckHealthRequest{
				PluginContext: configuredFor(strings.Trim(stdcmp.Or(test.login, "everywhere"), "-"), test.url, test.clinic, test.key),
			})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(response.GetMessage(), test.says) {
				t.Errorf("it says %q", response.GetMessage())
			}
			if test.key != "" && strings.Contains(response.GetMessage()+string(response.GetJsonDetails()), test.key) {
				t.Errorf("it says the key: %s", response.GetMessage())
			}
			if test.category == "" {
				if response.GetStatus() != pluginv2.CheckHealthResponse_OK {
					t.Errorf("status %s", response.GetStatus())
				}
				return
			}
			var details struct {
				Category string `json:"category"`
				Hint     string `json:"hint"`
				Message  string `json:"message"`
			}
			if err := json.Unmarshal(response.GetJsonDetails(), &details); err != nil {
				t.Fatal(err)
			}
			if response.GetStatus() != pluginv2.CheckHealthResponse_ERROR || details.Category != test.category || details.Hint == "" || !strings.Contains(details.Message, test.category) {
				t.Errorf("got %s %+v, want category %s", response.GetStatus(), details, test.category)
			}
		})
	}
}

func TestSettingsOfAnotherShapeAreSaid(t *testing.T) {
	b := start(t)
	instance := configured("http://127.0.0.1:1", "", pluginKey().Text())
	instance.DataSourceInstanceSettings.JsonData = []byte(`{"clinic": {"a": 1}, "access": 5}`)
	response, err := b.diagnostics.CheckHealth(t.Context(), &pluginv2.CheckHealthRequest{PluginContext: instance})
	if err != nil {
		t.Fatal(err)
	}
	if response.GetStatus() != pluginv2.CheckHealthResponse_ERROR || !strings.Contains(response.GetMessage(), "settings cannot be read") {
		t.Errorf("got %v", response)
	}
}

// The plugin runs in other people's Grafana, on whatever that runs on: it must stay free of cgo and of our engine.
func TestTheBackendNeedsNeitherCgoNorDuckDB(t *testing.T) {
	command := exec.Command("go", "list", "-deps", "-f", "{{.ImportPath}} {{len .CgoFiles}}", ".")
	command.Env = append(os.Environ(), "CGO_ENABLED=1", "GOFLAGS=-buildvcs=false")
	output, err := command.Output()
	if err != nil {
		t.Fatalf("listing what the backend imports: %v", err)
	}
	ours := 0
	for line := range strings.Lines(string(output)) {
		path, cgoFiles, _ := strings.Cut(strings.TrimSpace(line), " ")
		// What it shares with the server is how a token is signed, and nothing that knows of the lake.
		shared := []string{"github.com/falloff-analytics/falloff/warehouse/identity/plugintoken", "github.com/falloff-analytics/falloff/transforms/secret"}
		ofServer := strings.HasPrefix(path, "github.com/falloff-analytics/falloff/") && !strings.Contains(path, "/grafana-plugin/") && !slices.Contains(shared, path)
		if strings.Contains(path, "duckdb") || ofServer {
			t.Errorf("it imports %s", path)
		}
		if strings.Contains(path, "/grafana-plugin/") {
			ours++
		}
		// The standard library's own cgo (net, os/user) falls away with CGO_ENABLED=0.
		if cgoFiles != "0" && strings.Contains(path, ".") {
			t.Errorf("%s uses cgo", path)
		}
	}
	if ours != 2 {
		t.Errorf("%d packages of the plugin were looked at", ours)
	}
}
