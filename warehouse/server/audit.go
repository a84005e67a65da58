package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"time"
)

// Recorder keeps the audit log.
type Recorder interface {
	// Record returns when the event is durable. What it refuses is not answered.
	Record(ctx context.Context, e Event) error
}

// Kind is what sort of thing was asked.
type Kind string

// The kinds of requests.
const (
	Question  Kind = "query"   // a named query
	Statement Kind = "sql"     // an analyst's
	Other     Kind = "request" // whatever else: lists, freshness, telemetry
)

// Event is what the audit log says of one request. Its texts are names out of lists, ids, hashes and counts: no value of a
// parameter, no statement, and no person but the one who asks.
type Event struct {
	Kind Kind
	// Person asks, from Address, in Session; Person is empty where nobody was identified.
	Person, Address, Session string
	// Method and Route are the request's, as the server's list has them, at Clinic.
	Method, Route, Clinic string
	// Query is the name of a named query; Sent is the SHA-256 of its parameters, or of the statement.
	Query, Sent string
	// Status is that of the answer, Refused the code of the refusal, empty where it was answered.
	Status  int
	Refused string
	// Support is the reason of the support access that it rested on.
	Support string
	// Rows, Suppressed and Bytes count what was answered, and Caseload says that it was about a caseload alone.
	Rows, Suppressed, Bytes int64
	Caseload                bool
	// Snapshot is the commit that was asked; Cached says that the answer was a kept one.
	Snapshot string
	Cached   bool
	Took     time.Duration
}

// sum is what a record holds in the place of what was sent.
func sum(sent []byte) string {
	digest := sha256.Sum256(sent)
	return hex.EncodeToString(digest[:])
}

var clinicText = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// clinicName is a clinic as the audit log takes it: what is no clinic's name is left out.
func clinicName(clinic string) string {
	if !clinicText.MatchString(clinic) {
		return ""
	}
	return clinic
}
