package contract

import "strconv"

// Payment is one movement of money between a payer and the clinic.
type Payment struct {
	PaymentID         string  `parquet:"payment_id"`
	Kind              string  `parquet:"kind,dict"`
	ReceivedOn        int32   `parquet:"received_on,date"`
	ProcessedOn       *int32  `parquet:"processed_on,optional,date"`
	Method            string  `parquet:"method,dict"`
	PayerKind         string  `parquet:"payer_kind,dict"`
	PayerID           *string `parquet:"payer_id,optional,dict"`
	Patient           *string `parquet:"patient,optional,dict"`
	AppliedTo         *string `parquet:"applied_to,optional"`
	AmountCents       int64   `parquet:"amount_cents"`
	TipCents          *int64  `parquet:"tip_cents,optional"`
	PaidToClinicCents *int64  `parquet:"paid_to_clinic_cents,optional"`
	Currency          string  `parquet:"currency,dict"`
	ObservedOn        int32   `parquet:"observed_on,date"`
}

// AppliedPayment is one application of a payment to an invoice, or what of it is not applied.
type AppliedPayment struct {
	PaymentID     string  `parquet:"payment_id"`
	InvoiceNumber string  `parquet:"invoice_number"`
	Ordinal       int32   `parquet:"ordinal"`
	ReceivedOn    int32   `parquet:"received_on,date"`
	AppliedOn     *int32  `parquet:"applied_on,optional,date"`
	PurchaseDate  *int32  `parquet:"purchase_date,optional,date"`
	Patient       *string `parquet:"patient,optional,dict"`
	PayerKind     string  `parquet:"payer_kind,dict"`
	PayerID       *string `parquet:"payer_id,optional,dict"`
	AmountCents   int64   `parquet:"amount_cents"`
	Currency      string  `parquet:"currency,dict"`
	ObservedOn    int32   `parquet:"observed_on,date"`
}

// Adjustment is one change of an invoice's balance that no money stands behind: a write-off, a credit memo, a contractual
// reduction.
type Adjustment struct {
	InvoiceNumber string  `parquet:"invoice_number"`
	Kind          string  `parquet:"kind,dict"`
	AdjustedOn    int32   `parquet:"adjusted_on,date"`
	Ordinal       int32   `parquet:"ordinal"`
	PurchaseDate  *int32  `parquet:"purchase_date,optional,date"`
	Patient       string  `parquet:"patient,dict"`
	StaffMember   string  `parquet:"staff_member,dict"`
	Location      string  `parquet:"location,dict"`
	PayerKind     string  `parquet:"payer_kind,dict"`
	PayerID       *string `parquet:"payer_id,optional,dict"`
	AmountCents   int64   `parquet:"amount_cents"`
	Currency      string  `parquet:"currency,dict"`
	ObservedOn    int32   `parquet:"observed_on,date"`
}

// Credit is money of one payer that stood on account at the end of one day.
type Credit struct {
	AsOf        int32  `parquet:"as_of,date"`
	Account     string `parquet:"account,dict"`
	PayerKind   string `parquet:"payer_kind,dict"`
	CreditCents int64  `parquet:"credit_cents"`
	Currency    string `parquet:"currency,dict"`
	ObservedOn  int32  `parquet:"observed_on,date"`
}

// Receivable is the portal's own totals of one calendar month.
type Receivable struct {
	PeriodFrom          int32  `parquet:"period_from,date"`
	PeriodTo            int32  `parquet:"period_to,date"`
	OpeningCents        int64  `parquet:"opening_cents"`
	SalesCents          int64  `parquet:"sales_cents"`
	TransactionsCents   int64  `parquet:"transactions_cents"`
	OpeningCreditsCents int64  `parquet:"opening_credits_cents"`
	ClosingCreditsCents int64  `parquet:"closing_credits_cents"`
	CreditMemosCents    int64  `parquet:"credit_memos_cents"`
	TipsCents           int64  `parquet:"tips_cents"`
	ClosingCents        int64  `parquet:"closing_cents"`
	Currency            string `parquet:"currency,dict"`
	ObservedOn          int32  `parquet:"observed_on,date"`
}

// Key identifies the row.
func (p Payment) Key() string { return p.PaymentID }

// Unit identifies what the source prints as one.
func (p Payment) Unit() string { return p.PaymentID }

// Day is the day it belongs to.
func (p Payment) Day() int32 { return p.ReceivedOn }

// PatientRef is the pseudonym it is about.
func (p Payment) PatientRef() string { return deref(p.Patient) }

// Observed is the day it was seen on.
func (p Payment) Observed() int32 { return p.ObservedOn }

// Key identifies the row.
func (a AppliedPayment) Key() string {
	return a.PaymentID + "|" + a.InvoiceNumber + "|" + strconv.Itoa(int(a.Ordinal))
}

// Unit identifies what is applied together: a payment that is applied anew is newer in all of its parts.
func (a AppliedPayment) Unit() string { return a.PaymentID }

// Day is the day it belongs to.
func (a AppliedPayment) Day() int32 { return a.ReceivedOn }

// PatientRef is the pseudonym it is about.
func (a AppliedPayment) PatientRef() string { return deref(a.Patient) }

// Observed is the day it was seen on.
func (a AppliedPayment) Observed() int32 { return a.ObservedOn }

// Key identifies the row.
func (a Adjustment) Key() string {
	return a.InvoiceNumber + "|" + a.Kind + "|" + DateOf(a.AdjustedOn).String() + "|" + strconv.Itoa(int(a.Ordinal))
}

// Unit identifies what the source prints as one.
func (a Adjustment) Unit() string { return a.Key() }

// Day is the day it belongs to.
func (a Adjustment) Day() int32 { return a.AdjustedOn }

// PatientRef is the pseudonym it is about.
func (a Adjustment) PatientRef() string { return a.Patient }

// Observed is the day it was seen on.
func (a Adjustment) Observed() int32 { return a.ObservedOn }

// Key identifies the row.
func (c Credit) Key() string { return DateOf(c.AsOf).String() + "|" + c.Account }

// Unit identifies what the source prints as one.
func (c Credit) Unit() string { return c.Key() }

// Day is the day it belongs to.
func (c Credit) Day() int32 { return c.AsOf }

// PatientRef is the pseudonym it is about.
func (c Credit) PatientRef() string {
	if c.PayerKind != Person {
		return ""
	}
	return c.Account
}

// Observed is the day it was seen on.
func (c Credit) Observed() int32 { return c.ObservedOn }

// Key identifies the row.
func (r Receivable) Key() string { return DateOf(r.PeriodFrom).String() }

// Unit identifies what the source prints as one.
func (r Receivable) Unit() string { return r.Key() }

// Day is the day it belongs to.
func (r Receivable) Day() int32 { return r.PeriodFrom }

// PatientRef is the pseudonym it is about.
func (r Receivable) PatientRef() string { return "" }

// Observed is the day it was seen on.
func (r Receivable) Observed() int32 { return r.ObservedOn }
