package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/dictionary"
	"github.com/falloff-analytics/falloff/warehouse/export"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/parquetkeys"
)

// ExportOptions say what to export.
type ExportOptions struct {
	// Out is a folder that is not there, or empty.
	Out  string
	Form export.Form
	// Commit is the number of the commit to export, 0 for the newest.
	Commit int64
	// Identities exports first names too, of a clinic in recovery mode: the export then holds them in the open.
	Identities bool
	Progress   Progress
	// Swept is told of each folder that was removed because an export had left it that was killed; nil for nobody.
	Swept func(folder string)
}

// Export writes everything that a commit of the clinic has into a folder, whole or not at all. See package export for what
// lies in it.
func (s *Site) Export(ctx context.Context, o ExportOptions) (*export.Manifest, error) {
	progress := o.Progress.orSilent()
	commit, err := s.commit(ctx, o.Commit)
	if err != nil {
		return nil, err
	}
	m, err := s.manifest(commit, o)
	if err != nil {
		return nil, err
	}
	folder, swept, err := export.Create(o.Out)
	if o.Swept != nil {
		for _, name := range swept {
			o.Swept(name)
		}
	}
	if err != nil {
		return nil, refused("", err)
	}
	defer folder.Discard()
	snapshot := s.Clinic.Snapshot(commit)
	progress(Step{Name: "export"})
	if err := s.exportInto(ctx, folder, snapshot, m); err != nil {
		return nil, err
	}
	described, err := dictionary.Tables(ctx)
	if err != nil {
		return nil, err
	}
	if err := folder.Finish(m, struct {
		Rules  []string           `json:"rules"`
		Tables []dictionary.Table `json:"tables"`
	}{export.Rules(m.Form), described}); err != nil {
		return nil, refused("exporting", err)
	}
	rows, files := m.Rows()
	progress(Step{Name: "export", Ended: true, Note: fmt.Sprintf("%d rows of commit %d in %d files", rows, commit.Number, files)})
	return m, nil
}

// commit is the commit of a number, the newest for 0.
func (s *Site) commit(ctx context.Context, number int64) (*lake.Commit, error) {
	if number == 0 {
		head, err := s.Clinic.Head(ctx)
		return head, storage("opening the lake", err)
	}
	commit, err := s.Clinic.At(ctx, number)
	if errors.Is(err, lake.ErrNoCommit) {
		return nil, refused("", err)
	}
	return commit, storage("opening the lake", err)
}

// manifest says what an export of a commit carries beside rows.
func (s *Site) manifest(commit *lake.Commit, o ExportOptions) (*export.Manifest, error) {
	if commit.PseudonymVersion() != s.Keys.Version {
		return nil, refused("", fmt.Errorf("commit %d is from before the clinic was rekeyed: its pseudonyms join with none of today's. Export a later one", commit.Number))
	}
	m := &export.Manifest{
		Clinic: string(s.Clinic.ID()), Commit: commit.Number, CommittedAt: commit.CreatedAt, ExportedAt: s.clock().UTC(), Form: o.Form, AsOf: commit.AsOf,
		KeyVersion: commit.PseudonymVersion(), KeyCheck: s.Keys.Check(), Quarantine: commit.Quarantine, LeftOut: map[string]string{},
	}
	_, named := commit.Datasets[contract.Identities]
	switch {
	case o.Identities && !s.recovery:
		return nil, refused("", errors.New("there are no identities to export: the clinic is in privacy mode (see falloff identity-mode)"))
	case named && !o.Identities:
		m.LeftOut[contract.Identities] = "first names are exported only where --identities says so"
	}
	for name, checkpoint := range commit.Sources {
		if name != dataSource { // a number of this lake's own commits, which an import counts anew
			if m.Sources == nil {
				m.Sources = map[string]json.RawMessage{}
			}
			m.Sources[name] = checkpoint
		}
	}
	return m, nil
}

func (s *Site) exportInto(ctx context.Context, folder *export.Folder, snapshot *lake.Snapshot, m *export.Manifest) error {
	commit := snapshot.Commit()
	refusals, err := s.Clinic.Refused(ctx)
	if err != nil {
		return storage("reading whom the clinic refuses", err)
	}
	m.Refused = sortedKeys(refusals)
	body, err := snapshot.Settings(ctx)
	if err != nil {
		return storage("reading the clinic's settings", err)
	}
	if body != nil {
		clinic, err := settings.FromJSON(body)
		if err != nil {
			return err
		}
		text, err := clinic.YAML()
		if err != nil {
			return err
		}
		file, err := folder.WriteSettings(text)
		if err != nil {
			return refused("exporting", err)
		}
		m.Settings = &file
	}
	if m.Datasets, err = folder.WriteDatasets(ctx, snapshot, m.Form, m.LeftOut); err != nil {
		return exportFailed(ctx, err)
	}
	view, err := s.openView(ctx, commit, lake.Want{Datasets: []string{}, Marts: sortedKeys(commit.Marts)})
	if err != nil {
		return err
	}
	defer func() { _ = view.Close() }()
	m.Marts = map[string]export.Mart{}
	for _, name := range sortedKeys(commit.Marts) {
		file, err := view.exportMart(ctx, folder, name, m.Form)
		if err != nil {
			return exportFailed(ctx, err)
		}
		mart := commit.Marts[name]
		m.Marts[name] = export.Mart{File: file, AsOf: mart.AsOf, Current: mart.Input == dataCommit(commit)}
	}
	return nil
}

// exportFailed tells a lake that cannot be read from a folder that cannot be written.
func exportFailed(ctx context.Context, err error) error {
	var store *lake.StoreError
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.As(err, &store) || errors.Is(err, lake.ErrDamaged) {
		return storage("reading the lake", err)
	}
	return refused("exporting", err)
}

func (v *View) exportMart(ctx context.Context, folder *export.Folder, name string, form export.Form) (export.File, error) {
	if form == export.Parquet {
		path, err := folder.Path("marts/" + name + ".parquet")
		if err != nil {
			return export.File{}, err
		}
		// One thread, so that the order of rows and the bytes are the same every time.
		for _, statement := range []string{"set threads = 1", "copy (from marts." + name + ") to " + parquetkeys.Quoted(path) + " (format parquet, compression zstd)"} {
			if _, err := v.DB.ExecContext(ctx, statement); err != nil {
				return export.File{}, err
			}
		}
		return folder.Adopt("marts/"+name+".parquet", v.Commit.Marts[name].Rows)
	}
	columns, rows, err := v.Query(ctx, "from marts."+name)
	if err != nil {
		return export.File{}, err
	}
	ending := ".csv"
	if form == export.JSON {
		ending = ".jsonl"
	}
	return folder.WriteAnswer("marts/"+name+ending, form, columns, rows)
}

// Imported says what an import of an export did.
type Imported struct {
	Commit int64 `json:"commit"`
	// From is the commit that was exported, of the lake that it was exported from.
	From     int64            `json:"exported_commit"`
	Datasets map[string]int64 `json:"datasets"`
	// Built is nil where the export has no marts.
	Built *Built `json:"built,omitempty"`
	// LeftOut is what the export has and the lake has not, and why.
	LeftOut map[string]string `json:"left_out,omitempty"`
}

// ImportExport makes of an export the same lake again: the same rows, objects, covers, removed units, checkpoints and
// settings, in the first commit of a clinic that has none. Marts are not taken over but built anew. The pseudonyms must have
// been made with the clinic's keys; with others, the next report would make two people of each.
func (s *Site) ImportExport(ctx context.Context, folder string, report Progress) (*Imported, error) {
	progress := report.orSilent()
	opened, err := export.Open(folder)
	if err != nil {
		return nil, refused("", fmt.Errorf("the export %s: %w", folder, err))
	}
	defer func() { _ = opened.Close() }()
	m := opened.Manifest
	if m.MartsAlone() {
		return nil, refused("", fmt.Errorf("%s holds marts alone, which are made from what lies in a lake: import an export that falloff export wrote", folder))
	}
	clinic, err := s.mayTake(ctx, opened)
	if err != nil {
		return nil, err
	}
	progress(Step{Name: "check"})
	if err := opened.Verify(); err != nil {
		return nil, refused("", fmt.Errorf("the export %s: %w", folder, err))
	}
	_, files := m.Rows()
	progress(Step{Name: "check", Ended: true, Note: fmt.Sprintf("%d files as the manifest says", files)})
	progress(Step{Name: "land"})
	for _, hash := range m.Refused {
		if err := s.Clinic.Refuse(ctx, hash); err != nil {
			return nil, storage("keeping whom the export refuses", err)
		}
	}
	out := &Imported{From: m.Commit, Datasets: map[string]int64{}, LeftOut: m.LeftOut}
	total, done := int64(len(m.Datasets)), int64(0)
	commit, err := s.Clinic.Update(ctx, lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
		if tx.Head() != nil {
			return errNotEmpty
		}
		done = 0
		if err := opened.Place(ctx, tx, func(dataset string) {
			progress(Step{Name: "land", Done: done, Total: total, Note: dataset})
			done++
		}); err != nil {
			return err
		}
		if clinic != nil {
			return tx.PutSettings(ctx, clinic)
		}
		return nil
	})
	if err != nil {
		return nil, importFailed(ctx, folder, err)
	}
	out.Commit = commit.Number
	for name, d := range commit.Datasets {
		out.Datasets[name] = d.Rows()
	}
	progress(Step{Name: "land", Ended: true, Note: fmt.Sprintf("commit %d, reports show %s", commit.Number, commit.AsOf)})
	if len(m.Marts) > 0 && clinic != nil {
		asOf := m.Marts[slices.Min(sortedKeys(m.Marts))].AsOf
		if out.Built, err = s.Build(ctx, BuildOptions{AsOf: asOf, Progress: report}); err != nil {
			return out, err
		}
		out.Commit = out.Built.Commit
	}
	return out, nil
}

var errNotEmpty = errors.New("the clinic has data already, and an export is a whole clinic: import it into another --lake, or under another --clinic of its own keys")

// mayTake checks what must hold before anything is read, and gives the settings in their stored form.
func (s *Site) mayTake(ctx context.Context, o *export.Opened) (settingsJSON []byte, err error) {
	m := o.Manifest
	_, err = s.Clinic.Head(ctx)
	switch {
	case err == nil:
		return nil, refused("", errNotEmpty)
	case !errors.Is(err, lake.ErrNoCommit):
		return nil, storage("opening the lake", err)
	}
	if m.KeyVersion != s.Keys.Version || m.KeyCheck != s.Keys.Check() {
		return nil, otherKeys(m, s.Vault, string(s.Clinic.ID()), s.Keys.Version)
	}
	if _, named := m.Datasets[contract.Identities]; named && !s.recovery {
		return nil, refused("", errors.New("the export holds first names, which are stored in recovery mode only: import it with the keys that falloff export --identities --keys kept, or export without --identities"))
	}
	text, err := o.SettingsYAML()
	if err != nil || text == nil {
		return nil, refused("", err)
	}
	clinic, err := settings.Parse(text, "clinic.yaml")
	if err != nil {
		return nil, refused("", err)
	}
	if err := s.resides(ctx, clinic); err != nil {
		return nil, err
	}
	return clinic.JSON()
}

func importFailed(ctx context.Context, folder string, err error) error {
	var store *lake.StoreError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &store), errors.Is(err, lake.ErrOtherKeys):
		return storage("landing the export", err)
	case errors.Is(err, errNotEmpty):
		return refused("", errNotEmpty)
	}
	return refused("", fmt.Errorf("the export %s: %w. Nothing has landed", strings.TrimSuffix(folder, "/"), err))
}
