package files_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/files"
)

// tree writes files below a new folder and makes it the working directory.
func tree(t *testing.T, contents map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, content := range contents {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T, paths ...string) *files.Source {
	t.Helper()
	s, err := files.Open(paths, files.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFolder(t *testing.T) {
	tree(t, map[string]string{
		"in/b/sales.CSV": "s", "in/appointments.xlsx": "a", "in/clinic.yaml": "clinic: A", "in/.hidden.csv": "h", "in/.git/x.csv": "h",
		"in/~$appointments.xlsx": "lock", "in/__MACOSX/y.csv": "m", "in/notes.pdf": "p", "in/z.zip": "z", "in/other.yaml": "o", "in/b/readme.txt": "r",
	})
	s := open(t, "in")
	var names, bodies []string
	err := s.Reports(t.Context(), func(r extractors.Report) error {
		names = append(names, r.Name)
		bodies = append(bodies, string(r.Body))
		if r.StatedRows >= 0 || r.Dataset != "" || !r.Range.IsZero() || r.Complete || r.ObservedOn != (civil.Date{}) {
			t.Errorf("a file cannot know that much: %+v", r)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"in/appointments.xlsx", "in/b/readme.txt", "in/b/sales.CSV"}; !slices.Equal(names, want) || !slices.Equal(s.Files(), want) {
		t.Errorf("files %q, want %q", names, want)
	}
	if want := []string{"a", "r", "s"}; !slices.Equal(bodies, want) {
		t.Errorf("bodies %q", bodies)
	}
	want := []files.Skipped{{"in/notes.pdf", "neither CSV nor XLSX"}, {"in/other.yaml", "not called clinic.yaml; choose it with --settings if it is meant"}, {"in/z.zip", "an archive; unpack it first"}}
	if !slices.Equal(s.Skipped(), want) {
		t.Errorf("skipped %v", s.Skipped())
	}
	path, body, err := s.Settings()
	if err != nil || path != "in/clinic.yaml" || string(body) != "clinic: A" {
		t.Errorf("settings %s %q %v", path, body, err)
	}
}

func TestEachFileOnce(t *testing.T) {
	tree(t, map[string]string{"in/a.csv": "a", "in/data.bin": "d"})
	if err := os.Link("in/a.csv", "in/same.csv"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a.csv", "in/link.csv"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", "in/dead.csv"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(".", "in/round"); err != nil {
		t.Fatal(err)
	}
	absolute, err := filepath.Abs("in/a.csv")
	if err != nil {
		t.Fatal(err)
	}
	// A file that is named itself is read whatever its ending.
	s := open(t, "in", "./in/a.csv", absolute, "in/", "in/data.bin")
	if got := s.Files(); len(got) != 2 || !slices.Contains(got, "in/data.bin") {
		t.Errorf("files %q", got)
	}
	want := []files.Skipped{{"in/dead.csv", "not an ordinary file"}, {"in/round", "a link to a folder; name the folder itself"}}
	if !slices.Equal(s.Skipped(), want) {
		t.Errorf("skipped %v", s.Skipped())
	}
	if path, _, err := s.Settings(); path != "" || err != nil {
		t.Errorf("settings %q %v", path, err)
	}
}

func TestMistakes(t *testing.T) {
	tree(t, map[string]string{"a/clinic.yaml": "", "b/clinic.yml": "", "a/x.csv": "", "c/readme.pdf": "", "d/big.csv": strings.Repeat("x", 3<<20)})
	tests := []struct {
		paths []string
		want  string
	}{
		{[]string{"nowhere"}, "nowhere: there is no such file or folder"},
		{[]string{"c"}, "no CSV or XLSX file in c"},
		{nil, "no CSV or XLSX file"},
		{[]string{"d"}, "d/big.csv has 3 MB, more than the 1 MB that are read"},
	}
	for _, test := range tests {
		_, err := files.Open(test.paths, files.Options{MaxBytes: 1 << 20})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v", test.paths, err)
		}
	}
	if path, _, err := open(t, "a", "a/clinic.yaml").Settings(); err != nil || path != "a/clinic.yaml" {
		t.Errorf("one clinic.yaml named twice: %s, %v", path, err)
	}
	if _, _, err := open(t, "a", "b").Settings(); err == nil || !strings.Contains(err.Error(), "a/clinic.yaml and b/clinic.yml: there are two") {
		t.Errorf("two clinic.yaml: %v", err)
	}
}

func TestReadsOneAtATime(t *testing.T) {
	tree(t, map[string]string{"a.csv": "first", "b.csv": "second"})
	s, err := files.Open([]string{"."}, files.Options{ObservedOn: civil.Date{Year: 2026, Month: 9, Day: 30}})
	if err != nil {
		t.Fatal(err)
	}
	var kept []byte
	err = s.Reports(t.Context(), func(r extractors.Report) error {
		if kept != nil && !bytes.Equal(kept, make([]byte, len("first"))) {
			t.Errorf("the first body is still there: %q", kept)
		}
		kept = r.Body
		if r.ObservedOn.String() != "2026-09-30" {
			t.Errorf("observed on %s", r.ObservedOn)
		}
		return nil
	})
	if err != nil || !bytes.Equal(kept, make([]byte, len("second"))) {
		t.Errorf("%v: the second body is still there: %q", err, kept)
	}
	stop := errors.New("stop")
	calls := 0
	if err := s.Reports(t.Context(), func(extractors.Report) error { calls++; return stop }); !errors.Is(err, stop) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Reports(ctx, func(extractors.Report) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	// A file that went away in between is named.
	if err := os.Remove("b.csv"); err != nil {
		t.Fatal(err)
	}
	if err := s.Reports(t.Context(), func(extractors.Report) error { return nil }); err == nil || !strings.Contains(err.Error(), "opening b.csv: no such file") {
		t.Errorf("a file that is gone: %v", err)
	}
}

// What a folder holds that cannot be opened as an ordinary file must not hang the import.
func TestNotOrdinary(t *testing.T) {
	tree(t, map[string]string{"a.csv": "x"})
	if err := syscall.Mkfifo("pipe.csv", 0o644); err != nil {
		t.Fatal(err)
	}
	s := open(t, ".")
	if want := []files.Skipped{{"pipe.csv", "not an ordinary file"}}; !slices.Equal(s.Skipped(), want) || len(s.Files()) != 1 {
		t.Errorf("files %q, skipped %v", s.Files(), s.Skipped())
	}
}
