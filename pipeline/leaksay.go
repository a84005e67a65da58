package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/normalise"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// LeakSteps marks a commit that landed what people said of leaks. It is a commit of data: the marts show it from the next build on.
const LeakSteps lake.Kind = "leaks"

// mostLeakSteps is how many steps can be said together.
const mostLeakSteps = 1000

// SayLeaks keeps what a person says of leaks: all of it in one commit, or nothing, with a *LeakError in the error's chain that
// says which leak and why. Record is called with what will be kept before it is, and keeps it from happening with an error; it is
// called again where somebody else was quicker and what is to be kept is another thing. Nil records nothing.
//
// The steps are checked against the newest ledger, and appended to what was said before; nothing of that is changed. The marts that
// show the state of a leak show it as of their day D, from the next build on; LeakStates says how it is now.
func (s *Site) SayLeaks(ctx context.Context, person string, steps []LeakStep, record func(ctx context.Context, said []LeakSaid) error) ([]LeakSaid, error) {
	if len(steps) == 0 || len(steps) > mostLeakSteps {
		return nil, refused("", fmt.Errorf("%d leaks are named: name 1 to %d", len(steps), mostLeakSteps))
	}
	steps = slices.Clone(steps)
	for i := range steps {
		if err := steps[i].checkForm(i + 1); err != nil {
			return nil, refused("", err)
		}
		if steps[i].At.IsZero() {
			steps[i].At = s.clock()
		}
		steps[i].At = steps[i].At.UTC().Truncate(time.Microsecond) // as it is kept
	}
	var recorded []LeakSaid
	for {
		said, err := s.sayLeaks(ctx, person, steps, func(said []LeakSaid) error {
			if record == nil || slices.Equal(said, recorded) {
				return nil
			}
			recorded = said
			return record(ctx, said)
		})
		if errors.Is(err, errOvertaken) {
			continue
		}
		return said, err
	}
}

func (s *Site) sayLeaks(ctx context.Context, person string, steps []LeakStep, record func([]LeakSaid) error) ([]LeakSaid, error) {
	head, err := s.Clinic.Head(ctx)
	if err != nil {
		return nil, storage("reading the lake", err)
	}
	if err := s.mayFollow(head); err != nil {
		return nil, err
	}
	if err := s.noErasureBegun(ctx); err != nil {
		return nil, err
	}
	zone, err := s.zoneOf(ctx, head)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(steps))
	for i, step := range steps {
		ids[i] = step.LeakID
	}
	leaks, staff, err := s.leaksAt(ctx, head, ids)
	if err != nil {
		return nil, err
	}
	sayer := &leakSayer{site: s, actor: s.PersonPseudonym(person), person: person, zone: zone, leaks: leaks, staff: staff}
	said := []LeakSaid{}
	for i, step := range steps {
		one, err := sayer.say(i+1, step)
		if err != nil {
			return nil, refused("", err)
		}
		if one != nil {
			said = append(said, *one)
		}
	}
	if len(said) == 0 {
		return said, nil
	}
	if err := record(said); err != nil {
		return nil, err
	}
	_, err = s.Clinic.Update(ctx, LeakSteps, func(ctx context.Context, tx *lake.Tx) error {
		if tx.Head().Number != head.Number {
			return errOvertaken
		}
		_, err := lake.Upsert(ctx, tx, lake.LeakStates, lake.Batch[contract.LeakStep]{Rows: sayer.rows})
		return err
	})
	if errors.Is(err, errOvertaken) {
		return nil, err
	}
	return said, storage("keeping what was said of leaks", err)
}

// leakSayer makes rows of steps, one after the other, so that a step follows on those before it.
type leakSayer struct {
	site          *Site
	actor, person string
	zone          *time.Location
	leaks         map[string]*knownLeak
	staff         []string
	rows          []contract.LeakStep
}

// say adds a step; nil where it was said already.
func (l *leakSayer) say(place int, step LeakStep) (*LeakSaid, error) {
	leak := l.leaks[step.LeakID]
	if leak == nil {
		return nil, &LeakError{Problem: LeakUnknown, Place: place, What: "is in no ledger", Hint: "falloff leaks --format csv prints every leak_id of the newest build"}
	}
	row := contract.LeakStep{
		LeakID: step.LeakID, Sequence: 1, SaidAt: step.At.UnixMicro(), SaidOn: contract.DayOf(civil.DateOf(step.At.In(l.zone))),
		State: cmp.Or(step.State, leak.saidState()), Actor: l.actor, Note: optionalText(step.Note), Patient: optionalText(leak.patient),
	}
	row.ObservedOn = row.SaidOn
	if last := leak.last(); last != nil {
		row.Sequence = last.Sequence + 1
		if row.State != contract.LeakOpen {
			row.Assignee = last.Assignee
		}
	}
	if step.Assignee != "" {
		assignee, err := l.assignee(place, step)
		if err != nil {
			return nil, err
		}
		row.Assignee = &assignee
	}
	if slices.ContainsFunc(leak.said, func(before contract.LeakStep) bool { return repeats(row, before, step) }) {
		return nil, nil //nolint:nilnil // there is nothing to say
	}
	if err := leak.check(place, step); err != nil {
		return nil, err
	}
	from := leak.state()
	leak.said = append(leak.said, row)
	l.rows = append(l.rows, row)
	return &LeakSaid{
		LeakID: row.LeakID, Sequence: row.Sequence, At: step.At, From: from, State: row.State,
		Actor: row.Actor, Assignee: textOf(row.Assignee), Note: textOf(row.Note),
	}, nil
}

// repeats says that a step was kept before: somebody whose answer was lost says it again.
func repeats(row, before contract.LeakStep, step LeakStep) bool {
	return row.SaidAt == before.SaidAt && row.Actor == before.Actor && textOf(row.Note) == textOf(before.Note) &&
		(step.State == "" || row.State == before.State) && (step.Assignee == "" || textOf(row.Assignee) == textOf(before.Assignee))
}

// loginText is how a person's login looks: nothing in it is a sentence. It is kept as a pseudonym all the same.
var loginText = regexp.MustCompile(`^[a-z0-9][a-z0-9._@+-]{0,99}$`)

// assignee is how whoever gets a task is kept: a staff member as the lake shows them, anybody else as a pseudonym.
func (l *leakSayer) assignee(place int, step LeakStep) (string, error) {
	name := normalise.NameKey(step.Assignee)
	hidden := l.site.PersonPseudonym(step.Assignee)
	for _, known := range l.staff {
		if known == hidden || normalise.NameKey(known) == name {
			return known, nil
		}
	}
	if step.Assignee == l.person || loginText.MatchString(step.Assignee) {
		return hidden, nil
	}
	return "", &LeakError{Problem: LeakMalformed, Place: place, What: "is assigned to nobody who is known",
		Hint: "name a staff member as the schedule does, or a person by their login, such as kim or kim@example.org"}
}

// PersonPseudonym is how a person who says something of leaks, or has one as a task, is kept: the audit log has the name.
func (s *Site) PersonPseudonym(person string) string {
	return s.Keys.Pseudonym(identity.Staff, normalise.NameKey(person))
}

// LeakWord is a leak's name as an audit record may have it: its own, where nobody is part of that and it is one word, else its
// category with a keyed hash, which does not look like a pseudonym: the log takes none.
func (s *Site) LeakWord(leakID string) string {
	category := categoryOf(leakID)
	if category != "falloff" && auditWord.MatchString(leakID) && !namesSomebody.MatchString(leakID) {
		return leakID
	}
	_, hash, _ := strings.Cut(s.Keys.Pseudonym(identity.Leak, leakID), "_")
	return category + "/" + hash
}

var (
	// auditWord is narrower than what the audit log takes for a word.
	auditWord = regexp.MustCompile(`^[a-z_]{1,30}/[A-Za-z0-9_.:/+-]{1,60}$`)
	// namesSomebody finds pseudonyms: of an insurer, as a rule.
	namesSomebody = regexp.MustCompile(`p[1-9][0-9]*_`)
)

func optionalText(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func textOf(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
