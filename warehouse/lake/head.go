package lake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
)

// hintName is the object that says in which commit to begin looking for the newest. It is written after a commit, over the one
// before, and nothing rests on it: it may be missing, stale, damaged or wrong.
const hintName = "commits/hint"

// Head is the newest commit, or ErrNoCommit.
//
// It reads the hint, and asks from there for the numbers that follow: commits have no gaps. With a hint that names the newest
// commit or the one before, that is two rounds of requests, one after the other, whatever the age of the lake. Without
// a hint, or with one that names no commit, the commits are listed.
func (c *Clinic) Head(ctx context.Context) (*Commit, error) {
	commit, err := c.head(ctx)
	if err == nil {
		c.noteErasures(commit)
	}
	return commit, err
}

// noteErasures keeps the greatest count of erasures.
func (c *Clinic) noteErasures(commit *Commit) {
	for known := c.erasures.Load(); commit.Erasures > known && !c.erasures.CompareAndSwap(known, commit.Erasures); known = c.erasures.Load() {
	}
}

func (c *Clinic) head(ctx context.Context) (*Commit, error) {
	if hint := c.hinted(ctx); hint > 0 {
		commit, err := c.newestFrom(ctx, hint, 3)
		if !errors.Is(err, ErrNotFound) {
			return commit, err
		}
	}
	newest := int64(0)
	for name, err := range c.store.List(ctx, c.name("commits/"), "") {
		if err != nil {
			return nil, fmt.Errorf("find the newest commit of clinic %s: %w", c.id, err)
		}
		newest = max(newest, commitNumber(strings.TrimPrefix(name, c.name(""))))
	}
	if newest == 0 {
		return nil, fmt.Errorf("clinic %s in %s: %w yet: import reports or run an extraction first", c.id, c.store, ErrNoCommit)
	}
	if _, err := c.awaited(ctx, c.name(commitName(newest)), true); err != nil {
		return nil, fmt.Errorf("read the newest commit, %d, of clinic %s: %w", newest, c.id, err)
	}
	return c.newestFrom(ctx, newest, 3) // a list may be of a moment ago
}

// hinted is the number that the hint names, 0 where it cannot be had. An error is not told: whatever ails the store shows
// in the next request.
func (c *Clinic) hinted(ctx context.Context) int64 {
	body, err := c.store.Get(ctx, c.name(hintName))
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(string(body), "\n"), 10, 64)
	if err != nil || n < 1 || n > 1<<40 {
		return 0
	}
	return n
}

// hint says where to begin looking. It is made after the commit is visible, and that it fails changes nothing: the next reader
// finds the commit behind the older hint.
func (c *Clinic) hint(ctx context.Context, number int64) {
	_ = c.store.Replace(ctx, c.name(hintName), fmt.Appendf(nil, "%d\n", number))
}

// newestFrom is the newest of the commits that follow one, or that one itself; ErrNotFound if it is not there. It asks in
// one round for that commit, the next, and whether those are there that are 2, 4, … 2^reach further.
func (c *Clinic) newestFrom(ctx context.Context, number int64, reach int) (*Commit, error) {
	bodies := make([][]byte, 2)
	there := make([]bool, reach+2)
	group, asking := errgroup.WithContext(ctx)
	for i := range bodies {
		group.Go(func() error {
			body, err := c.store.Get(asking, c.name(commitName(number+int64(i))))
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			bodies[i], there[i] = body, err == nil
			return err
		})
	}
	ahead := func(i int) int64 { return number + 1<<(i-1) }
	for i := 2; i < len(there); i++ {
		group.Go(func() (err error) {
			there[i], err = c.exists(asking, c.name(commitName(ahead(i))))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("find the newest commit of clinic %s: %w", c.id, err)
	}
	for i := len(there) - 1; i >= 2; i-- {
		if there[i] {
			if i == len(there)-1 {
				reach += 3
			}
			return c.newestFrom(ctx, ahead(i), reach)
		}
	}
	switch {
	case there[1]:
		return c.decode(number+1, bodies[1])
	case there[0]:
		return c.decode(number, bodies[0])
	default:
		return nil, fmt.Errorf("commit %d of clinic %s: %w", number, c.id, ErrNotFound)
	}
}

// exists says whether an object is there, by its first byte.
func (c *Clinic) exists(ctx context.Context, name string) (bool, error) {
	_, err := c.store.GetRange(ctx, name, 0, 1)
	switch {
	case err == nil, errors.Is(err, io.ErrUnexpectedEOF): // an empty object is one
		return true, nil
	case errors.Is(err, ErrNotFound):
		return false, nil
	}
	return false, err
}
