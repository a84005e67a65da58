package jane

import (
	"errors"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

// An authenticator makes an account's one-time codes, one for each step of time (RFC 6238). The zero value is that of an
// account without any.
type authenticator struct {
	// secret is in base32, period in seconds.
	secret    string
	period    int64
	digits    otp.Digits
	algorithm otp.Algorithm
}

// authenticatorOf reads what the portal shows for an authenticator app: the secret in base32, as it is grouped for people
// to read, or an otpauth:// address, which also says what is not usual. What cannot be read fails with the first code.
func authenticatorOf(given string) authenticator {
	given = strings.TrimSpace(given)
	usual := authenticator{period: 30, digits: otp.DigitsSix, algorithm: otp.AlgorithmSHA1}
	usual.secret = strings.ToUpper(strings.NewReplacer(" ", "", "-", "", "=", "").Replace(given))
	if !strings.HasPrefix(strings.ToLower(given), "otpauth:") {
		return usual
	}
	key, err := otp.NewKeyFromURL(given)
	if err != nil || key.Period() == 0 {
		return usual
	}
	return authenticator{secret: key.Secret(), period: int64(key.Period()), digits: key.Digits(), algorithm: key.Algorithm()}
}

// stepAt is the number of the time step of a moment.
func (a authenticator) stepAt(t time.Time) int64 { return t.Unix() / a.period }

// begins is when a time step begins.
func (a authenticator) begins(step int64) time.Time { return time.Unix(step*a.period, 0) }

// code is the code of a time step.
func (a authenticator) code(step int64) (string, error) {
	code, err := hotp.GenerateCodeCustom(a.secret, uint64(max(0, step)), hotp.ValidateOpts{Digits: a.digits, Algorithm: a.algorithm})
	if err != nil {
		// The library's error may quote the secret.
		return "", errors.New("the secret of the authenticator app is not base32")
	}
	return code, nil
}
