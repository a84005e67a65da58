package pipeline

import (
	"context"
	"encoding/json"
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
	// Unfinished were done by a run of ours that was killed before it could note them.
	Unfinished []AccessedThing `json:"unfinished"`
	// Open counts lines of ours that need not be in the portal's log: they were made after it was taken, as the rest of the
	// visit that took it is, or no answer came to them.
	Open int `json:"open"`
}

// AccessedThing is one line of either log.
type AccessedThing struct {
	At      time.Time          `json:"at"`
	Action  string             `json:"action"`
	Subject string             `json:"subject,omitempty"`
	Window  *extractors.Window `json:"window,omitempty"`
	// unanswered is a line of ours to which no answer came: the portal may have done it or not.
	unanswered bool
}

// sameMoment is how far apart, beyond the clocks' difference, two lines about one thing may be; farthest is the greatest
// difference of clocks that is looked for.
const (
	sameMoment = 2 * time.Minute
	farthest   = time.Hour
)

// activitySource is the checkpoint that says when the activity log was taken that landed last.
const activitySource = "portal_activity"

type activityCheckpoint struct {
	TakenAt time.Time `json:"taken_at"`
}

// reconciling are both logs, and which of their lines count.
type reconciling struct {
	ours, theirs []AccessedThing
	// from and until bound the days, by the portal's clock. Lines beyond them are there for what the two clocks date
	// differently.
	from, until time.Time
	// taken is when the portal's log was taken, by our clock; zero where that is not known.
	taken time.Time
	// killed are what runs had begun that were killed.
	killed []intent
}

// Reconcile matches both logs over some days, both ends included, as they have landed. What is in the portal's log alone,
// from the time of a run of ours that was killed and about what it had begun, is that run's.
func (s *Site) Reconcile(ctx context.Context, w extractors.Window) (*Reconciled, error) {
	head, err := s.Clinic.Head(ctx)
	if err != nil {
		return nil, storage("reading the lake", err)
	}
	_, covered := coveredSince(head.Datasets[contract.PortalActivity].Covers, w)
	if !covered {
		return nil, refused("reconciling "+w.String(), errors.New("the portal's activity log has not been read for all of these days: let falloff run read it, or give --fresh"))
	}
	clinic, err := s.settings(ctx, s.Clinic.Snapshot(head))
	if err != nil {
		return nil, err
	}
	zone, err := clinic.Zone()
	if err != nil {
		return nil, err
	}
	r := reconciling{from: w.From.In(zone), until: w.To.AddDays(1).In(zone)}
	if noted := head.Sources[activitySource]; noted != nil {
		var c activityCheckpoint
		if err := json.Unmarshal(noted, &c); err != nil {
			return nil, storage("reading when the activity log was taken", err)
		}
		r.taken = c.TakenAt
	}
	if err := s.readLogs(ctx, s.Clinic.Snapshot(head), &r); err != nil {
		return nil, err
	}
	if r.killed, err = s.unfinished(ctx); err != nil {
		return nil, err
	}
	out := r.match()
	out.From, out.To = w.From, w.To
	return out, nil
}

// readLogs reads what either log has of the days and a little around them.
func (s *Site) readLogs(ctx context.Context, snapshot *lake.Snapshot, r *reconciling) error {
	first, last := r.from.Add(-farthest-sameMoment).UnixMicro(), r.until.Add(farthest+sameMoment).UnixMicro()
	for row, err := range lake.Rows(ctx, snapshot, lake.AccessLedger) {
		if err != nil {
			return storage("reading the access ledger", err)
		}
		// Of what it refuses the portal notes sign-ins alone.
		if row.At < first || row.At > last || row.Outcome == extractors.AccessRefused && row.Action != contract.Refused {
			continue
		}
		ours := thing(row.At, row.Action, row.Subject, row.RangeFrom, row.RangeTo)
		ours.unanswered = row.Outcome == extractors.AccessUnanswered
		r.ours = append(r.ours, ours)
	}
	for row, err := range lake.Rows(ctx, snapshot, lake.PortalActivity) {
		if err != nil {
			return storage("reading the portal's activity log", err)
		}
		if row.At >= first && row.At <= last {
			r.theirs = append(r.theirs, thing(row.At, row.Action, row.Subject, row.RangeFrom, row.RangeTo))
		}
	}
	return nil
}

func thing(at int64, action, subject string, from, to *int32) AccessedThing {
	t := AccessedThing{At: time.UnixMicro(at).UTC(), Action: action, Subject: subject}
	if from != nil && to != nil {
		t.Window = &extractors.Window{From: contract.DateOf(*from), To: contract.DateOf(*to)}
	}
	return t
}

// alike says whether a line of ours and one of theirs can be about one thing, apart from when. A range counts where both
// logs tell it, and how a sign-in ended where we were told.
func alike(ours, theirs AccessedThing) bool {
	return attempt(ours, theirs.Action) && ours.Subject == theirs.Subject &&
		(ours.Window == nil || theirs.Window == nil || *ours.Window == *theirs.Window)
}

func attempt(ours AccessedThing, action string) bool {
	return ours.Action == action ||
		ours.unanswered && ours.Action == contract.SignedIn && (action == contract.Refused || action == contract.CodeAsked)
}

// match matches the logs, and says of the lines that are left whether they count.
func (r *reconciling) match() *Reconciled {
	byTime := func(a, b AccessedThing) int { return a.At.Compare(b.At) }
	slices.SortStableFunc(r.ours, byTime)
	slices.SortStableFunc(r.theirs, byTime)
	out := &Reconciled{ClockDifference: clockDifference(r.ours, r.theirs), OnlyOurs: []AccessedThing{}, OnlyTheirs: []AccessedThing{}, Unfinished: []AccessedThing{}}
	pairs := pairing{ours: r.ours, theirs: r.theirs, later: out.ClockDifference, partner: make([]int, len(r.theirs)), taken: make([]bool, len(r.ours))}
	for i := range pairs.partner {
		pairs.partner[i] = -1
	}
	// What says the same in every respect first; then what one of the logs says less about.
	pairs.pair(func(a AccessedThing) string { return fmt.Sprint(a.Action, "|", a.Subject, "|", a.Window) })
	pairs.pair(func(a AccessedThing) string {
		if attempt(AccessedThing{Action: contract.SignedIn, unanswered: true}, a.Action) {
			return contract.SignedIn
		}
		return a.Action + "|" + a.Subject
	})
	killed := make([]claimant, len(r.killed))
	for i, k := range r.killed {
		killed[i] = claimant{k, map[string]int{}}
	}
	inside := func(at time.Time) bool { return !at.Before(r.from) && at.Before(r.until) }
	for i, t := range r.theirs {
		switch {
		case !inside(t.At):
		case pairs.partner[i] >= 0:
			out.Matched++
		case slices.ContainsFunc(killed, func(k claimant) bool { return k.claims(t, t.At.Add(-out.ClockDifference)) }):
			out.Unfinished = append(out.Unfinished, t)
		default:
			out.OnlyTheirs = append(out.OnlyTheirs, t)
		}
	}
	for i, o := range r.ours {
		switch {
		case pairs.taken[i] || !inside(o.At.Add(out.ClockDifference)):
		case o.unanswered || !r.taken.IsZero() && !o.At.Before(r.taken):
			out.Open++
		default:
			out.OnlyOurs = append(out.OnlyOurs, o)
		}
	}
	return out
}

// Alarm is the failure that entries only in the portal's log are, nil where there are none.
func (r *Reconciled) Alarm() error {
	if len(r.OnlyTheirs) == 0 {
		return nil
	}
	return &AlarmError{fmt.Sprintf("the portal's log has %s of our account that we did not make: somebody else uses it. Change its password in the portal and with falloff credentials set, and ask who signed in",
		counted(len(r.OnlyTheirs), "line"))}
}

// AlarmError says that something happened that nobody should go on after without a person looking.
type AlarmError struct{ text string }

func (e *AlarmError) Error() string { return e.text }
