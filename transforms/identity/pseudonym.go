// Package identity turns what identifies a person, payer or policy into keyed pseudonyms.
//
// Every clinic has one 32-byte key. Keys for single purposes are derived from it with HKDF-SHA-256 (RFC 5869), so that
// the key that names objects in a store says nothing about the one that makes pseudonyms. A pseudonym is
//
//	p<key version>_<base32 of the first 128 bits of HMAC-SHA-256(pseudonym key, kind | source id)>
//
// in lower case without padding. The same patient of the same clinic always has the same pseudonym; patients of two
// clinics can never be joined; and without the key nobody can find a pseudonym's origin by trying identifiers, as they
// could with a plain hash.
package identity

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strconv"
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
)

// The purposes for which keys are derived. They are part of every pseudonym and object name for ever.
const (
	purposePseudonyms  = "falloff/v1/pseudonyms"
	purposeObjectNames = "falloff/v1/object-names"
)

// Keys are what is derived from one clinic's key.
type Keys struct {
	// Version is the number that pseudonyms carry; a rekey raises it.
	Version     int
	pseudonyms  Secret
	objectNames Secret
}

// Derive makes the keys of a clinic. version starts at 1.
func Derive(clinic Secret, version int) (Keys, error) {
	if clinic.IsZero() {
		return Keys{}, errors.New("deriving the clinic's keys: there is no clinic key. Open the vault first")
	}
	if version < 1 {
		return Keys{}, fmt.Errorf("deriving the clinic's keys: version %d is not positive", version)
	}
	keys := Keys{Version: version}
	for purpose, into := range map[string]*Secret{purposePseudonyms: &keys.pseudonyms, purposeObjectNames: &keys.objectNames} {
		key, err := hkdf.Key(sha256.New, clinic.Expose(), nil, purpose, KeySize)
		if err != nil {
			return Keys{}, fmt.Errorf("deriving the key for %s: %w", purpose, err)
		}
		if *into, err = NewSecret(key); err != nil {
			return Keys{}, fmt.Errorf("deriving the key for %s: %w", purpose, err)
		}
	}
	return keys, nil
}

// IsZero reports whether there are no keys.
func (k Keys) IsZero() bool { return k.pseudonyms.IsZero() }

// ObjectNames is the key under which a lake names its objects.
func (k Keys) ObjectNames() Secret { return k.objectNames }

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Pseudonym is the pseudonym of a source id. It panics without keys: a pseudonym under an empty key would be a plain
// hash that anybody can undo.
func (k Keys) Pseudonym(kind Kind, id string) string {
	if k.IsZero() {
		panic("identity: Pseudonym called without keys")
	}
	mac := hmac.New(sha256.New, k.pseudonyms.box.key[:])
	mac.Write([]byte(string(kind) + "|" + id))
	var sum [sha256.Size]byte
	out := make([]byte, 0, 32)
	out = append(out, 'p')
	out = strconv.AppendInt(out, int64(k.Version), 10)
	out = append(out, '_')
	return string(base32Lower.AppendEncode(out, mac.Sum(sum[:0])[:16]))
}
