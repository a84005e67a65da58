package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// View shows one backup as the lake that it was made of, for reading: commits, objects, keys and all. Each object is unsealed and
// compared with the manifest when it is read.
type View struct {
	place Place
	// Manifest is what the backup consists of.
	Manifest *Manifest
}

// Open opens a backup; of number 0 the newest.
func (p Place) Open(ctx context.Context, number int64) (*View, error) {
	m, err := p.read(ctx, number)
	if err != nil {
		return nil, err
	}
	return &View{p, m}, nil
}

var _ lake.Store = (*View)(nil)

// errReadOnly is what writing to a backup gives.
var errReadOnly = errors.New("a backup is not written to: restore it first")

// String says where the backup lies.
func (v *View) String() string {
	return fmt.Sprintf("backup %d of clinic %s in %s", v.Manifest.Number, v.Manifest.Clinic, v.place.store)
}

func (v *View) fail(op, name string, err error) error {
	return &lake.StoreError{Op: op, Name: name, Store: v.String(), Err: err}
}

// Get implements lake.Store.
func (v *View) Get(ctx context.Context, name string) ([]byte, error) {
	e, found := v.Manifest.find(name)
	if !found {
		return nil, v.fail("get", name, lake.ErrNotFound)
	}
	body, err := v.place.open(ctx, e.Object)
	if errors.Is(err, lake.ErrNotFound) {
		err = fmt.Errorf("%w: the backup has lost it", ErrDamaged)
	}
	if err == nil && (int64(len(body)) != e.Bytes || sumOf(body) != e.SHA256) {
		err = fmt.Errorf("%w: it is not what was backed up", ErrDamaged)
	}
	if err != nil {
		return nil, v.fail("get", name, err)
	}
	return body, nil
}

// GetRange implements lake.Store.
func (v *View) GetRange(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	body, err := v.Get(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case offset < 0 || length < 0:
		return nil, v.fail("get", name, fmt.Errorf("range of %d bytes from %d", length, offset))
	case int64(len(body))-offset < length:
		return nil, v.fail("get", name, io.ErrUnexpectedEOF)
	}
	return body[offset : offset+length], nil
}

// List implements lake.Store.
func (v *View) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return lake.NamesOf(v.Entries(ctx, prefix, after))
}

// Entries implements lake.Store. An object is as old as the backup.
func (v *View) Entries(ctx context.Context, prefix, after string) iter.Seq2[lake.Entry, error] {
	return func(yield func(lake.Entry, error) bool) {
		for _, e := range v.Manifest.Entries {
			if err := ctx.Err(); err != nil {
				yield(lake.Entry{}, v.fail("list", prefix, err))
				return
			}
			if strings.HasPrefix(e.Name, prefix) && e.Name > after && !yield(lake.Entry{Name: e.Name, Bytes: e.Bytes, Modified: v.Manifest.CreatedAt}, nil) {
				return
			}
		}
	}
}

// Replace implements lake.Store, and refuses.
func (v *View) Replace(_ context.Context, name string, _ []byte) error {
	return v.fail("replace", name, errReadOnly)
}

// Create implements lake.Store, and refuses.
func (v *View) Create(_ context.Context, name string, _ []byte) error {
	return v.fail("create", name, errReadOnly)
}

// Delete implements lake.Store, and refuses.
func (v *View) Delete(_ context.Context, name string) error {
	return v.fail("delete", name, errReadOnly)
}

// Verify reads every object of the backup, and gives an error that names each that is lost or damaged.
func (v *View) Verify(ctx context.Context, progress func(done, of int)) error {
	wrong := make([]error, len(v.Manifest.Entries))
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	var looked atomic.Int64
	for i, e := range v.Manifest.Entries {
		group.Go(func() error {
			_, err := v.Get(working, e.Name)
			switch {
			case err == nil:
			case errors.Is(err, ErrDamaged):
				wrong[i] = fmt.Errorf("%s (as %s): %w", e.Name, e.Object, err)
			default:
				return err
			}
			if done := int(looked.Add(1)); progress != nil {
				progress(done, len(wrong))
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("verify %s: %w", v, err)
	}
	wrong = slices.DeleteFunc(wrong, func(err error) bool { return err == nil })
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d objects of %s are %w:\n%w", len(wrong), len(v.Manifest.Entries), v, ErrDamaged, errors.Join(wrong...))
}
