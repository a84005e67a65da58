package models

import (
	"testing"
	"time"

	text "github.com/falloff-analytics/falloff/warehouse/models/given"
)

// givenFiles writes each given table as the Parquet file that an import would have left.
func givenFiles(t *testing.T, in Inputs, tables map[string]string) map[string][]string {
	t.Helper()
	zone, err := time.LoadLocation(in.Settings.TimeZone)
	if err != nil {
		t.Fatal(err)
	}
	files, err := text.Files(t.TempDir(), zone, in.AsOf, tables)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func writeRows[T any](t *testing.T, path string, rows []T) {
	t.Helper()
	if err := text.WriteRows(path, rows); err != nil {
		t.Fatal(err)
	}
}
