package identity

import (
	"fmt"
	"log/slog"
)

// KeySize is the length of every key in bytes.
const KeySize = 32

const redacted = "[redacted]"

// Secret is a key that cannot be printed: every verb, JSON, text and log form of it is [redacted].
//
// The bytes lie behind two pointers, because fmt does not ask a value in an unexported field how it wants to be printed:
// inside somebody's struct an array would show its bytes, and so would a pointer to one under a verb that does not fit
// pointers, such as %s. Of the second pointer fmt shows an address at most.
type Secret struct{ box *box }

type box struct{ key *[KeySize]byte }

// NewSecret copies a key of KeySize bytes.
func NewSecret(key []byte) (Secret, error) {
	if len(key) != KeySize {
		return Secret{}, fmt.Errorf("a key has %d bytes, this one %d", KeySize, len(key))
	}
	return Secret{&box{(*[KeySize]byte)(append([]byte(nil), key...))}}, nil
}

// Expose gives a copy of the key's bytes, for the one who encrypts or signs with it. It is empty for the zero Secret.
func (s Secret) Expose() []byte {
	if s.IsZero() {
		return nil
	}
	return append([]byte(nil), s.box.key[:]...)
}

// IsZero reports whether there is no key.
func (s Secret) IsZero() bool { return s.box == nil }

// String hides the key.
func (s Secret) String() string { return redacted }

// GoString hides the key from %#v.
func (s Secret) GoString() string { return redacted }

// Format hides the key from every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText hides the key from JSON, YAML and XML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue hides the key from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
