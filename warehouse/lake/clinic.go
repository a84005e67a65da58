package lake

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
	"sync/atomic"
	"time"
)

// ClinicID is a clinic's name in the lake: a slug, so that it can stand in a path, an address and a command line alike.
type ClinicID string

var clinicSlug = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// ParseClinicID checks that a string is a slug of a-z, 0-9 and '-', of 1 to 63 characters, with no '-' at its ends.
func ParseClinicID(s string) (ClinicID, error) {
	if clinicSlug.MatchString(s) {
		return ClinicID(s), nil
	}
	err := fmt.Errorf("%q is not a clinic id: use 1 to 63 of a-z, 0-9 and '-'", s)
	slug := strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "-")
	if clinicSlug.MatchString(slug) {
		err = fmt.Errorf("%w, such as %q", err, slug)
	}
	return "", err
}

// Options are what a Clinic needs beside its store.
type Options struct {
	// NamingKey makes the names of objects, at least 32 random bytes that never change for a clinic. A reader that does not
	// verify can do without.
	NamingKey []byte
	// Sealed gives datasets a key of their own, by name. What is written of them is sealed; who opens the clinic without
	// the key reads all but those.
	Sealed map[string]Sealer
	// Keys are what an encrypted clinic is written and read with; nil where there are none.
	Keys *Keys
	// Encrypt begins a new clinic encrypted, and keeps Update from following a commit that is not. Without it a new clinic is
	// begun unencrypted. A clinic that is encrypted stays so either way.
	Encrypt bool
	// Cache keeps on this machine what snapshots read of a distant store; nil for none. It needs the naming key.
	Cache Cache
	// KeyVersion is the version of the keys that the writer makes pseudonyms with. Update refuses to follow a commit whose
	// pseudonyms are of another one. 0 is 1.
	KeyVersion int
	// Allowed says why nothing may be written to the clinic any more; Update asks before each attempt and before it
	// publishes. Nil allows it.
	Allowed func(ctx context.Context) error
	// Now is the clock that dates commits; nil is time.Now.
	Now func() time.Time
	// Random tells a writer's commits from another's; nil is crypto/rand.
	Random io.Reader
}

// Clinic is one clinic's prefix in a lake. Its methods may be called from several goroutines.
type Clinic struct {
	store  Store
	id     ClinicID
	key    []byte
	now    func() time.Time
	random io.Reader
	seal   sealer
	// keys are those of an encrypted clinic, encrypt what the options say.
	keys    *Keys
	encrypt bool
	// allowed is never nil.
	allowed func(ctx context.Context) error
	sealed  map[string]Sealer
	// keyVersion is 0 for version 1, as in a commit.
	keyVersion int
	// cache is nil where there is none; reading says that it is looked into.
	cache Cache
	// erasures is the greatest count of erasures that a newest commit has named, -1 before one was read.
	erasures *atomic.Int64
	reading  bool
}

// ErrNoCommit is returned for a clinic, or a number, of which there is no commit.
var ErrNoCommit = errors.New("no such commit")

// Open is one clinic's part of a lake. It does no request; the clinic need not exist yet.
func Open(store Store, id ClinicID, o Options) (*Clinic, error) {
	if _, err := ParseClinicID(string(id)); err != nil {
		return nil, err
	}
	if o.NamingKey != nil && len(o.NamingKey) < 32 {
		return nil, fmt.Errorf("the naming key of clinic %s has %d bytes: it needs 32", id, len(o.NamingKey))
	}
	c := &Clinic{store: store, id: id, key: o.NamingKey, now: o.Now, random: o.Random, seal: plain{}, sealed: o.Sealed, keys: o.Keys, encrypt: o.Encrypt, cache: o.Cache}
	c.erasures = new(atomic.Int64)
	c.erasures.Store(-1)
	if o.KeyVersion > 1 {
		c.keyVersion = o.KeyVersion
	}
	if c.allowed = o.Allowed; c.allowed == nil {
		c.allowed = func(context.Context) error { return nil }
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.random == nil {
		c.random = rand.Reader
	}
	return c, nil
}

// ID is the clinic's id.
func (c *Clinic) ID() ClinicID { return c.id }

// Store is where the clinic lies.
func (c *Clinic) Store() Store { return c.store }

const clinicFolder = "clinic="

// name is the store's name of one of the clinic's objects.
func (c *Clinic) name(object string) string { return clinicFolder + string(c.id) + "/" + object }

// Clinics lists the clinics of a lake in order, at one request each on S3.
func Clinics(ctx context.Context, store Store) ([]ClinicID, error) {
	var out []ClinicID
	after := ""
	for {
		found := ""
		for name, err := range store.List(ctx, clinicFolder, after) {
			if err != nil {
				return nil, err
			}
			found = name
			break
		}
		if found == "" {
			return out, nil
		}
		folder, _, ok := strings.Cut(found, "/")
		if !ok {
			after = found
			continue
		}
		if id, err := ParseClinicID(strings.TrimPrefix(folder, clinicFolder)); err == nil {
			out = append(out, id)
		}
		after = folder + "0" // '0' follows '/': past everything in the folder
	}
}

// CreateKey stores a sealed key under keys/. Keys are created once and never replaced: rotation writes another name. The
// lake does not look inside.
func (c *Clinic) CreateKey(ctx context.Context, name string, sealed []byte) error {
	return c.store.Create(ctx, c.name(path.Join("keys", name)), sealed)
}

// Key reads a sealed key, or returns ErrNotFound.
func (c *Clinic) Key(ctx context.Context, name string) ([]byte, error) {
	return c.store.Get(ctx, c.name(path.Join("keys", name)))
}

// Keys lists the names of the sealed keys.
func (c *Clinic) Keys(ctx context.Context) ([]string, error) {
	var out []string
	folder := c.name("keys/")
	for name, err := range c.store.List(ctx, folder, "") {
		if err != nil {
			return nil, err
		}
		out = append(out, strings.TrimPrefix(name, folder))
	}
	return out, nil
}

// At is the commit of a number, or ErrNoCommit.
func (c *Clinic) At(ctx context.Context, number int64) (*Commit, error) {
	if number < 1 {
		return nil, fmt.Errorf("commit %d of clinic %s: %w: they count from 1", number, c.id, ErrNoCommit)
	}
	body, err := c.store.Get(ctx, c.name(commitName(number)))
	if errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("commit %d of clinic %s in %s: %w", number, c.id, c.store, ErrNoCommit)
	}
	if err != nil {
		return nil, fmt.Errorf("read commit %d of clinic %s: %w", number, c.id, err)
	}
	return c.decode(number, body)
}

// SealedCommit says whether the stored bytes of a commit are encrypted.
func SealedCommit(stored []byte) bool {
	var e envelope
	return json.Unmarshal(stored, &e) == nil && e.Key != ""
}

// OpensCommit says whether any of these keys opens the stored bytes of a commit that is encrypted.
func OpensCommit(keys *Keys, clinic ClinicID, number int64, stored []byte) bool {
	if keys == nil || !SealedCommit(stored) {
		return false
	}
	c := &Clinic{id: clinic, keys: keys}
	_, err := c.openCommit(number, stored)
	return err == nil
}

func (c *Clinic) decode(number int64, body []byte) (*Commit, error) {
	body, err := c.openCommit(number, body)
	var commit *Commit
	if err == nil {
		commit, err = DecodeCommit(body)
	}
	if err == nil && commit.Number != number {
		err = fmt.Errorf("%w: it says it is commit %d", ErrDamaged, commit.Number)
	}
	if errors.Is(err, ErrDamaged) {
		return nil, fmt.Errorf("commit %d of clinic %s in %s cannot be read: %w (restore the object %s from a backup; earlier commits can still be read)",
			number, c.id, c.store, err, c.name(commitName(number)))
	}
	if err != nil {
		return nil, fmt.Errorf("commit %d of clinic %s: %w", number, c.id, err)
	}
	return commit, nil
}

var hashText = base32.StdEncoding.WithPadding(base32.NoPadding)

// hash is the name of an object with these plain bytes.
func (c *Clinic) hash(body []byte) string {
	mac := hmac.New(sha256.New, c.key)
	mac.Write(body)
	return strings.ToLower(hashText.EncodeToString(mac.Sum(nil)))
}

// verify checks an object's plain bytes against its name and size.
func (c *Clinic) verify(o Object, body []byte) error {
	if int64(len(body)) != o.Bytes && !o.erased {
		return fmt.Errorf("object %s of clinic %s is %w: %d bytes, the commit says %d", o.Path, c.id, ErrDamaged, len(body), o.Bytes)
	}
	if c.key == nil {
		return nil
	}
	is := c.hash(body)
	if o.Key != "" {
		key, err := c.dataKey(o.Key)
		if err != nil {
			return err
		}
		is = c.hashUnder(key, formWhole, body)
	}
	if want, _, _ := strings.Cut(path.Base(o.Path), "."); is != want {
		return fmt.Errorf("object %s of clinic %s is %w: its bytes do not have this name (or the naming key is another clinic's)", o.Path, c.id, ErrDamaged)
	}
	return nil
}
