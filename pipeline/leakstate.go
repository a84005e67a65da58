package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// LeakStep is what somebody says of a leak.
type LeakStep struct {
	LeakID string
	// State is the leak's new one (contract.LeakAssigned …); empty where nothing but a note is made.
	State string
	// Expected, where it is given, is the state in which whoever says this saw the leak: where it has another one by now, nothing is
	// said.
	Expected string
	// Assignee is who has it as a task from now on, with contract.LeakAssigned and only there: a staff member as the lake shows them,
	// or else a person's login, which is kept as a pseudonym.
	Assignee string
	// Note is one of contract.LeakNotes, or empty.
	Note string
	// At is when it was said; zero is now. What the same person said of the leak at the same instant already is not said again.
	At time.Time
}

// LeakSaid is one step of a leak, as it is kept.
type LeakSaid struct {
	LeakID   string    `json:"leak_id"`
	Sequence int32     `json:"sequence"`
	At       time.Time `json:"said_at"`
	// From is the state that it had before.
	From  string `json:"from"`
	State string `json:"state"`
	// Actor is a pseudonym (Site.PersonPseudonym); Assignee is one too, or a staff member.
	Actor    string `json:"actor"`
	Assignee string `json:"assignee,omitempty"`
	Note     string `json:"note,omitempty"`
}

// LeakProblem says why something cannot be said of a leak.
type LeakProblem string

// The problems.
const (
	// LeakUnknown: no ledger has it, and nobody said anything of it.
	LeakUnknown LeakProblem = "unknown_leak"
	// LeakIllegal: what is asked for does not follow on the state that it has.
	LeakIllegal LeakProblem = "illegal_step"
	// LeakStale: its state is another one than whoever asks has seen.
	LeakStale LeakProblem = "stale_state"
	// LeakMalformed: what is asked for is not said in the words that there are.
	LeakMalformed LeakProblem = "malformed_step"
)

// LeakError says why a step was refused. Of all that were asked for together nothing was said.
type LeakError struct {
	Problem LeakProblem
	// Place counts the steps from 1. LeakID is empty where nobody knows such a leak: then it can be anything.
	Place  int
	LeakID string
	// State is the one that the leak has.
	State string
	// What is wrong, and what to do about it.
	What, Hint string
}

func (e *LeakError) Error() string { return e.said() + ": " + e.Hint }

// said is what is wrong, without the hint.
func (e *LeakError) said() string {
	name := fmt.Sprintf("leak number %d of those named", e.Place)
	if e.LeakID != "" {
		name = "leak " + e.LeakID
	}
	return name + " " + e.What
}

// followers are the states that people may bring a leak into, by the one that it has.
var followers = map[string][]string{
	contract.LeakOpen:       {contract.LeakAssigned, contract.LeakWrittenOff, contract.LeakExpired},
	contract.LeakAssigned:   {contract.LeakOpen, contract.LeakAssigned, contract.LeakContacted, contract.LeakWrittenOff, contract.LeakExpired},
	contract.LeakContacted:  {contract.LeakOpen, contract.LeakAssigned, contract.LeakContacted, contract.LeakWrittenOff, contract.LeakExpired},
	contract.LeakWrittenOff: {contract.LeakOpen},
	contract.LeakExpired:    {contract.LeakOpen},
}

// knownLeak is a leak as the newest marts and what was said of it show it.
type knownLeak struct {
	// inLedger says that the ledger has it, portal that the portal wrote it off, paid that all of it came in. atRisk says that it is of a
	// patient with nothing booked who has not fallen off, so that there is something to do before it is a leak.
	inLedger, portal, paid, atRisk bool
	patient                        string
	money                          *LeakMoney
	// said are the steps so far, in order.
	said []contract.LeakStep
}

// last is the newest step, nil where nobody said anything.
func (l *knownLeak) last() *contract.LeakStep {
	if len(l.said) == 0 {
		return nil
	}
	return &l.said[len(l.said)-1]
}

// saidState is what people last said.
func (l *knownLeak) saidState() string {
	if last := l.last(); last != nil {
		return last.State
	}
	return contract.LeakOpen
}

// state is the leak's: money makes it recovered, and the portal writes it off, whatever people said.
func (l *knownLeak) state() string {
	switch {
	case l.inLedger && l.portal:
		return contract.LeakWrittenOff
	case l.paid && !l.inLedger:
		return contract.LeakRecovered
	default:
		return l.saidState()
	}
}

// check says why a step does not follow on how the leak stands, nil where it does.
func (l *knownLeak) check(place int, step LeakStep) *LeakError {
	is := l.state()
	no := func(problem LeakProblem, what, hint string) *LeakError {
		return &LeakError{Problem: problem, Place: place, LeakID: step.LeakID, State: is, What: what, Hint: hint}
	}
	if step.Expected != "" && step.Expected != is {
		return no(LeakStale, fmt.Sprintf("is %s by now, not %s", is, step.Expected), "look at it again (falloff leaks history shows what was said) and say what still holds")
	}
	if step.State == "" {
		return nil
	}
	what := fmt.Sprintf("is %s and cannot become %s", is, step.State)
	switch {
	case is == contract.LeakRecovered:
		return no(LeakIllegal, what, "it is paid. Should the payment bounce, it is back as it was")
	case step.State == contract.LeakRecovered:
		return no(LeakIllegal, what, "money does that: import or extract the payments")
	case l.inLedger && l.portal:
		return no(LeakIllegal, what, "the portal has written it off: reverse that there")
	case !l.inLedger && !l.atRisk && (step.State == contract.LeakOpen || step.State == contract.LeakAssigned || step.State == contract.LeakContacted):
		return no(LeakIllegal, what, "the newest ledger does not have it any more. It can be noted, written off or let expire")
	case slices.Contains(followers[is], step.State):
		return nil
	case is == step.State:
		return no(LeakIllegal, "is "+is+" already", "to add a code to it use falloff leaks note")
	case is == contract.LeakOpen:
		return no(LeakIllegal, what, "nobody has it yet: assign it first")
	default:
		return no(LeakIllegal, what, "reopen it first")
	}
}

// checkForm says what of a step is not in the words that there are.
func (step LeakStep) checkForm(place int) *LeakError {
	no := func(what, hint string) *LeakError {
		return &LeakError{Problem: LeakMalformed, Place: place, What: what, Hint: hint}
	}
	states := append(contract.AllLeakStates(), "")
	switch {
	case step.LeakID == "":
		return no("has no id", "give its leak_id, which falloff leaks --format csv prints")
	case !slices.Contains(states, step.State), !slices.Contains(states, step.Expected):
		return no("is given a state that there is not", "there are "+strings.Join(contract.AllLeakStates(), ", "))
	case step.Note != "" && !slices.Contains(contract.LeakNotes(), step.Note):
		return no("is given a note that is none of the codes", "there are "+strings.Join(contract.LeakNotes(), ", ")+". There is no free text")
	case step.State == "" && step.Note == "":
		return no("is given neither a state nor a note", "give one of them")
	case (step.State == contract.LeakAssigned) != (step.Assignee != ""):
		return no("is assigned without saying to whom, or the other way round", "name who has it as a task where it is assigned, and only there")
	}
	return nil
}
