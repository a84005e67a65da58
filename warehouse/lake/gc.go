package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// Grace is how long an object that nothing names stays, unless asked otherwise: longer than a writer needs from its first object
// to its commit, and longer than a reader holds on to a commit.
const Grace = 24 * time.Hour

// GCOptions say what may go.
type GCOptions struct {
	// Grace is how old something must be to go; 0 is the constant of that name.
	Grace time.Duration
	// Keep says which snapshots stay readable; nil is all of them.
	Keep *Retention
	// Pinned says of a commit's number that its snapshot stays whatever Keep says, as those of closed months do.
	Pinned func(number int64) bool
	// DryRun changes nothing and says what would go. Ages are then told by the clinic's clock.
	DryRun bool
}

// Retention says which snapshots stay: the newest commit, the last of each of the newest Daily days that have one, and the last
// of each of the newest Monthly months.
type Retention struct{ Daily, Monthly int }

// DefaultRetention is what stays where somebody asks for snapshots to go and says no more.
var DefaultRetention = Retention{Daily: 35, Monthly: 24}

// Cleared is what went.
type Cleared struct {
	// Commits and Kept count the commits there are, and those whose snapshots stay readable.
	Commits int `json:"commits"`
	Kept    int `json:"kept"`
	// Dropped are the commits whose snapshots were let go, now and earlier.
	Dropped []int64 `json:"dropped,omitempty"`
	// Objects went because no commit that is kept names them, Staged because their run is dead, Scratch because the process
	// that wrote them is, Redirects because nothing leads to them.
	Objects     int      `json:"objects"`
	ObjectNames []string `json:"object_names,omitempty"`
	Staged      int      `json:"staged"`
	Redirects   int      `json:"redirects,omitempty"`
	Scratch     int      `json:"scratch"`
	Bytes       int64    `json:"bytes"`
	// Cached and CachedBytes are what went from this machine's cache.
	Cached       int   `json:"cached"`
	CachedBytes  int64 `json:"cached_bytes"`
	Young        int   `json:"young"` // unnamed as well, and too young to go
	DryRun       bool  `json:"dry_run"`
	GraceSeconds int64 `json:"grace_seconds"`
}

// GC removes what nobody can reach: objects that no kept commit names, what dead runs have staged, and what killed processes
// left half-written. Nothing goes that is younger than the grace.
//
// Without Keep every commit is kept, so no reader can be touched, whichever commit it holds. With Keep the objects of snapshots
// that are let go are removed too, those of a commit that was the newest within the grace never: a reader that takes the
// newest commit, and another one at least once within the grace, always finds what its commit names. Commits themselves
// stay: they are the history, and a number that was used must never be free again.
//
// A writer that meets an unnamed object with the very bytes it is about to write makes it young again before it relies
// on it (see Tx.upload), and its age is looked at once more before each removal.
//
// BUG(lake): between that look and the removal lie some milliseconds, in which a writer can take up an object that is more
// than a grace old. Writers look again right before they commit, which leaves the case of a removal that is on its way for
// longer than a whole run.
func (c *Clinic) GC(ctx context.Context, o GCOptions) (*Cleared, error) {
	if o.Grace == 0 {
		o.Grace = Grace
	}
	g := &collector{clinic: c, o: o, live: map[string]bool{}, cached: map[string]bool{}}
	g.out.DryRun, g.out.GraceSeconds = o.DryRun, int64(o.Grace/time.Second)
	for _, step := range []func(context.Context) error{g.mark, g.sweepObjects, g.sweepRedirects, g.sweepStaging, g.sweepScratch, g.sweepCache} {
		if err := step(ctx); err != nil {
			return &g.out, fmt.Errorf("clear up clinic %s: %w", c.id, err)
		}
	}
	return &g.out, nil
}

// collector is one GC at work.
type collector struct {
	clinic *Clinic
	o      GCOptions
	// before is the moment, by the store's clock, before which things must have been made to go.
	before time.Time
	live   map[string]bool
	cached map[string]bool // the names that live objects have in a cache
	// redirects lead from objects that are gone to those in their place.
	redirects Redirects
	out       Cleared
}

// commitEntry is what GC needs of a commit.
type commitEntry struct {
	number   int64
	created  time.Time // by its writer's clock
	appeared time.Time // by the store's clock
	commit   *Commit
}

// mark finds out what is live, having decided which snapshots are let go and said so in the lake first.
func (g *collector) mark(ctx context.Context) error {
	c := g.clinic
	if err := g.setTime(ctx); err != nil {
		return err
	}
	var entries []*commitEntry
	for e, err := range c.store.Entries(ctx, c.name("commits/"), "") {
		if err != nil {
			return err
		}
		if n := commitNumber(strings.TrimPrefix(e.Name, c.name(""))); n > 0 {
			entries = append(entries, &commitEntry{number: n, appeared: e.Modified})
		}
	}
	// One that a list of a moment ago lacks would make its objects look unnamed. They are younger than the grace; but it costs
	// nothing to ask.
	for n := int64(len(entries)); ; n++ {
		there, err := c.exists(ctx, c.name(commitName(n+1)))
		if err != nil {
			return err
		}
		if !there {
			break
		}
		if n == int64(len(entries)) {
			entries = append(entries, &commitEntry{number: n + 1, appeared: g.before.Add(g.o.Grace)})
		}
	}
	for i, e := range entries {
		if e.number != int64(i+1) {
			return fmt.Errorf("commit %d is missing: what it names is not known, so nothing is removed (restore it from a backup; falloff lake verify says more)", i+1)
		}
	}
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, e := range entries {
		group.Go(func() (err error) {
			e.commit, err = c.At(reading, e.number)
			if err == nil {
				e.created = e.commit.CreatedAt
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("nothing is removed: %w", err)
	}
	for _, e := range entries {
		c.noteErasures(e.commit)
	}
	dropped, err := c.Dropped(ctx)
	if err != nil {
		return err
	}
	for _, n := range g.letGo(entries) {
		if !slices.Contains(dropped, n) {
			if !g.o.DryRun {
				// Said before the first object goes: whoever finds one missing finds out why.
				if err := c.store.Create(ctx, c.name(droppedName(n)), nil); err != nil && !errors.Is(err, ErrExists) {
					return err
				}
			}
			dropped = append(dropped, n)
		}
	}
	slices.Sort(dropped)
	for _, e := range entries {
		if slices.Contains(dropped, e.number) {
			continue
		}
		g.out.Kept++
		for o := range e.commit.objects {
			g.live[o.Path] = true
			g.cached[c.cachedName(o)] = true
		}
	}
	if g.redirects, err = c.Redirects(ctx); err != nil {
		return err
	}
	g.redirects.through(g.live)
	g.out.Commits, g.out.Dropped = len(entries), dropped
	return nil
}

// setTime asks the store what time it is: this machine's clock may be wrong, and the age of objects is by the store's.
func (g *collector) setTime(ctx context.Context) error {
	c := g.clinic
	if g.o.DryRun {
		g.before = c.now().Add(-g.o.Grace)
		return nil
	}
	head, err := c.Head(ctx)
	if err != nil {
		return err
	}
	hint := c.name(hintName)
	if err := c.store.Replace(ctx, hint, fmt.Appendf(nil, "%d\n", head.Number)); err != nil {
		return err
	}
	for e, err := range c.store.Entries(ctx, hint, "") {
		if err != nil {
			return err
		}
		if e.Name == hint {
			g.before = e.Modified.Add(-g.o.Grace)
			return nil
		}
	}
	return fmt.Errorf("%s was written and is not listed", hint)
}

// letGo is the commits whose snapshots are not kept. A commit that was the newest within the grace is.
func (g *collector) letGo(entries []*commitEntry) (numbers []int64) {
	if g.o.Keep == nil {
		return nil
	}
	days, months := map[string]bool{}, map[string]bool{}
	for i, e := range slices.Backward(entries) {
		// Going back in time the first of a day is the last that was made on it.
		day, month := e.created.Format(time.DateOnly), e.created.Format("2006-01")
		stays := i == len(entries)-1 || !entries[i+1].appeared.Before(g.before) || g.o.Pinned != nil && g.o.Pinned(e.number)
		for _, period := range []struct {
			seen map[string]bool
			key  string
			most int
		}{{days, day, g.o.Keep.Daily}, {months, month, g.o.Keep.Monthly}} {
			if !period.seen[period.key] && len(period.seen) < period.most {
				period.seen[period.key] = true
				stays = true
			}
		}
		if !stays {
			numbers = append(numbers, e.number)
		}
	}
	return numbers
}

// collected are the folders whose objects commits name. What else lies under the clinic is not GC's.
var collected = []string{"data/", "marts/", "settings/", "released/", "closings/"}

func (g *collector) sweepObjects(ctx context.Context) error {
	c := g.clinic
	for _, folder := range collected {
		for e, err := range c.store.Entries(ctx, c.name(folder), "") {
			if err != nil {
				return err
			}
			object := strings.TrimPrefix(e.Name, c.name(""))
			hash, _, _ := strings.Cut(path.Base(object), ".")
			switch {
			case !hashName.MatchString(hash) || g.live[object]: // another's, or live
			case !e.Modified.Before(g.before):
				g.out.Young++
			default:
				gone, err := g.remove(ctx, e)
				if err != nil {
					return err
				}
				if gone {
					g.out.Objects++
					g.out.ObjectNames = append(g.out.ObjectNames, object)
				}
			}
		}
	}
	return nil
}

// sweepRedirects removes those that begin where no commit that is kept leads to.
func (g *collector) sweepRedirects(ctx context.Context) error {
	c := g.clinic
	for e, err := range c.store.Entries(ctx, c.name(redirectFolder), "") {
		if err != nil {
			return err
		}
		from := strings.TrimPrefix(e.Name, c.name(redirectFolder))
		if _, known := g.redirects[from]; !known || g.live[from] || !e.Modified.Before(g.before) {
			continue
		}
		gone, err := g.remove(ctx, e)
		if err != nil {
			return err
		}
		if gone {
			g.out.Redirects++
		}
	}
	return nil
}

// remove deletes an object, unless it was made young again since it was listed.
func (g *collector) remove(ctx context.Context, listed Entry) (gone bool, err error) {
	if g.o.DryRun {
		g.out.Bytes += listed.Bytes
		return true, nil
	}
	for now, err := range g.clinic.store.Entries(ctx, listed.Name, "") {
		if err != nil {
			return false, err
		}
		if now.Name != listed.Name {
			continue
		}
		if !now.Modified.Before(g.before) {
			g.out.Young++
			return false, nil
		}
		if err := g.clinic.store.Delete(ctx, listed.Name); err != nil {
			return false, err
		}
		g.out.Bytes += listed.Bytes
		return true, nil
	}
	return false, nil
}

// sweepStaging removes what runs have staged whose newest part is older than the grace: a run is resumed on its own day only.
func (g *collector) sweepStaging(ctx context.Context) error {
	c := g.clinic
	runs := map[string][]Entry{}
	for e, err := range c.store.Entries(ctx, c.name("staging/"), "") {
		if err != nil {
			return err
		}
		run, _, _ := strings.Cut(strings.TrimPrefix(e.Name, c.name("staging/")), "/")
		runs[run] = append(runs[run], e)
	}
	for _, parts := range runs {
		newest := slices.MaxFunc(parts, func(a, b Entry) int { return a.Modified.Compare(b.Modified) })
		if !newest.Modified.Before(g.before) {
			continue
		}
		for _, part := range parts {
			gone, err := g.remove(ctx, part)
			if err != nil {
				return err
			}
			if gone {
				g.out.Staged++
			}
		}
	}
	return nil
}

// sweepScratch removes what killed processes left in a store that has such a place.
func (g *collector) sweepScratch(ctx context.Context) error {
	store, ok := g.clinic.store.(interface {
		SweepScratch(ctx context.Context, before time.Time, dry bool) (files int, bytes int64, err error)
	})
	if !ok {
		return nil
	}
	files, bytes, err := store.SweepScratch(ctx, g.before, g.o.DryRun)
	g.out.Scratch += files
	g.out.Bytes += bytes
	return err
}

// A dropped commit is one whose snapshot was let go: the commit stays, with an empty object beside it that says so.
func droppedName(number int64) string { return fmt.Sprintf("dropped/%0*d", commitDigits, number) }

// Dropped are the numbers of the commits whose snapshots were let go, in order.
func (c *Clinic) Dropped(ctx context.Context) ([]int64, error) {
	var numbers []int64
	folder := c.name("dropped/")
	for name, err := range c.store.List(ctx, folder, "") {
		if err != nil {
			return nil, fmt.Errorf("list the snapshots of clinic %s that were let go: %w", c.id, err)
		}
		if n, err := strconv.ParseInt(strings.TrimPrefix(name, folder), 10, 64); err == nil && n > 0 {
			numbers = append(numbers, n)
		}
	}
	slices.SortFunc(numbers, cmp.Compare[int64])
	return numbers, nil
}
