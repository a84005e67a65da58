package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// ErrOccupied says that there is something where a clinic is to be restored to.
var ErrOccupied = errors.New("there is something already")

// Barred is the folder, at a lake's root, of what keeps a clinic from being opened: a restore or a deletion that is under way, and a
// deletion that has ended.
const Barred = "barred/"

// RestoringName is the object that says that a clinic is being restored; nobody opens the clinic while it is there.
func RestoringName(clinic lake.ClinicID) string { return Barred + string(clinic) + "/restoring.json" }

// Moment says which commit is to be the newest of the restored clinic: the one of a number, or the newest of a time; of neither
// the backup's newest.
type Moment struct {
	Commit int64
	At     time.Time
}

// Restored is what a restore did.
type Restored struct {
	Clinic lake.ClinicID `json:"clinic"`
	Backup int64         `json:"backup"`
	Commit int64         `json:"commit"`
	// Objects and Bytes count what lies in the lake now and was compared.
	Objects int   `json:"objects"`
	Bytes   int64 `json:"bytes"`
	// OwnAudit says that the lake had an audit log of its own, which stayed.
	OwnAudit bool `json:"own_audit,omitempty"`
}

// restoring is the marker's content: a restore goes on only as what it was begun as.
type restoring struct {
	Writer string `json:"writer"` // of the manifest
	Backup int64  `json:"backup"`
	Commit int64  `json:"commit"`
}

// Restore rebuilds a clinic from a backup; source is the clinic opened over the view. The clinic's prefix must be empty, or hold
// what an earlier attempt at this very restore left. Commits come last and in order, and a marker bars the clinic until all was
// compared: an attempt that was cut short is no clinic, and is gone on with by calling again.
func (v *View) Restore(ctx context.Context, source *lake.Clinic, to lake.Store, when Moment, progress func(done, of int)) (*Restored, error) {
	r := &restore{view: v, to: to, prefix: lake.Prefix(v.Manifest.Clinic), progress: progress}
	r.out.Clinic, r.out.Backup = v.Manifest.Clinic, v.Manifest.Number
	if err := r.run(ctx, source, when); err != nil {
		return nil, fmt.Errorf("restore clinic %s from %s into %s: %w", v.Manifest.Clinic, v, to, err)
	}
	return &r.out, nil
}

type restore struct {
	view     *View
	to       lake.Store
	prefix   string
	progress func(done, of int)
	done     atomic.Int64
	out      Restored
}

func (r *restore) run(ctx context.Context, source *lake.Clinic, when Moment) error {
	commit, err := r.view.pick(ctx, source, when)
	if err != nil {
		return err
	}
	r.out.Commit = commit
	if err := r.begin(ctx, restoring{r.view.Manifest.Writer, r.view.Manifest.Number, commit}); err != nil {
		return err
	}
	commits, objects, beside, err := r.sort(ctx, source, commit)
	if err != nil {
		return err
	}
	expected := map[string]bool{}
	for _, e := range slices.Concat(commits, objects) {
		expected[e.Name] = true
	}
	for name, err := range r.to.List(ctx, r.prefix, "") {
		if err != nil {
			return err
		}
		if !expected[name] {
			return fmt.Errorf("%w at %s, which is not in the backup: something else has written there. Remove it, or restore into another lake", ErrOccupied, name)
		}
	}
	if err := r.audit(ctx, beside); err != nil {
		return err
	}
	if err := r.many(ctx, objects, len(objects)+len(commits)); err != nil {
		return err
	}
	for _, e := range commits { // in order: whoever lists them never sees a gap
		if err := r.one(ctx, e); err != nil {
			return err
		}
		r.step(len(objects) + len(commits))
	}
	for _, e := range slices.Concat(commits, objects) {
		r.out.Objects++
		r.out.Bytes += e.Bytes
	}
	return r.to.Delete(ctx, RestoringName(r.out.Clinic))
}

// pick finds the commit that is to be the newest.
func (v *View) pick(ctx context.Context, source *lake.Clinic, when Moment) (int64, error) {
	head := v.Manifest.Head
	switch {
	case when.Commit > 0:
		if when.Commit > head {
			return 0, fmt.Errorf("%w of commit %d: this one ends with commit %d", ErrNone, when.Commit, head)
		}
		if _, found := v.Manifest.find(lake.Prefix(v.Manifest.Clinic) + lake.CommitName(when.Commit)); !found {
			return 0, fmt.Errorf("%w of commit %d: it begins later", ErrNone, when.Commit)
		}
		return when.Commit, nil
	case when.At.IsZero():
		return head, nil
	}
	for n := head; n > 0; n-- {
		c, err := source.At(ctx, n)
		if errors.Is(err, lake.ErrNoCommit) {
			break
		}
		if err != nil {
			return 0, err
		}
		if !c.CreatedAt.After(when.At) {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%w of a commit from %s or before", ErrNone, when.At.UTC().Format(time.RFC3339))
}

// begin makes sure that the place is free, or this restore's own, and bars it.
func (r *restore) begin(ctx context.Context, mine restoring) error {
	body, err := json.Marshal(mine)
	if err != nil {
		return err
	}
	marker := RestoringName(r.out.Clinic)
	stored, err := r.to.Get(ctx, marker)
	switch {
	case err == nil && bytes.Equal(stored, body):
		return nil
	case err == nil:
		return fmt.Errorf("%w: a restore of another backup or another moment, which was cut short. Go on with that one, or remove everything under %s and then %s", ErrOccupied, r.prefix, marker)
	case !errors.Is(err, lake.ErrNotFound):
		return err
	}
	for name, err := range r.to.List(ctx, r.prefix, "") {
		if err != nil {
			return err
		}
		return fmt.Errorf("%w at %s: a clinic is restored into an empty place only. Restore into another --lake; or, to replace this one, move or delete what is there first", ErrOccupied, name)
	}
	for name, err := range r.to.List(ctx, Barred+string(r.out.Clinic)+"/", "") {
		if err != nil {
			return err
		}
		return fmt.Errorf("%w: %s says that this clinic was deleted from this lake, or is being deleted. Restore into another lake", ErrOccupied, name)
	}
	failed := r.to.Create(ctx, marker, body)
	if failed == nil {
		return nil
	}
	if stored, err := r.to.Get(ctx, marker); err == nil && bytes.Equal(stored, body) {
		return nil // our own first attempt, or somebody else at the same restore, which does no harm
	}
	return failed
}

// sort parts the entries that belong to the moment: commits in order, objects of the clinic, and what lies beside it.
func (r *restore) sort(ctx context.Context, source *lake.Clinic, commit int64) (commits, objects, beside []Entry, err error) {
	m := r.view.Manifest
	var named map[string]bool
	if commit < m.Head {
		if named, err = r.named(ctx, source, commit); err != nil {
			return nil, nil, nil, err
		}
	}
	for _, e := range m.Entries {
		inside, isInside := strings.CutPrefix(e.Name, r.prefix)
		folder, _, _ := strings.Cut(inside, "/")
		n := lake.CommitNumber(inside)
		switch {
		case !isInside:
			beside = append(beside, e)
		case n > commit:
		case n > 0:
			commits = append(commits, e)
		case named != nil && slices.Contains(namedFolders, folder) && !named[e.Name]:
		default:
			objects = append(objects, e)
		}
	}
	return commits, objects, beside, nil
}

// named is what the commits up to one name. That one must be there whole.
func (r *restore) named(ctx context.Context, source *lake.Clinic, commit int64) (map[string]bool, error) {
	named := map[string]bool{}
	redirects, err := source.Redirects(ctx)
	if err != nil {
		return nil, err
	}
	for n := commit; n > 0; n-- {
		c, err := source.At(ctx, n)
		if errors.Is(err, lake.ErrNoCommit) && n < commit {
			break
		}
		if err != nil {
			return nil, err
		}
		for o := range c.Names() {
			o, _ = redirects.Resolve(o)
			name := r.prefix + o.Path
			if _, found := r.view.Manifest.find(name); !found && n == commit {
				return nil, fmt.Errorf("%w of the rows of commit %d: the backup was made without them, or the lake had let them go. Take a later commit, or another backup", ErrNone, commit)
			}
			named[name] = true
		}
	}
	return named, nil
}

func (r *restore) many(ctx context.Context, entries []Entry, of int) error {
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, e := range entries {
		group.Go(func() error {
			if err := r.one(working, e); err != nil {
				return err
			}
			r.step(of)
			return nil
		})
	}
	return group.Wait()
}

func (r *restore) step(of int) {
	if done := int(r.done.Add(1)); r.progress != nil {
		r.progress(done, of)
	}
}

// one restores an object, and compares what the lake gives back with what was backed up.
func (r *restore) one(ctx context.Context, e Entry) error {
	body, err := r.view.Get(ctx, e.Name)
	if err != nil {
		return err
	}
	if err := r.to.Create(ctx, e.Name, body); err != nil && !errors.Is(err, lake.ErrExists) {
		return err
	}
	got, err := r.to.Get(ctx, e.Name)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, body) {
		return fmt.Errorf("%w at %s with other bytes than the backup has", ErrOccupied, e.Name)
	}
	return nil
}

// audit restores agreements, and the audit log where the lake has none of its own.
func (r *restore) audit(ctx context.Context, beside []Entry) error {
	for _, e := range beside {
		err := r.one(ctx, e)
		if errors.Is(err, ErrOccupied) && isAudit(e.Name) {
			// From here on the lake's log says something else: it is another, or it went on.
			r.out.OwnAudit = true
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
