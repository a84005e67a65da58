package transforms

import (
	"github.com/falloff-analytics/falloff/transforms/contract"
)

// totals are the columns of money of a month's receivables, by their headers.
func totals(m *contract.Receivable) []struct {
	header string
	cents  *int64
} {
	return []struct {
		header string
		cents  *int64
	}{
		{"Opening A/R", &m.OpeningCents}, {"Sales", &m.SalesCents}, {"Transactions", &m.TransactionsCents},
		{"Opening Credits", &m.OpeningCreditsCents}, {"Closing Credits", &m.ClosingCreditsCents}, {"Credit Memos", &m.CreditMemosCents},
		{"Tips", &m.TipsCents}, {"Closing A/R", &m.ClosingCents},
	}
}

// adds says whether a month's totals add up.
func adds(m *contract.Receivable) bool {
	return m.OpeningCents+m.SalesCents-m.TransactionsCents+m.ClosingCreditsCents-m.OpeningCreditsCents-m.CreditMemosCents+m.TipsCents == m.ClosingCents
}

// agreeing counts what agrees in the months of a report, in their order: that each adds up, and that one begins as the one
// before it has ended.
func agreeing(months []contract.Receivable) (agree, of int) {
	count := func(ok bool) {
		of++
		if ok {
			agree++
		}
	}
	for i := range months {
		m := &months[i]
		count(adds(m))
		if i > 0 && months[i-1].PeriodTo+1 == m.PeriodFrom {
			count(months[i-1].ClosingCents == m.OpeningCents)
			count(months[i-1].ClosingCreditsCents == m.OpeningCreditsCents)
		}
	}
	return agree, of
}

// plausibleReceivables refuses totals that would agree if two columns changed places. That they do not agree is no reason
// alone: a portal may count something in that we do not know of.
func (r *reading) plausibleReceivables(months []contract.Receivable) {
	type m = contract.Receivable
	doubted(r, months, []doubt[m]{
		{"`From` and `To`", "it was before 1990", 50, func(*m) bool { return true }, func(x *m) bool { return x.PeriodFrom < old }},
		{"`Sales` and `Tips`", "the tips are more than what was sold", 50, func(x *m) bool { return x.TipsCents > 0 }, func(x *m) bool { return x.TipsCents > x.SalesCents }},
	})
	agree, of := agreeing(months)
	if of < 3 || 10*agree >= 9*of {
		return
	}
	turned := make([]contract.Receivable, len(months))
	names := totals(&contract.Receivable{})
	for i := range names {
		for j := i + 1; j < len(names); j++ {
			copy(turned, months)
			for m := range turned {
				columns := totals(&turned[m])
				*columns[i].cents, *columns[j].cents = *columns[j].cents, *columns[i].cents
			}
			if now, _ := agreeing(turned); 10*now >= 9*of {
				r.implausible("`"+names[i].header+"` and `"+names[j].header+"`", "they agree only the other way round", of-agree, of)
				return
			}
		}
	}
}
