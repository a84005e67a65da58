package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A run that takes hours keeps what it has read so far beside the commits, until it can land all of it at once:
//
//	clinic=<id>/staging/<run>/<number>
//
// No commit names such an object and no reader sees one. The lake does not look inside; whoever stages seals first,
// because nothing here says which columns are business and which are not.

var runName = regexp.MustCompile(`^[a-z0-9]{1,64}$`)

const stagedDigits = 6

func (c *Clinic) stagingName(run string, number int) string {
	return c.name(fmt.Sprintf("staging/%s/%0*d", run, stagedDigits, number))
}

// Stage stores a part of a run, create-only. Where the part is there already it returns ErrExists, unless these are its bytes.
func (c *Clinic) Stage(ctx context.Context, run string, number int, sealed []byte) error {
	if !runName.MatchString(run) || number < 1 {
		return fmt.Errorf("stage part %d of run %q: a run is named with a-z and 0-9, parts count from 1", number, run)
	}
	name := c.stagingName(run, number)
	failed := c.store.Create(ctx, name, sealed)
	if failed == nil {
		return nil
	}
	// Perhaps our own attempt, whose answer was lost.
	stored, err := c.awaited(ctx, name, errors.Is(failed, ErrExists))
	if err == nil && bytes.Equal(stored, sealed) {
		return nil
	}
	return fmt.Errorf("stage part %d of a run of clinic %s: %w", number, c.id, failed)
}

// Staged lists the numbers of the parts of a run that are there, in order.
func (c *Clinic) Staged(ctx context.Context, run string) ([]int, error) {
	var out []int
	folder := c.name("staging/" + run + "/")
	for name, err := range c.store.List(ctx, folder, "") {
		if err != nil {
			return nil, fmt.Errorf("list what is staged of clinic %s: %w", c.id, err)
		}
		if n, err := strconv.Atoi(strings.TrimPrefix(name, folder)); err == nil && n > 0 {
			out = append(out, n)
		}
	}
	return out, nil
}

// ReadStaged reads a part.
func (c *Clinic) ReadStaged(ctx context.Context, run string, number int) ([]byte, error) {
	body, err := c.store.Get(ctx, c.stagingName(run, number))
	if err != nil {
		return nil, fmt.Errorf("read what is staged of clinic %s: %w", c.id, err)
	}
	return body, nil
}

// Unstage removes what is staged by every run but one; by all where keep is empty.
func (c *Clinic) Unstage(ctx context.Context, keep string) error {
	return c.unstage(ctx, "", func(name string) bool { return keep == "" || !strings.HasPrefix(name, keep+"/") })
}

// UnstageRun removes what one run has staged.
func (c *Clinic) UnstageRun(ctx context.Context, run string) error {
	return c.unstage(ctx, run+"/", func(string) bool { return true })
}

func (c *Clinic) unstage(ctx context.Context, prefix string, goes func(name string) bool) error {
	folder := c.name("staging/")
	for name, err := range c.store.List(ctx, folder+prefix, "") {
		if err == nil && goes(strings.TrimPrefix(name, folder)) {
			err = c.store.Delete(ctx, name)
		}
		if err != nil {
			return fmt.Errorf("remove what is staged of clinic %s: %w", c.id, err)
		}
	}
	return nil
}
