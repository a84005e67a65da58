package vault

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/falloff-analytics/falloff/transforms/secret"
)

// ParseTOTP checks the secret of an account's one-time codes, as the portal shows it: in base32, spaces and lower case
// allowed, or as an otpauth:// address. It gives it as an address with nothing in it but the secret and how to use it.
// Errors repeat nothing of it.
func ParseTOTP(given secret.Bytes) (secret.Bytes, error) {
	text := strings.TrimSpace(given.Text())
	if !strings.HasPrefix(strings.ToLower(text), "otpauth:") {
		text = "otpauth://totp/falloff?secret=" + url.QueryEscape(bareBase32(text))
	}
	key, err := otp.NewKeyFromURL(text)
	if err != nil || key.Type() != "totp" {
		return secret.Bytes{}, errors.New("the TOTP secret is not one for codes that change with time: give the letters and digits that the portal shows under its QR code, or the whole otpauth://totp/… address")
	}
	bare := bareBase32(key.Secret())
	checked := "otpauth://totp/falloff?" + url.Values{
		"secret": {bare}, "digits": {fmt.Sprint(key.Digits().Length())},
		"period": {fmt.Sprint(key.Period())}, "algorithm": {key.Algorithm().String()},
	}.Encode()
	switch {
	case len(bare) < 16:
		return secret.Bytes{}, fmt.Errorf("the TOTP secret has %d characters; one has 16 or more: copy it whole", len(bare))
	case key.Digits().Length() < 6 || key.Digits().Length() > 8 || key.Period() < 10 || key.Period() > 300:
		return secret.Bytes{}, errors.New("the TOTP address asks for codes that no portal uses: 6 to 8 digits, changing every 10 to 300 seconds")
	}
	out := secret.FromText(checked)
	if _, err := Code(out, time.Unix(0, 0)); err != nil {
		return secret.Bytes{}, errors.New("the TOTP secret holds something that is no base32: it has the letters A to Z and the digits 2 to 7 only")
	}
	return out, nil
}

func bareBase32(text string) string {
	return strings.ToUpper(strings.TrimRight(strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '\t' {
			return -1
		}
		return r
	}, text), "="))
}

// Code is the one-time code at a moment, of a secret that ParseTOTP gave.
func Code(parsed secret.Bytes, at time.Time) (string, error) {
	key, err := otp.NewKeyFromURL(parsed.Text())
	if err != nil {
		return "", errors.New("making a one-time code: the stored secret cannot be read; store it again with falloff credentials set")
	}
	code, err := totp.GenerateCodeCustom(key.Secret(), at, totp.ValidateOpts{
		Period: uint(key.Period()), Digits: key.Digits(), Algorithm: key.Algorithm(),
	})
	if err != nil {
		return "", errors.New("making a one-time code: the stored secret cannot be read; store it again with falloff credentials set")
	}
	return code, nil
}
