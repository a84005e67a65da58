package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/warehouse/dictionary"
	"github.com/falloff-analytics/falloff/warehouse/export"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/models"
)

// BuildTo builds marts over the newest commit that was made by then (the newest of all for the zero time) and writes them into a
// folder that is not there, or empty, as Parquet in the open. The lake stays as it is. confirmed is asked before anything is written.
func (s *Site) BuildTo(ctx context.Context, o BuildOptions, knownAt time.Time, out string, confirmed func(commit int64, asOf civil.Date) error) (*export.Manifest, error) {
	progress := o.Progress.orSilent()
	head, err := s.knownAt(ctx, knownAt)
	if err != nil {
		return nil, err
	}
	m, err := s.manifest(head, ExportOptions{Form: export.Parquet})
	if err != nil {
		return nil, err
	}
	m.Sources, m.Quarantine = nil, nil
	folder, _, err := export.Create(out)
	if err != nil {
		return nil, refused("", err)
	}
	defer folder.Discard()
	progress(Step{Name: "build"})
	b, err := s.beginBuild(ctx, head, o)
	if err != nil {
		return nil, err
	}
	if _, err := b.compareClosings(ctx); err != nil {
		return nil, err
	}
	if b.made, err = models.WhatMakes(b.in); err != nil {
		return nil, fmt.Errorf("reading the models: %w", err)
	}
	selected, err := models.Select(o.Select)
	if err != nil {
		return nil, refused("choosing what to build", err)
	}
	result, err := b.make(ctx, selected)
	if err != nil {
		return nil, err
	}
	if err := confirmed(head.Number, b.in.AsOf); err != nil {
		return nil, err
	}
	if err := writeMarts(folder, m, result.Marts, b.in.AsOf); err != nil {
		return nil, refused("writing the marts", err)
	}
	for name := range head.Datasets {
		m.LeftOut[name] = "the marts alone were asked for"
	}
	described, err := dictionary.Tables(ctx)
	if err != nil {
		return nil, err
	}
	described = slices.DeleteFunc(described, func(t dictionary.Table) bool { _, made := m.Marts[t.Name]; return !made })
	if err := folder.Finish(m, described); err != nil {
		return nil, refused("writing the marts", err)
	}
	progress(Step{Name: "build", Ended: true, Note: fmt.Sprintf("%d marts as of %s over commit %d, in %s", len(m.Marts), b.in.AsOf, head.Number, out)})
	return m, nil
}

func writeMarts(folder *export.Folder, m *export.Manifest, marts []models.Mart, asOf civil.Date) error {
	m.Marts = map[string]export.Mart{}
	for _, mart := range marts {
		name := "marts/" + mart.Name + ".parquet"
		path, err := folder.Path(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, mart.Parquet, 0o600); err != nil {
			return err
		}
		file, err := folder.Adopt(name, mart.Rows)
		if err != nil {
			return err
		}
		m.Marts[mart.Name] = export.Mart{File: file, AsOf: asOf, Current: true}
	}
	return nil
}

// knownAt is the newest commit that was made by a moment; the newest of all for the zero time.
func (s *Site) knownAt(ctx context.Context, then time.Time) (*lake.Commit, error) {
	doing := "looking for what was known at " + then.UTC().Format(time.RFC3339)
	if then.IsZero() {
		head, err := s.Clinic.Head(ctx)
		return head, storage("looking for what to build from", err)
	}
	numbers, err := s.Clinic.Numbers(ctx)
	if err != nil {
		return nil, storage(doing, err)
	}
	slices.Sort(numbers)
	var oldest *lake.Commit
	for _, number := range slices.Backward(numbers) {
		commit, err := s.Clinic.At(ctx, number)
		if errors.Is(err, lake.ErrNoCommit) {
			continue
		}
		if err != nil {
			return nil, storage(doing, err)
		}
		if !commit.CreatedAt.After(then) {
			return commit, nil
		}
		oldest = commit
	}
	if oldest == nil {
		return nil, refused(doing, lake.ErrNoCommit)
	}
	return nil, refused(doing, fmt.Errorf("the oldest commit that is kept, %d, is of %s", oldest.Number, oldest.CreatedAt.UTC().Format(time.RFC3339)))
}
