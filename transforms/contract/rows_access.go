package contract

import "strconv"

// UnscheduledPatient is one patient who has been seen and has no booking ahead, as last seen. Discharged patients are not
// among them, so who is neither here nor booked has finished care.
type UnscheduledPatient struct {
	Patient     string `parquet:"patient"`
	Discipline  string `parquet:"discipline,dict"`
	LastVisitOn *int32 `parquet:"last_visit_on,optional,date"`
	ObservedOn  int32  `parquet:"observed_on,date"`
}

// Activity is one line of the portal's activity log about our own account.
type Activity struct {
	At         int64  `parquet:"at,timestamp(microsecond)"`
	OccurredOn int32  `parquet:"occurred_on,date"`
	Account    string `parquet:"account,dict"`
	Action     string `parquet:"action,dict"`
	Subject    string `parquet:"subject,dict"`
	RangeFrom  *int32 `parquet:"range_from,optional,date"`
	RangeTo    *int32 `parquet:"range_to,optional,date"`
	Rows       *int64 `parquet:"rows,optional"`
	Ordinal    int32  `parquet:"ordinal"`
	ObservedOn int32  `parquet:"observed_on,date"`
}

// Access is one thing that a run did in the portal.
type Access struct {
	RunID      string `parquet:"run_id,dict"`
	Line       int64  `parquet:"line"`
	At         int64  `parquet:"at,timestamp(microsecond)"`
	OccurredOn int32  `parquet:"occurred_on,date"`
	Action     string `parquet:"action,dict"`
	Subject    string `parquet:"subject,dict"`
	Route      string `parquet:"route,dict"`
	RangeFrom  *int32 `parquet:"range_from,optional,date"`
	RangeTo    *int32 `parquet:"range_to,optional,date"`
	Rows       *int64 `parquet:"rows,optional"`
	Bytes      *int64 `parquet:"bytes,optional"`
	Status     *int32 `parquet:"status,optional"`
	Outcome    string `parquet:"outcome,dict"`
	ObservedOn int32  `parquet:"observed_on,date"`
}

// Identified is one patient whose name may be shown.
type Identified struct {
	Patient     string `parquet:"patient"`
	FirstName   string `parquet:"first_name"`
	PatientGUID string `parquet:"patient_guid"`
	ObservedOn  int32  `parquet:"observed_on,date"`
}

// Key identifies the row.
func (u UnscheduledPatient) Key() string { return u.Patient + "|" + u.Discipline }

// Unit identifies what the source prints as one.
func (u UnscheduledPatient) Unit() string { return u.Key() }

// Day is the day it belongs to.
func (u UnscheduledPatient) Day() int32 { return noDay }

// PatientRef is the pseudonym it is about.
func (u UnscheduledPatient) PatientRef() string { return u.Patient }

// Observed is the day it was seen on.
func (u UnscheduledPatient) Observed() int32 { return u.ObservedOn }

// Key identifies the row.
func (a Activity) Key() string {
	return strconv.FormatInt(a.At, 10) + "|" + a.Action + "|" + a.Subject + "|" + strconv.Itoa(int(a.Ordinal))
}

// Unit identifies what the source prints as one.
func (a Activity) Unit() string { return a.Key() }

// Day is the day it belongs to.
func (a Activity) Day() int32 { return a.OccurredOn }

// PatientRef is the pseudonym it is about.
func (a Activity) PatientRef() string { return "" }

// Observed is the day it was seen on.
func (a Activity) Observed() int32 { return a.ObservedOn }

// Key identifies the row.
func (a Access) Key() string { return a.RunID + "|" + strconv.FormatInt(a.Line, 10) }

// Unit identifies what the source prints as one.
func (a Access) Unit() string { return a.Key() }

// Day is the day it belongs to.
func (a Access) Day() int32 { return a.OccurredOn }

// PatientRef is the pseudonym it is about.
func (a Access) PatientRef() string { return "" }

// Observed is the day it was seen on.
func (a Access) Observed() int32 { return a.ObservedOn }

// Key identifies the row.
func (i Identified) Key() string { return i.Patient }

// Unit identifies what the source prints as one.
func (i Identified) Unit() string { return i.Patient }

// Day is the day it belongs to.
func (i Identified) Day() int32 { return noDay }

// PatientRef is the pseudonym it is about.
func (i Identified) PatientRef() string { return i.Patient }

// Observed is the day it was seen on.
func (i Identified) Observed() int32 { return i.ObservedOn }
