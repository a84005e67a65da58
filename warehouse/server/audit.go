package server

import (
	"context"
	"regexp"
)

// Recorder keeps the audit log.
type Recorder interface {
	// Record returns when the event is durable. What it refuses is not answered.
	Record(ctx context.Context, e Event) error
}

// Event is what the audit log says of one request. Its texts are names out of lists, ids and counts: no value of a parameter, no
// statement, and no person but the one who asks.
type Event struct {
	// Person asks, from Address, in Session; Person is empty where nobody was identified.
	Person, Address, Session string
	// Action is what was asked, Entity of what, at Clinic.
	Action, Entity, Clinic string
	// Refused is the code of the refusal, empty where it was answered.
	Refused string
	// Support is the reason of the support access that it rested on.
	Support string
	// Rows and Suppressed count what was answered, and Reach says whose rows: everyones or caseload.
	Rows, Suppressed int64
	Reach            string
	// Snapshot is the commit that was asked.
	Snapshot string
	// Before and After say how something was changed.
	Before, After map[string]any
}

var clinicText = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// clinicName is a clinic as the audit log takes it: what is no clinic's name is left out.
func clinicName(clinic string) string {
	if !clinicText.MatchString(clinic) {
		return ""
	}
	return clinic
}
