package pipeline

import (
	"encoding/json"
	"fmt"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// rangesSource is the checkpoint that keeps which days each dataset's reports were about.
const rangesSource = "report_ranges"

// reportRange is the days that a dataset's reports were about, complete or not, and the newest day whose end they show.
type reportRange struct {
	From       civil.Date `json:"from,omitzero"`
	To         civil.Date `json:"to,omitzero"`
	ObservedOn civil.Date `json:"observed_on,omitzero"`
}

// reportRanges reads the checkpoint, by dataset.
func reportRanges(checkpoint json.RawMessage) (map[string]reportRange, error) {
	ranges := map[string]reportRange{}
	if checkpoint == nil {
		return ranges, nil
	}
	if err := json.Unmarshal(checkpoint, &ranges); err != nil {
		return nil, fmt.Errorf("reading which days the reports were about: %w", err)
	}
	return ranges, nil
}

// noteRanges widens the checkpoint by this ingest's reports.
func (in *landing) noteRanges(tx *lake.Tx) error {
	ranges, err := reportRanges(tx.Source(rangesSource))
	if err != nil {
		return err
	}
	for _, b := range in.batches {
		r := ranges[landsIn(b)]
		from := b.Covers.From
		if first, barred := in.barred[landsIn(b)]; barred && from.IsValid() {
			from = later(from, contract.DateOf(first))
		}
		if from.IsValid() && (!r.From.IsValid() || from.Before(r.From)) {
			r.From = from
		}
		if b.Covers.To.After(r.To) {
			r.To = b.Covers.To
		}
		if b.ObservedOn.After(r.ObservedOn) {
			r.ObservedOn = b.ObservedOn
		}
		ranges[landsIn(b)] = r
	}
	return tx.SetSource(rangesSource, ranges)
}
