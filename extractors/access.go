package extractors

import (
	"time"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// The actions that an access ledger knows. They are those of the portal's own activity log, so that the two can be held
// against each other line by line.
const (
	ActionSignedIn = contract.SignedIn
	// ActionCodeAsked is a right password to which a code is asked for, ActionRefused a sign-in that was refused.
	ActionCodeAsked = contract.CodeAsked
	ActionRefused   = contract.Refused
	ActionSignedOut = contract.SignedOut
	// ActionOpened is a screen, or a report's second or later page.
	ActionOpened     = contract.Opened
	ActionRan        = contract.Ran
	ActionExported   = contract.Exported
	ActionPreviewed  = contract.Previewed
	ActionDownloaded = contract.Downloaded
)

// The outcomes of an access.
const (
	// AccessDone is what the portal has done, and notes in its own log.
	AccessDone = "done"
	// AccessRefused is what it answered with a refusal: of what it refuses it notes sign-ins alone (ActionRefused).
	AccessRefused = "refused"
	// AccessUnanswered is what no answer came to: whether the portal has done and noted it is not known.
	AccessUnanswered = "unanswered"
)

// Access is one line of the access ledger: something we did in the portal. It holds nothing of what was seen there.
type Access struct {
	At time.Time
	// Action is one of the actions above.
	Action string
	// Subject is one of the contract's subjects: the report or the screen; empty for signing in and out.
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
