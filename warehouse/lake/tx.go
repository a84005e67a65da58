package lake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"cloud.google.com/go/civil"
	"github.com/parquet-go/parquet-go"
)

// ErrStale is returned for a mart that was made from an older commit than the one that is live.
var ErrStale = errors.New("made from an older commit than the live one")

// Tx is a commit in the making. Everything in it becomes visible at once, or never. It is valid only while the plan runs, and in
// one goroutine.
type Tx struct {
	clinic *Clinic
	head   *Commit
	next   *Commit

	live sync.Map // objects by path, that the head names: they need no upload
	// ours are the objects, by path, that this Update has written, in this turn or in one before: they need none either.
	ours *sync.Map
	// reused are those of them that were there before, though the head does not name them.
	reused *sync.Map
}

// Head is the commit that this one follows, nil if it is the first. It must not be changed.
func (tx *Tx) Head() *Commit { return tx.head }

// Marts are the marts as the commit in the making names them.
func (tx *Tx) Marts() map[string]Mart { return maps.Clone(tx.next.Marts) }

// Snapshot reads the clinic as the commit in the making has it so far.
func (tx *Tx) Snapshot() *Snapshot { return tx.clinic.Snapshot(tx.next) }

// SameAsHead says whether the commit in the making names and says the same as the head: whether there is anything to commit.
func (tx *Tx) SameAsHead() bool {
	if tx.head == nil {
		return false
	}
	a, b := *tx.head, *tx.next
	b.Number, b.Parent, b.CreatedAt, b.Writer, b.Kind = a.Number, a.Parent, a.CreatedAt, a.Writer, a.Kind
	was, err := json.Marshal(a)
	if err != nil {
		return false
	}
	is, err := json.Marshal(b)
	return err == nil && bytes.Equal(was, is)
}

// Source is a source's checkpoint as the commit in the making has it, nil if there is none.
func (tx *Tx) Source(name string) json.RawMessage { return tx.next.Sources[name] }

// SetSource stores a source's checkpoint; it becomes visible with the rows that it speaks about. Nil forgets it.
func (tx *Tx) SetSource(name string, checkpoint any) error {
	if checkpoint == nil {
		delete(tx.next.Sources, name)
		return nil
	}
	body, err := json.Marshal(checkpoint)
	if err != nil {
		return fmt.Errorf("checkpoint of source %s: %w", name, err)
	}
	put(&tx.next.Sources, name, json.RawMessage(body))
	return nil
}

// AdvanceAsOf moves the report date forward; an older day changes nothing.
func (tx *Tx) AdvanceAsOf(day civil.Date) {
	if day.After(tx.next.AsOf) {
		tx.next.AsOf = day
	}
}

// AsOf is the newest report date so far, zero before the first report.
func (tx *Tx) AsOf() civil.Date { return tx.next.AsOf }

// SetQuarantine replaces the counts of rows, by reason, that a dataset's last report lost to validation.
func (tx *Tx) SetQuarantine(dataset string, reasons map[string]int64) {
	put(&tx.next.Quarantine, dataset, maps.Clone(reasons))
}

// SetChecks replaces the outcomes of the models' checks.
func (tx *Tx) SetChecks(checks []Check) { tx.next.Checks = slices.Clone(checks) }

// PutSettings stores the clinic's settings with this commit. Equal bytes are stored once.
func (tx *Tx) PutSettings(ctx context.Context, body []byte) error {
	o, err := tx.upload(ctx, "settings/", "", body)
	if err != nil {
		return fmt.Errorf("store the settings of clinic %s: %w", tx.clinic.id, err)
	}
	tx.next.Settings = &o
	return nil
}

// PutReleased stores what a build decided to tell in aggregates, and says whether that is something new. Equal bytes are stored once.
func (tx *Tx) PutReleased(ctx context.Context, body []byte) (isNew bool, err error) {
	o, err := tx.upload(ctx, "released/", "", body)
	if err != nil {
		return false, fmt.Errorf("store the released tables of clinic %s: %w", tx.clinic.id, err)
	}
	was := tx.next.Released
	tx.next.Released = &o
	return was == nil || was.Path != o.Path, nil
}

// PutMart stores one table that the models made, as the Parquet bytes that came out of them. It returns ErrStale if the live mart was
// made from a newer commit.
func (tx *Tx) PutMart(ctx context.Context, name string, body []byte, from Origin) error {
	if !datasetName.MatchString(name) {
		return fmt.Errorf("mart %q: a name is a-z, 0-9 and '_'", name)
	}
	if err := tx.mayComeFrom(name, from); err != nil {
		return err
	}
	o, err := tx.uploadMart(ctx, "marts/"+name+"/", body)
	if err != nil {
		return fmt.Errorf("mart %s: %w", name, err)
	}
	put(&tx.next.Marts, name, Mart{Object: o, Origin: from})
	return nil
}

// SetBuilt notes what a build of every mart has seen.
func (tx *Tx) SetBuilt(hash string) { tx.next.Built = hash }

// KeepMart says of a live mart that making it from there would give the same rows.
func (tx *Tx) KeepMart(name string, from Origin) error {
	live, ok := tx.next.Marts[name]
	if !ok {
		return fmt.Errorf("mart %s is to be kept and is not there", name)
	}
	if err := tx.mayComeFrom(name, from); err != nil {
		return err
	}
	put(&tx.next.Marts, name, Mart{Object: live.Object, Origin: from})
	return nil
}

// mayComeFrom refuses marts of data that is not there, or older than what the live one was made from.
func (tx *Tx) mayComeFrom(name string, from Origin) error {
	if live, ok := tx.next.Marts[name]; ok && live.Input > from.Input {
		return fmt.Errorf("mart %s made from commit %d: %w (%d)", name, from.Input, ErrStale, live.Input)
	}
	if from.Input < 1 || from.Input >= tx.next.Number {
		return fmt.Errorf("mart %s: there is no commit %d to have made it from", name, from.Input)
	}
	return nil
}

// uploadMart stores the rows of a Parquet file.
func (tx *Tx) uploadMart(ctx context.Context, folder string, body []byte) (Object, error) {
	if tx.next.Encrypted() {
		file, err := tx.clinic.encryptParquet(ctx, folder, body)
		if err != nil {
			return Object{}, err
		}
		return tx.uploadRows(ctx, file)
	}
	described, err := describe(body)
	if err != nil {
		return Object{}, err
	}
	o, err := tx.upload(ctx, folder, parquetEnding, body)
	o.Rows, o.Schema, o.Totals = described.Rows, described.Schema, described.Totals
	return o, err
}

// uploadRows stores an encrypted file, unless its rows are there already.
func (tx *Tx) uploadRows(ctx context.Context, file encryptedFile) (Object, error) {
	o := file.Object
	o.Bytes = int64(len(file.body))
	if there, ok := tx.there(o.Path); ok {
		o.Bytes, o.Sum = there.Bytes, there.Sum
		return o, nil
	}
	return tx.create(ctx, o, file.body)
}

// DropDataset forgets a dataset. Its objects stay where earlier commits name them: see EraseDataset.
func (tx *Tx) DropDataset(name string) {
	delete(tx.next.Datasets, name)
	delete(tx.next.Quarantine, name)
}

// DropMart forgets a mart that the models no longer make.
func (tx *Tx) DropMart(name string) { delete(tx.next.Marts, name) }

// upload stores an object under the keyed hash of its bytes, unless it is there already. In an encrypted clinic it is sealed
// whole.
func (tx *Tx) upload(ctx context.Context, folder, ending string, body []byte) (Object, error) {
	c := tx.clinic
	o := Object{Path: folder + c.hash(body) + ending, Bytes: int64(len(body))}
	seal, own := c.writes(o.Path)
	o.Sealed = own
	if tx.next.Encrypted() && !own {
		if c.keys == nil {
			return Object{}, fmt.Errorf("seal an object: %w", ErrSealed)
		}
		key := c.keys.newest
		o.Path, o.Key = folder+c.hashUnder(key, formWhole, body)+ending, key.id
		seal = whole{key, c.about(o.Path)}
	}
	if there, ok := tx.there(o.Path); ok {
		return Object{Path: o.Path, Bytes: there.Bytes, Sealed: there.Sealed, Key: there.Key, Sum: there.Sum}, nil
	}
	stored, err := seal.seal(body)
	if err != nil {
		return Object{}, fmt.Errorf("seal %s: %w", o.Path, err)
	}
	return tx.create(ctx, o, stored)
}

// there is an object that the head names, or that this Update has written.
func (tx *Tx) there(path string) (Object, bool) {
	found, ok := tx.live.Load(path)
	if !ok {
		found, ok = tx.ours.Load(path)
	}
	o, _ := found.(Object)
	return o, ok
}

// create writes an object.
func (tx *Tx) create(ctx context.Context, o Object, stored []byte) (Object, error) {
	c := tx.clinic
	name := c.name(o.Path)
	if o.Key != "" {
		o.Sum = sumOf(stored)
	}
	err := c.store.Create(ctx, name, stored)
	if errors.Is(err, ErrExists) {
		// Its bytes are as good: the name is their hash, and a store holds no halves. But no commit may name it, and then it is
		// removed one day for its age: it is made young again before anything relies on it. What is encrypted has other bytes each
		// time, and an earlier commit may speak of those that are there: they stay.
		if o.Key != "" {
			if o, stored, err = c.takeUp(ctx, o); err != nil {
				return Object{}, err
			}
		}
		err = c.store.Replace(ctx, name, stored)
		tx.reused.Store(o.Path, true)
	}
	if err != nil {
		return Object{}, err
	}
	tx.ours.Store(o.Path, o)
	return o, nil
}

// lost says whether an object that was there before, and that the commit in the making names, has been removed since.
func (tx *Tx) lost(ctx context.Context) (bool, error) {
	for o := range tx.next.objects {
		if _, reused := tx.reused.Load(o.Path); !reused {
			continue
		}
		there, err := tx.clinic.exists(ctx, tx.clinic.name(o.Path))
		if err != nil {
			return false, err
		}
		if !there {
			tx.ours.Delete(o.Path)
			return true, nil
		}
	}
	return false, nil
}

func put[K comparable, V any](m *map[K]V, key K, value V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[key] = value
}

// describe reads what a commit says of a Parquet file out of the file.
func describe(body []byte) (o Object, err error) {
	defer recovered(&err)
	f, err := openParquet(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return Object{}, fmt.Errorf("it is not a Parquet file: %w", err)
	}
	o.Rows, o.Schema = f.NumRows(), schemaHash(f.Schema())
	for _, c := range f.Root().Columns() {
		if !moneyColumn(c.Name()) || !c.Leaf() || !wholeNumber(c.Type()) {
			continue
		}
		var sum int64
		for _, group := range f.RowGroups() {
			chunk := group.ColumnChunks()[c.Index()]
			if err := eachValue(chunk, func(v parquet.Value) {
				if !v.IsNull() {
					sum += integer(v)
				}
			}); err != nil {
				return Object{}, fmt.Errorf("column %s: %w", c.Name(), err)
			}
		}
		put(&o.Totals, c.Name(), sum)
	}
	return o, nil
}
