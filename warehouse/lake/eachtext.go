package lake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// EachText gives every text that stands in the rows of commits whose pseudonyms are of an earlier version than that one, each at
// least once, to a function that is called by one goroutine at a time and says whether it has seen enough.
func (c *Clinic) EachText(ctx context.Context, before int, told func(text string) (enough bool)) error {
	e := &erasing{clinic: c, commits: map[int64]*Commit{}}
	if err := e.survey(ctx); err != nil {
		return fmt.Errorf("read the earlier commits of clinic %s: %w", c.id, err)
	}
	at := map[string]Object{}
	for _, commit := range e.commits {
		if commit.PseudonymVersion() >= before {
			continue
		}
		for _, d := range commit.Datasets {
			for _, o := range d.Objects {
				o, _ = e.redirects.Resolve(o)
				at[o.Path] = o
			}
		}
	}
	var mu sync.Mutex
	enough := false
	s := sought{told: func(text string) bool {
		mu.Lock()
		defer mu.Unlock()
		enough = enough || told(text)
		return enough
	}}
	return e.each(ctx, slices.Sorted(maps.Keys(at)), func(ctx context.Context, path string) error {
		o, body, err := c.asFile(ctx, at[path])
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err == nil {
			_, err = c.holds(ctx, o, body, s)
		}
		return err
	})
}
