package identity

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/identity/plugintoken"
	"github.com/falloff-analytics/falloff/warehouse/identity/servicetoken"
)

// Each kind of signature says who it is about, and no more than it can know.
func TestWhoIsIdentified(t *testing.T) {
	g := open(t, nil)
	want := map[string]access.Principal{
		"plugin": {
			Person: canary, Issuer: access.Grafana, Subject: canary, Teams: []string{"Front desk"}, Roles: []string{"Editor"}, SecondFactor: true,
			Clinic: "harbour-street", Session: digest("1"), Address: "192.0.2.1",
		},
		"grafana": {Person: canary, Issuer: access.Grafana, Subject: canary, Roles: []string{"Admin"}, SecondFactor: true, Session: digest("2"), Address: "192.0.2.1"},
		"oidc": {
			Person: canary, Issuer: g.oidcAt, Subject: "5f2c9a", Claims: map[string][]string{"groups": {"managers"}, "realm_access.roles": {"x", "y"}},
			SecondFactor: true, Session: digest("s1"), Address: "192.0.2.1",
		},
	}
	for _, k := range g.kinds() {
		got, err := k.ask(k.sign(t, k.good))
		if err != nil {
			t.Errorf("%s: %v", k.name, err)
			continue
		}
		if fmt.Sprint(got) != fmt.Sprint(want[k.name]) {
			t.Errorf("%s:\n got %+v\nwant %+v", k.name, got, want[k.name])
		}
	}
	batch := access.Templates()[slices.IndexFunc(access.Templates(), func(r access.Role) bool { return r.Name == access.BatchService })]
	issued, err := g.services.Issue(t.Context(), servicetoken.Request{Name: "nightly", Role: batch, Clinics: []string{"*"}, Life: time.Hour, By: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := g.bearerOf(issued.Text.Text())
	if err != nil || got.Person != "service/nightly" || !got.Service || got.Issuer != access.ServiceTokens || got.Scope.Role != access.BatchService {
		t.Errorf("the service: %+v, %v", got, err)
	}
	if _, err := g.services.Revoke(t.Context(), issued.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := g.bearerOf(issued.Text.Text()); CodeOf(err) != Revoked {
		t.Errorf("revoked: %v", err)
	}
	if _, err := g.bearerOf(servicetoken.Prefix + strings.Repeat("a", 10) + "_" + strings.Repeat("a", 52)); CodeOf(err) != UnknownToken {
		t.Errorf("no token: %v", err)
	}
}

// The second factor is demanded by default, and believed only of those who can know.
func TestTheSecondFactor(t *testing.T) {
	strict, lax := open(t, nil), open(t, func(o *Options) { o.RequireSecondFactor = false })
	for _, g := range []*gate{strict, lax} {
		for _, k := range g.kinds() {
			without := map[string]claims{
				"plugin": k.good.with("mfa", false), "grafana": k.good.with("authenticatedBy", "password"), "oidc": k.good.with("amr", []string{"pwd"}),
			}[k.name]
			who, err := k.ask(k.sign(t, without))
			if g == strict && CodeOf(err) != NoSecondFactor || g == lax && (err != nil || who.SecondFactor) {
				t.Errorf("%s, demanded %v: %v, %v", k.name, g == strict, who.SecondFactor, err)
			}
		}
	}
}

// Who says nothing, or speaks with two voices, is nobody; headers of other names say nothing.
func TestRequestsWithoutOneIdentity(t *testing.T) {
	g := open(t, nil)
	good := map[string]string{}
	for _, k := range g.kinds() {
		good[k.name] = k.sign(t, k.good)
	}
	for name, c := range map[string]struct {
		headers []string
		want    Code
	}{
		"nothing":           {nil, Anonymous},
		"names in headers":  {[]string{"X-Grafana-User", "ada", "X-Forwarded-User", "ada", "X-Webauth-User", "ada", "X-Remote-User", "ada", "Cookie", "grafana_session=1"}, Anonymous},
		"basic":             {[]string{"Authorization", "Basic YTpi"}, Anonymous},
		"no token":          {[]string{"Authorization", "Bearer "}, Anonymous},
		"two bearers":       {[]string{"Authorization", "Bearer " + good["plugin"], "Authorization", "Bearer " + good["oidc"]}, Malformed},
		"bearer and header": {[]string{"Authorization", "Bearer " + good["plugin"], "X-Grafana-Id", good["grafana"]}, Malformed},
	} {
		if _, err := g.ask(c.headers...); CodeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A proxy's word about an address counts as little.
	who, err := g.ask("Authorization", "bearer "+good["plugin"], "X-Forwarded-For", "203.0.113.9")
	if err != nil || who.Address != "192.0.2.1" {
		t.Errorf("from %q, %v", who.Address, err)
	}
	// Where a kind is not configured, it does not count.
	only := open(t, func(o *Options) { o.Grafana, o.Issuers, o.Services = nil, nil, nil })
	for name, headers := range map[string][]string{
		"grafana": {"X-Grafana-Id", good["grafana"]}, "oidc": {"Authorization", "Bearer " + good["oidc"]},
		"service": {"Authorization", "Bearer " + servicetoken.Prefix + strings.Repeat("a", 10) + "_" + strings.Repeat("a", 52)},
	} {
		if _, err := only.ask(headers...); CodeOf(err) == "" {
			t.Errorf("%s counts where it is not configured", name)
		}
	}
}

func FuzzIdentify(f *testing.F) {
	key, err := plugintoken.NewKey(strings.NewReader(strings.Repeat("k", 32)))
	if err != nil {
		f.Fatal(err)
	}
	v, err := New(Options{PluginKeys: []plugintoken.Key{key}})
	if err != nil {
		f.Fatal(err)
	}
	other, err := plugintoken.NewKey(strings.NewReader(strings.Repeat("o", 32)))
	if err != nil {
		f.Fatal(err)
	}
	signer, err := plugintoken.NewSigner(other, nil)
	if err != nil {
		f.Fatal(err)
	}
	token, err := signer.Sign(plugintoken.Person{Login: "ada", Clinic: "a"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("Bearer " + token)
	f.Add("Bearer " + servicetoken.Prefix)
	f.Add("Bearer eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodGet, "http://falloff.example/", http.NoBody)
		r.Header["Authorization"] = []string{header}
		if who, err := v.Identify(t.Context(), r); CodeOf(err) == "" {
			t.Errorf("%q is %+v, %v", header, who, err)
		}
	})
}
