package jane_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/extractors/jane"
)

// TestOverriddenProfile lays parts of a profile over the program's, those that it may take and those that would guard
// less.
func TestOverriddenProfile(t *testing.T) {
	for _, test := range []struct{ name, yaml, says string }{
		{"nothing", "", ""},
		{"a selector", `screen: {apply: "#go"}`, ""},
		{"a report's route", `reports: [{name: sales, dataset: invoice_lines, route: "#reports/takings", period: window}]`, ""},
		{"a request's address", `requests: [{purpose: read the filters, method: GET, path: /api/v2/filters}]`, ""},
		{"one more word that is forbidden", `forbidden: [patients, chart_entries, documents, treatment_plans, payments, letters]`, ""},
		{"an unknown key", `screens: {}`, "screens"},
		{"less forbidden", `forbidden: [patients]`, "chart_entries must stay forbidden"},
		{"a forbidden address", `requests: [{purpose: peek, method: GET, path: /api/patients/list}]`, "forbidden"},
		{"a forbidden route", `reports: [{name: sales, dataset: invoice_lines, route: "#patients/list", period: window}]`, "forbidden"},
		{"another host", `requests: [{purpose: peek, method: GET, path: //files.example.test/x}]`, "neither a plain segment"},
		{"any query", `requests: [{purpose: read the filters, method: GET, path: /api/filters, query: ["*"]}]`, "keys of its query"},
		{"a new write", `requests: [{purpose: pay, method: POST, path: /api/money, stage: export, body: {amount: []}}]`, "does not know"},
		{"a write at any stage", `requests: [{purpose: set the filters, method: PUT, path: /api/filters, stage: account, body: {from: []}}]`, "stage and its limit"},
		{"more fields", `requests: [{purpose: sign in, method: POST, path: /api/session, stage: sign in, limit: 1, body: {username: [], password: [], note: []}}]`, "2 fields"},
		{"free values", `requests: [{purpose: set the filters, method: PUT, path: /api/filters, stage: filter, body: {from: [], to: [], location: [], staff: [""]}}]`, "list the values"},
		{"a forbidden export", `requests: [{purpose: start an export, method: POST, path: /api/exports, stage: export, body: {report: [patients], format: [csv]}}]`, "asks for what is forbidden"},
		{"a level too high", `access: {levels: {fitting: ["Account Owner"]}}`, "cannot become fitting"},
		{"charts allowed", `access: {toggles: [{name: Access Charts, selector: "[data-field=access-charts]", must: "On", otherwise: permission_excessive}]}`, "demanded as before"},
		{"an element left out", `contract: {screens: {export: [{name: x, selector: x}, {element: export.link}]}}`, ""},
		{"no language", `contract: {languages: []}`, "languages"},
	} {
		_, err := jane.OverriddenProfile([]byte(test.yaml))
		if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.says)
		}
	}
	profile, err := jane.OverriddenProfile([]byte(`screen: {apply: "#go"}`))
	if err != nil {
		t.Fatal(err)
	}
	changes, err := profile.Changes()
	if err != nil || !slices.Equal(changes, []jane.Change{{Key: "screen.apply", Was: "[data-role=apply]", Is: "#go"}}) {
		t.Errorf("changes %+v, %v", changes, err)
	}
}
