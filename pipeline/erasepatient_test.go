package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/secret"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// someVisitor is the pseudonym of a patient with visits and invoices, of the newest commit.
func someVisitor(t *testing.T, site *pipeline.Site) string {
	t.Helper()
	head, err := site.Clinic.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range lake.Rows(t.Context(), site.Clinic.Snapshot(head), lake.InvoiceLines) {
		if err != nil {
			t.Fatal(err)
		}
		return row.Patient
	}
	t.Fatal("there is nobody")
	return ""
}

// visits counts a patient's appointments in the newest commit, and all there are.
func visits(t *testing.T, site *pipeline.Site, patient string) (theirs, all int) {
	t.Helper()
	head, err := site.Clinic.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range lake.Rows(t.Context(), site.Clinic.Snapshot(head), lake.Appointments) {
		if err != nil {
			t.Fatal(err)
		}
		all++
		if row.PatientRef() == patient {
			theirs++
		}
	}
	return theirs, all
}

func unrecorded(context.Context, string, *pipeline.ErasedPatient) error { return nil }

// openAgain opens the clinic as the next process does.
func openAgain(t *testing.T, store lake.Store, o pipeline.SiteOptions) *pipeline.Site {
	t.Helper()
	site, err := pipeline.OpenSiteOn(t.Context(), store, o)
	if err != nil {
		t.Fatal(err)
	}
	return site
}

// A patient is erased from commits and backups from before and after a rekey, known by the newest pseudonym alone, and stays away
// after the next rekey too, without any other row being missed.
func TestErasePatient(t *testing.T) {
	ctx, s := t.Context(), smallReports(t)
	store, second, o := &storetest.Memory{}, &storetest.Memory{}, pipeline.SiteOptions{Clinic: "harbour", ConfigDir: t.TempDir()}
	site := openAgain(t, store, o)
	land(t, site, s)
	first := someVisitor(t, site)
	if _, err := site.Backup(ctx, storeAt{second, "second"}, pipeline.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Rekey(ctx, nil); err != nil {
		t.Fatal(err)
	}
	next, err := site.Keys.Next(identity.Patient, first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := site.Backup(ctx, storeAt{second, "second"}, pipeline.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	theirs, all := visits(t, site, next)
	var recorded []string
	done, err := site.ErasePatient(ctx, pipeline.ErasePatientOptions{
		Pseudonym: next, Backups: map[string]lake.Store{"second": storeAt{second, "second"}},
		Record: func(_ context.Context, patient string, _ *pipeline.ErasedPatient) error {
			recorded = append(recorded, patient)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if theirs == 0 || done.Snapshots != 2 || done.Backups["second"].Rewritten != 2 || done.Backups["second"].Removed == 0 || len(recorded) != 2 || strings.Contains(recorded[0], next[3:]) {
		t.Errorf("%d visits, %+v, %+v, %q", theirs, done, done.Backups["second"], recorded)
	}
	if left, others := visits(t, site, next); left != 0 || others != all-theirs {
		t.Errorf("%d of %d visits are left, %d were theirs of %d", left, others, theirs, all)
	}
	for _, text := range []string{first, next} {
		if _, err := site.Clinic.ProveErased(ctx, []string{text}); err != nil {
			t.Error(err)
		}
	}
	for version := 2; version <= 3; version++ {
		in := land(t, site, s)
		if m := in.Merged[contract.Appointments]; m.Added != 0 || m.Changed != 0 || m.Removed != 0 {
			t.Errorf("version %d: the same reports changed %+v", version, m)
		}
		status, err := site.Status(ctx)
		if err != nil || status.Quarantine[contract.Appointments]["erased"] != int64(theirs) || status.Erasing {
			t.Errorf("version %d: %v, %v", version, status.Quarantine, err)
		}
		if _, err := site.Rekey(ctx, nil); err != nil {
			t.Fatal(err)
		}
	}
	verified, err := site.Clinic.Verify(ctx, lake.VerifyOptions{All: true})
	if err != nil || len(verified.Findings) > 0 {
		t.Errorf("%+v, %v", verified, err)
	}
}

// storeAt is a store with a name of its own.
type storeAt struct {
	lake.Store

	at string
}

func (s storeAt) String() string { return s.at }

// A killed erasure says so, keeps runs and imports away, and is gone on with; by the portal's own id as well. No second one begins.
func TestAnErasureThatWasCutShort(t *testing.T) {
	ctx, s := t.Context(), smallReports(t)
	origin, o := &storetest.Memory{}, pipeline.SiteOptions{Clinic: "harbour", ConfigDir: t.TempDir()}
	site := openAgain(t, origin, o)
	land(t, site, s)
	second := &storetest.Memory{}
	if _, err := site.Backup(ctx, storeAt{second, "second"}, pipeline.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	patient := someVisitor(t, site)
	copyOf := func(from *storetest.Memory) *storetest.Memory {
		out := &storetest.Memory{}
		for _, name := range storetest.Names(t, from, "") {
			body, err := from.Get(ctx, name)
			if err == nil {
				err = out.Create(ctx, name, body)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	erase := func(site *pipeline.Site, backups lake.Store) error {
		_, err := site.ErasePatient(ctx, pipeline.ErasePatientOptions{Pseudonym: patient, Record: unrecorded,
			Backups: map[string]lake.Store{"second": storeAt{backups, "second"}}})
		return err
	}
	// How many requests there are, of either store.
	lakeCalls, backupCalls := &storetest.Faulty{Store: copyOf(origin)}, &storetest.Faulty{Store: copyOf(second)}
	counted := openAgain(t, lakeCalls, o)
	before := lakeCalls.Calls()
	if err := erase(counted, backupCalls); err != nil {
		t.Fatal(err)
	}
	during, unfinished := lakeCalls.Calls()-before, 0
	cut := func(where string, inLake, inBackup int, fault storetest.Fault) {
		lakeStore, backups := copyOf(origin), copyOf(second)
		opened := &storetest.Faulty{Store: lakeStore}
		site := openAgain(t, opened, o)
		if inLake > 0 {
			opened.Fail, opened.Dead, opened.Fault = opened.Calls()+inLake, true, fault
		}
		if err := erase(site, &storetest.Faulty{Store: backups, Fail: inBackup, Dead: true, Fault: fault}); err == nil && inBackup > 0 {
			t.Errorf("%s: it did not fail", where)
		}
		// The machine is another: the lease of the killed process is nobody's.
		resumed := pipeline.AsProcess(openAgain(t, lakeStore, o), 1<<30)
		for _, free := range []func(context.Context, *pipeline.Site, pipeline.Lease) error{pipeline.HoldLease, pipeline.HoldBackups} {
			if err := free(ctx, resumed, pipeline.Lease{}); err != nil {
				t.Fatal(err)
			}
		}
		status, err := resumed.Status(ctx)
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		if status.Erasing {
			unfinished++
			_, err := resumed.Ingest(ctx, s.reports, pipeline.IngestOptions{Source: "test", Settings: &s.typed})
			if _, begun := errors.AsType[pipeline.UnfinishedErasureError](err); !begun {
				t.Errorf("%s: an import: %v", where, err)
			}
			_, err = resumed.Backup(ctx, storeAt{backups, "second"}, pipeline.BackupOptions{})
			if _, begun := errors.AsType[pipeline.UnfinishedErasureError](err); !begun {
				t.Errorf("%s: a backup: %v", where, err)
			}
			if _, err := resumed.ErasePatient(ctx, pipeline.ErasePatientOptions{Pseudonym: "p1_" + strings.Repeat("a", 26), Record: unrecorded}); err == nil {
				t.Errorf("%s: the erasure of another began", where)
			}
		}
		if err := erase(resumed, backups); err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		if status, err := resumed.Status(ctx); err != nil || status.Erasing {
			t.Errorf("%s: %v, %v", where, status, err)
		}
	}
	for n := 1; n <= during; n += 1 + during/6 {
		cut(fmt.Sprintf("request %d of the lake", n), n, 0, storetest.Fault(n%2))
	}
	for n := 1; n <= backupCalls.Calls(); n += 1 + backupCalls.Calls()/6 {
		cut(fmt.Sprintf("request %d of the backups", n), 0, n, storetest.Fault(n%2))
	}
	if unfinished == 0 {
		t.Error("no erasure was found unfinished: the test proves nothing")
	}
	// What is no identifier, and no pseudonym, erases nobody.
	for _, o := range []pipeline.ErasePatientOptions{{Pseudonym: "p1_x"}, {Pseudonym: "p7_" + strings.Repeat("a", 26)}, {SourceID: secret.FromText("")}} {
		o.Record = unrecorded
		if _, err := site.ErasePatient(ctx, o); err == nil {
			t.Errorf("%q was erased", o.Pseudonym)
		}
	}
}

// A bucket that keeps every version keeps none with the patient.
func TestErasePatientVersions(t *testing.T) {
	ctx, s := t.Context(), smallReports(t)
	config, bucket := storetest.Gateway(t)
	client := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket: &bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	}); err != nil {
		t.Fatal(err)
	}
	store, err := lake.OpenS3(ctx, lake.S3Location{Bucket: bucket, Prefix: "falloff", Config: &config})
	if err != nil {
		t.Fatal(err)
	}
	site := openAgain(t, store, pipeline.SiteOptions{Clinic: "harbour", ConfigDir: t.TempDir()})
	land(t, site, s)
	patient := someVisitor(t, site)
	// An object that nothing names any more, and that the bucket keeps.
	head, err := site.Clinic.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	named := head.Datasets[contract.InvoiceLines].Objects[0]
	body, err := store.Get(ctx, site.Clinic.Name(named.Path))
	if err != nil {
		t.Fatal(err)
	}
	forgotten := site.Clinic.Name("data/invoice_lines/month=2020-01/" + strings.Repeat("a", 52) + ".parquet")
	if err := store.Create(ctx, forgotten, body); err != nil {
		t.Fatal(err)
	}
	if err := store.Delete(ctx, forgotten); err != nil {
		t.Fatal(err)
	}
	done, err := site.ErasePatient(ctx, pipeline.ErasePatientOptions{Pseudonym: patient, Record: unrecorded})
	if err != nil {
		t.Fatal(err)
	}
	if done.Versions == 0 || done.Objects == 0 {
		t.Errorf("%+v", done.PatientErased)
	}
	left, err := client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range left.Versions {
		if rest := strings.TrimPrefix(*v.Key, "falloff/clinic=harbour/"); (strings.HasPrefix(rest, "data/") || strings.HasPrefix(rest, "marts/")) && !*v.IsLatest {
			t.Errorf("an earlier version of %s is left", rest)
		}
	}
	verified, err := site.Clinic.Verify(ctx, lake.VerifyOptions{All: true})
	if err != nil || len(verified.Findings) > 0 {
		t.Errorf("%+v, %v", verified, err)
	}
}
