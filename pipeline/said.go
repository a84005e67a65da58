package pipeline

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Said visits what the clinic's lake says to whoever has its keys: every commit, and every object that a commit names whose
// snapshot was not let go, once each, opened. First names, which lie under a key of their own, it leaves out. A search of the
// bytes of an encrypted lake finds nothing whatever lies in it; a search of this does.
func (s *Site) Said(ctx context.Context, visit func(name string, said []byte) error) error {
	head, err := s.Clinic.Head(ctx)
	if err != nil {
		return storage("reading the lake", err)
	}
	dropped, err := s.Clinic.Dropped(ctx)
	if err != nil {
		return storage("reading the lake", err)
	}
	seen := map[string]bool{}
	for n := head.Number; n > 0; n-- {
		commit := head
		if n < head.Number {
			if commit, err = s.Clinic.At(ctx, n); err != nil {
				return storage("reading the lake", err)
			}
		}
		said, err := json.Marshal(commit)
		if err == nil {
			err = visit(lake.CommitName(n), said)
		}
		if err != nil {
			return err
		}
		if slices.Contains(dropped, n) {
			continue
		}
		snapshot := s.Clinic.Snapshot(commit)
		for o := range commit.Names() {
			if seen[o.Path] || o.Sealed {
				continue
			}
			seen[o.Path] = true
			said, err := snapshot.Said(ctx, o)
			if err != nil {
				return storage("reading the lake", err)
			}
			if err := visit(o.Path, said); err != nil {
				return err
			}
		}
	}
	return nil
}
