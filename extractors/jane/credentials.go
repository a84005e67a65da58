package jane

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

// Credentials are an account name, a password and, where the account has one, the secret of its authenticator app. They
// print as [redacted] in every format, also as a part of something else. Only this package takes them out, and only to
// type them into the portal.
type Credentials struct {
	// A function is the one kind of value whose contents no printer, encoder or debugger-by-reflection walks into.
	reveal func() secrets
}

type secrets struct{ account, password, codes string }

// NewCredentials keeps an account name and a password.
func NewCredentials(account, password string) Credentials {
	return Credentials{reveal: func() secrets { return secrets{account: account, password: password} }}
}

// WithCodes adds the secret that the portal showed for an authenticator app, in base32 as it was shown; empty adds
// nothing. CheckCodes says beforehand whether it can be one.
func (c Credentials) WithCodes(secret string) Credentials {
	if c.reveal == nil {
		return c
	}
	all := c.reveal()
	all.codes = normalSecret(secret)
	return Credentials{reveal: func() secrets { return all }}
}

// CheckCodes says what is wrong with the secret of an authenticator app, without repeating it.
func CheckCodes(secret string) error {
	const fewest = 16 // 80 bits, the shortest that is in use
	normal := normalSecret(secret)
	if len(normal) < fewest {
		return errors.New("the secret of the authenticator app is too short: copy the whole key that the portal shows beside the picture to scan")
	}
	if _, err := codeAt(normal, 1); err != nil {
		return errors.New("that is not the secret of an authenticator app: it has the letters A to Z and the digits 2 to 7, and is shown beside the picture to scan")
	}
	return nil
}

// normalSecret takes out how portals group such a secret for people to read.
func normalSecret(secret string) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "", "=", "").Replace(strings.TrimSpace(secret)))
}

// codeStep is the time for which a code stands (RFC 6238, section 5.2).
const codeStep = 30 * time.Second

// stepAt is the number of the time step of a moment.
func stepAt(t time.Time) int64 { return t.Unix() / int64(codeStep/time.Second) }

// codeAt is the code of a time step: six digits, SHA-1, what every authenticator app computes.
func codeAt(secret string, step int64) (string, error) {
	code, err := hotp.GenerateCodeCustom(secret, uint64(max(0, step)), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		// The library's error may quote the secret.
		return "", errors.New("the secret of the authenticator app is not base32")
	}
	return code, nil
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
