package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms"
	"github.com/falloff-analytics/falloff/transforms/contract"
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
	transformer, err := transforms.New(transforms.Options{Keys: s.Keys, Settings: clinic, Account: o.Account, Identities: o.Identities})
	if err != nil {
		return nil, err
	}
	in := &landing{transformer: transformer, names: map[string]string{}, report: &Ingested{Merged: map[string]lake.Merged{}}}
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

// land merges every batch into the commit in the making.
func (in *landing) land(ctx context.Context, tx *lake.Tx, o IngestOptions, stored []byte) error {
	in.barred, in.retired = nil, nil
	if stored != nil { // they say how long what comes next is kept
		if err := tx.PutSettings(ctx, stored); err != nil {
			return err
		}
	}
	for _, b := range in.batches {
		// What we did in the portal says nothing of how far the clinic's own reports reach.
		if b.Dataset != contract.PortalActivity {
			tx.AdvanceAsOf(b.ReportDate)
		}
	}
	if err := in.readBarred(ctx, tx); err != nil {
		return err
	}
	for _, merge := range []func() error{
		func() error {
			return upsert(ctx, tx, lake.Appointments, in, o, func(b *transforms.Batch) []contract.Appointment { return b.Appointments })
		},
		func() error {
			return upsert(ctx, tx, lake.InvoiceLines, in, o, func(b *transforms.Batch) []contract.InvoiceLine { return b.InvoiceLines })
		},
		func() error {
			return upsert(ctx, tx, lake.Claims, in, o, func(b *transforms.Batch) []contract.Claim { return b.Claims })
		},
		func() error {
			return upsert(ctx, tx, lake.Policies, in, o, func(b *transforms.Batch) []contract.Policy { return b.Policies })
		},
		func() error { return in.landHours(ctx, tx, o) },
		func() error { return in.landMoney(ctx, tx, o) },
		func() error {
			return upsert(ctx, tx, lake.UnscheduledPatients, in, o, func(b *transforms.Batch) []contract.UnscheduledPatient { return b.Unscheduled })
		},
		func() error {
			return upsert(ctx, tx, lake.PortalActivity, in, o, func(b *transforms.Batch) []contract.Activity { return b.Activity })
		},
		func() error { return in.landIdentities(ctx, tx) },
	} {
		// On a full disk one error says it all.
		if err := merge(); err != nil {
			return err
		}
	}
	in.countQuarantine(tx)
	if err := in.noteRanges(tx); err != nil {
		return err
	}
	return in.nameInsurers(ctx, tx)
}

// upsert merges the rows of one dataset, from all files at once.
func upsert[T contract.Row](ctx context.Context, tx *lake.Tx, table lake.Table[T], in *landing, o IngestOptions,
	rowsOf func(*transforms.Batch) []T,
) error {
	var rows []T
	var covers []lake.Cover
	var newest civil.Date
	found, total := false, 0
	for _, b := range in.batches {
		total += len(rowsOf(b))
	}
	for _, b := range in.batches {
		if landsIn(b) != table.Name() {
			continue
		}
		found = true
		switch {
		case len(rowsOf(b)) == total:
			rows = rowsOf(b) // of one file: Upsert changes nothing in it
		case rows == nil:
			rows = make([]T, 0, total)
			fallthrough
		default:
			rows = append(rows, rowsOf(b)...)
		}
		if b.ObservedOn.After(newest) {
			newest = b.ObservedOn
		}
		if b.Complete {
			covers = append(covers, cover(table.Name(), b.Covers, b.ObservedOn))
		}
	}
	if !found {
		return nil
	}
	if !o.Covers.IsZero() {
		// The person says so today: of all that is known, unless they name a day.
		ranges, err := reportRanges(tx.Source(rangesSource))
		if err != nil {
			return err
		}
		if known := ranges[table.Name()].ObservedOn; !o.ObservedOn.IsValid() && known.After(newest) {
			newest = known
		}
		covers = append(covers, cover(table.Name(), o.Covers, newest))
	}
	rows, covers = leaveOut(in, table.Name(), rows, covers)
	result, err := lake.Upsert(ctx, tx, table, lake.Batch[T]{Rows: rows, Covers: covers})
	if err != nil {
		return err
	}
	in.report.Merged[table.Name()] = result
	return nil
}

// cover is a statement that a range is complete; datasets without days are complete as a whole.
func cover(dataset string, window extractors.Window, observed civil.Date) lake.Cover {
	if slices.Contains([]string{contract.Policies, contract.Insurers, contract.UnscheduledPatients}, dataset) {
		return lake.Cover{ObservedOn: observed}
	}
	return lake.Cover{From: window.From, To: window.To, ObservedOn: observed}
}

// retiredReason counts rows that were left out because they are older than the clinic keeps them; nothing is wrong with them.
const retiredReason = "retired"

// countQuarantine keeps how many rows each dataset's reports lost, by reason.
func (in *landing) countQuarantine(tx *lake.Tx) {
	counts := map[string]map[string]int64{}
	for _, b := range in.batches {
		dataset := landsIn(b)
		if counts[dataset] == nil {
			counts[dataset] = map[string]int64{}
		}
		for _, q := range b.Quarantine {
			counts[dataset][q.Column+": "+string(q.Reason)]++
		}
	}
	for dataset, rows := range in.retired {
		if rows > 0 {
			counts[dataset][retiredReason] = rows
		}
	}
	for dataset, reasons := range counts {
		tx.SetQuarantine(dataset, reasons)
	}
}

// rangesSource is the checkpoint that keeps which days each dataset's reports were about.
const rangesSource = "report_ranges"

// reportRange is the days that a dataset's reports were about, complete or not, and the newest day whose end they show.
type reportRange struct {
	From       civil.Date `json:"from,omitzero"`
	To         civil.Date `json:"to,omitzero"`
	ObservedOn civil.Date `json:"observed_on,omitzero"`
}

// reportRanges reads the checkpoint, by dataset.
func reportRanges(checkpoint json.RawMessage) (map[string]reportRange, error) {
	ranges := map[string]reportRange{}
	if checkpoint == nil {
		return ranges, nil
	}
	if err := json.Unmarshal(checkpoint, &ranges); err != nil {
		return nil, fmt.Errorf("reading which days the reports were about: %w", err)
	}
	return ranges, nil
}

// noteRanges widens the checkpoint by this ingest's reports.
func (in *landing) noteRanges(tx *lake.Tx) error {
	ranges, err := reportRanges(tx.Source(rangesSource))
	if err != nil {
		return err
	}
	for _, b := range in.batches {
		r := ranges[landsIn(b)]
		from := b.Covers.From
		if first, barred := in.barred[landsIn(b)]; barred && from.IsValid() {
			from = later(from, contract.DateOf(first))
		}
		if from.IsValid() && (!r.From.IsValid() || from.Before(r.From)) {
			r.From = from
		}
		if b.Covers.To.After(r.To) {
			r.To = b.Covers.To
		}
		if b.ObservedOn.After(r.ObservedOn) {
			r.ObservedOn = b.ObservedOn
		}
		ranges[landsIn(b)] = r
	}
	return tx.SetSource(rangesSource, ranges)
}

// nameInsurers decides which payers may be kept by name: those that claims, policies or the settings list, and that
// enough patients have. It looks at the merged rows, so that the outcome does not depend on the order of imports.
func (in *landing) nameInsurers(ctx context.Context, tx *lake.Tx) error {
	snapshot := tx.Snapshot()
	for row, err := range lake.Rows(ctx, snapshot, lake.Insurers) {
		if err != nil {
			return err
		}
		transforms.MergePayerNames(in.names, map[string]string{row.PayerID: row.Name})
	}
	patients := payerPatients{}
	for _, pairs := range []iter.Seq2[[2]string, error]{
		lake.Pairs(ctx, snapshot, lake.InvoiceLines, "payer_id", "patient"),
		lake.Pairs(ctx, snapshot, lake.Claims, "payer_id", "patient"),
		lake.Pairs(ctx, snapshot, lake.Policies, "payer_id", "patient"),
	} {
		for pair, err := range pairs {
			if err != nil {
				return err
			}
			patients.add(pair[0], pair[1])
		}
	}
	counts := make(map[string]int, len(patients))
	for id, set := range patients {
		counts[id] = len(set)
	}
	observed := tx.AsOf()
	if !observed.IsValid() {
		return nil
	}
	rows := in.transformer.Insurers(in.names, counts, observed)
	_, err := lake.Upsert(ctx, tx, lake.Insurers, lake.Batch[contract.Insurer]{Rows: rows, Covers: []lake.Cover{{ObservedOn: observed}}})
	return err
}

// payerPatients are the patients of each payer.
type payerPatients map[string]map[string]struct{}

func (p payerPatients) add(payer, patient string) {
	if payer == "" || patient == "" {
		return
	}
	if p[payer] == nil {
		p[payer] = map[string]struct{}{}
	}
	p[payer][patient] = struct{}{}
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
