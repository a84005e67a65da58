package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Manifest is one backup: what it consists of.
type Manifest struct {
	Format int `json:"format"`
	// Number counts a clinic's backups in one store from 1.
	Number    int64         `json:"number"`
	Clinic    lake.ClinicID `json:"clinic"`
	CreatedAt time.Time     `json:"created_at"`
	// Writer is random: it tells a writer whose request failed without an answer whether the manifest is its own.
	Writer string `json:"writer"`
	// Lake says where the clinic lay.
	Lake string `json:"lake"`
	// Region is the clinic's, as its settings said, empty where they do not.
	Region string `json:"region,omitempty"`
	// Head is the newest commit in it. Snapshot says that of the commits before it only the history is there, without rows.
	Head     int64 `json:"head"`
	Snapshot bool  `json:"snapshot,omitempty"`
	// Entries are the objects, in the order of their names in the lake.
	Entries []Entry `json:"entries"`
	// Missing are objects that an earlier commit names and that the lake did not have any more.
	Missing []string `json:"missing,omitempty"`
}

// Entry is one object of a lake in a backup.
type Entry struct {
	// Name is that in the lake, Object that in the backup.
	Name   string `json:"name"`
	Object string `json:"object"`
	Bytes  int64  `json:"bytes"`
	// SHA256 is that of the object's bytes in the lake.
	SHA256 string `json:"sha256"`
	// Rewritten says that the bytes were made in the backup, when a patient was erased from it. What the lake has under that name has the
	// same rows, and encrypted has other bytes, of which its commits speak.
	Rewritten bool `json:"rewritten,omitempty"`
}

const manifestFormat = 1

// find is the entry of a lake's object.
func (m *Manifest) find(name string) (Entry, bool) {
	i := sort.Search(len(m.Entries), func(i int) bool { return m.Entries[i].Name >= name })
	if i < len(m.Entries) && m.Entries[i].Name == name {
		return m.Entries[i], true
	}
	return Entry{}, false
}

// Bytes adds up what the objects have in the lake.
func (m *Manifest) Bytes() int64 {
	var n int64
	for _, e := range m.Entries {
		n += e.Bytes
	}
	return n
}

// read reads a manifest; of number 0 the newest.
func (p Place) read(ctx context.Context, number int64) (*Manifest, error) {
	if number == 0 {
		all, err := p.numbers(ctx)
		if err != nil {
			return nil, fmt.Errorf("look for backups of clinic %s: %w", p.clinic, err)
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("%w of clinic %s in %s", ErrNone, p.clinic, p.store)
		}
		number = all[len(all)-1]
	}
	name := p.manifestName(number)
	packed, err := p.open(ctx, name)
	switch {
	case errors.Is(err, lake.ErrNotFound):
		return nil, fmt.Errorf("%w with number %d of clinic %s in %s", ErrNone, number, p.clinic, p.store)
	case errors.Is(err, ErrOtherKeys):
		return nil, fmt.Errorf("backup %d of clinic %s in %s cannot be opened: %w, or its manifest is %w. Name the configuration folder that has its keys with --config-dir, or restore the vault from your copy",
			number, p.clinic, p.store, ErrOtherKeys, ErrDamaged)
	case err != nil:
		return nil, fmt.Errorf("read backup %d of clinic %s: %w", number, p.clinic, err)
	}
	m, err := decode(packed)
	if err == nil && (m.Number != number || m.Clinic != p.clinic) {
		err = errors.New("it is another's")
	}
	if err != nil {
		return nil, fmt.Errorf("the manifest of backup %d of clinic %s in %s is %w: %w", number, p.clinic, p.store, ErrDamaged, err)
	}
	return m, nil
}

func decode(packed []byte) (*Manifest, error) {
	body, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	m := new(Manifest)
	if err := json.Unmarshal(body, m); err != nil {
		return nil, err
	}
	if m.Format != manifestFormat {
		return nil, fmt.Errorf("format %d, this program knows %d: use a newer falloff", m.Format, manifestFormat)
	}
	for i, e := range m.Entries {
		if i > 0 && e.Name <= m.Entries[i-1].Name || lake.ValidName(e.Name) != nil || lake.ValidName(e.Object) != nil || e.Bytes < 0 {
			return nil, fmt.Errorf("entry %d", i)
		}
	}
	return m, nil
}

// sealManifest gives a manifest as it lies, and its name.
func (p Place) sealManifest(m *Manifest) (name string, sealed []byte, err error) {
	name = p.manifestName(m.Number)
	body, err := json.Marshal(m)
	if err == nil {
		body, err = pack(body)
	}
	if err == nil {
		sealed, err = p.keys.Seal.Encrypt(body, about(name))
	}
	if err != nil {
		return "", nil, fmt.Errorf("seal the manifest of backup %d: %w", m.Number, err)
	}
	return name, sealed, nil
}

// write makes the manifest durable under the next free number.
func (p Place) write(ctx context.Context, m *Manifest) error {
	slices.SortFunc(m.Entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	all, err := p.numbers(ctx)
	if err != nil {
		return err
	}
	m.Number = 1
	if len(all) > 0 {
		m.Number = all[len(all)-1] + 1
	}
	for ; ; m.Number++ {
		name, sealed, err := p.sealManifest(m)
		if err != nil {
			return err
		}
		failed := p.store.Create(ctx, name, sealed)
		stored, err := p.store.Get(ctx, name)
		switch {
		case err == nil && bytes.Equal(stored, sealed): // also our own first attempt, whose answer was lost
			return nil
		case failed == nil:
			return fmt.Errorf("the manifest %s is not there as it was written: %w", name, errors.Join(err, ErrDamaged))
		case !errors.Is(failed, lake.ErrExists):
			return failed
		case err != nil:
			return err
		}
		// Another backup of the same clinic took the number.
	}
}

// List tells of every backup of the clinic, the oldest first.
func (p Place) List(ctx context.Context) ([]*Manifest, error) {
	all, err := p.numbers(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for backups of clinic %s: %w", p.clinic, err)
	}
	out := make([]*Manifest, len(all))
	for i, n := range all {
		if out[i], err = p.read(ctx, n); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Clinics lists the clinics of which there is anything in a store of backups, at one request each on S3.
func Clinics(ctx context.Context, store lake.Store) ([]lake.ClinicID, error) {
	var out []lake.ClinicID
	after := Root
	for {
		found := ""
		for name, err := range store.List(ctx, Root, after) {
			if err != nil {
				return nil, fmt.Errorf("look for backups: %w", err)
			}
			found = name
			break
		}
		if found == "" {
			return out, nil
		}
		folder, _, _ := strings.Cut(strings.TrimPrefix(found, Root), "/")
		if id, err := lake.ParseClinicID(folder); err == nil {
			out = append(out, id)
		}
		after = Root + folder + "0" // '0' follows '/': past everything in the folder
	}
}
