package lake

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// VerifyOptions say what Verify looks at.
type VerifyOptions struct {
	// Commit is the number of the one commit whose objects are read; 0 is the newest. All reads those of every commit.
	Commit int64
	All    bool
	// KeyName is the name under keys/ of what must be there for keys of a version; nil asks for none.
	KeyName func(version int) string
}

// Finding is one thing that is wrong.
type Finding struct {
	// Commit is the commit that says or needs otherwise.
	Commit int64 `json:"commit"`
	// Object is what is wrong, as a path in the clinic.
	Object string `json:"object"`
	What   string `json:"what"`
}

func (f Finding) String() string { return fmt.Sprintf("commit %d, %s: %s", f.Commit, f.Object, f.What) }

// Verified is what Verify looked at, and what it found.
type Verified struct {
	// Newest is the number of the newest commit.
	Newest int64 `json:"newest"`
	// Commits, Objects, Rows and Bytes count what was read. An object that several commits name is read once.
	Commits int   `json:"commits"`
	Objects int   `json:"objects"`
	Rows    int64 `json:"rows"`
	Bytes   int64 `json:"bytes"`
	// Sealed counts objects that are sealed under a key that was not at hand, and could not be judged.
	Sealed int `json:"sealed,omitempty"`
	// Erased are objects of commits that lost the rows of a patient who was erased; others in their place were read. What the
	// commits say of their rows and totals is not held against those.
	Erased []string `json:"erased_rows,omitempty"`
	// Dropped are commits whose objects were let go on purpose (see GC).
	Dropped  []int64   `json:"dropped,omitempty"`
	Findings []Finding `json:"findings"`
}

// Verify holds a clinic to everything that must be true of it, and names what is not, object by object: commits follow each
// other without a gap; what one of them names is there, has the bytes that its name is the hash of, and the rows, columns
// and money totals that the commit says; a month's rows lie in it, in order; no unit is there twice, or both live and removed;
// covers are in their one form; marts were made from a commit that there is. It changes nothing.
//
// An error means that it could not look: no commit, a store that does not answer a list, an ended context.
func (c *Clinic) Verify(ctx context.Context, o VerifyOptions) (*Verified, error) {
	if c.key == nil {
		return nil, fmt.Errorf("clinic %s was opened without its naming key: its objects cannot be verified", c.id)
	}
	v := &verifier{clinic: c, seen: map[string]*examined{}}
	numbers, err := v.numbers(ctx)
	if err != nil {
		return nil, err
	}
	dropped, err := c.Dropped(ctx)
	if err != nil {
		return nil, err
	}
	v.out.Dropped = dropped
	wanted := []int64{v.out.Newest}
	switch {
	case o.All:
		wanted = numbers
	case o.Commit != 0:
		wanted = []int64{o.Commit}
	}
	commits, err := v.commits(ctx, wanted)
	if err != nil {
		return nil, err
	}
	v.succession(commits)
	var alive []*Commit
	for _, commit := range commits {
		if !slices.Contains(dropped, commit.Number) {
			alive = append(alive, commit)
		}
	}
	if err := v.examineAll(ctx, alive); err != nil {
		return nil, err
	}
	for _, commit := range alive {
		v.judge(commit, numbers)
	}
	if err := v.keys(ctx, commits, o.KeyName); err != nil {
		return nil, err
	}
	slices.SortStableFunc(v.out.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Commit, b.Commit), strings.Compare(a.Object, b.Object))
	})
	slices.Sort(v.out.Erased)
	if v.out.Findings == nil {
		v.out.Findings = []Finding{} // an empty list in JSON, not null
	}
	return &v.out, nil
}

// verifier is one Verify at work.
type verifier struct {
	clinic *Clinic
	mu     sync.Mutex
	out    Verified
	seen   map[string]*examined // by path
}

// examined is an object that was read once.
type examined struct {
	by    int64 // the newest commit that names it
	named Object
	is    Object // what it turned out to be
	ok    bool   // whether it could be read and judged
	// units are the digests of its units, in order.
	units [][16]byte
}

func (v *verifier) findf(commit int64, object, format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.out.Findings = append(v.out.Findings, Finding{commit, object, fmt.Sprintf(format, args...)})
}

// numbers lists the commits there are, and says which are missing among them.
func (v *verifier) numbers(ctx context.Context) ([]int64, error) {
	c := v.clinic
	var numbers []int64
	for name, err := range c.store.List(ctx, c.name("commits/"), "") {
		if err != nil {
			return nil, fmt.Errorf("list the commits of clinic %s: %w", c.id, err)
		}
		if n := commitNumber(strings.TrimPrefix(name, c.name(""))); n > 0 {
			numbers = append(numbers, n)
		}
	}
	if len(numbers) == 0 {
		return nil, fmt.Errorf("clinic %s in %s: %w yet: import reports or run an extraction first", c.id, c.store, ErrNoCommit)
	}
	before := int64(0)
	for _, n := range numbers {
		for missing := before + 1; missing < n && missing <= before+20; missing++ {
			v.findf(missing, commitName(missing), "it is missing, though later commits are there")
		}
		before = n
	}
	v.out.Newest = before
	return numbers, nil
}

func (v *verifier) commits(ctx context.Context, numbers []int64) ([]*Commit, error) {
	commits := make([]*Commit, len(numbers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, n := range numbers {
		group.Go(func() error {
			commit, err := v.clinic.At(ctx, n)
			switch {
			case err == nil:
				commits[i] = commit
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.Is(err, ErrNoCommit) && len(numbers) == 1:
				return err
			default:
				v.findf(n, commitName(n), "%v", err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	commits = slices.DeleteFunc(commits, func(c *Commit) bool { return c == nil })
	v.out.Commits = len(commits)
	return commits, nil
}

// succession compares each commit with the one before it.
func (v *verifier) succession(commits []*Commit) {
	for i := 1; i < len(commits); i++ {
		was, is := commits[i-1], commits[i]
		if is.Parent != was.Number {
			continue // the gap is named already
		}
		if is.AsOf.Before(was.AsOf) {
			v.findf(is.Number, commitName(is.Number), "it speaks about %v, and the commit before it about %v", is.AsOf, was.AsOf)
		}
		if is.PseudonymVersion() < was.PseudonymVersion() {
			v.findf(is.Number, commitName(is.Number), "its pseudonyms have version %d, those of the commit before it %d", is.PseudonymVersion(), was.PseudonymVersion())
		}
		if is.PseudonymVersion() != was.PseudonymVersion() && is.Kind != Rekey {
			v.findf(is.Number, commitName(is.Number), "it brings pseudonyms to version %d and is a %s, not a %s", is.PseudonymVersion(), is.Kind, Rekey)
		}
	}
}

// examineAll reads every object that commits name, once each.
func (v *verifier) examineAll(ctx context.Context, commits []*Commit) error {
	tables := map[string]AnyTable{}
	for _, t := range Tables() {
		tables[t.Name()] = t
	}
	for _, commit := range commits {
		for o := range commit.objects {
			e := v.seen[o.Path]
			if e == nil {
				e = &examined{named: o}
				v.seen[o.Path] = e
			}
			e.by = commit.Number
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, path := range slices.Sorted(maps.Keys(v.seen)) {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			v.examine(ctx, v.seen[path], tables)
			return ctx.Err()
		})
	}
	return group.Wait()
}

func (v *verifier) examine(ctx context.Context, e *examined, tables map[string]AnyTable) {
	o := e.named
	var body []byte
	var is Object
	var err error
	size := o.Bytes
	if o.isTable() {
		is, err = v.clinic.describeSealed(ctx, o)
		o.Path, o.erased = cmp.Or(is.Path, o.Path), is.erased
	} else {
		o, body, err = v.clinic.fetchLying(ctx, o)
		size = int64(len(body))
	}
	switch {
	case ctx.Err() != nil:
		return
	case errors.Is(err, ErrSealed), o.Sealed && errors.Is(err, ErrNotFound) && e.by < v.out.Newest:
		// Nobody here can judge it, or its key and bytes were destroyed on purpose.
		v.mu.Lock()
		v.out.Sealed++
		v.mu.Unlock()
		return
	case errors.Is(err, ErrNotFound):
		v.findf(e.by, o.Path, "it is not there")
		return
	case err != nil:
		v.findf(e.by, o.Path, "%v", err)
		return
	}
	v.mu.Lock()
	v.out.Objects++
	v.out.Rows += o.Rows
	v.out.Bytes += size
	if o.erased {
		v.out.Erased = append(v.out.Erased, e.named.Path)
	}
	v.mu.Unlock()
	e.is = Object{Path: o.Path, Bytes: size, Month: o.Month, Sealed: o.Sealed, erased: o.erased}
	if o.Schema == "" {
		e.ok = true
		return // no Parquet: settings
	}
	if !o.isTable() {
		if is, err = describe(body); err != nil {
			v.findf(e.by, o.Path, "%v", err)
			return
		}
	}
	e.is.Rows, e.is.Schema, e.is.Totals, e.ok = is.Rows, is.Schema, is.Totals, true
	if o.erased {
		v.mu.Lock()
		v.out.Rows += is.Rows - o.Rows
		v.mu.Unlock()
	}
	rest, isData := strings.CutPrefix(o.Path, "data/")
	dataset, rest, _ := strings.Cut(rest, "/")
	switch {
	case isData && strings.HasPrefix(rest, "removed/"):
		e.units, err = buried(body)
	case isData && tables[dataset] != nil:
		e.units, err = tables[dataset].examine(ctx, v.clinic, o, body)
	}
	if err != nil {
		v.findf(e.by, o.Path, "%v", err)
	}
}

// buried are the units of a list of removed ones, in order.
func buried(body []byte) (units [][16]byte, err error) {
	defer recovered(&err)
	f, err := openParquet(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, err
	}
	rows, err := readParquet[removed](f)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		units = append(units, r.Unit)
	}
	if !slices.IsSortedFunc(units, compareUnits) {
		return nil, errors.New("what is removed is not in order")
	}
	return units, nil
}

func compareUnits(a, b [16]byte) int { return slices.Compare(a[:], b[:]) }

// examine says which units a partition holds, or what is wrong with its rows, without saying whose they are.
func (t Table[T]) examine(ctx context.Context, c *Clinic, o Object, body []byte) (units [][16]byte, err error) {
	var rows []T
	if o.isTable() {
		rows, err = t.load(ctx, c, o)
	} else {
		rows, err = t.decode(body)
	}
	if err != nil {
		return nil, err
	}
	last := ""
	for i, r := range rows {
		if err := t.datable(r); err != nil {
			return nil, err
		}
		if is := contract.MonthOf(r.Day()); is != o.Month {
			return nil, fmt.Errorf("row %d belongs to month %s", i, is)
		}
		if i > 0 && (rows[i-1].Day() > r.Day() || rows[i-1].Day() == r.Day() && rows[i-1].Key() >= r.Key()) {
			return nil, fmt.Errorf("row %d is not after the one before it", i)
		}
		if unit := r.Unit(); i == 0 || unit != last {
			units, last = append(units, unitDigest(unit)), unit
		}
	}
	slices.SortFunc(units, compareUnits)
	return units, nil
}

// judge compares what one commit says with what its objects are.
func (v *verifier) judge(commit *Commit, numbers []int64) {
	for o := range commit.objects {
		e := v.seen[o.Path]
		if e.ok && !e.is.erased && (e.is.Bytes != o.Bytes || e.is.Rows != o.Rows || e.is.Schema != o.Schema || !maps.Equal(e.is.Totals, o.Totals)) {
			v.findf(commit.Number, o.Path, "it has %d bytes, %d rows, schema %q, totals %v; the commit says %d, %d, %q, %v",
				e.is.Bytes, e.is.Rows, e.is.Schema, e.is.Totals, o.Bytes, o.Rows, o.Schema, o.Totals)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(commit.Datasets)) {
		d := commit.Datasets[name]
		v.units(commit.Number, name, d)
		if covers := d.coverage(); !slices.Equal(covers.with(covers), covers) {
			v.findf(commit.Number, "data/"+name+"/", "its covers are not in their one form: %v", d.Covers)
		}
	}
	there := func(n int64) bool {
		_, found := slices.BinarySearch(numbers, n)
		return found
	}
	for _, name := range slices.Sorted(maps.Keys(commit.Marts)) {
		if m := commit.Marts[name]; !there(m.Input) {
			v.findf(commit.Number, m.Path, "it is said to be made from commit %d, which is not there", m.Input)
		}
	}
	for _, check := range commit.Checks {
		if check.Input > commit.Number {
			v.findf(commit.Number, commitName(commit.Number), "check %s is said to have looked at commit %d", check.Name, check.Input)
		}
	}
}

// units says which units of a dataset are there twice.
func (v *verifier) units(commit int64, name string, d Dataset) {
	var all [][16]byte
	for _, o := range d.Objects {
		all = append(all, v.seen[o.Path].units...)
	}
	slices.SortFunc(all, compareUnits)
	twice := 0
	for i := 1; i < len(all); i++ {
		if all[i] == all[i-1] {
			twice++
		}
	}
	if twice > 0 {
		v.findf(commit, "data/"+name+"/", "%d of its units are there twice", twice)
	}
	if d.Removed == nil {
		return
	}
	both := 0
	for _, gone := range v.seen[d.Removed.Path].units {
		if _, found := slices.BinarySearchFunc(all, gone, compareUnits); found {
			both++
		}
	}
	if both > 0 {
		v.findf(commit, d.Removed.Path, "%d units are listed as removed, and live", both)
	}
}

// keys asks for what the lake says of the keys that its pseudonyms were made with.
func (v *verifier) keys(ctx context.Context, commits []*Commit, name func(version int) string) error {
	if name == nil {
		return nil
	}
	asked := map[int]bool{}
	for _, commit := range slices.Backward(commits) {
		version := commit.PseudonymVersion()
		if asked[version] {
			continue
		}
		asked[version] = true
		if _, err := v.clinic.Key(ctx, name(version)); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			v.findf(commit.Number, "keys/"+name(version), "what tells its keys from others cannot be read: %v", err)
		}
	}
	return nil
}
