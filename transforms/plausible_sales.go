package transforms

import (
	"slices"
	"strconv"
	"strings"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

func (r *reading) plausibleLines(rows []contract.InvoiceLine) {
	type l = contract.InvoiceLine
	every := func(*l) bool { return true }
	// Amounts of a reversal are those of a line with the sign turned round.
	sign := func(x *l) int64 {
		if x.TotalCents < 0 || x.TotalCents == 0 && x.IsReversal {
			return -1
		}
		return 1
	}
	r.invoicesAfterPurchases(rows)
	doubted(r, rows, []doubt[l]{
		{"`Subtotal` and the tax", "the tax is higher than the price", 20, every,
			func(x *l) bool { return sign(x)*x.TaxCents > sign(x)*x.SubtotalCents }},
		// Patients pay too much now and then, and then nothing is open.
		{"`Total` and `Collected`", "more was collected than the whole amount, and yet something is open,", 10, every,
			func(x *l) bool { return sign(x)*x.CollectedCents > sign(x)*x.TotalCents && sign(x)*x.BalanceCents > 0 }},
		{"`Collected` and `Balance`", "they are more than the whole amount together", 20, every,
			func(x *l) bool {
				return sign(x)*(x.CollectedCents+x.BalanceCents) > sign(x)*x.TotalCents && sign(x)*x.BalanceCents > 0
			}},
		{"`Status`, `Collected` and `Balance`", "what is paid is open, or what is unpaid is collected,", 50,
			func(x *l) bool {
				return x.TotalCents > 0 && (x.Status == contract.Paid || x.Status == contract.Unpaid)
			},
			func(x *l) bool {
				return x.Status == contract.Paid && x.BalanceCents > 0 || x.Status == contract.Unpaid && x.CollectedCents > 0
			}},
		{"`Status`", "an unknown status", 50, every, func(x *l) bool { return x.Status == contract.OtherStatus }},
	})
	// A discount may lie between the two; that the tax lies between them the other way round is no discount.
	if many(r.odd.taxTurned, r.odd.taxed, 50) {
		r.implausible("`Subtotal` and `Total`", "the price with tax is lower by the tax", r.odd.taxTurned, r.odd.taxed)
	}
	if bad := r.batch.Remarks[TaxDisagrees]; many(bad, len(rows), 35) {
		r.implausible("`Subtotal`, the tax and `Total`", "they do not add up", bad, len(rows))
	}
	r.plausiblePrices(rows)
	// The patient's own invoices are where a column of names would show the patients; the insurers' are where the payer is
	// not one of them.
	of := func(insurers bool, name func(*l) string) texts {
		return r.texted(len(rows), func(i int) (string, string) {
			if (rows[i].InvoiceSide == contract.InsurerSide) != insurers {
				return name(&rows[i]), ""
			}
			return name(&rows[i]), rows[i].Patient
		})
	}
	r.plausibleNames([]nameColumn{
		{"`Item`", of(false, func(x *l) string { return x.Item }), sold, true},
		{"`Location`", of(false, func(x *l) string { return x.Location }), place, true},
		{"`Staff Member`", of(false, func(x *l) string { return x.StaffMember }), staff, true},
		{"`Income Category`", of(false, func(x *l) string { return x.IncomeCategory }), category, false},
		{"`Payer`", of(true, func(x *l) string { return refOf(x.PayerID) }), coded, false},
	})
}

// invoicesAfterPurchases refuses days of purchase and of invoice that have changed places. That invoices are older than
// what they are for does not say it: who has patients pay when they book makes them so. But no insurer is billed before the
// visit, and invoices are numbered in the order in which they are made: their own days come in that order, and the days of
// purchase less so.
func (r *reading) invoicesAfterPurchases(rows []contract.InvoiceLine) {
	type l = contract.InvoiceLine
	invoiced, bought := func(x *l) int64 { return int64(x.InvoiceDate) }, func(x *l) int64 { return int64(x.PurchaseDate) }
	older, younger := ordered(rows, func(*l) bool { return true }, bought, invoiced)
	if older < 3 || older <= younger {
		return
	}
	insurers, _ := ordered(rows, func(x *l) bool { return x.InvoiceSide == contract.InsurerSide }, bought, invoiced)
	type numbered struct {
		number int
		line   *l
	}
	var all []numbered
	seen := map[int]bool{}
	for i := range rows {
		digits, _, _ := strings.Cut(rows[i].InvoiceNumber, "-")
		n, err := strconv.Atoi(digits)
		if err == nil && !seen[n] && !rows[i].IsReversal {
			seen[n] = true
			all = append(all, numbered{n, &rows[i]})
		}
	}
	slices.SortFunc(all, func(a, b numbered) int { return a.number - b.number })
	back := func(day func(*l) int64) (n int) {
		for i := 1; i < len(all); i++ {
			if day(all[i].line) < day(all[i-1].line) {
				n++
			}
		}
		return n
	}
	// And a portal that is asked for days of purchase gives no other ones.
	if back(invoiced) > back(bought) || 2*insurers > older || r.batch.Remarks[OutsideRange] > 0 {
		r.implausible("`Purchase Date` and `Invoice Date`", "the invoice is older than what it is for", older, len(rows))
	}
}

// plausiblePrices compares amounts with the clinic's own price list: a portal that prints cents, or dollars where it
// printed cents, is a hundred times off.
func (r *reading) plausiblePrices(rows []contract.InvoiceLine) {
	near, off := 0, 0
	for i := range rows {
		x := &rows[i]
		price, ok := r.t.settings.PriceOn(x.Item, x.Location, contract.DateOf(x.PurchaseDate))
		if !ok || price == 0 {
			continue
		}
		switch x.TotalCents {
		case price:
			near++
		case 100 * price, price / 100:
			off++
		}
	}
	if many(off, near+off, 50) {
		r.implausible("`Total`", "it is a hundred times what the price list says, or a hundredth,", off, near+off)
	}
}
