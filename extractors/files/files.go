// Package files takes reports from CSV and XLSX files that a person exported from the portal.
//
// It is the way in for clinics that do not share a sign-in. It looks at names and sizes only: which report a file is,
// and whether it is one at all, package transforms finds out from its bytes. Files are read one at a time into memory,
// and what was in memory is overwritten when the file is done with.
package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
)

// defaultMaxBytes is the largest file that is read: some two million rows of CSV.
const defaultMaxBytes = 512 << 20

// Options may be left zero.
type Options struct {
	// MaxBytes is the largest file that is read; 0 means 512 MB.
	MaxBytes int64
	// ObservedOn is the day on which the files were exported, where the person knows it.
	ObservedOn civil.Date
}

// Source are the report files under some paths. It is an extractors.Source.
type Source struct {
	options  Options
	files    []string
	skipped  []Skipped
	settings []string
}

var _ extractors.Source = (*Source)(nil)

// Skipped is a file that was left out, and why.
type Skipped struct {
	Path   string
	Reason string
}

// readable are the endings of files in folders that may be reports. What they really are, their bytes tell.
var readable = []string{".csv", ".xlsx", ".xlsm", ".xls", ".tsv", ".txt"}

// Open looks under the paths, folders with all that is below them. Hidden files are passed over in silence; other files
// that cannot be reports are listed by Skipped. A file that is named itself is read whatever it is called. It fails
// where a path does not exist, where a file is too large, and where there is nothing to read.
func Open(paths []string, options Options) (*Source, error) {
	if options.MaxBytes <= 0 {
		options.MaxBytes = defaultMaxBytes
	}
	s := &Source{options: options}
	for _, p := range paths {
		p = filepath.Clean(p)
		at, err := os.Stat(p)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("%s: there is no such file or folder. Check the spelling, or name the folder that you exported to", p)
		case err != nil:
			return nil, fmt.Errorf("looking at %s: %w", p, pathless(err))
		case at.IsDir():
			err = s.folder(p)
		default:
			s.file(p, at.Mode(), true)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := s.once(); err != nil {
		return nil, err
	}
	if len(s.files) == 0 {
		return nil, fmt.Errorf("there is no CSV or XLSX file in %s. Export the reports that docs/import.md lists and name their folder", strings.Join(paths, ", "))
	}
	return s, nil
}

// folder takes the files below a folder.
func (s *Source) folder(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("looking into %s: %w", path, pathless(err))
		}
		if path != root && hidden(entry.Name()) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if entry.IsDir() {
			return nil
		}
		mode := entry.Type()
		if mode&fs.ModeSymlink != 0 {
			mode = targetMode(path)
			if mode.IsDir() {
				s.skip(path, "a link to a folder; name the folder itself")
				return nil
			}
		}
		s.file(path, mode, false)
		return nil
	})
}

// targetMode is the mode of what a link leads to; a dead link is no ordinary file.
func targetMode(path string) fs.FileMode {
	at, err := os.Stat(path)
	if err != nil {
		return fs.ModeSymlink
	}
	return at.Mode()
}

// hidden are files that a person does not see or did not make: dot files, lock files of office programs, and what
// archivers and desktops leave behind.
func hidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~$") || name == "__MACOSX" ||
		strings.EqualFold(name, "thumbs.db") || strings.EqualFold(name, "desktop.ini")
}

// file sorts one file in; given says that it was named itself.
func (s *Source) file(path string, mode fs.FileMode, given bool) {
	ending := strings.ToLower(filepath.Ext(path))
	base := strings.ToLower(filepath.Base(path))
	switch {
	case !mode.IsRegular():
		s.skip(path, "not an ordinary file")
	case base == "clinic.yaml" || base == "clinic.yml":
		if !slices.ContainsFunc(s.settings, func(other string) bool { return sameFile(other, path) }) {
			s.settings = append(s.settings, path)
		}
	case ending == ".yaml" || ending == ".yml":
		s.skip(path, "not called clinic.yaml; choose it with --settings if it is meant")
	case given || slices.Contains(readable, ending):
		s.files = append(s.files, path)
	case ending == ".zip" || ending == ".gz" || ending == ".7z" || ending == ".rar":
		s.skip(path, "an archive; unpack it first")
	default:
		s.skip(path, "neither CSV nor XLSX")
	}
}

func (s *Source) skip(path, reason string) { s.skipped = append(s.skipped, Skipped{path, reason}) }

// once sorts the files and leaves each in once, however many of the paths lead to it.
func (s *Source) once() error {
	slices.Sort(s.files)
	var seen []os.FileInfo
	kept := s.files[:0]
	for _, path := range s.files {
		at, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("looking at %s: %w", path, pathless(err))
		}
		if slices.ContainsFunc(seen, func(other os.FileInfo) bool { return os.SameFile(at, other) }) {
			continue
		}
		if at.Size() > s.options.MaxBytes {
			return fmt.Errorf("%s has %d MB, more than the %d MB that are read. Export shorter date ranges", path, at.Size()>>20, s.options.MaxBytes>>20)
		}
		seen = append(seen, at)
		kept = append(kept, path)
	}
	s.files = kept
	slices.SortFunc(s.skipped, func(a, b Skipped) int { return strings.Compare(a.Path, b.Path) })
	s.skipped = slices.CompactFunc(s.skipped, func(a, b Skipped) bool { return a.Path == b.Path })
	s.skipped = slices.DeleteFunc(s.skipped, func(f Skipped) bool { return slices.Contains(s.files, f.Path) })
	return nil
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// Files are the files that Reports will read, in its order.
func (s *Source) Files() []string { return slices.Clone(s.files) }

// Skipped are the files that were left out, in the order of their paths.
func (s *Source) Skipped() []Skipped { return slices.Clone(s.skipped) }

// Settings reads the clinic.yaml that was found; path is empty where there is none. Two of them are an error: do not ask
// where the person has chosen one.
func (s *Source) Settings() (path string, body []byte, err error) {
	switch len(s.settings) {
	case 0:
		return "", nil, nil
	case 1:
		body, err = s.read(s.settings[0])
		return s.settings[0], body, err
	}
	return "", nil, fmt.Errorf("%s and %s: there are two clinic.yaml. Import one clinic at a time, or choose one with --settings", s.settings[0], s.settings[1])
}

// Reports reads the files one after the other, in the order of their paths. A Report's Body is overwritten when each
// returns.
func (s *Source) Reports(ctx context.Context, each func(extractors.Report) error) error {
	for _, path := range s.files {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("before reading %s: %w", path, err)
		}
		body, err := s.read(path)
		if err != nil {
			return err
		}
		err = each(extractors.Report{Name: filepath.ToSlash(path), Body: body, ObservedOn: s.options.ObservedOn, StatedRows: -1})
		clear(body)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Source) read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w. Check that it is there and that you may read it", path, pathless(err))
	}
	defer f.Close()
	at, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("looking at %s: %w", path, pathless(err))
	}
	// One byte more than it should hold shows whether it grew; a second buffer, which clear would not reach, is never
	// needed then.
	body := make([]byte, min(at.Size(), s.options.MaxBytes)+1)
	n, err := io.ReadFull(f, body)
	switch {
	case err == nil:
		clear(body)
		return nil, fmt.Errorf("%s grew while it was read. Wait until its download has ended and try again", path)
	case !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF):
		clear(body)
		return nil, fmt.Errorf("reading %s: %w. Copy it to this machine's own disk and try again", path, pathless(err))
	}
	return body[:n], nil
}

// pathless takes the path off an error that says it already.
func pathless(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	return err
}
