package mutation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/falloff-analytics/falloff/warehouse/models"
)

// Fate is what became of a mutant.
type Fate string

// What can become of one.
const (
	// Stillborn mutants are no SQL that DuckDB takes: they count as none.
	Stillborn Fate = "stillborn"
	// Killed ones were noticed.
	Killed Fate = "killed"
	// Survived ones were not.
	Survived Fate = "survived"
)

// Kind says what sort of a test noticed a mutant.
type Kind string

// The kinds of tests.
const (
	Unit        Kind = "unit test"
	Rule        Kind = "declared rule"
	Second      Kind = "second implementation"
	Independent Kind = "independent program"
	// Building is none: a model could not be made, or its making had no end, which stops every build.
	Building Kind = "failing build"
)

// Case is a test that may notice mutants.
type Case interface {
	// Title is what people call it.
	Title() string
	// Weight says how likely it is to notice the mutant: 0 where the mutant does not reach what it looks at.
	Weight(m Mutant, v *models.Variation) float64
	// Open prepares it, once for all mutants.
	Open(ctx context.Context) (Opened, error)
}

// Opened is a case that mutants are tried on, one after the other.
type Opened interface {
	Try(ctx context.Context, m Mutant, v *models.Variation) (Finding, error)
	Close()
}

// Finding is what a case says of a mutant.
type Finding struct {
	// Noticed is the kind of the test that it failed, empty where it failed none; By names it.
	Noticed Kind
	By      string
	// IsChanged says that some table held other rows than without it, IsSeen that a test looked at such a table.
	IsChanged, IsSeen bool
}

// Outcome is what became of a mutant, and what shows it.
type Outcome struct {
	Mutant

	Fate Fate
	// Kind and By are those of the test that noticed it; By is what DuckDB said of a stillborn one.
	Kind Kind
	By   string
	// Tried counts the cases that ran with it, Changed those of them in which some table held other rows, Seen those in which a test looked
	// at such a table.
	Tried, Changed, Seen int
}

// trial is a mutant on its way through the cases.
type trial struct {
	outcome   *Outcome
	variation *models.Variation
}

// Trials is how mutants are tried.
type Trials struct {
	// Longest is what one case may take with one mutant. What takes longer has no end, as a recursion without its condition, and is noticed;
	// so it must be far more than any case takes with what has one.
	Longest time.Duration
	// Watch hears of each case before it is opened, and of how many mutants nobody has noticed yet: to try them all takes an hour.
	Watch func(next Case, alive int)
}

// Run tries the mutants on the cases that can tell, each until one notices it, and gives their outcomes in the order of the mutants. A
// case is opened once, and before others of its group where it can tell about more mutants; one group comes after the other.
func (r Trials) Run(ctx context.Context, project *models.Project, mutants []Mutant, groups ...[]Case) ([]Outcome, error) {
	outcomes := make([]Outcome, len(mutants))
	var alive []trial
	for i, m := range mutants {
		outcomes[i] = Outcome{Mutant: m, Fate: Survived}
		v, err := project.Vary(m.File, m.Text)
		if err != nil {
			return nil, err
		}
		alive = append(alive, trial{&outcomes[i], v})
	}
	for _, group := range groups {
		rest := slices.Clone(group)
		for len(rest) > 0 && len(alive) > 0 {
			next := mostTelling(rest, alive)
			r.Watch(rest[next], len(alive))
			if err := r.tryAll(ctx, rest[next], alive); err != nil {
				return nil, fmt.Errorf("%s: %w", rest[next].Title(), err)
			}
			rest = slices.Delete(rest, next, next+1)
			alive = slices.DeleteFunc(alive, func(t trial) bool { return t.outcome.Fate != Survived })
		}
	}
	return outcomes, ctx.Err()
}

// mostTelling finds the case that is likely to notice the most mutants.
func mostTelling(cases []Case, alive []trial) int {
	best, most := 0, -1.0
	for i, c := range cases {
		sum := 0.0
		for _, t := range alive {
			sum += c.Weight(t.outcome.Mutant, t.variation)
		}
		if sum > most {
			best, most = i, sum
		}
	}
	return best
}

// tryAll tries the mutants that a case can tell about on it.
func (r Trials) tryAll(ctx context.Context, c Case, alive []trial) error {
	alive = slices.DeleteFunc(slices.Clone(alive), func(t trial) bool { return c.Weight(t.outcome.Mutant, t.variation) == 0 })
	if len(alive) == 0 {
		return nil
	}
	opened, err := c.Open(ctx)
	if err != nil {
		return err
	}
	defer opened.Close()
	for _, t := range alive {
		if err := t.try(ctx, c, opened, r.Longest); err != nil {
			return err
		}
	}
	return nil
}

// try tries a mutant on a case.
func (t trial) try(ctx context.Context, c Case, opened Opened, longest time.Duration) error {
	limited, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	found, err := opened.Try(limited, t.outcome.Mutant, t.variation)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		found, err = Finding{Noticed: Building, By: c.Title() + ": no end"}, nil
	}
	return t.note(ctx, c, found, err)
}

// note writes down what a case said, and passes on an error that is none of the mutant's.
func (t trial) note(ctx context.Context, c Case, found Finding, err error) error {
	o := t.outcome
	o.Tried++
	if found.IsChanged {
		o.Changed++
	}
	if found.IsSeen {
		o.Seen++
	}
	_, isUnmakeable := errors.AsType[*models.Unmakeable](err)
	failure, isDuckDB := errors.AsType[*duckdb.Error](err)
	switch {
	case err == nil && found.Noticed != "":
		o.Fate, o.Kind, o.By = Killed, found.Noticed, found.By
	case err == nil:
	case ctx.Err() != nil || !isDuckDB && !isUnmakeable:
		return fmt.Errorf("%s: %w", o.ID, err)
	case isDuckDB && isRefusal(failure.Type):
		o.Fate, o.By = Stillborn, failure.Msg
	default:
		o.Fate, o.Kind, o.By = Killed, Building, c.Title()
	}
	return nil
}

// isRefusal says that a statement was not understood, rather than that it failed on its rows.
func isRefusal(t duckdb.ErrorType) bool {
	switch t {
	case duckdb.ErrorTypeParser, duckdb.ErrorTypeSyntax, duckdb.ErrorTypeBinder, duckdb.ErrorTypeCatalog, duckdb.ErrorTypeNotImplemented:
		return true
	default:
		return false
	}
}
