package pipeline

import (
	"context"
	"slices"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// rotaMonth is the month before the window whose word of completeness is oldest, of all reports that are on the rota.
func (p *planner) rotaMonth(kinds []extractors.ReportKind) []extractors.Window {
	var first civil.Date
	var rota [][]lake.Coverage
	for _, k := range kinds {
		if !onRota(k) {
			continue
		}
		covers := p.coversOf(k)
		rota = append(rota, covers)
		for _, c := range covers {
			if c.From.IsValid() && (!first.IsValid() || c.From.Before(first)) {
				first = c.From
			}
		}
	}
	if !first.IsValid() {
		return nil
	}
	var oldest []extractors.Window
	var age civil.Date
	for from := first; from.Before(p.window.From); {
		month := monthFrom(from, p.window.From.AddDays(-1))
		seen := civil.Date{Year: 9999, Month: 12, Day: 31}
		for _, covers := range rota {
			seen = earlierOf(seen, observed(covers, month))
		}
		if oldest == nil || seen.Before(age) {
			oldest, age = []extractors.Window{month}, seen
		}
		from = month.To.AddDays(1)
	}
	return oldest
}

// monthFrom is a day and the rest of its month, up to a last day.
func monthFrom(from, last civil.Date) extractors.Window {
	next := civil.Date{Year: from.Year, Month: from.Month, Day: 1}.AddDays(31)
	next.Day = 1
	return extractors.Window{From: from, To: earlierOf(next.AddDays(-1), last)}
}

// observed is the oldest word of completeness about any day of a window; zero where a day has none.
func observed(covers []lake.Coverage, w extractors.Window) civil.Date {
	var oldest civil.Date
	next := w.From // the first day that is not known to be covered
	for _, c := range covers {
		if !overlap(extractors.Window{From: c.From, To: c.To}, w) {
			continue
		}
		if c.From.After(next) {
			return civil.Date{}
		}
		if !oldest.IsValid() || c.ObservedOn.Before(oldest) {
			oldest = c.ObservedOn
		}
		next = c.To.AddDays(1)
	}
	if !next.After(w.To) {
		return civil.Date{}
	}
	return oldest
}

func earlierOf(a, b civil.Date) civil.Date {
	if b.Before(a) {
		return b
	}
	return a
}

// openMonths are the months before a day in which money is open: an invoice does not add up to nothing, or a claim waits
// for its end.
func (s *Site) openMonths(ctx context.Context, head *lake.Commit, before civil.Date) ([]extractors.Window, error) {
	if head.Number == 0 {
		return nil, nil
	}
	snapshot := s.Clinic.Snapshot(head)
	// A reversal and what it reverses cancel each other out, so an invoice is judged as a whole.
	balances := map[string]int64{}
	days := map[string][]int32{}
	limit := contract.DayOf(before)
	for row, err := range lake.Rows(ctx, snapshot, lake.InvoiceLines) {
		if err != nil {
			return nil, storage("looking for open money", err)
		}
		if row.PurchaseDate >= limit {
			continue
		}
		invoice := row.InvoiceBase + "|" + row.InvoiceSide
		balances[invoice] += row.BalanceCents
		if known := days[invoice]; !slices.Contains(known, row.PurchaseDate) {
			days[invoice] = append(known, row.PurchaseDate)
		}
	}
	open := map[string]civil.Date{}
	note := func(day int32) {
		if d := contract.DateOf(day); day < limit {
			open[d.String()[:7]] = civil.Date{Year: d.Year, Month: d.Month, Day: 1}
		}
	}
	for invoice, balance := range balances {
		if balance != 0 {
			for _, day := range days[invoice] {
				note(day)
			}
		}
	}
	for row, err := range lake.Rows(ctx, snapshot, lake.Claims) {
		if err != nil {
			return nil, storage("looking for open money", err)
		}
		if !settled(row.Folder) {
			note(row.ServiceDate)
		}
	}
	var out []extractors.Window
	for _, month := range sortedKeys(open) {
		out = append(out, monthFrom(open[month], before.AddDays(-1)))
	}
	return out, nil
}

// settled says of a claim's folder that nothing more is expected of the claim itself. What is not paid of it stands as the
// invoice's balance.
func settled(folder string) bool {
	switch folder {
	case contract.ClaimAnswered, contract.ClaimApproved, contract.ClaimRejected, contract.ClaimPaid, contract.ClaimRefunded:
		return true
	default:
		return false
	}
}
