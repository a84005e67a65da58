package jane

import (
	"strings"
	"testing"
	"time"
)

// TestCodes holds codes against appendix B of RFC 6238. Its vectors have eight digits; of SHA-1's the last six are what an
// authenticator app shows.
func TestCodes(t *testing.T) {
	const (
		twenty    = "gezd gnbv gy3t qojq gezd gnbv gy3t qojq"              // 12345678901234567890, as portals group it
		thirtyTwo = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA" // 12345678901234567890123456789012
	)
	for _, test := range []struct {
		given string
		codes map[int64]string
	}{
		{twenty, map[int64]string{
			59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
		}},
		{"otpauth://totp/falloff?algorithm=SHA256&digits=8&period=30&secret=" + thirtyTwo, map[int64]string{
			59: "46119246", 1111111109: "68084774", 1111111111: "67062674", 1234567890: "91819424", 2000000000: "90698825", 20000000000: "77737706",
		}},
	} {
		app := authenticatorOf(test.given)
		for seconds, want := range test.codes {
			if got, err := app.code(app.stepAt(time.Unix(seconds, 0))); err != nil || got != want {
				t.Errorf("at %d the code is %s (%v), want %s", seconds, got, err, want)
			}
		}
	}
	if app := authenticatorOf("otpauth://totp/falloff?period=60&secret=" + thirtyTwo); app.stepAt(time.Unix(119, 0)) != 1 || !app.begins(2).Equal(time.Unix(120, 0)) {
		t.Error("a period of its own is not kept to")
	}
	if _, err := authenticatorOf("1234-no-base32").code(1); err == nil || strings.Contains(err.Error(), "1234") {
		t.Errorf("what is no secret: %v", err)
	}
}
