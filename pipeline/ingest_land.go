package pipeline

import (
	"context"
	"slices"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// land merges every batch into the commit in the making.
func (in *landing) land(ctx context.Context, tx *lake.Tx, o IngestOptions, stored []byte) error {
	in.barred, in.retired = nil, nil
	if err := in.leaveOutErased(ctx); err != nil {
		return err
	}
	if stored != nil { // they say how long what comes next is kept
		if err := tx.PutSettings(ctx, stored); err != nil {
			return err
		}
	}
	for _, b := range in.batches {
		// What we did in the portal says nothing of how far the clinic's own reports reach.
		if b.Dataset != contract.PortalActivity {
			tx.AdvanceAsOf(b.ReportDate)
		}
	}
	if err := in.readBarred(ctx, tx); err != nil {
		return err
	}
	for _, merge := range []func() error{
		func() error {
			return upsert(ctx, tx, lake.Appointments, in, o, func(b *transforms.Batch) []contract.Appointment { return b.Appointments })
		},
		func() error {
			return upsert(ctx, tx, lake.InvoiceLines, in, o, func(b *transforms.Batch) []contract.InvoiceLine { return b.InvoiceLines })
		},
		func() error {
			return upsert(ctx, tx, lake.Claims, in, o, func(b *transforms.Batch) []contract.Claim { return b.Claims })
		},
		func() error {
			return upsert(ctx, tx, lake.Policies, in, o, func(b *transforms.Batch) []contract.Policy { return b.Policies })
		},
		func() error { return in.landHours(ctx, tx, o) },
		func() error { return in.landMoney(ctx, tx, o) },
		func() error {
			return upsert(ctx, tx, lake.UnscheduledPatients, in, o, func(b *transforms.Batch) []contract.UnscheduledPatient { return b.Unscheduled })
		},
		func() error {
			return upsert(ctx, tx, lake.PortalActivity, in, o, func(b *transforms.Batch) []contract.Activity { return b.Activity })
		},
		func() error { return in.landIdentities(ctx, tx) },
	} {
		// On a full disk one error says it all.
		if err := merge(); err != nil {
			return err
		}
	}
	in.countQuarantine(tx)
	if err := in.noteRanges(tx); err != nil {
		return err
	}
	return in.nameInsurers(ctx, tx)
}

// upsert merges the rows of one dataset, from all files at once.
func upsert[T contract.Row](ctx context.Context, tx *lake.Tx, table lake.Table[T], in *landing, o IngestOptions,
	rowsOf func(*transforms.Batch) []T,
) error {
	var rows []T
	var covers []lake.Cover
	var newest civil.Date
	found, total := false, 0
	for _, b := range in.batches {
		total += len(rowsOf(b))
	}
	for _, b := range in.batches {
		if landsIn(b) != table.Name() {
			continue
		}
		found = true
		switch {
		case len(rowsOf(b)) == total:
			rows = rowsOf(b) // of one file: Upsert changes nothing in it
		case rows == nil:
			rows = make([]T, 0, total)
			fallthrough
		default:
			rows = append(rows, rowsOf(b)...)
		}
		if b.ObservedOn.After(newest) {
			newest = b.ObservedOn
		}
		if b.Complete {
			covers = append(covers, cover(table.Name(), b.Covers, b.ObservedOn))
		}
	}
	if !found {
		return nil
	}
	if !o.Covers.IsZero() {
		// The person says so today: of all that is known, unless they name a day.
		ranges, err := reportRanges(tx.Source(rangesSource))
		if err != nil {
			return err
		}
		if known := ranges[table.Name()].ObservedOn; !o.ObservedOn.IsValid() && known.After(newest) {
			newest = known
		}
		covers = append(covers, cover(table.Name(), o.Covers, newest))
	}
	rows, covers = leaveOut(in, table.Name(), rows, covers)
	result, err := lake.Upsert(ctx, tx, table, lake.Batch[T]{Rows: rows, Covers: covers})
	if err != nil {
		return err
	}
	in.report.Merged[table.Name()] = result
	return nil
}

// cover is a statement that a range is complete; datasets without days are complete as a whole.
func cover(dataset string, window extractors.Window, observed civil.Date) lake.Cover {
	if slices.Contains([]string{contract.Policies, contract.Insurers, contract.UnscheduledPatients}, dataset) {
		return lake.Cover{ObservedOn: observed}
	}
	return lake.Cover{From: window.From, To: window.To, ObservedOn: observed}
}

// retiredReason counts rows that were left out because they are older than the clinic keeps them; nothing is wrong with them.
const retiredReason = "retired"

// countQuarantine keeps how many rows each dataset's reports lost, by reason.
func (in *landing) countQuarantine(tx *lake.Tx) {
	counts := map[string]map[string]int64{}
	for _, b := range in.batches {
		dataset := landsIn(b)
		if counts[dataset] == nil {
			counts[dataset] = map[string]int64{}
		}
		for _, q := range b.Quarantine {
			counts[dataset][q.Column+": "+string(q.Reason)]++
		}
		if b.Erased > 0 {
			counts[dataset][erasedReason] += int64(b.Erased)
		}
	}
	for dataset, rows := range in.retired {
		if rows > 0 {
			counts[dataset][retiredReason] = rows
		}
	}
	for dataset, reasons := range counts {
		tx.SetQuarantine(dataset, reasons)
	}
}
