package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
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
