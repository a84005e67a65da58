package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/falloff-analytics/falloff/pipeline/backup"
	"github.com/falloff-analytics/falloff/pipeline/deletion"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// BackupOptions say what to back up.
type BackupOptions struct {
	// Snapshot leaves the rows of earlier commits out, Full trusts no earlier backup.
	Snapshot, Full bool
	Progress       Progress
}

// Backup copies the clinic to a store of backups. It refuses with a *BusyError while another backup of the clinic or the erasure of
// a patient is at work, with an UnfinishedErasureError while one has not ended, and with a *BarredError once a deletion was begun.
func (s *Site) Backup(ctx context.Context, to lake.Store, o BackupOptions) (*backup.Taken, error) {
	// A lease, too, is something that is written there.
	if err := barred(ctx, s.Clinic.Store(), s.Clinic.ID()); err != nil {
		return nil, err
	}
	if here, there := s.Clinic.Store().String()+"/", to.String()+"/"; strings.HasPrefix(here, there) || strings.HasPrefix(there, here) {
		return nil, refused("backing up", fmt.Errorf("%s and the lake %s lie in one another: what destroys the one destroys the other. Name another place with --to", to, s.Clinic.Store()))
	}
	if _, err := s.Resides(ctx, to); err != nil {
		return nil, err
	}
	working, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	held, err := s.takeBackups(working, s.tenantDoing("a backup"), lost)
	if err != nil {
		return nil, err
	}
	defer held.release(ctx)
	taken, err := s.backUp(working, to, o, held)
	if cause := context.Cause(working); err != nil && cause != nil && ctx.Err() == nil {
		err = cause
	}
	return taken, err
}

// backUp is a backup, under its lease.
func (s *Site) backUp(ctx context.Context, to lake.Store, o BackupOptions, held *tenure) (*backup.Taken, error) {
	if err := s.noErasureBegun(ctx); err != nil {
		return nil, err
	}
	id := s.Clinic.ID()
	keys, err := s.Vault.MakeBackupKeys(ctx, string(id))
	if err != nil {
		return nil, keyed(err)
	}
	defer keys.Names.Wipe()
	writer, err := randomName(s.random)
	if err != nil {
		return nil, err
	}
	taken, err := backup.At(to, id, backup.Keys(keys)).Take(ctx, s.Clinic, backup.Options{
		Snapshot: o.Snapshot, Full: o.Full, Now: s.clock(), Writer: writer, Still: held.check, Progress: o.Progress.Counted("backup"),
	})
	return taken, kinded("backing up", err)
}

// Counted gives progress of one step that counts objects.
func (p Progress) Counted(name string) func(done, of int) {
	tell := p.orSilent()
	return func(done, of int) { tell(Step{Name: name, Done: int64(done), Total: int64(of), Ended: done == of}) }
}

// kinded gives an error of backing up or restoring the kind that says whose turn it is.
func kinded(doing string, err error) error {
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.As(err, new(*BusyError)):
		return err
	case errors.Is(err, backup.ErrOtherKeys):
		return &KeyError{Err: err}
	case errors.Is(err, backup.ErrOccupied), errors.Is(err, backup.ErrNone):
		return refused(doing, err)
	}
	return storage(doing, err)
}

// OpenBackup opens a clinic's backup, of number 0 the newest, with the keys of the vault that is named; nothing is made.
func OpenBackup(ctx context.Context, v *vault.Vault, from lake.Store, clinic lake.ClinicID, number int64) (*backup.View, error) {
	keys, err := v.BackupKeys(ctx, string(clinic))
	if errors.Is(err, vault.ErrNoBackupKeys) {
		found, listing := backup.Clinics(ctx, from)
		if listing == nil && !slices.Contains(found, clinic) {
			return nil, refused("opening the backup", fmt.Errorf("%w of clinic %s in %s%s", backup.ErrNone, clinic, from, holds(found)))
		}
		return nil, &KeyError{Err: fmt.Errorf("%w %s: the vault %s cannot open them. Name the configuration folder that made them with --config-dir, or restore the vault from your copy",
			vault.ErrNoBackupKeys, clinic, v.Paths().Vault)}
	}
	if err != nil {
		return nil, keyed(err)
	}
	view, err := backup.At(from, clinic, backup.Keys(keys)).Open(ctx, number)
	return view, kinded("opening the backup", err)
}

func holds(ids []lake.ClinicID) string {
	if len(ids) == 0 {
		return "; it holds none of any clinic"
	}
	return "; it holds " + joinIDs(ids)
}

// Restore rebuilds a clinic in the lake that o names from a backup. The vault must have the keys that the clinic was made with.
func Restore(ctx context.Context, o SiteOptions, from lake.Store, to lake.Store, number int64, when backup.Moment, progress Progress) (*backup.Restored, error) {
	id, err := lake.ParseClinicID(o.Clinic)
	if err != nil {
		return nil, err
	}
	v, err := OpenVault(ctx, o)
	if err != nil {
		return nil, err
	}
	view, err := OpenBackup(ctx, v, from, id, number)
	if err != nil {
		return nil, err
	}
	o.Vault = v
	source, err := openSite(ctx, view, o)
	if err != nil {
		return nil, fmt.Errorf("opening what was backed up: %w", err)
	}
	// Before anything is written: the settings of what was backed up say where it belongs.
	if head, err := source.Clinic.Head(ctx); err == nil && head.Settings != nil {
		typed, err := source.settings(ctx, source.Clinic.Snapshot(head))
		if err == nil {
			_, err = Reside(ctx, id, typed, to, o.Region)
		}
		if err != nil {
			return nil, err
		}
	}
	restored, err := view.Restore(ctx, source.Clinic, to, when, progress.Counted("restore"))
	if err != nil {
		return nil, kinded("restoring", err)
	}
	// It opens, with these keys, at the commit that was asked for.
	site, err := openSite(ctx, to, o)
	if err != nil {
		return nil, fmt.Errorf("opening what was restored: %w", err)
	}
	head, err := site.Clinic.Head(ctx)
	if err == nil && head.Number != restored.Commit {
		err = fmt.Errorf("its newest commit is %d, not %d", head.Number, restored.Commit)
	}
	if err == nil {
		// What the backup's newest commit names was rewritten where a patient was erased from it: from here on a commit names what is there.
		// Without --unencrypted nothing is committed to a clinic that lies so; what is there is found all the same.
		if _, err = site.Clinic.NameReplaced(ctx); errors.Is(err, lake.ErrPlainLake) {
			err = nil
		}
	}
	return restored, storage("opening what was restored", err)
}

// A BarredError says that a clinic must not be opened: it is being restored, or was deleted.
type BarredError struct {
	Clinic lake.ClinicID
	// Deleted says that it was deleted, or is being so.
	Deleted  bool
	Why, How string
}

func (e *BarredError) Error() string {
	return fmt.Sprintf("clinic %s %s. %s", e.Clinic, e.Why, e.How)
}

// barred returns a *BarredError for a clinic that must not be opened.
func barred(ctx context.Context, store lake.Store, id lake.ClinicID) error {
	restoring := false
	for name, err := range store.List(ctx, backup.Barred+string(id)+"/", "") {
		switch {
		case err != nil:
			return storage("opening the lake", err)
		case name == backup.RestoringName(id):
			restoring = true
		case name == deletion.EndedName(id):
			return &BarredError{id, true, "was deleted from this lake", "Its certificate says when and by whom (falloff delete verify). A clinic of the same name needs another id"}
		case name == deletion.RecordName(id):
			return &BarredError{id, true, "is being deleted from this lake", "Nothing can be written to it any more; falloff delete goes on where it stopped"}
		}
	}
	if restoring {
		return &BarredError{id, false, "is being restored, and is not whole yet", "Run the same falloff restore again: it goes on where it stopped"}
	}
	return nil
}
