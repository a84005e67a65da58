package jane

import (
	"fmt"
	"log/slog"
)

// Credentials are an account name and a password that print as [redacted] in every format, also as a part of something
// else. Only this package takes them out, and only to type them into the portal.
type Credentials struct {
	// A function is the one kind of value whose contents no printer, encoder or debugger-by-reflection walks into.
	reveal func() (account, password string)
}

// NewCredentials keeps an account name and a password.
func NewCredentials(account, password string) Credentials {
	return Credentials{reveal: func() (string, string) { return account, password }}
}

func (c Credentials) complete() bool {
	if c.reveal == nil {
		return false
	}
	account, password := c.reveal()
	return account != "" && password != ""
}

const redacted = "[redacted]"

// Format prints [redacted] for every verb and flag.
func (Credentials) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, redacted) }

// String is [redacted].
func (Credentials) String() string { return redacted }

// GoString is [redacted].
func (Credentials) GoString() string { return redacted }

// MarshalText gives [redacted], in JSON, YAML and XML too.
func (Credentials) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue is [redacted].
func (Credentials) LogValue() slog.Value { return slog.StringValue(redacted) }
