package chain

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/falloff-analytics/falloff/pipeline/audit"
)

// A file of records is named after its first one. It is a row of frames: four bytes of length, then the sealed record, which is
// the line that will stand in the lake. There is nothing else in it, so that a file of any length can be cut to its whole frames.
const (
	walEnding = ".wal"
	// mostFrame bounds what a length may say: it is not under the seal.
	mostFrame = 64 << 10
)

func walName(dir string, first int64) string {
	return filepath.Join(dir, fmt.Sprintf("%0*d%s", digits, first, walEnding))
}

// frames seals and opens records.
type frames struct {
	seal   tink.AEAD
	server string
}

func (f frames) with(number int64) []byte {
	return fmt.Appendf(nil, "falloff audit record v1|%s|%d", f.server, number)
}

func (f frames) append(buf []byte, number int64, line []byte) ([]byte, error) {
	sealed, err := f.seal.Encrypt(line, f.with(number))
	if err != nil {
		return buf, err
	}
	if len(sealed) > mostFrame {
		return buf, errors.New("the record is too long")
	}
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(sealed)))
	return append(buf, sealed...), nil
}

// walFile is a file of records that has been read.
type walFile struct {
	path  string
	first int64
	lines [][]byte
	// last is its last record.
	last audit.Record
	// size is how long it is, whole how many bytes of it are whole frames.
	size, whole int64
	// begun is when its first record was made.
	begun time.Time
}

// end is the number after its last record.
func (w *walFile) end() int64 { return w.first + int64(len(w.lines)) }

// segment is what it becomes in the lake.
func (w *walFile) segment() []byte { return bytes.Join(w.lines, nil) }

// read reads a file up to the first frame that is not whole.
func (f frames) read(path string, first int64) (walFile, error) {
	w := walFile{path: path, first: first}
	body, err := os.ReadFile(path)
	if err != nil {
		return w, err
	}
	w.size = int64(len(body))
	for rest := body; len(rest) >= 4; {
		length := binary.BigEndian.Uint32(rest)
		if length > mostFrame || int(length) > len(rest)-4 {
			break
		}
		line, err := f.seal.Decrypt(rest[4:4+length], f.with(w.end()))
		if err != nil {
			break
		}
		w.lines = append(w.lines, line)
		rest = rest[4+length:]
		w.whole = w.size - int64(len(rest))
	}
	if len(w.lines) > 0 {
		if err := json.Unmarshal(w.lines[len(w.lines)-1], &w.last); err != nil || w.last.Number != w.end()-1 {
			return w, fmt.Errorf("%w: %s holds something else than records", ErrDamaged, path)
		}
	}
	return w, nil
}

// readAll reads what a server kept on this machine. Of the last file a torn end is cut off: it was promised to nobody, unless the mark
// says so. Earlier files were whole when the next one was begun. holes are numbers before which files are missing that the lake, which
// has the records up to sent, does not have either.
func (f frames) readAll(dir string, sent int64) (out []walFile, holes []int64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries { // in the order of their names
		text, isWAL := strings.CutSuffix(e.Name(), walEnding)
		first, err := strconv.ParseInt(text, 10, 64)
		if !isWAL || err != nil || first < 1 || walName(dir, first) != filepath.Join(dir, e.Name()) {
			continue
		}
		w, err := f.read(filepath.Join(dir, e.Name()), first)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, w)
	}
	for i := range out[:max(len(out)-1, 0)] {
		w, next := &out[i], out[i+1].first
		switch {
		case next <= sent+1:
		case w.whole < w.size || w.end() > next:
			return nil, nil, fmt.Errorf("%w: %s does not reach the record before %d, where the next file begins. Move it out of the folder, and keep it: what it holds will be named as missing", ErrDamaged, w.path, next)
		case w.end() < next:
			holes = append(holes, next)
		}
	}
	return out, holes, nil
}

// cut takes a torn end away. What is cut off is kept beside it where keep says so.
func (w *walFile) cut(keep bool) error {
	if w.whole == w.size {
		return nil
	}
	if keep {
		body, err := os.ReadFile(w.path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(w.path+".damaged", body, 0o600); err != nil { //nolint:gosec // the folder is the server's own
			return err
		}
	}
	if w.whole == 0 {
		return errors.Join(os.Remove(w.path), syncFolder(filepath.Dir(w.path)))
	}
	file, err := os.OpenFile(w.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Truncate(w.whole), file.Sync(), file.Close())
}

// syncFolder makes a new name survive a power cut.
func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// disk is a file of records as the committer uses it: a part of os.File, so that a test can let it fail.
type disk interface {
	io.Writer
	Sync() error
	Truncate(size int64) error
	Close() error
}

// newFile makes a file of records, whose name survives a power cut.
func newFile(path string) (disk, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(path))
	}
	return file, nil
}

// remove removes files that are in the lake.
func remove(paths ...string) error {
	var failed []error
	for _, path := range slices.Compact(paths) {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
