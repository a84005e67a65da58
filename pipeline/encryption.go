package pipeline

import (
	"context"
	"fmt"

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
}

// Encrypt writes everything of a clinic anew under the newest key of its lakes, which is made where there is none, and shows it in
// one commit. What earlier commits name stays as it lies.
func (s *Site) Encrypt(ctx context.Context, progress Progress) (*Encrypted, error) {
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
	progress(Step{Name: "encrypt", Ended: true, Note: fmt.Sprintf("commit %d", out.Commit)})
	return out, nil
}
