package notify

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"time"

	"cloud.google.com/go/civil"
)

// Kind is what an event is about.
type Kind string

// The kinds.
const (
	NewLeaks    Kind = "leaks"
	Falloff     Kind = "falloff"
	StaleData   Kind = "stale_data"
	NeedsPerson Kind = "needs_person"
	Test        Kind = "test"
	// Report goes out with a file, at once, and is in no outbox.
	Report Kind = "report"
)

// FewestSaid is the fewest patients of whom a number is said: who gets messages is not known to the program, so that what it tells
// is suppressed as for anybody who may see aggregates alone.
const FewestSaid = 11

// Event is something that happened at a clinic. Fields that a kind has no use for are empty.
type Event struct {
	Kind   Kind   `json:"kind"`
	Clinic string `json:"clinic"`
	// AsOf is the day that the figures speak about.
	AsOf civil.Date `json:"as_of,omitzero"`
	// About tells events of a kind apart: the week of an alarm, the state that needs a person.
	About string `json:"about,omitempty"`

	// Of NewLeaks: how many there are and what they come to, nil where they are of fewer than FewestSaid patients; and the
	// categories, where that tells of none of fewer. OverCents is what they come to at least in any case.
	Leaks      *LeakCount     `json:"leaks,omitempty"`
	Categories []CategoryLine `json:"categories,omitempty"`
	OverCents  int64          `json:"over_cents,omitempty"`
	Currency   string         `json:"currency,omitempty"`

	// Of Falloff: the first and last day that it is counted in, and how many lapsed and were expected to, nil as above.
	From   civil.Date  `json:"from,omitzero"`
	To     civil.Date  `json:"to,omitzero"`
	Lapses *LapseCount `json:"lapses,omitempty"`

	// Of StaleData: since when nothing is known.
	Since time.Time `json:"since,omitzero"`
	// Of NeedsPerson: how extraction stands, and the name of the failure.
	State string `json:"state,omitempty"`
	Cause string `json:"cause,omitempty"`
	// Of Report: the month that it is about.
	Month string `json:"month,omitempty"`
}

// LeakCount is how many leaks there are, and what they come to.
type LeakCount struct {
	Count int64 `json:"count"`
	Cents int64 `json:"cents"`
}

// CategoryLine is one category of leaks.
type CategoryLine struct {
	Category string `json:"category"`
	LeakCount
}

// LapseCount is how many lapsed, and how many were to be expected.
type LapseCount struct {
	Count    int64   `json:"count"`
	Expected float64 `json:"expected"`
}

// Key tells what an event says from what was said before.
func (e Event) Key() string { return string(e.Kind) + "/" + e.About }

var (
	clinicText = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	wordText   = regexp.MustCompile(`^[a-z0-9][a-z0-9_/ -]{0,60}$`)
	moneyText  = regexp.MustCompile(`^[A-Z]{3}$`)
	monthText  = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}$`)
	pseudonym  = regexp.MustCompile(`p[1-9][0-9]*_[a-z2-7]{8}`)
)

// check refuses an event that holds more than words, counts and days. Its error repeats nothing.
func (e Event) check() error {
	words := []string{e.About, e.State, e.Cause}
	for _, line := range e.Categories {
		words = append(words, line.Category)
	}
	for _, word := range words {
		if word != "" && (!wordText.MatchString(word) || pseudonym.MatchString(word)) {
			return errors.New("an event holds a text that is not a word")
		}
	}
	switch {
	case !slices.Contains([]Kind{NewLeaks, Falloff, StaleData, NeedsPerson, Test, Report}, e.Kind):
		return errors.New("an event is of no kind")
	case !clinicText.MatchString(e.Clinic):
		return errors.New("an event is of no clinic")
	case e.Currency != "" && !moneyText.MatchString(e.Currency):
		return errors.New("an event's currency is none")
	case e.Month != "" && !monthText.MatchString(e.Month):
		return errors.New("an event's month is none: YYYY-MM")
	}
	return nil
}

// TestEvent is what falloff notify test sends.
func TestEvent(clinic string) Event { return Event{Kind: Test, Clinic: clinic} }

// CategoryCount is a category of new leaks before anything is suppressed.
type CategoryCount struct {
	Category string
	Patients int64
	LeakCount
}

// otherCategories stands for those that are too small to be told of, and one that is not, so that they cannot be found by subtraction.
const otherCategories = "other"

// LeaksEvent makes the event of new leaks, of how many patients in all; about is where they were found, such as commit/7. Counts of fewer than FewestSaid patients are left out.
func LeaksEvent(clinic, about string, asOf civil.Date, over int64, currency string, patients int64, categories []CategoryCount) Event {
	e := Event{Kind: NewLeaks, Clinic: clinic, AsOf: asOf, OverCents: over, Currency: currency, About: about}
	if patients < FewestSaid {
		return e
	}
	var all, other LeakCount
	var told []CategoryCount
	for _, c := range categories {
		all.add(c.LeakCount)
		if c.Patients >= FewestSaid {
			told = append(told, c)
		} else {
			other.add(c.LeakCount)
		}
	}
	e.Leaks = &all
	slices.SortFunc(told, func(a, b CategoryCount) int {
		return cmp.Or(cmp.Compare(b.Cents, a.Cents), cmp.Compare(a.Category, b.Category))
	})
	if other.Count > 0 && len(told) > 0 {
		last := told[len(told)-1]
		other.add(last.LeakCount)
		told = told[:len(told)-1]
	}
	for _, c := range told {
		e.Categories = append(e.Categories, CategoryLine{c.Category, c.LeakCount})
	}
	if other.Count > 0 && len(told) > 0 {
		e.Categories = append(e.Categories, CategoryLine{otherCategories, other})
	}
	return e
}

func (c *LeakCount) add(d LeakCount) { c.Count, c.Cents = c.Count+d.Count, c.Cents+d.Cents }

// FalloffEvent makes the event of an alarm; most is the most lapses of one discipline, in which nobody lapses twice.
func FalloffEvent(clinic string, asOf, from, to civil.Date, most, lapses int64, expected float64) Event {
	e := Event{Kind: Falloff, Clinic: clinic, AsOf: asOf, From: from, To: to, About: to.String()}
	if most >= FewestSaid {
		e.Lapses = &LapseCount{lapses, expected}
	}
	return e
}
