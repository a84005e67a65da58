package browser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestAccessLedger watches what the proxy tells of requests that a clinic should know of.
func TestAccessLedger(t *testing.T) {
	address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/downloads/sales.csv":
			w.Header().Set("Content-Type", "text/csv")
			fmt.Fprint(w, "a,b\n1,2\n")
		case "/api/reports/gone":
			w.WriteHeader(http.StatusGone)
			fmt.Fprint(w, "gone")
		case "/api/reports/cut":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "half")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "/api/reports/dead":
			panic(http.ErrAbortHandler)
		case "/api/exports":
			_, _ = io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, "{}")
		default:
			htmlf(w, `<a id=sales href=/downloads/sales.csv>x</a>`)
		}
	}), nil)
	var mu sync.Mutex
	var lines []Access
	began := time.Now()
	s := startSession(t, Config{
		Origin: mustOrigin(t, address),
		Rules: []Rule{
			pageRules[0],
			{Purpose: "run a report", Method: "GET", Path: "/api/reports/:id", Query: []string{"page", "fresh"}, Access: "ran", Subject: "sales"},
			{Purpose: "start an export", Method: "POST", Path: "/api/exports", Body: map[string][]string{"report": {"sales", "claims"}, "note": nil}, Access: "exported", Subject: "{report}"},
			{Purpose: "download", Method: "GET", Path: "/downloads/:file", Capture: true, Access: "downloaded"},
		},
		OnAccess: func(a Access) {
			mu.Lock()
			defer mu.Unlock()
			lines = append(lines, a)
		},
	})
	page := open(t, s, address+"/page")
	eval(t, page, `async () => {
		const ask = (path, more) => fetch(path, more).then(r => r.text()).catch(() => '');
		await ask('/api/reports/gone?page=2&fresh=MarySmith');
		await ask('/api/reports/cut');
		await ask('/api/reports/dead');
		await ask('/api/exports', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{"report": "sales", "note": "MarySmith"}'});
		await ask('/api/reports/refused?unknown=1');
	}`)
	if _, err := capture(t, s, page, "sales"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range lines {
		if lines[i].At.Before(began) || lines[i].At.After(time.Now()) {
			t.Errorf("line %d is of %v", i, lines[i].At)
		}
		lines[i].At = time.Time{}
		if len(lines[i].Query) == 0 {
			lines[i].Query = nil
		}
	}
	ran := Access{Action: "ran", Subject: "sales", Purpose: "run a report", Method: "GET", Path: "/api/reports/:id"}
	gone, cut, dead := ran, ran, ran
	gone.Query = map[string][]string{"page": {"2"}, "fresh": {"?"}}
	gone.Status, gone.Bytes, gone.Whole = 410, 4, true
	cut.Status, cut.Bytes = 200, 4
	want := []Access{gone, cut, dead, {
		Action: "exported", Subject: "sales", Purpose: "start an export", Method: "POST", Path: "/api/exports",
		Body: map[string][]string{"report": {"sales"}}, Status: 200, Bytes: 2, Whole: true,
	}, {
		Action: "downloaded", Purpose: "download", Method: "GET", Path: "/downloads/:file", Status: 200, Bytes: 8, Whole: true,
	}}
	if !reflect.DeepEqual(lines, want) {
		t.Errorf("the lines are\n%+v, want\n%+v", lines, want)
	}
}

func TestRefusedWritesEndTheSession(t *testing.T) {
	address := servePage(t)
	for _, test := range []struct {
		name, js string
		ends     bool
	}{
		{"a write", `() => { fetch('/api/patients/mary-smith', {method: 'POST'}) }`, true},
		{"a made-up method", `() => { fetch('/api/patients/mary-smith', {method: 'MARY'}) }`, true},
		{"a read", `() => fetch('/api/patients/1').then(() => '', () => '')`, false},
		{"a write elsewhere", `() => fetch('http://tracker.example/x', {method: 'POST', mode: 'no-cors'}).then(() => '', () => '')`, false},
		{"a tolerated write", `() => fetch('/api/telemetry?x=1', {method: 'POST', body: 'x'}).then(() => '', () => '')`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startSession(t, Config{
				Origin: mustOrigin(t, address), Rules: pageRules, Words: []string{"api", "patients"},
				Tolerated: []Tolerated{{Why: "usage beacon", Method: "POST", Path: "/api/telemetry"}},
			})
			page := open(t, s, address+"/page")
			_, err := page.Eval(test.js)
			if !test.ends {
				if err != nil {
					t.Fatal(err)
				}
				if cause := context.Cause(s.Context()); cause != nil || s.Ledger().Refused() != 1 || s.Ledger().RefusedWrites() != 0 {
					t.Errorf("the session's end has the cause %v; refused %+v", cause, s.Ledger().Entries())
				}
				return
			}
			<-s.Context().Done()
			cause := context.Cause(s.Context())
			if !errors.Is(cause, ErrRefusedWrite) || !strings.Contains(cause.Error(), "/api/patients/:word") || strings.Contains(strings.ToLower(cause.Error()), "mary") {
				t.Errorf("the session's end has the cause %v", cause)
			}
			if s.Ledger().RefusedWrites() != 1 {
				t.Errorf("refused: %+v", s.Ledger().Entries())
			}
		})
	}
}
