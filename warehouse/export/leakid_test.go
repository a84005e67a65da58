package export

import "testing"

// A leak's name comes in with an export where everything that belongs under a pseudonym is one of the right keys.
func TestLeakNames(t *testing.T) {
	const one, two = "p1_3lbd4zqhfcxkmpljfzkso56wwi", "p2_ardcgkskrvebwdjtuagwte2nuy"
	for name, fine := range map[string]bool{
		"patient_balance_aged/1531-P":                 true,
		"no_show_fee/71":                              true,
		"idle_capacity/Robin Vale 2026-01-05":         true,
		"idle_capacity/" + one + " 2026-01-05":        true,
		"claim_rejected/1531-C/" + one:                true,
		"falloff/" + one + "/Physio/2026-01-05":       true,
		"falloff/" + one + "/2026-01-05":              true,
		"claim_rejected/1531-C/Sun Life":              false,
		"claim_rejected/1531-C/" + two:                false,
		"falloff/Rosalind Oyelaran/Physio/2026-01-05": false,
		"falloff/" + two + "/Physio/2026-01-05":       false,
		"idle_capacity/" + two + " 2026-01-05":        false,
	} {
		if err := judgeLeakID(name, 1); (err == nil) != fine {
			t.Errorf("%s: %v", name, err)
		}
	}
}
