// Package secret keeps passwords, keys and account names in a type that nothing prints.
//
// It is the one home for them: a key of the vault, a portal's password and the secret behind its one-time codes are all
// Bytes. Whoever needs the content says so by calling Expose or Text, which is what to look for in a review.
package secret

import (
	"crypto/subtle"
	"encoding"
	"encoding/gob"
	"fmt"
	"log/slog"
)

// Redacted is what every printed form of a secret is.
const Redacted = "[redacted]"

// Bytes is a secret of any length whose every printed or encoded form is [redacted], also as a part of something else.
// The zero Bytes is empty. Copies share their content: Wipe empties all of them.
type Bytes struct {
	// A function is the one kind of value whose contents no printer, encoder or debugger-by-reflection walks into. fmt does
	// not ask a value in an unexported field how it wants to be printed, and would walk through a pointer.
	held func() *[]byte
}

// The forms in which encoders ask for a value.
var (
	_ fmt.Formatter            = Bytes{}
	_ fmt.GoStringer           = Bytes{}
	_ encoding.TextMarshaler   = Bytes{}
	_ encoding.BinaryMarshaler = Bytes{}
	_ gob.GobEncoder           = Bytes{}
	_ slog.LogValuer           = Bytes{}
)

// New keeps a copy of a secret. The caller wipes its own when it is done with it.
func New(content []byte) Bytes {
	return own(append(make([]byte, 0, len(content)), content...))
}

// Own keeps a secret without copying it: the caller gives it away.
func Own(content []byte) Bytes { return own(content) }

// FromText keeps a secret that is a string already. What Go holds as a string cannot be wiped; read into bytes where it
// matters.
func FromText(content string) Bytes { return own([]byte(content)) }

func own(content []byte) Bytes {
	return Bytes{held: func() *[]byte { return &content }}
}

// Expose gives a copy of the content, for the one who encrypts or signs with it; nil where there is none. Wipe the copy
// after use.
func (b Bytes) Expose() []byte {
	if b.IsZero() {
		return nil
	}
	return append([]byte(nil), *b.held()...)
}

// Borrow calls use with the content itself, which must neither be kept nor changed.
func (b Bytes) Borrow(use func(content []byte)) {
	if b.held == nil {
		use(nil)
		return
	}
	use(*b.held())
}

// Text is the content as a string, for the one who types it into a form.
func (b Bytes) Text() string { return string(b.Expose()) }

// IsZero reports whether there is nothing in it, or nothing any more.
func (b Bytes) IsZero() bool { return b.held == nil || len(*b.held()) == 0 }

// Equal compares two secrets in a time that does not tell where they differ.
func (b Bytes) Equal(other Bytes) bool {
	x, y := b.Expose(), other.Expose()
	defer Wipe(x)
	defer Wipe(y)
	return subtle.ConstantTimeCompare(x, y) == 1
}

// Wipe overwrites the content and empties this secret and all its copies. It must not run beside another call.
func (b Bytes) Wipe() {
	if b.held == nil {
		return
	}
	content := b.held()
	Wipe(*content)
	*content = nil
}

// Wipe overwrites bytes that held a secret. Go may have copied them elsewhere while growing a slice or a stack, so this
// shortens how long a secret lies in memory and promises no more.
func Wipe(content []byte) { clear(content) }

// String is [redacted].
func (Bytes) String() string { return Redacted }

// GoString is [redacted], which is what %#v prints.
func (Bytes) GoString() string { return Redacted }

// Format prints [redacted] for every verb and flag.
func (Bytes) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Redacted)) }

// MarshalText gives [redacted], in JSON, YAML and XML too.
func (Bytes) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// MarshalBinary gives [redacted].
func (Bytes) MarshalBinary() ([]byte, error) { return []byte(Redacted), nil }

// GobEncode gives [redacted].
func (Bytes) GobEncode() ([]byte, error) { return []byte(Redacted), nil }

// LogValue is [redacted].
func (Bytes) LogValue() slog.Value { return slog.StringValue(Redacted) }
