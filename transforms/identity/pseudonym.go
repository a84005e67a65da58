// Package identity turns what identifies a person, payer or policy into keyed pseudonyms.
//
// Every clinic has a chain of 32-byte keys: one at first, one more after every rekey. Keys for single purposes are derived
// from them with HKDF-SHA-256 (RFC 5869), so that the key that names objects in a store says nothing about the one that
// makes pseudonyms. A pseudonym of the first version is
//
//	p1_<base32 of the first 128 bits of HMAC-SHA-256(first pseudonym key, kind | source id)>
//
// in lower case without padding, and one of a later version n is made of the version before it:
//
//	pn_<base32 of the first 128 bits of HMAC-SHA-256(n-th pseudonym key, kind | pseudonym of version n-1)>
//
// So rows that are stored can be brought to a new key without the source ids, which nobody has any more, and a report that
// comes in later gives the same. The same patient of the same clinic always has the same pseudonym; patients of two
// clinics can never be joined; and without the keys nobody can find a pseudonym's origin by trying identifiers, as they
// could with a plain hash.
package identity

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/falloff-analytics/falloff/transforms/secret"
)

// Kind is what a source id identifies. Equal ids of two kinds have different pseudonyms.
type Kind string

// The kinds.
const (
	Patient Kind = "patient"
	Payer   Kind = "payer"
	Policy  Kind = "policy"
	Claim   Kind = "claim"
	Staff   Kind = "staff"
	// Payment is a payment that the portal did not number.
	Payment Kind = "payment"
	// Leak is a leak where its own name, which can have a patient in it, must not stand.
	Leak Kind = "leak"
)

// The purposes for which keys are derived. They are part of every pseudonym and object name for ever.
const (
	purposePseudonyms  = "falloff/v1/pseudonyms"
	purposeObjectNames = "falloff/v1/object-names"
	purposeCheck       = "falloff/v1/key-check"
	purposeErased      = "falloff/v1/erased"
)

// Keys are what is derived from one clinic's chain of keys.
type Keys struct {
	// Version is the number that pseudonyms carry: how many keys the chain has. A rekey raises it.
	Version     int
	pseudonyms  []Secret
	checks      []Secret
	objectNames Secret
	erased      Secret
}

// Derive makes the keys of a clinic from its chain, the first key first. Objects are named under the first one for ever:
// a rekey changes what is in them, not how they are named.
func Derive(chain ...Secret) (Keys, error) {
	if len(chain) == 0 {
		return Keys{}, errors.New("deriving the clinic's keys: there is no clinic key. Open the vault first")
	}
	keys := Keys{Version: len(chain)}
	for i, clinic := range chain {
		if clinic.IsZero() {
			return Keys{}, fmt.Errorf("deriving the clinic's keys: there is no key of version %d. Open the vault first", i+1)
		}
		pseudonyms, err := derive(clinic, purposePseudonyms)
		if err != nil {
			return Keys{}, err
		}
		check, err := derive(clinic, purposeCheck)
		if err != nil {
			return Keys{}, err
		}
		keys.pseudonyms, keys.checks = append(keys.pseudonyms, pseudonyms), append(keys.checks, check)
	}
	var err error
	if keys.objectNames, err = derive(chain[0], purposeObjectNames); err != nil {
		return Keys{}, err
	}
	keys.erased, err = derive(chain[0], purposeErased)
	return keys, err
}

func derive(clinic Secret, purpose string) (derived Secret, err error) {
	clinic.Borrow(func(content []byte) {
		var key []byte
		if key, err = hkdf.Key(sha256.New, content, nil, purpose, KeySize); err == nil {
			derived = Secret{secret.Own(key)}
		}
	})
	if err != nil {
		return Secret{}, fmt.Errorf("deriving the key for %s: %w", purpose, err)
	}
	return derived, nil
}

// IsZero reports whether there are no keys.
func (k Keys) IsZero() bool { return len(k.pseudonyms) == 0 }

// At are the keys as they were at an earlier version.
func (k Keys) At(version int) (Keys, error) {
	if version < 1 || version > k.Version {
		return Keys{}, fmt.Errorf("there are keys of the versions 1 to %d, not of version %d", k.Version, version)
	}
	k.Version, k.pseudonyms, k.checks = version, k.pseudonyms[:version], k.checks[:version]
	return k, nil
}

// ObjectNames is the key under which a lake names its objects.
func (k Keys) ObjectNames() Secret { return k.objectNames }

// Check is a fingerprint of the whole chain, which says of two chains whether they are one and nothing about either. It may
// lie beside the data.
func (k Keys) Check() string {
	var sum []byte
	for _, key := range k.checks {
		sum = sign(key, []byte("check|"+hex.EncodeToString(sum)))
	}
	return hex.EncodeToString(sum[:min(len(sum), 16)])
}

func sign(key Secret, message []byte) (sum []byte) {
	key.Borrow(func(content []byte) {
		mac := hmac.New(sha256.New, content)
		mac.Write(message)
		sum = mac.Sum(make([]byte, 0, sha256.Size))
	})
	return sum
}

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Pseudonym is the pseudonym of a source id. It panics without keys: a pseudonym under an empty key would be a plain
// hash that anybody can undo.
func (k Keys) Pseudonym(kind Kind, id string) string {
	if k.IsZero() {
		panic("identity: Pseudonym called without keys")
	}
	for i := range k.pseudonyms {
		id = k.link(i+1, kind, id)
	}
	return id
}

// Lineage is the pseudonyms of a source id of every version, the first one first; the last is Pseudonym's.
func (k Keys) Lineage(kind Kind, id string) []string {
	if k.IsZero() {
		panic("identity: Lineage called without keys")
	}
	out := make([]string, len(k.pseudonyms))
	for i := range k.pseudonyms {
		id = k.link(i+1, kind, id)
		out[i] = id
	}
	return out
}

// Refusal is what is kept of the pseudonym, of whichever version, of a patient who was erased, so that the patient is known again: a
// keyed hash under a key of its own. The key comes of the first of the chain, so a rekey changes no refusal.
func (k Keys) Refusal(pseudonym string) string {
	if k.IsZero() {
		panic("identity: Refusal called without keys")
	}
	return base32Lower.EncodeToString(sign(k.erased, []byte(string(Patient)+"|"+pseudonym)))
}

// link makes the pseudonym of one version from that of the version before, or from a source id.
func (k Keys) link(version int, kind Kind, before string) string {
	sum := sign(k.pseudonyms[version-1], []byte(string(kind)+"|"+before))
	out := make([]byte, 0, 32)
	out = append(out, 'p')
	out = strconv.AppendInt(out, int64(version), 10)
	out = append(out, '_')
	return string(base32Lower.AppendEncode(out, sum[:16]))
}

// Next is the pseudonym of the version after a pseudonym's own. It is an error for what is no pseudonym, and for one of the
// newest version.
func (k Keys) Next(kind Kind, pseudonym string) (string, error) {
	version := VersionOf(pseudonym)
	if version == 0 {
		return "", errors.New("it is not a pseudonym")
	}
	if version >= k.Version {
		return "", fmt.Errorf("it is a pseudonym of version %d already, and the keys are of version %d", version, k.Version)
	}
	return k.link(version+1, kind, pseudonym), nil
}

// insideText finds pseudonyms in a text.
var insideText = regexp.MustCompile(`p[1-9][0-9]{0,5}_[a-z2-7]{26}`)

// Inside are the pseudonyms that stand in a text, among other things.
func Inside(text string) []string { return insideText.FindAllString(text, -1) }

// ReplaceInside puts something else in the place of each pseudonym that stands in a text.
func ReplaceInside(text string, with func(pseudonym string) (string, error)) (string, error) {
	var failed error
	out := insideText.ReplaceAllStringFunc(text, func(found string) string {
		other, err := with(found)
		failed = errors.Join(failed, err)
		return other
	})
	return out, failed
}

var pseudonymText = regexp.MustCompile(`^p([1-9][0-9]{0,5})_[a-z2-7]{26}$`)

// VersionOf is the version that a pseudonym carries, 0 for what is no pseudonym.
func VersionOf(text string) int {
	found := pseudonymText.FindStringSubmatch(text)
	if found == nil {
		return 0
	}
	version, _ := strconv.Atoi(found[1])
	return version
}
