package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/models"
)

// A Retirement is what falls out of the lake because its retention period is over.
type Retirement struct {
	// AsOf is the day from which periods count back: the newest that the reports show, never the wall clock.
	AsOf civil.Date `json:"as_of"`
	// Datasets are those with a period, in order, whether something of them falls out or not.
	Datasets []RetainedDataset `json:"datasets"`
	Months   []RetiredMonth    `json:"months"`
	Rows     int64             `json:"rows"`
	// Commit is the commit that is without them, 0 before they were removed; Before is the commit it followed.
	Commit int64 `json:"commit,omitempty"`
	Before int64 `json:"before"`
}

// RetainedDataset is a dataset with a retention period: rows of days before KeptFrom fall out.
type RetainedDataset struct {
	Dataset  string     `json:"dataset"`
	Months   int        `json:"months"`
	KeptFrom civil.Date `json:"kept_from"`
}

// RetiredMonth is one month of one dataset that falls out.
type RetiredMonth struct {
	Dataset string `json:"dataset"`
	Month   string `json:"month"`
	Rows    int64  `json:"rows"`
	// Totals are the sums of its columns of cents.
	Totals map[string]int64 `json:"totals,omitempty"`
}

// retiredSource is the checkpoint that keeps, by dataset, the first day that is kept: what is older was removed, and does not land
// again.
const retiredSource = "retired"

// ErrOtherMonths says that what falls out is not what was shown.
var ErrOtherMonths = errors.New("other months fall out by now than were listed: list them again")

// Retirable lists what falls out by the periods in the clinic's settings. It changes nothing.
func (s *Site) Retirable(ctx context.Context) (*Retirement, error) {
	head, err := s.Clinic.Head(ctx)
	if err != nil {
		return nil, storage("looking for what falls out", err)
	}
	return s.retirable(ctx, s.Clinic.Snapshot(head))
}

func (s *Site) retirable(ctx context.Context, snapshot *lake.Snapshot) (*Retirement, error) {
	typed, err := s.settings(ctx, snapshot)
	if err != nil {
		return nil, err
	}
	head, keeps := snapshot.Commit(), typed.Keeps()
	out := &Retirement{AsOf: head.AsOf, Datasets: []RetainedDataset{}, Months: []RetiredMonth{}, Before: head.Number}
	if !head.AsOf.IsValid() {
		return out, nil
	}
	for _, dataset := range sortedKeys(keeps) {
		from := settings.KeptFrom(head.AsOf, keeps[dataset])
		out.Datasets = append(out.Datasets, RetainedDataset{dataset, keeps[dataset], from})
		for _, o := range head.Datasets[dataset].Retired(from) {
			out.Months = append(out.Months, RetiredMonth{dataset, o.Month, o.Rows, o.Totals})
			out.Rows += o.Rows
		}
	}
	return out, nil
}

// Retire removes exactly what was listed, in one commit. Snapshots before it keep the rows until they are let go. Later runs and
// imports leave out rows that are older.
func (s *Site) Retire(ctx context.Context, listed *Retirement) (*Retirement, error) {
	var done *Retirement
	commit, err := s.Clinic.Update(removing(ctx), lake.Retire, func(ctx context.Context, tx *lake.Tx) error {
		var err error
		if done, err = s.retirable(ctx, tx.Snapshot()); err != nil {
			return err
		}
		done.Before = tx.Snapshot().Commit().Parent
		if !slices.EqualFunc(done.Months, listed.Months, func(a, b RetiredMonth) bool {
			return a.Dataset == b.Dataset && a.Month == b.Month && a.Rows == b.Rows
		}) {
			return refused("", ErrOtherMonths)
		}
		if len(done.Months) == 0 {
			return lake.ErrUnchanged
		}
		return retire(ctx, tx, done.Datasets)
	})
	if err != nil {
		return nil, storage("removing what falls out", err)
	}
	if len(done.Months) > 0 {
		done.Commit = commit.Number
	}
	return done, nil
}

// retire takes the months out of the commit in the making, and notes that they do not land again.
func retire(ctx context.Context, tx *lake.Tx, kept []RetainedDataset) error {
	barred, err := retiredBefore(tx.Source(retiredSource))
	if err != nil {
		return err
	}
	ranges, err := reportRanges(tx.Source(rangesSource))
	if err != nil {
		return err
	}
	datasets, err := models.Datasets()
	if err != nil {
		return fmt.Errorf("finding what the models read: %w", err)
	}
	var modelled civil.Date
	for _, d := range kept {
		gone, err := tx.RetireMonths(ctx, d.Dataset, d.KeptFrom)
		if err != nil {
			return err
		}
		barred[d.Dataset] = later(barred[d.Dataset], d.KeptFrom)
		if r := ranges[d.Dataset]; r.From.IsValid() {
			r.From = later(r.From, d.KeptFrom)
			ranges[d.Dataset] = r
		}
		if len(gone) > 0 && slices.Contains(datasets, d.Dataset) {
			modelled = later(modelled, d.KeptFrom)
		}
	}
	if modelled.IsValid() {
		retireClosings(tx, modelled)
	}
	if err := tx.SetSource(rangesSource, ranges); err != nil {
		return err
	}
	return tx.SetSource(retiredSource, barred)
}

// newEpisodeDays is how long after the first day of history an episode's beginning is not known (DEFINITIONS: episodes).
const newEpisodeDays = 180

// retireClosings keeps closed months from being compared that nothing is left of to compare with: those before the first day
// that is kept, and those so soon after it that episodes in them have lost their beginning.
func retireClosings(tx *lake.Tx, from civil.Date) {
	for month := range tx.Snapshot().Commit().Closed {
		if monthWindow(month).From.Before(from.AddDays(newEpisodeDays)) {
			tx.RetireClosing(month)
		}
	}
}

// retiredBefore reads the checkpoint.
func retiredBefore(checkpoint json.RawMessage) (map[string]civil.Date, error) {
	barred := map[string]civil.Date{}
	if checkpoint == nil {
		return barred, nil
	}
	if err := json.Unmarshal(checkpoint, &barred); err != nil {
		return nil, fmt.Errorf("reading from which day on rows are kept: %w", err)
	}
	return barred, nil
}

// readBarred finds, by dataset, from which day on rows land: what was removed at the end of its period does not come back, unless the
// settings keep it for longer by now.
func (in *landing) readBarred(ctx context.Context, tx *lake.Tx) error {
	removed, err := retiredBefore(tx.Source(retiredSource))
	if err != nil || len(removed) == 0 {
		return err
	}
	body, err := tx.Snapshot().Settings(ctx)
	if err != nil || body == nil {
		return err
	}
	typed, err := settings.FromJSON(body)
	if err != nil {
		return err
	}
	in.barred = map[string]int32{}
	keeps := typed.Keeps()
	for dataset, from := range removed {
		if months, limited := keeps[dataset]; limited && tx.AsOf().IsValid() {
			in.barred[dataset] = contract.DayOf(earlierOf(from, settings.KeptFrom(tx.AsOf(), months)))
		}
	}
	return nil
}

// leaveOut takes rows out that are older than what is kept, and counts them.
func leaveOut[T contract.Row](in *landing, dataset string, rows []T, covers []lake.Cover) ([]T, []lake.Cover) {
	first, barred := in.barred[dataset]
	if !barred {
		return rows, covers
	}
	kept := make([]T, 0, len(rows)) // a batch is read again when the commit is planned again
	for _, r := range rows {
		if r.Day() >= first {
			kept = append(kept, r)
		}
	}
	if in.retired == nil {
		in.retired = map[string]int64{}
	}
	in.retired[dataset] += int64(len(rows) - len(kept))
	from := contract.DateOf(first)
	var left []lake.Cover
	for _, c := range covers {
		if c.To.Before(from) {
			continue
		}
		c.From = later(c.From, from)
		left = append(left, c)
	}
	return kept, left
}
