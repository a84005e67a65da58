package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
)

// A Hold is what keeps a clinic from being extracted, and how the last run ended. It lies in the lake: what one machine
// was told, or learnt the hard way, holds for all.
type Hold struct {
	Paused *Pause `json:"paused,omitempty"`
	// Rejected are credentials that the portal refused. Nothing signs in with them again.
	Rejected *Rejection `json:"rejected,omitempty"`
	// Attempt is a sign-in whose outcome is not known yet, Proven the credentials that were taken last.
	Attempt *Attempt `json:"attempt,omitempty"`
	Proven  string   `json:"proven,omitempty"`
	// Last is how the last run ended.
	Last *Outcome `json:"last,omitempty"`
	// BuildFailed is the last build's failure, nil where it succeeded.
	BuildFailed *BuildFailure `json:"build_failed,omitempty"`
}

// A Pause was asked for by a person.
type Pause struct {
	By   string    `json:"by"`
	At   time.Time `json:"at"`
	Note string    `json:"note,omitempty"`
}

// A Rejection is the portal's refusal of credentials. It holds nothing of them but their random id.
type Rejection struct {
	Cause       extractors.Cause `json:"cause"`
	Credentials string           `json:"credentials"`
	At          time.Time        `json:"at"`
}

// An Attempt is a sign-in that has begun.
type Attempt struct {
	Credentials string    `json:"credentials"`
	At          time.Time `json:"at"`
	// Again says that one before it ended without a trace.
	Again bool `json:"again,omitempty"`
}

// An Outcome is how a run ended.
type Outcome struct {
	Run string     `json:"run"`
	Day civil.Date `json:"day"`
	// Began is when it took the clinic's lease, zero in what earlier versions wrote; At is when it ended.
	Began time.Time `json:"began,omitzero"`
	At    time.Time `json:"at"`
	// Cause is empty for a run that landed; `other` for an error without a name.
	Cause extractors.Cause `json:"cause,omitempty"`
	Doing string           `json:"doing,omitempty"`
	Hint  string           `json:"hint,omitempty"`
	// Orders of Of reports were read when it ended.
	Orders int `json:"orders"`
	Of     int `json:"of"`
}

// otherCause stands in an Outcome for an error that has no name.
const otherCause extractors.Cause = "other"

// State is what a clinic's extraction is in, for a person.
type State string

// The states.
const (
	StateOK      State = "ok"
	StatePaused  State = "paused"
	StateRevoked State = "revoked"
	StatePerson  State = "needs a person"
	StateLater   State = "to be tried again"
)

// State says how extraction stands and what to do about it, empty for nothing.
func (h Hold) State() (state State, todo string) {
	switch {
	case h.Paused != nil:
		note := ""
		if h.Paused.Note != "" {
			note = " (" + h.Paused.Note + ")"
		}
		return StatePaused, fmt.Sprintf("paused by %s on %s%s. falloff resume goes on", h.Paused.By, day(h.Paused.At), note)
	case h.Rejected != nil && h.Rejected.Cause == extractors.AccountDeactivated:
		return StateRevoked, fmt.Sprintf("the clinic ended the account's access on %s; nothing signs in again. If that was a mistake, the clinic switches the account on and falloff credentials set takes its password anew", day(h.Rejected.At))
	case h.Rejected != nil:
		return StatePerson, fmt.Sprintf("the portal refused the credentials on %s (%s); nothing signs in with them again. Put them right with falloff credentials set", day(h.Rejected.At), h.Rejected.Cause)
	case (h.Last == nil || h.Last.Cause == "") && h.BuildFailed != nil:
		return StatePerson, fmt.Sprintf("the models could not be built on %s, and the marts of before stay: %s", day(h.BuildFailed.At), h.BuildFailed.Message)
	case h.Last == nil || h.Last.Cause == "":
		return StateOK, ""
	case h.Last.Cause == otherCause || h.Last.Cause == extractors.Paused:
		return StateLater, h.Last.Hint
	case h.Last.Cause.Retryable():
		return StateLater, h.Last.what()
	default:
		return StatePerson, h.Last.what()
	}
}

func (o *Outcome) what() string {
	text := fmt.Sprintf("%s: %s", o.Doing, o.Cause)
	if o.Hint != "" {
		text += ". " + o.Hint
	}
	return text
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

func (s *Site) hold() record[Hold] {
	return recordOf[Hold](s, holdRegister, "keeping the clinic's state")
}

// Hold reads what keeps the clinic from being extracted.
func (s *Site) Hold(ctx context.Context) (Hold, error) {
	h, _, err := s.hold().read(ctx)
	return h, err
}

// Pause stops extraction of the clinic, on every machine, within seconds also where it is at work. changed is false
// where it was paused already.
func (s *Site) Pause(ctx context.Context, by, note string) (changed bool, err error) {
	err = s.hold().change(ctx, func(h *Hold) error {
		if changed = h.Paused == nil; !changed {
			return errAsItIs
		}
		h.Paused = &Pause{By: by, At: s.clock().UTC(), Note: note}
		return nil
	})
	return changed, err
}

// Resume ends a pause. It does not make anybody sign in: the next run does.
func (s *Site) Resume(ctx context.Context) (changed bool, err error) {
	err = s.hold().change(ctx, func(h *Hold) error {
		if changed = h.Paused != nil; !changed {
			return errAsItIs
		}
		h.Paused = nil
		return nil
	})
	return changed, err
}

// refusal is why a run may not sign in with these credentials, nil if it may.
func (h Hold) refusal(credentials string) error {
	state, todo := h.State()
	switch {
	case h.Paused != nil:
		return &extractors.Failure{Cause: extractors.Paused, Doing: "extracting", Hint: "It was " + todo}
	case h.Rejected != nil && h.Rejected.Credentials == credentials:
		return &extractors.Failure{Cause: h.Rejected.Cause, Doing: "signing in", Hint: "Not tried again: " + todo,
			Err: fmt.Errorf("extraction is in the state %q", state)}
	case h.Attempt != nil && h.Attempt.Credentials == credentials && (h.Proven != credentials || h.Attempt.Again):
		// Nobody knows whether the portal refused them. Finding out may be the second try of a wrong password.
		return &extractors.Failure{Cause: extractors.WrongPassword, Doing: "signing in",
			Err:  fmt.Errorf("a sign-in that began on %s ended without a trace, so it is not known whether the portal took the password", day(h.Attempt.At)),
			Hint: "Sign in to the portal by hand to see that the password works, then give it again with falloff credentials set"}
	default:
		return nil
	}
}

// attempting notes that a sign-in is about to begin, before it does: whoever finds the note later knows that these
// credentials may have been refused.
func (s *Site) attempting(ctx context.Context, credentials string) error {
	return s.hold().change(ctx, func(h *Hold) error {
		if err := h.refusal(credentials); err != nil {
			return err
		}
		again := h.Attempt != nil && h.Attempt.Credentials == credentials
		h.Attempt = &Attempt{Credentials: credentials, At: s.clock().UTC(), Again: again}
		return nil
	})
}

// proven notes that the portal took the credentials.
func (s *Site) proven(ctx context.Context, credentials string) error {
	return s.hold().change(ctx, func(h *Hold) error {
		h.Proven, h.Attempt, h.Rejected = credentials, nil, nil
		return nil
	})
}

// ended notes how a run ended. signedIn says whether a sign-in with the credentials was begun.
func (s *Site) ended(ctx context.Context, outcome Outcome, credentials string, begun bool) error {
	return s.hold().change(ctx, func(h *Hold) error {
		h.Last = &outcome
		if !begun {
			return nil
		}
		switch {
		case outcome.Cause.RejectsAccount():
			h.Rejected = &Rejection{Cause: outcome.Cause, Credentials: credentials, At: outcome.At}
			h.Attempt, h.Proven = nil, ""
		case h.Attempt != nil && h.Attempt.Credentials == credentials && outcome.Cause != otherCause && outcome.Cause != extractors.Deadline:
			// It ended for a reason that has a name, and that is not a refusal.
			h.Attempt = nil
		}
		return nil
	})
}

// holdPoll is how often a run looks whether it was paused: a listing each time (docs/scale.md).
const holdPoll = 4 * time.Second

// watchHold ends a run's context when the clinic is paused. It returns with ctx.
func (s *Site) watchHold(ctx context.Context, stop context.CancelCauseFunc) {
	tick := time.NewTicker(holdPoll)
	defer tick.Stop()
	seen := int64(-1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// A lake that cannot be read for a while is not a pause; the run meets it by itself.
		if version, err := s.hold().register.Version(ctx); err != nil || version == seen {
			continue
		}
		h, version, err := s.hold().read(ctx)
		if err != nil {
			continue
		}
		if h.Paused != nil {
			stop(h.refusal(""))
			return
		}
		seen = version
	}
}

// outcomeOf names how a run ended.
func outcomeOf(err error) (cause extractors.Cause, doing, hint string) {
	var failure *extractors.Failure
	switch {
	case err == nil:
		return "", "", ""
	case errors.As(err, &failure):
		return failure.Cause, failure.Doing, failure.Hint
	case errors.Is(err, context.Canceled):
		return otherCause, "", "the last run was interrupted; the next goes on where it stopped"
	default:
		return otherCause, "", "the last run failed: " + err.Error()
	}
}
