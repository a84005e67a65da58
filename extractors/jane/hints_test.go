package jane

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/extractors"
)

// TestEveryCauseIsExplained demands a hint and a row in the manual for every cause, and no row for what is none.
func TestEveryCauseIsExplained(t *testing.T) {
	manual, err := os.ReadFile("../../docs/running.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(manual), "## When a run stops\n")
	if !found {
		t.Fatal("the manual has no section about it")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	rows := map[string][]string{}
	for line := range strings.SplitSeq(section, "\n") {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ = strings.Cut(name, "`")
			rows[name] = strings.Split(strings.Trim(line, "|"), " | ")
		}
	}
	for _, cause := range extractors.Causes() {
		if hints[cause] == "" {
			t.Errorf("%s has no hint", cause)
		}
		row := rows[string(cause)]
		if len(row) != 4 {
			t.Errorf("%s has %d columns in the manual, want name, meaning, what is tried again, what to do", cause, len(row))
			continue
		}
		if later := strings.HasPrefix(strings.TrimSpace(row[3]), "later"); later != cause.Retryable() && cause != extractors.ExportIncomplete {
			t.Errorf("%s: trying later helps: %v; the manual says %q", cause, cause.Retryable(), row[3])
		}
		delete(rows, string(cause))
	}
	if len(rows) > 0 {
		t.Errorf("the manual explains what is no cause: %v", rows)
	}
}

func TestAttemptsArePrinted(t *testing.T) {
	f := &extractors.Failure{Cause: extractors.Network, Doing: "signing in", Hint: "Run it again", Err: errors.New("no route"), Attempts: 2}
	if got, want := f.Error(), "signing in: network: no route, after 2 attempts. Run it again"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
