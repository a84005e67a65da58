package deletion

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/falloff-analytics/falloff/pipeline/backup"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// ErrNothing says that there is nothing to delete.
var ErrNothing = errors.New("there is nothing of the clinic")

// Keys are the vault, as far as a deletion needs it.
type Keys interface {
	// Sample seals something under the clinic's keys, to be tried after they are gone.
	Sample(ctx context.Context) (sealed []byte, err error)
	// Opens says whether any key that is left opens a sample, or an object of the clinic's backups.
	Opens(ctx context.Context, sealed []byte) (bool, error)
	OpensBackup(ctx context.Context, name string, sealed []byte) (bool, error)
	// OpensCommit says so of an encrypted commit of the lake.
	OpensCommit(ctx context.Context, number int64, sealed []byte) (bool, error)
	// Known says whether there is any key of the clinic, Destroy destroys all.
	Known(ctx context.Context) (bool, error)
	Destroy(ctx context.Context) error
	// Sign signs, and gives the public key too.
	Sign(ctx context.Context, text []byte) (signature, public []byte, err error)
}

// KMS schedules the deletion of a clinic's key in AWS KMS and gives the date.
type KMS func(ctx context.Context) (key string, date time.Time, err error)

// Job is one deletion.
type Job struct {
	Clinic lake.ClinicID
	Lake   lake.Store
	// Backups are by location, as the record keeps them.
	Backups map[string]lake.Store
	// Local are files of this machine that belong to the clinic.
	Local []string
	// ForgetCached clears this machine's cache of the clinic, and says what there was; nil where there is none.
	ForgetCached func() (objects int, bytes int64, err error)
	Keys         Keys
	// KMS is nil where no key is to be scheduled.
	KMS KMS
	// By is who asked for it.
	By  string
	Now func() time.Time
	// Record makes an audit record; begun says of which: of the beginning, or of the end with the certificate's hash.
	Record func(ctx context.Context, id string, ended *Certificate, sha256 string) error
	// Wait is called where a file that somebody may be writing must grow old first.
	Wait func(ctx context.Context) error
	// Progress is told of things removed; nil for nobody.
	Progress func(done, of int)
}

// record is deletion.json.
type record struct {
	ID        string         `json:"id"`
	Clinic    lake.ClinicID  `json:"clinic"`
	StartedAt time.Time      `json:"started_at"`
	By        string         `json:"by"`
	Backups   []string       `json:"backups,omitempty"`
	Stores    []StoreDeleted `json:"stores"`
	Samples   []sample       `json:"samples"`
}

// sample is sealed bytes kept aside, to be tried at the end.
type sample struct {
	Of     string `json:"of"`
	Name   string `json:"name,omitempty"`
	Sealed []byte `json:"sealed"`
	// Commit is the number of an encrypted commit, 0 of another sample.
	Commit int64 `json:"commit,omitempty"`
}

// RecordName is the object that says that a clinic is being deleted.
func RecordName(clinic lake.ClinicID) string {
	return backup.Barred + string(clinic) + "/deletion.json"
}

// EndedName is the object that says that a clinic was deleted.
func EndedName(clinic lake.ClinicID) string { return backup.Barred + string(clinic) + "/deleted.json" }

// CertificateName is the certificate of a deletion.
func CertificateName(clinic lake.ClinicID, id string) string {
	return "deletions/" + string(clinic) + "/" + id + ".json"
}

// Pending gives the backups that a deletion under way names, and whether there is one.
func Pending(ctx context.Context, store lake.Store, clinic lake.ClinicID) (backups []string, pending bool, err error) {
	r, err := read(ctx, store, clinic)
	if r == nil || err != nil {
		return nil, false, err
	}
	return r.Backups, true, nil
}

// Ended gives the certificate of a clinic that was deleted, nil of one that was not.
func Ended(ctx context.Context, store lake.Store, clinic lake.ClinicID) (*Signed, error) {
	body, err := store.Get(ctx, EndedName(clinic))
	if errors.Is(err, lake.ErrNotFound) {
		return nil, nil //nolint:nilnil // there is none, which is no error
	}
	if err != nil {
		return nil, err
	}
	var ended struct {
		Certificate string `json:"certificate"`
	}
	if err := json.Unmarshal(body, &ended); err != nil {
		return nil, fmt.Errorf("the object %s cannot be read: %w", EndedName(clinic), err)
	}
	if body, err = store.Get(ctx, ended.Certificate); err != nil {
		return nil, err
	}
	return Parse(body)
}

func read(ctx context.Context, store lake.Store, clinic lake.ClinicID) (*record, error) {
	body, err := store.Get(ctx, RecordName(clinic))
	if errors.Is(err, lake.ErrNotFound) {
		return nil, nil //nolint:nilnil // there is none, which is no error
	}
	if err != nil {
		return nil, err
	}
	r := new(record)
	if err := json.Unmarshal(body, r); err != nil || r.Clinic != clinic {
		return nil, fmt.Errorf("the object %s is not a record of a deletion of this clinic", RecordName(clinic))
	}
	return r, nil
}

// Bar begins the deletion, or finds the one that was begun; when it returns nobody can open the clinic any more. begun says that
// it was this call.
func (j *Job) Bar(ctx context.Context) (begun bool, err error) {
	if r, err := read(ctx, j.Lake, j.Clinic); r != nil || err != nil {
		return false, err
	}
	r := &record{ID: strings.ToLower(rand.Text()[:16]), Clinic: j.Clinic, StartedAt: j.Now().UTC().Round(time.Second), By: j.By, Backups: slices.Sorted(maps.Keys(j.Backups))}
	for _, place := range j.places() {
		found, err := place.count(ctx)
		if err != nil {
			return false, err
		}
		r.Stores = append(r.Stores, found)
	}
	known, err := j.Keys.Known(ctx)
	if err != nil {
		return false, err
	}
	if !known && !slices.ContainsFunc(r.Stores, func(s StoreDeleted) bool { return s.Objects > 0 }) {
		return false, fmt.Errorf("%w %s in %s, its backups and the vault", ErrNothing, j.Clinic, j.Lake)
	}
	if err := j.sample(ctx, r, known); err != nil {
		return false, err
	}
	if err := j.Record(ctx, r.ID, nil, ""); err != nil {
		return false, err
	}
	body, err := json.Marshal(r)
	if err != nil {
		return false, err
	}
	failed := j.Lake.Create(ctx, RecordName(j.Clinic), body)
	if failed == nil {
		return true, nil
	}
	if stored, err := j.Lake.Get(ctx, RecordName(j.Clinic)); err == nil {
		return bytes.Equal(stored, body), nil // ours, or another's that began at the same moment
	}
	return false, failed
}

// Unbar takes a deletion back that has not removed anything yet.
func (j *Job) Unbar(ctx context.Context) error { return j.Lake.Delete(ctx, RecordName(j.Clinic)) }

// sample keeps sealed bytes aside: of each store of backups, and of what is sealed on this machine.
func (j *Job) sample(ctx context.Context, r *record, known bool) error {
	for _, at := range slices.Sorted(maps.Keys(j.Backups)) {
		for name, err := range j.Backups[at].List(ctx, backup.Prefix(j.Clinic), "") {
			if err != nil {
				return err
			}
			body, err := j.Backups[at].Get(ctx, name)
			if err != nil {
				return err
			}
			if len(body) <= largestSample {
				r.Samples = append(r.Samples, sample{Of: "an object of the backup in " + at, Name: name, Sealed: body})
				break
			}
		}
	}
	if err := j.sampleLake(ctx, r); err != nil {
		return err
	}
	if known {
		sealed, err := j.Keys.Sample(ctx)
		if err != nil {
			return err
		}
		r.Samples = append(r.Samples, sample{Of: "a value sealed under the clinic's data keys", Sealed: sealed})
	}
	return nil
}

// largestSample bounds what the record of a deletion holds of one sample.
const largestSample = 64 << 10

// sampleLake keeps the first encrypted commit aside that is small enough and that the keys open.
func (j *Job) sampleLake(ctx context.Context, r *record) error {
	prefix := lake.Prefix(j.Clinic)
	for name, err := range j.Lake.List(ctx, prefix+"commits/", "") {
		if err != nil {
			return err
		}
		number := lake.CommitNumber(strings.TrimPrefix(name, prefix))
		if number == 0 {
			continue
		}
		body, err := j.Lake.Get(ctx, name)
		if err != nil {
			return err
		}
		if len(body) > largestSample || !lake.SealedCommit(body) {
			continue
		}
		// What does not open now would prove nothing later.
		opens, err := j.Keys.OpensCommit(ctx, number, body)
		if err != nil {
			return err
		}
		if opens {
			r.Samples = append(r.Samples, sample{Of: fmt.Sprintf("commit %d of the lake", number), Commit: number, Sealed: body})
			return nil
		}
	}
	return nil
}

// place is a prefix of a store.
type place struct {
	kind, at, prefix string
	store            lake.Store
}

func (j *Job) places() []place {
	out := []place{{"lake", j.Lake.String(), lake.Prefix(j.Clinic), j.Lake}}
	for _, at := range slices.Sorted(maps.Keys(j.Backups)) {
		out = append(out, place{"backup", j.Backups[at].String(), backup.Prefix(j.Clinic), j.Backups[at]})
	}
	return out
}

func (p place) count(ctx context.Context) (StoreDeleted, error) {
	out := StoreDeleted{Kind: p.kind, Store: p.at, Prefix: p.prefix, ByKind: map[string]Count{}}
	for t, err := range lake.Everything(ctx, p.store, p.prefix) {
		if err != nil {
			return out, err
		}
		out.Objects++
		out.Bytes += t.Bytes
		if t.Earlier {
			out.EarlierVersions++
		}
		kind, _, _ := strings.Cut(strings.TrimPrefix(t.Name, p.prefix), "/")
		c := out.ByKind[kind]
		c.Objects++
		c.Bytes += t.Bytes
		out.ByKind[kind] = c
	}
	return out, nil
}

// parallel is how many removals are under way at once.
const parallel = 8

// clear removes all under the prefix until two looks in a row find nothing.
func (p place) clear(ctx context.Context, progress func(removed int)) (removed int, err error) {
	for empty := 0; empty < 2; {
		group, working := errgroup.WithContext(ctx)
		group.SetLimit(parallel)
		n := 0
		var listing error
		for t, err := range lake.Everything(ctx, p.store, p.prefix) {
			if err != nil {
				listing = err
				break
			}
			n++
			if strings.HasPrefix(t.Name, p.prefix+"state/") {
				// The oldest value of a register first: cut short, one that counted once would count again, such as a lease given back.
				if listing = lake.Remove(working, p.store, t); listing != nil {
					break
				}
			} else {
				group.Go(func() error { return lake.Remove(working, p.store, t) })
			}
			progress(removed + n)
		}
		if err := errors.Join(group.Wait(), listing); err != nil {
			return removed, err
		}
		removed += n
		if n == 0 {
			empty++
		} else {
			empty = 0
		}
	}
	return removed, nil
}

// untouched is how old a half-written file must be to be nobody's: a writer needs seconds for one.
const untouched = time.Minute

// Run deletes, and gives the certificate. Bar comes first.
func (j *Job) Run(ctx context.Context) (*Signed, error) {
	if done, err := Ended(ctx, j.Lake, j.Clinic); err != nil {
		return nil, err
	} else if done != nil {
		return done, j.Lake.Delete(ctx, RecordName(j.Clinic))
	}
	r, err := read(ctx, j.Lake, j.Clinic)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, fmt.Errorf("no deletion of clinic %s was begun in %s", j.Clinic, j.Lake)
	}
	for _, at := range r.Backups {
		if j.Backups[at] == nil {
			return nil, fmt.Errorf("the deletion that was begun names the backup %s: name it again with --backup", at)
		}
	}
	c := &Certificate{
		Format: certificateFormat, ID: r.ID, Clinic: j.Clinic, Lake: j.Lake.String(), StartedAt: r.StartedAt, RequestedBy: r.By, Stores: r.Stores, Stays: stays(j.Clinic),
	}
	if err := j.clear(ctx, c); err != nil {
		return nil, err
	}
	if err := j.destroy(ctx, r, c); err != nil {
		return nil, err
	}
	// Once more, with the keys gone: what certifies is what is found now.
	for i, place := range j.places() {
		left, err := place.count(ctx)
		if err != nil {
			return nil, err
		}
		if left.Objects > 0 {
			return nil, fmt.Errorf("%d objects came under %s in %s while it was deleted: find out who writes there, and run it again", left.Objects, place.prefix, place.at)
		}
		if i < len(c.Stores) {
			c.Stores[i].LeftObjects, c.Stores[i].LeftVersions = left.Objects, left.EarlierVersions
		}
	}
	if err := j.forget(c); err != nil { // a reader that had the clinic open may have kept something meanwhile
		return nil, err
	}
	return j.certify(ctx, c)
}

func (j *Job) clear(ctx context.Context, c *Certificate) error {
	total := 0
	for _, s := range c.Stores {
		total += s.Objects
	}
	before := 0
	for _, place := range j.places() {
		removed, err := place.clear(ctx, func(removed int) {
			if j.Progress != nil && before+removed <= total {
				j.Progress(before+removed, total)
			}
		})
		if err != nil {
			return err
		}
		before += removed
		if s, ok := place.store.(interface {
			SweepScratch(ctx context.Context, before time.Time, dry bool) (files int, bytes int64, err error)
		}); ok {
			for {
				n, _, err := s.SweepScratch(ctx, j.Now().Add(-untouched), false)
				if err != nil {
					return err
				}
				c.Scratch += n
				young, _, err := s.SweepScratch(ctx, j.Now().Add(untouched), true)
				if err != nil {
					return err
				}
				if young == 0 {
					break
				}
				if err := j.Wait(ctx); err != nil {
					return err
				}
			}
		}
	}
	for _, path := range j.Local {
		switch err := os.Remove(path); {
		case err == nil:
			c.LocalFiles++
		case !errors.Is(err, os.ErrNotExist):
			return fmt.Errorf("removing what this machine keeps of the clinic: %w", err)
		}
	}
	return j.forget(c)
}

func (j *Job) forget(c *Certificate) error {
	if j.ForgetCached == nil {
		return nil
	}
	objects, bytes, err := j.ForgetCached()
	c.CachedObjects += objects
	c.CachedBytes += bytes
	return err
}

// destroy is the last step: what the copies of sealed bytes need is gone after it.
func (j *Job) destroy(ctx context.Context, r *record, c *Certificate) error {
	if j.KMS != nil {
		key, date, err := j.KMS(ctx)
		if err != nil {
			return fmt.Errorf("schedule the deletion of the key %s in AWS KMS, which needs kms:ScheduleKeyDeletion on it: nothing is certified, and the vault's keys of the clinic are there still. Run it again once that is allowed: %w", key, err)
		}
		c.KMS = &KMSKey{Key: key, DeletedOn: date.UTC()}
	}
	if err := j.Keys.Destroy(ctx); err != nil {
		return err
	}
	known, err := j.Keys.Known(ctx)
	if err != nil {
		return err
	}
	if known {
		return errors.New("the vault still has keys of the clinic: another process made them meanwhile. Run it again")
	}
	c.KeysDestroyed = true
	for _, s := range r.Samples {
		opens, err := j.opens(ctx, s)
		if err != nil {
			return err
		}
		if opens {
			return fmt.Errorf("%s can still be opened with what is left in the vault: nothing is certified", s.Of)
		}
		c.Samples = append(c.Samples, Sample{Of: s.Of, Bytes: len(s.Sealed)})
	}
	return nil
}

func (j *Job) opens(ctx context.Context, s sample) (bool, error) {
	if s.Commit > 0 {
		return j.Keys.OpensCommit(ctx, s.Commit, s.Sealed)
	}
	if s.Name != "" {
		return j.Keys.OpensBackup(ctx, s.Name, s.Sealed)
	}
	return j.Keys.Opens(ctx, s.Sealed)
}

// certify signs and stores. A certificate that is there already, of an attempt whose end was not seen, is the one that counts.
func (j *Job) certify(ctx context.Context, c *Certificate) (*Signed, error) {
	name := CertificateName(j.Clinic, c.ID)
	body, err := j.Lake.Get(ctx, name)
	if errors.Is(err, lake.ErrNotFound) {
		c.EndedAt = j.Now().UTC().Round(time.Second)
		if body, err = c.sign(ctx, j.Keys); err != nil {
			return nil, err
		}
		if err := j.Record(ctx, c.ID, c, sumOf(body)); err != nil {
			return nil, err
		}
		if err := j.Lake.Create(ctx, name, body); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	signed, err := Parse(body)
	if err != nil {
		return nil, err
	}
	ended, err := json.Marshal(map[string]string{"certificate": name})
	if err != nil {
		return nil, err
	}
	for _, o := range []struct {
		name string
		body []byte
	}{
		{strings.TrimSuffix(name, ".json") + ".txt", []byte(signed.Text())},
		{"deletions/signing-key-" + sumOf(signed.PublicKey)[:12] + ".json", signed.PublicKey},
		{EndedName(j.Clinic), ended},
	} {
		if err := j.Lake.Create(ctx, o.name, o.body); err != nil && !errors.Is(err, lake.ErrExists) {
			return nil, err
		}
	}
	// The samples were in it; it goes when the end is on record.
	return signed, j.Lake.Delete(ctx, RecordName(j.Clinic))
}
