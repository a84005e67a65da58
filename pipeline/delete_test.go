package pipeline_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/falloff-analytics/falloff/extractors/simclinic/canary"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/backup"
	"github.com/falloff-analytics/falloff/pipeline/deletion"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// deleting are the options of a deletion that is recorded as the command records it.
func deleting(store lake.Store, backups map[string]lake.Store) pipeline.DeleteOptions {
	return pipeline.DeleteOptions{
		Backups: backups, By: "Ada Vale",
		Record: func(ctx context.Context, id string, ended *deletion.Certificate, sha256 string) error {
			e := audit.Entry{Person: "Ada Vale", Clinic: "harbour", Entity: "clinic", Action: audit.DeletionStarted, After: audit.Fields{"id": id}}
			if ended != nil {
				e.Action, e.After = audit.DeletionEnded, audit.Fields{"id": id, "certificate_sha256": sha256, "keys_destroyed": ended.KeysDestroyed}
			}
			_, err := audit.Open(store, nil).Append(ctx, e)
			return err
		},
	}
}

// demandGone holds what is left after a deletion against what may be.
func demandGone(t *testing.T, store lake.Store, backups map[string]lake.Store, o pipeline.SiteOptions, certificate *deletion.Signed) {
	t.Helper()
	for _, name := range storetest.Names(t, store, "") {
		folder, _, _ := strings.Cut(name, "/")
		if !slices.Contains([]string{"agreements", "audit", "barred", "deletions"}, folder) {
			t.Errorf("%s is left in the lake", name)
		}
	}
	for at, b := range backups {
		if names := storetest.Names(t, b, ""); len(names) > 0 {
			t.Errorf("%v are left in the backup %s", names, at)
		}
	}
	v, err := pipeline.OpenVault(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if known, err := v.Knows(t.Context(), "harbour"); known || err != nil {
		t.Errorf("the vault knows the clinic: %v, %v", known, err)
	}
	tried := slices.DeleteFunc(slices.Clone(certificate.Samples), func(s deletion.Sample) bool { return strings.HasPrefix(s.Of, "commit ") })
	if !certificate.KeysDestroyed || len(tried) != 1+len(backups) || certificate.Stores[0].Objects == 0 || certificate.EndedAt.Before(certificate.StartedAt) {
		t.Errorf("the certificate says %s", certificate.Raw)
	}
	stored, err := store.Get(t.Context(), deletion.CertificateName("harbour", certificate.ID))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pipeline.VerifyCertificate(t.Context(), stored, "", store); err != nil {
		t.Errorf("the certificate: %v", err)
	}
	_, err = pipeline.OpenSiteOn(t.Context(), store, o)
	if _, barred := errors.AsType[*pipeline.BarredError](err); !barred || !strings.Contains(err.Error(), "was deleted") {
		t.Errorf("the clinic opens: %v", err)
	}
	if _, err := audit.Open(store, nil).Verify(t.Context(), audit.Tip{}); err != nil {
		t.Errorf("the audit log: %v", err)
	}
}

// TestDeleteKilledAnywhere ends a deletion at every request to the lake and to a backup, and goes on with it.
func TestDeleteKilledAnywhere(t *testing.T) {
	ctx, config := t.Context(), filepath.Join(t.TempDir(), "config")
	o := pipeline.SiteOptions{Clinic: "harbour", ConfigDir: config}
	made, second := &storetest.Memory{}, &storetest.Memory{}
	site, err := pipeline.OpenSiteOn(ctx, made, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := site.Clinic.Update(ctx, lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
		return tx.PutSettings(ctx, []byte(`{"format":1,"clinic":{"time_zone":"UTC"}}`))
	}); err != nil {
		t.Fatal(err)
	}
	if err := backUpTo(ctx, site, second); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Open(made, nil).Append(ctx, audit.Entry{Person: "Ada Vale", Action: audit.Paused, Clinic: "harbour"}); err != nil {
		t.Fatal(err)
	}
	step := 3
	if os.Getenv("FALLOFF_LONG") != "" {
		step = 1
	}
	for _, fault := range []storetest.Fault{storetest.NotDone, storetest.Done} {
		for _, side := range []string{"lake", "backup"} {
			for fail := 1; ; fail += step {
				primary, copied := copyStore(t, made), copyStore(t, second)
				o := o
				o.ConfigDir = copyFolder(t, config)
				faulty := &storetest.Faulty{Fail: fail, Fault: fault, Dead: true}
				var at, b lake.Store = primary, copied
				if side == "lake" {
					faulty.Store, at = primary, faulty
				} else {
					faulty.Store, b = copied, faulty
				}
				certificate, err := pipeline.Delete(ctx, o, at, deleting(at, map[string]lake.Store{"b": b}))
				if err == nil {
					demandGone(t, primary, map[string]lake.Store{"b": copied}, o, certificate)
					break
				}
				_, began := primary.Get(ctx, deletion.RecordName("harbour"))
				_, ended := primary.Get(ctx, deletion.EndedName("harbour"))
				_, opening := pipeline.OpenSiteOn(ctx, primary, o)
				if _, barred := errors.AsType[*pipeline.BarredError](opening); (began == nil || ended == nil) != barred {
					t.Fatalf("%s %d: begun %v, ended %v, and opening says %v", side, fail, began, ended, opening)
				}
				if began != nil && ended != nil && len(storetest.Names(t, primary, "clinic=harbour/")) != len(storetest.Names(t, made, "clinic=harbour/")) {
					t.Fatalf("%s %d: something is gone, and nothing says why", side, fail)
				}
				if certificate, err = pipeline.Delete(ctx, o, primary, deleting(primary, map[string]lake.Store{"b": copied})); err != nil {
					t.Fatalf("%s %d: going on: %v", side, fail, err)
				}
				demandGone(t, primary, map[string]lake.Store{"b": copied}, o, certificate)
				if t.Failed() {
					t.Fatalf("%s %d, fault %d", side, fail, fault)
				}
			}
		}
	}
}

func backUpTo(ctx context.Context, site *pipeline.Site, to *storetest.Memory) error {
	_, err := site.Backup(ctx, elsewhere{to}, pipeline.BackupOptions{})
	return err
}

// elsewhere is a store in memory that says that it is another than the lake.
type elsewhere struct{ *storetest.Memory }

func (elsewhere) String() string { return "another memory" }

// TestDeleteLeavesNobody searches every byte that is left for names and pseudonyms, and tries to open copies of what was deleted.
func TestDeleteLeavesNobody(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	s := newStage(t)
	lakeAt, backupAt := filepath.Join(dir, "lake"), filepath.Join(dir, "second")
	o := pipeline.SiteOptions{Lake: lakeAt, Clinic: "harbour", ConfigDir: filepath.Join(dir, "config")}
	site, err := pipeline.OpenSite(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := site.Ingest(ctx, exported(t, s.clinic, "csv"), pipeline.IngestOptions{Source: "test", Settings: &s.typed}); err != nil {
		t.Fatal(err)
	}
	store, second := site.Clinic.Store(), openStore(t, backupAt)
	if _, err := site.Backup(ctx, second, pipeline.BackupOptions{}); err != nil {
		t.Fatal(err)
	}
	// What no list shows: a file that is no object, and one that a killed writer left.
	for name, age := range map[string]time.Duration{lakeAt + "/clinic=harbour/data/.hidden": 0, lakeAt + "/.tmp/halfwritten": time.Hour} {
		if err := os.WriteFile(name, []byte(site.Keys.Pseudonym(identity.Patient, "x")), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	planted := s.clinic.Planted()
	for _, id := range s.clinic.Identifiers() {
		planted = append(planted, id.Value, site.Keys.Pseudonym(identity.Patient, id.Value))
	}
	searcher, err := canary.New(planted)
	if err != nil {
		t.Fatal(err)
	}
	copied, vaultBefore := copyStore(t, second), copyFolder(t, o.ConfigDir)

	// An import that was opened before finds the clinic closed.
	in := 0
	_, err = site.Clinic.Update(ctx, lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
		if in++; in == 1 {
			_, err := pipeline.Delete(ctx, o, store, deleting(store, map[string]lake.Store{"b": second}))
			return errors.Join(err, tx.PutSettings(ctx, []byte("{}")))
		}
		return nil
	})
	if _, barred := errors.AsType[*pipeline.BarredError](err); !barred {
		t.Errorf("an import under way: %v", err)
	}
	if names := storetest.Names(t, store, "clinic=harbour/"); len(names) != 1 { // what it had put there after the deletion had ended
		t.Errorf("%v came back", names)
	}
	certificate, err := deletion.Ended(ctx, store, "harbour")
	if err != nil || certificate == nil {
		t.Fatal(err)
	}
	if _, err := pipeline.VerifyCertificate(ctx, signedBody(t, store, certificate), "", store); err == nil || !strings.Contains(err.Error(), "has written there since") {
		t.Errorf("verifying says %v of what came back", err)
	}
	if err := store.Delete(ctx, storetest.Names(t, store, "clinic=harbour/")[0]); err != nil {
		t.Fatal(err)
	}
	demandGone(t, store, map[string]lake.Store{"b": second}, o, certificate)
	if certificate.Scratch != 1 {
		t.Errorf("%d half-written files", certificate.Scratch)
	}
	for _, folder := range []string{lakeAt, backupAt, o.ConfigDir} {
		hits, err := searcher.Tree(folder)
		if err != nil || len(hits) > 0 {
			t.Errorf("%s: %v, %v", folder, hits, err)
		}
	}
	// A copy of the backup is opened by nothing that is left, and by a copy of the vault from before.
	_, err = pipeline.Restore(ctx, o, copied, &storetest.Memory{}, 0, backup.Moment{}, nil)
	if _, key := errors.AsType[*pipeline.KeyError](err); !key {
		t.Errorf("a copy of the backup: %v", err)
	}
	o.ConfigDir = vaultBefore
	if _, err := pipeline.Restore(ctx, o, copied, &storetest.Memory{}, 0, backup.Moment{}, nil); err != nil {
		t.Errorf("with the vault of before: %v", err)
	}
}

func signedBody(t *testing.T, store lake.Store, certificate *deletion.Signed) []byte {
	t.Helper()
	body, err := store.Get(t.Context(), deletion.CertificateName("harbour", certificate.ID))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestDeleteVersions deletes from a bucket that keeps every version.
func TestDeleteVersions(t *testing.T) {
	ctx := t.Context()
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
	o := pipeline.SiteOptions{Clinic: "harbour", ConfigDir: filepath.Join(t.TempDir(), "config")}
	site, err := pipeline.OpenSiteOn(ctx, store, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`{"format":1,"clinic":{"time_zone":"UTC"}}`, `{"format":1,"clinic":{"time_zone":"UTC","currency":"CAD"}}`} {
		if _, err := site.Clinic.Update(ctx, lake.Ingest, func(ctx context.Context, tx *lake.Tx) error { return tx.PutSettings(ctx, []byte(text)) }); err != nil {
			t.Fatal(err)
		}
	}
	// Deleted, and still there as a version; and another clinic's, which stays.
	if err := store.Create(ctx, "clinic=harbour/staging/run/000001", []byte("an earlier version")); err != nil {
		t.Fatal(err)
	}
	if err := store.Delete(ctx, "clinic=harbour/staging/run/000001"); err != nil {
		t.Fatal(err)
	}
	if err := store.Create(ctx, "clinic=harbour-2/keys/check-1.json", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	certificate, err := pipeline.Delete(ctx, o, store, deleting(store, nil))
	if err != nil {
		t.Fatal(err)
	}
	if certificate.Stores[0].EarlierVersions < 2 || certificate.Stores[0].LeftVersions != 0 {
		t.Errorf("the certificate says %+v", certificate.Stores[0])
	}
	left, err := client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	others := 0
	for _, v := range left.Versions {
		if strings.HasPrefix(*v.Key, "falloff/clinic=harbour/") {
			t.Errorf("a version of %s is left", *v.Key)
		} else if strings.HasPrefix(*v.Key, "falloff/clinic=harbour-2/") {
			others++
		}
	}
	for _, m := range left.DeleteMarkers {
		if strings.HasPrefix(*m.Key, "falloff/clinic=harbour/") {
			t.Errorf("a marker of %s is left", *m.Key)
		}
	}
	if others != 1 {
		t.Errorf("%d versions of another clinic are left", others)
	}
}

func TestDeleteRefusals(t *testing.T) {
	ctx := t.Context()
	store := &storetest.Memory{}
	o := pipeline.SiteOptions{Clinic: "harbour", ConfigDir: filepath.Join(t.TempDir(), "config")}
	if _, err := pipeline.Delete(ctx, o, store, deleting(store, nil)); !errors.Is(err, deletion.ErrNothing) {
		t.Errorf("a clinic that there is not: %v", err)
	}
	site, err := pipeline.OpenSiteOn(ctx, store, o)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	if err := pipeline.HoldLease(ctx, site, pipeline.Lease{Holder: "a", Host: "far", PID: 7, Machine: "far", Since: now, Until: now.Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	before := storetest.Names(t, store, "")
	_, err = pipeline.Delete(ctx, o, store, deleting(store, nil))
	if _, busy := errors.AsType[*pipeline.BusyError](err); !busy || !strings.Contains(err.Error(), "far") {
		t.Errorf("while a run is at work: %v", err)
	}
	if after := storetest.Names(t, store, ""); !slices.Equal(before, after) {
		t.Errorf("a refused deletion left %v", after)
	}
	if err := pipeline.HoldLease(ctx, site, pipeline.Lease{}); err != nil {
		t.Fatal(err)
	}
	certificate, err := pipeline.Delete(ctx, o, store, deleting(store, nil))
	if err != nil {
		t.Fatal(err)
	}
	// Whatever is changed in a certificate shows.
	body := string(signedBody(t, store, certificate))
	for from, to := range map[string]string{"harbour": "harvour", `\"keys_destroyed\": true`: `\"keys_destroyed\": false`, "Ada Vale": "Eve Vale", `"signature": "`: `"signature": "A`} {
		changed := strings.Replace(body, from, to, 1)
		if changed == body {
			t.Fatalf("%q is not in it", from)
		}
		if _, err := pipeline.VerifyCertificate(ctx, []byte(changed), "", nil); !errors.Is(err, deletion.ErrNotGenuine) {
			t.Errorf("%q for %q: %v", to, from, err)
		}
	}
	other := pipeline.SiteOptions{Clinic: "harbour", ConfigDir: filepath.Join(t.TempDir(), "config")}
	if _, err := pipeline.OpenSiteOn(ctx, &storetest.Memory{}, other); err != nil {
		t.Fatal(err)
	}
	v, err := pipeline.OpenVault(ctx, other)
	if err != nil {
		t.Fatal(err)
	}
	_, public, err := v.Signer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, against := range []string{string(public), deletion.Fingerprint(public), "0123"} {
		if _, err := pipeline.VerifyCertificate(ctx, []byte(body), against, nil); !errors.Is(err, deletion.ErrNotGenuine) {
			t.Errorf("against another installation's key: %v", err)
		}
	}
	for _, against := range slices.Collect(maps.Keys(map[string]bool{string(certificate.PublicKey): true, deletion.Fingerprint(certificate.PublicKey): true})) {
		if _, err := pipeline.VerifyCertificate(ctx, []byte(body), against, nil); err != nil {
			t.Errorf("against its own: %v", err)
		}
	}
	// Once more gives the same certificate.
	again, err := pipeline.Delete(ctx, o, store, deleting(store, nil))
	if err != nil || again.ID != certificate.ID {
		t.Errorf("again: %v", err)
	}
}
