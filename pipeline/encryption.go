package pipeline

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// mayFollow refuses to write to a clinic that lies unencrypted in a folder, unless somebody said so.
func (s *Site) mayFollow(head *lake.Commit) error {
	if !s.encrypt || head.Encrypted() {
		return nil
	}
	return fmt.Errorf("clinic %s in %s: %w. Encrypt it with falloff lake encrypt --lake %s --clinic %s, or go on as it is with --unencrypted (unencrypted: true in falloff.yaml)",
		s.Clinic.ID(), s.Clinic.Store(), lake.ErrPlainLake, s.Clinic.Store(), s.Clinic.ID())
}

// Encrypted says what encrypting a clinic did.
type Encrypted struct {
	// Commit is the commit whose every object is encrypted under the newest key, Changed whether it is a new one.
	Commit  int64 `json:"commit"`
	Changed bool  `json:"changed"`
	// Earlier is how many commits came before it, with what they name as it was.
	Earlier int64 `json:"earlier_commits"`
	// Left counts objects that snapshots before it have still, as they lay: unencrypted, or under an earlier key. Removed counts
	// those that were removed with their snapshots.
	Left    int `json:"objects_as_they_lay"`
	Removed int `json:"objects_removed"`
}

// Encrypt writes everything of a clinic anew under the newest key of its lakes, which is made where there is none, and shows it in
// one commit. What earlier commits name stays as it lies; or, where dropEarlier says so, is removed with their snapshots at once:
// whoever reads one of those meanwhile fails. That is refused with a *BusyError while a run or a backup is at work. The commits themselves stay.
func (s *Site) Encrypt(ctx context.Context, dropEarlier bool, progress Progress) (*Encrypted, error) {
	if dropEarlier {
		if err := idle(ctx, s.Clinic.Store(), s.Clinic.ID(), s.clock); err != nil {
			return nil, err
		}
	}
	progress = progress.orSilent()
	progress(Step{Name: "encrypt"})
	head, err := s.Clinic.Head(ctx)
	if err != nil {
		return nil, storage("encrypting the lake", err)
	}
	id := s.Clinic.ID()
	if err := s.takeKeys(s.Vault.MakeLakeKeys(ctx, string(id))); err != nil {
		return nil, err
	}
	if err := s.openClinic(ctx, s.Clinic.Store(), id, s.Keys); err != nil {
		return nil, err
	}
	commit, err := s.Clinic.Encrypt(ctx, func(tx *lake.Tx) error { return tx.SetSource(dataSource, dataCommit(tx.Head())) })
	if err == nil {
		err = s.Clinic.Snapshot(commit).Verify(ctx)
	}
	if err != nil {
		return nil, storage("encrypting the lake", err)
	}
	out := &Encrypted{Commit: commit.Number, Changed: commit.Number > head.Number, Earlier: commit.Number - 1}
	if err := s.clearEarlier(ctx, out, dropEarlier); err != nil {
		return nil, storage("clearing away what lay there before", err)
	}
	progress(Step{Name: "encrypt", Ended: true, Note: fmt.Sprintf("commit %d", out.Commit)})
	return out, nil
}

// atOnce is how old something must be that goes at once: older than what is being written in this moment.
const atOnce = time.Nanosecond

// clearEarlier counts what earlier snapshots have, or removes it.
func (s *Site) clearEarlier(ctx context.Context, out *Encrypted, remove bool) error {
	if remove {
		cleared, err := s.Clinic.GC(ctx, lake.GCOptions{Grace: atOnce, Keep: &lake.Retention{}})
		if err != nil {
			return err
		}
		out.Removed, out.Left = cleared.Objects, cleared.Young
		return nil
	}
	head, err := s.Clinic.At(ctx, out.Commit)
	if err != nil {
		return err
	}
	live := map[string]bool{}
	for o := range head.Names() {
		live[o.Path] = true
	}
	dropped, err := s.Clinic.Dropped(ctx)
	if err != nil {
		return err
	}
	for n := int64(1); n < out.Commit; n++ {
		if slices.Contains(dropped, n) {
			continue
		}
		commit, err := s.Clinic.At(ctx, n)
		if err != nil {
			return err
		}
		for o := range commit.Names() {
			if !live[o.Path] && !o.Sealed {
				live[o.Path] = true
				out.Left++
			}
		}
	}
	return nil
}
