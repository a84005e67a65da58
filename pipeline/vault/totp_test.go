package vault_test

import (
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/transforms/secret"
)

// The codes are the SHA-1 test vectors of RFC 6238, whose secret is the ASCII text 12345678901234567890; its codes of eight
// digits end in those of six.
func TestCodes(t *testing.T) {
	vectors := map[int64]string{59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130"}
	for given, digits := range map[string]int{
		"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ":                                                                              6,
		"gezd gnbv gy3t qojq gezd gnbv gy3t qojq":                                                                       6,
		"GEZD-GNBV-GY3T-QOJQ-GEZD-GNBV-GY3T-QOJQ":                                                                       6,
		"otpauth://totp/Jane:clerk?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Jane":                                 6,
		"otpauth://totp/x?secret=gezdgnbvgy3tqojqgezdgnbvgy3tqojq&digits=8&period=30&algorithm=SHA1":                    8,
		" otpauth://totp/Jane%20App:clerk%40x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&image=https%3A%2F%2Fx.test%2Fy\n": 6,
	} {
		parsed, err := vault.ParseTOTP(secret.FromText(given))
		if err != nil {
			t.Errorf("%s: %v", given, err)
			continue
		}
		if strings.Contains(parsed.Text(), "clerk") || strings.Contains(parsed.Text(), "Jane") {
			t.Errorf("%s: more is kept than the secret", given)
		}
		for at, want := range vectors {
			if got, err := vault.Code(parsed, time.Unix(at, 0)); err != nil || got != want[len(want)-digits:] {
				t.Errorf("%s at %d: %s, %v, want %s", given, at, got, err, want[len(want)-digits:])
			}
		}
		again, err := vault.ParseTOTP(parsed)
		if err != nil || !again.Equal(parsed) {
			t.Errorf("%s: parsed again it is another: %v", given, err)
		}
	}
}

func TestBadTOTP(t *testing.T) {
	for _, given := range []string{
		"", "123456", "GEZDGNBV", "GEZDGNBVGY3TQOJ1", "not base32 at all!", "https://example.test/?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
		"otpauth://hotp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&counter=1", "otpauth://totp/x?secret=", "otpauth://totp/x",
		"otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&period=0", "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&digits=99",
		"otpauth://totp/%zz?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
	} {
		parsed, err := vault.ParseTOTP(secret.FromText(given))
		if err == nil {
			t.Errorf("%q was taken as %d characters", given, len(parsed.Text()))
		} else if len(given) > 4 && strings.Contains(err.Error(), given) || strings.Contains(err.Error(), "GEZD") {
			t.Errorf("the error repeats the secret: %v", err)
		}
	}
}
