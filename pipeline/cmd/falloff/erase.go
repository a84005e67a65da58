package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/backup"
	"github.com/falloff-analytics/falloff/transforms/identity"
)

// entityPatient is what the audit log calls a patient; which one only a keyed hash says.
const entityPatient = "patient"

// erasePatient erases one patient from a clinic.
func (a *app) erasePatient(ctx context.Context, f deleteFlags) error {
	switch {
	case f.patient != "" && f.guid:
		return usagef("--patient and --guid both say who: give one of them")
	case f.scheduleKMSKey != "":
		return usagef("--schedule-kms-key is for a whole clinic")
	case f.patient != "" && identity.VersionOf(f.patient) == 0:
		return usagef("--patient takes a pseudonym, such as p1_ and 26 letters and digits; the portal's own id goes to standard input, with --guid")
	}
	k, err := a.kept(ctx)
	if err != nil {
		return err
	}
	named := slices.Compact(slices.Sorted(slices.Values(slices.Concat(f.backups, a.file.Backups))))
	if len(named) == 0 && !f.noBackups {
		return usagef("no backups: name the stores that have any with --backup, or say --no-backups. A backup that is not named still has the patient")
	}
	o := pipeline.ErasePatientOptions{Pseudonym: f.patient}
	if o.Backups, err = openPlaces(ctx, "--backup", named); err != nil {
		return err
	}
	site, err := pipeline.OpenExistingSite(ctx, k.options)
	if err != nil {
		return err
	}
	word := f.patient
	if f.guid {
		word = k.options.Clinic
	}
	switch {
	case f.confirm != "" && f.confirm != word:
		return usagef("nothing was done: --confirm is not %s", word)
	case f.confirm == "" && f.guid:
		return usagef("nothing was done: confirm with --confirm %s, since standard input has the patient's id", word)
	case f.confirm == "":
		what := fmt.Sprintf("All rows of this patient of clinic %s in %s are erased for good, from every snapshot and %d stores of backups", k.options.Clinic, k.store, len(named))
		if err := a.confirm(what, word); err != nil {
			return err
		}
	}
	if f.guid {
		lines, err := a.secretLines(1)
		if err != nil {
			return err
		}
		o.SourceID = lines[0]
		defer o.SourceID.Wipe()
	}
	o.Record = func(ctx context.Context, patient string, ended *pipeline.ErasedPatient) error {
		if ended == nil {
			return k.record(ctx, audit.PatientErasureStarted, entityPatient, nil, audit.Fields{"patient": patient, "stores": 1 + len(named)})
		}
		rows := int64(0)
		for _, n := range ended.Rows {
			rows += n
		}
		return k.record(ctx, audit.PatientErasureEnded, entityPatient, nil, audit.Fields{
			"patient": patient, "objects": ended.Objects, "rows": rows, "snapshots": ended.Snapshots, "versions": ended.Versions, "searched": ended.Proven,
		})
	}
	var stop func()
	o.Progress, stop = a.progress()
	erased, err := site.ErasePatient(ctx, o)
	stop()
	if err != nil {
		return err
	}
	return a.printErased(erased)
}

func (a *app) printErased(e *pipeline.ErasedPatient) error {
	if a.json {
		return json.NewEncoder(a.stdout).Encode(e)
	}
	var rows [][]any
	for _, name := range slices.Sorted(maps.Keys(e.Rows)) {
		rows = append(rows, []any{name, e.Rows[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(e.Marts)) {
		rows = append(rows, []any{"mart " + name, e.Marts[name]})
	}
	if len(rows) > 0 {
		if err := printTable(a.stdout, []string{"dataset", "rows erased"}, rows); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(a.stdout); err != nil {
			return err
		}
	}
	total := backup.Erased{}
	for _, b := range e.Backups {
		total.Backups, total.Rewritten = total.Backups+b.Backups, total.Rewritten+b.Rewritten
		total.Removed, total.Versions = total.Removed+b.Removed, total.Versions+b.Versions
	}
	_, err := fmt.Fprintf(a.stdout, "snapshots  %d had rows of the patient; commit %d has none\nobjects    %d rewritten of %d, %d that no commit named removed\n"+
		"versions   %d earlier ones removed\nbackups    %d of %d rewritten, %d objects removed, %d earlier versions\nproof      %d objects read again: nothing of the patient is left\n",
		e.Snapshots, e.Commit, e.Objects, e.Searched, e.Unnamed, e.Versions, total.Rewritten, total.Backups, total.Removed, total.Versions, e.Proven)
	return err
}
