package backup

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// parallel is how many objects are copied at once: enough to hide the way to S3, few enough to hold in memory.
const parallel = 6

// Options say what to back up.
type Options struct {
	// Snapshot leaves the rows of earlier commits out.
	Snapshot bool
	// Full trusts no earlier backup: everything is read from the lake, and compared with what the backup holds.
	Full bool
	// Region is the clinic's, to be noted.
	Region string
	// Now dates the backup; Writer tells it from another, and is random.
	Now    time.Time
	Writer string
	// Still is asked right before the backup counts, and keeps it from that by an error; nil for nobody.
	Still func(ctx context.Context) error
	// Progress is told how many objects of how many were looked at; nil for nobody.
	Progress func(done, of int)
}

// Taken is what a backup did.
type Taken struct {
	*Manifest
	// Sent counts the objects that were not there yet, SentBytes their bytes in the lake.
	Sent      int
	SentBytes int64
}

// Take backs a clinic up. When it returns nil the backup is whole, durable, and was read back; on an error nothing counts that
// was not whole before, and what was sent is not sent again the next time.
func (p Place) Take(ctx context.Context, from *lake.Clinic, o Options) (*Taken, error) {
	t := &take{Place: p, from: from, o: o, there: map[string]bool{}, sums: map[string]string{}}
	t.out.Manifest = &Manifest{
		Format: manifestFormat, Clinic: p.clinic, CreatedAt: o.Now.UTC(), Writer: o.Writer, Lake: from.Store().String(),
		Region: o.Region, Snapshot: o.Snapshot,
	}
	if err := t.run(ctx); err != nil {
		return nil, fmt.Errorf("back up clinic %s to %s: %w", p.clinic, p.store, err)
	}
	return &t.out, nil
}

// take is one backup at work.
type take struct {
	Place
	from *lake.Clinic
	o    Options
	// last is the newest backup that is there; nil where there is none, or none is trusted.
	last *Manifest
	// there are the objects of the backup, lake the names of the clinic's.
	there map[string]bool
	lake  []string
	// sums are the bytes of encrypted objects, by name, as the newest commit that was looked at speaks of them. One that was let go
	// and made again has its name and other bytes.
	sums map[string]string
	// redirects lead from objects of the lake that are gone to those in their place.
	redirects lake.Redirects
	// known says of immutable objects of the last backup that the lake has the same.
	commitsKnown, auditKnown bool

	mu   sync.Mutex
	done int
	out  Taken
}

func (t *take) run(ctx context.Context) error {
	last, err := t.read(ctx, 0)
	switch {
	case errors.Is(err, ErrNone):
	case err != nil:
		return err
	case !t.o.Full:
		t.last = last
	}
	for name, err := range t.store.List(ctx, t.name(objects), "") {
		if err != nil {
			return err
		}
		t.there[name] = true
	}
	names, err := t.wanted(ctx)
	if err != nil {
		return err
	}
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, name := range names {
		group.Go(func() error { return t.copy(working, name, len(names)) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := t.complete(ctx); err != nil {
		return err
	}
	if t.o.Still != nil {
		if err := t.o.Still(ctx); err != nil {
			return err
		}
	}
	return t.write(ctx, t.out.Manifest)
}

// complete looks once more whether everything is there that the manifest will name: somebody may have pruned older backups.
func (t *take) complete(ctx context.Context) error {
	there := map[string]bool{}
	for name, err := range t.store.List(ctx, t.name(objects), "") {
		if err != nil {
			return err
		}
		there[name] = true
	}
	for _, e := range t.out.Entries {
		if !there[e.Object] {
			return fmt.Errorf("older backups were pruned meanwhile, and %s of this one went with them: back up again, which sends it anew", e.Object)
		}
	}
	return nil
}

// wanted lists the lake's objects that belong to the backup.
func (t *take) wanted(ctx context.Context) ([]string, error) {
	store, prefix := t.from.Store(), lake.Prefix(t.clinic)
	head, err := t.from.Head(ctx)
	if err != nil {
		return nil, err
	}
	t.out.Head = head.Number
	if t.redirects, err = t.from.Redirects(ctx); err != nil {
		return nil, err
	}
	have := map[string]bool{}
	for name, err := range store.List(ctx, prefix, "") {
		if err != nil {
			return nil, err
		}
		have[name] = true
		t.lake = append(t.lake, name)
	}
	if err := t.compareChains(ctx); err != nil {
		return nil, err
	}
	names, err := t.named(ctx, head, have)
	if err != nil {
		return nil, err
	}
	names = append(names, t.beside(prefix)...)
	for _, folder := range []string{"agreements/" + string(t.clinic) + "/", AuditFolder, ServersFolder} {
		for name, err := range store.List(ctx, folder, "") {
			if err != nil {
				return nil, err
			}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// AuditFolder is where a lake's audit log lies.
const AuditFolder = "audit/log/"

// ServersFolder is where the audit chains of its servers lie.
const ServersFolder = "audit/servers/"

// isAudit says whether an object is of what was recorded.
func isAudit(name string) bool {
	return strings.HasPrefix(name, AuditFolder) || strings.HasPrefix(name, ServersFolder)
}

// Named folders hold objects that a commit names. Transient ones hold what is made anew, or belongs to a run that is under way.
var (
	namedFolders     = []string{"data", "marts", "settings", "closings"}
	transientFolders = []string{"staging", "iceberg"}
	// transientRegisters say who is at work, and how far a run has come whose staged reports are not in a backup.
	transientRegisters = []string{"lease", "backup-lease", "extraction"}
)

// beside lists what lies in the clinic's prefix and is named by no commit: keys, registers at their newest values, and whatever a
// later version may keep there.
func (t *take) beside(prefix string) []string {
	newest := map[string]string{}
	var out []string
	for _, name := range t.lake {
		folder, rest, _ := strings.Cut(strings.TrimPrefix(name, prefix), "/")
		switch {
		case slices.Contains(namedFolders, folder), slices.Contains(transientFolders, folder), folder == "commits":
		case folder == "state":
			if register, _, _ := strings.Cut(rest, "/"); !slices.Contains(transientRegisters, register) {
				newest[register] = max(newest[register], name) // the numbers have leading zeros
			}
		default:
			out = append(out, name)
		}
	}
	for _, name := range newest {
		out = append(out, name)
	}
	return out
}

// compareChains finds out whether the lake's history goes on from that in the last backup. Each commit is made on top of the one
// before, and each audit record holds the hash of the one before, so the newest that both have speaks for all before it.
// A lake that was restored to a past moment and went on from there has another history under the same numbers.
func (t *take) compareChains(ctx context.Context) error {
	if t.last == nil {
		return nil
	}
	var newestAudit string
	for _, e := range t.last.Entries {
		if strings.HasPrefix(e.Name, AuditFolder) {
			newestAudit = e.Name
		}
	}
	for _, c := range []struct {
		name  string
		known *bool
	}{
		{lake.Prefix(t.clinic) + lake.CommitName(t.last.Head), &t.commitsKnown},
		{newestAudit, &t.auditKnown},
	} {
		e, found := t.last.find(c.name)
		if !found {
			continue
		}
		body, err := t.from.Store().Get(ctx, c.name)
		if err != nil && !errors.Is(err, lake.ErrNotFound) {
			return err
		}
		*c.known = err == nil && sumOf(body) == e.SHA256
	}
	return nil
}

// named lists the commits, and the objects that they name and the lake has.
func (t *take) named(ctx context.Context, head *lake.Commit, have map[string]bool) ([]string, error) {
	prefix := lake.Prefix(t.clinic)
	var names []string
	missing := map[string]bool{}
	want := func(name string, live bool) error {
		if at, replaced := t.redirects.Resolve(lake.Object{Path: strings.TrimPrefix(name, prefix)}); replaced {
			name = prefix + at.Path
		}
		switch {
		case have[name]:
			names = append(names, name)
		case live:
			return fmt.Errorf("the lake lacks the object %s, which its newest commit names: find out what else is wrong with falloff lake verify, and restore from an earlier backup", name)
		default:
			missing[name] = true
		}
		return nil
	}
	first := int64(1)
	if t.commitsKnown && (!t.last.Snapshot || t.o.Snapshot) {
		first = t.last.Head + 1
		for _, e := range t.last.Entries {
			folder, _, _ := strings.Cut(strings.TrimPrefix(e.Name, prefix), "/")
			if slices.Contains(namedFolders, folder) && !t.o.Snapshot {
				if err := want(e.Name, false); err != nil {
					return nil, err
				}
			}
		}
		for _, name := range t.last.Missing {
			missing[name] = true
		}
	}
	for n := int64(1); n <= head.Number; n++ {
		name := prefix + lake.CommitName(n)
		if !have[name] && n < head.Number && t.isFirst(have, n) {
			continue // the lake was restored from a snapshot, and its history begins later
		}
		names = append(names, name)
		if n < first || t.o.Snapshot || n == head.Number {
			continue
		}
		commit, err := t.from.At(ctx, n)
		if err != nil {
			return nil, err
		}
		for o := range commit.Names() {
			t.sums[prefix+o.Path] = o.Sum
			if err := want(prefix+o.Path, false); err != nil {
				return nil, err
			}
		}
	}
	for o := range head.Names() {
		t.sums[prefix+o.Path] = o.Sum
		if err := want(prefix+o.Path, true); err != nil {
			return nil, err
		}
	}
	for name := range missing {
		if !have[name] {
			t.out.Missing = append(t.out.Missing, name)
		}
	}
	slices.Sort(t.out.Missing)
	return names, nil
}

// isFirst says whether no commit before n is there either.
func (t *take) isFirst(have map[string]bool, n int64) bool {
	for k := int64(1); k < n; k++ {
		if have[lake.Prefix(t.clinic)+lake.CommitName(k)] {
			return false
		}
	}
	return true
}

// copy sees to it that the backup holds one object of the lake.
func (t *take) copy(ctx context.Context, name string, of int) error {
	e, sent, err := t.entry(ctx, name)
	if errors.Is(err, lake.ErrNotFound) && strings.HasPrefix(name, path.Join(lake.Prefix(t.clinic), "state")+"/") {
		return t.step(nil, false, of) // a register went on meanwhile, and the value that counted then is gone
	}
	if err != nil {
		return err
	}
	return t.step(&e, sent, of)
}

func (t *take) step(e *Entry, sent bool, of int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done++
	if e != nil {
		t.out.Entries = append(t.out.Entries, *e)
		if sent {
			t.out.Sent++
			t.out.SentBytes += e.Bytes
		}
	}
	if t.o.Progress != nil {
		t.o.Progress(t.done, of)
	}
	return nil
}

func (t *take) entry(ctx context.Context, name string) (e Entry, sent bool, err error) {
	if t.last != nil && t.immutable(name) {
		if e, found := t.last.find(name); found && t.there[e.Object] && !e.Rewritten && (t.sums[name] == "" || t.sums[name] == e.SHA256) {
			return e, false, nil
		}
	}
	body, err := t.from.Store().Get(ctx, name)
	if err != nil {
		return e, false, err
	}
	e = Entry{Name: name, Bytes: int64(len(body)), SHA256: sumOf(body)}
	e.Object = t.objectName(name, e.SHA256)
	if t.last != nil {
		if known, found := t.last.find(name); found && known == e && t.there[e.Object] {
			return e, false, nil // it was read back when it was sent
		}
	}
	if t.there[e.Object] {
		same, err := t.holds(ctx, e.Object, body)
		if err != nil || same {
			return e, false, err
		}
	}
	return e, true, t.put(ctx, e.Object, body)
}

// immutable says whether an object that has this name now had the same bytes at the last backup.
func (t *take) immutable(name string) bool {
	if isAudit(name) {
		return t.auditKnown
	}
	if strings.HasPrefix(name, "agreements/") {
		return true
	}
	folder, _, _ := strings.Cut(strings.TrimPrefix(name, lake.Prefix(t.clinic)), "/")
	switch folder {
	case "data", "marts", "settings", "closings", "commits":
		return t.commitsKnown
	default:
		return false
	}
}
