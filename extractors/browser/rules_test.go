package browser

import (
	"strings"
	"testing"
)

var someRules = []Rule{
	{Purpose: "open the application", Method: "GET", Path: "/admin"},
	{Purpose: "load the script", Method: "GET", Path: "/assets/app.js", Query: []string{"v"}},
	{Purpose: "sign in", Method: "POST", Path: "/api/session", Stage: "sign in", Body: map[string][]string{"username": nil, "password": nil}},
	{Purpose: "sign out", Method: "DELETE", Path: "/api/session"},
	{Purpose: "read sales", Method: "GET", Path: "/api/reports/sales", Query: []string{"page"}},
	{Purpose: "start an export", Method: "POST", Path: "/api/exports", Body: map[string][]string{"report": {"sales", "claims"}, "format": {"csv"}, "options.zip": {"true"}}},
	{Purpose: "wait for an export", Method: "GET", Path: "/downloads/:id/status"},
	{Purpose: "download an export", Method: "GET", Path: "/downloads/:file"},
	{Purpose: "search", Method: "GET", Path: "/search", Query: []string{"*"}},
}

func TestPolicy(t *testing.T) {
	const portal = "https://clinic.janeapp.com"
	p, err := newPolicy(Config{Origin: mustOrigin(t, portal), Rules: someRules})
	if err != nil {
		t.Fatal(err)
	}
	const (
		form     = "application/x-www-form-urlencoded"
		jsonType = "application/json; charset=utf-8"
	)
	for _, test := range []struct {
		method, url, contentType, body, stage string
		want                                  Reason
	}{
		{"GET", portal + "/admin", "", "", "", ""},
		{"GET", "https://CLINIC.janeapp.com:443/admin#reports/sales", "", "", "", ""},
		{"GET", "http://clinic.janeapp.com/admin", "", "", "", otherHost},
		{"GET", "https://clinic.janeapp.com:8443/admin", "", "", "", otherHost},
		{"GET", "https://clinic.janeapp.com.evil.example/admin", "", "", "", otherHost},
		{"GET", "https://clinic.janeapp.com@evil.example/admin", "", "", "", otherHost},
		{"GET", "https://user@clinic.janeapp.com/admin", "", "", "", malformed},
		{"GET", "file:///etc/passwd", "", "", "", otherScheme},
		{"GET", "ws://clinic.janeapp.com/admin", "", "", "", otherScheme},
		{"GET", "https://clinic.janeapp.com/%zz", "", "", "", malformed},
		{"HEAD", portal + "/admin", "", "", "", noMethod},
		{"POST", portal + "/admin", "", "", "", noMethod},
		{"get", portal + "/admin", "", "", "", noMethod},
		{"GET", portal + "/admin", jsonType, "{}", "", bodyField},

		{"GET", portal + "/admin/", "", "", "", noRule},
		{"GET", portal + "//admin", "", "", "", noRule},
		{"GET", portal + "/", "", "", "", noRule},
		{"GET", portal + "/admin/patients/1", "", "", "", noRule},
		{"GET", portal + "/downloads/../admin", "", "", "", noRule},
		{"GET", portal + "/downloads/%2e%2e%2fadmin", "", "", "", noRule},
		{"GET", portal + `/downloads\admin`, "", "", "", noRule},
		{"GET", portal + "/admin;x=1", "", "", "", malformed},

		{"GET", portal + "/assets/app.js?v=12", "", "", "", ""},
		{"GET", portal + "/assets/app.js?v=12&user=3", "", "", "", queryKey},
		{"GET", portal + "/admin?x", "", "", "", queryKey},
		{"GET", portal + "/search?anything=1&more=2", "", "", "", ""},

		{"GET", portal + "/downloads/abc_DEF-123/status", "", "", "", ""},
		{"GET", portal + "/downloads/a.b/status", "", "", "", noRule},
		{"GET", portal + "/downloads/harbour_sales_20260101_20260331.csv", "", "", "", ""},
		{"GET", portal + "/downloads/a.b.xlsx", "", "", "", ""},
		{"GET", portal + "/downloads/a.pdf", "", "", "", noRule},
		{"GET", portal + "/downloads/.csv", "", "", "", noRule},
		{"GET", portal + "/downloads/chart%20notes.csv", "", "", "", noRule},

		{"POST", portal + "/api/session", jsonType, `{"username": "a", "password": "b"}`, "sign in", ""},
		{"POST", portal + "/api/session", jsonType, `{"username": "a", "password": "b"}`, "", notNow},
		{"POST", portal + "/api/session", form, `username=a&password=b`, "sign in", ""},
		{"POST", portal + "/api/session", form, `username=a&password=b&role=owner`, "sign in", bodyField},
		{"POST", portal + "/api/session", "text/plain", `{"username": "a"}`, "sign in", bodyUnreadable},
		{"POST", portal + "/api/session", "", `{"username": "a"}`, "sign in", bodyUnreadable},
		{"POST", portal + "/api/session", "multipart/form-data; boundary=x", "--x--", "sign in", bodyUnreadable},
		{"POST", portal + "/api/session", jsonType, `[{"username": "a"}]`, "sign in", bodyUnreadable},
		{"POST", portal + "/api/session", jsonType, `{"username": "a"`, "sign in", bodyUnreadable},
		{"POST", portal + "/api/session", jsonType, `{"username": "a"} {"role": "owner"}`, "sign in", bodyUnreadable},
		{"POST", portal + "/api/session", jsonType, `{"username": "a", "username": "b"}`, "sign in", bodyUnreadable},
		{"POST", portal + "/api/session", jsonType, `{"username": {"is": "nested"}}`, "sign in", bodyField},
		{"DELETE", portal + "/api/session", "", "", "", ""},
		{"DELETE", portal + "/api/session", jsonType, `{"account": 7}`, "", bodyField},

		{"POST", portal + "/api/exports", jsonType, `{"report": "sales", "format": "csv"}`, "", ""},
		{"POST", portal + "/api/exports", jsonType, `{"report": "patients_list", "format": "csv"}`, "", bodyField},
		{"POST", portal + "/api/exports", jsonType, `{"report": ["sales", "patients_list"], "format": "csv"}`, "", bodyField},
		{"POST", portal + "/api/exports", jsonType, `{"report": null}`, "", bodyField},
		{"POST", portal + "/api/exports", jsonType, `{"options": {"zip": true}}`, "", ""},
		{"POST", portal + "/api/exports", jsonType, `{"options": {"zip": false}}`, "", bodyField},
		{"POST", portal + "/api/exports", jsonType, `{"options": {"mail": "x@example.test"}}`, "", bodyField},
		{"POST", portal + "/api/exports", jsonType, strings.Repeat(`{"options":`, 5000), "", bodyUnreadable},
		{"POST", portal + "/api/exports", jsonType, `{"report":` + strings.Repeat(`[`, 5000), "", bodyUnreadable},
		{"PATCH", portal + "/api/exports", jsonType, `{}`, "", noMethod},
	} {
		r := request{method: test.method, url: test.url, contentType: test.contentType, body: []byte(test.body), hasBody: test.body != ""}
		rule, got := p.check(r, test.stage)
		if got != test.want || (rule == nil) != (got != "") {
			t.Errorf("%s %.80s %.80s in stage %q: %q, want %q", test.method, test.url, test.body, test.stage, got, test.want)
		}
	}
	// A body that the browser says is there but does not show is not an empty one.
	if _, got := p.check(request{method: "POST", url: portal + "/api/exports", hasBody: true}, ""); got != bodyUnreadable {
		t.Errorf("a hidden body: %q", got)
	}
}

func TestShapesNameNobody(t *testing.T) {
	p, err := newPolicy(Config{Origin: mustOrigin(t, "https://clinic.janeapp.com"), Rules: someRules, Words: []string{"patients", "photo"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ url, host, path string }{
		{"https://clinic.janeapp.com/admin", "portal", "/admin"},
		{"https://clinic.janeapp.com/", "portal", "/"},
		{"https://clinic.janeapp.com/patients/4711/photo?name=Mary", "portal", "/patients/:id/photo"},
		{"https://clinic.janeapp.com/patients/mary-smith", "portal", "/patients/:word"},
		{"https://clinic.janeapp.com/downloads/mary.csv", "portal", "/downloads/:file"},
		{"wss://clinic.janeapp.com/cable", "portal", "/:word"},
		{"https://mary-smith.tracker.example.co.uk/pixel/555-0100", "*.example.co.uk", "/:word/:id"},
		{"https://example.co.uk/x", "example.co.uk", "/:word"},
		{"http://192.0.2.7:8080/x", "192.0.2.7", "/:word"},
		{"mailto:mary@example.test", "mailto:", ""},
		{"mary-smith:x", "other:", ""},
		{"https://[::1", "?", "?"},
	} {
		if host, path := p.shape(test.url); host != test.host || path != test.path {
			t.Errorf("%s is shown as %s %s, want %s %s", test.url, host, path, test.host, test.path)
		}
	}
}

func TestCheckRules(t *testing.T) {
	if err := CheckRules(someRules, nil); err != nil {
		t.Error(err)
	}
	for _, test := range []struct {
		rule Rule
		text string
	}{
		{Rule{Method: "GET", Path: "/x"}, "no purpose"},
		{Rule{Purpose: "p", Method: "CONNECT", Path: "/x"}, "CONNECT"},
		{Rule{Purpose: "p", Method: "GET", Path: "x"}, "start with /"},
		{Rule{Purpose: "p", Method: "GET", Path: "/a/*"}, `"*"`},
		{Rule{Purpose: "p", Method: "GET", Path: "/a/"}, `""`},
		{Rule{Purpose: "p", Method: "GET", Path: "/a/:anything"}, ":anything"},
		{Rule{Purpose: "p", Method: "GET", Path: "/../x"}, `".."`},
		{Rule{Purpose: "p", Method: "GET", Path: "/x", Body: map[string][]string{"a": nil}}, "no body"},
		{Rule{Purpose: "p", Method: "POST", Path: "/x", Capture: true}, "captured"},
		{Rule{Purpose: "p", Method: "POST", Path: "/x", Limit: -1}, "negative"},
		{Rule{Purpose: "p", Method: "GET", Path: "/x", Access: "looked"}, "looked"},
		{Rule{Purpose: "p", Method: "GET", Path: "/x", Subject: "sales"}, "no access"},
		{Rule{Purpose: "p", Method: "GET", Path: "/x", Access: "ran", Subject: "Mary Smith"}, "Mary Smith"},
		{Rule{Purpose: "p", Method: "POST", Path: "/x", Access: "exported", Subject: "{report}"}, "{report}"},
		{Rule{Purpose: "p", Method: "POST", Path: "/x", Access: "exported", Subject: "{report}", Body: map[string][]string{"report": nil}}, "listed"},
	} {
		err := CheckRules([]Rule{test.rule}, nil)
		if err == nil || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%+v: %v, want an error that names %s", test.rule, err, test.text)
		}
	}
}

func TestCheckTolerated(t *testing.T) {
	rules := []Rule{{Purpose: "p", Method: "POST", Path: "/api/exports"}}
	if err := CheckRules(rules, []Tolerated{{Why: "beacon", Method: "POST", Path: "/api/telemetry/:id"}}); err != nil {
		t.Error(err)
	}
	for _, test := range []struct {
		tolerated Tolerated
		text      string
	}{
		{Tolerated{Method: "POST", Path: "/x"}, "why"},
		{Tolerated{Why: "w", Method: "GET", Path: "/x"}, "GET"},
		{Tolerated{Why: "w", Method: "BREW", Path: "/x"}, "BREW"},
		{Tolerated{Why: "w", Method: "POST", Path: "x"}, "start with /"},
		{Tolerated{Why: "w", Method: "POST", Path: "/a/*"}, `"*"`},
		{Tolerated{Why: "w", Method: "POST", Path: "/api/exports"}, "allows it"},
	} {
		err := CheckRules(rules, []Tolerated{test.tolerated})
		if err == nil || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%+v: %v, want an error that names %s", test.tolerated, err, test.text)
		}
	}
}

func TestParseOrigin(t *testing.T) {
	for address, want := range map[string]string{
		"https://clinic.janeapp.com":       "https://clinic.janeapp.com",
		"https://clinic.janeapp.com/admin": "https://clinic.janeapp.com",
		"https://Clinic.Janeapp.com:443":   "https://clinic.janeapp.com",
		"https://clinic.janeapp.com:8443/": "https://clinic.janeapp.com:8443",
		"http://127.0.0.1:8080/admin":      "http://127.0.0.1:8080",
		"http://localhost":                 "http://localhost",
		"http://[::1]:80":                  "http://[::1]",
		"http://clinic.janeapp.com":        "",
		"http://127.0.0.1.example.com":     "",
		"ftp://clinic.janeapp.com":         "",
		"https://user@clinic.janeapp.com":  "",
		"clinic.janeapp.com":               "",
		"":                                 "",
	} {
		got, err := ParseOrigin(address)
		if want == "" {
			if err == nil {
				t.Errorf("%q is accepted as %s", address, got)
			}
			continue
		}
		if err != nil || got.String() != want {
			t.Errorf("%q is read as %s, %v; want %s", address, got, err, want)
		}
	}
}

func FuzzBodyFields(f *testing.F) {
	f.Add("application/json", `{"a": {"b": [1, "x", null, true]}}`)
	f.Add("application/x-www-form-urlencoded", "a=1&b=2&a=3")
	f.Add("application/json", `{"a": 1, "a": 2}`)
	f.Fuzz(func(t *testing.T, contentType, body string) {
		found, ok := bodyFields(contentType, []byte(body))
		if ok && len(found) > 0 && found.within(map[string][]string{}) {
			t.Errorf("%q has fields %v, which an empty list allows", body, found)
		}
	})
}

func TestMethodsNameNobody(t *testing.T) {
	for method, want := range map[string]string{"GET": "GET", "POST": "POST", "OPTIONS": "OPTIONS", "CONNECT": "CONNECT", "MARY-SMITH": "other", "get": "other"} {
		if got := methodShape(method); got != want {
			t.Errorf("%s is shown as %s", method, got)
		}
	}
}
