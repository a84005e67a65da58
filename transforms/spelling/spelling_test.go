package spelling_test

import (
	"testing"

	"github.com/falloff-analytics/falloff/transforms/spelling"
)

func TestNearest(t *testing.T) {
	known := []string{"prices", "fees", "Insurers"}
	for name, want := range map[string]string{
		"prices": "prices", "price": "prices", "PRICES": "prices", "insurer": "Insurers", "fee": "fees", "fes": "fees",
		"something else": "", "": "", "tax": "",
	} {
		if got := spelling.Nearest(name, known); got != want {
			t.Errorf("%q is taken for %q, not %q", name, got, want)
		}
	}
}
