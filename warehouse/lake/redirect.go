package lake

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// An object that held rows of an erased patient is gone, and commits that name it are never changed. In its place stands a
// redirect, created once, whose whole content is the path of the object without those rows:
//
//	clinic=<id>/redirects/<path of the object that is gone>
//
// Who finds an object missing looks there. An object that took another's place may have gone the same way since, so redirects
// form chains. They end: each object on the way has fewer rows than the one before.
const redirectFolder = "redirects/"

// maxRedirect bounds what a redirect is read as: a path. maxChain bounds how many redirects are followed, for damaged ones may
// lead in a circle; an honest chain has one for each erasure.
const (
	maxRedirect = 512
	maxChain    = 100_000
)

// objectPath says of a redirect's content whether it is the path of an object that may stand in another's place.
func objectPath(text string) bool {
	hash, _, _ := strings.Cut(path.Base(text), ".")
	return len(text) <= maxRedirect && ValidName(text) == nil && hashName.MatchString(hash)
}

// redirected is where the rows of an object are that is gone, or ErrNotFound.
func (c *Clinic) redirected(ctx context.Context, from string) (string, error) {
	name := c.name(redirectFolder + from)
	body, err := c.store.Get(ctx, name)
	if err != nil {
		return "", err
	}
	to := string(body)
	if !objectPath(to) || path.Dir(to) != path.Dir(from) {
		return "", fmt.Errorf("redirect %s of clinic %s is %w: it leads to no object of that dataset (restore it from a backup)", redirectFolder+from, c.id, ErrDamaged)
	}
	return to, nil
}

// moved is an object that has taken another's place: what a commit says of the other's bytes, rows and totals is not true of it.
// Its name is that of its content all the same.
func (o Object) moved(to string) Object {
	o.Path, o.erased = to, true
	return o
}

// lying is an object as it lies, with its stored bytes: itself, or what has taken its place.
func (c *Clinic) lying(ctx context.Context, o Object) (Object, []byte, error) {
	for range maxChain {
		stored, missing := c.store.Get(ctx, c.name(o.Path))
		if missing == nil || !errors.Is(missing, ErrNotFound) {
			return o, stored, missing
		}
		to, err := c.redirected(ctx, o.Path)
		if errors.Is(err, ErrNotFound) {
			return o, nil, missing
		}
		if err != nil {
			return o, nil, err
		}
		o = o.moved(to)
	}
	return o, nil, fmt.Errorf("redirects of clinic %s are %w: they lead from %s to another for ever", c.id, ErrDamaged, o.Path)
}

// Redirects are all redirects of a clinic: the path of an object that is gone to that of the one in its place.
func (c *Clinic) Redirects(ctx context.Context) (Redirects, error) {
	var from []string
	folder := c.name(redirectFolder)
	for name, err := range c.store.List(ctx, folder, "") {
		if err != nil {
			return nil, fmt.Errorf("list the redirects of clinic %s: %w", c.id, err)
		}
		from = append(from, strings.TrimPrefix(name, folder))
	}
	out := make(Redirects, len(from))
	var mu sync.Mutex
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, p := range from {
		group.Go(func() error {
			to, err := c.redirected(reading, p)
			if errors.Is(err, ErrNotFound) {
				return nil // it went meanwhile
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			out[p] = to
			return nil
		})
	}
	return out, group.Wait()
}

// Redirects lead from the path of an object that is gone to that of the one in its place.
type Redirects map[string]string

// Resolve is an object as it is found: itself, or the one at the end of the redirects that begin with it. What is said of the
// rows and bytes of one that was replaced is not true of the other.
func (r Redirects) Resolve(o Object) (at Object, replaced bool) {
	for range len(r) {
		to, found := r[o.Path]
		if !found {
			break
		}
		o = o.moved(to)
	}
	return o, o.erased
}

// Replaced are, by the path of an object that is gone, those in their place, with all that a commit says of an object of its own
// but the month. What is sealed or encrypted is left out: this is for what other engines read.
func (c *Clinic) Replaced(ctx context.Context) (map[string]Object, error) {
	redirects, err := c.Redirects(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Object, len(redirects))
	described := map[string]Object{}
	for from := range redirects {
		at, _ := redirects.Resolve(Object{Path: from})
		o, known := described[at.Path]
		if _, own := c.writes(at.Path); own {
			continue
		}
		if !known {
			if o, err = c.describeAt(ctx, at); errors.Is(err, ErrDamaged) || errors.Is(err, ErrNotFound) {
				continue // encrypted, or of commits that were let go
			}
			if err != nil {
				return nil, err
			}
			described[at.Path] = o
		}
		out[from] = o
	}
	return out, nil
}

// describeAt is all that a commit says of an object, read out of the object itself.
func (c *Clinic) describeAt(ctx context.Context, o Object) (Object, error) {
	o, body, err := c.asFile(ctx, o)
	if err != nil {
		return Object{}, err
	}
	var is Object
	if o.isTable() {
		is, err = c.describeSealed(ctx, o)
	} else {
		is, err = describe(body)
	}
	out := Object{
		Path: o.Path, Month: o.Month, Bytes: int64(len(body)), Rows: is.Rows, Sealed: o.Sealed, Key: o.Key, Schema: is.Schema, Totals: is.Totals,
	}
	if out.Key != "" {
		out.Sum = sumOf(body)
	}
	return out, err
}

// through marks everything that can be reached from paths that are live.
func (r Redirects) through(live map[string]bool) {
	for from := range r {
		if !live[from] {
			continue
		}
		for to, found := r[from]; found && !live[to]; to, found = r[to] {
			live[to] = true
		}
	}
}

// redirect puts one object in the place of another. A redirect that is there already stays, for it was made after its object.
func (c *Clinic) redirect(ctx context.Context, from, to string) error {
	name := c.name(redirectFolder + from)
	failed := c.store.Create(ctx, name, []byte(to))
	if failed == nil {
		return nil
	}
	stored, err := c.awaited(ctx, name, errors.Is(failed, ErrExists))
	switch {
	case err == nil && string(stored) == to:
		return nil // our own first attempt
	case err != nil:
		return fmt.Errorf("redirect %s of clinic %s: %w", from, c.id, errors.Join(failed, err))
	}
	other, _, err := c.lying(ctx, Object{Path: string(stored)})
	if err != nil {
		return fmt.Errorf("redirect %s of clinic %s leads to %s, which cannot be read: %w", from, c.id, other.Path, err)
	}
	return nil
}

// obliterate removes an object with every version that the store keeps of it, and says how many earlier ones there were.
func (c *Clinic) obliterate(ctx context.Context, object string) (earlier int, err error) {
	name := c.name(object)
	var all []Thing
	for t, err := range Everything(ctx, c.store, name) {
		if err != nil {
			return 0, err
		}
		if t.Name == name {
			all = append(all, t)
		}
	}
	// The newest goes last: while it is there, whoever is told to go on finds what to do.
	slices.SortStableFunc(all, func(a, b Thing) int {
		switch {
		case a.Earlier == b.Earlier:
			return 0
		case a.Earlier:
			return -1
		}
		return 1
	})
	for _, t := range all {
		if err := Remove(ctx, c.store, t); err != nil {
			return earlier, err
		}
		if t.Earlier {
			earlier++
		}
	}
	return earlier, nil
}
