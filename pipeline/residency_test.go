package pipeline_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/diskcache"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// away is a bucket that is asked as if its server were not on this machine.
type away struct{ *lake.S3 }

func (away) OnThisMachine() bool { return false }

func TestResidency(t *testing.T) {
	config, bucket := storetest.Gateway(t)
	s3, err := lake.OpenS3(t.Context(), lake.S3Location{Bucket: bucket, Config: &config})
	if err != nil {
		t.Fatal(err)
	}
	folder, err := lake.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		store   lake.Store
		clinic  settings.Clinic
		machine string
		checked bool
		refused string
	}{
		"a bucket elsewhere":                 {away{s3}, settings.Clinic{Country: "CA"}, "", false, "ca-central-1 (Montreal)"},
		"a bucket elsewhere, near":           {away{s3}, settings.Clinic{Country: "US"}, "us-west-2", false, "us-west-2 (Oregon)"},
		"a bucket where it was agreed":       {away{s3}, settings.Clinic{Country: "CA", Region: storetest.Region}, "", true, ""},
		"a server of this machine":           {s3, settings.Clinic{Country: "CA"}, "ca-central-1", true, ""},
		"a server of this machine, unstated": {s3, settings.Clinic{Country: "CA"}, "", false, ""},
		"a folder":                           {folder, settings.Clinic{Country: "AU"}, "ap-southeast-2", true, ""},
		"a folder elsewhere":                 {folder, settings.Clinic{Country: "AU"}, "eu-west-2", false, "ap-southeast-2 (Sydney)"},
		"a folder, unstated":                 {folder, settings.Clinic{Country: "AU"}, "", false, ""},
		"a clinic that says nothing":         {away{s3}, settings.Clinic{}, "", false, ""},
	} {
		checked, err := pipeline.Reside(t.Context(), "harbour", c.clinic, c.store, c.machine)
		elsewhere, refused := errors.AsType[*pipeline.ResidencyError](err)
		if err != nil && !refused || checked != c.checked || refused != (c.refused != "") {
			t.Errorf("%s: %v, %v", what, checked, err)
		}
		if refused && (!strings.Contains(err.Error(), c.refused) || !strings.Contains(err.Error(), c.store.String()) || elsewhere.Clinic != "harbour") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestNothingLandsElsewhere refuses before anything is written.
func TestNothingLandsElsewhere(t *testing.T) {
	some, err := exportOnce()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	o := pipeline.SiteOptions{Lake: filepath.Join(dir, "lake"), Clinic: "harbour", ConfigDir: filepath.Join(dir, "config"), Region: "eu-west-2"}
	site, err := pipeline.OpenSite(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	land := func(site *pipeline.Site) error {
		_, err := site.Ingest(context.Background(), some.reports, pipeline.IngestOptions{Source: "test", Settings: &some.typed})
		return err
	}
	if _, refused := errors.AsType[*pipeline.ResidencyError](land(site)); !refused {
		t.Fatal("a Canadian clinic landed in London")
	}
	if names := storetest.Names(t, site.Clinic.Store(), "clinic=harbour/data/"); len(names) > 0 {
		t.Errorf("%v were written", names)
	}
	o.Region = "ca-central-1"
	if site, err = pipeline.OpenSite(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := land(site); err != nil {
		t.Fatal(err)
	}
	o.Region = "eu-west-2"
	if site, err = pipeline.OpenExistingSite(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if _, err := site.Resides(t.Context(), &storetest.Memory{}); err == nil {
		t.Error("a backup in London was not refused")
	}
	// Every command that writes asks, and one that only takes away may.
	for what, write := range map[string]func() error{
		"backing up": func() error {
			_, err := site.Backup(t.Context(), &storetest.Memory{}, pipeline.BackupOptions{})
			return err
		},
		"importing": func() error { return land(site) },
		"building": func() error {
			_, err := site.Build(t.Context(), pipeline.BuildOptions{})
			return err
		},
		"rekeying": func() error {
			_, err := site.Rekey(t.Context(), nil)
			return err
		},
		"encrypting": func() error {
			if err := site.Vault.Rotate(t.Context(), o.Unlock, false); err != nil {
				return err
			}
			_, err := site.Encrypt(t.Context(), false, nil)
			return err
		},
	} {
		if _, refused := errors.AsType[*pipeline.ResidencyError](write()); !refused {
			t.Errorf("%s in London was not refused", what)
		}
	}
	head, err := site.Clinic.Head(t.Context())
	if err != nil || head.Number != 1 {
		t.Fatalf("commit %d, %v", head.Number, err)
	}
	if _, err := site.EnterPrivacy(t.Context()); err != nil {
		t.Errorf("first names cannot be removed: %v", err)
	}
	listed, err := site.Retirable(t.Context())
	if err == nil {
		_, err = site.Retire(t.Context(), listed)
	}
	if err != nil {
		t.Errorf("nothing can be retired: %v", err)
	}
}

// What is read of a distant lake lies in this machine's cache, so a machine elsewhere may not keep it.
func TestNothingIsCachedElsewhere(t *testing.T) {
	some, err := exportOnce()
	if err != nil {
		t.Fatal(err)
	}
	config, bucket := storetest.Gateway(t)
	store, err := lake.OpenS3(t.Context(), lake.S3Location{Bucket: bucket, Config: &config})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	folder := filepath.Join(dir, "cache")
	o := pipeline.SiteOptions{Clinic: "harbour", ConfigDir: filepath.Join(dir, "config"), Region: "ca-central-1"}
	site, err := pipeline.OpenSiteOn(t.Context(), store, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := site.Ingest(t.Context(), some.reports, pipeline.IngestOptions{Source: "test", Settings: &some.typed}); err != nil {
		t.Fatal(err)
	}
	o.Cache = diskcache.New(folder, 1<<30, time.Now)
	read := func(region string) error {
		o.Region = region
		site, err := pipeline.OpenSiteOn(t.Context(), store, o)
		if err != nil {
			t.Fatal(err)
		}
		view, err := site.Open(t.Context())
		if err != nil {
			return err
		}
		return view.Close()
	}
	err = read("eu-west-2")
	if _, refused := errors.AsType[*pipeline.ResidencyError](err); !refused || !strings.Contains(err.Error(), "--cache-size 0") {
		t.Errorf("got %v", err)
	}
	if err := read("ca-central-1"); err != nil {
		t.Error(err)
	}
	if found, err := filepath.Glob(filepath.Join(folder, "clinic=harbour", "*")); err != nil || len(found) == 0 {
		t.Errorf("cached where it may be: %v, %v", found, err)
	}
	o.Cache = nil
	if err := read("eu-west-2"); err != nil {
		t.Errorf("without a cache: %v", err)
	}
}
