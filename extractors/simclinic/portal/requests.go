package portal

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// Request is one HTTP request that reached the server, whatever was answered.
type Request struct {
	At        time.Time
	Method    string
	Path      string
	Query     string
	UserAgent string
	// Account is who was signed in, empty for nobody.
	Account string
	// Status is what was answered, 0 while it is being answered or when the connection was dropped.
	Status int
	Nature Nature
}

// Nature says what a request means for a read-only billing clerk.
type Nature string

// The natures. Everything but Ordinary is a trespass.
const (
	// Ordinary is what extraction needs: the app, sign-in, filters, reports, exports, downloads.
	Ordinary Nature = "ordinary"
	// ForbiddenRecord is a page or call that holds contact or clinical records.
	ForbiddenRecord Nature = "forbidden record"
	// Temptation is what the app loads by itself and a clerk does not need: schedule, telemetry, WebSocket.
	Temptation Nature = "temptation"
	// Write is a call that would change the clinic's records.
	Write Nature = "write"
)

var trespassRoutes = []struct {
	prefix string
	nature Nature
}{
	{"/api/patients", ForbiddenRecord},
	{"/admin/patients", ForbiddenRecord},
	{"/api/chart_entries", ForbiddenRecord},
	{"/admin/chart_entries", ForbiddenRecord},
	{"/api/documents", ForbiddenRecord},
	{"/admin/documents", ForbiddenRecord},
	{"/api/schedule", Temptation},
	{"/api/telemetry", Temptation},
	{"/cable", Temptation},
	{"/api/payments", Write},
}

func natureOf(path string) Nature {
	for _, route := range trespassRoutes {
		if strings.HasPrefix(path, route.prefix) {
			return route.nature
		}
	}
	return Ordinary
}

// requestLog remembers every request in the order of arrival.
type requestLog struct {
	mu      sync.Mutex
	entries []Request
}

func (l *requestLog) begin(request Request) (index int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, request)
	return len(l.entries) - 1
}

func (l *requestLog) end(index, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[index].Status = status
}

func (l *requestLog) list(keep func(Request) bool) []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	var kept []Request
	for _, request := range l.entries {
		if keep(request) {
			kept = append(kept, request)
		}
	}
	return kept
}

// Requests lists every request the server received, in order.
func (p *Portal) Requests() []Request {
	return p.requests.list(func(Request) bool { return true })
}

// Trespasses lists the requests that a read-only extractor must never send: forbidden records, temptations, writes.
func (p *Portal) Trespasses() []Request {
	return p.requests.list(func(r Request) bool { return r.Nature != Ordinary })
}

// observe records a request and what was answered, and lets the test's hook and the switched faults act on it first.
func (p *Portal) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := Request{
			At: p.now(), Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, UserAgent: r.UserAgent(),
			Account: p.sessions.accountOf(r), Nature: natureOf(r.URL.Path),
		}
		index := p.requests.begin(request)
		if p.options.BeforeRequest != nil {
			p.options.BeforeRequest(request)
		}
		// The server would tell the machine's time.
		w.Header().Set("Date", p.now().UTC().Format(http.TimeFormat))
		watched := &statusWatcher{ResponseWriter: w}
		if !p.faultAnswers(watched, r) {
			next.ServeHTTP(watched, r)
		}
		if watched.status == 0 {
			watched.status = http.StatusOK
		}
		p.requests.end(index, watched.status)
	})
}

// statusWatcher notes the status on its way out. Unwrap lets the WebSocket take the connection over.
type statusWatcher struct {
	http.ResponseWriter
	status int
}

func (w *statusWatcher) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWatcher) Unwrap() http.ResponseWriter { return w.ResponseWriter }
