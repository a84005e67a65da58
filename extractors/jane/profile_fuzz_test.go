package jane

import (
	"bytes"
	"testing"
)

// FuzzParseProfile: a profile is taken whole or refused, and what is taken says the same when it is read again.
func FuzzParseProfile(f *testing.F) {
	f.Add(defaultProfile)
	f.Add(bytes.ReplaceAll(defaultProfile, []byte("reports:"), []byte("reports: &r\nmore: *r\n#")))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("? {x: y}\n: [1, {b: !!binary aGk=}]\n"))
	f.Add([]byte("version: 1\nversion: 2\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		first, err := ParseProfile(text)
		if err != nil {
			if first != nil {
				t.Fatalf("a profile came with %v", err)
			}
			return
		}
		if again, err := ParseProfile(text); err != nil || again == nil {
			t.Fatalf("read twice: %v", err)
		}
	})
}
