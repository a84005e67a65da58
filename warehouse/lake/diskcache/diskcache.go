// Package diskcache keeps objects that were fetched from a distant lake on this machine, so that who reads them again fetches
// nothing. They lie sealed under the clinic's key, in files named by a hash of their content, and take no more than so many
// bytes: the ones that were not read for the longest time go first.
//
//	<folder>/clinic=<id>/<name>   one object, sealed
//	<folder>/clinic=<id>/.new-*   one that is being written
//	<folder>/bytes                how many bytes there are at most, held locked by whoever adds to them
//
// Any number of processes may use one folder at once. Nothing rests on it: what is missing, damaged, or sealed under a key that is
// gone is fetched again, and a cache that cannot be written to slows reading down and does no more.
package diskcache

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// A Sealer encrypts and authenticates entries. The associated bytes bind one to its name. Tink's AEAD is one.
type Sealer interface {
	Encrypt(plain, associated []byte) ([]byte, error)
	Decrypt(sealed, associated []byte) ([]byte, error)
}

// Cache is a folder of entries. Its methods may be called from several goroutines.
type Cache struct {
	folder string
	limit  int64
	now    func() time.Time
}

// Counted says how many entries there were, and their bytes on disk.
type Counted struct {
	Entries int
	Bytes   int64
}

const (
	ledgerName   = "bytes"
	clinicPrefix = "clinic="
	newPrefix    = ".new-"
	// abandoned is how old a file that is being written must be to be nobody's any more: writing one takes a moment.
	abandoned = time.Hour
	// unread is how old the mark of an entry's last use must be to be made new: a mark each time would be a write a read.
	unread = time.Minute
)

// New is the cache in a folder, which is made for this user alone when the first entry comes. Entries take at most limit bytes; with
// 0 nothing is kept. now is the clock that tells how long one was not read.
func New(folder string, limit int64, now func() time.Time) *Cache { return &Cache{folder, limit, now} }

// Make makes the folder, for whoever wants to know whether that can be done.
func (c *Cache) Make() error {
	if err := os.MkdirAll(c.folder, 0o700); err != nil {
		return fmt.Errorf("make the folder for cached objects: %w", err)
	}
	return nil
}

// Keeps says whether anything can be kept; not in nil, nor in a cache of no bytes.
func (c *Cache) Keeps() bool { return c != nil && c.limit > 0 }

// For is the part of a clinic, sealed with that clinic's key.
func (c *Cache) For(clinic string, seal Sealer) *Part {
	return &Part{cache: c, folder: filepath.Join(c.folder, clinicPrefix+clinic), seal: seal}
}

// Forget removes everything of a clinic, and says what there was. No key is needed for it.
func (c *Cache) Forget(clinic string) (gone Counted, err error) {
	folder := filepath.Join(c.folder, clinicPrefix+clinic)
	found, err := list(folder)
	if err != nil {
		return gone, fmt.Errorf("clear what is cached of clinic %s: %w", clinic, err)
	}
	for _, e := range found {
		gone.Entries++
		gone.Bytes += e.bytes
	}
	if err := os.RemoveAll(folder); err != nil {
		return gone, fmt.Errorf("clear what is cached of clinic %s: %w", clinic, err)
	}
	return gone, nil
}

// entry is a file of the cache.
type entry struct {
	path  string
	bytes int64
	used  time.Time
	// unfinished is one that is being written, or was when its process died.
	unfinished bool
}

// list is the files of a clinic's part; none where there is no part. A file that goes meanwhile is left out.
func list(folder string) ([]entry, error) {
	names, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []entry
	for _, n := range names {
		st, err := n.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if st.Mode().IsRegular() {
			out = append(out, entry{filepath.Join(folder, n.Name()), st.Size(), st.ModTime(), strings.HasPrefix(n.Name(), newPrefix)})
		}
	}
	return out, nil
}

// admit takes a finished file in under its name, after making room for it.
//
// The number of bytes in the ledger is raised before the file has its name, and lowered only by counting, so it is never less than
// what there is: a process that dies in between leaves it too high, until the next that needs room counts again.
func (c *Cache) admit(unfinished, path string, size int64) (err error) {
	ledger, err := lockedfile.Edit(filepath.Join(c.folder, ledgerName))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ledger.Close()) }()
	if _, err := os.Stat(path); err == nil {
		return os.Remove(unfinished) // another process was first
	}
	text, err := io.ReadAll(ledger)
	if err != nil {
		return err
	}
	total, unknown := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if unknown != nil || total < 0 || total+size > c.limit {
		if total, err = c.makeRoom(size); err != nil {
			return err
		}
	}
	if _, err := ledger.WriteAt(fmt.Appendf(nil, "%019d\n", total+size), 0); err != nil {
		return err
	}
	return os.Rename(unfinished, path)
}

// makeRoom counts what there is, and removes what was not read for the longest time until there is room for so many bytes more, and
// a tenth of the limit beside, so that not each new entry counts. It gives the bytes that are left. The ledger is locked.
func (c *Cache) makeRoom(more int64) (total int64, err error) {
	parts, err := filepath.Glob(filepath.Join(c.folder, clinicPrefix+"*"))
	if err != nil {
		return 0, err
	}
	var all []entry
	for _, part := range parts {
		found, err := list(part)
		if err != nil {
			return 0, err
		}
		for _, e := range found {
			if e.unfinished {
				if c.now().Sub(e.used) > abandoned {
					_ = os.Remove(e.path)
				}
				continue
			}
			total += e.bytes
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Or(a.used.Compare(b.used), strings.Compare(a.path, b.path)) })
	for _, e := range all {
		if total+more <= c.limit-c.limit/10 || total == 0 {
			break
		}
		if err := os.Remove(e.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		total -= e.bytes
	}
	return total, nil
}
