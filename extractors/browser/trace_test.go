package browser

import (
	"crypto/rand"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/extractors/simclinic/canary"
)

// traces lists the files below a directory, written since a moment, that hold one of the searched texts. Files of a
// running browser come and go.
func traces(t *testing.T, search *canary.Searcher, since time.Time, dirs ...string) (found []string) {
	t.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if len(search.Bytes([]byte(entry.Name()))) > 0 {
				found = append(found, path+" (its name)")
			}
			info, err := entry.Info()
			if err != nil || !entry.Type().IsRegular() || info.ModTime().Before(since) {
				return nil
			}
			if body, err := os.ReadFile(path); err == nil && len(search.Bytes(body)) > 0 {
				found = append(found, path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// TestNobodyIsLeftOnADisk plants people on pages and in exports, and looks for them while a program browses, after it
// was killed, and after the next session has swept.
func TestNobodyIsLeftOnADisk(t *testing.T) {
	var planted []string
	for _, kind := range []string{"Name", "Phone", "Mail", "Street", "Birth", "Note"} {
		planted = append(planted, kind+rand.Text())
	}
	search, err := canary.New(planted)
	if err != nil {
		t.Fatal(err)
	}
	// Chromium's clock and the file system's differ by less.
	since := time.Now().Add(-2 * time.Second)
	address := serve(t, browsable(planted, 20_000), nil)
	parent, home := memoryDir(t), t.TempDir()
	disks := []string{home, os.TempDir(), "."}

	cmd, said := startVictim(t, "browse", address, parent, home)
	dir, ok := <-said
	if !ok || filepath.Dir(dir) != parent {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("the program says %q", dir)
	}
	if isTmpfs("/dev/shm") && !isTmpfs(dir) {
		t.Errorf("%s is not in memory", dir)
	}
	if found := traces(t, search, since, append(disks, parent)...); len(found) > 0 {
		t.Errorf("while it browses, people are in %v", found)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	eventually(t, "the browser ends", func() bool { return len(processesOf(t, dir)) == 0 })
	if len(leftIn(t, parent)) == 0 {
		t.Fatal("the killed program left nothing, so the sweep below would prove nothing")
	}
	if found := traces(t, search, since, append(disks, parent)...); len(found) > 0 {
		t.Errorf("after it was killed, people are in %v", found)
	}

	s := startSession(t, Config{Origin: mustOrigin(t, address), Rules: exportRules, ScratchParent: parent})
	if notes := strings.Join(s.Notes(), "\n"); !strings.Contains(notes, "1 dead browser session") {
		t.Errorf("nothing says that a dead session was swept: %q", notes)
	}
	page := open(t, s, address+"/page")
	if err := browse(t.Context(), s, page, address); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left := leftIn(t, parent); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	if found := traces(t, search, since, append(disks, parent)...); len(found) > 0 {
		t.Errorf("at the end, people are in %v", found)
	}

	// The proof is worth something only if the search finds what is there.
	if err := os.WriteFile(filepath.Join(home, "planted"), []byte("x"+planted[3]), 0o600); err != nil {
		t.Fatal(err)
	}
	if found := traces(t, search, since, home); len(found) != 1 {
		t.Errorf("the search found %v, not the planted file", found)
	}
}
