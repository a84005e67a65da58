package contract

import (
	"math"
	"strconv"
	"time"

	"cloud.google.com/go/civil"
)

// Appointment is one row of the schedule for one patient: a group booking is one row for each seat. Rows without a
// patient (breaks, empty slots) are kept for utilisation and are nobody's appointment.
type Appointment struct {
	AppointmentID   int64   `parquet:"appointment_id"`
	Seat            int32   `parquet:"seat"`
	Patient         *string `parquet:"patient,optional,dict"`
	Location        string  `parquet:"location,dict"`
	StaffMember     string  `parquet:"staff_member,dict"`
	Treatment       string  `parquet:"treatment,dict"`
	State           string  `parquet:"state,dict"`
	ServiceDate     int32   `parquet:"service_date,date"`
	StartsAt        int64   `parquet:"starts_at,timestamp(microsecond)"`
	EndsAt          int64   `parquet:"ends_at,timestamp(microsecond)"`
	TimeZone        string  `parquet:"time_zone,dict"`
	FirstVisit      *bool   `parquet:"first_visit,optional"`
	BookedAt        *int64  `parquet:"booked_at,optional,timestamp(microsecond)"`
	ArrivedAt       *int64  `parquet:"arrived_at,optional,timestamp(microsecond)"`
	CancelledAt     *int64  `parquet:"cancelled_at,optional,timestamp(microsecond)"`
	BookedOnline    *bool   `parquet:"booked_online,optional"`
	CancelledReason *string `parquet:"cancelled_reason,optional,dict"`
	ObservedOn      int32   `parquet:"observed_on,date"`
}

// InvoiceLine is one line of an invoice to one payer.
type InvoiceLine struct {
	InvoiceNumber   string  `parquet:"invoice_number"`
	InvoiceBase     string  `parquet:"invoice_base"`
	InvoiceSide     string  `parquet:"invoice_side,dict"`
	InvoiceSequence int32   `parquet:"invoice_sequence"`
	IsReversal      bool    `parquet:"is_reversal"`
	Item            string  `parquet:"item,dict"`
	Ordinal         int32   `parquet:"ordinal"`
	PurchaseDate    int32   `parquet:"purchase_date,date"`
	InvoiceDate     int32   `parquet:"invoice_date,date"`
	Patient         string  `parquet:"patient,dict"`
	StaffMember     string  `parquet:"staff_member,dict"`
	Location        string  `parquet:"location,dict"`
	PayerKind       string  `parquet:"payer_kind,dict"`
	PayerID         *string `parquet:"payer_id,optional,dict"`
	IsPrepay        bool    `parquet:"is_prepay"`
	IncomeCategory  string  `parquet:"income_category,dict"`
	Status          string  `parquet:"status,dict"`
	SubtotalCents   int64   `parquet:"subtotal_cents"`
	TaxCents        int64   `parquet:"tax_cents"`
	TotalCents      int64   `parquet:"total_cents"`
	CollectedCents  int64   `parquet:"collected_cents"`
	BalanceCents    int64   `parquet:"balance_cents"`
	Currency        string  `parquet:"currency,dict"`
	ObservedOn      int32   `parquet:"observed_on,date"`
}

// Claim is one submission of an insurer invoice; a resubmission is another row.
type Claim struct {
	ClaimID       string  `parquet:"claim_id"`
	InvoiceNumber string  `parquet:"invoice_number"`
	Patient       string  `parquet:"patient,dict"`
	PayerID       string  `parquet:"payer_id,dict"`
	PolicyID      *string `parquet:"policy_id,optional,dict"`
	ServiceDate   int32   `parquet:"service_date,date"`
	Folder        string  `parquet:"folder,dict"`
	SubmittedOn   *int32  `parquet:"submitted_on,optional,date"`
	RespondedOn   *int32  `parquet:"responded_on,optional,date"`
	ClaimedCents  *int64  `parquet:"claimed_cents,optional"`
	ApprovedCents *int64  `parquet:"approved_cents,optional"`
	ObservedOn    int32   `parquet:"observed_on,date"`
}

// Policy is one insurance policy of one patient with one insurer, as last seen.
type Policy struct {
	Patient            string `parquet:"patient,dict"`
	PayerID            string `parquet:"payer_id,dict"`
	PolicyID           string `parquet:"policy_id"`
	Status             string `parquet:"status,dict"`
	EndDate            *int32 `parquet:"end_date,optional,date"`
	TreatmentsUsed     *int32 `parquet:"treatments_used,optional"`
	MaxTreatments      *int32 `parquet:"max_treatments,optional"`
	PolicyMaximumCents *int64 `parquet:"policy_maximum_cents,optional"`
	ObservedOn         int32  `parquet:"observed_on,date"`
}

// Shift is the hours of one staff member over one pulled period.
type Shift struct {
	StaffMember   string `parquet:"staff_member,dict"`
	PeriodFrom    int32  `parquet:"period_from,date"`
	PeriodTo      int32  `parquet:"period_to,date"`
	ShiftMinutes  int64  `parquet:"shift_minutes"`
	BreakMinutes  int64  `parquet:"break_minutes"`
	BookedMinutes int64  `parquet:"booked_minutes"`
	BookedCount   int64  `parquet:"booked_count"`
	ObservedOn    int32  `parquet:"observed_on,date"`
}

// Insurer is the name of a payer that claims, policies or clinic.yaml list as an insurer and that at least three
// patients have. Payers that are not listed here are known by pseudonym alone.
type Insurer struct {
	PayerID    string `parquet:"payer_id"`
	Name       string `parquet:"name"`
	ObservedOn int32  `parquet:"observed_on,date"`
}

const noDay = math.MinInt32

// DayOf is a civil day as days since 1970-01-01, the way Parquet stores it.
func DayOf(d civil.Date) int32 {
	return int32(d.DaysSince(civil.Date{Year: 1970, Month: time.January, Day: 1}))
}

// DateOf is the inverse of DayOf.
func DateOf(day int32) civil.Date {
	return civil.Date{Year: 1970, Month: time.January, Day: 1}.AddDays(int(day))
}

// MonthOf is the partition of a day: YYYY-MM, or Undated.
func MonthOf(day int32) string {
	if day == noDay {
		return Undated
	}
	return DateOf(day).String()[:7]
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// Key identifies the row.
func (a Appointment) Key() string { return a.Unit() + "/" + strconv.Itoa(int(a.Seat)) }

// Unit identifies what the source prints as one.
func (a Appointment) Unit() string { return strconv.FormatInt(a.AppointmentID, 10) }

// Day is the day it belongs to.
func (a Appointment) Day() int32 { return a.ServiceDate }

// PatientRef is the pseudonym it is about.
func (a Appointment) PatientRef() string { return deref(a.Patient) }

// Observed is the day it was seen on.
func (a Appointment) Observed() int32 { return a.ObservedOn }

// Key identifies the row.
func (l InvoiceLine) Key() string {
	return l.InvoiceNumber + "|" + l.Item + "|" + strconv.Itoa(int(l.Ordinal))
}

// Unit identifies what the source prints as one.
func (l InvoiceLine) Unit() string { return l.Key() }

// Day is the day it belongs to.
func (l InvoiceLine) Day() int32 { return l.PurchaseDate }

// PatientRef is the pseudonym it is about.
func (l InvoiceLine) PatientRef() string { return l.Patient }

// Observed is the day it was seen on.
func (l InvoiceLine) Observed() int32 { return l.ObservedOn }

// Key identifies the row.
func (c Claim) Key() string { return c.ClaimID }

// Unit identifies what the source prints as one.
func (c Claim) Unit() string { return c.ClaimID }

// Day is the day it belongs to.
func (c Claim) Day() int32 { return c.ServiceDate }

// PatientRef is the pseudonym it is about.
func (c Claim) PatientRef() string { return c.Patient }

// Observed is the day it was seen on.
func (c Claim) Observed() int32 { return c.ObservedOn }

// Key identifies the row.
func (p Policy) Key() string { return p.Patient + "|" + p.PayerID + "|" + p.PolicyID }

// Unit identifies what the source prints as one.
func (p Policy) Unit() string { return p.Key() }

// Day is the day it belongs to.
func (p Policy) Day() int32 { return noDay }

// PatientRef is the pseudonym it is about.
func (p Policy) PatientRef() string { return p.Patient }

// Observed is the day it was seen on.
func (p Policy) Observed() int32 { return p.ObservedOn }

// Key identifies the row.
func (s Shift) Key() string {
	return s.StaffMember + "|" + DateOf(s.PeriodFrom).String() + "|" + DateOf(s.PeriodTo).String()
}

// Unit identifies what the source prints as one.
func (s Shift) Unit() string { return s.Key() }

// Day is the day it belongs to.
func (s Shift) Day() int32 { return s.PeriodFrom }

// PatientRef is the pseudonym it is about.
func (s Shift) PatientRef() string { return "" }

// Observed is the day it was seen on.
func (s Shift) Observed() int32 { return s.ObservedOn }

// Key identifies the row.
func (i Insurer) Key() string { return i.PayerID }

// Unit identifies what the source prints as one.
func (i Insurer) Unit() string { return i.PayerID }

// Day is the day it belongs to.
func (i Insurer) Day() int32 { return noDay }

// PatientRef is the pseudonym it is about.
func (i Insurer) PatientRef() string { return "" }

// Observed is the day it was seen on.
func (i Insurer) Observed() int32 { return i.ObservedOn }
