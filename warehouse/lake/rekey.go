package lake

import (
	"context"
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// ErrOtherKeys is returned for a commit whose pseudonyms were made with other keys than the writer's: the clinic was rekeyed
// since the writer opened it.
var ErrOtherKeys = errors.New("the clinic's pseudonyms were brought to another key meanwhile")

// PseudonymVersion is the version of the keys that all pseudonyms of the commit were made with.
func (c *Commit) PseudonymVersion() int { return max(c.KeyVersion, 1) }

// sameKeys refuses to follow a commit that was made with other keys.
func (c *Clinic) sameKeys(head *Commit) error {
	if ours := max(c.keyVersion, 1); head.PseudonymVersion() != ours {
		return fmt.Errorf("clinic %s: %w: commit %d has version %d, this run has %d. Run it again", c.id, ErrOtherKeys, head.Number, head.PseudonymVersion(), ours)
	}
	return nil
}

// DeleteKey removes an object under keys/.
func (c *Clinic) DeleteKey(ctx context.Context, name string) error {
	return c.store.Delete(ctx, c.name(path.Join("keys", name)))
}

// AnyTable is a Table of whatever rows.
type AnyTable interface {
	// Name is the dataset's name.
	Name() string
	rewrite(ctx context.Context, tx *Tx, changes TextChanges) (Rewritten, error)
	examine(ctx context.Context, c *Clinic, o Object, body []byte) (units [][16]byte, err error)
	relay(ctx context.Context, tx *Tx) (Relaid, error)
	encrypt(ctx context.Context, tx *Tx, objects []Object) ([]Object, error)
	without(ctx context.Context, c *Clinic, o Object, s sought) (replacement, error)
}

// TextChanges say what to do with the texts of rows.
type TextChanges struct {
	// Columns gives, by column, what to put in the place of a text. Empty and missing texts are passed over.
	Columns map[string]func(text string) (string, error)
	// ByRow is for columns whose texts mean different things from row to row, and goes before Columns. The row is a value of
	// its dataset's type, as it was.
	ByRow map[string]func(row any, text string) (string, error)
	// Others looks at every text of every other column, and refuses one that should have been changed.
	Others func(column, text string) error
	// KeyVersion is the version of the keys that all pseudonyms are of afterwards.
	KeyVersion int
}

// Rewritten says what a rewrite did to one dataset.
type Rewritten struct {
	Rows int64
	// Forgotten is how many removed units are not remembered any more.
	Forgotten int64
}

// Tables are the tables of all datasets of the contract.
func Tables() []AnyTable {
	return []AnyTable{
		Appointments, InvoiceLines, Claims, Policies, Shifts, ShiftPeriods, Insurers, Payments, AppliedPayments, Adjustments, WriteOffs,
		Credits, AccountsReceivable, UnscheduledPatients, PortalActivity, AccessLedger, LeakStates, Identities,
	}
}

// RewriteTexts changes texts of every row of every dataset, by column. Columns that a dataset lacks are passed over in it. Rows
// keep their day and their observation; how many there are, and what the money adds up to, is compared before and after,
// what was written is read back, and a change that makes one thing of two is refused.
//
// The marts are dropped: they hold the old texts. The commit in the making says of which version its pseudonyms are; a writer
// that was opened with another is kept from following it.
//
// BUG(lake): what is remembered of removed units is a digest of their key, which cannot be changed. Where a changed column is
// part of the key, what was removed is forgotten: an older file that still has such a row, and is imported after this, can
// bring it back where no complete report of a later day covers it.
func RewriteTexts(ctx context.Context, tx *Tx, tables []AnyTable, changes TextChanges) (map[string]Rewritten, error) {
	out := map[string]Rewritten{}
	for _, table := range tables {
		if _, found := tx.next.Datasets[table.Name()]; !found {
			continue
		}
		done, err := table.rewrite(ctx, tx, changes)
		if err != nil {
			return nil, fmt.Errorf("rewrite %s of clinic %s: %w", table.Name(), tx.clinic.id, err)
		}
		out[table.Name()] = done
	}
	for name := range tx.next.Datasets {
		if _, done := out[name]; !done {
			return nil, fmt.Errorf("clinic %s has a dataset %s that this program cannot rewrite: use the version of falloff that wrote it, or a newer one", tx.clinic.id, name)
		}
	}
	tx.next.Marts, tx.next.Checks = nil, nil
	tx.next.KeyVersion = changes.KeyVersion
	return out, nil
}

func (t Table[T]) rewrite(ctx context.Context, tx *Tx, changes TextChanges) (Rewritten, error) {
	was := tx.next.Datasets[t.name]
	next := Dataset{Objects: slices.Clone(was.Objects), Removed: was.Removed, Covers: was.Covers}
	var rows atomic.Int64
	group, work := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, o := range was.Objects {
		group.Go(func() error {
			changed, err := t.rewriteObject(work, tx, o, changes)
			next.Objects[i] = changed
			rows.Add(changed.Rows)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return Rewritten{}, err
	}
	out := Rewritten{Rows: rows.Load()}
	keyed := slices.ContainsFunc(t.light, func(i int) bool {
		name := t.columns[i].name
		return changes.Columns[name] != nil || changes.ByRow[name] != nil
	})
	if keyed && was.Removed != nil {
		out.Forgotten, next.Removed = was.Removed.Rows, nil
	}
	put(&tx.next.Datasets, t.name, next)
	return out, nil
}

// rewriteObject stores one month with its texts changed, and reads it back.
func (t Table[T]) rewriteObject(ctx context.Context, tx *Tx, o Object, changes TextChanges) (Object, error) {
	rows, err := t.load(ctx, tx.clinic, o)
	if err != nil {
		return Object{}, err
	}
	before := len(keysOf(rows))
	for r := range rows {
		if err := t.changeTexts(reflect.ValueOf(&rows[r]).Elem(), changes); err != nil {
			return Object{}, err
		}
	}
	if bookings, ok := any(rows).([]contract.Appointment); ok {
		contract.NumberSeats(bookings)
	}
	if after := len(keysOf(rows)); after != before {
		return Object{}, fmt.Errorf("object %s had %d different rows, and would have %d", o.Path, before, after)
	}
	rows = inOrder(rows, nil) // a key that holds a changed text has another place
	changed, err := t.put(ctx, tx, o.Month, rows)
	if err != nil {
		return Object{}, err
	}
	same := changed.Rows == o.Rows
	for column, sum := range o.Totals {
		same = same && changed.Totals[column] == sum
	}
	if !same {
		return Object{}, fmt.Errorf("object %s had %d rows and totals of %v, and would have %d and %v", o.Path, o.Rows, o.Totals, changed.Rows, changed.Totals)
	}
	stored, err := t.load(ctx, tx.clinic, changed)
	if err == nil && !reflect.DeepEqual(stored, rows) {
		err = fmt.Errorf("object %s: %w: it does not hold what was written", changed.Path, ErrDamaged)
	}
	return changed, err
}

// changeTexts changes the texts of one row.
func (t Table[T]) changeTexts(row reflect.Value, changes TextChanges) error {
	before := row.Interface() // a copy
	for _, c := range t.columns {
		if c.kind != reflect.String {
			continue
		}
		cell := row.Field(c.field)
		if c.optional {
			if cell.IsNil() {
				continue
			}
			cell = cell.Elem()
		}
		was := cell.String()
		change := changes.Columns[c.name]
		if byRow := changes.ByRow[c.name]; byRow != nil {
			change = func(text string) (string, error) { return byRow(before, text) }
		}
		switch {
		case was == "":
		case change == nil:
			if err := changes.Others(c.name, was); err != nil {
				return fmt.Errorf("column %s of a row: %w", c.name, err)
			}
		default:
			text, err := change(was)
			if err != nil {
				return fmt.Errorf("column %s of a row: %w", c.name, err)
			}
			if c.optional { // rows may share what they point at
				row.Field(c.field).Set(reflect.ValueOf(&text))
			} else {
				cell.SetString(text)
			}
		}
	}
	return nil
}

func keysOf[T contract.Row](rows []T) map[string]struct{} {
	keys := make(map[string]struct{}, len(rows))
	for _, r := range rows {
		keys[r.Key()] = struct{}{}
	}
	return keys
}
