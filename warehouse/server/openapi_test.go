package server_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/server"
)

// The description is held to what the server does: every answer of every request is of a form that it says.
func TestTheDescriptionSaysWhatTheServerDoes(t *testing.T) {
	document, err := openapi3.NewLoader().LoadFromData(server.Description)
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	o := options(t, newLake(t))
	o, _ = withDesks(o)
	o.SQL = &statements{}
	address, _ := serve(t, o)
	document.Servers = openapi3.Servers{{URL: "http://" + address}}
	router, err := gorillamux.NewRouter(document)
	if err != nil {
		t.Fatal(err)
	}
	openapi3filter.RegisterBodyDecoder("application/vnd.apache.arrow.stream", openapi3filter.FileBodyDecoder)
	asked := map[string]bool{}
	for _, request := range []struct{ method, path, body string }{
		{"GET", "/healthz", ""},
		{"GET", "/readyz", ""},
		{"GET", "/openapi.json", ""},
		{"GET", "/v1/me", ""},
		{"GET", "/v1/clinics", ""},
		{"GET", "/v1/queries", ""},
		{"GET", "/v1/queries?clinic=harbour-street", ""},
		{"GET", "/v1/metrics", ""},
		{"GET", "/v1/metrics?clinic=harbour-street", ""},
		{"GET", "/v1/metrics/values?clinic=harbour-street&metric=show_rate&dimension=staff_member", ""},
		{"GET", "/v1/metrics/values?clinic=harbour-street&metric=nothing&dimension=staff_member", ""},
		{"POST", "/v1/metric", `{"clinic":"harbour-street","metric":"show_rate","by":["staff_member"],"filters":[{"dimension":"staff_member","values":["Robin Mercer"]}]}`},
		{"POST", "/v1/metric", `{"clinic":"harbour-street","metric":"leaked_revenue","grain":"month","from":"2026-08-01"}`},
		{"POST", "/v1/metric", `{"clinic":"harbour-street","metric":"leaked_revenue","by":["patient"]}`},
		{"POST", "/v1/metric", `{"clinic":"harbour-street","metric":"nothing"}`},
		{"POST", "/v1/metric/sql", `{"clinic":"harbour-street","metric":"show_rate","by":["staff_member"]}`},
		{"GET", "/v1/tables?clinic=harbour-street", ""},
		{"GET", "/v1/freshness?clinic=harbour-street", ""},
		{"GET", "/v1/freshness", ""},
		{"POST", "/v1/query", `{"clinic":"harbour-street","query":"leak_total"}`},
		{"POST", "/v1/query", `{"clinic":"harbour-street","query":"leaks_by_month","params":{"split":"all"},"from":"2026-01-01"}`},
		{"POST", "/v1/query", `{"clinic":"harbour-street","query":"nothing"}`},
		{"POST", "/v1/query", `{"clinic":"nowhere","query":"leak_total"}`},
		{"POST", "/v1/sql", `{"clinic":"harbour-street","sql":"select 1"}`},
		{"POST", "/v1/sql", `{"clinic":"harbour-street","sql":"drop table marts.leak_ledger"}`},
		{"POST", "/v1/sql", `{"clinic":"harbour-street"}`},
		{"POST", "/v1/leaks", `{"clinic":"harbour-street","steps":[{"leak_id":"a/1","state":"assigned","assignee":"kim"}]}`},
		{"POST", "/v1/leaks", `{"clinic":"harbour-street","steps":[{"leak_id":"a/1","state":"recovered"}]}`},
		{"GET", "/v1/leaks/history?clinic=harbour-street&leak=a/1", ""},
		{"GET", "/v1/leaks/history?clinic=harbour-street&leak=b/1", ""},
		{"GET", "/v1/leaks/history?clinic=harbour-street&leak=", ""},
		{"GET", "/v1/audit?clinic=harbour-street&limit=10", ""},
		{"GET", "/v1/audit", ""},
		{"GET", "/v1/events?clinic=harbour-street&from=2026-01-01&kinds=sync,price", ""},
		{"GET", "/v1/events?clinic=harbour-street&kinds=rumour", ""},
		{"GET", "/v1/support?clinic=harbour-street", ""},
		{"POST", "/v1/support", `{"clinic":"harbour-street","login":"sam","reason":"ticket/1","minutes":60}`},
		{"POST", "/v1/support/end", `{"clinic":"harbour-street","session":"s"}`},
		{"GET", "/v1/settings?clinic=harbour-street", ""},
		{"POST", "/v1/settings", `{"clinic":"harbour-street","quiet_hours":"08:00-18:00"}`},
		{"POST", "/v1/settings", `{"clinic":"harbour-street","identity_mode":"recovery"}`},
		{"POST", "/v1/identities/reveal", `{"clinic":"harbour-street","patient":"p1_aaa"}`},
		{"GET", "/metrics", ""},
	} {
		for _, person := range []string{"everywhere", access.Practitioner, "nobody", "stranger"} {
			r, err := http.NewRequestWithContext(t.Context(), request.method, "http://"+address+request.path, strings.NewReader(request.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+person)
			if request.body != "" {
				r.Header.Set("Content-Type", "application/json")
			}
			route, params, err := router.FindRoute(r)
			if err != nil {
				t.Errorf("%s %s is not described: %v", request.method, request.path, err)
				continue
			}
			asked[request.method+" "+route.Path] = true
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			if err := openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
				RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
				Status:                 response.StatusCode, Header: response.Header, Body: io.NopCloser(bytes.NewReader(body)),
				Options: &openapi3filter.Options{IncludeResponseStatus: true},
			}); err != nil {
				t.Errorf("%s asks %s %s: %d is not as described: %v", person, request.method, request.path, response.StatusCode, err)
			}
		}
	}
	for path, item := range document.Paths.Map() {
		for method := range item.Operations() {
			if !asked[method+" "+path] {
				t.Errorf("%s %s is described and not asked here", method, path)
			}
		}
	}
	// And what the server takes is described.
	for _, route := range server.Routes() {
		if !asked[route] {
			t.Errorf("%s is taken and not described", route)
		}
	}
}
