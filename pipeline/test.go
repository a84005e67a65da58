package pipeline

import (
	"context"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/models"
)

// Tested says how the marts of the newest build came out.
type Tested struct {
	// Commit is the commit whose marts were looked at, AsOf the day they speak about, Marts how many there were.
	Commit int64      `json:"commit"`
	AsOf   civil.Date `json:"as_of"`
	Marts  int        `json:"marts"`
	// Broken are the rules and checks that they break.
	Broken []*models.Broken `json:"broken"`
}

// TestMarts holds the marts of the newest build to what a project declares of them, and to its checks.
func (s *Site) TestMarts(ctx context.Context, project *models.Project) (*Tested, error) {
	head, err := s.Clinic.Head(ctx)
	if err != nil {
		return nil, storage("looking for the newest build", err)
	}
	if len(head.Marts) == 0 {
		return nil, refused("testing the marts", ErrNotBuilt)
	}
	snapshot := s.Clinic.Snapshot(head)
	clinic, err := s.settings(ctx, snapshot)
	if err != nil {
		return nil, err
	}
	if err := s.mayCache(ctx, snapshot); err != nil {
		return nil, err
	}
	local, err := snapshot.Materialise(ctx, lake.Want{Datasets: []string{}, Marts: sortedKeys(head.Marts)})
	if err != nil {
		return nil, storage("reading the lake", err)
	}
	defer func() { _ = local.Close() }()
	out := &Tested{Commit: head.Number, Marts: len(local.Marts), Broken: []*models.Broken{}}
	for _, m := range head.Marts {
		out.AsOf = m.AsOf
	}
	broken, err := project.TestPublished(ctx, models.Inputs{
		Settings: clinic, AsOf: out.AsOf, HistoryFrom: historyFrom(head), Covered: covered(head), Keys: local.Keys,
	}, local.Marts)
	if err != nil {
		if damaged := damage(ctx, snapshot, err); damaged != nil {
			return nil, damaged
		}
		return nil, err
	}
	out.Broken = append(out.Broken, broken...)
	return out, nil
}
