package server_test

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/server/servertest"
)

// standing reads how a leak stands in the work list.
func standing(t *testing.T, url, person, leakID string) string {
	t.Helper()
	status, body := askAs(t, person, http.MethodPost, url+"/v1/query", `{"clinic":"harbour-street","query":"leak_worklist","params":{"state":"all"}}`)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	reader, err := ipc.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Release()
	for reader.Next() {
		column := func(name string) *array.String {
			return reader.RecordBatch().Column(reader.Schema().FieldIndices(name)[0]).(*array.String)
		}
		for i := range int(reader.RecordBatch().NumRows()) {
			if column("leak_id").Value(i) == leakID {
				return string(append([]byte(nil), column("state").Value(i)...))
			}
		}
	}
	t.Fatalf("the work list has no %s", leakID)
	return ""
}

// What somebody says of a leak stands in the next answer of everybody, though the marts were built before and the answer was kept.
func TestWhatIsSaidOfALeakIsInTheNextAnswer(t *testing.T) {
	l := newLake(t)
	o := options(t, l)
	said := &sayings{version: 1}
	// Heads and sayings are believed for an hour: what is said here is known here at once all the same.
	o.Leaks, o.HeadEvery = said, time.Hour
	address, _ := serve(t, o)
	url := "http://" + address
	for range 2 { // the second is a kept answer
		if got := standing(t, url, access.Manager, "no_show_fee/9003"); got != "Open" {
			t.Errorf("before anybody said anything it is %s", got)
		}
	}
	if events := o.Audit.(*servertest.Log).Events(); !events[1].Cached {
		t.Error("the second answer was not a kept one, so this tests nothing")
	}
	status, body := askAs(t, access.Biller, http.MethodPost, url+"/v1/leaks", `{"clinic":"harbour-street","steps":[{"leak_id":"no_show_fee/9003","state":"assigned","assignee":"kim"}]}`)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	for _, person := range []string{access.Manager, access.Biller, access.FrontDesk} {
		if got := standing(t, url, person, "no_show_fee/9003"); got != "Assigned" {
			t.Errorf("then %s sees it as %s", person, got)
		}
	}
	if opened, _ := l.count(); opened > 3 {
		t.Errorf("%d snapshots were opened: what is said needs none", opened)
	}
	if len(said.by) != 1 || said.by[0].Person != access.Biller {
		t.Errorf("it was said by %+v", said.by)
	}
	status, body = askAs(t, access.Analyst, http.MethodGet, url+"/v1/leaks/history?clinic=harbour-street&leak=no_show_fee/9003", "")
	if status != http.StatusOK || !bytes.Contains(body, []byte(`"state":"assigned"`)) {
		t.Errorf("its history: %d %s", status, body)
	}
}

// What was said elsewhere is noticed within a while; when nobody can tell what was, the last that is known is shown, but never less
// than what was said here.
func TestWhatIsSaidElsewhereIsNoticed(t *testing.T) {
	o := options(t, newLake(t))
	said := &sayings{version: 1}
	o.Leaks = said // HeadEvery is negative: it always looks
	address, _ := serve(t, o)
	url := "http://" + address
	if got := standing(t, url, access.Manager, "no_show_fee/9003"); got != "Open" {
		t.Fatal(got)
	}
	set := func(change func()) {
		said.mu.Lock()
		defer said.mu.Unlock()
		change()
	}
	set(func() {
		said.version, said.said = 2, []query.LeakSaid{{LeakID: "no_show_fee/9003", State: "contacted"}}
	})
	if got := standing(t, url, access.Manager, "no_show_fee/9003"); got != "Contacted" {
		t.Errorf("it is %s", got)
	}
	set(func() { said.err = errors.New("the lake does not answer") })
	if got := standing(t, url, access.Manager, "no_show_fee/9003"); got != "Contacted" {
		t.Errorf("while the lake does not answer it is %s", got)
	}
	askAs(t, access.Manager, http.MethodPost, url+"/v1/leaks", `{"clinic":"harbour-street","steps":[{"leak_id":"no_show_fee/9003","state":"written_off"}]}`)
	status, body := askAs(t, access.Manager, http.MethodPost, url+"/v1/query", `{"clinic":"harbour-street","query":"leak_worklist","params":{"state":"all"}}`)
	if status != http.StatusInternalServerError {
		t.Errorf("an answer without what was said here: %d %s", status, body)
	}
}

func TestWhoMaySayWhatOfLeaks(t *testing.T) {
	o := options(t, newLake(t))
	said := &sayings{}
	o.Leaks = said
	log := o.Audit.(*servertest.Log)
	address, _ := serve(t, o)
	url := "http://" + address
	boss := []string{"everywhere", access.ClinicOwner, access.Manager}
	desk := append([]string{access.Biller, access.FrontDesk, access.RecoveryCoordinator}, boss...)
	assigning := append([]string{access.Biller, access.RecoveryCoordinator}, boss...)
	for _, test := range []struct {
		step string
		may  []string
	}{
		{`{"leak_id":"a/1","state":"assigned","assignee":"kim"}`, assigning},
		{`{"leak_id":"a/1","state":"contacted","note":"left_message"}`, desk},
		{`{"leak_id":"a/1","note":"no_answer"}`, desk},
		{`{"leak_id":"a/1","state":"written_off"}`, boss},
		{`{"leak_id":"a/1","state":"expired"}`, boss},
		{`{"leak_id":"a/1","state":"open"}`, boss},
		{`{"leak_id":"a/1","note":"no_answer"},{"leak_id":"a/2","state":"expired"}`, boss},
		// Patients to be won back are tasks.
		{`{"leak_id":"falloff/p/x/1","state":"assigned","assignee":"kim"}`, append([]string{access.RecoveryCoordinator}, boss...)},
		{`{"leak_id":"falloff/p/x/1","state":"contacted","note":"left_message"}`, desk},
		{`{"leak_id":"falloff/p/x/1","note":"no_answer"}`, desk},
		{`{"leak_id":"falloff/p/x/1","state":"written_off"}`, desk},
		{`{"leak_id":"falloff/p/x/1","state":"open"}`, desk},
		{`{"leak_id":"falloff/p/x/1","note":"no_answer"},{"leak_id":"a/2","state":"written_off"}`, boss},
	} {
		for _, person := range servertest.People() {
			for _, clinic := range []string{servertest.Clinic, "second-clinic", "no-clinic"} {
				want := http.StatusForbidden
				if clinic == servertest.Clinic && slices.Contains(test.may, person) || clinic != servertest.Clinic && person == "everywhere" ||
					clinic == "second-clinic" && person == "elsewhere" {
					want = http.StatusOK
				}
				before := len(said.by)
				status, body := askAs(t, person, http.MethodPost, url+"/v1/leaks", `{"clinic":"`+clinic+`","steps":[`+test.step+`]}`)
				if status != want {
					t.Errorf("%s says %s at %s: %d %s, and it should be %d", person, test.step, clinic, status, body, want)
				}
				if asked := len(said.by) > before; asked != (want == http.StatusOK) {
					t.Errorf("%s says %s at %s: that something was said is %v", person, test.step, clinic, asked)
				}
			}
		}
	}
	for _, person := range servertest.People() {
		status, _ := askAs(t, person, http.MethodGet, url+"/v1/leaks/history?clinic=harbour-street&leak=a/1", "")
		if want := slices.Contains(append([]string{access.Analyst}, desk...), person); (status == http.StatusOK) != want || !want && status != http.StatusForbidden {
			t.Errorf("%s asks what became of a leak: %d", person, status)
		}
	}
	for _, body := range []string{
		`{`, `{"clinic":"harbour-street"}`, `{"clinic":"harbour-street","steps":[]}`, `{"steps":[{"leak_id":"a/1","note":"no_answer"}]}`,
		`{"clinic":"harbour-street","steps":[{"leak_id":"a/1","state":"recovered"}]}`, `{"clinic":"harbour-street","steps":[{"leak_id":"a/1","text":"call her"}]}`,
		`{"clinic":"harbour-street","steps":[` + string(bytes.Repeat([]byte(`{"leak_id":"a/1","note":"no_answer"},`), 501)) + `{}]}`,
	} {
		if status, answer := askAs(t, access.Manager, http.MethodPost, url+"/v1/leaks", body); status != http.StatusBadRequest {
			t.Errorf("%.80s: %d %s", body, status, answer)
		}
	}
	if status, _ := askAs(t, access.Manager, http.MethodPost, url+"/v1/leaks", `{"clinic":"`+string(bytes.Repeat([]byte("a"), 70<<10))+`"}`); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of 70 KiB: %d", status)
	}
	for _, e := range log.Events() {
		if e.Route == "/v1/leaks" && e.Refused == "" && (e.Person == "" || e.Clinic == "" && e.Person != "everywhere" || e.Rows == 0) {
			t.Errorf("the record of a saying is %+v", e)
		}
	}
}
