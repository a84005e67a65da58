package pipeline

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// IngestOptions say how reports are taken in.
type IngestOptions struct {
	// Source names where the reports come from in the commit's checkpoints.
	Source string
	// Settings is the clinic's clinic.yaml; nil takes the one in the lake.
	Settings *settings.Clinic
	// Covers says that the reports hold every row of that range; zero leaves it to each report.
	Covers extractors.Window
	// ObservedOn is the report date of every report; zero leaves it to each report.
	ObservedOn civil.Date
	// Account is the name of the account that the reports were taken with: of the portal's activity log only its lines land.
	Account string
	// Identities lands first names and the portal's identifiers of patients too (the clinic's recovery mode).
	Identities bool
	// Skip is told of a file that is no report, and why; such files are left out. Nil makes one an error.
	Skip     func(name, why string)
	Progress Progress
}

// Ingested says what came in.
type Ingested struct {
	Commit  int64      `json:"commit"`
	AsOf    civil.Date `json:"as_of,omitzero"`
	Changed bool       `json:"changed"`
	Files   []File     `json:"files"`
	// Merged is by dataset.
	Merged map[string]lake.Merged `json:"merged"`
}

// File is one report that was read.
type File struct {
	Name        string     `json:"name"`
	Dataset     string     `json:"dataset"`
	Rows        int        `json:"rows"`
	Quarantined int        `json:"quarantined"`
	Dropped     []string   `json:"dropped_headers,omitempty"`
	Forbidden   int        `json:"forbidden_cells"`
	ObservedOn  civil.Date `json:"observed_on"`
	// FirstQuarantined says in words what was wrong with the first quarantined row; it holds nothing of the row.
	FirstQuarantined string `json:"first_quarantined,omitempty"`
}

// landing gathers the batches of one ingest.
type landing struct {
	site        *Site
	transformer *transforms.Transformer
	batches     []*transforms.Batch
	// expected is how many files there are, 0 where the source cannot say; seen is how many were looked at.
	expected, seen int64
	names          map[string]string // payer id → name, in memory only
	// barred are the first days that land, by dataset, retired counts what was older.
	barred  map[string]int32
	retired map[string]int64
	report  *Ingested
}

// Ingest reads every report of the source and lands them in one commit: all, or nothing of them.
func (s *Site) Ingest(ctx context.Context, source extractors.Source, o IngestOptions) (*Ingested, error) {
	progress := o.Progress.orSilent()
	if o.Identities && !s.recovery {
		return nil, refused("", errors.New("first names are stored in recovery mode only, where they have a key of their own: see falloff identity-mode"))
	}
	clinic, stored, err := s.clinicSettings(ctx, o.Settings)
	if err != nil {
		return nil, err
	}
	erased, err := s.erasedBefore(ctx)
	if err != nil {
		return nil, err
	}
	transformer, err := transforms.New(transforms.Options{Keys: s.Keys, Settings: clinic, Account: o.Account, Identities: o.Identities, Erased: erased})
	if err != nil {
		return nil, err
	}
	in := &landing{site: s, transformer: transformer, names: map[string]string{}, report: &Ingested{Merged: map[string]lake.Merged{}}}
	if listed, ok := source.(interface{ Files() []string }); ok {
		in.expected = int64(len(listed.Files()))
	}
	progress(Step{Name: "read", Total: in.expected})
	if err := source.Reports(ctx, func(report extractors.Report) error { return in.read(ctx, report, o, progress) }); err != nil {
		return nil, sourceFailed(ctx, err)
	}
	if len(in.batches) == 0 {
		return nil, refused("", errors.New("no report was found: docs/import.md says which files are reports, and by which headers they are known"))
	}
	progress(Step{Name: "read", Ended: true, Note: in.summary()})
	progress(Step{Name: "land"})
	held, err := s.holdIdentities(ctx, o)
	if err != nil {
		return nil, err
	}
	defer held.release(ctx)
	var before int64
	commit, err := s.Clinic.Update(ctx, lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
		before = 0
		if tx.Head() != nil {
			before = tx.Head().Number
		}
		if err := held.still(ctx); err != nil {
			return err
		}
		if err := in.land(ctx, tx, o, stored); err != nil {
			return err
		}
		if tx.SameAsHead() {
			return lake.ErrUnchanged
		}
		return nil
	})
	if _, busy := errors.AsType[*BusyError](err); busy {
		return nil, err
	}
	if err != nil {
		return nil, storage("landing the reports", err)
	}
	in.report.Commit, in.report.AsOf, in.report.Changed = commit.Number, commit.AsOf, commit.Number != before
	note := fmt.Sprintf("commit %d, reports show %s", commit.Number, commit.AsOf)
	if !in.report.Changed {
		note = fmt.Sprintf("nothing new, commit %d stands", commit.Number)
	}
	progress(Step{Name: "land", Ended: true, Note: note})
	return in.report, nil
}

// sourceFailed keeps errors that a caller decides on, and makes a refusal of every other.
func sourceFailed(ctx context.Context, err error) error {
	var failure *extractors.Failure
	var refusal *RefusedError
	if ctx.Err() != nil || errors.As(err, &failure) || errors.As(err, &refusal) {
		return err
	}
	return refused("", err)
}

// clinicSettings gives the settings to read with, and their stored form when they were given anew.
func (s *Site) clinicSettings(ctx context.Context, given *settings.Clinic) (settings.Clinic, []byte, error) {
	if given != nil {
		if err := s.resides(ctx, *given); err != nil {
			return settings.Clinic{}, nil, err
		}
		body, err := given.JSON()
		return *given, body, err
	}
	head, err := s.Clinic.Head(ctx)
	if errors.Is(err, lake.ErrNoCommit) {
		return settings.Clinic{}, nil, refused("", errors.New("no clinic.yaml: put one into the folder, or name it with --settings; docs/import.md says what goes in"))
	}
	if err != nil {
		return settings.Clinic{}, nil, storage("reading the lake", err)
	}
	clinic, err := s.settings(ctx, s.Clinic.Snapshot(head))
	if err == nil {
		err = s.resides(ctx, clinic)
	}
	return clinic, nil, err
}

// read makes a batch of one report.
func (in *landing) read(ctx context.Context, report extractors.Report, o IngestOptions, progress Progress) error {
	if o.ObservedOn.IsValid() {
		report.ObservedOn = o.ObservedOn
	}
	in.seen++
	batch, err := in.transformer.Read(ctx, report)
	if errors.Is(err, transforms.ErrNotAReport) && o.Skip != nil {
		o.Skip(report.Name, "its header is not that of a report")
		return nil
	}
	if err != nil {
		return sourceFailed(ctx, err)
	}
	in.add(batch)
	progress(Step{Name: "read", Done: in.seen, Total: in.expected, Note: path.Base(batch.File)})
	return nil
}

// add takes a batch in.
func (in *landing) add(batch *transforms.Batch) {
	in.batches = append(in.batches, batch)
	transforms.MergePayerNames(in.names, batch.PayerNames)
	f := File{Name: batch.File, Dataset: landsIn(batch), Rows: batch.Rows, Quarantined: len(batch.Quarantine),
		Forbidden: batch.ForbiddenCells, ObservedOn: batch.ObservedOn}
	for _, d := range batch.Dropped {
		f.Dropped = append(f.Dropped, d.Header)
	}
	if f.Quarantined > 0 {
		f.FirstQuarantined = batch.Quarantine[0].String()
	}
	in.report.Files = append(in.report.Files, f)
}

// summary says in a line what was read.
func (in *landing) summary() string {
	rows, quarantined := 0, 0
	for _, f := range in.report.Files {
		rows += f.Rows
		quarantined += f.Quarantined
	}
	note := counted(rows, "row") + " of " + counted(len(in.report.Files), "report")
	if quarantined > 0 {
		note += fmt.Sprintf(", %d of them quarantined", quarantined)
	}
	return note
}

// counted is a number of things in words.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// DroppedHeaders lists the headers that were not taken, of all files, without repeats.
func (r *Ingested) DroppedHeaders() string {
	seen := map[string]bool{}
	var out []string
	for _, f := range r.Files {
		for _, h := range f.Dropped {
			if !seen[h] {
				seen[h] = true
				out = append(out, h)
			}
		}
	}
	return strings.Join(out, ", ")
}
