package transforms

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/normalise"
)

// paymentRow reads rows of the transactions report.
func (r *reading) paymentRow() func() {
	var (
		number, kind, method  = r.column("payment_id"), r.column("kind"), r.column("method")
		received, processed   = r.column("received_on"), r.column("processed_on")
		payer, patient        = r.column("payer_kind"), r.column("patient")
		applied               = r.column("applied_to")
		amount, tip, toClinic = r.column("amount_cents"), r.column("tip_cents"), r.column("paid_to_clinic_cents")
		currency              = r.t.settings.Currency
		invoices              []byte
	)
	r.finishRows = r.orderPayments
	return func() {
		var side string
		invoices = invoices[:0]
		unread := normalise.InvoiceNumbers(r.cell(applied).Text, func(inv normalise.Invoice) {
			if len(invoices) > 0 {
				invoices = append(invoices, ' ')
			} else {
				side = inv.Side
			}
			invoices = append(invoices, inv.Number...)
		})
		p := contract.Payment{
			PaymentID:         r.paymentNumber(number),
			ReceivedOn:        required(r, received, r.clock.Day),
			ProcessedOn:       nullable(r, processed, r.clock.Day),
			Method:            required(r, method, normalise.PaymentMethod),
			Patient:           r.optionalPatient(patient),
			AmountCents:       r.money(amount),
			TipCents:          r.moneyOrNull(tip),
			PaidToClinicCents: r.moneyOrNull(toClinic),
			Currency:          currency,
		}
		p.PayerKind, p.PayerID = r.paidBy(payer, side)
		p.Kind = r.paymentKind(kind, p.AmountCents)
		if r.badReason != "" {
			return
		}
		if len(invoices) > 0 {
			list := string(invoices)
			p.AppliedTo = &list
		}
		r.batch.remark(AppliedToUnread, unread)
		switch {
		case len(invoices) > 0:
			r.odd.applied++
		case unread > 0:
			r.odd.unapplied++
		}
		if p.Method == contract.OtherMethod {
			r.batch.Remarks[UnknownMethod]++
		}
		r.notePaymentWords(kind, method, p.Method)
		if p.Kind == contract.OtherPayment {
			r.batch.Remarks[UnknownKind]++
		}
		if p.ProcessedOn != nil {
			r.happened(*p.ProcessedOn)
		}
		r.happened(p.ReceivedOn)
		r.on(p.ReceivedOn)
		r.batch.Payments = append(r.batch.Payments, p)
	}
}

// paymentNumber is the number of a transaction, empty where none is printed. It is the portal's own, and means something only
// inside it.
func (r *reading) paymentNumber(column int) string {
	text, ok := optional(r, column, normalise.Reference)
	if !ok {
		return ""
	}
	number := string(text)
	r.noteNumber(number)
	return number
}

// notePaymentWords counts what stands in the columns of kind and method, by whether it is one.
func (r *reading) notePaymentWords(kind, method int, read string) {
	printed, ok := optional(r, kind, normalise.PaymentKind)
	if ok {
		r.odd.printedKinds++
		r.noteWord(&r.odd.kinds, kind, printed != contract.OtherPayment)
		if as, reason := normalise.PaymentMethod(r.cell(kind).Text); reason == "" && as != contract.OtherMethod {
			r.odd.kindsAsMethods++
		}
	}
	r.noteWord(&r.odd.methods, method, read != contract.OtherMethod)
	if as, reason := normalise.PaymentKind(r.cell(method).Text); reason == "" && as != contract.OtherPayment {
		r.odd.methodsAsKinds++
	}
}

// paymentKind is the kind that is printed, else what the amount's sign says.
func (r *reading) paymentKind(column int, cents int64) string {
	if kind, printed := optional(r, column, normalise.PaymentKind); printed {
		return kind
	}
	if cents < 0 {
		return contract.PaymentBack
	}
	return contract.PaymentIn
}

// paidBy classifies the payer of money. side is that of an invoice that it pays, empty where it pays none.
func (r *reading) paidBy(column int, side string) (kind string, id *string) {
	if column == nowhere || side == contract.PatientSide {
		return contract.Person, nil
	}
	p := r.linePayer(column, side)
	return p.kind, p.id
}

// optionalPatient is the pseudonym of the patient, nil for a blank cell.
func (r *reading) optionalPatient(column int) *string {
	guid := r.cell(column).Text
	if len(strings.TrimSpace(string(guid))) == 0 {
		return nil
	}
	return r.patient(column, guid)
}

// UnnumberedPayment is what begins the id of a payment that the portal did not number: a pseudonym of what it says. Ids of
// equal ones go on with a point and a number that counts them from 0.
func UnnumberedPayment(keys identity.Keys, p contract.Payment) string {
	return keys.Pseudonym(identity.Payment, strings.Join([]string{
		strconv.Itoa(int(p.ReceivedOn)), p.Kind, p.Method, p.PayerKind, orEmpty(p.PayerID), orEmpty(p.Patient), orEmpty(p.AppliedTo),
		strconv.FormatInt(p.AmountCents, 10),
	}, "|"))
}

// orderPayments sorts the payments, and gives those without a number one of their content. Of equal ones without a number
// all are kept: two people may pay the same on a day.
func (r *reading) orderPayments() {
	rows := r.batch.Payments
	for i := range rows {
		if p := &rows[i]; p.PaymentID == "" {
			p.PaymentID = UnnumberedPayment(r.t.keys, *p) + "."
		}
	}
	byID := func(a, b contract.Payment) int { return strings.Compare(a.PaymentID, b.PaymentID) }
	slices.SortFunc(rows, func(a, b contract.Payment) int {
		if c := byID(a, b); c != 0 {
			return c
		}
		return compareContent(a, b)
	})
	nth, last := 0, ""
	for i := range rows {
		if !strings.HasSuffix(rows[i].PaymentID, ".") {
			continue
		}
		if nth++; rows[i].PaymentID != last {
			nth, last = 0, rows[i].PaymentID
		}
		rows[i].PaymentID += strconv.Itoa(nth)
	}
	r.batch.Payments = newest(r, rows, byID,
		func(a, b contract.Payment) int { return cmp.Compare(a.ReceivedOn, b.ReceivedOn) },
		func(p contract.Payment) any { return p })
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// appliedRow reads rows of the report of applied and unapplied payments.
func (r *reading) appliedRow() func() {
	var (
		number, invoice   = r.column("payment_id"), r.column("invoice_number")
		received, applied = r.column("received_on"), r.column("applied_on")
		purchase, patient = r.column("purchase_date"), r.column("patient")
		payer, amount     = r.column("payer_kind"), r.column("amount_cents")
		currency          = r.t.settings.Currency
	)
	r.finishRows = r.orderApplied
	return func() {
		inv, hasInvoice := optional(r, invoice, normalise.InvoiceNumber)
		a := contract.AppliedPayment{
			PaymentID:    r.paymentNumber(number),
			ReceivedOn:   required(r, received, r.clock.Day),
			AppliedOn:    nullable(r, applied, r.clock.Day),
			PurchaseDate: nullable(r, purchase, r.clock.Day),
			Patient:      r.optionalPatient(patient),
			AmountCents:  r.money(amount),
			Currency:     currency,
		}
		if a.PaymentID == "" {
			r.fail(number, normalise.Missing)
		}
		if hasInvoice && a.AppliedOn == nil {
			r.fail(applied, normalise.Missing)
		}
		a.PayerKind, a.PayerID = r.paidBy(payer, inv.Side)
		if r.badReason != "" {
			return
		}
		if hasInvoice {
			a.InvoiceNumber = string(inv.Number)
			r.happened(*a.AppliedOn)
		}
		r.happened(a.ReceivedOn)
		r.on(a.ReceivedOn)
		r.batch.AppliedPayments = append(r.batch.AppliedPayments, a)
	}
}

// orderApplied sorts the applications and numbers those of one payment to one invoice. Equal ones are all kept: an amount
// may be taken off and applied again.
func (r *reading) orderApplied() {
	rows := r.batch.AppliedPayments
	day := func(d *int32) int32 {
		if d == nil {
			return noDay
		}
		return *d
	}
	slices.SortFunc(rows, func(a, b contract.AppliedPayment) int {
		if c := cmp.Or(strings.Compare(a.PaymentID, b.PaymentID), strings.Compare(a.InvoiceNumber, b.InvoiceNumber),
			cmp.Compare(day(a.AppliedOn), day(b.AppliedOn)), cmp.Compare(a.AmountCents, b.AmountCents)); c != 0 {
			return c
		}
		return compareContent(a, b)
	})
	for i := 1; i < len(rows); i++ {
		if rows[i].PaymentID == rows[i-1].PaymentID && rows[i].InvoiceNumber == rows[i-1].InvoiceNumber {
			rows[i].Ordinal = rows[i-1].Ordinal + 1
		}
	}
}
