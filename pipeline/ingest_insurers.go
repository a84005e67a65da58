package pipeline

import (
	"context"
	"iter"

	"github.com/falloff-analytics/falloff/transforms"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// nameInsurers decides which payers may be kept by name: those that claims, policies or the settings list, and that
// enough patients have. It looks at the merged rows, so that the outcome does not depend on the order of imports.
func (in *landing) nameInsurers(ctx context.Context, tx *lake.Tx) error {
	snapshot := tx.Snapshot()
	for row, err := range lake.Rows(ctx, snapshot, lake.Insurers) {
		if err != nil {
			return err
		}
		transforms.MergePayerNames(in.names, map[string]string{row.PayerID: row.Name})
	}
	patients := payerPatients{}
	for _, pairs := range []iter.Seq2[[2]string, error]{
		lake.Pairs(ctx, snapshot, lake.InvoiceLines, "payer_id", "patient"),
		lake.Pairs(ctx, snapshot, lake.Claims, "payer_id", "patient"),
		lake.Pairs(ctx, snapshot, lake.Policies, "payer_id", "patient"),
	} {
		for pair, err := range pairs {
			if err != nil {
				return err
			}
			patients.add(pair[0], pair[1])
		}
	}
	counts := make(map[string]int, len(patients))
	for id, set := range patients {
		counts[id] = len(set)
	}
	observed := tx.AsOf()
	if !observed.IsValid() {
		return nil
	}
	rows := in.transformer.Insurers(in.names, counts, observed)
	_, err := lake.Upsert(ctx, tx, lake.Insurers, lake.Batch[contract.Insurer]{Rows: rows, Covers: []lake.Cover{{ObservedOn: observed}}})
	return err
}

// payerPatients are the patients of each payer.
type payerPatients map[string]map[string]struct{}

func (p payerPatients) add(payer, patient string) {
	if payer == "" || patient == "" {
		return
	}
	if p[payer] == nil {
		p[payer] = map[string]struct{}{}
	}
	p[payer][patient] = struct{}{}
}
