package portal

import (
	"bytes"
	"testing"
)

// A mutation that finds nothing to change would pass every test that it is meant for.
func TestMutationsFindWhatTheyChange(t *testing.T) {
	_, script, _, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range Mutations() {
		if m.Name == "" || m.Class == "" || seen[m.Name] {
			t.Errorf("%q (%q) has no name or class, or is there twice", m.Name, m.Class)
		}
		seen[m.Name] = true
		for _, text := range m.texts {
			if !bytes.Contains(script, []byte(text)) {
				t.Errorf("%s: the application's script does not hold %s", m.Name, text)
			}
		}
	}
	if len(seen) < 150 {
		t.Errorf("%d mutations, want 150 at least", len(seen))
	}
	t.Logf("%d mutations", len(seen))
}
