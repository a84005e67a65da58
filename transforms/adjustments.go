package transforms

import (
	"cmp"
	"slices"
	"strings"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/normalise"
)

// adjustmentRow reads rows of the adjustments report, and of the report of write-offs, which says no kind.
func (r *reading) adjustmentRow() func() {
	var (
		number, kind, on = r.column("invoice_number"), r.column("kind"), r.column("adjusted_on")
		purchase, who    = r.column("purchase_date"), r.column("patient")
		staff, location  = r.column("staff_member"), r.column("location")
		payer, amount    = r.column("payer_kind"), r.column("amount_cents")
		currency         = r.t.settings.Currency
		writtenOff       = r.layout.Name == contract.WriteOffs
	)
	r.finishRows = r.orderAdjustments
	return func() {
		inv := required(r, number, normalise.InvoiceNumber)
		a := contract.Adjustment{
			Kind:         contract.WriteOff,
			AdjustedOn:   required(r, on, r.clock.Day),
			PurchaseDate: nullable(r, purchase, r.clock.Day),
			Patient:      r.requiredPatient(who),
			StaffMember:  r.staff(r.name(staff)),
			Location:     r.name(location),
			AmountCents:  r.money(amount),
			Currency:     currency,
		}
		if !writtenOff {
			a.Kind = required(r, kind, normalise.AdjustmentKind)
		}
		a.PayerKind, a.PayerID = r.paidBy(payer, inv.Side)
		if r.badReason != "" {
			return
		}
		a.InvoiceNumber = string(inv.Number)
		if a.Kind == contract.OtherAdjustment {
			r.batch.Remarks[UnknownKind]++
			r.noteWord(&r.odd.kinds, kind, false)
		}
		r.happened(a.AdjustedOn)
		r.on(a.AdjustedOn)
		r.batch.Adjustments = append(r.batch.Adjustments, a)
	}
}

// orderAdjustments sorts the adjustments and numbers those of one invoice, kind and day. Equal ones are all kept.
func (r *reading) orderAdjustments() {
	rows := r.batch.Adjustments
	slices.SortFunc(rows, func(a, b contract.Adjustment) int {
		if c := cmp.Or(strings.Compare(a.InvoiceNumber, b.InvoiceNumber), strings.Compare(a.Kind, b.Kind), cmp.Compare(a.AdjustedOn, b.AdjustedOn),
			cmp.Compare(a.AmountCents, b.AmountCents)); c != 0 {
			return c
		}
		return compareContent(a, b)
	})
	for i := 1; i < len(rows); i++ {
		if a, b := &rows[i-1], &rows[i]; a.InvoiceNumber == b.InvoiceNumber && a.Kind == b.Kind && a.AdjustedOn == b.AdjustedOn {
			b.Ordinal = a.Ordinal + 1
		}
	}
}

// creditRow reads rows of the report of credits: as of the file's day, whose they are and how much.
func (r *reading) creditRow() func() {
	patient, payer, amount := r.column("account"), r.column("payer_kind"), r.column("credit_cents")
	r.finishRows = r.addUpCredits
	return func() {
		c := contract.Credit{AsOf: r.rangeTo, PayerKind: contract.Person, CreditCents: r.money(amount), Currency: r.t.settings.Currency}
		if who := r.optionalPatient(patient); who != nil {
			c.Account = *who
		} else if p := r.linePayer(payer, contract.InsurerSide); p.id != nil {
			c.PayerKind, c.Account = contract.InsurerKind, *p.id
		}
		if r.badReason != "" {
			return
		}
		r.on(c.AsOf)
		r.batch.Credits = append(r.batch.Credits, c)
	}
}

// addUpCredits gives every account one row: the portal may print a payer's credits one by one.
func (r *reading) addUpCredits() {
	rows := r.batch.Credits
	slices.SortFunc(rows, func(a, b contract.Credit) int { return strings.Compare(a.Account, b.Account) })
	var out []contract.Credit
	for i, c := range rows {
		if i > 0 && c.Account == rows[i-1].Account {
			out[len(out)-1].CreditCents += c.CreditCents
			continue
		}
		out = append(out, c)
	}
	r.batch.Credits = out
}

// receivableRow reads rows of the report of receivables: a month each.
func (r *reading) receivableRow() func() {
	from, to := r.column("period_from"), r.column("period_to")
	currency := r.t.settings.Currency
	money := map[string]int{}
	for _, name := range []string{"opening", "sales", "transactions", "opening_credits", "closing_credits", "credit_memos", "tips", "closing"} {
		money[name] = r.column(name + "_cents")
	}
	r.finishRows = func() {
		r.batch.Receivables = newest(r, r.batch.Receivables,
			func(a, b contract.Receivable) int { return cmp.Compare(a.PeriodFrom, b.PeriodFrom) },
			func(a, b contract.Receivable) int { return cmp.Compare(a.PeriodTo, b.PeriodTo) },
			func(m contract.Receivable) any { return m })
	}
	return func() {
		m := contract.Receivable{
			PeriodFrom:          required(r, from, r.clock.Day),
			PeriodTo:            required(r, to, r.clock.Day),
			OpeningCents:        r.money(money["opening"]),
			SalesCents:          r.money(money["sales"]),
			TransactionsCents:   r.money(money["transactions"]),
			OpeningCreditsCents: r.money(money["opening_credits"]),
			ClosingCreditsCents: r.money(money["closing_credits"]),
			CreditMemosCents:    r.money(money["credit_memos"]),
			TipsCents:           r.money(money["tips"]),
			ClosingCents:        r.money(money["closing"]),
			Currency:            currency,
		}
		if m.PeriodTo < m.PeriodFrom {
			r.fail(to, normalise.EndsEarly)
		}
		if r.badReason != "" {
			return
		}
		if !adds(&m) {
			r.batch.Remarks[ControlTotalDisagrees]++
		}
		r.onPeriod(m.PeriodFrom, m.PeriodTo)
		r.batch.Receivables = append(r.batch.Receivables, m)
	}
}
