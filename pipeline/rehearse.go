package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/backup"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Rehearsed is what a restore on trial has shown.
type Rehearsed struct {
	Clinic lake.ClinicID `json:"clinic"`
	Backup int64         `json:"backup"`
	// MadeAt is when the backup was made, Commit the newest in it.
	MadeAt time.Time `json:"made_at"`
	Commit int64     `json:"commit"`
	// Objects and Bytes were compared with the backup, Rows read again from what was restored.
	Objects int   `json:"objects"`
	Bytes   int64 `json:"bytes"`
	Rows    int64 `json:"rows"`
	// Compared says that the lake has that commit still, and that both say the same. It names every object by a hash.
	Compared bool          `json:"compared"`
	Took     time.Duration `json:"took"`
}

// Rehearse restores a clinic's newest backup into a folder of its own in a folder of this machine, reads everything again, holds it against the
// lake that o names, and removes it, also where it fails. It tells nobody that a clinic was restored.
func Rehearse(ctx context.Context, o SiteOptions, from lake.Store, in string, progress Progress) (out *Rehearsed, err error) {
	begun := time.Now()
	v, err := OpenVault(ctx, o)
	if err != nil {
		return nil, err
	}
	o.Vault = v
	id, err := lake.ParseClinicID(o.Clinic)
	if err != nil {
		return nil, err
	}
	view, err := OpenBackup(ctx, v, from, id, 0)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(in, "falloff-rehearsal-") // mode 0700
	if err != nil {
		return nil, storage("rehearsing a restore", err)
	}
	defer func() {
		if left := os.RemoveAll(dir); left != nil && err == nil {
			err = storage("removing what was restored on trial", left)
		}
	}()
	trial := o
	trial.Lake, trial.Cache, trial.Unencrypted = filepath.Join(dir, "lake"), nil, true
	to, err := lake.OpenStore(ctx, trial.Lake)
	if err != nil {
		return nil, storage("rehearsing a restore", err)
	}
	restored, err := Restore(ctx, trial, from, to, view.Manifest.Number, backup.Moment{}, progress)
	if err != nil {
		return nil, err
	}
	out = &Rehearsed{
		Clinic: id, Backup: restored.Backup, MadeAt: view.Manifest.CreatedAt, Commit: restored.Commit, Objects: restored.Objects, Bytes: restored.Bytes,
	}
	site, err := OpenExistingSite(ctx, trial)
	if err != nil {
		return out, err
	}
	progress.orSilent()(Step{Name: "verify"})
	found, err := site.Clinic.Verify(ctx, lake.VerifyOptions{KeyName: KeyCheckName})
	if err != nil {
		return out, storage("verifying what was restored", err)
	}
	out.Rows = found.Rows
	progress.orSilent()(Step{Name: "verify", Ended: true, Note: counted(int(found.Rows), "row")})
	if len(found.Findings) > 0 {
		return out, storage("verifying what was restored", fmt.Errorf("%d findings, the first: %s. falloff backup --full sends anew what the lake has", len(found.Findings), found.Findings[0]))
	}
	if restored.Commit != view.Manifest.Head {
		return out, storage("rehearsing a restore", fmt.Errorf("the backup says that its newest commit is %d, and %d was restored", view.Manifest.Head, restored.Commit))
	}
	out.Compared, err = sameCommit(ctx, o, site, restored.Commit)
	out.Took = time.Since(begun)
	return out, err
}

// sameCommit says whether the lake still has the commit that was restored; an error is that it says something else.
func sameCommit(ctx context.Context, o SiteOptions, restored *Site, number int64) (bool, error) {
	live, err := OpenExistingSite(ctx, o)
	if err != nil {
		return false, nil //nolint:nilerr // a lake that was lost is what backups are for
	}
	there, err := live.Clinic.At(ctx, number)
	if errors.Is(err, lake.ErrNotFound) || errors.Is(err, lake.ErrNoCommit) {
		return false, nil
	}
	if err != nil {
		return false, storage("reading the lake's commit", err)
	}
	here, err := restored.Clinic.At(ctx, number)
	if err != nil {
		return false, storage("reading what was restored", err)
	}
	a, err := json.Marshal(there)
	if err != nil {
		return false, err
	}
	b, err := json.Marshal(here)
	if err != nil {
		return false, err
	}
	if string(a) != string(b) {
		return false, storage("rehearsing a restore", fmt.Errorf("commit %d of the lake and of the backup say different things: keep both, and find out which is right (falloff lake verify, falloff backup --verify)", number))
	}
	return true, nil
}
