package contract

import (
	"slices"
	"strconv"
)

// States of a leak (column state of leak_states and of the marts that show leaks). A leak about which nobody said anything is
// open; LeakRecovered is never said, money makes it.
const (
	LeakOpen       = "open"
	LeakAssigned   = "assigned"
	LeakContacted  = "contacted"
	LeakRecovered  = "recovered"
	LeakWrittenOff = "written_off"
	LeakExpired    = "expired"
)

// AllLeakStates lists every state of a leak, in the order in which one goes through them.
func AllLeakStates() []string {
	return []string{LeakOpen, LeakAssigned, LeakContacted, LeakRecovered, LeakWrittenOff, LeakExpired}
}

// leakNotes are what may be noted of a leak. There is no free text: in it a patient's name or a diagnosis would find its way into
// the lake.
var leakNotes = []string{
	"left_message", "no_answer", "wrong_number", "patient_contacted", "promised_payment", "payment_plan", "booked_again",
	"asked_not_to_contact", "finished_care", "insurer_contacted", "resubmitted", "documents_sent", "disputed", "filing_limit_passed",
	"uncollectable", "too_small", "entered_in_error",
}

// LeakNotes lists every code that may be noted of a leak.
func LeakNotes() []string { return slices.Clone(leakNotes) }

// LeakStep is one thing that somebody said of a leak: a new state of it, or a note in the state that it has. A step is never
// changed; the last one of a leak, by Sequence, says how it stands.
type LeakStep struct {
	LeakID   string  `parquet:"leak_id"`
	Sequence int32   `parquet:"sequence"`
	SaidAt   int64   `parquet:"said_at,timestamp(microsecond)"`
	SaidOn   int32   `parquet:"said_on,date"`
	State    string  `parquet:"state,dict"`
	Actor    string  `parquet:"actor,dict"`
	Assignee *string `parquet:"assignee,optional,dict"`
	Note     *string `parquet:"note,optional,dict"`
	Patient  *string `parquet:"patient,optional"`

	ObservedOn int32 `parquet:"observed_on,date"`
}

// Key identifies the row.
func (s LeakStep) Key() string { return s.LeakID + "|" + strconv.Itoa(int(s.Sequence)) }

// Unit identifies what the source prints as one.
func (s LeakStep) Unit() string { return s.Key() }

// Day is the day it belongs to.
func (s LeakStep) Day() int32 { return s.SaidOn }

// PatientRef is the pseudonym it is about.
func (s LeakStep) PatientRef() string { return deref(s.Patient) }

// Observed is the day it was seen on.
func (s LeakStep) Observed() int32 { return s.ObservedOn }

func leakStates() Dataset {
	return Dataset{
		Name:  LeakStates,
		Grain: "one thing that somebody said of a leak, never changed; we write it, no report prints it",
		Columns: []Column{
			column("leak_id", typeText, "The leak, by the name that it keeps while its invoice is renumbered; an insurer's or a patient's pseudonym can be part of it.").as(Pseudonym),
			column("sequence", typeInt, "Counts what was said of the leak from 1; the last says how it stands.").as(Public),
			column("said_at", typeClock, "When it was said, UTC.").as(Public),
			column("said_on", typeDay, "Local day of it.").as(Public),
			column("state", typeText, "What the leak is from then on: open, assigned, contacted, written_off or expired.").as(Business),
			column("actor", typeText, "Pseudonym of who said it, who is named in the audit log.").as(Pseudonym),
			column("assignee", typeText, "Who has it as a task: a staff member as other datasets show them, or else the pseudonym of a person's login.").nullable(),
			column("note", typeText, "Why, one of a fixed list of codes.").nullable(),
			column("patient", typeText, "Pseudonym of the patient, so that it goes where the patient is erased; none for a group booking and for idle hours.").nullable().as(Pseudonym),
			observedOn(),
		},
	}
}
