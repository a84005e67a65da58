package lake

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Relaid says what Compact did to one dataset.
type Relaid struct {
	Objects int   `json:"objects"` // looked at
	Written int   `json:"written"` // written anew
	Rows    int64 `json:"rows"`
	Before  int64 `json:"bytes_before"`
	After   int64 `json:"bytes_after"`
}

// Compact writes anew, in one commit, every partition whose object is not what this program would write of its rows: after a
// change of the layout, or of a dataset's columns; in an encrypted clinic, where a name says nothing of the layout, after a change
// of the columns or of the key. There is one object a partition to begin with, and no row changes: rows and
// money totals are compared. Where everything is as it should be there is no commit, and commit is the newest.
func (c *Clinic) Compact(ctx context.Context) (done map[string]Relaid, commit *Commit, err error) {
	commit, err = c.Update(ctx, Compaction, func(ctx context.Context, tx *Tx) error {
		done = map[string]Relaid{}
		written := 0
		for _, table := range Tables() {
			if _, found := tx.next.Datasets[table.Name()]; !found {
				continue
			}
			relaid, err := table.relay(ctx, tx)
			if err != nil {
				return fmt.Errorf("compact %s of clinic %s: %w", table.Name(), c.id, err)
			}
			done[table.Name()] = relaid
			written += relaid.Written
		}
		if written == 0 {
			return ErrUnchanged
		}
		return nil
	})
	if err == nil && commit == nil {
		return nil, nil, fmt.Errorf("clinic %s in %s: %w yet: import reports or run an extraction first", c.id, c.store, ErrNoCommit)
	}
	return done, commit, err
}

// relay writes the partitions anew that are not laid out as this program does.
func (t Table[T]) relay(ctx context.Context, tx *Tx) (Relaid, error) {
	was := tx.next.Datasets[t.name]
	next := Dataset{Objects: slices.Clone(was.Objects), Removed: was.Removed, Covers: was.Covers}
	var written atomic.Int64
	group, work := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, o := range was.Objects {
		if o.Sealed && tx.clinic.sealed[t.name] == nil {
			continue // its key is not at hand
		}
		group.Go(func() error {
			changed, err := t.relayObject(work, tx, o)
			if err == nil && changed.Path != o.Path {
				written.Add(1)
				next.Objects[i] = changed
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return Relaid{}, err
	}
	out := Relaid{Objects: len(was.Objects), Written: int(written.Load()), Rows: was.Rows()}
	for i := range was.Objects {
		out.Before += was.Objects[i].Bytes
		out.After += next.Objects[i].Bytes
	}
	put(&tx.next.Datasets, t.name, next)
	return out, nil
}

func (t Table[T]) relayObject(ctx context.Context, tx *Tx, o Object) (Object, error) {
	rows, err := t.wholly(ctx, tx.clinic, o)
	if err != nil {
		return Object{}, fmt.Errorf("object %s: %w", o.Path, err)
	}
	changed, err := t.put(ctx, tx, o.Month, inOrder(rows, nil))
	if err != nil {
		return Object{}, err
	}
	same := changed.Rows == o.Rows
	for column, sum := range o.Totals {
		same = same && changed.Totals[column] == sum
	}
	if !same {
		return Object{}, fmt.Errorf("object %s has %d rows and totals of %v, and would have %d and %v", o.Path, o.Rows, o.Totals, changed.Rows, changed.Totals)
	}
	return changed, nil
}

// wholly reads all rows of an object that has no column which this program does not know.
func (t Table[T]) wholly(ctx context.Context, c *Clinic, o Object) ([]T, error) {
	if o.isTable() {
		f, err := c.openStored(ctx, o)
		if err != nil {
			return nil, err
		}
		for _, column := range f.schema.Fields() {
			if err := t.knows(column.Name); err != nil {
				return nil, err
			}
		}
		return t.load(ctx, c, o)
	}
	stored, err := c.fetch(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := t.knowsAll(stored); err != nil {
		return nil, err
	}
	return t.decode(stored)
}

// knowsAll refuses a file with a column that this program does not know: writing it anew would lose it.
func (t Table[T]) knowsAll(body []byte) (err error) {
	defer recovered(&err)
	f, err := openParquet(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return err
	}
	for _, c := range f.Root().Columns() {
		if err := t.knows(c.Name()); err != nil {
			return err
		}
	}
	return nil
}

func (t Table[T]) knows(column string) error {
	if _, found := t.schema.Lookup(column); !found {
		return fmt.Errorf("it has a column %s that this program does not know: use the version of falloff that wrote it, or a newer one", column)
	}
	return nil
}
