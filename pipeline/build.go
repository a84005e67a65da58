package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/models"
)

// BuildOptions say what to build.
type BuildOptions struct {
	// AsOf is the day D; zero means the newest day that the landed reports show.
	AsOf     civil.Date
	Threads  int
	Progress Progress
}

// Built says what a build made.
type Built struct {
	// Commit is the commit that shows the marts, Input the one they were made from.
	Commit int64            `json:"commit"`
	Input  int64            `json:"input"`
	AsOf   civil.Date       `json:"as_of"`
	Marts  map[string]int64 `json:"marts"`
	// Warnings are the checks that the marts do not keep, and that do not keep them from being published.
	Warnings []string `json:"warnings,omitempty"`
}

// Build builds the models over what has landed and commits the marts. Where the newest commit changes meanwhile, it builds
// again over that one.
func (s *Site) Build(ctx context.Context, o BuildOptions) (*Built, error) {
	progress := o.Progress.orSilent()
	for {
		head, err := s.Clinic.Head(ctx)
		if err != nil {
			return nil, storage("looking for what to build from", err)
		}
		if err := s.mayFollow(head); err != nil {
			return nil, err
		}
		built, err := s.buildFrom(ctx, head, o, progress)
		if errors.Is(err, errOvertaken) {
			continue
		}
		return built, err
	}
}

// errOvertaken says that another run committed data while this one was building.
var errOvertaken = errors.New("newer data was committed meanwhile")

func (s *Site) buildFrom(ctx context.Context, head *lake.Commit, o BuildOptions, progress Progress) (*Built, error) {
	progress(Step{Name: "build"})
	snapshot := s.Clinic.Snapshot(head)
	clinic, err := s.settings(ctx, snapshot)
	if err != nil {
		return nil, err
	}
	asOf := o.AsOf
	if !asOf.IsValid() {
		asOf = head.AsOf
	}
	if !asOf.IsValid() {
		return nil, refused("building", errors.New("no report says which day it shows; say it with --as-of"))
	}
	if err := s.mayCache(ctx, snapshot); err != nil {
		return nil, err
	}
	datasets, err := models.Datasets()
	if err != nil {
		return nil, fmt.Errorf("finding what the models read: %w", err)
	}
	local, err := snapshot.Materialise(ctx, lake.Want{Datasets: datasets, Marts: []string{}})
	if err != nil {
		return nil, storage("reading the lake", err)
	}
	defer func() { _ = local.Close() }()
	months, err := readClosings(ctx, snapshot)
	if err != nil {
		return nil, err
	}
	in := models.Inputs{Tables: local.Datasets, Keys: local.Keys, Settings: clinic, AsOf: asOf, HistoryFrom: historyFrom(head), Covered: covered(head), Threads: o.Threads}
	found, err := s.compareClosings(ctx, head, months, in)
	var result *models.Result
	if err == nil {
		in.Closed, in.Restatements = modelInputs(months)
		result, err = models.Build(ctx, in)
	}
	if err != nil {
		if damaged := damage(ctx, snapshot, err); damaged != nil {
			return nil, damaged
		}
		return nil, fmt.Errorf("building the models over commit %d: %w", head.Number, err)
	}
	built := &Built{Input: dataCommit(head), AsOf: asOf, Marts: map[string]int64{}}
	for _, m := range result.Marts {
		built.Marts[m.Name] = m.Rows
	}
	for _, w := range result.Warnings {
		built.Warnings = append(built.Warnings, w.Error())
		progress(Step{Name: "build", Note: w.Error()})
	}
	commit, err := s.Clinic.Update(ctx, lake.Build, func(ctx context.Context, tx *lake.Tx) error {
		if tx.Head().Number != head.Number {
			return errOvertaken
		}
		changed, err := noteCompared(ctx, tx, found)
		if err != nil {
			return err
		}
		for _, m := range result.Marts {
			if err := tx.PutMart(ctx, m.Name, m.Parquet, built.Input, asOf); err != nil {
				return err
			}
		}
		after := tx.Marts()
		for name := range head.Marts {
			if _, made := result.Mart(name); !made {
				tx.DropMart(name)
				changed = true
			}
		}
		if !changed && maps.Equal(paths(head.Marts), paths(after)) {
			return lake.ErrUnchanged
		}
		return nil
	})
	if err != nil {
		if errors.Is(err, errOvertaken) {
			return nil, err
		}
		return nil, storage("committing the marts", err)
	}
	built.Commit = commit.Number
	progress(Step{Name: "build", Ended: true, Note: fmt.Sprintf("%d marts as of %s, commit %d", len(built.Marts), asOf, commit.Number)})
	return built, nil
}

// paths are the marts' objects with the day they speak about.
func paths(marts map[string]lake.Mart) map[string]string {
	out := map[string]string{}
	for name, m := range marts {
		out[name] = m.Path + " " + m.AsOf.String()
	}
	return out
}

// dataCommit is the number of the commit that last brought data: what marts are made from. A build commit carries the same
// data on, and its marts name it.
func dataCommit(head *lake.Commit) int64 {
	switch head.Kind {
	case lake.Build:
		for _, m := range head.Marts {
			return m.Input
		}
	case Access, lake.Close, lake.Encrypting:
		return carriedData(head)
	}
	return head.Number
}

// historyFrom is the first day that a complete report covered, zero where none was.
func historyFrom(head *lake.Commit) civil.Date { return coveredFrom(head, contract.Appointments) }

func coveredFrom(head *lake.Commit, dataset string) civil.Date {
	var first civil.Date
	for _, c := range head.Datasets[dataset].Covers {
		if c.From.IsValid() && (!first.IsValid() || c.From.Before(first)) {
			first = c.From
		}
	}
	return first
}

// covered is the first day that a dataset's complete reports cover, for those of which one is known.
func covered(head *lake.Commit) map[string]civil.Date {
	out := map[string]civil.Date{}
	for dataset := range head.Datasets {
		if first := coveredFrom(head, dataset); first.IsValid() {
			out[dataset] = first
		}
	}
	return out
}

// Settings reads the clinic's settings as the newest commit has them.
func (s *Site) Settings(ctx context.Context) (settings.Clinic, error) {
	clinic, _, err := s.clinicSettings(ctx, nil)
	return clinic, err
}

// settings reads the clinic's settings of a snapshot.
func (s *Site) settings(ctx context.Context, snapshot *lake.Snapshot) (settings.Clinic, error) {
	body, err := snapshot.Settings(ctx)
	if err != nil {
		return settings.Clinic{}, storage("reading the clinic's settings", err)
	}
	if body == nil {
		return settings.Clinic{}, refused("reading the clinic's settings",
			errors.New("the lake has none: give a clinic.yaml to falloff run or falloff import with --settings (docs/import.md says what goes in)"))
	}
	return settings.FromJSON(body)
}

// sortedKeys are a map's keys in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
