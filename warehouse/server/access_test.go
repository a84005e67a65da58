package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/server"
	"github.com/falloff-analytics/falloff/warehouse/server/servertest"
)

// askAs sends a request as somebody.
func askAs(t *testing.T, login, method, url, body string) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+login)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, content
}

// Who may ask what is written down here by hand, from what the roles are for, and compared with every request of everybody: the
// named queries by the figures they show, at the own clinic; anywhere else nothing.
func TestEveryRoleIsAnsweredWhatItsRoleIsFor(t *testing.T) {
	l := newLake(t)
	l.heads["second-clinic"] = "1"
	address, _ := serve(t, options(t, l))
	groups := map[string][]string{
		"falloff": {
			"cohort_heatmap", "retention_curve", "retention_by_visit", "patient_status_counts", "outcomes", "falloff_summary",
			"outlook_models", "caseload_summary", "patients_won_back",
		},
		"money": {
			"leak_total", "leaks_by_category", "leaks_by_month", "leaks_by_age", "leaks_by_state", "receivables_aging", "restatements",
			"money_waterfall", "money_by_month", "collections_by_month", "adjustments_by_month", "receivables_summary", "control_totals",
			"recoveries_by_month",
		},
		"payers":   {"payers", "payers_by_month"},
		"leaks":    {"worst_open_leaks", "leak_worklist", "billing_warnings"},
		"patients": {"work_list", "caseload"},
		"tasks":    {"recovery_tasks"},
		"schedule": {
			"visits_by_week", "show_rates", "show_rates_by_month", "utilisation_by_month", "idle_hours", "missed_recovery",
		},
		"freshness": {"freshness"},
		"lists":     {"disciplines", "choices"},
		// What is released is told to whoever sees the rows, too.
		"released falloff":  {"released_falloff"},
		"released money":    {"released_money"},
		"released schedule": {"released_schedule"},
		"released payers":   {"released_payers"},
	}
	everything := []string{
		"falloff", "money", "payers", "leaks", "patients", "tasks", "schedule", "freshness", "lists",
		"released falloff", "released money", "released schedule", "released payers",
	}
	sees := map[string][]string{
		"everywhere":               everything,
		access.ClinicOwner:         everything,
		access.Manager:             everything,
		access.Biller:              {"money", "payers", "leaks", "patients", "tasks", "freshness", "lists", "released money", "released payers"},
		access.FrontDesk:           {"schedule", "leaks", "patients", "tasks", "freshness", "lists", "released schedule"},
		access.Practitioner:        {"own falloff", "own schedule", "patients", "freshness", "lists"},
		access.Analyst:             everything,
		access.RecoveryCoordinator: {"falloff", "schedule", "leaks", "patients", "tasks", "freshness", "lists", "released falloff", "released schedule"},
		access.PrivacyOfficer:      {"freshness", "lists"},
		access.VendorSupport:       {}, // nobody granted support access
		access.BatchService:        {"freshness", "lists"},
		servertest.Figures: {
			"released falloff", "released money", "released schedule", "released payers", "from released tables", "freshness", "lists",
		},
		"elsewhere": {},
		"nobody":    {},
	}
	groups["from released tables"] = []string{
		"leak_total", "leaks_by_category", "leaks_by_month", "patient_status_counts", "cohort_heatmap", "receivables_aging", "leaks_by_state",
		"recoveries_by_month", "collections_by_month", "adjustments_by_month", "payers", "payers_by_month", "show_rates", "show_rates_by_month",
		"utilisation_by_month", "falloff_summary",
	}
	groups["own schedule"] = []string{"visits_by_week", "show_rates", "show_rates_by_month", "utilisation_by_month", "idle_hours"}
	groups["own falloff"] = []string{"patients_won_back", "patient_status_counts", "retention_curve", "retention_by_visit", "falloff_summary", "caseload_summary"}
	for _, person := range servertest.People() {
		var allowed []string
		for _, group := range sees[person] {
			allowed = append(allowed, groups[group]...)
		}
		for _, d := range query.Catalogue() {
			if !slices.ContainsFunc(everything, func(g string) bool { return slices.Contains(groups[g], d.Name) }) {
				t.Fatalf("who may ask %s is not written down here", d.Name)
			}
			for _, clinic := range []string{servertest.Clinic, "second-clinic", "no-clinic"} {
				want := http.StatusForbidden
				switch {
				case clinic == "no-clinic" && person == "everywhere":
					want = http.StatusNotFound
				case clinic == servertest.Clinic && slices.Contains(allowed, d.Name), clinic == "second-clinic" && (person == "everywhere" || person == "elsewhere"):
					want = http.StatusOK
				}
				opened, _ := l.count()
				status, body := askAs(t, person, http.MethodPost, "http://"+address+"/v1/query", `{"clinic":"`+clinic+`","query":"`+d.Name+`"}`)
				// A caseload needs the mart that says whose it is, and the fixture has it; it has not every released table.
				lacks := person == access.Practitioner || d.IsReleasedOnly() || person == servertest.Figures
				if status != want && !(want == http.StatusOK && status == http.StatusConflict && lacks) {
					t.Errorf("%s asks %s at %s: %d %s, and it should be %d", person, d.Name, clinic, status, body, want)
				}
				if after, _ := l.count(); want == http.StatusForbidden && after != opened {
					t.Errorf("%s was refused %s at %s, and a snapshot was opened all the same", person, d.Name, clinic)
				}
			}
		}
	}
}

func TestEveryOtherRequestIsCutToTheCaller(t *testing.T) {
	l := newLake(t)
	l.heads["second-clinic"] = "1"
	address, _ := serve(t, options(t, l))
	for _, test := range []struct {
		person, path string
		status       int
		with, lacks  []string
	}{
		{"everywhere", "/v1/clinics", 200, []string{"harbour-street", "second-clinic"}, nil},
		{access.Manager, "/v1/clinics", 200, []string{"harbour-street"}, []string{"second-clinic"}},
		{"elsewhere", "/v1/clinics", 200, []string{"second-clinic"}, []string{"harbour-street"}},
		{"nobody", "/v1/clinics", 403, nil, []string{"harbour-street", "second-clinic"}},
		{access.VendorSupport, "/v1/clinics", 403, nil, []string{"harbour-street"}},
		{access.Practitioner, "/v1/queries", 200, []string{"visits_by_week"}, []string{"leak_total", "worst_open_leaks", "receivables_aging"}},
		{access.Biller, "/v1/queries", 200, []string{"leak_total", "worst_open_leaks"}, []string{"retention_curve", "visits_by_week"}},
		{access.Biller, "/v1/queries?clinic=second-clinic", 200, nil, []string{"leak_total"}},
		{access.Practitioner, "/v1/metrics", 200, []string{`"show_rate"`}, []string{`"leaked_revenue"`, `"receivables"`}},
		{access.Practitioner, "/v1/me", 200, []string{`"person":"practitioner"`, `"schedule.view"`}, []string{"money.view", "second-clinic"}},
		{access.Practitioner, "/v1/freshness?clinic=harbour-street", 200, []string{"appointments"}, nil},
		{access.Practitioner, "/v1/freshness?clinic=second-clinic", 403, nil, []string{"appointments"}},
		{access.Practitioner, "/v1/freshness?clinic=no-clinic", 403, nil, nil},
		{access.ClinicOwner, "/metrics", 403, nil, []string{"falloff_requests_total"}},
		{"everywhere", "/metrics", 200, []string{"falloff_requests_total", "falloff_snapshots_open"}, []string{"harbour"}},
	} {
		status, body := askAs(t, test.person, http.MethodGet, "http://"+address+test.path, "")
		if status != test.status {
			t.Errorf("%s asks %s: %d %s, and it should be %d", test.person, test.path, status, body, test.status)
		}
		for _, want := range test.with {
			if !bytes.Contains(body, []byte(want)) {
				t.Errorf("%s asks %s and is not told %s:\n%s", test.person, test.path, want, body)
			}
		}
		for _, no := range test.lacks {
			if bytes.Contains(body, []byte(no)) {
				t.Errorf("%s asks %s and is told %s:\n%s", test.person, test.path, no, body)
			}
		}
	}
}

// Whoever sees no rows is told of few patients by no answer, and that something is withheld.
func TestFiguresAreFromReleasedTablesForWhoeverSeesNoRows(t *testing.T) {
	l := newLake(t)
	o := options(t, l)
	log := o.Audit.(*servertest.Log)
	address, _ := serve(t, o)
	ask := func(person, body string) (int, *ipc.Reader) {
		status, answer := askAs(t, person, http.MethodPost, "http://"+address+"/v1/query", body)
		if status != http.StatusOK {
			return status, nil
		}
		reader, err := ipc.NewReader(bytes.NewReader(answer))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(reader.Release)
		return status, reader
	}
	const statuses = `{"clinic":"harbour-street","query":"patient_status_counts"}`
	_, exact := ask(access.Manager, statuses)
	_, released := ask(servertest.Figures, statuses)
	if len(exact.Schema().FieldIndices("withheld")) != 0 {
		t.Error("the manager is answered from released tables")
	}
	if len(released.Schema().FieldIndices("withheld")) != 1 {
		t.Fatal("whoever sees no rows is answered from them")
	}
	withheld := 0
	for released.Next() {
		batch := released.RecordBatch()
		patients := batch.Column(released.Schema().FieldIndices("patients")[0]).(*array.Int64)
		for i := range patients.Len() {
			if patients.IsNull(i) {
				withheld++
			} else if n := patients.Value(i); n > 0 && n < 11 {
				t.Errorf("a cell of %d patients is told", n)
			}
		}
	}
	metadata := released.Schema().Metadata()
	if note, _ := metadata.GetValue(query.MetaNote); withheld != 2 || !strings.Contains(note, "2 rows are withheld") {
		t.Errorf("%d are withheld, and the note is %q", withheld, note)
	}
	if events := log.Events(); events[len(events)-1].Suppressed != 2 || events[0].Suppressed != 0 {
		t.Errorf("the records say %d and %d are withheld", events[len(events)-1].Suppressed, events[0].Suppressed)
	}
	// Another choice of the same query would be counted from rows.
	if status, _ := ask(servertest.Figures, `{"clinic":"harbour-street","query":"leaks_by_month","params":{"certainty":"firm"}}`); status != http.StatusBadRequest {
		t.Errorf("a choice that is not released: %d", status)
	}
	if status, _ := ask(access.Manager, `{"clinic":"harbour-street","query":"leaks_by_month","params":{"certainty":"firm"}}`); status != http.StatusOK {
		t.Errorf("the manager's choice: %d", status)
	}
}

func TestAPractitionerSeesTheirOwnCaseload(t *testing.T) {
	l := newLake(t)
	address, _ := serve(t, options(t, l))
	count := func(person string) (rows int64) {
		status, body := askAs(t, person, http.MethodPost, "http://"+address+"/v1/query", `{"clinic":"harbour-street","query":"visits_by_week","params":{"split":"staff_member"}}`)
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", person, status, body)
		}
		reader, err := ipc.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Release()
		for reader.Next() {
			names := reader.RecordBatch().Column(reader.Schema().FieldIndices("series")[0]).(*array.String)
			for i := range names.Len() {
				if person == access.Practitioner && names.Value(i) != servertest.Practitioner {
					t.Errorf("the practitioner sees the weeks of %s", names.Value(i))
				}
			}
			rows += reader.RecordBatch().NumRows()
		}
		return rows
	}
	own, all := count(access.Practitioner), count(access.Manager)
	if own == 0 || own >= all {
		t.Errorf("the practitioner sees %d rows, the manager %d", own, all)
	}
}

func TestEveryRequestIsInTheAuditLogBeforeItIsAnswered(t *testing.T) {
	l := newLake(t)
	o := options(t, l)
	log := o.Audit.(*servertest.Log)
	address, _ := serve(t, o)
	url := "http://" + address
	const canary = "a-value-that-nobody-may-keep"
	askAs(t, access.Manager, http.MethodPost, url+"/v1/query", `{"clinic":"harbour-street","query":"leak_total"}`)
	askAs(t, access.Manager, http.MethodPost, url+"/v1/query", `{"clinic":"harbour-street","query":"leak_total"}`) // a kept answer
	askAs(t, access.Practitioner, http.MethodPost, url+"/v1/query", `{"clinic":"harbour-street","query":"leak_total"}`)
	askAs(t, "stranger-"+canary, http.MethodPost, url+"/v1/query", `{"clinic":"`+canary+`","query":"`+canary+`"}`)
	askAs(t, access.Manager, http.MethodPost, url+"/v1/query", `{"clinic":"`+canary+`"}`)
	askAs(t, access.Manager, http.MethodPost, url+"/v1/query", `{"clinic":"harbour-street","query":"`+canary+`","params":{"a":"`+canary+`"}}`)
	askAs(t, access.Manager, http.MethodGet, url+"/"+canary, "")
	askAs(t, access.Manager, http.MethodPost, url+"/v1/query", `{"clinic":"harbour-street","query":"visits_by_week","params":{"discipline":"`+canary+`"}}`)

	events := log.Events()
	if len(events) != 8 {
		t.Fatalf("%d records of 8 requests", len(events))
	}
	for i, want := range []struct{ person, clinic, query, refused string }{
		{access.Manager, "harbour-street", "leak_total", ""},
		{access.Manager, "harbour-street", "leak_total", ""},
		{access.Practitioner, "harbour-street", "leak_total", "forbidden"},
		{"", "", "", "anonymous"},
		{access.Manager, "", "", "bad_request"},
		{access.Manager, "", "", "unknown_query"},
		{access.Manager, "", "", "not_found"},
		{access.Manager, "harbour-street", "visits_by_week", ""},
	} {
		e := events[i]
		if e.Person != want.person || e.Clinic != want.clinic || e.Query != want.query || e.Refused != want.refused || e.Address != "127.0.0.1" || e.Kind == "" || e.Route == "" || e.Status == 0 {
			t.Errorf("record %d is %+v, and it should be of %+v", i+1, e, want)
		}
	}
	if events[0].Snapshot != "1" || events[0].Rows != 1 || events[0].Cached || events[1].Rows != 1 || !events[1].Cached || len(events[0].Sent) != 64 {
		t.Errorf("the answers are recorded as %+v and %+v", events[0], events[1])
	}
	text, err := json.Marshal(events)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte(canary)) {
		t.Errorf("the records hold what was sent:\n%s", text)
	}

	log.Fill(true)
	status, body := askAs(t, access.Manager, http.MethodPost, url+"/v1/query", `{"clinic":"harbour-street","query":"leak_total"}`)
	if status != http.StatusServiceUnavailable || !bytes.Contains(body, []byte("audit_unavailable")) || bytes.Contains(body, []byte("amount_cents")) {
		t.Errorf("unrecorded, it was answered with %d %q", status, body)
	}
}

func TestSQLIsForThoseWhoMayRunItOverWhatTheyMayRead(t *testing.T) {
	o := options(t, newLake(t))
	asked := &statements{}
	o.SQL = asked
	log := o.Audit.(*servertest.Log)
	address, _ := serve(t, o)
	const canary = "4711-of-somebody"
	for _, person := range servertest.People() {
		asked.marts = nil
		status, body := askAs(t, person, http.MethodPost, "http://"+address+"/v1/sql", `{"clinic":"harbour-street","sql":"select '`+canary+`'"}`)
		want := http.StatusForbidden
		if slices.Contains([]string{"everywhere", access.ClinicOwner, access.Analyst}, person) {
			want = http.StatusOK
		}
		if status != want {
			t.Errorf("%s runs SQL: %d %s, and it should be %d", person, status, body, want)
		}
		if marts := asked.marts["harbour-street"]; (want == http.StatusOK) != slices.Contains(marts, "leak_ledger") {
			t.Errorf("%s reads %v", person, marts)
		}
	}
	status, body := askAs(t, access.Analyst, http.MethodPost, "http://"+address+"/v1/sql", `{"clinic":"second-clinic","sql":"select 1"}`)
	if status != http.StatusForbidden || asked.marts["second-clinic"] != nil {
		t.Errorf("an analyst of one clinic asks another: %d %s", status, body)
	}
	text, err := json.Marshal(log.Events())
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte(canary)) || !bytes.Contains(text, []byte(`"Kind":"sql"`)) {
		t.Errorf("the records are\n%s", text)
	}
}

func TestWithoutASecondFactorNothingIsSeen(t *testing.T) {
	o := options(t, newLake(t))
	identify := o.Identify
	o.Identify = func(ctx context.Context, r *http.Request) (access.Principal, error) {
		who, err := identify(ctx, r)
		who.SecondFactor = false
		return who, err
	}
	address, _ := serve(t, o)
	status, body := askAs(t, access.ClinicOwner, http.MethodGet, "http://"+address+"/v1/clinics", "")
	if status != http.StatusForbidden || !bytes.Contains(body, []byte("second_factor_required")) {
		t.Errorf("%d %s", status, body)
	}
}

// Data is reached in door.go alone: no other file of the package touches the snapshots, and handlers are methods of a visit, which
// knows who asks.
func TestNoHandlerReachesDataPastTheDoor(t *testing.T) {
	files := gotoken.NewFileSet()
	packages, err := parser.ParseDir(files, ".", func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, 0)
	if err != nil {
		t.Fatal(err)
	}
	through := 0
	guards := []string{"leaks", "auditLog", "supportDesk", "settingsDesk", "reveal", "history"}
	for name, file := range packages["server"].Files {
		ast.Inspect(file, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			at := files.Position(selector.Pos())
			switch selector.Sel.Name {
			case "acquire":
				if name != "door.go" && name != "snapshots.go" {
					t.Errorf("%s opens a snapshot past the door", at)
				}
				through++
			case "Open", "Head":
				if inner, ok := selector.X.(*ast.SelectorExpr); ok && (inner.Sel.Name == "Snapshots" || inner.Sel.Name == "source") && name != "snapshots.go" {
					t.Errorf("%s asks the lake past the door", at)
				}
			case "Leaks", "AuditLog", "Support", "Settings", "Identities", "History":
				// Whoever gets hold of one has asked whether it may be had: see desk.
				if inner, ok := selector.X.(*ast.SelectorExpr); ok && inner.Sel.Name == "options" && !slices.Contains(guards, enclosing(file, selector.Pos())) {
					t.Errorf("%s asks a desk past the door", at)
				}
			case "Visible":
				if inner, ok := selector.X.(*ast.CallExpr); ok && name != "door.go" {
					t.Errorf("%s decides by itself: %v", at, inner.Fun)
				}
			}
			return true
		})
	}
	if through < 2 {
		t.Errorf("the door opens snapshots in %d places: this test looks for the wrong thing", through)
	}
	// A handler is a method of a visit that returns its answer: it has no writer to send anything past the audit log.
	for name, file := range packages["server"].Files {
		for _, declared := range file.Decls {
			f, ok := declared.(*ast.FuncDecl)
			if !ok || name == "door.go" || name == "endpoints.go" || name == "telemetry.go" || name == "openapi.go" {
				continue
			}
			for _, p := range f.Type.Params.List {
				if s, ok := p.Type.(*ast.SelectorExpr); ok && s.Sel.Name == "ResponseWriter" && f.Name.Name != "readQuery" && f.Name.Name != "writeJSON" {
					t.Errorf("%s takes a response writer: answers go out through the door", files.Position(f.Pos()))
				}
			}
		}
	}
}

// enclosing names the function that holds a place.
func enclosing(file *ast.File, at gotoken.Pos) string {
	for _, declared := range file.Decls {
		if f, ok := declared.(*ast.FuncDecl); ok && f.Pos() <= at && at < f.End() {
			return f.Name.Name
		}
	}
	return ""
}

var _ server.Recorder = (*servertest.Log)(nil)
