package pipeline_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/diskcache"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// What machines cached of a clinic in a bucket lies sealed, and goes with the clinic: from the machine that deletes it then, with a line
// in the certificate, and from another as soon as that machine meets the deletion.
func TestDeletionClearsCaches(t *testing.T) {
	ctx := t.Context()
	config, bucket := storetest.Gateway(t)
	store, err := lake.OpenS3(ctx, lake.S3Location{Bucket: bucket, Config: &config})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	machine := func(name string) (o pipeline.SiteOptions, cached func() []string) {
		folder := filepath.Join(dir, name)
		o = pipeline.SiteOptions{Clinic: "harbour", ConfigDir: filepath.Join(dir, "config"), Cache: diskcache.New(folder, 1<<20, time.Now)}
		return o, func() []string {
			found, err := filepath.Glob(filepath.Join(folder, "clinic=harbour", "*"))
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
	}
	first, ofFirst := machine("first")
	second, ofSecond := machine("second")
	for _, o := range []pipeline.SiteOptions{first, second} {
		site, err := pipeline.OpenSiteOn(ctx, store, o)
		if err != nil {
			t.Fatal(err)
		}
		commit, err := site.Clinic.Update(ctx, lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
			return tx.PutSettings(ctx, []byte(`{"format":1,"clinic":{"name":"the canary of Harbour Street","time_zone":"UTC"}}`))
		})
		if err != nil {
			t.Fatal(err)
		}
		if body, err := site.Clinic.Snapshot(commit).Settings(ctx); err != nil || !strings.Contains(string(body), "canary") {
			t.Fatalf("%q, %v", body, err)
		}
	}
	for _, cached := range []func() []string{ofFirst, ofSecond} {
		entries := cached()
		if len(entries) != 1 {
			t.Fatalf("cached: %v", entries)
		}
		if body, err := os.ReadFile(entries[0]); err != nil || strings.Contains(string(body), "canary") {
			t.Fatalf("it lies there as %q, %v", body, err)
		}
	}
	certificate, err := pipeline.Delete(ctx, first, store, deleting(store, nil))
	if err != nil {
		t.Fatal(err)
	}
	if certificate.CachedObjects != 1 || certificate.CachedBytes < 20 || len(ofFirst()) != 0 {
		t.Errorf("%d objects of %d bytes were cleared, %v are left", certificate.CachedObjects, certificate.CachedBytes, ofFirst())
	}
	if text := certificate.Text(); !strings.Contains(text, "this machine's cache: 1 objects, ") || !strings.Contains(text, "caches of other machines") {
		t.Error(text)
	}
	_, err = pipeline.OpenSiteOn(ctx, store, second)
	if _, barred := errors.AsType[*pipeline.BarredError](err); !barred || len(ofSecond()) != 0 {
		t.Errorf("%v; %v are left", err, ofSecond())
	}
}

// A lake on this machine is not copied into a cache of this machine.
func TestAFolderIsNotCached(t *testing.T) {
	dir := t.TempDir()
	site, err := pipeline.OpenSite(t.Context(), pipeline.SiteOptions{
		Lake: filepath.Join(dir, "lake"), Clinic: "harbour", ConfigDir: filepath.Join(dir, "config"), Cache: diskcache.New(filepath.Join(dir, "cache"), 1<<20, time.Now),
	})
	if err != nil {
		t.Fatal(err)
	}
	commit, err := site.Clinic.Update(t.Context(), lake.Ingest, func(ctx context.Context, tx *lake.Tx) error { return tx.PutSettings(ctx, []byte(`{}`)) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := site.Clinic.Snapshot(commit).Settings(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "cache")); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
}
