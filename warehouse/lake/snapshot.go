package lake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/parquetkeys"
)

// Snapshot reads a clinic as one commit has it, whatever is committed meanwhile.
type Snapshot struct {
	clinic *Clinic
	commit *Commit
}

// Snapshot reads what a commit of this clinic names.
func (c *Clinic) Snapshot(commit *Commit) *Snapshot {
	return &Snapshot{clinic: c.reader(), commit: commit}
}

// Commit is the commit that is read. It must not be changed.
func (s *Snapshot) Commit() *Commit { return s.commit }

// Objects are a dataset's objects in order of month; none for a dataset that has no rows.
func (s *Snapshot) Objects(dataset string) []Object {
	return slices.Clone(s.commit.Datasets[dataset].Objects)
}

// Mart is a mart as the commit has it, and whether it has one.
func (s *Snapshot) Mart(name string) (Mart, bool) {
	m, ok := s.commit.Marts[name]
	return m, ok
}

// Rows reads a dataset's rows, month after month, in order of day and key. An error ends the sequence.
func Rows[T contract.Row](ctx context.Context, s *Snapshot, table Table[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, o := range s.commit.Datasets[table.name].Objects {
			rows, err := table.load(ctx, s.clinic, o)
			if err != nil {
				yield(*new(T), fmt.Errorf("read %s of clinic %s: %w", table.name, s.clinic.id, err))
				return
			}
			for _, r := range rows {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// Settings is the settings object that the commit was made with, nil if there is none.
func (s *Snapshot) Settings(ctx context.Context) ([]byte, error) {
	if s.commit.Settings == nil {
		return nil, nil
	}
	body, err := s.clinic.fetch(ctx, *s.commit.Settings)
	if err != nil {
		return nil, fmt.Errorf("read the settings of clinic %s: %w", s.clinic.id, err)
	}
	return body, nil
}

// Released is what PutReleased stored, nil if there is nothing.
func (s *Snapshot) Released(ctx context.Context) ([]byte, error) {
	if s.commit.Released == nil {
		return nil, nil
	}
	body, err := s.clinic.fetch(ctx, *s.commit.Released)
	if err != nil {
		return nil, fmt.Errorf("read the released tables of clinic %s: %w", s.clinic.id, err)
	}
	return body, nil
}

// Verify reads every object that the commit names and compares its bytes with its name, and for Parquet its rows and
// totals with the commit. It goes on after a wrong one and names them all. It needs the clinic's naming key, and asks the store,
// whatever was read before.
func (s *Snapshot) Verify(ctx context.Context) error {
	s = &Snapshot{clinic: s.clinic.fresh(), commit: s.commit}
	if s.clinic.key == nil {
		return fmt.Errorf("clinic %s was opened without its naming key: its objects cannot be verified", s.clinic.id)
	}
	objects := slices.Collect(s.commit.objects)
	wrong := make([]error, len(objects))
	var group errgroup.Group
	group.SetLimit(parallel)
	for i, o := range objects {
		group.Go(func() error {
			wrong[i] = s.verify(ctx, o)
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	if err := errors.Join(wrong...); err != nil {
		return fmt.Errorf("commit %d of clinic %s: %w", s.commit.Number, s.clinic.id, err)
	}
	return nil
}

func (s *Snapshot) verify(ctx context.Context, o Object) error {
	if o.isTable() {
		is, err := s.clinic.describeSealed(ctx, o)
		if err != nil {
			return err
		}
		return s.agrees(o, is)
	}
	o, body, err := s.clinic.fetchLying(ctx, o)
	if o.Sealed && (errors.Is(err, ErrSealed) || errors.Is(err, ErrNotFound)) {
		return nil // nobody here can judge it, or its key and bytes were destroyed on purpose
	}
	if err != nil {
		return err
	}
	if o.Schema == "" {
		return nil // no Parquet: settings
	}
	is, err := describe(body)
	if err != nil {
		return fmt.Errorf("object %s: %w", o.Path, err)
	}
	return s.agrees(o, is)
}

// agrees compares what an object says of itself with what the commit says of it. Of one in another's place it says nothing.
func (*Snapshot) agrees(o, is Object) error {
	if o.erased || is.erased {
		return nil
	}
	if is.Rows != o.Rows || is.Schema != o.Schema || !maps.Equal(is.Totals, o.Totals) {
		return fmt.Errorf("object %s: %w: it has %d rows, schema %s, totals %v; the commit says %d, %s, %v",
			o.Path, ErrDamaged, is.Rows, is.Schema, is.Totals, o.Rows, o.Schema, o.Totals)
	}
	return nil
}

// Want says what to bring onto this machine.
type Want struct {
	// Datasets and Marts are by name; a name that the commit does not have is left out. Both nil mean everything.
	Datasets, Marts []string
	// Folder is where fetched objects may lie on a system that has no files in memory (Linux has), the system's temporary folder
	// if empty. Nothing is written for a lake that lies on this machine.
	Folder string
	// MaxBytes refuses to fetch more than that; zero is no limit.
	MaxBytes int64
}

// Local is a snapshot's objects as files of this machine. Close it when no reader has them open any more.
type Local struct {
	// Datasets and Marts hold paths by name, those of a dataset in order of month. They are for reading only, and those of a
	// distant lake for this process only.
	Datasets map[string][]string
	Marts    map[string][]string
	// Keys are those that the files are encrypted under; nil where they are plain.
	Keys *parquetkeys.Keys

	folder string      // to be removed; empty where there is none
	memory []io.Closer // files in memory
}

// Close removes what was fetched.
func (l *Local) Close() error {
	var err error
	for _, f := range l.memory {
		err = errors.Join(err, f.Close())
	}
	l.memory = nil
	if l.folder != "" {
		err = errors.Join(err, os.RemoveAll(l.folder))
	}
	if err != nil {
		return fmt.Errorf("remove fetched objects: %w", err)
	}
	return nil
}

// Materialise makes objects of the snapshot readable as files, those of datasets that are sealed under a key of their own
// never: their plain bytes belong in memory. Those of a lake on this machine stay where they are; others are
// fetched, each verified, into files that lie in memory alone.
func (s *Snapshot) Materialise(ctx context.Context, want Want) (local *Local, err error) {
	local = &Local{Datasets: map[string][]string{}, Marts: map[string][]string{}}
	var objects []Object
	place := func(o Object) string {
		objects = append(objects, o)
		return o.Path
	}
	everything := want.Datasets == nil && want.Marts == nil
	for name, d := range s.commit.Datasets {
		if everything || slices.Contains(want.Datasets, name) {
			for _, o := range d.Objects {
				if o.Sealed {
					continue
				}
				local.Datasets[name] = append(local.Datasets[name], place(o))
			}
		}
	}
	for name, m := range s.commit.Marts {
		if everything || slices.Contains(want.Marts, name) {
			local.Marts[name] = []string{place(m.Object)}
		}
	}
	at, err := s.files(ctx, want, objects, local)
	if err != nil {
		return nil, errors.Join(err, local.Close())
	}
	local.Keys, err = s.clinic.keysOf(objects, func(o Object) string { return at[o.Path] })
	if err != nil {
		return nil, errors.Join(err, local.Close())
	}
	for _, paths := range []map[string][]string{local.Datasets, local.Marts} {
		for _, list := range paths {
			for i := range list {
				list[i] = at[list[i]]
			}
		}
	}
	return local, nil
}

// files says where the objects lie as files, by their paths in the clinic, once they lie there.
func (s *Snapshot) files(ctx context.Context, want Want, objects []Object, local *Local) (map[string]string, error) {
	c := s.clinic
	if here, ok := c.store.(interface{ LocalPath(name string) string }); ok && c.seal.transparent() {
		at := map[string]string{}
		for _, o := range objects {
			lying, err := c.lies(ctx, o, here.LocalPath)
			if err != nil {
				return nil, fmt.Errorf("commit %d of clinic %s %w", s.commit.Number, c.id, err)
			}
			at[o.Path] = here.LocalPath(c.name(lying))
		}
		return at, nil
	}
	var bytes int64
	for _, o := range objects {
		bytes += o.Bytes
	}
	if want.MaxBytes > 0 && bytes > want.MaxBytes {
		return nil, fmt.Errorf("commit %d of clinic %s needs %d bytes on this machine, %d are allowed: ask for fewer datasets or raise the limit", s.commit.Number, c.id, bytes, want.MaxBytes)
	}
	save, err := local.saver(want.Folder)
	if err != nil {
		return nil, err
	}
	paths := make([]string, len(objects))
	group, fetching := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, o := range objects {
		group.Go(func() error {
			body, err := c.fetchFile(fetching, o)
			if err == nil {
				paths[i], err = save(o, body)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("fetch objects of commit %d of clinic %s: %w", s.commit.Number, c.id, err)
	}
	at := map[string]string{}
	for i, o := range objects {
		at[o.Path] = paths[i]
	}
	return at, nil
}

// saver gives the function that makes a file of a fetched object, in memory where that is possible. It may be called by several
// goroutines at once.
func (l *Local) saver(parent string) (save func(o Object, body []byte) (path string, err error), err error) {
	if filesInMemory {
		var mu sync.Mutex
		return func(_ Object, body []byte) (string, error) {
			path, file, err := memoryFile(body)
			if err == nil {
				mu.Lock()
				l.memory = append(l.memory, file)
				mu.Unlock()
			}
			return path, err
		}, nil
	}
	if l.folder, err = os.MkdirTemp(parent, "falloff-lake-"); err != nil { // mode 0700
		return nil, fmt.Errorf("make a folder for fetched objects: %w", err)
	}
	return func(o Object, body []byte) (string, error) {
		path := filepath.Join(l.folder, filepath.FromSlash(o.Path))
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			err = os.WriteFile(path, body, 0o400)
		}
		return path, err
	}, nil
}

// Keys are the keys of the commit's datasets and marts, by where a function says that an object lies; nil where they are plain.
func (s *Snapshot) Keys(place func(Object) string) (*parquetkeys.Keys, error) {
	var objects []Object
	for o := range s.commit.objects {
		if o.isTable() {
			objects = append(objects, o)
		}
	}
	return s.clinic.keysOf(objects, place)
}

func (c *Clinic) keysOf(objects []Object, place func(Object) string) (keys *parquetkeys.Keys, err error) {
	for _, o := range objects {
		if o.Key == "" {
			continue
		}
		key, err := c.dataKey(o.Key)
		if err != nil {
			return nil, err
		}
		if keys == nil {
			keys = &parquetkeys.Keys{}
		}
		keys.Add(place(o), key.id, key.footer)
	}
	return keys, nil
}

// lies finds the path of an object that is to be read where it lies, or says what is wrong with it. Of an encrypted one the
// footer is read: DuckDB takes a sound file in another's place for that one, and its footer says whose it is.
func (c *Clinic) lies(ctx context.Context, o Object, local func(name string) string) (string, error) {
	f, err := os.Open(local(c.name(o.Path)))
	for range maxChain {
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
		to, failed := c.redirected(ctx, o.Path)
		if errors.Is(failed, ErrNotFound) {
			break
		}
		if failed != nil {
			return "", fmt.Errorf("names an object that is not there: %w", failed)
		}
		o = o.moved(to)
		f, err = os.Open(local(c.name(o.Path)))
	}
	if err != nil {
		return "", fmt.Errorf("names an object that is not there: %w", err)
	}
	defer func() { _ = f.Close() }()
	if o.Key == "" {
		return o.Path, nil
	}
	if _, err = c.openSealed(o, f); err != nil {
		return "", fmt.Errorf("names an object that cannot be read: %w", err)
	}
	return o.Path, nil
}
