package identity_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/identity"
)

// A mock user is one on this machine alone, where the policy says so, and by no other way.
func TestMockUsers(t *testing.T) {
	here, everywhere := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8750}, &net.TCPAddr{IP: net.IPv4zero, Port: 8750}
	for name, test := range map[string]struct {
		header   string
		allowed  bool
		listens  net.Addr
		change   func(*http.Request)
		person   string
		named    bool
		wantCode identity.Code
	}{
		"a mock user":             {header: "Mock mia", allowed: true, listens: here, person: "mock/mia", named: true},
		"in other letters":        {header: "mock mia", allowed: true, listens: here, person: "mock/mia", named: true},
		"a token":                 {header: "Bearer mia", allowed: true, listens: here},
		"nobody":                  {allowed: true, listens: here},
		"the policy says nothing": {header: "Mock mia", listens: here, named: true, wantCode: identity.MockRefused},
		"others reach the server": {header: "Mock mia", allowed: true, listens: everywhere, named: true, wantCode: identity.MockRefused},
		"from another machine":    {header: "Mock mia", allowed: true, listens: here, change: func(r *http.Request) { r.RemoteAddr = "192.0.2.7:4711" }, named: true, wantCode: identity.MockRefused},
		"under another name":      {header: "Mock mia", allowed: true, listens: here, change: func(r *http.Request) { r.Host = "falloff.example" }, named: true, wantCode: identity.MockRefused},
		"by a proxy":              {header: "Mock mia", allowed: true, listens: here, change: func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.7") }, named: true, wantCode: identity.MockRefused},
		"beside a token":          {header: "Mock mia", allowed: true, listens: here, change: func(r *http.Request) { r.Header.Add("Authorization", "Bearer x") }, named: true, wantCode: identity.Malformed},
		"beside Grafana's token":  {header: "Mock mia", allowed: true, listens: here, change: func(r *http.Request) { r.Header.Set("X-Grafana-Id", "x") }, named: true, wantCode: identity.Malformed},
		"no name":                 {header: "Mock ", allowed: true, listens: here, named: true, wantCode: identity.Malformed},
		"a name that none is":     {header: "Mock refused", allowed: true, listens: here, named: true, wantCode: identity.Malformed},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8750/v1/me", nil)
		r.RemoteAddr = "127.0.0.1:50000"
		if test.header != "" {
			r.Header.Set("Authorization", test.header)
		}
		if test.change != nil {
			test.change(r)
		}
		who, named, err := identity.Mock(r, test.allowed, test.listens, func(name string) error {
			if name == "mock/refused" {
				return errors.New("no")
			}
			return nil
		})
		if who.Person != test.person || named != test.named || identity.CodeOf(err) != test.wantCode {
			t.Errorf("%s: %+v, %v, %v", name, who, named, err)
		}
		if (err == nil && test.person != "") != (who.Subject == "mia" && who.SecondFactor && !who.Service) {
			t.Errorf("%s: %+v", name, who)
		}
	}
}
