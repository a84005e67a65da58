package pipeline_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/backup"
	"github.com/falloff-analytics/falloff/pipeline/deletion"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// onceWritten is a store that does something else after the first object was written to it.
type onceWritten struct {
	lake.Store

	then func()
	told atomic.Bool
}

func (s *onceWritten) Create(ctx context.Context, name string, body []byte) error {
	err := s.Store.Create(ctx, name, body)
	if s.told.CompareAndSwap(false, true) {
		s.then()
	}
	return err
}

// demandBusy asks for a refusal that says who is at work.
func demandBusy(t *testing.T, what string, err error, who string) {
	t.Helper()
	if _, busy := errors.AsType[*pipeline.BusyError](err); !busy || !strings.Contains(err.Error(), who+" is at work on this clinic") {
		t.Errorf("%s: %v", what, err)
	}
}

// wholeBackup demands that the newest backup is whole, and says whether it holds the patient.
func wholeBackup(t *testing.T, site *pipeline.Site, store lake.Store, patient string) (holds bool) {
	t.Helper()
	view, err := pipeline.OpenBackup(t.Context(), site.Vault, store, "harbour", 0)
	if err == nil {
		err = view.Verify(t.Context(), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	o := pipeline.SiteOptions{Clinic: "harbour", Vault: site.Vault}
	theirs, all := visits(t, openAgain(t, view, o), patient)
	if all == 0 {
		t.Error("the backup holds no visits")
	}
	return theirs > 0
}

// While a backup is made nobody is erased and nothing deleted, nor is another made; what was refused goes through afterwards.
func TestNothingIsErasedDuringABackup(t *testing.T) {
	ctx, s := t.Context(), smallReports(t)
	store, o := &storetest.Memory{}, pipeline.SiteOptions{Clinic: "harbour", ConfigDir: t.TempDir()}
	site := openAgain(t, store, o)
	land(t, site, s)
	patient := someVisitor(t, site)
	second := storeAt{&storetest.Memory{}, "second"}
	stores := map[string]lake.Store{"second": second}
	erase := pipeline.ErasePatientOptions{Pseudonym: patient, Record: unrecorded, Backups: stores}

	during := &onceWritten{Store: second, then: func() {
		_, err := openAgain(t, store, o).ErasePatient(ctx, erase)
		demandBusy(t, "an erasure", err, "a backup")
		_, err = pipeline.Delete(ctx, o, store, deleting(store, stores))
		demandBusy(t, "a deletion", err, "a backup")
		_, err = openAgain(t, store, o).Backup(ctx, storeAt{&storetest.Memory{}, "third"}, pipeline.BackupOptions{})
		demandBusy(t, "another backup", err, "a backup")
		if _, err := openAgain(t, store, o).Ingest(ctx, s.reports, pipeline.IngestOptions{Source: "test", Settings: &s.typed}); err != nil {
			t.Errorf("an import, which a backup keeps nobody from: %v", err)
		}
	}}
	if _, err := site.Backup(ctx, during, pipeline.BackupOptions{}); err != nil || !during.told.Load() {
		t.Fatalf("the backup: %v", err)
	}
	if theirs, _ := visits(t, site, patient); theirs == 0 || !wholeBackup(t, site, second, patient) {
		t.Error("something is gone that was refused to go")
	}
	if _, err := site.ErasePatient(ctx, erase); err != nil {
		t.Fatal(err)
	}
	if wholeBackup(t, site, second, patient) {
		t.Error("the backup holds the patient")
	}
	certificate, err := pipeline.Delete(ctx, o, store, deleting(store, stores))
	if err != nil {
		t.Fatal(err)
	}
	demandGone(t, store, stores, o, certificate)
}

// While a patient is erased no backup is made.
func TestNoBackupDuringAnErasure(t *testing.T) {
	ctx, s := t.Context(), smallReports(t)
	store, second := &storetest.Memory{}, storeAt{&storetest.Memory{}, "second"}
	o := pipeline.SiteOptions{Clinic: "harbour", ConfigDir: t.TempDir()}
	site := openAgain(t, store, o)
	land(t, site, s)
	patient, tried := someVisitor(t, site), 0
	if _, err := site.ErasePatient(ctx, pipeline.ErasePatientOptions{
		Pseudonym: patient, Backups: map[string]lake.Store{"second": second},
		Record: func(context.Context, string, *pipeline.ErasedPatient) error { // at its beginning and at its end
			tried++
			_, err := openAgain(t, store, o).Backup(ctx, second, pipeline.BackupOptions{})
			demandBusy(t, "a backup", err, "the erasure of a patient")
			return nil
		},
	}); err != nil || tried != 2 {
		t.Fatalf("%d, %v", tried, err)
	}
	if names := storetest.Names(t, second, ""); len(names) > 0 {
		t.Errorf("refused backups left %v", names)
	}
	if _, err := site.Backup(ctx, second, pipeline.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	if wholeBackup(t, site, second, patient) {
		t.Error("the backup holds the patient")
	}
}

// While a clinic is deleted no backup is made, also by who had opened the clinic before; nor are keys.
func TestNoBackupDuringADeletion(t *testing.T) {
	ctx, store, second := t.Context(), &storetest.Memory{}, storeAt{&storetest.Memory{}, "second"}
	o := pipeline.SiteOptions{Clinic: "harbour", ConfigDir: t.TempDir()}
	site := openAgain(t, store, o)
	land(t, site, smallReports(t))
	stores, tried := map[string]lake.Store{"second": second}, 0
	if _, err := site.Backup(ctx, second, pipeline.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	refused := func(when string) {
		_, err := site.Backup(ctx, second, pipeline.BackupOptions{})
		if barred, ok := errors.AsType[*pipeline.BarredError](err); !ok || !barred.Deleted {
			t.Errorf("a backup %s: %v", when, err)
		}
	}
	options := deleting(store, stores)
	options.Progress = func(pipeline.Step) {
		if tried++; tried == 1 {
			refused("during the deletion")
		}
	}
	certificate, err := pipeline.Delete(ctx, o, store, options)
	if err != nil || tried == 0 {
		t.Fatal(err)
	}
	demandGone(t, store, stores, o, certificate)
	refused("after it")
	if names := storetest.Names(t, second, ""); len(names) > 0 {
		t.Errorf("after the deletion came %v", names)
	}
	if known, err := site.Vault.Knows(ctx, "harbour"); err != nil || known {
		t.Errorf("keys were made again: %v, %v", known, err)
	}
}

// A backup that begins between a deletion's look and its first step keeps it from deleting, and the clinic stays open.
func TestADeletionGivesWayToABackup(t *testing.T) {
	ctx, store := t.Context(), &storetest.Memory{}
	o := pipeline.SiteOptions{Clinic: "harbour", ConfigDir: t.TempDir()}
	site := openAgain(t, store, o)
	land(t, site, smallReports(t))
	options := deleting(store, nil)
	now := time.Now()
	options.Record = func(ctx context.Context, _ string, ended *deletion.Certificate, _ string) error {
		if ended != nil {
			t.Error("it was deleted")
		}
		return pipeline.HoldBackups(ctx, site, pipeline.Lease{Holder: "a", Host: "far", PID: 7, Machine: "far", Doing: "a backup", Since: now, Until: now.Add(time.Minute)})
	}
	_, err := pipeline.Delete(ctx, o, store, options)
	demandBusy(t, "a deletion", err, "a backup")
	if err := pipeline.HoldBackups(ctx, site, pipeline.Lease{}); err != nil {
		t.Fatal(err)
	}
	if _, err := openAgain(t, store, o).Backup(ctx, storeAt{&storetest.Memory{}, "second"}, pipeline.BackupOptions{}); err != nil {
		t.Error(err)
	}
}

// A backup whose lease was taken over meanwhile does not count.
func TestABackupThatLostItsLease(t *testing.T) {
	ctx, store, second := t.Context(), &storetest.Memory{}, storeAt{&storetest.Memory{}, "second"}
	site := openAgain(t, store, pipeline.SiteOptions{Clinic: "harbour", ConfigDir: t.TempDir()})
	land(t, site, smallReports(t))
	now := time.Now()
	thief := pipeline.Lease{Holder: "a", Host: "far", PID: 7, Machine: "far", Doing: "the erasure of a patient", Since: now, Until: now.Add(time.Minute)}
	during := &onceWritten{Store: second, then: func() {
		if err := pipeline.HoldBackups(ctx, site, thief); err != nil {
			t.Error(err)
		}
	}}
	_, err := site.Backup(ctx, during, pipeline.BackupOptions{})
	demandBusy(t, "a backup", err, "the erasure of a patient")
	if numbers, err := backup.Numbers(ctx, second, "harbour"); err != nil || slices.Contains(numbers, 1) {
		t.Errorf("it counts: %v, %v", numbers, err)
	}
}
