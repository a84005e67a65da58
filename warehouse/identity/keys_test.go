package identity

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Keys are fetched once; an id that nobody knows is reason to ask again, but once a minute at most; keys that the issuer has
// taken back end after an hour; and while it cannot be reached the old ones count for a day.
func TestSigningKeysAreFetchedSparingly(t *testing.T) {
	g := open(t, nil)
	k := g.kinds()[2]
	good := func() error {
		k := g.kinds()[2] // of this moment
		_, err := k.ask(k.sign(t, k.good))
		return err
	}
	unknown := func() Code {
		k := g.kinds()[2]
		_, err := k.ask(sign(t, k.alg, k.key, "o2", k.good.text(t), nil))
		return CodeOf(err)
	}
	var together sync.WaitGroup
	for range 20 {
		together.Go(func() {
			if err := good(); err != nil {
				t.Error(err)
			}
		})
	}
	together.Wait()
	if n := g.fetched.Load(); n != 1 {
		t.Errorf("20 requests at once fetched the keys %d times", n)
	}
	for range 50 {
		if code := unknown(); code != UnknownKey {
			t.Errorf("an unknown key: %s", code)
		}
	}
	if n := g.fetched.Load(); n != 1 {
		t.Errorf("within a minute the keys were fetched %d times", n)
	}
	g.now = g.now.Add(61 * time.Second)
	unknown()
	unknown()
	if n := g.fetched.Load(); n != 2 {
		t.Errorf("a minute later the keys had been fetched %d times", n)
	}
	// The issuer changes keys.
	next, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	g.keys.Store(&jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: next.Public(), KeyID: "o2"}}})
	g.now = g.now.Add(61 * time.Second)
	now := g.kinds()[2]
	if _, err := now.ask(sign(t, jose.RS256, next, "o2", now.good.text(t), nil)); err != nil {
		t.Errorf("the new key: %v", err)
	}
	if err := good(); CodeOf(err) != UnknownKey {
		t.Errorf("the key that was taken back: %v", err)
	}
	// It goes down.
	g.down.Store(true)
	g.now = g.now.Add(23 * time.Hour)
	now = g.kinds()[2]
	if _, err := now.ask(sign(t, jose.RS256, next, "o2", now.good.text(t), nil)); err != nil {
		t.Errorf("while the issuer is down: %v", err)
	}
	g.now = g.now.Add(2 * time.Hour)
	now = g.kinds()[2]
	if _, err := now.ask(sign(t, jose.RS256, next, "o2", now.good.text(t), nil)); CodeOf(err) != KeysMissing {
		t.Errorf("after a day: %v", err)
	}
	g.down.Store(false)
	g.now = g.now.Add(6 * time.Second)
	now = g.kinds()[2]
	if _, err := now.ask(sign(t, jose.RS256, next, "o2", now.good.text(t), nil)); err != nil {
		t.Errorf("when it is back: %v", err)
	}
	_ = k
}

// What is no public signing key does not count, and an id that two share is nobody's.
func TestKeysThatDoNotCount(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public := func(id, use string) string {
		text, err := jose.JSONWebKey{Key: key.Public(), KeyID: id, Use: use}.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	private, err := jose.JSONWebKey{Key: key, KeyID: "private"}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := readKeys([]byte(`{"keys":[` + strings.Join([]string{
		public("good", "sig"), public("enc", "enc"), public("twice", ""), public("twice", ""), public("", ""), string(private),
		`{"kty":"oct","k":"AAAA","kid":"symmetric"}`, `{"kty":"new","kid":"unknown"}`, `7`,
	}, ",") + `]}`))
	if err != nil || len(keys) != 1 || keys["good"].Key == nil {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	for name, body := range map[string]string{
		"nothing": "", "no JSON": "hello", "no keys": `{"keys":[]}`, "too many": `{"keys":[` + strings.Repeat(public("a", "")+",", mostKeys) + public("b", "") + `]}`,
	} {
		if _, err := readKeys([]byte(body)); err == nil {
			t.Errorf("%s is taken for keys", name)
		}
	}
}

// Issuers are spoken to by TLS 1.3, or on this machine; what they say is bounded, and nowhere else is asked.
func TestHowIssuersAreSpokenTo(t *testing.T) {
	for address, fine := range map[string]bool{
		"https://id.example": true, "http://127.0.0.1:3000": true, "http://localhost:3000": true, "http://[::1]:3000": true,
		"http://id.example": false, "ftp://id.example": false, "id.example": false, "https://u:p@id.example": false, "": false, "http://localhost.evil.example": false,
	} {
		if err := checkAddress(address); (err == nil) != fine {
			t.Errorf("%q: %v", address, err)
		}
	}
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS12}
	old.StartTLS()
	defer old.Close()
	roots := x509.NewCertPool()
	roots.AddCert(old.Certificate())
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, old.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := newFetcher(roots).outside.Do(request); err == nil {
		_ = response.Body.Close()
		t.Error("TLS 1.2 is spoken with an issuer outside")
	}
	var asked int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/elsewhere":
			http.Redirect(w, r, "/keys", http.StatusFound)
		case "/long":
			_, _ = fmt.Fprint(w, strings.Repeat(" ", largestKeys+1))
		default:
			asked++
		}
	}))
	defer server.Close()
	for _, path := range []string{"/elsewhere", "/long"} {
		if _, err := newFetcher(nil).get(t.Context(), server.URL+path); err == nil {
			t.Errorf("%s was read", path)
		}
	}
	if asked > 0 {
		t.Error("a redirect was followed")
	}
}

// Options that cannot work say so before any request comes.
func TestOptionsThatCannotWork(t *testing.T) {
	for name, o := range map[string]Options{
		"nothing":             {},
		"Grafana over http":   {Grafana: &Grafana{URL: "http://grafana.example"}},
		"an issuer's http":    {Issuers: []Issuer{{URL: "http://id.example", Audience: "a"}}},
		"no audience":         {Issuers: []Issuer{{URL: "https://id.example"}}},
		"a symmetric one":     {Issuers: []Issuer{{URL: "https://id.example", Audience: "a", Algorithms: []string{"HS256"}}}},
		"none":                {Issuers: []Issuer{{URL: "https://id.example", Audience: "a", Algorithms: []string{"none"}}}},
		"a factor of nothing": {Issuers: []Issuer{{URL: "https://id.example", Audience: "a", SecondFactorClaim: "acr"}}},
		"an issuer twice":     {Issuers: []Issuer{{URL: "https://id.example", Audience: "a"}, {URL: "https://id.example", Audience: "b"}}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	// A discovery document of another issuer leads nowhere.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"issuer":"https://evil.example","jwks_uri":"https://evil.example/keys"}`)
	}))
	defer server.Close()
	if _, err := discovered(server.URL, newFetcher(nil).get)(t.Context()); err == nil || !strings.Contains(err.Error(), "another issuer's") {
		t.Errorf("another issuer's document: %v", err)
	}
}
