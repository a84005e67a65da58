package lake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// Batch is rows of one dataset to merge, and what they cover completely. Rows of one unit belong in one batch, and so do a
// cover and all rows that it speaks of. The rows are not changed.
type Batch[T contract.Row] struct {
	Rows   []T
	Covers []Cover
}

// Merged says what a batch did, in units (see contract.Row).
type Merged struct {
	Added     int // not known before
	Changed   int // other content than the lake had
	Unchanged int // equal content
	Outdated  int // older than what the lake knows, or known to be gone since
	Removed   int // stored, and absent from a later complete report
	// Months are the partitions that were written anew or went, in order.
	Months []string
}

// Upsert merges a batch into a dataset of the commit in the making, writing anew only the months that change.
//
// Versions of one unit compete. A version counts as seen on the newest day on which a report showed it: its own Observed
// day, or that of a cover that came with it. The version seen last wins; of two last seen on one day the one
// with more columns filled, then one fixed by a digest of their content. The winner is live unless a complete report that is newer,
// or of the same day as the plain one that showed it, did not have it: then it is gone. Both rules look at sets, not at an
// order of arrival: the winner is a maximum, and the coverage of a day is a maximum. So batches may come in any order and any
// number of times. Only where two complete reports of one day contradict each other does the one that is brought later count.
// What the rules need to know of units that are gone is kept in a list beside the rows.
//
// A row keeps its observed_on while equal content comes again with a cover: the cover is recorded in the commit, and the object
// stays as it is. Seen again without a cover, the row takes the later day.
func Upsert[T contract.Row](ctx context.Context, tx *Tx, table Table[T], batch Batch[T]) (Merged, error) {
	merged, err := upsert(ctx, tx, table, batch)
	if err != nil {
		return Merged{}, fmt.Errorf("merge %d rows into %s of clinic %s: %w", len(batch.Rows), table.name, tx.clinic.id, err)
	}
	return merged, nil
}

func upsert[T contract.Row](ctx context.Context, tx *Tx, table Table[T], batch Batch[T]) (Merged, error) {
	was := tx.next.Datasets[table.name]
	added, err := table.spansOf(batch.Covers)
	if err != nil {
		return Merged{}, err
	}
	m := &merge[T]{table: table, before: was.coverage(), added: added}
	m.after = m.before.with(added)
	if m.incoming, err = table.group(batch.Rows, added); err != nil {
		return Merged{}, err
	}
	if was.Removed != nil {
		body, err := tx.clinic.fetch(ctx, *was.Removed)
		if err != nil {
			return Merged{}, err
		}
		if m.graves, err = decodeGraveyard(body); err != nil {
			return Merged{}, fmt.Errorf("object %s: %w", was.Removed.Path, err)
		}
	}
	partitions := make(map[string]*partition, len(was.Objects))
	for _, o := range was.Objects {
		partitions[o.Month] = &partition{object: &o}
	}
	if err := m.judgeStored(ctx, tx, partitions); err != nil {
		return Merged{}, err
	}
	m.judgeRest()
	if err := m.rewrite(ctx, tx, partitions, m.arrivals(partitions)); err != nil {
		return Merged{}, err
	}
	next := Dataset{Removed: was.Removed, Covers: m.after.stored()}
	for _, month := range slices.Sorted(maps.Keys(partitions)) {
		if o := partitions[month].object; o != nil {
			next.Objects = append(next.Objects, *o)
		}
	}
	if m.graves.changed {
		if next.Removed, err = m.putGraves(ctx, tx); err != nil {
			return Merged{}, err
		}
	}
	put(&tx.next.Datasets, table.name, next)
	slices.Sort(m.merged.Months)
	return m.merged, nil
}

// arrivals are the rows that the batch brings to each month. They stay where they lie: a row is some three hundred bytes.
func (m *merge[T]) arrivals(partitions map[string]*partition) map[string][]*T {
	byMonth := map[string][]*T{}
	day, month := int32(noDay), m.month(noDay)
	rows := byMonth[month]
	for _, v := range m.incoming.inOrder {
		if v.outcome != won {
			continue
		}
		if v.standing.day != day {
			day = v.standing.day
			if next := m.month(day); next != month {
				byMonth[month] = rows
				month, rows = next, byMonth[next]
			}
		}
		for i := range v.rows {
			rows = append(rows, &v.rows[i])
		}
	}
	byMonth[month] = rows
	for month, rows := range byMonth {
		if len(rows) > 0 && partitions[month] == nil {
			partitions[month] = &partition{}
		}
	}
	return byMonth
}

// partition is one month while a batch is merged into it.
type partition struct {
	object  *Object // nil while there is none
	dropped map[string]bool
	raised  map[string]int32
}

// judgeStored reads the months that the batch can change, and decides about their units: first those that incoming rows
// belong to or that the batch covers, and the others only while a unit is left that none of those holds, for a unit lies in one
// month. So bringing a month again costs the same however old the lake is. Of a month that no incoming row belongs to, the
// identifying columns are read first: they say whether a unit has moved away or is gone.
func (m *merge[T]) judgeStored(ctx context.Context, tx *Tx, partitions map[string]*partition) error {
	if len(partitions) == 0 || len(m.incoming.units) == 0 && len(m.added) == 0 {
		return nil
	}
	direct, near := map[string]bool{}, map[string]bool{}
	for _, v := range m.incoming.inOrder {
		direct[m.month(v.standing.day)] = true
	}
	for month := range partitions {
		near[month] = direct[month] || m.added.reaches(month)
	}
	if err := m.judgeMonths(ctx, tx, partitions, direct, func(month string) bool { return near[month] }); err != nil {
		return err
	}
	if !slices.ContainsFunc(m.incoming.inOrder, func(v *version[T]) bool { return v.outcome == undecided }) {
		return nil
	}
	return m.judgeMonths(ctx, tx, partitions, direct, func(month string) bool { return !near[month] })
}

// judgeMonths decides about the units of some months.
func (m *merge[T]) judgeMonths(ctx context.Context, tx *Tx, partitions map[string]*partition, direct map[string]bool, wanted func(month string) bool) error {
	var deciding sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for month, p := range partitions {
		if !wanted(month) {
			continue
		}
		group.Go(func() error {
			if !direct[month] {
				touched, err := m.touches(ctx, tx.clinic, *p.object)
				if err != nil || !touched {
					return err
				}
			}
			rows, err := m.table.load(ctx, tx.clinic, *p.object)
			if err != nil {
				return err
			}
			deciding.Lock()
			defer deciding.Unlock()
			m.judgePartition(p, rows)
			return nil
		})
	}
	return group.Wait()
}

var errTouched = errors.New("touched")

// touches says whether a month holds a unit that is incoming, or one that the new coverage refutes.
func (m *merge[T]) touches(ctx context.Context, c *Clinic, o Object) (bool, error) {
	columns := make([]string, 0, len(m.table.light))
	for _, i := range m.table.light {
		columns = append(columns, m.table.columns[i].name)
	}
	err := m.table.eachLightOf(ctx, c, o, columns, func(row *T) error {
		if m.incoming.units[(*row).Unit()] != nil {
			return errTouched
		}
		day := (*row).Day()
		if at := m.before.effective(day, (*row).Observed()); m.after.refutes(day, at) || m.added.contradicts(day, at) {
			return errTouched
		}
		return nil
	})
	if errors.Is(err, errTouched) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("object %s of clinic %s: %w", o.Path, c.id, err)
	}
	return false, nil
}

// eachLightOf is eachLight of an object.
func (t Table[T]) eachLightOf(ctx context.Context, c *Clinic, o Object, columns []string, visit func(row *T) error) error {
	if !o.isTable() {
		f, err := c.openColumns(ctx, o, columns)
		if err != nil {
			return err
		}
		return t.eachLight(f, visit)
	}
	rows, err := t.loadSealed(ctx, c, o, columns)
	if err != nil {
		return err
	}
	for i := range rows {
		if err := visit(&rows[i]); err != nil {
			return err
		}
	}
	return nil
}

// load reads all rows of an object.
func (t Table[T]) load(ctx context.Context, c *Clinic, o Object) ([]T, error) {
	if o.isTable() {
		return t.loadSealed(ctx, c, o, nil)
	}
	o, body, err := c.fetchLying(ctx, o)
	if err != nil {
		return nil, err
	}
	rows, err := t.decode(body)
	if err == nil && int64(len(rows)) != o.Rows && !o.erased {
		err = fmt.Errorf("%w: %d rows, the commit says %d", ErrDamaged, len(rows), o.Rows)
	}
	if err != nil {
		return nil, fmt.Errorf("object %s of clinic %s: %w", o.Path, c.id, err)
	}
	return rows, nil
}

func (m *merge[T]) judgePartition(p *partition, rows []T) {
	// A unit of several rows is rare, and its rows lie together: sorted by day and key, which begins with the unit's name.
	for from := 0; from < len(rows); {
		unit := rows[from].Unit()
		to := from + 1
		for to < len(rows) && rows[to].Unit() == unit {
			to++
		}
		verdict, observed := m.judge(unit, rows[from:to])
		switch verdict {
		case drop:
			put(&p.dropped, unit, true)
		case raise:
			put(&p.raised, unit, observed)
		}
		from = to
	}
}

// rewrite writes the months anew that lose, gain or change rows.
func (m *merge[T]) rewrite(ctx context.Context, tx *Tx, partitions map[string]*partition, arrivals map[string][]*T) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for month, p := range partitions {
		if len(p.dropped) == 0 && len(p.raised) == 0 && len(arrivals[month]) == 0 {
			continue
		}
		m.merged.Months = append(m.merged.Months, month)
		group.Go(func() error {
			var stored []T
			if p.object != nil {
				var err error
				if stored, err = m.table.load(ctx, tx.clinic, *p.object); err != nil {
					return err
				}
				stored = slices.DeleteFunc(stored, func(r T) bool { return p.dropped[r.Unit()] })
				for i := range stored {
					if observed, ok := p.raised[stored[i].Unit()]; ok {
						m.table.setObserved(&stored[i], observed)
					}
				}
			}
			rows := inOrder(stored, arrivals[month])
			if len(rows) == 0 {
				p.object = nil
				return nil
			}
			o, err := m.table.put(ctx, tx, month, rows)
			if err != nil {
				return err
			}
			p.object = &o
			return nil
		})
	}
	return group.Wait()
}

// put stores a month's rows, which are in order.
func (t Table[T]) put(ctx context.Context, tx *Tx, month string, rows []T) (Object, error) {
	folder := "data/" + t.name + "/month=" + month + "/"
	var o Object
	if own := tx.clinic.sealed[t.name] != nil; tx.next.Encrypted() && !own {
		file, err := t.encryptTable(tx.clinic, folder, rows)
		if err == nil {
			o, err = tx.uploadRows(ctx, file)
		}
		if err != nil {
			return Object{}, err
		}
	} else {
		body, err := t.encodeSorted(rows)
		if err == nil {
			o, err = tx.upload(ctx, folder, parquetEnding, body)
		}
		if err != nil {
			return Object{}, err
		}
		o.Schema, o.Totals = t.hash, t.totals(rows)
	}
	o.Month, o.Rows = month, int64(len(rows))
	return o, nil
}

func (m *merge[T]) putGraves(ctx context.Context, tx *Tx) (*Object, error) {
	if len(m.graves.units) == 0 {
		return nil, nil //nolint:nilnil // nothing is removed, so nothing is listed
	}
	body, err := m.graves.encode()
	if err != nil {
		return nil, err
	}
	o, err := tx.upload(ctx, "data/"+m.table.name+"/removed/", ".parquet", body)
	if err != nil {
		return nil, err
	}
	o.Rows, o.Schema = int64(len(m.graves.units)), schemaHash(removedSchema)
	return &o, nil
}
