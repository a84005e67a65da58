package pipeline

import (
	"context"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// landsIn is the dataset that a batch's rows belong to. Hours of a period longer than a day are a dataset of their own.
func landsIn(b *transforms.Batch) string {
	if b.Dataset == contract.Shifts && b.Covers.Days() != 1 {
		return contract.ShiftPeriods
	}
	return b.Dataset
}

// landMoney merges what was received, applied and given up.
func (in *landing) landMoney(ctx context.Context, tx *lake.Tx, o IngestOptions) error {
	if err := upsert(ctx, tx, lake.Payments, in, o, func(b *transforms.Batch) []contract.Payment { return b.Payments }); err != nil {
		return err
	}
	if err := upsert(ctx, tx, lake.AppliedPayments, in, o, func(b *transforms.Batch) []contract.AppliedPayment { return b.AppliedPayments }); err != nil {
		return err
	}
	for _, table := range []lake.Table[contract.Adjustment]{lake.Adjustments, lake.WriteOffs} {
		if err := upsert(ctx, tx, table, in, o, func(b *transforms.Batch) []contract.Adjustment { return b.Adjustments }); err != nil {
			return err
		}
	}
	if err := upsert(ctx, tx, lake.Credits, in, o, func(b *transforms.Batch) []contract.Credit { return b.Credits }); err != nil {
		return err
	}
	return upsert(ctx, tx, lake.AccountsReceivable, in, o, func(b *transforms.Batch) []contract.Receivable { return b.Receivables })
}

// landIdentities merges names, where the clinic has chosen to show them.
func (in *landing) landIdentities(ctx context.Context, tx *lake.Tx) error {
	var rows []contract.Identified
	for _, b := range in.batches {
		rows = append(rows, b.Identities...)
	}
	if len(rows) == 0 {
		return nil
	}
	merged, err := lake.Upsert(ctx, tx, lake.Identities, lake.Batch[contract.Identified]{Rows: rows})
	if err != nil {
		return err
	}
	in.report.Merged[contract.Identities] = merged
	return nil
}

// landHours merges reports of one day into shifts and those of longer periods into shift_periods: a complete report of a day
// must not take away the month that begins on it.
func (in *landing) landHours(ctx context.Context, tx *lake.Tx, o IngestOptions) error {
	for _, table := range []lake.Table[contract.Shift]{lake.Shifts, lake.ShiftPeriods} {
		if err := upsert(ctx, tx, table, in, o, func(b *transforms.Batch) []contract.Shift { return b.Shifts }); err != nil {
			return err
		}
	}
	return in.supersedePeriods(ctx, tx)
}

// supersedePeriods takes the periods away of which every day has been brought home by itself. It looks at what the lake holds
// and has covered, so that the order of imports does not matter.
func (in *landing) supersedePeriods(ctx context.Context, tx *lake.Tx) error {
	snapshot := tx.Snapshot()
	days := snapshot.Commit().Datasets[contract.Shifts].Covers
	if len(days) == 0 {
		return nil
	}
	standing := map[int32][]contract.Shift{} // by first day
	gone := map[int32]civil.Date{}           // first day to the newest word on it
	for row, err := range lake.Rows(ctx, snapshot, lake.ShiftPeriods) {
		if err != nil {
			return err
		}
		observed, covered := coveredSince(days, extractors.Window{From: contract.DateOf(row.PeriodFrom), To: contract.DateOf(row.PeriodTo)})
		if !covered {
			standing[row.PeriodFrom] = append(standing[row.PeriodFrom], row)
			continue
		}
		gone[row.PeriodFrom] = later(gone[row.PeriodFrom], later(observed, contract.DateOf(row.ObservedOn)))
	}
	var batch lake.Batch[contract.Shift]
	for first, observed := range gone {
		day := contract.DateOf(first)
		batch.Covers = append(batch.Covers, lake.Cover{From: day, To: day, ObservedOn: observed})
		batch.Rows = append(batch.Rows, standing[first]...)
	}
	if len(batch.Covers) == 0 {
		return nil
	}
	_, err := lake.Upsert(ctx, tx, lake.ShiftPeriods, batch)
	return err
}

// coveredSince says whether complete reports cover every day of a window, and the newest of their days.
func coveredSince(covers []lake.Coverage, w extractors.Window) (observed civil.Date, covered bool) {
	next := w.From
	for _, c := range covers { // in order, without overlap
		if c.From.After(next) || c.To.Before(next) {
			continue
		}
		observed = later(observed, c.ObservedOn)
		if next = c.To.AddDays(1); next.After(w.To) {
			return observed, true
		}
	}
	return civil.Date{}, false
}

func later(a, b civil.Date) civil.Date {
	if b.After(a) {
		return b
	}
	return a
}
