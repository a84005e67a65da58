package iceberg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	iceio "github.com/apache/iceberg-go/io"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// files is a lake's store as iceberg-go reads it. Names are the locations that metadata holds. What is to be written is kept
// in memory until flush, so that a snapshot can be built on one that is not stored yet.
type files struct {
	//nolint:containedctx // iceberg-go's file interface has no context; a value lives as long as one call of ours
	ctx   context.Context
	store lake.Store
	root  string // location of the store's root, ending in a slash

	mu      sync.Mutex
	sizes   map[string]int64  // by location, of objects whose size a commit says
	written map[string][]byte // by location
	order   []string
}

// rootOf is the location of a store's root as other engines name it, ending in a slash.
func rootOf(store lake.Store) string {
	if here, ok := store.(interface{ LocalPath(name string) string }); ok {
		return "file://" + strings.TrimSuffix(filepath.ToSlash(here.LocalPath("")), "/") + "/"
	}
	at := store.String()
	if !strings.Contains(at, "://") {
		at = "file://" + filepath.ToSlash(at)
	}
	return strings.TrimSuffix(at, "/") + "/"
}

func newFiles(ctx context.Context, store lake.Store) *files {
	return &files{ctx: ctx, store: store, root: rootOf(store), sizes: map[string]int64{}, written: map[string][]byte{}}
}

// location is where other engines find what the store has under a name.
func (f *files) location(name string) string { return f.root + name }

// name is the inverse of location.
func (f *files) name(location string) (string, error) {
	name, inside := strings.CutPrefix(location, f.root)
	if !inside {
		return "", fmt.Errorf("%w: it names a file outside the lake in %s", ErrMoved, f.store)
	}
	return name, nil
}

// size says how big an object is, so that its footer can be read without the rest.
func (f *files) size(location string, bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sizes[location] = bytes
}

// put remembers what is to be stored under a location.
func (f *files) put(location string, body []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.written[location] = body
	f.order = append(f.order, location)
}

// flush stores what was put, in the order in which it was.
func (f *files) flush() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, location := range f.order {
		name, err := f.name(location)
		if err != nil {
			return err
		}
		// Names hold a random part: one that is there already is our own first attempt.
		if err := f.store.Create(f.ctx, name, f.written[location]); err != nil && !errors.Is(err, lake.ErrExists) {
			return err
		}
	}
	f.order = nil
	return nil
}

// wholeBelow is the size up to which a Parquet object is read whole for its footer, footer what is read of a bigger one.
const (
	wholeBelow = 64 << 10
	footer     = 64 << 10
)

// Open implements iceio.IO.
func (f *files) Open(location string) (iceio.File, error) {
	f.mu.Lock()
	body, here := f.written[location]
	size, sized := f.sizes[location]
	f.mu.Unlock()
	if here {
		return inMemory(location, body), nil
	}
	name, err := f.name(location)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: location, Err: err}
	}
	if !sized || size <= wholeBelow {
		body, err := f.store.Get(f.ctx, name)
		if errors.Is(err, lake.ErrNotFound) {
			err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
		}
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: location, Err: err}
		}
		return inMemory(location, body), nil
	}
	end, err := f.store.GetRange(f.ctx, name, size-footer, footer)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: location, Err: err}
	}
	ranges := &rangeReader{files: f, name: name, size: size, end: end}
	return &object{SectionReader: io.NewSectionReader(ranges, 0, size), location: location}, nil
}

// Remove implements iceio.IO; nothing of ours asks for it.
func (f *files) Remove(location string) error {
	return &fs.PathError{Op: "remove", Path: location, Err: errors.ErrUnsupported}
}

func inMemory(location string, body []byte) *object {
	return &object{SectionReader: io.NewSectionReader(bytes.NewReader(body), 0, int64(len(body))), location: location}
}

// rangeReader reads parts of an object, the last of which is at hand.
type rangeReader struct {
	files *files
	name  string
	size  int64
	end   []byte
}

// ReadAt implements io.ReaderAt.
func (r *rangeReader) ReadAt(p []byte, offset int64) (int, error) {
	from := r.size - int64(len(r.end))
	if offset >= from {
		n := copy(p, r.end[offset-from:])
		if n < len(p) {
			return n, io.EOF
		}
		return n, nil
	}
	body, err := r.files.store.GetRange(r.files.ctx, r.name, offset, min(int64(len(p)), r.size-offset))
	if err != nil {
		return 0, err
	}
	n := copy(p, body)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// object is an object of the store that is open for reading.
type object struct {
	*io.SectionReader

	location string
}

func (o *object) Close() error               { return nil }
func (o *object) Stat() (fs.FileInfo, error) { return info{o}, nil }

// info says of an open object what iceberg-go asks: its size.
type info struct{ o *object }

func (i info) Name() string     { return path.Base(i.o.location) }
func (i info) Size() int64      { return i.o.Size() }
func (info) Mode() fs.FileMode  { return 0o400 }
func (info) ModTime() time.Time { return time.Time{} }
func (info) IsDir() bool        { return false }
func (info) Sys() any           { return nil }
