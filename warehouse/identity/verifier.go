package identity

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/identity/plugintoken"
	"github.com/falloff-analytics/falloff/warehouse/identity/servicetoken"
)

const (
	// leeway is how far the clocks of issuers and this server may differ.
	leeway = 10 * time.Second
	// largestToken bounds what is read of a token: an OIDC token may list many groups.
	largestToken = 16 << 10
	// longestName bounds names out of a token, mostValues how many of a claim count.
	longestName = 200
	mostValues  = 200
	// tokenLetters are those that a token is made of.
	tokenLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
	// grafanaHeader carries the ID token that Grafana forwards.
	grafanaHeader = "X-Grafana-Id"
)

// Options say which signatures count. At least one kind is needed.
type Options struct {
	// PluginKeys are the keys that the Grafana plugin signs with: one, or two while one replaces the other.
	PluginKeys []plugintoken.Key
	// Grafana is the Grafana whose forwarded ID tokens count; nil for none.
	Grafana *Grafana
	// Issuers are the OIDC issuers whose access tokens count.
	Issuers []Issuer
	// Services are the service tokens; nil for none.
	Services *servicetoken.Store
	// RequireSecondFactor refuses people whose sign-in used none, as far as their issuer says.
	RequireSecondFactor bool
	// CheckPerson says why a name cannot stand in the audit log; nil lets every name through.
	CheckPerson func(name string) error
	// Roots are the certificate authorities that issuers are held against; nil for the system's.
	Roots *x509.CertPool
	// Now is the clock; nil for time.Now.
	Now func() time.Time
}

// Grafana is a Grafana that forwards ID tokens (idForwarding), whose keys are at /api/signing-keys/keys.
type Grafana struct {
	// URL is its address as its configuration has it in root_url, which iss of its tokens says.
	URL string
	// Organisation is the number of the organisation whose users count; 1 if 0.
	Organisation int
	// SecondFactorBy names the ways of signing in that enforce a second factor, as authenticatedBy of the tokens has them, such as
	// oauth_azuread. Grafana's tokens do not say themselves whether one was used.
	SecondFactorBy []string
}

// Issuer is an OIDC issuer, whose keys are found by its discovery document.
type Issuer struct {
	// URL is exactly what iss says.
	URL string
	// Audience is what aud must have: this server's name at the issuer.
	Audience string
	// Algorithms its tokens may be signed with: RS256, PS256, ES256, EdDSA and their longer ones; RS256 and ES256 if empty.
	Algorithms []string
	// PersonClaim names the claim that the audit log knows a person by; sub if empty.
	PersonClaim string
	// SecondFactorClaim and SecondFactorValues say how a token tells of a second factor; amr with mfa if empty.
	SecondFactorClaim  string
	SecondFactorValues []string
	// Claims are those that roles may depend on; groups and roles if empty. A point goes into an object: realm_access.roles.
	Claims []string
}

// asymmetric are the algorithms that an OIDC issuer may be said to sign with.
var asymmetric = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// Verifier finds out whom requests speak for. It may be used by several goroutines at once, and runs none of its own.
type Verifier struct {
	options Options
	issuers map[string]*trusted
	grafana *trusted
	plugin  map[string]plugintoken.Key
	used    usedTokens
}

// trusted is an issuer whose keys are fetched.
type trusted struct {
	Issuer
	algorithms []jose.SignatureAlgorithm
	audience   string
	keys       *keySet
}

// New makes a verifier, without asking any issuer anything. Its errors say what in the options cannot work.
func New(o Options) (*Verifier, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	v := &Verifier{options: o, issuers: map[string]*trusted{}, plugin: map[string]plugintoken.Key{}}
	for _, key := range o.PluginKeys {
		if key.IsZero() {
			return nil, errors.New("a plugin key is empty: give the file that falloff token plugin-key made")
		}
		v.plugin[key.ID()] = key
	}
	fetch := newFetcher(o.Roots)
	if o.Grafana != nil {
		if err := checkAddress(o.Grafana.URL); err != nil {
			return nil, fmt.Errorf("the address of Grafana: %w", err)
		}
		base := strings.TrimSuffix(o.Grafana.URL, "/")
		organisation := max(1, o.Grafana.Organisation)
		v.grafana = &trusted{
			Issuer: Issuer{URL: base}, algorithms: []jose.SignatureAlgorithm{jose.ES256}, audience: fmt.Sprintf("org:%d", organisation),
			keys: newKeySet(func(context.Context) (string, error) { return base + "/api/signing-keys/keys", nil }, fetch.get, o.Now),
		}
	}
	for _, i := range o.Issuers {
		t, err := i.trust()
		if err != nil {
			return nil, fmt.Errorf("the issuer %.80q: %w", i.URL, err)
		}
		if _, twice := v.issuers[i.URL]; twice {
			return nil, fmt.Errorf("the issuer %s is there twice: name it once", i.URL)
		}
		t.keys = newKeySet(discovered(i.URL, fetch.get), fetch.get, o.Now)
		v.issuers[i.URL] = t
	}
	if len(v.plugin) == 0 && v.grafana == nil && len(v.issuers) == 0 && o.Services == nil {
		return nil, errors.New("no identity can be verified: give a plugin key, a Grafana, an issuer, or service tokens")
	}
	return v, nil
}

// trust fills in what is left open.
func (i Issuer) trust() (*trusted, error) {
	if err := checkAddress(i.URL); err != nil {
		return nil, err
	}
	if i.Audience == "" {
		return nil, errors.New("its audience is missing: a token for another service of the issuer must not count here")
	}
	if len(i.Algorithms) == 0 {
		i.Algorithms = []string{"RS256", "ES256"}
	}
	t := &trusted{Issuer: i, audience: i.Audience}
	for _, a := range i.Algorithms {
		if !slices.Contains(asymmetric, a) {
			return nil, fmt.Errorf("algorithm %.20q: choose of %s", a, strings.Join(asymmetric, ", "))
		}
		t.algorithms = append(t.algorithms, jose.SignatureAlgorithm(a))
	}
	if t.PersonClaim == "" {
		t.PersonClaim = "sub"
	}
	if t.SecondFactorClaim == "" {
		t.SecondFactorClaim, t.SecondFactorValues = "amr", []string{"mfa"}
	}
	if len(t.SecondFactorValues) == 0 {
		return nil, errors.New("a second factor's claim has no values: say which of them mean that one was used")
	}
	if len(t.Claims) == 0 {
		t.Claims = []string{"groups", "roles"}
	}
	return t, nil
}

// Identify finds out whom a request speaks for. Its errors are *Refusal, or the context's.
func (v *Verifier) Identify(ctx context.Context, r *http.Request) (access.Principal, error) {
	bearer, forwarded := r.Header.Values("Authorization"), r.Header.Values(grafanaHeader)
	var who access.Principal
	var err error
	switch {
	case len(bearer)+len(forwarded) == 0:
		return who, refuse(Anonymous, nil)
	case len(bearer)+len(forwarded) > 1:
		return who, refuse(Malformed, errors.New("the request carries several tokens"))
	case len(forwarded) == 1:
		who, err = v.forwarded(ctx, forwarded[0])
	default:
		scheme, token, ok := strings.Cut(bearer[0], " ")
		if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
			return who, refuse(Anonymous, errors.New("the request brings no bearer token"))
		}
		who, err = v.bearer(r, token)
	}
	if err != nil {
		return access.Principal{}, err
	}
	if err := v.acceptable(who); err != nil {
		return access.Principal{}, err
	}
	who.Address = r.RemoteAddr
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		who.Address = host
	}
	return who, nil
}

// bearer tells the kinds of token apart. What a token says before it is verified decides only by which keys it is verified.
func (v *Verifier) bearer(r *http.Request, token string) (access.Principal, error) {
	if strings.HasPrefix(token, servicetoken.Prefix) {
		return v.service(token)
	}
	parsed, claimed, err := parse(token)
	if err != nil {
		return access.Principal{}, err
	}
	if claimed.Issuer == plugintoken.Issuer {
		return v.pluginToken(r, parsed)
	}
	if t, ok := v.issuers[claimed.Issuer]; ok {
		return v.issued(r.Context(), t, parsed)
	}
	return access.Principal{}, refuse(WrongIssuer, nil)
}

// parse reads a token without verifying it.
func parse(token string) (*jwt.JSONWebToken, jwt.Claims, error) {
	var claimed jwt.Claims
	switch {
	case len(token) > largestToken:
		return nil, claimed, refuse(Malformed, errors.New("the token is too long"))
	case strings.ContainsFunc(token, func(r rune) bool { return !strings.ContainsRune(tokenLetters, r) }): // the library reads over white space
		return nil, claimed, refuse(Malformed, errors.New("the token holds letters that none has"))
	}
	known := []jose.SignatureAlgorithm{jose.HS256}
	for _, a := range asymmetric {
		known = append(known, jose.SignatureAlgorithm(a))
	}
	parsed, err := jwt.ParseSigned(token, known)
	if err != nil || len(parsed.Headers) != 1 {
		return nil, claimed, refuse(Malformed, errors.New("the token is no signed JWT of an algorithm that is known"))
	}
	if err := parsed.UnsafeClaimsWithoutVerification(&claimed); err != nil {
		return nil, claimed, refuse(Malformed, errors.New("the token's claims cannot be read"))
	}
	return parsed, claimed, nil
}

// verified checks algorithm, signature and the registered claims, and reads the claims into into.
func (v *Verifier) verified(parsed *jwt.JSONWebToken, key any, algorithms []jose.SignatureAlgorithm, expected jwt.Expected, into ...any) (jwt.Claims, error) {
	var claims jwt.Claims
	if !slices.Contains(algorithms, jose.SignatureAlgorithm(parsed.Headers[0].Algorithm)) {
		return claims, refuse(BadSignature, errors.New("the issuer does not sign with the token's algorithm"))
	}
	if err := parsed.Claims(key, append([]any{&claims}, into...)...); err != nil {
		if errors.Is(err, jose.ErrCryptoFailure) {
			return claims, refuse(BadSignature, nil)
		}
		return claims, refuse(Malformed, errors.New("the token's claims do not have the shape that they should"))
	}
	expected.Time = v.options.Now()
	err := claims.ValidateWithLeeway(expected, leeway)
	switch {
	case err == nil && claims.Expiry == nil:
		return claims, refuse(Malformed, errors.New("the token never expires"))
	case err == nil:
		return claims, nil
	case errors.Is(err, jwt.ErrExpired):
		return claims, refuse(Expired, nil)
	case errors.Is(err, jwt.ErrNotValidYet), errors.Is(err, jwt.ErrIssuedInTheFuture):
		return claims, refuse(NotYetValid, nil)
	case errors.Is(err, jwt.ErrInvalidAudience):
		return claims, refuse(WrongAudience, nil)
	case errors.Is(err, jwt.ErrInvalidIssuer):
		return claims, refuse(WrongIssuer, nil)
	default:
		return claims, refuse(Malformed, nil)
	}
}

// pluginToken verifies what the Grafana plugin says. Such a token is good for one request: whoever reads it on its way has nothing.
func (v *Verifier) pluginToken(r *http.Request, parsed *jwt.JSONWebToken) (access.Principal, error) {
	key, ok := v.plugin[parsed.Headers[0].KeyID]
	if !ok {
		return access.Principal{}, refuse(UnknownKey, nil)
	}
	var p plugintoken.Person
	var claims jwt.Claims
	var err error
	key.Borrow(func(raw []byte) {
		claims, err = v.verified(parsed, raw, []jose.SignatureAlgorithm{jose.HS256},
			jwt.Expected{Issuer: plugintoken.Issuer, AnyAudience: jwt.Audience{plugintoken.Audience}}, &p)
	})
	switch {
	case err != nil:
		return access.Principal{}, err
	case claims.IssuedAt == nil || claims.Expiry.Time().Sub(claims.IssuedAt.Time()) > plugintoken.Life:
		return access.Principal{}, refuse(Malformed, errors.New("the plugin's token lives longer than it may"))
	case len(claims.Audience) != 1:
		return access.Principal{}, refuse(WrongAudience, nil)
	case p.Login == "" || p.Clinic == "":
		return access.Principal{}, refuse(Malformed, errors.New("the plugin's token names nobody, or no clinic"))
	case claims.ID == "":
		return access.Principal{}, refuse(Malformed, errors.New("the plugin's token has no jti"))
	case p.Request != "" && p.Request != plugintoken.RequestOf(r.Method, r.URL.Path):
		return access.Principal{}, refuse(WrongRequest, nil)
	case !v.used.use(key.ID(), claims.ID, v.options.Now()):
		return access.Principal{}, refuse(Replayed, nil)
	}
	who := access.Principal{
		Person: p.Login, Issuer: access.Grafana, Subject: p.Login, Teams: p.Teams, SecondFactor: p.SecondFactor, Session: digest(claims.ID),
	}
	if p.Role != "" {
		who.Roles = []string{p.Role}
	}
	if p.Clinic != plugintoken.AllClinics {
		who.Clinic = p.Clinic
	}
	return who, nil
}

// forwarded verifies the ID token that Grafana forwards.
func (v *Verifier) forwarded(ctx context.Context, token string) (access.Principal, error) {
	if v.grafana == nil {
		return access.Principal{}, refuse(WrongIssuer, errors.New("no Grafana is configured"))
	}
	parsed, claimed, err := parse(token)
	if err != nil {
		return access.Principal{}, err
	}
	if strings.TrimSuffix(claimed.Issuer, "/") != v.grafana.URL {
		return access.Principal{}, refuse(WrongIssuer, nil)
	}
	key, err := v.grafana.keys.key(ctx, parsed.Headers[0].KeyID)
	if err != nil {
		return access.Principal{}, err
	}
	var said struct {
		Type            string `json:"type"`
		Username        string `json:"username"`
		Role            string `json:"role"`
		AuthenticatedBy string `json:"authenticatedBy"` //nolint:tagliatelle // as Grafana spells it
	}
	claims, err := v.verified(parsed, key, v.grafana.algorithms, jwt.Expected{Issuer: claimed.Issuer, AnyAudience: jwt.Audience{v.grafana.audience}}, &said)
	if err != nil {
		return access.Principal{}, err
	}
	if !strings.HasPrefix(claims.Subject, "user:") || said.Type != "" && said.Type != "user" || said.Username == "" {
		return access.Principal{}, refuse(Malformed, errors.New("the token of Grafana is not about a person, or does not say the login"))
	}
	who := access.Principal{
		Person: said.Username, Issuer: access.Grafana, Subject: said.Username, Session: digest(claims.ID),
		SecondFactor: said.AuthenticatedBy != "" && slices.Contains(v.options.Grafana.SecondFactorBy, said.AuthenticatedBy),
	}
	if said.Role != "" {
		who.Roles = []string{said.Role}
	}
	return who, nil
}

// issued verifies an OIDC access token.
func (v *Verifier) issued(ctx context.Context, t *trusted, parsed *jwt.JSONWebToken) (access.Principal, error) {
	key, err := t.keys.key(ctx, parsed.Headers[0].KeyID)
	if err != nil {
		return access.Principal{}, err
	}
	said := map[string]any{}
	claims, err := v.verified(parsed, key, t.algorithms, jwt.Expected{Issuer: t.URL, AnyAudience: jwt.Audience{t.audience}}, &said)
	if err != nil {
		return access.Principal{}, err
	}
	person := values(said, t.PersonClaim)
	if claims.Subject == "" || len(person) != 1 {
		return access.Principal{}, refuse(Malformed, errors.New("the token names nobody: it has no sub, or not the claim that names the person"))
	}
	who := access.Principal{
		Person: person[0], Issuer: t.URL, Subject: claims.Subject, Claims: map[string][]string{},
		SecondFactor: slices.ContainsFunc(values(said, t.SecondFactorClaim), func(value string) bool { return slices.Contains(t.SecondFactorValues, value) }),
		Session:      digest(first(values(said, "sid"), claims.ID)),
	}
	for _, name := range t.Claims {
		if found := values(said, name); len(found) > 0 {
			who.Claims[name] = found[:min(len(found), mostValues)]
		}
	}
	return who, nil
}

// values are the texts of a claim: one, or a list of them. A name with points goes into objects where no claim has it as it is.
func values(said map[string]any, name string) []string {
	found, ok := said[name]
	if !ok {
		object, rest, inside := strings.Cut(name, ".")
		if deeper, isObject := said[object].(map[string]any); inside && isObject {
			return values(deeper, rest)
		}
		return nil
	}
	switch found := found.(type) {
	case string:
		return []string{found}
	case []any:
		var out []string
		for _, one := range found {
			if text, isText := one.(string); isText {
				out = append(out, text)
			}
		}
		return out
	default:
		return nil
	}
}

func first(found []string, otherwise string) string {
	if len(found) > 0 {
		return found[0]
	}
	return otherwise
}

// service looks up a service token.
func (v *Verifier) service(token string) (access.Principal, error) {
	if v.options.Services == nil {
		return access.Principal{}, refuse(UnknownToken, nil)
	}
	t, err := v.options.Services.Look(token)
	switch {
	case errors.Is(err, servicetoken.ErrUnknown):
		return access.Principal{}, refuse(UnknownToken, nil)
	case errors.Is(err, servicetoken.ErrRevoked):
		return access.Principal{}, refuse(Revoked, nil)
	case errors.Is(err, servicetoken.ErrExpired):
		return access.Principal{}, refuse(Expired, nil)
	case err != nil:
		return access.Principal{}, refuse(KeysMissing, err)
	}
	return access.Principal{
		Person: access.ServicePrefix + t.Name, Service: true, Issuer: access.ServiceTokens, Subject: t.ID, Session: t.ID,
		Scope: &access.Scope{Role: t.Role, Clinics: slices.Clone(t.Clinics), Permissions: slices.Clone(t.Permissions)},
	}, nil
}

// acceptable refuses people who cannot be named in the log, and those without a second factor where one is demanded.
func (v *Verifier) acceptable(who access.Principal) error {
	if who.Service {
		return nil
	}
	for _, name := range append([]string{who.Person, who.Subject}, who.Teams...) {
		if name == "" || len(name) > longestName || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return refuse(Malformed, errors.New("a name in the token is empty, too long, or not one line"))
		}
	}
	if strings.HasPrefix(who.Person, access.ServicePrefix) {
		return refuse(Malformed, errors.New("a person's token has the name of a service"))
	}
	if v.options.CheckPerson != nil {
		if v.options.CheckPerson(who.Person) != nil {
			r := refuse(Anonymous, errors.New("the audit log does not take the person's name"))
			r.Message, r.Hint = "the sign-in is of a name that several people may share", "sign in as yourself: every person needs a login of their own"
			return r
		}
	}
	if v.options.RequireSecondFactor && !who.SecondFactor {
		return refuse(NoSecondFactor, nil)
	}
	return nil
}

// digest names a session without saying what its token could be found by.
func digest(id string) string {
	if id == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("session\x00" + id))
	return hex.EncodeToString(sum[:8])
}
