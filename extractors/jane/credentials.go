package jane

import (
	"fmt"
	"log/slog"
	"strings"
)

// Credentials are an account name, a password and, where the account has one, the secret of its authenticator app. They
// print as [redacted] in every format, also as a part of something else. Only this package takes them out, and only to
// type them into the portal.
type Credentials struct {
	// A function is the one kind of value whose contents no printer, encoder or debugger-by-reflection walks into.
	reveal func() secrets
}

type secrets struct {
	account, password string
	codes             authenticator
}

// NewCredentials keeps an account name and a password.
func NewCredentials(account, password string) Credentials {
	return Credentials{reveal: func() secrets { return secrets{account: account, password: password} }}
}

// WithCodes adds what the portal showed for an authenticator app, the secret in base32 or an otpauth:// address; empty adds
// nothing.
func (c Credentials) WithCodes(secret string) Credentials {
	if c.reveal == nil {
		return c
	}
	all := c.reveal()
	if strings.TrimSpace(secret) != "" {
		all.codes = authenticatorOf(secret)
	}
	return Credentials{reveal: func() secrets { return all }}
}

func (c Credentials) complete() bool {
	if c.reveal == nil {
		return false
	}
	all := c.reveal()
	return all.account != "" && all.password != ""
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
