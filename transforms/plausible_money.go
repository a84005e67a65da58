package transforms

import (
	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/normalise"
)

// oddities counts what columns of fixed words held besides those words.
type oddities struct {
	// kinds and methods are texts that are no known kind or method. A portal has a few that we do not know; a column of
	// something else has one for every other row.
	kinds, methods map[string]int
	// printedKinds are the rows with a kind, kindsAsMethods the texts that are the other column's words.
	printedKinds, kindsAsMethods, methodsAsKinds int
	// numbers are transaction numbers, oddNumbers those that are days or invoices.
	numbers, oddNumbers int
	// taxed are the lines with a tax, taxTurned those whose subtotal is their total with the tax.
	taxed, taxTurned int
	// applied are the rows that say what they are applied to, unapplied those that say something that is no invoice.
	applied, unapplied int
	// accounts are the rows of an activity log whose account reads as something that was done, or as a time.
	accounts int
}

// manyWords is more kinds or methods than a clinic has that we do not know.
const manyWords = 15

// noteWord counts the text of a cell that is not on its fixed list.
func (r *reading) noteWord(words *map[string]int, column int, known bool) {
	text := r.cell(column).Text
	if known || len(text) == 0 {
		return
	}
	if *words == nil {
		*words = map[string]int{}
	}
	if len(*words) <= sampleRows {
		(*words)[string(text)]++
	}
}

// oddRows are the rows of what was counted by word.
func oddRows(words map[string]int) (n int) {
	for _, rows := range words {
		n += rows
	}
	return n
}

// foreign says of words that are not on a list that they are not a clinic's own ones either.
func foreign(words map[string]int) bool {
	return len(words) > manyWords && 20*len(words) > oddRows(words) || len(words) > 4*manyWords
}

// noteNumber counts a transaction's number by its form.
func (r *reading) noteNumber(number string) {
	if number == "" {
		return
	}
	r.odd.numbers++
	if dayForm.MatchString(number) || invoiceForm.MatchString(number) {
		r.odd.oddNumbers++
	}
}

// foreignWords refuses columns of kinds and methods that hold something else.
func (r *reading) foreignWords(kindColumn, methodColumn string) {
	o, rows := &r.odd, r.batch.Rows
	if foreign(o.kinds) {
		r.implausible(kindColumn, "a text that hardly occurs twice", len(o.kinds), rows)
	}
	if odd := oddRows(o.kinds); odd >= 3 && 2*odd > o.printedKinds && 2*o.printedKinds < rows {
		r.implausible(kindColumn, "blank or no kind of transaction", rows-o.printedKinds+odd, rows)
	}
	if foreign(o.methods) {
		r.implausible(methodColumn, "a text that hardly occurs twice", len(o.methods), rows)
	}
	if many(o.kindsAsMethods, o.printedKinds, 50) && many(o.methodsAsKinds, rows, 50) {
		r.implausible(kindColumn+" and "+methodColumn, "a word of the other", min(o.kindsAsMethods, o.methodsAsKinds), rows)
	}
}

// numbered refuses a column of transaction numbers that holds something else.
func (r *reading) numbered() {
	o, rows := &r.odd, r.batch.Rows
	if many(o.oddNumbers, o.numbers, 50) {
		r.implausible("`Transaction #`", "a day or an invoice's number", o.oddNumbers, o.numbers)
	}
	unread := 0
	for _, q := range r.batch.Quarantine {
		if q.Column == "Transaction #" && q.Reason != normalise.Missing {
			unread++
		}
	}
	if blank := rows - o.numbers; o.numbers+unread > 0 && many(blank, rows, 50) {
		r.implausible("`Transaction #`", "it is blank", blank, rows)
	}
}

func (r *reading) plausiblePayments(rows []contract.Payment) {
	type p = contract.Payment
	r.foreignWords("`Type`", "`Payment Method`")
	r.numbered()
	// What is entered late has an earlier day than the one on which it is settled; the other way round is rare.
	wrong, right := ordered(rows, func(x *p) bool { return x.ProcessedOn != nil },
		func(x *p) int64 { return int64(x.ReceivedOn) }, func(x *p) int64 { return int64(*x.ProcessedOn) })
	r.turned("`Date` and `Processing Date`", "it was settled before it was received", wrong, right)
	// Of a card's payment less reaches the clinic than was paid.
	wrong, right = ordered(rows, func(x *p) bool { return x.PaidToClinicCents != nil && x.AmountCents > 0 },
		func(x *p) int64 { return *x.PaidToClinicCents }, func(x *p) int64 { return x.AmountCents })
	r.turned("`Amount` and `Amount Paid to Clinic`", "more reached the clinic than was paid", wrong, right)
	highest := r.highestPrice()
	doubted(r, rows, []doubt[p]{
		// A payment may be nothing but a tip.
		{"`Amount` and `Tip`", "the tip is more than half of the payment", 25,
			func(x *p) bool { return x.TipCents != nil && *x.TipCents > 0 && x.AmountCents >= 0 },
			func(x *p) bool { return 2**x.TipCents > x.AmountCents && *x.TipCents != x.AmountCents }},
		// Insurers pay for many visits at once.
		{"`Amount`", "a person paid more than ten times the highest price of the price list", 50,
			func(x *p) bool { return highest > 0 && x.PayerKind == contract.Person && x.AmountCents > 0 },
			func(x *p) bool { return x.AmountCents > 10*highest }},
	})
	if o := &r.odd; o.applied == 0 && r.batch.Rows >= 20 {
		r.implausible("`Applied To`", "what is there is no invoice's number", r.batch.Rows, r.batch.Rows)
	}
}

func (r *reading) plausibleApplied(rows []contract.AppliedPayment) {
	type p = contract.AppliedPayment
	r.numbered()
	wrong, right := ordered(rows, func(x *p) bool { return x.AppliedOn != nil },
		func(x *p) int64 { return int64(x.ReceivedOn) }, func(x *p) int64 { return int64(*x.AppliedOn) })
	r.turned("`Payment Date` and `Applied Date`", "it was applied before it was received", wrong, right)
	highest := r.highestPrice()
	doubted(r, rows, []doubt[p]{
		{"`Invoice #`", "it was applied on a day, and to no invoice", 50,
			func(x *p) bool { return x.AppliedOn != nil }, func(x *p) bool { return x.InvoiceNumber == "" }},
		{"`Applied Amount`", "a person paid more than ten times the highest price of the price list for one invoice", 50,
			func(x *p) bool {
				return highest > 0 && x.PayerKind == contract.Person && x.AmountCents > 0 && x.InvoiceNumber != ""
			},
			func(x *p) bool { return x.AmountCents > 10*highest }},
	})
}

func (r *reading) plausibleAdjustments(rows []contract.Adjustment) {
	type a = contract.Adjustment
	on, amount := "`Adjustment Date`", "`Adjustment Amount`"
	if r.layout.Name == contract.WriteOffs {
		on, amount = "`Write Off Date`", "`Amount Written Off`"
	} else if o := &r.odd; foreign(o.kinds) {
		r.implausible("`Adjustment Type`", "a text that hardly occurs twice", len(o.kinds), r.batch.Rows)
	}
	// What is taken off was bought before, but for a few prepaid things.
	wrong, right := ordered(rows, func(x *a) bool { return x.PurchaseDate != nil },
		func(x *a) int64 { return int64(*x.PurchaseDate) }, func(x *a) int64 { return int64(x.AdjustedOn) })
	r.turned("`Purchase Date` and "+on, "it was adjusted before it was bought", wrong, right)
	highest := r.highestPrice()
	doubted(r, rows, []doubt[a]{
		{"`Invoice #`", "a GUID", 50, func(*a) bool { return true }, func(x *a) bool { return guidForm.MatchString(x.InvoiceNumber) }},
		{amount, "it is more than ten times the highest price of the price list", 50,
			func(x *a) bool { return highest > 0 && x.AmountCents > 0 }, func(x *a) bool { return x.AmountCents > 10*highest }},
	})
	of := func(name func(*a) string) texts {
		return r.texted(len(rows), func(i int) (string, string) { return name(&rows[i]), rows[i].Patient })
	}
	columns := []nameColumn{
		{"`Location`", of(func(x *a) string { return x.Location }), place, false},
		{"`Staff Member`", of(func(x *a) string { return x.StaffMember }), staff, false},
		{"`Payer`", of(func(x *a) string { return refOf(x.PayerID) }), coded, false},
	}
	for _, c := range columns {
		words := 0
		for value := range c.texts.values {
			if kind, reason := normalise.AdjustmentKind([]byte(value)); reason == "" && kind != contract.OtherAdjustment {
				words++
			}
		}
		if words > 0 && 2*words >= len(c.texts.values) {
			r.implausible(c.column, "a kind of adjustment", words, len(c.texts.values))
		}
	}
	r.plausibleNames(columns)
}

// plausibleCredits refuses credits that are nobody's: then the names of patients would be taken for those of insurers.
func (r *reading) plausibleCredits(rows []contract.Credit) {
	insurers := 0
	for i := range rows {
		if rows[i].PayerKind == contract.InsurerKind {
			insurers++
		}
	}
	if insurers >= 10 && len(r.patients) == 0 {
		r.implausible("`Patient Guid`", "it is blank", insurers, len(rows))
	}
}

// old is a day that no portal has anything of.
var old = contract.DayOf(civil.Date{Year: 1990, Month: 1, Day: 1})

func (r *reading) plausibleUnscheduled(rows []contract.UnscheduledPatient) {
	doubted(r, rows, []doubt[contract.UnscheduledPatient]{{"`Last Visit`", "it was before 1990", 50,
		func(x *contract.UnscheduledPatient) bool { return x.LastVisitOn != nil }, func(x *contract.UnscheduledPatient) bool { return *x.LastVisitOn < old }}})
	names := r.texted(len(rows), func(i int) (string, string) { return rows[i].Discipline, rows[i].Patient })
	r.plausibleNames([]nameColumn{{"`Discipline`", names, category, false}})
}

// plausibleActivity refuses a log whose accounts read as what was done or as times: of such a log nothing would be taken for
// ours, and nobody would miss it.
func (r *reading) plausibleActivity() {
	if many(r.odd.accounts, r.batch.Rows, 50) {
		r.implausible("`Staff Member`", "a time, a number or something that was done", r.odd.accounts, r.batch.Rows)
	}
	if bad := r.batch.Remarks[UnknownAction]; many(bad, len(r.batch.Activity), 90) {
		r.implausible("`Activity`", "nothing that anybody does", bad, len(r.batch.Activity))
	}
}
