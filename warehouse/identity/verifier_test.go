package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/identity/plugintoken"
	"github.com/falloff-analytics/falloff/warehouse/identity/servicetoken"
)

// canary is a login that no error may repeat.
const canary = "wilhelmina.quux"

// gate is a verifier with an issuer of every kind, each a server of its own on loopback, and their keys.
type gate struct {
	*Verifier
	now    time.Time
	plugin plugintoken.Key
	// remembers has the gate know the tokens that were used.
	remembers bool
	grafana   *ecdsa.PrivateKey
	oidc      *rsa.PrivateKey
	grafanaAt string
	oidcAt    string
	services  *servicetoken.Store
	// keys is what the OIDC issuer publishes, fetched how often it was asked.
	keys    atomic.Pointer[jose.JSONWebKeySet]
	fetched atomic.Int32
	down    atomic.Bool
}

func open(t *testing.T, change func(*Options)) *gate {
	t.Helper()
	g := &gate{now: time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)}
	var err error
	if g.plugin, err = plugintoken.NewKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	if g.grafana, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if g.oidc, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	grafana := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/signing-keys/keys" {
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: g.grafana.Public(), KeyID: "g1", Algorithm: "ES256", Use: "sig"}}})
	}))
	t.Cleanup(grafana.Close)
	g.keys.Store(&jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: g.oidc.Public(), KeyID: "o1", Algorithm: "RS256", Use: "sig"}}})
	var oidc *httptest.Server
	oidc = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			_ = json.NewEncoder(w).Encode(map[string]string{"issuer": oidc.URL, "jwks_uri": oidc.URL + "/keys"})
		case "/keys":
			g.fetched.Add(1)
			_ = json.NewEncoder(w).Encode(g.keys.Load())
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(oidc.Close)
	g.grafanaAt, g.oidcAt = grafana.URL, oidc.URL
	g.services = servicetoken.Open(servicetoken.Options{
		Path: filepath.Join(t.TempDir(), "service-tokens.json"), Now: g.clock,
		Log: func(context.Context, servicetoken.Event, servicetoken.Token) error { return nil },
	})
	o := Options{
		PluginKeys: []plugintoken.Key{g.plugin}, Grafana: &Grafana{URL: grafana.URL + "/", SecondFactorBy: []string{"oauth_generic_oauth"}},
		Issuers:  []Issuer{{URL: oidc.URL, Audience: "falloff", PersonClaim: "preferred_username", Claims: []string{"groups", "realm_access.roles"}}},
		Services: g.services, RequireSecondFactor: true, Now: g.clock,
		CheckPerson: func(name string) error {
			if name == "admin" {
				return errors.New("shared")
			}
			return nil
		},
	}
	if change != nil {
		change(&o)
	}
	if g.Verifier, err = New(o); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *gate) clock() time.Time { return g.now }

// ask identifies a request with headers, name and value in turns.
func (g *gate) ask(headers ...string) (access.Principal, error) {
	if !g.remembers {
		g.used = usedTokens{} // what is tried is to be refused for what it is
	}
	r := httptest.NewRequest(http.MethodGet, "http://falloff.example/v1/query", http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return g.Identify(r.Context(), r)
}

func (g *gate) bearerOf(token string) (access.Principal, error) {
	return g.ask("Authorization", "Bearer "+token)
}

// claims are those of a good token of each kind; a test changes them.
type claims map[string]any

func (c claims) with(name string, value any) claims {
	out := claims{}
	maps.Copy(out, c)
	if value == nil {
		delete(out, name)
	} else {
		out[name] = value
	}
	return out
}

func (c claims) text(t *testing.T) string {
	t.Helper()
	body, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// kind is one kind of signed identity.
type kind struct {
	name   string
	good   claims
	alg    jose.SignatureAlgorithm
	key    any
	public any
	id     string
	ask    func(token string) (access.Principal, error)
}

func (g *gate) kinds() []kind {
	var raw []byte
	g.plugin.Borrow(func(b []byte) { raw = slices.Clone(b) })
	at := g.now.Unix()
	return []kind{
		{
			name: "plugin", alg: jose.HS256, key: raw, id: g.plugin.ID(), ask: g.bearerOf,
			good: claims{
				"iss": plugintoken.Issuer, "aud": plugintoken.Audience, "sub": canary, "iat": at, "nbf": at, "exp": at + 60, "jti": "1",
				"role": "Editor", "teams": []string{"Front desk"}, "clinic": "harbour-street", "mfa": true,
			},
		},
		{
			name: "grafana", alg: jose.ES256, key: g.grafana, public: g.grafana.Public(), id: "g1",
			ask: func(token string) (access.Principal, error) { return g.ask("X-Grafana-Id", token) },
			good: claims{
				"iss": g.grafanaAt + "/", "aud": "org:1", "sub": "user:7", "iat": at, "exp": at + 600, "type": "user", "username": canary,
				"role": "Admin", "authenticatedBy": "oauth_generic_oauth", "jti": "2",
			},
		},
		{
			name: "oidc", alg: jose.RS256, key: g.oidc, public: g.oidc.Public(), id: "o1", ask: g.bearerOf,
			good: claims{
				"iss": g.oidcAt, "aud": []string{"falloff", "other"}, "sub": "5f2c9a", "iat": at, "exp": at + 300, "preferred_username": canary,
				"amr": []string{"pwd", "mfa"}, "groups": []string{"managers"}, "realm_access": map[string]any{"roles": []string{"x", "y"}}, "sid": "s1",
			},
		},
	}
}

// sign makes a token of any payload, good or not.
func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, id, payload string, extra map[jose.HeaderKey]any) string {
	t.Helper()
	o := (&jose.SignerOptions{}).WithType("JWT")
	for name, value := range extra {
		o.WithHeader(name, value)
	}
	if id != "" {
		o.WithHeader("kid", id)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (k kind) sign(t *testing.T, c claims) string {
	t.Helper()
	return sign(t, k.alg, k.key, k.id, c.text(t), nil)
}

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

// What the plugin signs the server takes, for the clinic and the time that it says, and with the key that they share alone.
func TestBothHalvesOfThePluginsToken(t *testing.T) {
	g := open(t, nil)
	key, err := plugintoken.ParseKey(" " + g.plugin.Text() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := plugintoken.NewSigner(key, g.clock)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signer.Sign(plugintoken.Person{Login: canary, Role: "Viewer", Clinic: plugintoken.AllClinics, SecondFactor: true})
	if err != nil {
		t.Fatal(err)
	}
	who, err := g.bearerOf(token)
	if err != nil || who.Subject != canary || who.Clinic != "" || !slices.Equal(who.Roles, []string{"Viewer"}) || who.Session == "" {
		t.Errorf("%+v, %v", who, err)
	}
	issued := g.now
	for after, want := range map[time.Duration]Code{-11 * time.Second: NotYetValid, -9 * time.Second: "", 69 * time.Second: "", 71 * time.Second: Expired} {
		g.now = issued.Add(after)
		if _, err := g.bearerOf(token); CodeOf(err) != want {
			t.Errorf("after %s: %v", after, err)
		}
	}
	g.now = issued
	for what, p := range map[string]plugintoken.Person{"nobody": {Clinic: "a"}, "no clinic": {Login: "ada"}} {
		if _, err := signer.Sign(p); err == nil {
			t.Errorf("%s was signed", what)
		}
	}
	if _, err := plugintoken.NewSigner(plugintoken.Key{}, nil); err == nil {
		t.Error("a signer has no key")
	}
	for _, text := range []string{"", "fpk1_", g.plugin.Text()[:20], g.plugin.Text() + "A", "fpk1_" + strings.Repeat("!", 43)} {
		if _, err := plugintoken.ParseKey(text); err == nil || len(text) > 10 && strings.Contains(err.Error(), text[6:]) {
			t.Errorf("a key of %d letters: %v", len(text), err)
		}
	}
	if printed := fmt.Sprintf("%v %+v %#v", g.plugin, g.plugin, signer); strings.Contains(printed, g.plugin.Text()[6:]) {
		t.Error("a printed key shows itself")
	}
	// Two keys count while one replaces the other.
	next, err := plugintoken.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	both := open(t, func(o *Options) { o.PluginKeys = []plugintoken.Key{key, next} })
	for _, k := range []plugintoken.Key{key, next} {
		signer, err := plugintoken.NewSigner(k, both.clock)
		if err != nil {
			t.Fatal(err)
		}
		token, err := signer.Sign(plugintoken.Person{Login: "ada", Clinic: "a", SecondFactor: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := both.bearerOf(token); err != nil {
			t.Errorf("one of two keys: %v", err)
		}
	}
}

// A token of the plugin is good for one request, and for the one that it was signed for.
func TestATokenOfThePluginIsGoodForOneRequest(t *testing.T) {
	g := open(t, nil)
	g.remembers = true
	signer, err := plugintoken.NewSigner(g.plugin, g.clock)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(request string) string {
		token, err := signer.Sign(plugintoken.Person{Login: canary, Clinic: plugintoken.AllClinics, SecondFactor: true, Request: request})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	begin := g.now
	// However long after, as long as it lives; others come in between.
	for _, after := range []time.Duration{0, time.Second, 59 * time.Second, 69 * time.Second} {
		g.now = begin
		token := sign("")
		if _, err := g.bearerOf(token); err != nil {
			t.Errorf("the first time: %v", err)
		}
		for step := range 8 {
			g.now = begin.Add(after * time.Duration(step) / 7)
			if _, err := g.bearerOf(sign("")); err != nil {
				t.Errorf("another token: %v", err)
			}
			if _, err := g.bearerOf(token); CodeOf(err) != Replayed {
				t.Errorf("again after %s: %v", g.now.Sub(begin), err)
			}
		}
		begin = begin.Add(25 * time.Second) // the memory turns over in the middle of a life, too
	}
	g.now = begin
	for request, want := range map[string]Code{
		plugintoken.RequestOf(http.MethodGet, "/v1/query?clinic=a"): "", plugintoken.RequestOf(http.MethodPost, "/v1/query"): WrongRequest,
		plugintoken.RequestOf(http.MethodGet, "/v1/sql"): WrongRequest,
	} {
		if _, err := g.bearerOf(sign(request)); CodeOf(err) != want {
			t.Errorf("for %s: %v", request, err)
		}
	}
	// A token that is refused is not used up by it, nor does it use up another's name.
	token := sign("")
	if _, err := g.bearerOf(token[:len(token)-4] + "AAAA"); CodeOf(err) != BadSignature {
		t.Errorf("spoilt: %v", err)
	}
	if _, err := g.bearerOf(token); err != nil {
		t.Errorf("after a spoilt copy: %v", err)
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

// rotated is a text with one letter changed.
func rotated(text string, at int) string {
	b := []byte(text)
	if b[at] == 'A' {
		b[at] = 'B'
	} else {
		b[at] = 'A'
	}
	return string(b)
}

// hostile are tokens that somebody might try, by what is wrong with them.
func hostile(t *testing.T, g *gate, k kind) map[string]string {
	t.Helper()
	good := k.sign(t, k.good)
	header, payload, signature := strings.Split(good, ".")[0], strings.Split(good, ".")[1], strings.Split(good, ".")[2]
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	out := map[string]string{
		"nothing": "", "no JWT": "hello", "points": "..", "five parts": good + ".a.b", "a part more": good + ".a", "no signature": header + "." + payload + ".",
		"two parts": header + "." + payload, "spaces": " " + good, "lines": good + "\n", "JSON": `{"payload":"` + payload + `","signatures":[]}`,
		"huge": header + "." + strings.Repeat("A", largestToken) + "." + signature, "a huge signature": good + strings.Repeat("A", largestToken),
		"the parts turned": payload + "." + header + "." + signature, "not base64": "!." + payload + "." + signature,
	}
	for _, none := range []string{"none", "None", "NONE", "nOnE", ""} {
		h := encode(fmt.Sprintf(`{"alg":%q,"typ":"JWT","kid":%q}`, none, k.id))
		out["alg "+none] = h + "." + payload + "."
		out["alg "+none+" with a signature"] = h + "." + payload + "." + signature
	}
	for i := 1; i <= 12; i++ {
		out[fmt.Sprintf("cut off at %d/13", i)] = good[:len(good)*i/13]
	}
	for i := range 16 {
		out[fmt.Sprintf("header letter %d", i)] = rotated(header, i*len(header)/16) + "." + payload + "." + signature
		out[fmt.Sprintf("claims letter %d", i)] = header + "." + rotated(payload, i*len(payload)/16) + "." + signature
		out[fmt.Sprintf("signature letter %d", i)] = header + "." + payload + "." + rotated(signature, i*len(signature)/16)
	}
	// Other keys and algorithms under the id of the right one.
	otherRSA, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	otherEC, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other := []byte(strings.Repeat("x", 32))
	body := k.good.text(t)
	for alg, key := range map[jose.SignatureAlgorithm]any{
		jose.RS256: otherRSA, jose.RS384: otherRSA, jose.RS512: otherRSA, jose.PS256: otherRSA, jose.ES256: otherEC, jose.HS256: other, jose.HS384: append(other, other...), jose.HS512: append(other, other...),
	} {
		out["another key, "+string(alg)] = sign(t, alg, key, k.id, body, nil)
		out["another key of another id, "+string(alg)] = sign(t, alg, key, "other", body, nil)
		out["another key of no id, "+string(alg)] = sign(t, alg, key, "", body, nil)
	}
	// The public key as the secret of a symmetric signature.
	for name, public := range map[string]any{"grafana": g.grafana.Public(), "oidc": g.oidc.Public()} {
		text, err := jose.JSONWebKey{Key: public, KeyID: "x"}.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		out["the public key of "+name+" as a secret"] = sign(t, jose.HS256, text, k.id, body, nil)
	}
	for _, right := range g.kinds() {
		if right.name != k.name {
			out["signed by "+right.name+"'s key"] = sign(t, right.alg, right.key, right.id, body, nil)
			out["signed by "+right.name+"'s key under the right id"] = sign(t, right.alg, right.key, k.id, body, nil)
		}
	}
	if k.public != nil {
		out["a key in its header"] = sign(t, jose.ES256, otherEC, "other", body, map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: otherEC.Public(), KeyID: "other"}})
		out["a key's address in its header"] = sign(t, jose.ES256, otherEC, "other", body, map[jose.HeaderKey]any{"jku": "https://evil.example/keys"})
	}
	out["a critical header"] = sign(t, k.alg, k.key, k.id, body, map[jose.HeaderKey]any{"crit": []string{"x"}, "x": true})
	// Signed by the right key, and wrong in what it says.
	at := g.now.Unix()
	for name, c := range map[string]claims{
		"expired": k.good.with("exp", at-60), "expired long ago": k.good.with("exp", 1), "never expiring": k.good.with("exp", nil), "expiring as text": k.good.with("exp", "tomorrow"),
		"of tomorrow": k.good.with("nbf", at+86400), "issued tomorrow": k.good.with("iat", at+86400).with("exp", at+86500), "of another audience": k.good.with("aud", "other"),
		"of no audience": k.good.with("aud", nil), "of an empty audience": k.good.with("aud", []string{}), "of another issuer": k.good.with("iss", "https://evil.example"),
		"of no issuer": k.good.with("iss", nil), "of a longer issuer": k.good.with("iss", fmt.Sprint(k.good["iss"])+".evil.example"), "about a number": k.good.with("sub", 7),
		"about nobody": k.good.with("sub", nil), "about an empty name": k.good.with("sub", ""), "an audience that is a number": k.good.with("aud", 7),
		"a lifetime of text": k.good.with("iat", "now"),
	} {
		out[name] = k.sign(t, c)
	}
	for name, c := range map[string]map[string]claims{
		"plugin": {
			"for an hour": k.good.with("exp", at+3600), "issued never": k.good.with("iat", nil), "without a name": k.good.with("jti", nil), "for no clinic": k.good.with("clinic", nil), "for two audiences": k.good.with("aud", []string{plugintoken.Audience, "other"}),
			"mfa as text": k.good.with("mfa", "true"), "a login of two lines": k.good.with("sub", "ada\nben"), "a service": k.good.with("sub", "service/nightly"), "everybody": k.good.with("sub", "admin"),
			"a long login": k.good.with("sub", strings.Repeat("a", 201)), "a clinic of numbers": k.good.with("clinic", 7), "a team of two lines": k.good.with("teams", []string{"a\nb"}),
		},
		"grafana": {
			"a service account": k.good.with("sub", "service-account:3"), "another type": k.good.with("type", "service-account"), "no login": k.good.with("username", nil),
			"another organisation": k.good.with("aud", "org:2"), "everybody": k.good.with("username", "admin"), "a service": k.good.with("username", "service/x"),
		},
		"oidc": {
			"no name": k.good.with("preferred_username", nil), "two names": k.good.with("preferred_username", []string{"a", "b"}), "everybody": k.good.with("preferred_username", "admin"),
			"a factor that is an object": k.good.with("amr", map[string]string{"mfa": "mfa"}), "a service": k.good.with("preferred_username", "service/x"),
		},
	}[k.name] {
		out[name] = k.sign(t, c)
	}
	for _, claim := range []string{"sub", "exp", "aud", "iss"} {
		value, err := json.Marshal(k.good[claim])
		if err != nil {
			t.Fatal(err)
		}
		out["the claim "+claim+" twice"] = sign(t, k.alg, k.key, k.id, `{"`+claim+`":`+string(value)+","+body[1:], nil)
	}
	for name, text := range map[string]string{"no object": "[]", "no JSON": "hello", "null": "null", "nothing": "", "deep": strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000)} {
		out["claims that are "+name] = sign(t, k.alg, k.key, k.id, text, nil)
	}
	return out
}

// Whatever somebody tries, it is refused with a code and a hint, and nothing of it is repeated.
func TestHostileTokensAreRefused(t *testing.T) {
	g := open(t, nil)
	tried := 0
	for _, k := range g.kinds() {
		if _, err := k.ask(k.sign(t, k.good)); err != nil {
			t.Fatalf("%s: the good one: %v", k.name, err)
		}
		good := k.sign(t, k.good)
		for name, token := range hostile(t, g, k) {
			// A letter whose change says the same bytes, or the same claims, is the good token still.
			if token == good {
				continue
			}
			tried++
			who, err := k.ask(token)
			refused, ok := errors.AsType[*Refusal](err)
			if !ok {
				t.Errorf("%s, %s: identified as %+v, %v", k.name, name, who, err)
				continue
			}
			if refused.Code == "" || refused.Message == "" || refused.Hint == "" || fmt.Sprint(who) != fmt.Sprint(access.Principal{}) {
				t.Errorf("%s, %s: %+v", k.name, name, refused)
			}
			for _, text := range []string{err.Error(), refused.Hint, fmt.Sprintf("%+v %v", refused, errors.Unwrap(err))} {
				if strings.Contains(text, canary) || len(token) > 40 && strings.Contains(text, token[10:40]) {
					t.Errorf("%s, %s: the error repeats the token: %s", k.name, name, text)
				}
			}
		}
		// A token of one kind in the place of another.
		tried++
		if _, err := g.ask("X-Grafana-Id", good); k.name != "grafana" && CodeOf(err) == "" {
			t.Errorf("%s in Grafana's header is taken", k.name)
		}
		if _, err := g.bearerOf(good); k.name == "grafana" && CodeOf(err) != WrongIssuer {
			t.Errorf("Grafana's token as a bearer's: %v", err)
		}
	}
	if tried < 200 {
		t.Errorf("only %d tokens were tried", tried)
	}
}

// The names of refusals are those that clients decide on.
func TestRefusalsHaveNames(t *testing.T) {
	g := open(t, nil)
	at := g.now.Unix()
	for _, k := range g.kinds() {
		for name, c := range map[string]struct {
			token string
			want  Code
		}{
			"expired":          {k.sign(t, k.good.with("exp", at-60)), Expired},
			"of tomorrow":      {k.sign(t, k.good.with("nbf", at+86400)), NotYetValid},
			"another audience": {k.sign(t, k.good.with("aud", "other")), WrongAudience},
			"another issuer":   {k.sign(t, k.good.with("iss", "https://evil.example")), WrongIssuer},
			"an unknown key":   {sign(t, k.alg, k.key, "other", k.good.text(t), nil), UnknownKey},
			"cut off":          {k.sign(t, k.good)[:30], Malformed},
		} {
			if _, err := k.ask(c.token); CodeOf(err) != c.want {
				t.Errorf("%s, %s: %q, want %q (%v)", k.name, name, CodeOf(err), c.want, err)
			}
		}
		parts := strings.Split(k.sign(t, k.good), ".")
		if _, err := k.ask(parts[0] + "." + parts[1] + "." + rotated(parts[2], 10)); CodeOf(err) != BadSignature {
			t.Errorf("%s, another signature: %v", k.name, err)
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
