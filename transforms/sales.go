package transforms

import (
	"cmp"
	"slices"
	"strings"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/normalise"
)

// invoiceLineRow reads rows of the sales report.
func (r *reading) invoiceLineRow() func() {
	var (
		number, item, patient  = r.column("invoice_number"), r.column("item"), r.column("patient")
		purchase, invoiced     = r.column("purchase_date"), r.column("invoice_date")
		staff, location, payer = r.column("staff_member"), r.column("location"), r.column("payer_kind")
		category, status       = r.column("income_category"), r.column("status")
		subtotal, total        = r.column("subtotal_cents"), r.column("total_cents")
		collected, balance     = r.column("collected_cents"), r.column("balance_cents")
		currency               = r.t.settings.Currency
		day                    = r.days()
	)
	r.finishRows = r.orderLines
	return func() {
		inv := required(r, number, normalise.InvoiceNumber)
		line := contract.InvoiceLine{
			InvoiceSide:     inv.Side,
			InvoiceSequence: inv.Sequence,
			IsReversal:      inv.Reversal,
			Item:            r.requiredName(item),
			PurchaseDate:    required(r, purchase, day),
			InvoiceDate:     required(r, invoiced, day),
			Patient:         r.requiredPatient(patient),
			StaffMember:     r.staff(r.name(staff)),
			Location:        r.name(location),
			IncomeCategory:  r.name(category),
			Status:          required(r, status, normalise.LineStatus),
			SubtotalCents:   r.money(subtotal),
			TotalCents:      r.money(total),
			CollectedCents:  r.money(collected),
			BalanceCents:    r.money(balance),
			Currency:        currency,
		}
		line.TaxCents = line.TotalCents - line.SubtotalCents
		tax, printed := int64(0), false
		for _, c := range r.columns.tax {
			if v := r.moneyOrNull(c); v != nil {
				tax, printed = tax+*v, true
			}
		}
		p := r.linePayer(payer, inv.Side)
		if r.badReason != "" {
			return
		}
		line.PayerKind, line.PayerID, line.IsPrepay = p.kind, p.id, p.prepay
		line.InvoiceNumber = string(inv.Number)
		line.InvoiceBase = line.InvoiceNumber[:len(inv.Base)]
		if printed && tax != line.TaxCents {
			r.batch.Remarks[TaxDisagrees]++
		}
		if tax != 0 {
			r.odd.taxed++
			if tax == -line.TaxCents {
				r.odd.taxTurned++
			}
		}
		if line.Status == contract.OtherStatus {
			r.batch.Remarks[UnknownLineStatus]++
		}
		r.happened(line.InvoiceDate)
		r.on(line.PurchaseDate)
		if len(r.batch.InvoiceLines) == cap(r.batch.InvoiceLines) {
			r.batch.InvoiceLines = slices.Grow(r.batch.InvoiceLines, r.table.RowsLeft()+1)
		}
		r.batch.InvoiceLines = append(r.batch.InvoiceLines, line)
	}
}

// orderLines sorts the lines by invoice and item, and numbers those that share both in the order of their content.
// Lines that are equal in everything are all kept: a patient may buy two of a thing.
func (r *reading) orderLines() {
	lines := r.batch.InvoiceLines
	// Places are sorted, not lines: a line is some three hundred bytes.
	places := make([]int32, len(lines))
	for i := range places {
		places[i] = int32(i)
	}
	slices.SortFunc(places, func(x, y int32) int {
		a, b := &lines[x], &lines[y]
		if c := strings.Compare(a.InvoiceNumber, b.InvoiceNumber); c != 0 {
			return c
		}
		if c := cmp.Or(strings.Compare(a.Item, b.Item), cmp.Compare(a.PurchaseDate, b.PurchaseDate), cmp.Compare(a.TotalCents, b.TotalCents)); c != 0 {
			return c
		}
		return compareContent(*a, *b)
	})
	arrange(lines, places)
	for i := 1; i < len(lines); i++ {
		if lines[i].InvoiceNumber == lines[i-1].InvoiceNumber && lines[i].Item == lines[i-1].Item {
			lines[i].Ordinal = lines[i-1].Ordinal + 1
		}
	}
}
