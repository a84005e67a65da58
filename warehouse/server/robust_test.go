package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/server"
	"github.com/falloff-analytics/falloff/warehouse/server/servertest"
)

// answered is what came of one request.
type answered struct {
	status int
	header http.Header
	body   []byte
	err    error
}

// panel asks as a panel of a dashboard does; it may be called beside the test.
func panel(ctx context.Context, address, body string) answered {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/v1/query", strings.NewReader(body))
	if err != nil {
		return answered{err: err}
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answered{err: err}
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	return answered{response.StatusCode, response.Header, content, err}
}

// worst is a panel whose answer differs with n.
func worst(n int) string {
	return fmt.Sprintf(`{"clinic":"harbour-street","query":"worst_open_leaks","params":{"limit":%d}}`, n)
}

// gauge reads one figure of the server's telemetry.
func gauge(t *testing.T, address, name string) float64 {
	t.Helper()
	status, body := ask(t, http.MethodGet, "http://"+address+"/metrics", "")
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindSubmatch(body)
	if status != http.StatusOK || found == nil {
		return 0
	}
	value, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestTwoHundredPanelsAtOnceAreAnsweredRightly(t *testing.T) {
	const different, all = 20, 200
	l := newLake(t)
	var ran atomic.Int64
	gate := make(chan struct{})
	l.inside = func() { ran.Add(1); <-gate }
	address, _ := serve(t, options(t, l))
	answers := make(chan answered, all)
	of := make([]chan answered, different)
	for i := range of {
		of[i] = make(chan answered, all)
	}
	for i := range all {
		go func() {
			got := panel(t.Context(), address, worst(1+i%different))
			of[i%different] <- got
			answers <- got
		}()
	}
	// They are all there before the first is answered.
	eventually(t, "every different question waits", func() bool { return gauge(t, address, "falloff_questions_open") == different })
	close(gate)
	for range all {
		if got := <-answers; got.err != nil || got.status != http.StatusOK {
			t.Fatalf("status %d, %v: %s", got.status, got.err, got.body)
		}
	}
	for i := range of {
		first := <-of[i]
		for range all/different - 1 {
			if next := <-of[i]; !bytes.Equal(next.body, first.body) {
				t.Errorf("limit %d is answered in two ways", 1+i)
			}
		}
		if alone := panel(t.Context(), address, worst(1+i)); !bytes.Equal(alone.body, first.body) {
			t.Errorf("limit %d is answered otherwise when it is asked alone", 1+i)
		}
	}
	if ran.Load() != different {
		t.Errorf("%d questions were computed, and %d are different", ran.Load(), different)
	}
}

func TestWhatIsTooMuchIsRefusedInWords(t *testing.T) {
	l := newLake(t)
	gate := make(chan struct{})
	l.inside = func() { <-gate }
	o := options(t, l)
	o.Parallel, o.Waiting = 1, 2
	address, _ := serve(t, o)
	const all, room = 200, 3
	answers := make(chan answered, all)
	for i := range all {
		go func() { answers <- panel(t.Context(), address, worst(1+i)) }()
	}
	for range all - room {
		got := <-answers
		if got.err != nil || got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || !bytes.Contains(got.body, []byte(`"code":"busy"`)) ||
			!bytes.Contains(got.body, []byte("ask again")) {
			t.Fatalf("status %d, %v, %v: %s", got.status, got.err, got.header, got.body)
		}
	}
	close(gate)
	for range room {
		if got := <-answers; got.status != http.StatusOK {
			t.Errorf("what had room is answered %d: %s", got.status, got.body)
		}
	}
	if got := panel(t.Context(), address, worst(500)); got.status != http.StatusOK {
		t.Errorf("afterwards it answers %d: %s", got.status, got.body)
	}
}

func TestWhoWaitsTooLongForATurnIsToldToAskAgain(t *testing.T) {
	l := newLake(t)
	gate := make(chan struct{})
	defer close(gate)
	o := options(t, l)
	o.Parallel, o.QueryTimeout = 1, 500*time.Millisecond
	address, _ := serve(t, o)
	eventually(t, "it answers", func() bool { return panel(t.Context(), address, worst(1)).status == http.StatusOK })
	entered := make(chan struct{}, 2)
	l.set(func() { l.inside = func() { entered <- struct{}{}; <-gate } })
	go panel(t.Context(), address, worst(2))
	<-entered
	if got := panel(t.Context(), address, worst(3)); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
		t.Errorf("status %d: %s", got.status, got.body)
	}
}

// manyBytes answers every statement with more than sockets hold.
type manyBytes struct{}

func (manyBytes) Run(context.Context, string, []string, string) (server.SQLAnswer, error) {
	return server.SQLAnswer{IPC: make([]byte, 48<<20), Rows: 1, Snapshot: "1"}, nil
}

func TestASlowReaderHoldsNothingForEver(t *testing.T) {
	o := options(t, newLake(t))
	o.SQL, o.SendTimeout, o.SendBytes = manyBytes{}, 300*time.Millisecond, 64<<20
	address, _ := serve(t, o)
	const statement = `{"clinic":"harbour-street","sql":"select 1"}`
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "POST /v1/sql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", token, len(statement), statement); err != nil {
		t.Fatal(err)
	}
	// Who reads a byte now and then holds the answer, and nothing that others wait for.
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if got := panel(t.Context(), address, worst(1)); got.status != http.StatusOK {
		t.Errorf("beside a slow reader it answers %d", got.status)
	}
	if status, body := ask(t, http.MethodPost, "http://"+address+"/v1/sql", statement); status != http.StatusServiceUnavailable && gauge(t, address, "falloff_unsent_total") == 0 {
		t.Errorf("a second answer that does not fit beside the first is answered %d, %d bytes", status, len(body))
	}
	eventually(t, "the slow reader is cut off", func() bool { return gauge(t, address, "falloff_unsent_total") == 1 })
	if rest, err := io.Copy(io.Discard, conn); err == nil && rest >= 48<<20 {
		t.Error("the slow reader got it all")
	}
	if status, body := ask(t, http.MethodPost, "http://"+address+"/v1/sql", statement); status != http.StatusOK || len(body) != 48<<20 {
		t.Errorf("afterwards it answers %d, %d bytes", status, len(body))
	}
}

func TestWhatNobodyWaitsForIsEnded(t *testing.T) {
	l := newLake(t)
	o := options(t, l)
	log := &servertest.Log{}
	o.Audit = log
	address, _ := serve(t, o)
	commitOf(t, address)
	entered, ended := make(chan struct{}, 1), make(chan error, 1)
	l.set(func() {
		l.during = func(ctx context.Context) error {
			entered <- struct{}{}
			<-ctx.Done()
			ended <- ctx.Err()
			return ctx.Err()
		}
	})
	// Two ask the same: the work goes on when one of them leaves, and ends with the other.
	first, leaveFirst := context.WithCancel(t.Context())
	second, leaveSecond := context.WithCancel(t.Context())
	gone := make(chan answered, 2)
	go func() { gone <- panel(first, address, worst(1)) }()
	<-entered
	go func() { gone <- panel(second, address, worst(1)) }()
	waiting := func(n int) func() bool {
		return func() bool {
			refused := slices.DeleteFunc(log.Events(), func(e server.Event) bool { return e.Refused != "cancelled" })
			return len(refused) == n
		}
	}
	eventually(t, "the second has joined", func() bool { return gauge(t, address, `falloff_answers_total{kept="false"}`) == 3 })
	leaveFirst()
	<-gone
	eventually(t, "the first is on record as given up", waiting(1))
	select {
	case err := <-ended:
		t.Fatalf("it ended with somebody waiting: %v", err)
	default:
	}
	leaveSecond()
	<-gone
	<-ended
	eventually(t, "the second is on record as given up", waiting(2))
	eventually(t, "its turn is free", func() bool { return gauge(t, address, "falloff_questions_open") == 0 })
	// A request is counted when its handler has ended, which is after its record.
	eventually(t, "both are counted as given up", func() bool {
		return gauge(t, address, `falloff_requests_total{route="/v1/query",status="499"}`) == 2
	})
	l.set(func() { l.during = nil })
	if got := panel(t.Context(), address, worst(1)); got.status != http.StatusOK {
		t.Errorf("afterwards it answers %d: %s", got.status, got.body)
	}
}

func TestWhoJoinsIsAnsweredWhenTheFirstHasGone(t *testing.T) {
	l := newLake(t)
	address, _ := serve(t, options(t, l))
	commitOf(t, address)
	entered, gate := make(chan struct{}, 1), make(chan struct{})
	l.set(func() { l.inside = func() { entered <- struct{}{}; <-gate } })
	first, leave := context.WithCancel(t.Context())
	gone, stayed := make(chan answered, 1), make(chan answered, 1)
	go func() { gone <- panel(first, address, worst(1)) }()
	<-entered
	go func() { stayed <- panel(t.Context(), address, worst(1)) }()
	eventually(t, "the second has joined", func() bool { return gauge(t, address, `falloff_answers_total{kept="false"}`) == 3 })
	leave()
	<-gone
	// The snapshot that the first opened is let go of by everybody, and goes on answering who stayed.
	l.set(func() { l.heads["harbour-street"] = "2" })
	eventually(t, "the newer snapshot is loaded", func() bool {
		ask(t, http.MethodGet, "http://"+address+"/v1/freshness?clinic=harbour-street", "")
		opened, _ := l.count()
		return opened == 2
	})
	close(gate)
	if got := <-stayed; got.status != http.StatusOK || got.header.Get("X-Falloff-Snapshot") != "1" {
		t.Errorf("who stayed is answered %d from %s: %s", got.status, got.header.Get("X-Falloff-Snapshot"), got.body)
	}
}

func TestAQuestionThatNeedsTooMuchMemoryIsToldSo(t *testing.T) {
	l := newLake(t)
	address, _ := serve(t, options(t, l))
	l.during = func(context.Context) error {
		return fmt.Errorf("asking: %w", &query.TooMuchMemoryError{Name: "worst_open_leaks"})
	}
	if got := panel(t.Context(), address, worst(1)); got.status != http.StatusUnprocessableEntity || !bytes.Contains(got.body, []byte("too_much_memory")) {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	l.set(func() { l.during = nil })
	if got := panel(t.Context(), address, worst(1)); got.status != http.StatusOK {
		t.Errorf("afterwards it answers %d: %s", got.status, got.body)
	}
}

func TestADatabaseThatCameToAnEndIsLoadedAgain(t *testing.T) {
	l := newLake(t)
	address, _ := serve(t, options(t, l))
	commitOf(t, address)
	l.set(func() { l.broken = true })
	if got := panel(t.Context(), address, worst(1)); got.status != http.StatusOK {
		t.Errorf("status %d: %s", got.status, got.body)
	}
	if opened, alive := l.count(); opened != 2 || alive != 1 {
		t.Errorf("opened %d times, %d open", opened, alive)
	}
}

func TestASnapshotThatLoadsForLongIsThereInTheEnd(t *testing.T) {
	l := newLake(t)
	gate := make(chan struct{})
	l.opening = func() { <-gate }
	o := options(t, l)
	o.QueryTimeout = 200 * time.Millisecond
	address, _ := serve(t, o)
	for range 2 {
		got := panel(t.Context(), address, worst(1))
		if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || !bytes.Contains(got.body, []byte(`"code":"loading"`)) {
			t.Fatalf("status %d: %s", got.status, got.body)
		}
	}
	close(gate)
	eventually(t, "it answers", func() bool { return panel(t.Context(), address, worst(1)).status == http.StatusOK })
	if opened, _ := l.count(); opened != 1 {
		t.Errorf("the snapshot was loaded %d times", opened)
	}
}

func TestNoMoreViewsAreLoadedThanMayBe(t *testing.T) {
	l := newLake(t)
	o := options(t, l)
	o.Views = 2
	address, _ := serve(t, o)
	var readers sync.WaitGroup
	for _, person := range []string{token, access.Practitioner, servertest.Figures, token} {
		readers.Wait()
		readers.Go(func() { askAs(t, person, http.MethodGet, "http://"+address+"/v1/freshness?clinic=harbour-street", "") })
	}
	readers.Wait()
	opened, alive := l.count()
	if alive > 2 || opened < 4 {
		t.Errorf("%d views are loaded of %d that were", alive, opened)
	}
	if got := panel(t.Context(), address, worst(1)); got.status != http.StatusOK {
		t.Errorf("status %d: %s", got.status, got.body)
	}
}
