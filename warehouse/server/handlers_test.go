package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/query"
)

// Whatever comes as a body is either a whole request or a refusal with a hint, and never more than was allowed.
func FuzzReadQuery(f *testing.F) {
	for _, seed := range []string{
		`{"clinic":"a","query":"leak_total","params":{"limit":5},"from":"2026-01-01","to":"2026-09-30T10:00:00Z"}`,
		`{"clinic":"a","query":"b","params":null}`, `{"clinic":1}`, `[]`, `{`, ``, `null`, `{"clinic":"a","query":"b"} x`,
		`{"clinic":"a","query":"b","from":"99999-01-01"}`, `{"clinic":"a","query":"b","params":{"a":1e999}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		clinic, request, err := readQuery(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/v1/query", strings.NewReader(body)))
		if err != nil {
			if told := refusalOf(err); told.status < 400 || told.status >= 500 || told.Hint == "" {
				t.Errorf("refused with %d and no hint: %v", told.status, err)
			}
			return
		}
		if clinic == "" || request.Query == "" {
			t.Errorf("taken without clinic or query: %q", body)
		}
		if d, ok := query.Lookup(request.Query); ok {
			if bound, err := d.Bind(request.Params); err == nil && len(bound) != len(d.Parameters) {
				t.Errorf("bound %v", bound)
			}
		}
	})
}
