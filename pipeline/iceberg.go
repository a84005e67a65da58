package pipeline

import (
	"context"
	"errors"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/lake/iceberg"
)

// followTime bounds how long a run waits for its Iceberg tables: they can be made up for, a night cannot.
const followTime = 10 * time.Minute

// Describe brings the clinic's Iceberg tables up to its newest commit. The report has what was done also beside an error.
func (s *Site) Describe(ctx context.Context, o iceberg.Options) (*iceberg.Report, error) {
	report, err := iceberg.Sync(ctx, s.Clinic, o)
	if errors.Is(err, iceberg.ErrEncrypted) {
		return report, refused("", err)
	}
	return report, storage("writing Iceberg metadata", err)
}

// Follow is Describe after a commit, for a clinic whose tables follow commits; nil for another. The commit is there in any case.
func (s *Site) Follow(ctx context.Context) (*iceberg.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, followTime)
	defer cancel()
	follows, err := iceberg.Follows(ctx, s.Clinic)
	if err != nil || !follows {
		return nil, storage("looking for Iceberg tables", err)
	}
	return s.Describe(ctx, iceberg.Options{})
}
