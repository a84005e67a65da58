package iceberg

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// table brings one table up to the head. Every turn that is overtaken is one in which another writer succeeded.
func (s *syncing) table(ctx context.Context, name tableName, moments []moment, thorough bool) (Table, error) {
	for {
		made, err := s.attempt(ctx, name, moments, thorough)
		if !errors.Is(err, errOvertaken) {
			return made, err
		}
		if err := ctx.Err(); err != nil {
			return made, err
		}
	}
}

var errOvertaken = errors.New("another writer made this version")

// attempt is one turn of table.
func (s *syncing) attempt(ctx context.Context, name tableName, moments []moment, thorough bool) (Table, error) {
	store, at := s.clinic.Store(), s.clinic.Name(name.folder())
	out := Table{Name: name.String()}
	found, err := look(ctx, store, at)
	if err != nil {
		return out, err
	}
	f := newFiles(ctx, store)
	h := &history{
		files: f, name: name, uuid: name.uuidOf(s.clinic.ID()), at: f.location(at), version: found.newest + 1,
		id: strings.ReplaceAll(uuid.NewString(), "-", "")[:12], columns: columnsOf(nil),
	}
	if name.namespace == lakeNamespace {
		h.day = lake.DayColumn(name.name)
	}
	if out.Anew, err = s.open(ctx, h, found, moments, thorough); err != nil {
		return out, err
	}
	begun := commitOf(h.current())
	// What has nothing yet needs the history, unless there was nothing of it before.
	if h.meta == nil && (out.Anew != "" || len(moments[0].tables[name]) > 0) {
		if moments, err = s.moments(ctx, 0, true); err != nil {
			return out, err
		}
	}
	if err := h.replay(moments, begun, &out); err != nil {
		return out, err
	}
	if h.meta == nil {
		return out, nil // no commit has an object of it
	}
	dropped, err := h.drop(s.unneeded(h.meta))
	if err != nil {
		return out, err
	}
	version := found.newest
	if h.made > 0 || dropped {
		version = h.version
		if err := s.store(ctx, h, at); err != nil {
			return out, err
		}
	}
	out.Metadata = f.location(at + "/metadata/" + versionName(version))
	out.Commit, out.Snapshot, out.Added = commitOf(h.current()), h.current().SnapshotID, h.made
	return out, s.tidy(ctx, h, at, found, version, thorough || out.Anew != "" || dropped, out.Anew != "")
}

// current is the newest snapshot, nil where there is none.
func (h *history) current() *table.Snapshot {
	if h.meta == nil {
		return nil
	}
	return h.meta.CurrentSnapshot()
}

// open reads the newest metadata, unless the table is to be made anew: then it says why.
func (s *syncing) open(ctx context.Context, h *history, found stored, moments []moment, thorough bool) (anew string, err error) {
	at := s.clinic.Name(h.name.folder())
	switch {
	case found.newest == 0 && len(found.others) == 0:
		return "", nil
	case s.options.Rebuild:
		return "it was asked for", nil
	case found.newest == 0:
		return "its metadata was lost", nil
	}
	meta, err := metadata(ctx, s.clinic.Store(), at, found.newest)
	switch {
	case errors.Is(err, lake.ErrNotFound):
		return "", errOvertaken // removed since it was listed: by somebody who has made newer ones
	case isStoreError(err):
		return "", err
	case err != nil:
		return "its metadata is damaged", nil //nolint:nilerr // damage is repaired, not reported
	case meta.Location() != h.at:
		return "", ErrMoved
	case meta.TableUUID() != h.uuid || meta.CurrentSnapshot() == nil || commitOf(meta.CurrentSnapshot()) == 0:
		return "", ErrForeign
	}
	h.meta, h.from = meta, h.at+"/metadata/"+versionName(found.newest)
	h.columns = columnsOf(meta)
	if anew, err = s.doubt(ctx, h, found, moments, thorough); err != nil || anew != "" {
		h.meta, h.from, h.columns = nil, "", columnsOf(nil)
	}
	return anew, err
}

// isStoreError says that the store failed, so that nothing is known about what it holds.
func isStoreError(err error) bool {
	_, is := errors.AsType[*lake.StoreError](err)
	return is && !errors.Is(err, lake.ErrNotFound) && !errors.Is(err, fs.ErrNotExist)
}

// doubt says why what the metadata says cannot be gone on from.
func (s *syncing) doubt(ctx context.Context, h *history, found stored, moments []moment, thorough bool) (string, error) {
	commit := commitOf(h.current())
	if commit > s.head.Number {
		// Either another writer knows a newer head, or the lake was set back to an older one.
		if _, err := s.clinic.At(ctx, commit); errors.Is(err, lake.ErrNoCommit) {
			return fmt.Sprintf("there is no commit %d that it shows", commit), nil
		} else if err != nil {
			return "", err
		}
		return "", nil
	}
	live, err := h.manifests()
	switch {
	case isStoreError(err):
		return "", err
	case err != nil:
		return "a file of its metadata is lost or damaged", nil //nolint:nilerr // damage is repaired, not reported
	}
	if base := slices.IndexFunc(moments, func(m moment) bool { return m.commit.Number >= commit }); base >= 0 &&
		(moments[base].commit.Number == commit || !thorough) {
		var has []string
		for _, m := range live {
			for _, e := range m.entries {
				has = append(has, e.DataFile().FilePath())
			}
		}
		slices.Sort(has)
		var wanted []string
		for _, o := range moments[base].tables[h.name] {
			wanted = append(wanted, o.location)
		}
		slices.Sort(wanted)
		if !slices.Equal(has, wanted) {
			return fmt.Sprintf("its files are not those of commit %d", moments[base].commit.Number), nil
		}
	}
	if !thorough {
		return "", nil
	}
	used, err := h.used()
	switch {
	case isStoreError(err):
		return "", err
	case err != nil:
		return "a file of its metadata is lost or damaged", nil //nolint:nilerr // damage is repaired, not reported
	}
	for name := range used {
		if !slices.Contains(found.others, name) {
			return "a file of its metadata is lost", nil
		}
	}
	return "", nil
}

// used are the manifests and lists of all snapshots, by name in the table's metadata folder.
func (h *history) used() (map[string]bool, error) {
	out := map[string]bool{}
	prefix := h.at + "/metadata/"
	for _, snapshot := range h.meta.Snapshots() {
		list, err := snapshot.Manifests(h.files)
		if err != nil {
			return nil, err
		}
		out[strings.TrimPrefix(snapshot.ManifestList, prefix)] = true
		for _, m := range list {
			out[strings.TrimPrefix(m.FilePath(), prefix)] = true
		}
	}
	return out, nil
}

// replay adds a snapshot for every moment after a commit that changed the table.
func (h *history) replay(moments []moment, after int64, out *Table) error {
	for i, m := range moments {
		if m.commit.Number <= after {
			continue
		}
		if h.meta != nil && i > 0 && moments[i-1].commit.Number >= after && same(moments[i-1].tables[h.name], m.tables[h.name]) {
			continue
		}
		err := h.add(m.commit, m.tables[h.name])
		if errors.Is(err, errOtherType) {
			// One name cannot mean two types: the history before goes, rather than be read wrongly.
			out.Anew = err.Error()
			h.meta, h.from, h.columns, h.made = nil, "", columnsOf(nil), 0
			err = h.add(m.commit, m.tables[h.name])
		}
		if errors.Is(err, fs.ErrNotExist) && i < len(moments)-1 {
			continue // what was erased since is in no snapshot
		}
		if err != nil {
			return fmt.Errorf("commit %d: %w", m.commit.Number, err)
		}
	}
	return nil
}

// unneeded are the snapshots that no commit stands for which there still is.
func (s *syncing) unneeded(meta table.Metadata) []int64 {
	if s.numbers == nil {
		return nil
	}
	snapshots := slices.Clone(meta.Snapshots())
	slices.SortFunc(snapshots, func(a, b table.Snapshot) int { return int(commitOf(&a) - commitOf(&b)) })
	var out []int64
	for i := range len(snapshots) - 1 { // the newest always stays
		from, before := commitOf(&snapshots[i]), commitOf(&snapshots[i+1])
		if !slices.ContainsFunc(s.numbers, func(n int64) bool { return n >= from && n < before }) {
			out = append(out, snapshots[i].SnapshotID)
		}
	}
	return out
}

// drop takes snapshots out of the metadata.
func (h *history) drop(ids []int64) (bool, error) {
	if len(ids) == 0 {
		return false, nil
	}
	b, err := table.MetadataBuilderFromBase(h.meta, h.from)
	if err != nil {
		return false, err
	}
	if err := b.RemoveSnapshots(ids, false); err != nil {
		return false, err
	}
	h.meta, err = b.Build()
	return true, err
}

// store writes what the history made, the metadata last.
func (s *syncing) store(ctx context.Context, h *history, at string) error {
	if err := h.files.flush(); err != nil {
		return err
	}
	body, err := json.Marshal(h.meta)
	if err != nil {
		return err
	}
	name := at + "/metadata/" + versionName(h.version)
	failed := s.clinic.Store().Create(ctx, name, body)
	if failed == nil {
		return nil
	}
	// The number is taken, perhaps by our own first attempt; or the request failed, perhaps after it succeeded.
	there, err := s.clinic.Store().Get(ctx, name)
	switch {
	case err == nil && bytes.Equal(there, body):
		return nil
	case err == nil || errors.Is(failed, lake.ErrExists):
		return errOvertaken
	default:
		return failed
	}
}

// tidy sets the hint, and removes what is not needed any more.
func (s *syncing) tidy(ctx context.Context, h *history, at string, found stored, version int, thorough, anew bool) error {
	store := s.clinic.Store()
	if stale, err := s.hintIsStale(ctx, at, found, version, thorough); err != nil {
		return err
	} else if stale {
		if err := hint(ctx, store, at, version); err != nil {
			return err
		}
	}
	if !thorough {
		return prune(ctx, store, at, found, version)
	}
	used, err := h.used()
	if err != nil {
		return err
	}
	prefix := at + "/"
	for name, err := range store.List(ctx, prefix, "") {
		if err != nil {
			return err
		}
		if needed(strings.TrimPrefix(name, prefix+"metadata/"), used, version, anew) {
			continue
		}
		if err := store.Delete(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (s *syncing) hintIsStale(ctx context.Context, at string, found stored, version int, thorough bool) (bool, error) {
	if version != found.newest || !found.hinted {
		return true, nil
	}
	if !thorough {
		return false, nil
	}
	body, err := s.clinic.Store().Get(ctx, at+"/metadata/"+hintName)
	if errors.Is(err, lake.ErrNotFound) {
		return true, nil
	}
	return string(body) != fmt.Sprint(version), err
}

// needed says whether a file of a table, by its name in the metadata folder, may not go. Files that a writer is making right now
// carry a later version than the newest; a writer of an earlier one has lost, and nothing will ever name them.
func needed(name string, used map[string]bool, version int, anew bool) bool {
	if used[name] || name == hintName {
		return true
	}
	var of int
	if found := metadataName.FindStringSubmatch(name); found != nil {
		if _, err := fmt.Sscan(found[1], &of); err != nil {
			return true
		}
		return of >= version || !anew && of > version-keptVersions
	}
	if found := ownFile.FindStringSubmatch(name); found != nil {
		if _, err := fmt.Sscanf(found[1], "%d", &of); err != nil {
			return true
		}
		return of > version
	}
	return !anew // somebody else's
}
