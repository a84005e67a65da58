// Package servicetoken keeps the tokens of batch jobs: what each opens, until when, and a hash of it. A token is shown once, when
// it is issued, and is then in nobody's hands but the job's. With it comes a code by which a lost token is replaced, once, by
// whoever keeps the code: the token that is lost ends with that.
//
// Tokens lie in one file of the configuration folder, readable by its owner alone, which is replaced as a whole. They are 256 bits
// of chance, so a plain SHA-256 of them is as good as a slow hash. Each step is told to Log before it is done.
package servicetoken

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/falloff-analytics/falloff/transforms/secret"
	"github.com/falloff-analytics/falloff/warehouse/access"
)

const (
	// Prefix begins every token.
	Prefix = "fsv1_"
	// CodePrefix begins every code that replaces one.
	CodePrefix = "fsr1_"
	// LongestLife is how long a token may be good for.
	LongestLife = 366 * 24 * time.Hour

	// attempts is how often a token's code may be tried in an hour, strangers how often codes of no token may.
	attempts  = 5
	strangers = 20
	window    = time.Hour
)

// Errors that a caller decides on.
var (
	ErrUnknown = errors.New("there is no such service token")
	ErrRevoked = errors.New("the service token was revoked, or replaced")
	ErrExpired = errors.New("the service token has expired")
	ErrCode    = errors.New("the code is not the one that came with the token, or was used already")
	ErrTooMany = errors.New("too many codes were tried: wait an hour")
)

// Token is what is known of a token.
type Token struct {
	ID string `json:"id"`
	// Name is what the audit log calls its job: service/<name>.
	Name string `json:"name"`
	// Role, Clinics and Permissions are its scope, as access.Scope has it.
	Role        string              `json:"role"`
	Clinics     []string            `json:"clinics"`
	Permissions []access.Permission `json:"permissions,omitempty"`
	Issued      time.Time           `json:"issued"`
	IssuedBy    string              `json:"issued_by"`
	Expires     time.Time           `json:"expires"`
	// Revoked is when it was ended; zero while it is good.
	Revoked time.Time `json:"revoked,omitzero"`
	// Replaces is the id of the lost one in whose place it was issued.
	Replaces string `json:"replaces,omitempty"`
}

// Good says why a token does not open anything at a moment; nil if it does.
func (t Token) Good(at time.Time) error {
	switch {
	case !t.Revoked.IsZero():
		return ErrRevoked
	case !at.Before(t.Expires):
		return ErrExpired
	default:
		return nil
	}
}

// Issued is a token as it is shown once.
type Issued struct {
	Token
	// Text opens what the token opens, Code replaces it when it is lost.
	Text, Code secret.Bytes
}

// Event is a step that is told to the log.
type Event string

// The steps.
const (
	EventIssued         Event = "issued"
	EventRevoked        Event = "revoked"
	EventReissued       Event = "reissued"
	EventReissueRefused Event = "reissue_refused"
)

// Request says what to issue.
type Request struct {
	Name        string
	Role        access.Role
	Clinics     []string
	Permissions []access.Permission
	Life        time.Duration
	// By is who issues it.
	By string
}

var (
	nameText   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	clinicText = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	tokenText  = regexp.MustCompile(`^fs[vr]1_([a-z2-7]{10})_[a-z2-7]{52}$`)
	letters    = base32.StdEncoding.WithPadding(base32.NoPadding)
)

// check says what of a request cannot be issued.
func (r Request) check() error {
	switch {
	case !nameText.MatchString(r.Name):
		return errors.New("a token's name is lower-case letters, digits and hyphens, at most 40, such as nightly-import")
	case r.Life <= 0 || r.Life > LongestLife:
		return fmt.Errorf("a token is good for a time, of at most %d days", int(LongestLife.Hours()/24))
	case r.Role.Narrowed || r.Role.BySupport || len(r.Role.Permissions()) == 0:
		return fmt.Errorf("the role %s is for people: choose one for services, such as %s", r.Role.Name, access.BatchService)
	case len(r.Clinics) == 0:
		return errors.New(`a token opens clinics by name, or all of them by "*"`)
	}
	for _, clinic := range r.Clinics {
		if !clinicText.MatchString(clinic) && (clinic != "*" || len(r.Clinics) > 1) {
			return fmt.Errorf("%.40q is no clinic's id", clinic)
		}
	}
	for _, p := range r.Permissions {
		if !r.Role.Gives(p) {
			return fmt.Errorf("the role %s does not give %.40q, so no token of it can", r.Role.Name, string(p))
		}
	}
	return nil
}

// draw makes a secret text.
func draw(random io.Reader, prefix, id string) (secret.Bytes, error) {
	var raw [32]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return secret.Bytes{}, fmt.Errorf("drawing a service token: %w", err)
	}
	return secret.Own([]byte(prefix + id + "_" + strings.ToLower(letters.EncodeToString(raw[:])))), nil
}

func drawID(random io.Reader) (string, error) {
	var raw [7]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", fmt.Errorf("drawing a service token: %w", err)
	}
	return strings.ToLower(letters.EncodeToString(raw[:]))[:10], nil
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// matches compares a text with a hash in a time that tells nothing.
func matches(text, hash string) bool {
	return hash != "" && subtle.ConstantTimeCompare([]byte(digest([]byte(text))), []byte(hash)) == 1
}

// idOf finds the id in a token or code; empty if it is neither.
func idOf(text string) string {
	found := tokenText.FindStringSubmatch(text)
	if found == nil {
		return ""
	}
	return found[1]
}

// Look finds the token that a text is. Its errors are ErrUnknown, ErrRevoked, ErrExpired, or that the file cannot be read.
func (s *Store) Look(text string) (Token, error) {
	id := idOf(text)
	if id == "" || !strings.HasPrefix(text, Prefix) {
		return Token{}, ErrUnknown
	}
	kept, err := s.current()
	if err != nil {
		return Token{}, err
	}
	k, ok := kept.find(id)
	if !ok || !matches(text, k.Hash) {
		return Token{}, ErrUnknown
	}
	return k.Token, k.Good(s.now())
}

// List gives all tokens, the newest first.
func (s *Store) List() ([]Token, error) {
	kept, err := s.current()
	if err != nil {
		return nil, err
	}
	out := make([]Token, 0, len(kept.Tokens))
	for _, k := range kept.Tokens {
		out = append(out, k.Token)
	}
	slices.SortStableFunc(out, func(a, b Token) int { return b.Issued.Compare(a.Issued) })
	return out, nil
}

// Issue makes a token. Its text and code are in the answer and nowhere else.
func (s *Store) Issue(ctx context.Context, r Request) (Issued, error) {
	if err := r.check(); err != nil {
		return Issued{}, err
	}
	var out Issued
	err := s.change(func(kept *file) error {
		now := s.now().UTC().Truncate(time.Second)
		for _, k := range kept.Tokens {
			if k.Name == r.Name && k.Good(now) == nil {
				return fmt.Errorf("there is a good token of the name %s already: choose another name, or revoke it", r.Name)
			}
		}
		t := Token{
			Name: r.Name, Role: r.Role.Name, Clinics: r.Clinics, Permissions: r.Permissions, Issued: now, IssuedBy: r.By, Expires: now.Add(r.Life),
		}
		k, issued, err := s.fresh(t)
		if err != nil {
			return err
		}
		if err := s.log(ctx, EventIssued, k.Token); err != nil {
			return err
		}
		kept.Tokens, out = append(kept.Tokens, k), issued
		return nil
	})
	return out, err
}

// fresh gives a token its id, text and code.
func (s *Store) fresh(t Token) (kept, Issued, error) {
	var err error
	if t.ID, err = drawID(s.random); err != nil {
		return kept{}, Issued{}, err
	}
	out := Issued{Token: t}
	if out.Text, err = draw(s.random, Prefix, t.ID); err != nil {
		return kept{}, Issued{}, err
	}
	if out.Code, err = draw(s.random, CodePrefix, t.ID); err != nil {
		return kept{}, Issued{}, err
	}
	k := kept{Token: t}
	out.Text.Borrow(func(text []byte) { k.Hash = digest(text) })
	out.Code.Borrow(func(text []byte) { k.CodeHash = digest(text) })
	return k, out, nil
}

// Revoke ends a token at once; one that has ended stays as it is.
func (s *Store) Revoke(ctx context.Context, id string) (Token, error) {
	var out Token
	err := s.change(func(kept *file) error {
		k, ok := kept.find(id)
		if !ok {
			return ErrUnknown
		}
		out = k.Token
		if !k.Revoked.IsZero() {
			return ErrRevoked
		}
		if err := s.log(ctx, EventRevoked, k.Token); err != nil {
			return err
		}
		k.Revoked = s.now().UTC().Truncate(time.Second)
		out = k.Token
		return nil
	})
	return out, err
}

// Reissue replaces a lost token by the code that came with it: the lost one ends, and the new one opens the same until the same
// day. The code is good once; the new token comes with a new one. A code that is not right counts: after five of a token in an hour none
// is looked at, right or wrong.
func (s *Store) Reissue(ctx context.Context, code, by string) (Issued, error) {
	var out Issued
	var refused error
	err := s.change(func(kept *file) error {
		now := s.now().UTC().Truncate(time.Second)
		k, ok := kept.find(idOf(code))
		tries, most := &kept.Strangers, strangers
		if ok {
			tries, most = &k.Tries, attempts
		}
		*tries = slices.DeleteFunc(*tries, func(at time.Time) bool { return now.Sub(at) >= window })
		switch {
		case len(*tries) >= most:
			refused = ErrTooMany
		case !ok || !strings.HasPrefix(code, CodePrefix) || !matches(code, k.CodeHash):
			*tries = append(*tries, now)
			refused = ErrCode
		default:
			refused = k.Good(now)
		}
		if refused != nil {
			var about Token
			if ok {
				about = k.Token
			}
			return s.log(ctx, EventReissueRefused, about)
		}
		t := k.Token
		t.Issued, t.IssuedBy, t.Replaces = now, by, k.ID
		next, issued, err := s.fresh(t)
		if err != nil {
			return err
		}
		if err := s.log(ctx, EventReissued, next.Token); err != nil {
			return err
		}
		k.Revoked, k.CodeHash = now, ""
		kept.Tokens, out = append(kept.Tokens, next), issued
		return nil
	})
	return out, errors.Join(err, refused)
}
