// Package plugintoken is what the Grafana plugin says to the query server about the person who is signed in to Grafana: a token
// that lives for seconds, signed with a key that the two share. It is the one package of the server that the plugin takes in, and
// needs neither cgo nor anything of the lake.
//
// Grafana tells a plugin's backend login, name, e-mail and the role in the organisation (backend.PluginContext.User). It tells
// neither teams nor whether a second factor was used. Teams are said where the plugin has asked Grafana for them; the second
// factor only where the data source's settings state that Grafana's sign-in enforces one. Nothing of the person's name or e-mail
// goes into the token: the login is enough.
package plugintoken

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/falloff-analytics/falloff/transforms/secret"
)

const (
	// Issuer is what iss of every token says.
	Issuer = "falloff-grafana-plugin"
	// Audience is what aud of every token says.
	Audience = "falloff-server"
	// Life is how long a token is good for.
	Life = 60 * time.Second
	// AllClinics is what Clinic says of a token that is bound to none.
	AllClinics = "*"

	keySize   = 32
	keyPrefix = "fpk1_"
)

// Key is the key that plugin and server share. No printed form shows it.
type Key struct {
	id     string
	secret secret.Bytes
}

// NewKey makes a key. The random source is crypto/rand's Reader but in tests.
func NewKey(random io.Reader) (Key, error) {
	raw := make([]byte, keySize)
	if _, err := io.ReadFull(random, raw); err != nil {
		return Key{}, fmt.Errorf("making a key for the Grafana plugin: %w", err)
	}
	return keyOf(raw), nil
}

func keyOf(raw []byte) Key {
	sum := sha256.Sum256(append([]byte(keyPrefix), raw...))
	return Key{id: hex.EncodeToString(sum[:6]), secret: secret.Own(raw)}
}

// ParseKey reads a key as Text gives it. Its error repeats nothing of it.
func ParseKey(text string) (Key, error) {
	body, ok := strings.CutPrefix(strings.TrimSpace(text), keyPrefix)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if !ok || err != nil || len(raw) != keySize {
		return Key{}, errors.New("it is not a plugin key: copy the whole line that begins with " + keyPrefix)
	}
	return keyOf(raw), nil
}

// Text is the key as it is typed into the data source's settings.
func (k Key) Text() string {
	text := keyPrefix
	k.secret.Borrow(func(raw []byte) { text += base64.RawURLEncoding.EncodeToString(raw) })
	return text
}

// ID names the key in the token's kid, so that two can be good while one replaces the other.
func (k Key) ID() string { return k.id }

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.secret.IsZero() }

// Borrow calls use with the key itself, which must neither be kept nor changed.
func (k Key) Borrow(use func(raw []byte)) { k.secret.Borrow(use) }

// Person is what a token says.
type Person struct {
	// Login is the name in Grafana.
	Login string `json:"sub"`
	// Role is that in Grafana's organisation: Viewer, Editor or Admin.
	Role string `json:"role,omitempty"`
	// Teams are the names of the teams, where they were asked for.
	Teams []string `json:"teams,omitempty"`
	// Clinic is the one clinic that the request is about, or AllClinics.
	Clinic string `json:"clinic"`
	// SecondFactor says that Grafana's sign-in enforces one.
	SecondFactor bool `json:"mfa"`
	// Request is the one request that the token is for (RequestOf); empty leaves it open.
	Request string `json:"req,omitempty"`
}

// RequestOf names a request by its method and path. What follows a ? is not in it: proxies may write it in another way.
func RequestOf(method, path string) string {
	path, _, _ = strings.Cut(path, "?")
	return method + " " + path
}

// Signer signs for one data source.
type Signer struct {
	key Key
	now func() time.Time
}

// NewSigner makes a signer; now is nil for time.Now.
func NewSigner(key Key, now func() time.Time) (*Signer, error) {
	if key.IsZero() {
		return nil, errors.New("the plugin has no key: paste the one that falloff token plugin-key prints")
	}
	if now == nil {
		now = time.Now
	}
	return &Signer{key: key, now: now}, nil
}

// Sign makes a token for one request, to be sent as Authorization: Bearer.
func (s *Signer) Sign(p Person) (string, error) {
	if p.Login == "" || p.Clinic == "" {
		return "", errors.New("a request needs somebody who is signed in, and the clinic that it is about")
	}
	var id [12]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", fmt.Errorf("naming a token: %w", err)
	}
	now := s.now()
	claims := jwt.Claims{
		Issuer: Issuer, Audience: jwt.Audience{Audience}, ID: hex.EncodeToString(id[:]),
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(Life)),
	}
	var token string
	var err error
	s.key.Borrow(func(raw []byte) {
		var signer jose.Signer
		signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: raw}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", s.key.id))
		if err == nil {
			token, err = jwt.Signed(signer).Claims(claims).Claims(p).Serialize()
		}
	})
	if err != nil {
		return "", errors.New("a token could not be signed")
	}
	return token, nil
}
