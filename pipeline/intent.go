package pipeline

import (
	"context"
	"time"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms/contract"
)

// intentRegister keeps what a run is about to do in the portal.
const intentRegister = "intent"

// An intent is noted before something is done in the portal. Lines of the access ledger are kept with the report that they
// are about; of a process that was killed meanwhile the intent is all that is left, and says what of the portal's log is its.
type intent struct {
	Since time.Time `json:"since"`
	// Until is when it had ended at the latest, once another process found it.
	Until time.Time `json:"until,omitzero"`
	// Report and Window are the order that was begun; a look begins none.
	Report string            `json:"report,omitempty"`
	Window extractors.Window `json:"window,omitzero"`
	// Tries counts how often the order was begun, SignIns how often a sign-in may have come with it.
	Tries   int `json:"tries"`
	SignIns int `json:"sign_ins"`
}

// intentRecord is the intent of the process at work, and those of processes that were killed.
type intentRecord struct {
	Now    *intent  `json:"now,omitempty"`
	Killed []intent `json:"killed,omitempty"`
}

// mostKilled bounds how many are remembered, the latest ones; longestOrder how long an order takes of which nobody knows
// when it ended.
const (
	mostKilled   = 500
	longestOrder = time.Hour
)

func (s *Site) intents() record[intentRecord] {
	return recordOf[intentRecord](s, intentRegister, "noting what is begun in the portal")
}

// bury keeps the intent of a process that has ended without a word. before is the lease that it held, if it still did.
func (s *Site) bury(ctx context.Context, before Lease) error {
	return s.intents().change(ctx, func(r *intentRecord) error {
		if r.Now == nil {
			return errAsItIs
		}
		r.Killed = append(r.Killed, r.Now.endedBy(before, s.clock().UTC()))
		r.Killed = r.Killed[max(0, len(r.Killed)-mostKilled):]
		r.Now = nil
		return nil
	})
}

// endedBy is the intent with the latest moment at which its process can have been alive.
func (i intent) endedBy(held Lease, now time.Time) intent {
	i.Until = i.Since.Add(longestOrder)
	if held.Holder != "" {
		i.Until = held.Until
	}
	if now.Before(i.Until) {
		i.Until = now
	}
	return i
}

// intend notes an order before it is begun, or begun again.
func (x *extraction) intend(ctx context.Context, order extractors.Order) error {
	first := !x.intended
	err := x.site.intents().change(ctx, func(r *intentRecord) error {
		if r.Now != nil && r.Now.Report == order.Report && r.Now.Window == order.Window {
			r.Now.Tries++
			r.Now.SignIns++
			return nil
		}
		r.Now = &intent{Since: x.site.clock().UTC(), Report: order.Report, Window: order.Window, Tries: 1}
		if first {
			r.Now.SignIns = 1
		}
		return nil
	})
	x.intended = x.intended || err == nil
	return err
}

// done forgets the intent: what was done is in the ledger.
func (x *extraction) done(ctx context.Context) error {
	if !x.intended {
		return nil
	}
	return x.site.intents().change(ctx, func(r *intentRecord) error {
		if r.Now == nil {
			return errAsItIs
		}
		r.Now = nil
		return nil
	})
}

// unfinished are the intents of processes that were killed, and of one that is not known to live.
func (s *Site) unfinished(ctx context.Context) ([]intent, error) {
	r, _, err := s.intents().read(ctx)
	if err != nil || r.Now == nil {
		return r.Killed, err
	}
	held, _, err := recordOf[Lease](s, leaseRegister, "reading the clinic's lease").read(ctx)
	return append(r.Killed, r.Now.endedBy(held, s.clock().UTC())), err
}

// A claimant says of lines of the portal's log whether a killed process can have made them.
type claimant struct {
	intent

	used map[string]int
}

// clockSlack is how far off the estimated difference of the clocks may be.
const clockSlack = 5 * time.Second

// strangeRanges is how many results of a range that is not its own an order meets, each time it is begun: that of the range
// that the portal remembered, when the report is opened, and that of the portal's own range, when the filters are reset.
const strangeRanges = 2

// claims says whether a line, at its time by our clock, can be the killed process's, and counts it then: it signed in only as
// often as it had begun to, and met other ranges than its order's no more often than it had to.
func (c *claimant) claims(t AccessedThing, at time.Time) bool {
	if at.Before(c.Since.Add(-clockSlack)) || at.After(c.Until.Add(clockSlack)) {
		return false
	}
	atMost := func(what string, n int) bool {
		if c.used[what] >= n {
			return false
		}
		c.used[what]++
		return true
	}
	switch {
	case t.Action == contract.SignedIn, t.Action == contract.CodeAsked:
		return atMost(t.Action, c.SignIns)
	case t.Action == contract.SignedOut:
		return atMost(t.Action, max(1, c.SignIns))
	case t.Action == contract.Opened && t.Subject == contract.SubjectAccount:
		return atMost(t.Action, c.SignIns)
	case t.Action != contract.Ran && t.Action != contract.Opened && t.Action != contract.Exported && t.Action != contract.Previewed && t.Action != contract.Downloaded:
		return false
	case c.Report == "": // a look opens each report once
		return t.Action == contract.Ran && atMost(t.Subject, 1)
	case t.Subject != c.Report:
		return false
	case t.Window == nil || *t.Window == c.Window:
		return true
	default:
		return t.Action == contract.Ran && atMost(t.Action, strangeRanges*c.Tries)
	}
}
