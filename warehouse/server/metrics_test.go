package server_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/dictionary"
	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/server/servertest"
)

// The kinds of figures that each role may ask of the dictionary, written down by hand: from rows, of the own caseload, or from what is
// released. Everything else is refused before a snapshot is opened.
func TestEveryRoleMayAskTheMetricsThatItsRoleIsFor(t *testing.T) {
	l := newLake(t)
	l.heads["second-clinic"] = "1"
	address, _ := serve(t, options(t, l))
	all := map[string]string{"falloff": "rows", "money": "rows", "payers": "rows", "schedule": "rows"}
	sees := map[string]map[string]string{
		"everywhere":               all,
		access.ClinicOwner:         all,
		access.Manager:             all,
		access.Analyst:             all,
		access.Biller:              {"money": "rows", "payers": "rows"},
		access.FrontDesk:           {"schedule": "rows"},
		access.Practitioner:        {"falloff": "caseload", "schedule": "caseload"},
		access.RecoveryCoordinator: {"falloff": "rows", "schedule": "rows"},
		servertest.Figures:         {"falloff": "released", "money": "released", "payers": "released", "schedule": "released"},
	}
	// Of a caseload a metric is known where its marts say whose they are.
	ofCaseload := []string{
		"conversion", "kept_rate", "lead_time", "median_days_to_falloff", "median_visits_to_falloff", "reactivations", "rebooked", "show_rate",
		"stopping_share", "survival", "utilisation", "visits",
	}
	metrics, err := dictionary.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	for _, person := range servertest.People() {
		status, body := askAs(t, person, http.MethodGet, "http://"+address+"/v1/metrics?clinic=harbour-street", "")
		var listed struct {
			Metrics []struct {
				Name   string `json:"name"`
				Source string `json:"source_of_answers"`
			} `json:"metrics"`
		}
		if err := json.Unmarshal(body, &listed); status == http.StatusOK && err != nil {
			t.Fatal(err)
		}
		for _, m := range metrics {
			want := sees[person][m.Permission]
			if want == "caseload" && !slices.Contains(ofCaseload, m.Name) || want == "released" && !query.MetricIsReleased(m) {
				want = ""
			}
			at := slices.IndexFunc(listed.Metrics, func(l struct {
				Name   string `json:"name"`
				Source string `json:"source_of_answers"`
			}) bool {
				return l.Name == m.Name
			})
			if at < 0 && want != "" || at >= 0 && listed.Metrics[at].Source != want {
				t.Errorf("%s is told of %s, and it should be from %q: %d", person, m.Name, want, at)
			}
			asked := `","metric":"` + m.Name + `"}`
			opened, _ := l.count()
			status, body := askAs(t, person, http.MethodPost, "http://"+address+"/v1/metric/sql", `{"clinic":"harbour-street`+asked)
			// What must be split first is a bad question, asked by somebody who may.
			if (status == http.StatusForbidden) != (want == "") || want != "" && status != http.StatusOK && status != http.StatusBadRequest && status != http.StatusConflict {
				t.Errorf("%s asks %s: %d %s, and it should be from %q", person, m.Name, status, body, want)
			}
			if status == http.StatusOK && (strings.Contains(string(body), "marts.") == (want == "released")) {
				t.Errorf("%s is answered from %s", person, body)
			}
			if after, _ := l.count(); want == "" && after != opened {
				t.Errorf("%s was refused %s, and a snapshot was opened all the same", person, m.Name)
			}
		}
		if person == "everywhere" || person == "elsewhere" {
			continue
		}
		for _, clinic := range []string{"second-clinic", "no-clinic"} {
			if status, body := askAs(t, person, http.MethodPost, "http://"+address+"/v1/metric", `{"clinic":"`+clinic+`","metric":"show_rate"}`); status != http.StatusForbidden {
				t.Errorf("%s asks %s: %d %s", person, clinic, status, body)
			}
		}
	}
}

// figures are the texts and numbers of an answer's column.
func figures(t *testing.T, body []byte, column string) (values []string, note, sql string) {
	t.Helper()
	reader, err := ipc.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Release()
	metadata := reader.Schema().Metadata()
	note, _ = metadata.GetValue(query.MetaNote)
	sql, _ = metadata.GetValue(query.MetaSQL)
	for reader.Next() {
		cells := reader.RecordBatch().Column(reader.Schema().FieldIndices(column)[0])
		for i := range cells.Len() {
			if cells.IsNull(i) {
				values = append(values, "-")
			} else {
				values = append(values, strings.Clone(cells.ValueStr(i)))
			}
		}
	}
	return values, note, sql
}

func TestAMetricIsAnsweredAsTheCallerSeesIt(t *testing.T) {
	l := newLake(t)
	o := options(t, l)
	log := o.Audit.(*servertest.Log)
	address, _ := serve(t, o)
	url := "http://" + address
	const byCategory = `{"clinic":"harbour-street","metric":"leaked_revenue","by":["category"],"grain":"month"}`
	_, exact := askAs(t, access.Manager, http.MethodPost, url+"/v1/metric", byCategory)
	_, released := askAs(t, servertest.Figures, http.MethodPost, url+"/v1/metric", byCategory)
	if values, note, sql := figures(t, exact, "value"); len(values) != 6 || note != "" || !strings.Contains(sql, "marts.leak_ledger") {
		t.Errorf("the manager is answered %v, %q, by\n%s", values, note, sql)
	}
	values, note, sql := figures(t, released, "value")
	if !slices.Contains(values, "-") || !strings.Contains(note, "withheld") || strings.Contains(sql, "marts.") || !strings.Contains(sql, "released.") {
		t.Errorf("whoever sees no rows is answered %v, %q, by\n%s", values, note, sql)
	}
	// It is the same answer as the named query over released tables gives.
	_, named := askAs(t, servertest.Figures, http.MethodPost, url+"/v1/query", `{"clinic":"harbour-street","query":"leaks_by_month"}`)
	if same, _, _ := figures(t, named, "amount_cents"); !slices.Equal(slices.Sorted(slices.Values(values)), slices.Sorted(slices.Values(same))) {
		t.Errorf("the metric says %v, the named query %v", values, same)
	}
	if status, body := askAs(t, servertest.Figures, http.MethodPost, url+"/v1/metric", `{"clinic":"harbour-street","metric":"leaked_revenue","by":["category","discipline"]}`); status != http.StatusBadRequest || !strings.Contains(string(body), "released") {
		t.Errorf("what is not released: %d %s", status, body)
	}
	if status, body := askAs(t, access.Practitioner, http.MethodPost, url+"/v1/metric", `{"clinic":"harbour-street","metric":"visits","by":["staff_member"]}`); status != http.StatusOK {
		t.Errorf("a caseload: %d %s", status, body)
	} else if staff, _, _ := figures(t, body, "staff_member"); !slices.Equal(staff, []string{servertest.Practitioner}) {
		t.Errorf("the practitioner sees %v", staff)
	}
	_, list := askAs(t, access.Practitioner, http.MethodGet, url+"/v1/metrics/values?clinic=harbour-street&metric=visits&dimension=staff_member", "")
	if got := strings.TrimSpace(string(list)); got != `{"choices":[{"text":"`+servertest.Practitioner+`","value":"`+servertest.Practitioner+`"}],"values":["`+servertest.Practitioner+`"]}` {
		t.Errorf("the practitioner may choose from %s", got)
	}
	_, list = askAs(t, access.Manager, http.MethodGet, url+"/v1/metrics/values?clinic=harbour-street&metric=leaked_revenue&dimension=certainty", "")
	if got := strings.TrimSpace(string(list)); got != `{"choices":[{"text":"Firm","value":"firm"},{"text":"Likely","value":"likely"}],"values":["firm","likely"]}` {
		t.Errorf("the manager may choose from %s", got)
	}
	askAs(t, access.Manager, http.MethodPost, url+"/v1/metric", `{"clinic":"harbour-street","metric":"leaks","filters":[{"dimension":"state","values":["a-canary"]}]}`)
	askAs(t, access.Manager, http.MethodPost, url+"/v1/metric", byCategory)
	events := log.Events()
	first, last := events[0], events[len(events)-1]
	if first.Query != "metric.leaked_revenue" || first.Kind != "query" || first.Rows != 6 || len(first.Sent) != 64 || first.Cached || !last.Cached || last.Rows != 6 {
		t.Errorf("the records are %+v and %+v", first, last)
	}
	if events[1].Suppressed == 0 {
		t.Errorf("the record of a released answer is %+v", events[1])
	}
	if text, _ := json.Marshal(events); bytes.Contains(text, []byte("a-canary")) {
		t.Error("the records hold what was sent")
	}
}

func TestTablesAreToldToThoseWhoMayRunSQL(t *testing.T) {
	address, _ := serve(t, options(t, newLake(t)))
	for _, person := range servertest.People() {
		status, body := askAs(t, person, http.MethodGet, "http://"+address+"/v1/tables?clinic=harbour-street", "")
		want := http.StatusForbidden
		if slices.Contains([]string{"everywhere", access.ClinicOwner, access.Analyst}, person) {
			want = http.StatusOK
		}
		if status != want {
			t.Errorf("%s asks for tables: %d %.200s, and it should be %d", person, status, body, want)
		}
		if want == http.StatusOK && (!bytes.Contains(body, []byte(`"marts.leak_ledger"`)) || !bytes.Contains(body, []byte(`"occurred_on"`)) || bytes.Contains(body, []byte(`"lake.`))) {
			t.Errorf("%s is told %.300s", person, body)
		}
	}
}
