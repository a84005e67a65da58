package jane

import (
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/extractors"
)

func TestMonths(t *testing.T) {
	for window, want := range map[string]string{
		"2026-01-01..2026-03-31": "2026-01-01..2026-01-31 2026-02-01..2026-02-28 2026-03-01..2026-03-31",
		"2026-01-15..2026-01-20": "2026-01-01..2026-01-20",
		"2025-12-31..2026-01-01": "2025-12-01..2025-12-31 2026-01-01..2026-01-01",
		"2024-02-29..2024-03-01": "2024-02-01..2024-02-29 2024-03-01..2024-03-01",
	} {
		w, err := extractors.ParseWindow(window)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range months(w) {
			got = append(got, m.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s has the months %v, want %s", window, got, want)
		}
	}
}
