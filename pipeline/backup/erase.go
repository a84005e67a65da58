package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Erased says what the erasure of a patient did in a store of backups.
type Erased struct {
	// Backups were looked into, Rewritten of them changed.
	Backups   int `json:"backups"`
	Rewritten int `json:"rewritten"`
	// Objects were rewritten, in all of them; Removed sealed objects are gone, with Versions that the store had kept.
	Objects  int `json:"objects"`
	Removed  int `json:"removed"`
	Versions int `json:"versions,omitempty"`
	// Proven counts the objects that were read again at the end.
	Proven int `json:"searched_again"`
}

// Views are all backups of the clinic, the oldest first.
func (p Place) Views(ctx context.Context) ([]*View, error) {
	all, err := p.List(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]*View, len(all))
	for i, m := range all {
		out[i] = &View{p, m}
	}
	return out, nil
}

// Over opens a clinic in a store that shows a backup of it.
type Over func(ctx context.Context, store lake.Store) (*lake.Clinic, error)

// ErasePatient erases a patient, known by texts, from every backup. Each is rewritten as its lake is: what held rows of the patient is
// replaced, redirects lead there, and the refusals go in. A backup's manifest is then replaced, after a list of the objects that it
// needs no more; those are removed with every version. Called again after it was cut short it goes on.
func (p Place) ErasePatient(ctx context.Context, texts, refusals []string, over Over, progress func(done, of int)) (*Erased, error) {
	out := &Erased{}
	fail := func(err error) (*Erased, error) {
		return nil, fmt.Errorf("erase a patient from the backups of clinic %s in %s: %w", p.clinic, p.store, err)
	}
	if err := p.removeListed(ctx, out); err != nil { // of an attempt that was cut short
		return fail(err)
	}
	numbers, err := p.numbers(ctx)
	if err != nil {
		return fail(err)
	}
	for _, n := range numbers {
		if err := p.eraseFrom(ctx, n, texts, refusals, over, progress, out); err != nil {
			return fail(err)
		}
	}
	for _, n := range numbers {
		view, err := p.Open(ctx, n)
		if err != nil {
			return fail(err)
		}
		clinic, err := over(ctx, view)
		if err != nil {
			return fail(err)
		}
		searched, err := clinic.ProveErased(ctx, texts)
		if err != nil {
			return fail(err)
		}
		out.Proven += searched
	}
	return out, nil
}

// eraseFrom erases from one backup.
func (p Place) eraseFrom(ctx context.Context, number int64, texts, refusals []string, over Over, progress func(done, of int), out *Erased) error {
	m, err := p.read(ctx, number)
	if err != nil {
		return err
	}
	r := &rewriting{View: &View{p, m}, dropped: map[string]bool{}}
	clinic, err := over(ctx, r)
	if err != nil {
		return err
	}
	done, err := clinic.ErasePatient(ctx, lake.PatientErasure{Texts: texts, Frozen: true, Progress: progress})
	if err != nil {
		return err
	}
	out.Backups++
	out.Objects += done.Objects
	for _, hash := range refusals {
		if err := clinic.Refuse(ctx, hash); err != nil {
			return err
		}
	}
	if !r.changed {
		return nil
	}
	out.Rewritten++
	if err := p.list(ctx, r.dropped); err != nil {
		return err
	}
	if err := p.rewrite(ctx, m); err != nil {
		return err
	}
	return p.removeListed(ctx, out)
}

// erasing holds lists of sealed objects that go once no backup needs them.
const erasing = "erasing/"

// list keeps which objects go.
func (p Place) list(ctx context.Context, objects map[string]bool) error {
	body, err := json.Marshal(slices.Sorted(maps.Keys(objects)))
	if err != nil {
		return err
	}
	return p.put(ctx, p.name(erasing+sumOf(body)), body)
}

// removeListed removes listed objects that no backup needs, and the lists.
func (p Place) removeListed(ctx context.Context, out *Erased) error {
	var lists []string
	for name, err := range p.store.List(ctx, p.name(erasing), "") {
		if err != nil {
			return err
		}
		lists = append(lists, name)
	}
	if len(lists) == 0 {
		return nil
	}
	needed := map[string]bool{}
	all, err := p.List(ctx)
	if err != nil {
		return err
	}
	for _, m := range all {
		for _, e := range m.Entries {
			needed[e.Object] = true
		}
	}
	for _, list := range lists {
		body, err := p.open(ctx, list)
		if err != nil {
			return err
		}
		var objects []string
		if err := json.Unmarshal(body, &objects); err != nil {
			return fmt.Errorf("%s: %w", list, err)
		}
		waits := false
		for _, name := range objects {
			if needed[name] {
				waits = true // another backup has not been rewritten yet
				continue
			}
			removed, versions, err := p.obliterate(ctx, name, true)
			if err != nil {
				return err
			}
			out.Removed, out.Versions = out.Removed+removed, out.Versions+versions
		}
		if waits {
			continue
		}
		if _, _, err := p.obliterate(ctx, list, true); err != nil {
			return err
		}
	}
	return nil
}

// obliterate removes all versions of an object, or all but the newest.
func (p Place) obliterate(ctx context.Context, name string, newest bool) (removed, versions int, err error) {
	var all []lake.Thing
	for t, err := range lake.Everything(ctx, p.store, name) {
		if err != nil {
			return 0, 0, err
		}
		if t.Name == name && (newest || t.Earlier) {
			all = append(all, t)
		}
	}
	slices.SortStableFunc(all, func(a, b lake.Thing) int {
		switch {
		case a.Earlier == b.Earlier:
			return 0
		case a.Earlier:
			return -1
		}
		return 1
	})
	for _, t := range all {
		if err := lake.Remove(ctx, p.store, t); err != nil {
			return removed, versions, err
		}
		if t.Earlier {
			versions++
		} else {
			removed++
		}
	}
	return removed, versions, nil
}

// rewrite puts a manifest in the place of the one of its number.
func (p Place) rewrite(ctx context.Context, m *Manifest) error {
	name, sealed, err := p.sealManifest(m)
	if err != nil {
		return err
	}
	failed := p.store.Replace(ctx, name, sealed)
	stored, err := p.store.Get(ctx, name)
	if err != nil || !bytes.Equal(stored, sealed) {
		return fmt.Errorf("the manifest %s is not there as it was written: %w", name, errors.Join(failed, err, ErrDamaged))
	}
	_, _, err = p.obliterate(ctx, name, false)
	return err
}

// rewriting is a view that can be written to: what is written lies in the store at once, and counts when the manifest does.
type rewriting struct {
	*View

	mu      sync.RWMutex
	dropped map[string]bool // sealed objects
	changed bool
}

var _ lake.Store = (*rewriting)(nil)

func (r *rewriting) Get(ctx context.Context, name string) ([]byte, error) {
	return r.now().Get(ctx, name)
}

// now is the view as it stands.
func (r *rewriting) now() *View {
	r.mu.RLock()
	defer r.mu.RUnlock()
	m := *r.Manifest
	return &View{r.place, &m}
}

func (r *rewriting) GetRange(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	return r.now().GetRange(ctx, name, offset, length)
}

func (r *rewriting) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return r.now().List(ctx, prefix, after)
}

func (r *rewriting) Entries(ctx context.Context, prefix, after string) iter.Seq2[lake.Entry, error] {
	return r.now().Entries(ctx, prefix, after)
}

func (r *rewriting) Create(ctx context.Context, name string, body []byte) error {
	if err := lake.ValidName(name); err != nil {
		return err
	}
	if _, there := r.now().Manifest.find(name); there {
		return r.fail("create", name, lake.ErrExists)
	}
	return r.Replace(ctx, name, body)
}

func (r *rewriting) Replace(ctx context.Context, name string, body []byte) error {
	e := Entry{Name: name, Bytes: int64(len(body)), SHA256: sumOf(body), Rewritten: true}
	e.Object = r.place.objectName(name, e.SHA256)
	if err := r.place.put(ctx, e.Object, body); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// A view of before goes on with the entries of before.
	entries := slices.Clone(r.Manifest.Entries)
	at, found := slices.BinarySearchFunc(entries, name, func(e Entry, name string) int { return strings.Compare(e.Name, name) })
	switch {
	case found && entries[at] == e:
		return nil
	case found:
		r.dropped[entries[at].Object] = true
		entries[at] = e
	default:
		entries = slices.Insert(entries, at, e)
	}
	delete(r.dropped, e.Object)
	r.Manifest.Entries, r.changed = entries, true
	return nil
}

func (r *rewriting) Delete(_ context.Context, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, found := slices.BinarySearchFunc(r.Manifest.Entries, name, func(e Entry, name string) int { return strings.Compare(e.Name, name) })
	if !found {
		return nil
	}
	r.dropped[r.Manifest.Entries[at].Object] = true
	r.Manifest.Entries, r.changed = slices.Delete(slices.Clone(r.Manifest.Entries), at, at+1), true
	return nil
}
