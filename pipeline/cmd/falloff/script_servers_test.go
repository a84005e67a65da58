package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/civil"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/falloff-analytics/falloff/extractors/simclinic"
	"github.com/falloff-analytics/falloff/extractors/simclinic/portal"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/warehouse/identity/plugintoken"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

const stageKey = "stage"

// stage is what a script has running in this process.
type stage struct {
	clinic *simclinic.Clinic
	staff  *portal.Portal
	stop   func()
	// receivers are there once the script has started them.
	receivers *receivers
}

func onStage(ts *testscript.TestScript) *stage { return ts.Value(stageKey).(*stage) }

func portalCommand(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1 || len(args) == 2 && args[0] == "start", "portal start [MUTATION]|stop|unplug|lock|deactivate|maintenance|truncate|write|downloaded|intrude|requests")
	s := onStage(ts)
	if args[0] == "start" {
		s.start(ts, args[1:]...)
		return
	}
	if s.staff == nil {
		ts.Fatalf("no portal was started")
	}
	clerk := portal.DefaultClerk().Username
	switch args[0] {
	case "stop":
		s.stop()
	case "unplug":
		s.staff.Unplug()
	case "deactivate":
		s.staff.Deactivate(clerk)
	case "maintenance":
		s.staff.SetMaintenance(true)
	case "lock":
		s.staff.Lock(clerk)
	case "truncate":
		s.staff.FaultExports(portal.ExportTruncated)
	case "write":
		s.staff.TryWrites(1)
	case "downloaded":
		s.downloaded(ts)
	case "charts":
		s.staff.SetAccess(clerk, portal.AdministrativeAllBilling, portal.Toggles{Billing: true, Charts: true})
	case "clerk":
		s.staff.SetAccess(clerk, portal.AdministrativeAllBilling, portal.DefaultClerk().Toggles)
	case "codes":
		s.staff.SetSecondFactor(clerk, portal.SecondFactor{Method: portal.ByApp, Secret: strings.TrimSpace(ts.ReadFile("codes.txt"))})
	case "intrude":
		s.intrude(ts)
	case "requests":
		for _, r := range s.staff.Requests() {
			_, _ = fmt.Fprintf(ts.Stdout(), "%+v\n", r)
		}
		_, _ = fmt.Fprintf(ts.Stdout(), "trespasses: %d\n", len(s.staff.Trespasses()))
	default:
		ts.Fatalf("unknown: portal %s", args[0])
	}
}

// intrude signs in with the clerk's account as somebody else who has its password, and opens the schedule; and a colleague
// with an account of their own looks at it too.
func (s *stage) intrude(ts *testscript.TestScript) {
	clerk := portal.DefaultClerk()
	token := regexp.MustCompile(`"csrf": ?"([A-Z0-9]+)"`)
	for _, who := range []portal.Account{clerk, colleague} {
		jar, err := cookiejar.New(nil)
		ts.Check(err)
		client := &http.Client{Jar: jar, Timeout: 20 * time.Second}
		csrf := ""
		for _, call := range []struct{ method, path, body string }{
			{http.MethodGet, "/admin", ""},
			{http.MethodPost, "/api/session", fmt.Sprintf(`{"username":%q,"password":%q}`, who.Username, who.Password)},
			{http.MethodGet, "/api/schedule", ""},
		} {
			request, err := http.NewRequestWithContext(context.Background(), call.method, ts.Getenv("PORTAL")+call.path, strings.NewReader(call.body))
			ts.Check(err)
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("X-CSRF-Token", csrf)
			answer, err := client.Do(request)
			ts.Check(err)
			text, err := io.ReadAll(answer.Body)
			ts.Check(errors.Join(err, answer.Body.Close()))
			if answer.StatusCode != http.StatusOK {
				ts.Fatalf("%s %s: %d %s", call.method, call.path, answer.StatusCode, text)
			}
			if found := token.FindSubmatch(text); found != nil {
				csrf = string(found[1])
			}
		}
	}
}

// colleague is somebody else who works with the portal. Nothing of what they do is ours to keep.
var colleague = portal.Account{Username: "wilhelmina.desk", Password: "a-colleague's-own-one", Level: portal.FrontDesk}

// downloaded waits until somebody has got a file.
func (s *stage) downloaded(ts *testscript.TestScript) {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		for _, r := range s.staff.Requests() {
			if strings.HasSuffix(r.Path, ".csv") && r.Status == http.StatusOK {
				return
			}
		}
	}
	ts.Fatalf("nobody gets a file")
}

// start opens the portal of a clinic so small that a run takes seconds.
func (s *stage) start(ts *testscript.TestScript, mutation ...string) {
	dials := simclinic.DefaultDials()
	dials.Seed, dials.Patients = 5, 50
	dials.From = civil.Date{Year: 2025, Month: time.October, Day: 1}
	var err error
	s.clinic, err = simclinic.New(dials)
	ts.Check(err)
	var wrap func(http.Handler) http.Handler
	for _, m := range portal.Mutations() {
		if len(mutation) > 0 && m.Name == mutation[0] {
			wrap = func(next http.Handler) http.Handler {
				handler, _ := m.Wrap(next)
				return handler
			}
		}
	}
	if len(mutation) > 0 && wrap == nil {
		ts.Fatalf("no such mutation: %s", mutation[0])
	}
	s.staff, err = portal.New(s.clinic, portal.Options{
		Wrap: wrap, Accounts: []portal.Account{portal.DefaultClerk(), colleague}, ExportDelay: portal.DelayRange{Min: time.Millisecond, Max: 5 * time.Millisecond},
	})
	ts.Check(err)
	url, stop, err := s.staff.Start(context.Background())
	ts.Check(err)
	s.stop = stop
	ts.Defer(func() {
		stop()
		s.staff.Close()
	})
	clerk := portal.DefaultClerk()
	ts.Setenv("PORTAL", url)
	ts.Setenv("USERNAME", clerk.Username)
	ts.Setenv("TODAY", civil.DateOf(time.Now().In(s.clinic.Zone())).String())
	ts.Check(os.WriteFile(ts.MkAbs("password.txt"), []byte(clerk.Password+"\n"), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("credentials.txt"), []byte(clerk.Username+"\n"+clerk.Password+"\n\n"), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("clinic.yaml"), s.clinic.SettingsYAML(), 0o600))
}

// collect starts a collector of traces and metrics, which keeps what it gets in a file, and has the commands that follow tell it.
func collect(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "collector FILE")
	path := ts.MkAbs(args[0])
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		kept, openErr := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil || openErr != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, err = fmt.Fprintf(kept, "%s %s\n", r.URL.Path, body)
		if errors.Join(err, kept.Close()) != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	ts.Defer(server.Close)
	ts.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
}

// planted lists what nobody may find again: of the clinic that the portal shows, or of the one that is exported with these
// dials.
func planted(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1 || len(args) == 4, "planted FILE [SEED PATIENTS FROM]")
	clinic := onStage(ts).clinic
	if len(args) == 4 {
		dials := simclinic.DefaultDials()
		_, err := fmt.Sscan(args[1]+" "+args[2], &dials.Seed, &dials.Patients)
		ts.Check(err)
		dials.From, err = civil.ParseDate(args[3])
		ts.Check(err)
		clinic, err = simclinic.New(dials)
		ts.Check(err)
	}
	lines := clinic.Planted()
	for _, id := range clinic.Identifiers() {
		if len(id.Value) >= 8 { // shorter ones occur by chance
			lines = append(lines, id.Value)
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(lines, "\n")+"\n"), 0o600))
}

// fetch asks falloff serve, which runs in the background with --json into serve.json: with a service token, or as somebody for whom
// Grafana's plugin signs.
func fetch(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2 && len(args) <= 4, "fetch METHOD PATH|QUERY|sql:STATEMENT|PATH<FILE [TOKENFILE | KEYFILE LOGIN]")
	_, text := fetched(ts, args)
	_, _ = io.WriteString(ts.Stdout(), text)
}

// fetched is the answer: its status, and status, type and body as text.
func fetched(ts *testscript.TestScript, args []string) (status int, said string) {
	var at serving
	ts.Check(json.Unmarshal([]byte(awaited(ts, "serve.json", "}\n")), &at))
	method, path := args[0], args[1]
	var body io.Reader
	if method == http.MethodPost {
		asked := map[string]any{"clinic": "harbour", "query": path, "params": map[string]any{}}
		path = "/v1/query"
		if statement, ok := strings.CutPrefix(args[1], "sql:"); ok {
			asked, path = map[string]any{"clinic": "harbour", "sql": statement}, "/v1/sql"
		}
		text, err := json.Marshal(asked)
		ts.Check(err)
		if to, file, ok := strings.Cut(args[1], "<"); ok {
			path, text = to, []byte(ts.ReadFile(file))
		}
		body = bytes.NewReader(text)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, at.Address+path, body)
	ts.Check(err)
	request.Header.Set("Content-Type", "application/json")
	switch len(args) {
	case 4:
		key, err := plugintoken.ParseKey(ts.ReadFile(args[2]))
		ts.Check(err)
		signer, err := plugintoken.NewSigner(key, nil)
		ts.Check(err)
		token, err := signer.Sign(plugintoken.Person{Login: args[3], Role: "Viewer", Clinic: plugintoken.AllClinics, SecondFactor: true})
		ts.Check(err)
		request.Header.Set("Authorization", "Bearer "+token)
	case 3:
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(ts.ReadFile(args[2])))
	}
	answer, err := http.DefaultClient.Do(request)
	ts.Check(err)
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	if answer.Header.Get("Content-Type") == "application/vnd.apache.arrow.stream" {
		text = rowsOf(ts, text)
	}
	said = fmt.Sprintf("%d %s\n%s\n", answer.StatusCode, answer.Header.Get("Content-Type"), text)
	if banner := answer.Header.Get("X-Falloff-Support"); banner != "" {
		said += "support access: " + banner + "\n"
	}
	return answer.StatusCode, said
}

// rowsOf is an Arrow stream as JSON.
func rowsOf(ts *testscript.TestScript, stream []byte) (text []byte) {
	reader, err := ipc.NewReader(bytes.NewReader(stream))
	ts.Check(err)
	defer reader.Release()
	for reader.Next() {
		batch, err := reader.RecordBatch().MarshalJSON()
		ts.Check(err)
		text = append(text, batch...)
	}
	ts.Check(reader.Err())
	return text
}

// awaitSays asks until the answer holds a text.
func awaitSays(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 3, "awaitsays TEXT METHOD PATH …")
	for deadline := time.Now().Add(time.Minute); ; {
		if _, said := fetched(ts, args[1:]); strings.Contains(said, args[0]) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("it does not come to say %s", args[0])
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// awaitFetch asks until the answer has a status: something else is to be noticed first.
func awaitFetch(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 3, "awaitfetch STATUS METHOD PATH …")
	for deadline := time.Now().Add(time.Minute); ; {
		if status, _ := fetched(ts, args[1:]); strconv.Itoa(status) == args[0] {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("it does not come to answer %s", args[0])
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func await(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "await FILE TEXT")
	awaited(ts, args[0], args[1])
}

// awaited gives a file once it holds a text. Another process writes it, and nothing tells when.
func awaited(ts *testscript.TestScript, file, text string) string {
	for deadline := time.Now().Add(30 * time.Second); ; {
		body, err := os.ReadFile(ts.MkAbs(file))
		if err == nil && strings.Contains(string(body), text) {
			return string(body)
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not come to hold %q", file, text)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// answer has a server record that it answered each person, and end.
func answer(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 3, "answer LAKE CONFIG SERVER PERSON...")
	ctx := context.Background()
	o := pipeline.SiteOptions{Lake: ts.MkAbs(args[0]), ConfigDir: ts.MkAbs(args[1])}
	v, err := pipeline.OpenVault(ctx, o)
	ts.Check(err)
	defer v.Close()
	store, err := lake.OpenStore(ctx, o.Lake)
	ts.Check(err)
	c, err := pipeline.OpenAuditChain(ctx, o, v, store, args[2], slog.New(slog.DiscardHandler))
	ts.Check(err)
	for i, person := range args[3:] {
		_, err := c.Append(ctx, audit.Entry{
			Person: person, Address: "192.0.2.7", Action: audit.QueryAnswered, Clinic: "harbour", Entity: "query/revenue_leaks",
			After: audit.Fields{"query": "revenue_leaks", "rows": i, "cached": false},
		})
		ts.Check(err)
	}
	ts.Check(c.Close(ctx))
}
