package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/falloff-analytics/falloff/warehouse/query/martstest"
	"github.com/falloff-analytics/falloff/warehouse/server"
)

func TestAQueryAnswersWithAnArrowStreamThatDescribesItself(t *testing.T) {
	address, _ := serve(t, options(t, newLake(t)))
	status, body := ask(t, http.MethodPost, "http://"+address+"/v1/query",
		`{"clinic":"harbour-street","query":"leaks_by_month","params":{"certainty":"firm"},"from":"2026-08-01T03:00:00-04:00","to":"2026-08-31"}`)
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	reader, err := ipc.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Release()
	metadata := reader.Schema().Metadata()
	for key, want := range map[string]string{
		"falloff.commit": "1", "falloff.as_of": "2026-09-30", "falloff.title": "Money leaked by service month",
		"falloff.currency": "CAD", "falloff.series.value": "amount_cents",
	} {
		if got, _ := metadata.GetValue(key); got != want {
			t.Errorf("%s is %q, not %q", key, got, want)
		}
	}
	amounts := reader.Schema().FieldIndices("amount_cents")[0]
	if unit, _ := reader.Schema().Field(amounts).Metadata.GetValue("unit"); unit != "cents" {
		t.Errorf("the amount's unit is %q", unit)
	}
	var total int64
	for reader.Next() {
		for _, cents := range reader.RecordBatch().Column(amounts).(*array.Int64).Int64Values() {
			total += cents
		}
	}
	if err := reader.Err(); err != nil {
		t.Fatal(err)
	}
	if total != 8000 { // the claim of 14 August that was never sent
		t.Errorf("%d cents leaked in August, and it should be 8000", total)
	}
}

// Answers are compressed from 5,000 cells on, as the description of the server says, and are the same rows when they are read.
func TestLargeAnswersAreCompressed(t *testing.T) {
	l := newLake(t)
	l.marts = martstest.Large(t)
	address, _ := serve(t, options(t, l))
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd} // what a frame of zstd begins with (RFC 8878)
	for rows, compressed := range map[int]bool{10: false, 4000: true} {
		status, body := ask(t, http.MethodPost, "http://"+address+"/v1/query", fmt.Sprintf(`{"clinic":"harbour-street","query":"leak_worklist","params":{"limit":%d}}`, rows))
		if status != http.StatusOK {
			t.Fatalf("status %d: %s", status, body)
		}
		if bytes.Contains(body, frame) != compressed {
			t.Errorf("an answer of %d rows, %d bytes: compressed is %v, want %v", rows, len(body), !compressed, compressed)
		}
		reader, err := ipc.NewReader(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		var got int64
		for reader.Next() {
			got += reader.RecordBatch().NumRows()
		}
		if reader.Err() != nil || got != int64(rows) {
			t.Errorf("%d rows were read of %d: %v", got, rows, reader.Err())
		}
		reader.Release()
	}
}

func TestAnEmptyAnswerKeepsItsSchema(t *testing.T) {
	address, _ := serve(t, options(t, newLake(t)))
	status, body := ask(t, http.MethodPost, "http://"+address+"/v1/query",
		`{"clinic":"harbour-street","query":"worst_open_leaks","params":{"category":"write_off"}}`)
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	reader, err := ipc.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Release()
	if reader.Schema().NumFields() != 14 || reader.Next() {
		t.Errorf("got %d columns, and rows where there are none", reader.Schema().NumFields())
	}
}

func TestNothingAnswersWithoutAName(t *testing.T) {
	address, _ := serve(t, options(t, newLake(t)))
	for _, path := range []string{"/", "/metrics", "/v1/me", "/v1/clinics", "/v1/queries", "/v1/query", "/v1/freshness?clinic=harbour-street", "/nowhere"} {
		for _, header := range []string{"", "Bearer", "Bearer ", "Bearer " + token[:len(token)-1], "Bearer " + token + "x", "Basic " + token, token} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if header != "" {
				request.Header.Set("Authorization", header)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if response.StatusCode != http.StatusUnauthorized || !bytes.Contains(body, []byte(`"hint"`)) {
				t.Errorf("%s with %q: %d %s", path, header, response.StatusCode, body)
			}
		}
	}
}

func TestRefusalsAreNamedAndHinted(t *testing.T) {
	l := newLake(t)
	address, _ := serve(t, options(t, l))
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		code                     string
	}{
		{"nowhere", "GET", "/v2", "", 404, "not_found"},
		{"wrong method", "GET", "/v1/query", "", 404, "not_found"},
		{"no JSON", "POST", "/v1/query", "select 1", 400, "bad_request"},
		{"an unknown field", "POST", "/v1/query", `{"clinic":"harbour-street","query":"leak_total","sql":"select 1"}`, 400, "bad_request"},
		{"two objects", "POST", "/v1/query", `{"clinic":"harbour-street","query":"leak_total"}{}`, 400, "bad_request"},
		{"no clinic", "POST", "/v1/query", `{"query":"leak_total"}`, 400, "bad_request"},
		{"no such day", "POST", "/v1/query", `{"clinic":"harbour-street","query":"leaks_by_month","from":"2026-02-30"}`, 400, "bad_request"},
		{"too long", "POST", "/v1/query", `{"clinic":"` + strings.Repeat("a", 70<<10) + `"}`, 413, "too_large"},
		{"unknown clinic", "POST", "/v1/query", `{"clinic":"other-clinic","query":"leak_total"}`, 404, "unknown_clinic"},
		{"unknown clinic's freshness", "GET", "/v1/freshness?clinic=other-clinic", "", 404, "unknown_clinic"},
		{"freshness of nobody", "GET", "/v1/freshness", "", 400, "bad_request"},
		{"unknown query", "POST", "/v1/query", `{"clinic":"harbour-street","query":"leaks"}`, 404, "unknown_query"},
		{"a bad parameter", "POST", "/v1/query", `{"clinic":"harbour-street","query":"worst_open_leaks","params":{"limit":-1}}`, 400, "bad_parameter"},
		{"a parameter of another kind", "POST", "/v1/query", `{"clinic":"harbour-street","query":"worst_open_leaks","params":{"limit":[1]}}`, 400, "bad_parameter"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, body := ask(t, test.method, "http://"+address+test.path, test.body)
			var told struct {
				Error string `json:"error"`
				Hint  string `json:"hint"`
				Code  string `json:"code"`
			}
			if err := json.Unmarshal(body, &told); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			if status != test.status || told.Code != test.code || told.Error == "" || told.Hint == "" {
				t.Errorf("got %d %+v, want %d %s", status, told, test.status, test.code)
			}
		})
	}
}

func TestAMissingMartIsSaid(t *testing.T) {
	l := newLake(t)
	delete(l.marts, "cohort_retention")
	address, _ := serve(t, options(t, l))
	status, body := ask(t, http.MethodPost, "http://"+address+"/v1/query", `{"clinic":"harbour-street","query":"cohort_heatmap"}`)
	if status != http.StatusConflict || !bytes.Contains(body, []byte("falloff build")) {
		t.Errorf("got %d %s", status, body)
	}
}

func TestWhatIsThereIsListed(t *testing.T) {
	address, _ := serve(t, options(t, newLake(t)))
	for path, wants := range map[string][]string{
		"/healthz":    {`"status":"ok"`},
		"/v1/clinics": {`"id":"harbour-street"`, `"name":"Harbour Street Physio"`, `"commit":"1"`, `"as_of":"2026-09-30"`},
		"/v1/queries": {`"name":"worst_open_leaks"`, `"allowed":["owed","firm","likely","estimate","all"]`, `"unit":"cents"`, `"time_range":"service days"`},
		"/v1/freshness?clinic=harbour-street": {`"dataset":"claims"`, `"days_behind":2`, `"days_behind":5`, `"as_of":"2026-09-30"`,
			`"committed_at":"2026-10-01T06:30:00Z"`},
	} {
		status, body := ask(t, http.MethodGet, "http://"+address+path, "")
		for _, want := range wants {
			if status != http.StatusOK || !bytes.Contains(body, []byte(want)) {
				t.Errorf("%s: %d, without %s:\n%s", path, status, want, body)
			}
		}
	}
}

func commitOf(t *testing.T, address string) string {
	t.Helper()
	status, body := ask(t, http.MethodPost, "http://"+address+"/v1/query", `{"clinic":"harbour-street","query":"leak_total"}`)
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	reader, err := ipc.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Release()
	metadata := reader.Schema().Metadata()
	commit, _ := metadata.GetValue("falloff.commit")
	return commit
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("it never came that %s", what)
		case <-ticker.C:
		}
	}
}

func TestANewCommitIsServedAndTheOldSnapshotIsClosed(t *testing.T) {
	l := newLake(t)
	address, stop := serve(t, options(t, l))
	for range 3 {
		if got := commitOf(t, address); got != "1" {
			t.Fatalf("answered from commit %s", got)
		}
	}
	if opened, _ := l.count(); opened != 1 {
		t.Errorf("the snapshot was opened %d times", opened)
	}
	l.set(func() { l.heads["harbour-street"] = "2" })
	// The old one answers until the new one is loaded: nobody waits.
	eventually(t, "commit 2 is served and 1 is closed", func() bool {
		_, alive := l.count()
		return commitOf(t, address) == "2" && alive == 1
	})
	l.set(func() { l.heads["harbour-street"], l.openErr = "3", errors.New("the bucket does not answer") })
	if got := commitOf(t, address); got != "2" {
		t.Errorf("answered from commit %s while 3 cannot be opened", got)
	}
	l.set(func() { l.openErr, l.headErr = nil, errors.New("the bucket does not answer") })
	if got := commitOf(t, address); got != "2" {
		t.Errorf("answered from commit %s while the head cannot be read", got)
	}
	l.set(func() { delete(l.heads, "harbour-street") })
	if status, _ := ask(t, http.MethodPost, "http://"+address+"/v1/query", `{"clinic":"harbour-street","query":"leak_total"}`); status != http.StatusNotFound {
		t.Errorf("a deleted clinic answers %d", status)
	}
	if _, alive := l.count(); alive != 0 {
		t.Errorf("%d snapshots of a deleted clinic are open", alive)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestTheHeadIsNotAskedMoreOftenThanSaid(t *testing.T) {
	l := newLake(t)
	var clock struct {
		sync.Mutex
		now time.Time
	}
	clock.now = time.Date(2026, 10, 1, 8, 0, 0, 0, time.UTC)
	o := options(t, l)
	o.HeadEvery = time.Minute
	o.Now = func() time.Time { clock.Lock(); defer clock.Unlock(); return clock.now }
	address, _ := serve(t, o)
	commitOf(t, address)
	l.set(func() { l.heads["harbour-street"] = "2" })
	if got := commitOf(t, address); got != "1" {
		t.Errorf("within the minute it answers from %s", got)
	}
	clock.Lock()
	clock.now = clock.now.Add(time.Minute)
	clock.Unlock()
	eventually(t, "after the minute it answers from 2", func() bool { return commitOf(t, address) == "2" })
}

func TestManyReadersWhileTheHeadMoves(t *testing.T) {
	l := newLake(t)
	address, stop := serve(t, options(t, l))
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for range 10 {
				request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/v1/query",
					strings.NewReader(`{"clinic":"harbour-street","query":"leaks_by_category"}`))
				request.Header.Set("Authorization", "Bearer "+token)
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
				if response.StatusCode != http.StatusOK {
					t.Errorf("status %d", response.StatusCode)
				}
			}
		})
	}
	for commit := range 5 {
		l.set(func() { l.heads["harbour-street"] = fmt.Sprint(commit + 2) })
		commitOf(t, address)
	}
	readers.Wait()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if opened, alive := l.count(); alive != 0 || opened > 6 {
		t.Errorf("%d snapshots were opened for 6 commits, %d are still open", opened, alive)
	}
}

func TestShutdownLetsAQueryFinish(t *testing.T) {
	l := newLake(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	l.inside = sync.OnceFunc(func() { close(entered); <-leave })
	address, stop := serve(t, options(t, l))
	status := make(chan int, 1)
	go func() {
		got, _ := ask(t, http.MethodPost, "http://"+address+"/v1/query", `{"clinic":"harbour-street","query":"leak_total"}`)
		status <- got
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	// The server is shutting down once it takes no connection any more.
	for {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	close(leave)
	if got := <-status; got != http.StatusOK {
		t.Errorf("the query under way ended with %d", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, alive := l.count(); alive != 0 {
		t.Errorf("%d snapshots are open after the shutdown", alive)
	}
}

func TestAQueryThatTakesTooLongIsEnded(t *testing.T) {
	l := newLake(t)
	o := options(t, l)
	o.QueryTimeout = 300 * time.Millisecond
	l.during = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	address, _ := serve(t, o)
	eventually(t, "the snapshot is loaded", func() bool {
		ask(t, http.MethodGet, "http://"+address+"/v1/freshness?clinic=harbour-street", "")
		_, alive := l.count()
		return alive == 1
	})
	status, body := ask(t, http.MethodPost, "http://"+address+"/v1/query", `{"clinic":"harbour-street","query":"leak_total"}`)
	if status != http.StatusGatewayTimeout || !bytes.Contains(body, []byte(`"code":"timeout"`)) {
		t.Errorf("got %d %s", status, body)
	}
}

func TestTheLogHoldsNoTokenAndNoValue(t *testing.T) {
	l := newLake(t)
	var log bytes.Buffer
	o := options(t, l)
	o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	address, stop := serve(t, o)
	ask(t, http.MethodPost, "http://"+address+"/v1/query", `{"clinic":"harbour-street","query":"patient_status_counts","params":{"discipline":"canary-4711"}}`)
	ask(t, http.MethodPost, "http://"+address+"/v1/query", `{"clinic":"harbour-street","query":"worst_open_leaks","params":{"category":"canary-4711"}}`)
	ask(t, http.MethodPost, "http://"+address+"/v1/query", `{"clinic":"canary-4711","query":"canary-4711"}`)
	ask(t, http.MethodGet, "http://"+address+"/canary-4711?canary-4711", "")
	l.set(func() { l.headErr = errors.New("the bucket does not answer") })
	ask(t, http.MethodGet, "http://"+address+"/v1/freshness?clinic=harbour-street&x=canary-4711", "")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	text := log.String()
	if strings.Contains(text, token) || strings.Contains(text, "canary-4711") {
		t.Errorf("the log says too much:\n%s", text)
	}
	if !strings.Contains(text, "path=/v1/query status=200") || !strings.Contains(text, "path=/v1/query status=400") {
		t.Errorf("the log does not tell of the requests:\n%s", text)
	}
}

func TestPlainHTTPIsForLoopback(t *testing.T) {
	s, err := server.New(options(t, newLake(t)))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	err = s.Serve(t.Context(), listener)
	if err == nil || !strings.Contains(err.Error(), "TLS certificate") {
		t.Fatalf("got %v", err)
	}
	if _, err := listener.Accept(); err == nil {
		t.Error("the listener is still open")
	}
}

func TestTLSIsNoOlderThan13(t *testing.T) {
	certFile, keyFile, pool := certificate(t)
	o := options(t, newLake(t))
	o.CertFile, o.KeyFile = certFile, keyFile
	address, _ := serve(t, o)
	for _, test := range []struct {
		name string
		max  uint16
		ok   bool
	}{{"1.3", tls.VersionTLS13, true}, {"1.2", tls.VersionTLS12, false}} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12, MaxVersion: test.max}}
		client := &http.Client{Transport: transport}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := client.Do(request)
		if err == nil {
			_ = response.Body.Close()
		}
		if (err == nil) != test.ok {
			t.Errorf("TLS %s: %v", test.name, err)
		}
		transport.CloseIdleConnections()
	}
}

func TestOptionsThatCannotWork(t *testing.T) {
	whole := options(t, newLake(t))
	for name, spoil := range map[string]func(*server.Options){
		"no snapshots":              func(o *server.Options) { o.Snapshots = nil },
		"no way to identify":        func(o *server.Options) { o.Identify = nil },
		"no policy":                 func(o *server.Options) { o.Policy = nil },
		"no audit log":              func(o *server.Options) { o.Audit = nil },
		"a certificate without key": func(o *server.Options) { o.CertFile = "cert.pem" },
	} {
		o := whole
		spoil(&o)
		if _, err := server.New(o); err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
}
