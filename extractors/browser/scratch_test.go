package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestScratch(t *testing.T) {
	parent := shortDir(t)
	first, _, err := newScratch(parent)
	if err != nil {
		t.Fatal(err)
	}
	// Another's files in the same place are left alone, whatever they are called.
	for _, name := range []string{"falloff-notes", "falloff-x.lock", "other.lock"} {
		if err := os.WriteFile(filepath.Join(parent, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	second, swept, err := newScratch(parent)
	if err != nil || swept != 0 || second.dir == first.dir {
		t.Fatalf("beside a living session: %v, %d swept, %v", second, swept, err)
	}
	// A process that dies loses its lock and nothing else.
	first.lock.Close()
	third, swept, err := newScratch(parent)
	if err != nil || swept != 1 {
		t.Fatalf("after a death %d were swept, %v", swept, err)
	}
	if _, err := os.Stat(first.dir); !os.IsNotExist(err) {
		t.Errorf("%s is left", first.dir)
	}
	for _, s := range []*scratch{second, third, third} {
		if err := s.remove(); err != nil {
			t.Error(err)
		}
	}
	left, err := os.ReadDir(parent)
	if err != nil || len(left) != 3 {
		t.Errorf("%v is left, %v", left, err)
	}
	if _, _, err := newScratch("/tmp/" + strings.Repeat("x", longestParent)); err == nil {
		t.Error("a name is accepted that Chromium's sockets do not fit into")
	}
	if len(defaultParent()) > longestParent {
		t.Errorf("by default directories are made in %s", defaultParent())
	}
}
