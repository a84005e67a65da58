package lake_test

import (
	"context"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/secret"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

var testKey = []byte("a naming key of thirty-two bytes")

// noon is the clock of all tests.
func noon() time.Time { return time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC) }

func openClinic(t testing.TB, store lake.Store) *lake.Clinic {
	t.Helper()
	clinic, err := lake.Open(store, "harbour-street", lake.Options{NamingKey: testKey, Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	return clinic
}

// testKeys are the keys of encrypted clinics.
func testKeys(t testing.TB, oldestFirst ...string) *lake.Keys {
	t.Helper()
	var secrets []secret.Bytes
	for _, s := range oldestFirst {
		secrets = append(secrets, secret.FromText(s))
	}
	keys, err := lake.NewKeys(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

const (
	dataKey  = "a data key of thirty-two bytes 1"
	otherKey = "a data key of thirty-two bytes 2"
)

// openEncrypted opens a clinic that is encrypted from its first commit on.
func openEncrypted(t testing.TB, store lake.Store) *lake.Clinic {
	t.Helper()
	clinic, err := lake.Open(store, "harbour-street", lake.Options{NamingKey: testKey, Now: noon, Keys: testKeys(t, dataKey), Encrypt: true})
	if err != nil {
		t.Fatal(err)
	}
	return clinic
}

func newMemoryClinic(t testing.TB) *lake.Clinic {
	t.Helper()
	return openClinic(t, new(storetest.Memory))
}

// upsertInto merges one batch in one commit.
func upsertInto[T contract.Row](t testing.TB, clinic *lake.Clinic, table lake.Table[T], batch lake.Batch[T]) (merged lake.Merged) {
	t.Helper()
	_, err := clinic.Update(context.Background(), lake.Ingest, func(ctx context.Context, tx *lake.Tx) (err error) {
		merged, err = lake.Upsert(ctx, tx, table, batch)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return merged
}

func mustUpsert(t testing.TB, clinic *lake.Clinic, batch lake.Batch[contract.Appointment]) lake.Merged {
	t.Helper()
	return upsertInto(t, clinic, lake.Appointments, batch)
}

func head(t testing.TB, clinic *lake.Clinic) *lake.Commit {
	t.Helper()
	commit, err := clinic.Head(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return commit
}

func rowsOf[T contract.Row](t testing.TB, clinic *lake.Clinic, table lake.Table[T]) []T {
	t.Helper()
	var rows []T
	for r, err := range lake.Rows(context.Background(), clinic.Snapshot(head(t, clinic)), table) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	return rows
}

func stored(t testing.TB, clinic *lake.Clinic) []contract.Appointment {
	t.Helper()
	return rowsOf(t, clinic, lake.Appointments)
}
