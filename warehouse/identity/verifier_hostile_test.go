package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/identity/plugintoken"
)

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
