package pipeline

import (
	"context"
	"errors"
	"fmt"
)

// Choices are what a clinic chose of what can be changed from day to day. They lie in the lake, and hold on every machine.
type Choices struct {
	// QuietHours are those in which nothing is read from the portal, HH:MM-HH:MM in the clinic's zone; empty where the clinic chose
	// none, and falloff.yaml of a machine may.
	QuietHours string `json:"quiet_hours,omitempty"`
	// StaleAfterDays is how many days a dataset may be behind before it counts as stale; 0 where the clinic did not choose.
	StaleAfterDays int `json:"stale_after_days,omitempty"`
}

const (
	choicesRegister = "choices"
	// UsuallyStale is for StaleAfterDays where the clinic did not choose: a night that failed is no alarm yet, two are.
	UsuallyStale = 2
	// staleAtMost keeps a slip of the finger from hiding that nothing comes any more.
	staleAtMost = 60
)

// StaleAfter is how many days a dataset may be behind.
func (c Choices) StaleAfter() int {
	if c.StaleAfterDays == 0 {
		return UsuallyStale
	}
	return c.StaleAfterDays
}

// check says what is wrong with choices, and what to write.
func (c Choices) check() error {
	if c.StaleAfterDays < 0 || c.StaleAfterDays > staleAtMost {
		return fmt.Errorf("stale after %d days: give 1 to %d, or 0 for the usual %d", c.StaleAfterDays, staleAtMost, UsuallyStale)
	}
	return nil
}

// Choices reads what the clinic chose.
func (s *Site) Choices(ctx context.Context) (Choices, error) {
	c, _, err := recordOf[Choices](s, choicesRegister, "reading what the clinic chose").read(ctx)
	return c, err
}

// ErrChoice is in the chain of what refuses a choice.
var ErrChoice = errors.New("this cannot be chosen")

// Choose changes what the clinic chose; an error of change refuses it. Record is called with what was and what will be before it holds, and keeps it from that with
// an error; it is not called where nothing changes.
func (s *Site) Choose(ctx context.Context, change func(*Choices) error, record func(before, after Choices) error) error {
	var recorded *Choices
	return recordOf[Choices](s, choicesRegister, "keeping what the clinic chose").change(ctx, func(c *Choices) error {
		before := *c
		err := change(c)
		if err == nil {
			err = c.check()
		}
		if err != nil {
			return refused("", fmt.Errorf("%w: %w", ErrChoice, err))
		}
		if *c == before {
			return errAsItIs
		}
		if recorded != nil && *recorded == before { // another change came between, and this is on record
			return nil
		}
		recorded = &before
		return record(before, *c)
	})
}
