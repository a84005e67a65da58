package extractors

import "time"

// The actions that an access ledger knows. They are named after what a portal's own activity log says, so that the two can
// be held against each other line by line.
const (
	ActionSignedIn   = "signed in"
	ActionCodeAsked  = "asked for a code"
	ActionSignedOut  = "signed out"
	ActionOpened     = "opened"
	ActionRan        = "ran"
	ActionExported   = "exported"
	ActionPreviewed  = "previewed"
	ActionDownloaded = "downloaded"
)

// The outcomes of an access.
const (
	// AccessDone is what the portal has done, and notes in its own log.
	AccessDone = "done"
	// AccessRefused is what it answered with a refusal: of what it refuses it notes sign-ins alone.
	AccessRefused = "refused"
	// AccessUnanswered is what no answer came to: whether the portal has done and noted it is not known.
	AccessUnanswered = "unanswered"
)

// Access is one line of the access ledger: something we did in the portal. It holds nothing of what was seen there.
type Access struct {
	At time.Time
	// Action is one of the actions above.
	Action string
	// Subject is the screen, or the report by the profile's name; empty for signing in and out.
	Subject string
	// Route is the method and the path of the request, with :id and :file for what differs from one to the next.
	Route string
	// Window is the range that a report was run or exported for, zero where there is none or it is not known.
	Window Window
	// Rows is how many the portal says the report has, Bytes the length of what was sent; -1 where it is not known.
	Rows, Bytes int
	// Status is the HTTP status, 0 if there was no answer.
	Status  int
	Outcome string
}
