package lake

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"

	"github.com/falloff-analytics/falloff/transforms/secret"
)

// Encryption says how a clinic's objects lie in its store. It is chosen with the first commit, and every commit says it.
type Encryption string

// The kinds. Commits from before there were any say nothing, which is Unencrypted.
const (
	// Unencrypted objects lie as they are: whoever can read the store can read them.
	Unencrypted Encryption = "none"
	// ByParquet is Parquet's own encryption of rows and marts, AES-256-GCM throughout, footers included; every other
	// object that a commit names, and the commit itself, is sealed whole.
	ByParquet Encryption = "parquet"
)

// ErrPlainLake is returned to a writer that was to encrypt, for a clinic that is not encrypted.
var ErrPlainLake = errors.New("the clinic is stored unencrypted")

// Keys are what an encrypted clinic is written and read with: the newest key writes, all of them read. They never print.
type Keys struct {
	newest *dataKey
	byID   map[string]*dataKey
}

// dataKey is what is made of one key.
type dataKey struct {
	// id tells one key from another; nothing about the key follows from it.
	id string
	// footer is the key of Parquet files, whole seals everything else.
	footer secret.Bytes
	whole  *subtle.AESGCM
}

// dataKeySize is the length of a key in bytes.
const dataKeySize = 32

// NewKeys makes the keys of a clinic of its secrets, 32 random bytes each, the newest last. None at all are no keys.
func NewKeys(oldestFirst ...secret.Bytes) (*Keys, error) {
	if len(oldestFirst) == 0 {
		return nil, nil //nolint:nilnil // no keys
	}
	k := &Keys{byID: map[string]*dataKey{}}
	for _, s := range oldestFirst {
		d, err := newDataKey(s)
		if err != nil {
			return nil, err
		}
		k.newest, k.byID[d.id] = d, d
	}
	return k, nil
}

func newDataKey(s secret.Bytes) (d *dataKey, err error) {
	s.Borrow(func(raw []byte) {
		if len(raw) != dataKeySize {
			err = fmt.Errorf("a key of stored data has %d bytes, this one %d", dataKeySize, len(raw))
			return
		}
		derive := func(purpose string, size int) (out []byte) {
			if err == nil {
				out, err = hkdf.Key(sha256.New, raw, nil, "falloff lake v1 "+purpose, size)
			}
			return out
		}
		id, footer, whole := derive("id", 8), derive("parquet", dataKeySize), derive("whole objects", dataKeySize)
		if err != nil {
			return
		}
		d = &dataKey{id: hex.EncodeToString(id), footer: secret.Own(footer)}
		d.whole, err = subtle.NewAESGCM(whole)
	})
	if err != nil {
		return nil, fmt.Errorf("prepare a key of stored data: %w", err)
	}
	return d, nil
}

// Format prints no key, whatever is asked for.
func (*Keys) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(secret.Redacted)) }

// Format prints no key, whatever is asked for.
func (*dataKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(secret.Redacted)) }

// Newest names the key that writes; empty where there is none.
func (k *Keys) Newest() string {
	if k == nil {
		return ""
	}
	return k.newest.id
}

// key is the key of a name, or ErrSealed.
func (c *Clinic) dataKey(id string) (*dataKey, error) {
	if c.keys != nil {
		if d := c.keys.byID[id]; d != nil {
			return d, nil
		}
	}
	return nil, fmt.Errorf("clinic %s is encrypted, key %s: %w: restore the vault that has it from your copy, or name its folder with --config-dir", c.id, id, ErrSealed)
}

// about binds sealed bytes to the place that they lie in.
func (c *Clinic) about(path string) []byte { return []byte("falloff lake object v1|" + c.name(path)) }

// whole seals one object as a whole, bound to its name.
type whole struct {
	key   *dataKey
	about []byte
}

func (w whole) seal(plain []byte) ([]byte, error) { return w.key.whole.Encrypt(plain, w.about) }
func (w whole) transparent() bool                 { return false }

func (w whole) open(stored []byte) ([]byte, error) {
	plain, err := w.key.whole.Decrypt(stored, w.about)
	if err != nil {
		return nil, fmt.Errorf("%w: it was sealed under another key or another name, or changed since", ErrDamaged)
	}
	return plain, nil
}

// hashUnder is the name of an object that is encrypted under a key. Names differ by key, so that what is to be written anew
// under a newer one is not taken for being there already.
func (c *Clinic) hashUnder(key *dataKey, form string, content []byte) string {
	mac := hmac.New(sha256.New, c.key)
	_, _ = fmt.Fprintf(mac, "falloff encrypted %s v1|%s|", form, key.id)
	mac.Write(content)
	return strings.ToLower(hashText.EncodeToString(mac.Sum(nil)))
}

// The forms of encrypted objects, as their names tell them apart.
const (
	formRows  = "rows"
	formWhole = "whole"
)

// isTable says that an object is encrypted as Parquet; others are sealed whole.
func (o Object) isTable() bool {
	return o.Key != "" && strings.HasSuffix(o.Path, parquetEnding) && path.Base(path.Dir(o.Path)) != "removed"
}

const parquetEnding = ".parquet"

// sumOf is what a commit keeps of an encrypted object's stored bytes: encryption authenticates what it protects, and this the
// rest of the file.
func sumOf(stored []byte) string {
	sum := sha256.Sum256(stored)
	return hex.EncodeToString(sum[:])
}

// envelope is a commit of an encrypted clinic as it is stored.
type envelope struct {
	Format int    `json:"format"`
	Number int64  `json:"number"`
	Key    string `json:"sealed_under"`
	Body   []byte `json:"body"`
}

// encode is the stored form of a commit.
func (c *Clinic) encode(commit *Commit) ([]byte, error) {
	body, err := EncodeCommit(commit)
	if err != nil || !commit.Encrypted() {
		return body, err
	}
	if c.keys == nil {
		return nil, fmt.Errorf("seal commit %d: %w", commit.Number, ErrSealed)
	}
	key := c.keys.newest
	sealed, err := whole{key, c.about(commitName(commit.Number))}.seal(body)
	if err != nil {
		return nil, fmt.Errorf("seal commit %d: %w", commit.Number, err)
	}
	body, err = json.Marshal(envelope{Format: commit.Format, Number: commit.Number, Key: key.id, Body: sealed})
	return append(body, '\n'), err
}

// openCommit gives a stored commit without its seal, where it has one.
func (c *Clinic) openCommit(number int64, stored []byte) ([]byte, error) {
	var e envelope
	if err := json.Unmarshal(stored, &e); err != nil || e.Key == "" || e.Format > commitFormat {
		return stored, nil //nolint:nilerr // it is no envelope that this program knows: who decodes it says what is wrong
	}
	key, err := c.dataKey(e.Key)
	if err != nil {
		return nil, err
	}
	return whole{key, c.about(commitName(number))}.open(e.Body)
}

// Encrypted says whether the commit's objects are encrypted.
func (c *Commit) Encrypted() bool { return c.Encryption == ByParquet }

// validateEncryption says what does not go together.
func (c *Commit) validateEncryption() error {
	switch c.Encryption {
	case "", Unencrypted, ByParquet:
	default:
		return fmt.Errorf("encryption %q", c.Encryption)
	}
	for o := range c.objects {
		switch {
		case o.Sealed && o.Key != "":
			return fmt.Errorf("object %s under two keys", o.Path)
		case !o.Sealed && c.Encrypted() != (o.Key != ""):
			return fmt.Errorf("object %s under key %q in a commit with encryption %q", o.Path, o.Key, c.Encryption)
		case o.Key != "" && len(o.Sum) != hex.EncodedLen(sha256.Size):
			return fmt.Errorf("object %s has no sum", o.Path)
		}
	}
	return nil
}
