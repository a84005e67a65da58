package server

import (
	"net/http"

	"github.com/falloff-analytics/falloff/warehouse/access"
)

// endpoints are the requests that the server takes of people. What anybody may ask is in Handler.
func (s *Server) endpoints() []endpoint {
	return []endpoint{
		{method: "GET", path: "/v1/me", answer: (*visit).me},
		{method: "GET", path: "/v1/clinics", answer: (*visit).listClinics},
		{method: "GET", path: "/v1/queries", answer: (*visit).listQueries},
		{method: "GET", path: "/v1/metrics", answer: (*visit).listMetrics},
		{method: "GET", path: "/v1/metrics/values", answer: (*visit).metricValues},
		{method: "POST", path: "/v1/metric", kind: Question, answer: (*visit).metric},
		{method: "POST", path: "/v1/metric/sql", answer: (*visit).metricSQL},
		{method: "GET", path: "/v1/tables", answer: (*visit).listTables},
		{method: "GET", path: "/v1/freshness", needs: access.FreshnessView, answer: (*visit).freshness},
		{method: "GET", path: "/v1/events", needs: access.FreshnessView, answer: (*visit).listEvents},
		{method: "POST", path: "/v1/query", kind: Question, answer: (*visit).query},
		{method: "POST", path: "/v1/sql", kind: Statement, answer: (*visit).sql},
		{method: "GET", path: "/v1/leaks/history", answer: (*visit).leakHistory},
		{method: "POST", path: "/v1/leaks", answer: (*visit).sayLeaks},
		{method: "GET", path: "/v1/audit", answer: (*visit).searchAudit},
		{method: "GET", path: "/v1/support", answer: (*visit).listSupport},
		{method: "POST", path: "/v1/support", answer: (*visit).grantSupport},
		{method: "POST", path: "/v1/support/end", answer: (*visit).endSupport},
		{method: "GET", path: "/v1/settings", answer: (*visit).showSettings},
		{method: "POST", path: "/v1/settings", answer: (*visit).changeSettings},
		{method: "POST", path: "/v1/identities/reveal", answer: (*visit).reveal},
		{method: "GET", path: "/metrics", needs: access.ServerView, lakeWide: true, answer: (*visit).telemetry},
	}
}

// Routes lists the requests that need a name, as method and path.
func Routes() []string {
	var routes []string
	for _, e := range (&Server{}).endpoints() {
		routes = append(routes, e.method+" "+e.path)
	}
	return routes
}

// Handler is the server's handler alone, for a caller that brings its own listener and loopback.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, e := range s.endpoints() {
		mux.Handle(e.method+" "+e.path, s.measured(e.path, s.door(e)))
	}
	mux.Handle("/", s.measured("other", s.door(endpoint{kind: Other, path: "other", answer: func(*visit) (*reply, error) {
		return nil, &refusal{http.StatusNotFound, codeNotFound, "there is nothing at this address, or not for this method", "GET /openapi.json says what there is"}
	}})))
	// What says nothing of anybody needs no name.
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("GET /openapi.json", describe)
	return s.logged(mux)
}

// ready says whether the lake answers and the audit log takes records.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if _, err := s.options.Snapshots.Clinics(r.Context()); err != nil {
		s.log.Warn("not ready", "error", err)
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "the lake does not answer"})
		return
	}
	if s.options.Policy() == nil {
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "there is no access policy"})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}
