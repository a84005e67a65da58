package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Reconciled is our access ledger held against the portal's own log of what our account did, line by line.
type Reconciled struct {
	From civil.Date `json:"from"`
	To   civil.Date `json:"to"`
	// ClockDifference is how much later the portal's clock shows the same thing.
	ClockDifference time.Duration   `json:"clock_difference_ns"`
	Matched         int             `json:"matched"`
	OnlyOurs        []AccessedThing `json:"only_ours"`
	// OnlyTheirs were not done by us: somebody else uses our account.
	OnlyTheirs []AccessedThing `json:"only_theirs"`
}

// AccessedThing is one line of either log.
type AccessedThing struct {
	At      time.Time          `json:"at"`
	Action  string             `json:"action"`
	Subject string             `json:"subject,omitempty"`
	Window  *extractors.Window `json:"window,omitempty"`
}

// sameMoment is how far apart, beyond the clocks' difference, two lines about one thing may be.
const sameMoment = 2 * time.Minute

// Reconcile matches both logs over some days, both ends included, as they have landed.
func (s *Site) Reconcile(ctx context.Context, w extractors.Window) (*Reconciled, error) {
	head, err := s.Clinic.Head(ctx)
	if err != nil {
		return nil, storage("reading the lake", err)
	}
	_, covered := coveredSince(head.Datasets[contract.PortalActivity].Covers, w)
	if !covered {
		return nil, refused("reconciling "+w.String(), errors.New("the portal's activity log has not been read for all of these days: let falloff run read it, or give --fresh"))
	}
	snapshot := s.Clinic.Snapshot(head)
	in := func(day int32) bool { return w.Contains(contract.DateOf(day)) }
	var ours, theirs []AccessedThing
	for row, err := range lake.Rows(ctx, snapshot, lake.AccessLedger) {
		if err != nil {
			return nil, storage("reading the access ledger", err)
		}
		// What was refused is in the portal's log under its own name, and only where it was a sign-in.
		action := row.Action
		if row.Outcome == extractors.AccessRefused {
			if action != contract.SignedIn {
				continue
			}
			action = contract.Refused
		}
		if in(row.OccurredOn) && loggedByPortal(action) {
			ours = append(ours, thing(row.At, action, row.Subject, row.RangeFrom, row.RangeTo))
		}
	}
	for row, err := range lake.Rows(ctx, snapshot, lake.PortalActivity) {
		if err != nil {
			return nil, storage("reading the portal's activity log", err)
		}
		if in(row.OccurredOn) {
			theirs = append(theirs, thing(row.At, row.Action, row.Subject, row.RangeFrom, row.RangeTo))
		}
	}
	out := matchAccess(ours, theirs)
	out.From, out.To = w.From, w.To
	return out, nil
}

// loggedByPortal says of an action of ours whether the portal's log has a word for it.
func loggedByPortal(action string) bool { return slices.Contains(contract.Actions(), action) }

func thing(at int64, action, subject string, from, to *int32) AccessedThing {
	t := AccessedThing{At: time.UnixMicro(at).UTC(), Action: action, Subject: subject}
	if from != nil && to != nil {
		t.Window = &extractors.Window{From: contract.DateOf(*from), To: contract.DateOf(*to)}
	}
	return t
}

// alike says whether two lines can be about one thing, apart from when. A range counts where both logs tell it.
func alike(a, b AccessedThing) bool {
	return a.Action == b.Action && a.Subject == b.Subject && (a.Window == nil || b.Window == nil || *a.Window == *b.Window)
}

// matchAccess matches two logs: lines that are alike, in order, at the same moment by clocks that differ.
func matchAccess(ours, theirs []AccessedThing) *Reconciled {
	byTime := func(a, b AccessedThing) int { return a.At.Compare(b.At) }
	slices.SortStableFunc(ours, byTime)
	slices.SortStableFunc(theirs, byTime)
	out := &Reconciled{ClockDifference: clockDifference(ours, theirs), OnlyOurs: []AccessedThing{}, OnlyTheirs: []AccessedThing{}}
	taken := make([]bool, len(ours))
	for _, t := range theirs {
		at := t.At.Add(-out.ClockDifference)
		first, _ := slices.BinarySearchFunc(ours, at.Add(-sameMoment), func(o AccessedThing, from time.Time) int { return o.At.Compare(from) })
		found := -1
		for i := first; i < len(ours) && !ours[i].At.After(at.Add(sameMoment)); i++ {
			if !taken[i] && alike(ours[i], t) {
				found = i
				break
			}
		}
		if found < 0 {
			out.OnlyTheirs = append(out.OnlyTheirs, t)
			continue
		}
		taken[found] = true
		out.Matched++
	}
	for i, o := range ours {
		if !taken[i] {
			out.OnlyOurs = append(out.OnlyOurs, o)
		}
	}
	return out
}

// clockDifference estimates how much later the portal's clock is: the difference under which most lines meet. Each line
// votes for the differences to those that are alike within an hour.
func clockDifference(ours, theirs []AccessedThing) time.Duration {
	const farthest, grain = time.Hour, time.Second
	votes := map[time.Duration]int{}
	for _, t := range theirs {
		seen := map[time.Duration]bool{}
		first, _ := slices.BinarySearchFunc(ours, t.At.Add(-farthest), func(o AccessedThing, from time.Time) int { return o.At.Compare(from) })
		for i := first; i < len(ours) && !ours[i].At.After(t.At.Add(farthest)); i++ {
			if d := t.At.Sub(ours[i].At).Round(grain); alike(ours[i], t) && !seen[d] {
				seen[d] = true
				votes[d]++
			}
		}
	}
	type candidate struct {
		d     time.Duration
		votes int
	}
	var all []candidate
	for d := range votes {
		// Answers take a moment, differently long each time: neighbours count for each other.
		all = append(all, candidate{d, votes[d-grain] + 2*votes[d] + votes[d+grain]})
	}
	if len(all) == 0 {
		return 0
	}
	return slices.MinFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.votes, a.votes), cmp.Compare(a.d.Abs(), b.d.Abs()), cmp.Compare(a.d, b.d))
	}).d
}

// Alarm is the failure that entries only in the portal's log are, nil where there are none.
func (r *Reconciled) Alarm() error {
	if len(r.OnlyTheirs) == 0 {
		return nil
	}
	return &AlarmError{fmt.Sprintf("the portal's log has %s of our account that we did not make: somebody else uses it. Change its password in the portal and with falloff credentials set, and ask who signed in",
		counted(len(r.OnlyTheirs), "entry"))}
}

// AlarmError says that something happened that nobody should go on after without a person looking.
type AlarmError struct{ text string }

func (e *AlarmError) Error() string { return e.text }
