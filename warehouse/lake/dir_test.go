package lake_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// files is everything below a folder, scratch files included.
func files(t *testing.T, root string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, strings.TrimPrefix(path, root+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDirIsPrivateAndLeavesNoScratch(t *testing.T) {
	root := filepath.Join(t.TempDir(), "new", "lake")
	store, err := lake.OpenDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := store.Create(t.Context(), "a/b/c", []byte("x")); err != nil && !errors.Is(err, lake.ErrExists) {
			t.Fatal(err)
		}
	}
	if got := files(t, root); len(got) != 1 || got[0] != "a/b/c" {
		t.Errorf("%v", got)
	}
	for _, path := range []string{root, root + "/a", root + "/a/b", root + "/a/b/c"} {
		st, err := os.Stat(path)
		if err != nil || st.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", path, st.Mode(), err)
		}
	}
	if err := store.Delete(t.Context(), "a/b/c"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(root + "/a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder without objects stays: %v", err)
	}
}

// Deleting removes folders that became empty, which others may be about to write into.
func TestDirFoldersComeAndGo(t *testing.T) {
	store := openDir(t)
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for w := range errs {
		wg.Go(func() {
			for i := range 50 {
				name := fmt.Sprintf("x/y/z/%d-%d", w, i)
				errs[w] = errors.Join(errs[w], store.Create(t.Context(), name, nil), store.Delete(t.Context(), name))
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestOpenStore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for location, hint := range map[string]string{
		"":                "give a directory",
		"ftp://x/y":       "give a directory",
		file:              "give another --lake",
		file + "/below":   "give another --lake",
		"s3://":           "s3://bucket/prefix",
		"s3://Bad_Bucket": "s3://bucket/prefix",
		"s3://okay/a//b":  "single slashes",
		"s3://okay/../b":  "'.', '=' and '-'",
	} {
		_, err := lake.OpenStore(t.Context(), location)
		if err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%q: %v; want a hint with %q", location, err, hint)
		}
	}
	folder := filepath.Join(t.TempDir(), "lake")
	for _, location := range []string{folder, "file://" + folder} {
		store, err := lake.OpenStore(t.Context(), location)
		if err != nil || store.String() != folder {
			t.Errorf("%s: %v, %v", location, store, err)
		}
	}
}
