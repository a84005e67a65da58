package lake_test

import (
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

func openDir(t *testing.T) lake.Store {
	t.Helper()
	s, err := lake.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openS3(t *testing.T) lake.Store {
	t.Helper()
	cfg, bucket := storetest.Gateway(t)
	s, err := lake.OpenS3(t.Context(), lake.S3Location{Bucket: bucket, Prefix: "some/lake", Config: &cfg})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// stores are the implementations that every test of the lake's own runs over.
var stores = map[string]func(t *testing.T) lake.Store{"dir": openDir, "s3": openS3, "memory": openMemory}

func openMemory(*testing.T) lake.Store { return new(storetest.Memory) }

func TestConformance(t *testing.T) {
	storetest.Gateway(t) // keeps the one server for all of it
	for name, open := range stores {
		t.Run(name, func(t *testing.T) { storetest.Run(t, open) })
	}
}
