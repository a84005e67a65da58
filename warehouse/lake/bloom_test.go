package lake_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// A file rules out, by its bloom filter and without a row being read, nearly everybody who is not in it, and nobody who is; DuckDB
// uses the filter.
func TestAFileSaysWhoIsNotInIt(t *testing.T) {
	rows := schedule(40_000, 1)
	body, err := lake.EncodeAppointments(rows)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "month.parquet")
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	db := openDuckDB(t)
	excluded := func(patient string) (all bool) {
		if err := db.QueryRowContext(t.Context(),
			fmt.Sprintf("select bool_and(bloom_filter_excludes) from parquet_bloom_probe('%s', 'patient', '%s')", path, patient)).Scan(&all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	for i := 0; i < len(rows); i += 400 {
		if excluded(*rows[i].Patient) {
			t.Fatalf("it says that %s is not in it", *rows[i].Patient)
		}
	}
	wrong := 0
	for i := range 200 {
		if !excluded(fmt.Sprintf("p1_stranger%015d", i)) {
			wrong++
		}
	}
	if wrong > 10 {
		t.Errorf("%d of 200 strangers may be in it", wrong)
	}
}
