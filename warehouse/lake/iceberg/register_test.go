package iceberg_test

import (
	"testing"

	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/config"
	"github.com/apache/iceberg-go/table"

	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/iceberg"
	"github.com/falloff-analytics/falloff/warehouse/lake/iceberg/icebergtest"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// A REST catalog shows what the lake had when the tables were registered, and what it has when they are again.
func TestRegister(t *testing.T) {
	cfg, bucket := storetest.Gateway(t)
	store, err := lake.OpenS3(t.Context(), lake.S3Location{Bucket: bucket, Config: &cfg})
	if err != nil {
		t.Fatal(err)
	}
	clinic := openClinic(t, store)
	was := config.EnvConfig.Catalogs
	t.Cleanup(func() { config.EnvConfig.Catalogs = was })
	config.EnvConfig.Catalogs = map[string]config.CatalogConfig{"analysts": {CatalogType: "rest", URI: icebergtest.Catalog(t, store)}}
	for i, want := range []int64{1, 2} {
		steps[i](t, clinic)
		report := mustSync(t, clinic, iceberg.Options{Thorough: true})
		if err := iceberg.Register(t.Context(), "analysts", report); err != nil {
			t.Fatal(err)
		}
		c, err := catalog.Load(t.Context(), "analysts", nil)
		if err != nil {
			t.Fatal(err)
		}
		tbl, err := c.LoadTable(t.Context(), table.Identifier{"lake", "appointments"})
		if err != nil {
			t.Fatal(err)
		}
		if got := commitOf(t, *tbl.CurrentSnapshot()); got != want {
			t.Errorf("the catalog shows commit %d, want %d", got, want)
		}
	}
	if err := iceberg.Register(t.Context(), "nobody", &iceberg.Report{}); err == nil {
		t.Error("a catalog that no file names was opened")
	}
}
