package export

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	readmeName     = "README.txt"
	dictionaryName = "dictionary.json"
)

// Folder is an export being written. It lies beside its place under another name until Finish.
type Folder struct {
	at    string // the temporary folder
	held  *os.File
	place string
	made  []string // folders in it
}

// ErrTaken says that something lies where an export was to be made.
var ErrTaken = errors.New("something is there already: name a folder that is not there, or an empty one")

// Create begins an export at a place: a folder that is not there yet, or empty. Discard or Finish it. What exports that were
// killed have left beside the place is removed first; swept names it.
func Create(place string) (f *Folder, swept []string, err error) {
	place = filepath.Clean(place)
	if err := free(place); err != nil {
		return nil, nil, err
	}
	if swept, err = sweep(filepath.Dir(place)); err != nil {
		return nil, swept, fmt.Errorf("removing what an export left that was ended: %w", err)
	}
	for range 10 {
		at, err := os.MkdirTemp(filepath.Dir(place), "."+filepath.Base(place)+partialEnding) // mode 0700
		if err != nil {
			return nil, swept, fmt.Errorf("making a folder for the export: %w", err)
		}
		if held := hold(at); held != nil {
			return &Folder{at: filepath.Clean(at), held: held, place: place}, swept, nil
		}
		// Another export's sweep took it for an orphan before it was held; it is theirs to remove.
	}
	return nil, swept, fmt.Errorf("making a folder for the export beside %s: others take it away", place)
}

// free says why an export cannot be put at a place.
func free(place string) error {
	entries, err := os.ReadDir(place)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil || len(entries) > 0:
		return fmt.Errorf("%s: %w", place, ErrTaken)
	}
	return nil
}

// Discard removes what was written. After Finish it does nothing.
func (f *Folder) Discard() {
	if f.at != "" {
		_ = os.RemoveAll(f.at)
	}
	f.release()
}

// Path is where a file of the export lies until Finish, for whoever writes it by name; its folder is made.
func (f *Folder) Path(name string) (string, error) {
	folder := f.at
	parts := strings.Split(name, "/")
	for _, part := range parts[:len(parts)-1] {
		if folder = filepath.Join(folder, part); slices.Contains(f.made, folder) {
			continue
		}
		if err := os.Mkdir(folder, 0o700); err != nil {
			return "", err
		}
		f.made = append(f.made, folder)
	}
	return filepath.Join(f.at, filepath.FromSlash(name)), nil
}

// write makes a file, durable.
func (f *Folder) write(name string, rows int64, fill func(w *bufio.Writer) error) (_ File, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("writing %s: %w", name, err)
		}
	}()
	path, err := f.Path(name)
	if err != nil {
		return File{}, err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return File{}, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	counted := &digesting{sum: sha256.New(), to: out}
	buffered := bufio.NewWriterSize(counted, 1<<16)
	if err := fill(buffered); err != nil {
		return File{}, err
	}
	if err := buffered.Flush(); err != nil {
		return File{}, err
	}
	return counted.file(name, rows), out.Sync()
}

// WriteSettings writes the clinic.yaml.
func (f *Folder) WriteSettings(body []byte) (File, error) {
	return f.write(settingsName, 0, func(w *bufio.Writer) error {
		_, err := w.Write(body)
		return err
	})
}

// Adopt takes in a file that was written by name.
func (f *Folder) Adopt(name string, rows int64) (_ File, err error) {
	in, err := os.OpenFile(filepath.Join(f.at, filepath.FromSlash(name)), os.O_RDWR, 0)
	if err != nil {
		return File{}, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if err := in.Chmod(0o600); err != nil {
		return File{}, err
	}
	counted := &digesting{sum: sha256.New(), to: io.Discard}
	if _, err := io.Copy(counted, in); err != nil {
		return File{}, err
	}
	return counted.file(name, rows), in.Sync()
}

// digesting counts and digests what passes.
type digesting struct {
	sum   hash.Hash
	bytes int64
	to    io.Writer
}

func (d *digesting) Write(p []byte) (int, error) {
	n, err := d.to.Write(p)
	d.bytes += int64(n)
	_, _ = d.sum.Write(p[:n])
	return n, err
}

func (d *digesting) file(name string, rows int64) File {
	return File{Path: name, Bytes: d.bytes, Rows: rows, SHA256: hex.EncodeToString(d.sum.Sum(nil))}
}

// Finish writes the manifest with what people need beside it, makes everything durable, and puts the export in its place.
func (f *Folder) Finish(m *Manifest, dictionary any) error {
	m.Format, m.Version = manifestFormat, m.version()
	m.Rules = Rules(m.Form)
	described, err := f.write(dictionaryName, 0, func(w *bufio.Writer) error { return indented(w, dictionary) })
	if err != nil {
		return err
	}
	readme, err := f.write(readmeName, 0, func(w *bufio.Writer) error {
		_, err := w.WriteString(readmeText(m))
		return err
	})
	if err != nil {
		return err
	}
	m.Others = []File{described, readme}
	if err := m.validate(); err != nil {
		return err
	}
	if _, err := f.write(ManifestName, 0, func(w *bufio.Writer) error { return indented(w, m) }); err != nil {
		return err
	}
	for _, folder := range append(slices.Clone(f.made), f.at) {
		if err := syncFolder(folder); err != nil {
			return err
		}
	}
	if err := free(f.place); err != nil { // meanwhile; an empty folder is replaced
		return err
	}
	if err := os.Rename(f.at, f.place); err != nil {
		return fmt.Errorf("putting the export in its place: %w", err)
	}
	f.at = ""
	f.release()
	return syncFolder(filepath.Dir(f.place))
}

func indented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// readmeText is for whoever finds the folder.
func readmeText(m *Manifest) string {
	var out strings.Builder
	if m.MartsAlone() {
		fmt.Fprintf(&out, "Marts of clinic %s, made from commit %d on %s.\n\n", m.Clinic, m.Commit, m.ExportedAt.UTC().Format("2006-01-02 15:04 MST"))
		out.WriteString("Under pseudonyms they are still personal health information: keep them as such.\n\n")
		out.WriteString("manifest.json lists every file with its digest and the day it speaks about. dictionary.json explains every table and column.\n")
		return out.String()
	}
	fmt.Fprintf(&out, "Everything that falloff has of clinic %s: commit %d, exported %s.\n\n", m.Clinic, m.Commit, m.ExportedAt.UTC().Format("2006-01-02 15:04 MST"))
	out.WriteString("Under pseudonyms it is still personal health information: keep it as such.\n\n")
	out.WriteString("manifest.json lists every file with its digest. dictionary.json explains every table and column. clinic.yaml has the\n" +
		"clinic's settings. datasets/ has the rows, marts/ what the models made of them, removed/ digests of rows that are gone.\n" +
		"`falloff import --lake LAKE --clinic NAME FOLDER` makes the same lake of it again, where the clinic's keys are.\n")
	for _, rule := range m.Rules {
		out.WriteString("\n- " + rule + "\n")
	}
	return out.String()
}

// Opened is an export being read.
type Opened struct {
	Manifest *Manifest
	root     *os.Root
}

// Is says whether a folder is an export: whether it has a manifest that says so.
func Is(folder string) bool {
	in, err := os.Open(filepath.Join(folder, ManifestName))
	if err != nil {
		return false
	}
	defer in.Close()
	head, err := io.ReadAll(io.LimitReader(in, 200))
	return err == nil && bytes.Contains(head, []byte(manifestFormat))
}

// Open reads an export's manifest. Close it.
func Open(folder string) (_ *Opened, err error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	o := &Opened{root: root}
	defer func() {
		if err != nil {
			_ = root.Close()
		}
	}()
	in, err := o.open(ManifestName)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	body, err := io.ReadAll(io.LimitReader(in, maxManifest+1))
	if err != nil {
		return nil, err
	}
	if o.Manifest, err = DecodeManifest(body); err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestName, err)
	}
	return o, nil
}

// Close ends the reading.
func (o *Opened) Close() error { return o.root.Close() }

// open opens a regular file of the export. What leads out of the folder is not followed.
func (o *Opened) open(name string) (*os.File, error) {
	in, err := o.root.Open(filepath.FromSlash(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: the file is missing. Export again, or fetch the whole folder", name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: it cannot be opened", name)
	}
	if at, err := in.Stat(); err != nil || !at.Mode().IsRegular() {
		_ = in.Close()
		return nil, fmt.Errorf("%s: it is not an ordinary file", name)
	}
	return in, nil
}

// Verify compares every file with the manifest, and names all that are missing or not what it says.
func (o *Opened) Verify() error {
	var wrong []error
	for _, f := range o.Manifest.files() {
		wrong = append(wrong, o.verify(f))
	}
	return errors.Join(wrong...)
}

func (o *Opened) verify(f File) error {
	in, err := o.open(f.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	counted := &digesting{sum: sha256.New(), to: io.Discard}
	if _, err := io.Copy(counted, io.LimitReader(in, f.Bytes+1)); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return f.matches(counted)
}

func (f File) matches(d *digesting) error {
	is := d.file(f.Path, f.Rows)
	switch {
	case is.Bytes != f.Bytes:
		return fmt.Errorf("%s: its size is not the %d bytes that the manifest says: it was cut off, or changed", f.Path, f.Bytes)
	case is.SHA256 != f.SHA256:
		return fmt.Errorf("%s: it was changed: its digest is not what the manifest says", f.Path)
	}
	return nil
}

// read gives a file's whole body, checked.
func (o *Opened) read(f File) ([]byte, error) {
	in, err := o.open(f.Path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	body, err := io.ReadAll(io.LimitReader(in, f.Bytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	counted := &digesting{sum: sha256.New(), to: io.Discard}
	_, _ = counted.Write(body)
	return body, f.matches(counted)
}

// SettingsYAML is the export's clinic.yaml, nil where it has none.
func (o *Opened) SettingsYAML() ([]byte, error) {
	if o.Manifest.Settings == nil {
		return nil, nil
	}
	return o.read(*o.Manifest.Settings)
}
