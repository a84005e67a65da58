package lake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Erase is the kind of the commit that a patient was erased with.
const Erase Kind = "erase"

// PatientErasure says whom to erase from a clinic.
type PatientErasure struct {
	// Texts are the patient's pseudonyms, one for each version of the keys that a commit may be of.
	Texts []string
	// Fence is the number of the commit that an earlier attempt at this erasure made, 0 for none.
	Fence int64
	// Fenced is told of that commit as soon as there is one; nil for nobody.
	Fenced func(ctx context.Context, commit int64) error
	// Frozen says that nothing is committed: all commits, the newest as well, find what is left by redirects. It is for what is no
	// lake of its own, as a backup.
	Frozen bool
	// Progress is told how many objects of how many were looked at; nil for nobody.
	Progress func(done, of int)
}

// PatientErased says what an erasure did in a clinic. Of one that was cut short and gone on with it is what the last attempt did.
type PatientErased struct {
	// Commit is the commit that the erasure made, 0 for none.
	Commit int64 `json:"commit,omitempty"`
	// Snapshots counts the commits that named something of the patient, Searched the objects that were looked into.
	Snapshots int `json:"snapshots"`
	Searched  int `json:"searched"`
	// Objects were rewritten; Unnamed held rows too, were named by no commit, and are gone.
	Objects int `json:"objects"`
	Unnamed int `json:"unnamed,omitempty"`
	// Versions are earlier versions that the store had kept, and that are gone.
	Versions int `json:"versions,omitempty"`
	// Rows are the different rows that went, by dataset; Marts counts those of marts, each as often as it was stored.
	Rows  map[string]int64 `json:"rows"`
	Marts map[string]int64 `json:"mart_rows,omitempty"`
}

// ErasePatient takes a patient out of a clinic: out of every object that any commit names, of those that none does, and of what the
// store keeps of earlier versions. Commits stay as they are. For each object with rows of the patient another is stored without
// them, then a redirect that leads from the one to the other, then a commit that names what the newest one needs, and then the
// object is removed. Called again after it was cut short it goes on.
//
// A writer that read the clinic before the refusal of the patient was made cannot commit after this one did: its number is taken, so
// it plans again and asks again. That is why there is a commit in any case.
func (c *Clinic) ErasePatient(ctx context.Context, o PatientErasure) (*PatientErased, error) {
	if c.key == nil {
		return nil, fmt.Errorf("clinic %s was opened without its naming key: nothing can be rewritten", c.id)
	}
	if len(o.Texts) == 0 || slices.Contains(o.Texts, "") {
		return nil, errors.New("erase a patient: no pseudonym was given")
	}
	e := &erasing{
		clinic: c, o: o, sought: soughtTexts(o.Texts), tables: map[string]AnyTable{}, fence: o.Fence,
		clean: map[string]bool{}, keys: map[string]map[string]bool{}, commits: map[int64]*Commit{}, named: map[int64]bool{},
	}
	for _, t := range Tables() {
		e.tables[t.Name()] = t
	}
	e.out.Rows = map[string]int64{}
	if err := e.run(ctx); err != nil {
		return nil, fmt.Errorf("erase a patient from clinic %s: %w", c.id, err)
	}
	return &e.out, nil
}

// erasing is one ErasePatient at work.
type erasing struct {
	clinic *Clinic
	o      PatientErasure
	sought sought
	tables map[string]AnyTable
	fence  int64

	// commits are all that were read, by number, newest the highest of them.
	commits   map[int64]*Commit
	newest    int64
	redirects Redirects
	// clean are the paths of objects that were looked into and hold nothing, or that were written here.
	clean map[string]bool
	// named are the commits that name something of the patient.
	named map[int64]bool

	mu   sync.Mutex
	keys map[string]map[string]bool // of rows that went, by dataset
	out  PatientErased
}

// errNewer says that somebody has committed since the commits were read.
var errNewer = errors.New("there is a newer commit")

func (e *erasing) run(ctx context.Context) error {
	for {
		if err := e.survey(ctx); err != nil {
			return err
		}
		if err := e.replaceAll(ctx); err != nil {
			return err
		}
		err := e.commit(ctx)
		if errors.Is(err, errNewer) {
			continue
		}
		if err != nil {
			return err
		}
		if err := e.clear(ctx); err != nil {
			return err
		}
		numbers, err := e.numbers(ctx)
		if err != nil {
			return err
		}
		if len(numbers) == 0 || numbers[len(numbers)-1] == e.newest {
			break
		}
	}
	e.out.Snapshots = len(e.named)
	for dataset, keys := range e.keys {
		e.out.Rows[dataset] = int64(len(keys))
	}
	return nil
}

// numbers are those of all commits, of those too whose snapshots were let go.
func (e *erasing) numbers(ctx context.Context) ([]int64, error) {
	c := e.clinic
	var out []int64
	for name, err := range c.store.List(ctx, c.name("commits/"), "") {
		if err != nil {
			return nil, err
		}
		if n := commitNumber(strings.TrimPrefix(name, c.name(""))); n > 0 {
			out = append(out, n)
		}
	}
	return out, nil
}

// survey reads the commits that were not read yet, and the redirects.
func (e *erasing) survey(ctx context.Context) error {
	numbers, err := e.numbers(ctx)
	if err != nil {
		return err
	}
	if e.redirects, err = e.clinic.Redirects(ctx); err != nil {
		return err
	}
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, n := range numbers {
		e.newest = max(e.newest, n)
		if e.commits[n] != nil {
			continue
		}
		group.Go(func() error {
			commit, err := e.clinic.At(reading, n)
			if err != nil {
				return err
			}
			e.mu.Lock()
			defer e.mu.Unlock()
			e.commits[n] = commit
			return nil
		})
	}
	return group.Wait()
}

// replaceAll looks into every object that was not looked into yet, and puts others in the place of those with rows of the patient.
func (e *erasing) replaceAll(ctx context.Context) error {
	at := map[string]Object{}
	by := map[string][]int64{}
	for n, commit := range e.commits {
		for o := range commit.objects {
			o, _ = e.redirects.Resolve(o)
			at[o.Path] = o
			by[o.Path] = append(by[o.Path], n)
		}
	}
	var work []Object
	for _, path := range slices.Sorted(maps.Keys(at)) {
		if !e.clean[path] {
			work = append(work, at[path])
		}
	}
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	done := 0
	for _, o := range work {
		group.Go(func() error {
			to, err := e.replace(working, o)
			if err != nil {
				return err
			}
			e.mu.Lock()
			defer e.mu.Unlock()
			e.clean[o.Path] = true
			if to != "" {
				e.clean[to], e.redirects[o.Path] = true, to
				for _, n := range by[o.Path] {
					e.named[n] = true
				}
			}
			done++
			if e.o.Progress != nil {
				e.o.Progress(done, len(work))
			}
			return nil
		})
	}
	return group.Wait()
}

// replace puts another object in the place of one, if that holds rows of the patient, and says which.
func (e *erasing) replace(ctx context.Context, o Object) (to string, err error) {
	c := e.clinic
	o, body, err := c.asFile(ctx, o)
	if errors.Is(err, ErrNotFound) {
		return "", nil // its snapshot was let go, or it was destroyed on purpose
	}
	if err != nil {
		return "", err
	}
	e.mu.Lock()
	e.out.Searched++
	e.mu.Unlock()
	if holds, err := c.holds(ctx, o, body, e.sought); err != nil || !holds {
		return "", err
	}
	r, err := c.replace(ctx, o, e.tables, e.sought)
	if err != nil {
		return "", err
	}
	if r.removed == 0 || r.Path == o.Path {
		return "", fmt.Errorf("object %s holds a pseudonym of the patient, and no row of it does", o.Path)
	}
	if err := c.putInPlace(ctx, r); err != nil {
		return "", err
	}
	if err := c.redirect(ctx, o.Path, r.Path); err != nil {
		return "", err
	}
	e.count(o, r)
	return r.Path, nil
}

func (e *erasing) count(o Object, r replacement) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.out.Objects++
	folder, rest, _ := strings.Cut(o.Path, "/")
	name, _, _ := strings.Cut(rest, "/")
	if folder == "marts" {
		put(&e.out.Marts, name, e.out.Marts[name]+r.removed)
		return
	}
	for _, key := range r.keys {
		if e.keys[name] == nil {
			e.keys[name] = map[string]bool{}
		}
		e.keys[name][key] = true
	}
}

// asFile is fetchFile, with the object as it lies.
func (c *Clinic) asFile(ctx context.Context, o Object) (Object, []byte, error) {
	if !o.isTable() {
		return c.fetchLying(ctx, o)
	}
	return c.stored(ctx, o)
}

// putInPlace stores what takes another object's place, and reads it back.
func (c *Clinic) putInPlace(ctx context.Context, r replacement) error {
	failed := c.store.Create(ctx, c.name(r.Path), r.stored)
	there := r.Object
	there.erased = true // an earlier attempt may have written it, encrypted anew
	lying, body, err := c.asFile(ctx, there)
	if err == nil && lying.Path != r.Path {
		return nil // it was there, and has been replaced itself
	}
	if err == nil && r.isTable() {
		var is Object
		if is, err = c.describeSealed(ctx, there); err == nil && is.Rows != r.Rows {
			err = fmt.Errorf("object %s of clinic %s is %w: it has %d rows, not %d", r.Path, c.id, ErrDamaged, is.Rows, r.Rows)
		}
	}
	if err != nil {
		return errors.Join(failed, err)
	}
	if errors.Is(failed, ErrExists) {
		// Perhaps nothing has named it until now, and it would be removed for its age.
		if !r.isTable() {
			if body, err = c.reads(r.Object).seal(body); err != nil {
				return err
			}
		}
		return c.store.Replace(ctx, c.name(r.Path), body)
	}
	return nil // whatever the request answered, it is there
}

// commit makes the commit that names what has taken the place of the newest one's objects.
func (e *erasing) commit(ctx context.Context) error {
	if e.o.Frozen || e.newest == 0 {
		return nil
	}
	commit, err := e.clinic.Update(ctx, Erase, func(ctx context.Context, tx *Tx) error {
		if tx.head == nil || tx.head.Number > e.newest {
			return errNewer
		}
		changed, err := e.renew(ctx, tx)
		if err == nil && !changed && e.fence > 0 {
			return ErrUnchanged
		}
		tx.next.Erasures++
		return err
	})
	if err != nil {
		return err
	}
	if commit.Kind != Erase || commit.Number <= e.newest {
		return nil // as it was
	}
	e.commits[commit.Number], e.newest, e.fence, e.out.Commit = commit, commit.Number, commit.Number, commit.Number
	if e.o.Fenced != nil {
		return e.o.Fenced(ctx, commit.Number)
	}
	return nil
}

// NameReplaced makes a commit that names what has taken the place of objects of the newest one, as after a restore of a backup that a
// patient was erased from. Nil where there is nothing of that kind.
func (c *Clinic) NameReplaced(ctx context.Context) (made *Commit, err error) {
	e := &erasing{clinic: c}
	if e.redirects, err = c.Redirects(ctx); err != nil || len(e.redirects) == 0 {
		return nil, err
	}
	changed := false
	commit, err := c.Update(ctx, Erase, func(ctx context.Context, tx *Tx) (err error) {
		if changed, err = e.renew(ctx, tx); err == nil && !changed {
			return ErrUnchanged
		}
		tx.next.Erasures++
		return err
	})
	if err != nil || !changed {
		return nil, err
	}
	return commit, nil
}

// renew names in the commit in the making what has taken the place of objects.
func (e *erasing) renew(ctx context.Context, tx *Tx) (changed bool, err error) {
	for name, d := range tx.head.Datasets {
		next := d
		next.Objects = nil
		for _, was := range d.Objects {
			o, err := e.renewed(ctx, was, &changed)
			if err != nil {
				return false, err
			}
			if o.Rows > 0 {
				next.Objects = append(next.Objects, o)
			}
		}
		put(&tx.next.Datasets, name, next)
	}
	for name, m := range tx.head.Marts {
		next := m
		if next.Object, err = e.renewed(ctx, m.Object, &changed); err != nil {
			return false, err
		}
		put(&tx.next.Marts, name, next)
	}
	return changed, nil
}

// renewed is an object, or what has taken its place with all that a commit says of it.
func (e *erasing) renewed(ctx context.Context, was Object, changed *bool) (Object, error) {
	at, replaced := e.redirects.Resolve(was)
	if !replaced {
		return was, nil
	}
	*changed = true
	return e.clinic.describeAt(ctx, at)
}

// clear removes the objects in whose place others are, those of the patient that no commit names, and earlier versions.
func (e *erasing) clear(ctx context.Context) error {
	c := e.clinic
	live := map[string]bool{}
	for _, commit := range e.commits {
		for o := range commit.objects {
			live[o.Path] = true
		}
	}
	e.redirects.through(live)
	var gone, unnamed []string
	for _, folder := range rowFolders {
		for name, err := range c.store.List(ctx, c.name(folder), "") {
			if err != nil {
				return err
			}
			path := strings.TrimPrefix(name, c.name(""))
			switch _, replaced := e.redirects[path]; {
			case replaced:
				gone = append(gone, path)
			case !live[path] && !e.clean[path]:
				unnamed = append(unnamed, path)
			}
		}
	}
	if err := e.each(ctx, unnamed, func(ctx context.Context, path string) error { return e.dropUnnamed(ctx, path) }); err != nil {
		return err
	}
	if err := e.each(ctx, gone, func(ctx context.Context, path string) error { return e.obliterate(ctx, path) }); err != nil {
		return err
	}
	return e.dropVersions(ctx)
}

// rowFolders hold rows. What runs have staged is not the lake's to look into: it goes as a whole before this.
var rowFolders = []string{"data/", "marts/"}

func (e *erasing) each(ctx context.Context, paths []string, do func(ctx context.Context, path string) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, p := range paths {
		group.Go(func() error { return do(ctx, p) })
	}
	return group.Wait()
}

func (e *erasing) obliterate(ctx context.Context, path string) error {
	earlier, err := e.clinic.obliterate(ctx, path)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.out.Versions += earlier
	return err
}

// dropUnnamed removes an object that no commit names, if it holds rows of the patient: no writer needs it any more.
func (e *erasing) dropUnnamed(ctx context.Context, path string) error {
	holds, err := e.clinic.unnamedHolds(ctx, path, e.sought)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("object %s, which no commit names: %w (falloff lake gc removes such objects in time)", path, err)
	}
	e.mu.Lock()
	e.clean[path] = true
	e.out.Searched++
	if holds {
		e.out.Unnamed++
	}
	e.mu.Unlock()
	if !holds {
		return nil
	}
	return e.obliterate(ctx, path)
}

// unnamedHolds looks into an object of which no commit says under which key it is.
func (c *Clinic) unnamedHolds(ctx context.Context, path string, s sought) (bool, error) {
	if strings.Contains(path, "/removed/") || !strings.HasSuffix(path, parquetEnding) {
		return false, nil // digests
	}
	stored, err := c.store.Get(ctx, c.name(path))
	if err != nil {
		return false, err
	}
	o := Object{Path: path, erased: true}
	magic := string(stored[:min(len(stored), 4)])
	if _, own := c.writes(path); own && magic != "PAR1" {
		body, err := c.reads(Object{Path: path, Sealed: true}).open(stored)
		if err != nil {
			return false, err
		}
		return s.inParquet(body)
	}
	if magic != "PARE" {
		return c.holds(ctx, o, stored, s)
	}
	if c.keys == nil {
		return false, ErrSealed
	}
	for id := range c.keys.byID {
		o.Key = id
		var holds bool
		if holds, err = c.holds(ctx, o, stored, s); err == nil {
			return holds, nil
		}
	}
	return false, err
}

// dropVersions removes what the store keeps of earlier versions of objects with rows: those whose newest version is there have the
// same rows, and the others were removed by us, so that nobody reads them.
func (e *erasing) dropVersions(ctx context.Context) error {
	c := e.clinic
	for _, folder := range slices.Concat(rowFolders, []string{"staging/"}) {
		var earlier []Thing
		if _, versions := c.store.(thorough); versions {
			for t, err := range Everything(ctx, c.store, c.name(folder)) {
				if err != nil {
					return err
				}
				if t.Earlier {
					earlier = append(earlier, t)
				}
			}
		}
		// The marker of a deletion goes after the versions that it hides: without it the newest of them would be there again.
		for _, marker := range []bool{false, true} {
			group, removing := errgroup.WithContext(ctx)
			group.SetLimit(parallel)
			for _, t := range earlier {
				if (t.Bytes == 0) == marker {
					group.Go(func() error { return Remove(removing, c.store, t) })
				}
			}
			if err := group.Wait(); err != nil {
				return err
			}
		}
		e.out.Versions += len(earlier)
	}
	return nil
}
