package lake

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// What an export carries beside rows, and the way back: a dataset placed as it was, not merged.

// Removed is what is remembered of a unit that is gone, so that an older report cannot bring it back. What its fields mean is
// the lake's own affair; they are carried as they are.
type Removed struct {
	Unit      [16]byte
	Day       int32
	Effective int32
	Filled    int32
	Digest    [16]byte
}

// Removed reads what a dataset remembers of units that are gone, in order of Unit.
func (s *Snapshot) Removed(ctx context.Context, dataset string) ([]Removed, error) {
	o := s.commit.Datasets[dataset].Removed
	if o == nil {
		return nil, nil
	}
	body, err := s.clinic.fetch(ctx, *o)
	if err != nil {
		return nil, fmt.Errorf("read what is removed of %s of clinic %s: %w", dataset, s.clinic.id, err)
	}
	g, err := decodeGraveyard(body)
	if err != nil {
		return nil, fmt.Errorf("object %s of clinic %s: %w", o.Path, s.clinic.id, err)
	}
	out := make([]Removed, 0, len(g.units))
	for _, r := range g.units {
		out = append(out, Removed(r))
	}
	slices.SortFunc(out, func(a, b Removed) int { return bytes.Compare(a.Unit[:], b.Unit[:]) })
	return out, nil
}

// Placement is a whole dataset as an export has it.
type Placement[T contract.Row] struct {
	// Rows are in the order of Rows: by day, then key, both ascending. An error ends the sequence.
	Rows    iter.Seq2[T, error]
	Covers  []Coverage
	Removed []Removed
}

// ErrMisplaced is returned for rows that no lake could hold so: out of order, twice, or of a thing that is said to be gone.
var ErrMisplaced = errors.New("not as a lake holds it")

// Place stores a dataset in a commit that has none of that name, exactly as it is given: no row is merged with another, and
// none is judged by coverage. Equal placements give the objects of the lake that they were read from, under the names that
// this clinic's key gives them. One month is held in memory at a time.
func Place[T contract.Row](ctx context.Context, tx *Tx, table Table[T], p Placement[T]) (rows int64, err error) {
	if _, there := tx.next.Datasets[table.name]; there {
		return 0, fmt.Errorf("place %s of clinic %s: there is one already", table.name, tx.clinic.id)
	}
	if rows, err = place(ctx, tx, table, p); err != nil {
		return 0, fmt.Errorf("place %s of clinic %s: %w", table.name, tx.clinic.id, err)
	}
	return rows, nil
}

func place[T contract.Row](ctx context.Context, tx *Tx, table Table[T], p Placement[T]) (int64, error) {
	next := Dataset{}
	var err error
	if next.Covers, err = table.placeCovers(p.Covers); err != nil {
		return 0, err
	}
	m := &merge[T]{table: table}
	for _, r := range p.Removed {
		if _, twice := m.graves.units[r.Unit]; twice {
			return 0, fmt.Errorf("%w: a removed unit is listed twice", ErrMisplaced)
		}
		put(&m.graves.units, r.Unit, removed(r))
	}
	var held []T
	month := ""
	flush := func() error {
		if len(held) == 0 {
			return nil
		}
		o, err := table.put(ctx, tx, month, held)
		next.Objects = append(next.Objects, o)
		held = nil
		return err
	}
	checks := placed[T]{units: map[[16]byte]string{}, graves: &m.graves}
	total := int64(0)
	for row, err := range p.Rows {
		if err == nil {
			err = table.datable(row)
		}
		if err == nil {
			err = checks.next(row, m.month(row.Day()))
		}
		if err != nil {
			return 0, err
		}
		if in := m.month(row.Day()); in != month {
			if err := flush(); err != nil {
				return 0, err
			}
			month = in
		}
		held = append(held, row)
		total++
	}
	if err := flush(); err != nil {
		return 0, err
	}
	if next.Removed, err = m.putGraves(ctx, tx); err != nil {
		return 0, err
	}
	put(&tx.next.Datasets, table.name, next)
	return total, ctx.Err()
}

// placeCovers checks that covers are as a commit keeps them.
func (t Table[T]) placeCovers(covers []Coverage) ([]Coverage, error) {
	if err := validateCovers(covers); err != nil {
		return nil, err
	}
	given := make([]Cover, len(covers))
	for i, c := range covers {
		given[i] = Cover(c)
	}
	spans, err := t.spansOf(given)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(spans.stored(), covers) {
		return nil, fmt.Errorf("%w: covers that touch and say the same are not one", ErrMisplaced)
	}
	return covers, nil
}

// placed holds rows to what is true of any lake's.
type placed[T contract.Row] struct {
	units  map[[16]byte]string // the month that each is in
	graves *graveyard
	day    int32
	key    string
	began  bool
}

func (p *placed[T]) next(row T, month string) error {
	day, key := row.Day(), row.Key()
	if p.began && cmp.Or(cmp.Compare(p.day, day), strings.Compare(p.key, key)) >= 0 {
		return fmt.Errorf("%w: it stands twice, or not in the order of days and keys", ErrMisplaced)
	}
	p.day, p.key, p.began = day, key, true
	unit := unitDigest(row.Unit())
	if at, seen := p.units[unit]; seen && at != month {
		return fmt.Errorf("%w: it stands in two months", ErrMisplaced)
	}
	p.units[unit] = month
	if _, gone := p.graves.units[unit]; gone {
		return fmt.Errorf("%w: it is listed as removed as well", ErrMisplaced)
	}
	return nil
}

// DecodeExactly is Decode of a file from outside: it must have the table's columns and no other, and that many rows.
func (t Table[T]) DecodeExactly(body []byte, rows int64) (out []T, err error) {
	defer recovered(&err)
	f, err := openParquet(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, err
	}
	if f.NumRows() != rows {
		return nil, fmt.Errorf("%w: it has %d rows, not %d", ErrDamaged, f.NumRows(), rows)
	}
	for _, c := range f.Schema().Columns() {
		name := strings.Join(c, ".")
		if !slices.ContainsFunc(t.columns, func(own column) bool { return own.name == name }) {
			return nil, fmt.Errorf("%w: %s has no column %.60q", ErrMisplaced, t.name, name)
		}
	}
	for _, c := range t.columns {
		if _, found := f.Schema().Lookup(c.name); !found {
			return nil, fmt.Errorf("%w: the column %s is missing", ErrMisplaced, c.name)
		}
	}
	if err := t.compatible(f.Schema()); err != nil {
		return nil, err
	}
	return readParquet[T](f)
}

// Places says where the objects of a clinic lie for other programs: an absolute path, or an s3:// address. ok is false for a
// store that others cannot read.
func Places(c *Clinic) (place func(o Object) string, ok bool) {
	if here, isFolder := c.store.(interface{ LocalPath(name string) string }); isFolder {
		return func(o Object) string {
			path := here.LocalPath(c.name(o.Path))
			if absolute, err := filepath.Abs(path); err == nil {
				return absolute
			}
			return path
		}, true
	}
	if root := c.store.String(); strings.HasPrefix(root, "s3://") {
		return func(o Object) string { return strings.TrimSuffix(root, "/") + "/" + c.name(o.Path) }, true
	}
	return nil, false
}
