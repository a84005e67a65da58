package lake

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// scratch is the folder, at the root of a directory store, where objects are written before they get their name. It
// is on the same file system by construction, and its dot keeps it out of every listing.
// A process killed between writing and naming leaves its file there until SweepScratch removes it.
const scratch = ".tmp"

// Dir is a Store in a directory of this machine. An object is written to a scratch file, synced, linked under its name
// (which fails if the name is taken, on every POSIX file system), and the folders are synced.
type Dir struct {
	root string

	// synced holds, by path, the folders under root whose own name is known to be durable, as fs.FileInfo: a folder
	// that was removed and made again is another one.
	synced sync.Map
}

// OpenDir opens a directory as a Store, making it if it is missing. Files are readable by their owner only.
func OpenDir(path string) (*Dir, error) {
	root, err := filepath.Abs(path)
	if err != nil {
		return nil, &StoreError{Op: opOpen, Store: path, Err: err}
	}
	d := &Dir{root: root}
	if err := d.makeFolder(root); err != nil {
		return nil, d.fail(opOpen, "", err)
	}
	return d, nil
}

func (d *Dir) String() string { return d.root }

// LocalPath is where an object lies, or would lie, on this machine.
func (d *Dir) LocalPath(name string) string { return filepath.Join(d.root, filepath.FromSlash(name)) }

// Get implements Store.
func (d *Dir) Get(ctx context.Context, name string) ([]byte, error) {
	if err := d.check(ctx, opGet, name); err != nil {
		return nil, err
	}
	body, err := os.ReadFile(d.LocalPath(name))
	if err != nil {
		return nil, d.fail(opGet, name, err)
	}
	return body, nil
}

// GetRange implements Store.
func (d *Dir) GetRange(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	if err := d.check(ctx, opGet, name); err != nil {
		return nil, err
	}
	if offset < 0 || length < 0 {
		return nil, d.fail(opGet, name, fmt.Errorf("range of %d bytes from %d", length, offset))
	}
	f, err := os.Open(d.LocalPath(name))
	if err != nil {
		return nil, d.fail(opGet, name, err)
	}
	defer func() { _ = f.Close() }()
	// The size is looked at before memory is set aside: a damaged commit must not make us ask for a terabyte.
	if st, err := f.Stat(); err != nil {
		return nil, d.fail(opGet, name, err)
	} else if st.Size()-offset < length {
		return nil, d.fail(opGet, name, fmt.Errorf("%d bytes from %d of an object of %d: %w", length, offset, st.Size(), io.ErrUnexpectedEOF))
	}
	body := make([]byte, length)
	if _, err := f.ReadAt(body, offset); err != nil && length > 0 {
		return nil, d.fail(opGet, name, err)
	}
	return body, nil
}

// Create implements Store.
func (d *Dir) Create(ctx context.Context, name string, body []byte) error {
	if err := d.check(ctx, opCreate, name); err != nil {
		return err
	}
	path := d.LocalPath(name)
	if _, err := os.Lstat(path); err == nil {
		return d.fail(opCreate, name, ErrExists) // spares the writing; the link below is what decides
	}
	temp, err := d.writeScratch(body)
	if err != nil {
		return d.fail(opCreate, name, err)
	}
	defer func() { _ = os.Remove(temp) }()
	// Delete removes folders that became empty, so a folder may vanish between making it and linking into it.
	for range 100 {
		err = d.makeFolder(filepath.Dir(path))
		if err == nil {
			err = os.Link(temp, path)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return d.fail(opCreate, name, ErrExists)
	case err != nil:
		return d.fail(opCreate, name, err)
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return d.fail(opCreate, name, err)
	}
	return nil
}

// writeScratch puts body into a new synced file and returns its path; on an error nothing is left.
func (d *Dir) writeScratch(body []byte) (path string, err error) {
	folder := filepath.Join(d.root, scratch)
	if err := d.makeFolder(folder); err != nil {
		return "", err
	}
	path = filepath.Join(folder, strings.ToLower(rand.Text()))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	_, err = f.Write(body)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		_ = os.Remove(path)
		return "", err
	}
	return path, nil
}

// Replace implements Store.
func (d *Dir) Replace(ctx context.Context, name string, body []byte) error {
	if err := d.check(ctx, opReplace, name); err != nil {
		return err
	}
	path := d.LocalPath(name)
	temp, err := d.writeScratch(body)
	if err != nil {
		return d.fail(opReplace, name, err)
	}
	defer func() { _ = os.Remove(temp) }()
	for range 100 { // as in Create
		err = d.makeFolder(filepath.Dir(path))
		if err == nil {
			err = os.Rename(temp, path)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return d.fail(opReplace, name, err)
	}
	return nil
}

// List implements Store.
func (d *Dir) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if _, err := d.list(ctx, "", prefix, after, func(name string) bool { return yield(name, nil) }); err != nil {
			yield("", d.fail(opList, prefix, err))
		}
	}
}

// Entries implements Store.
func (d *Dir) Entries(ctx context.Context, prefix, after string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		var failed error
		_, err := d.list(ctx, "", prefix, after, func(name string) bool {
			st, err := os.Lstat(d.LocalPath(name))
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return true // deleted meanwhile
			case err != nil:
				failed = err
				return false
			}
			return yield(Entry{Name: name, Bytes: st.Size(), Modified: st.ModTime()}, nil)
		})
		if err = errors.Join(failed, err); err != nil {
			yield(Entry{}, d.fail(opList, prefix, err))
		}
	}
}

// list walks one folder (empty, or ending in a slash) and says whether to go on.
func (d *Dir) list(ctx context.Context, folder, prefix, after string, yield func(string) bool) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	entries, err := os.ReadDir(d.LocalPath(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		name := folder + e.Name()
		if ValidName(e.Name()) != nil {
			continue
		}
		if e.IsDir() {
			name += "/" // so that a folder sorts where the names in it do: "a-b/x" comes before "a/x"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !strings.HasSuffix(name, "/") {
			if strings.HasPrefix(name, prefix) && name > after && !yield(name) {
				return false, nil
			}
			continue
		}
		onTheWay := strings.HasPrefix(name, prefix) || strings.HasPrefix(prefix, name)
		behind := name < after && !strings.HasPrefix(after, name)
		if !onTheWay || behind {
			continue
		}
		if more, err := d.list(ctx, name, prefix, after, yield); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// Delete implements Store.
func (d *Dir) Delete(ctx context.Context, name string) error {
	if err := d.check(ctx, opDelete, name); err != nil {
		return err
	}
	return d.remove(name)
}

func (d *Dir) remove(name string) error {
	path := d.LocalPath(name)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d.fail(opDelete, name, err)
	}
	// Folders that became empty go too: a deleted clinic leaves no folder with its name. A folder with something in
	// it refuses, which ends the walk.
	folder := filepath.Dir(path)
	for folder != d.root && os.Remove(folder) == nil {
		folder = filepath.Dir(folder)
	}
	if err := syncFolder(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d.fail(opDelete, name, err)
	}
	return nil
}

// SweepScratch removes, or counts where dry is set, the files that processes left which were killed before they could name them,
// as far as they were last written before a moment.
func (d *Dir) SweepScratch(ctx context.Context, before time.Time, dry bool) (files int, bytes int64, err error) {
	entries, err := os.ReadDir(filepath.Join(d.root, scratch))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, 0, d.fail(opList, scratch, err)
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return files, bytes, err
		}
		st, err := e.Info()
		if err != nil || !st.Mode().IsRegular() || !st.ModTime().Before(before) {
			continue // gone meanwhile, or not ours to judge
		}
		if !dry {
			if err := os.Remove(filepath.Join(d.root, scratch, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return files, bytes, d.fail(opDelete, scratch, err)
			}
		}
		files++
		bytes += st.Size()
	}
	return files, bytes, nil
}

func (d *Dir) check(ctx context.Context, op, name string) error {
	if err := ctx.Err(); err != nil {
		return d.fail(op, name, err)
	}
	if err := ValidName(name); err != nil {
		return d.fail(op, name, err)
	}
	return nil
}

func (d *Dir) fail(op, name string, err error) error {
	e := &StoreError{Op: op, Name: name, Store: d.root, Err: err}
	switch {
	case op == opGet && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ENOTDIR)):
		e.Err = ErrNotFound
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e.Hint = "the disk is full: nothing was half-written; free some space and run it again"
	case errors.Is(err, syscall.EFBIG):
		e.Hint = "the file size limit of this process or file system is too small: nothing was half-written; raise it (ulimit -f) and run it again"
	case errors.Is(err, syscall.EROFS):
		e.Hint = "the file system is read-only: mount it writable or give another --lake"
	case errors.Is(err, fs.ErrPermission) && (op == opCreate || op == opReplace):
		e.Hint = "this user may not write there, or the file system has no hard links: make " + d.root + " writable on a local file system, or give another --lake"
	case errors.Is(err, fs.ErrPermission):
		e.Hint = "this user may not read or change it: run as the user who owns " + d.root
	case errors.Is(err, errors.ErrUnsupported):
		e.Hint = "the file system has no hard links, which a lake needs to write each object once: use a local file system or S3"
	case errors.Is(err, syscall.ENOTDIR):
		e.Hint = "a file stands where a folder is needed: give another --lake"
	}
	return e
}

// makeFolder makes a folder and those above it, durably: its name is synced in the one above, also where somebody else
// made it a moment ago and may not have come to that yet. Folders above the root are trusted where they exist.
func (d *Dir) makeFolder(path string) error {
	above := filepath.Dir(path)
	inside := len(path) > len(d.root)
	st, err := os.Stat(path)
	switch {
	case err == nil && !st.IsDir():
		return &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
	case err == nil && !inside:
		return nil
	case err == nil:
		known, _ := d.synced.Load(path)
		if known, ok := known.(fs.FileInfo); ok && os.SameFile(known, st) {
			return nil
		}
		if err := d.makeFolder(above); err != nil {
			return err
		}
	case errors.Is(err, fs.ErrNotExist):
		if above != path {
			if err := d.makeFolder(above); err != nil {
				return err
			}
		}
		if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if st, err = os.Stat(path); err != nil {
			return err
		}
	default:
		return err
	}
	if err := syncFolder(above); err != nil {
		return err
	}
	if inside {
		d.synced.Store(path, st)
	}
	return nil
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return f.Sync()
}
