package lake_test

import (
	"bytes"
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
	"github.com/falloff-analytics/falloff/warehouse/parquetkeys"
)

// openDuckDB is an empty DuckDB on one connection.
func openDuckDB(t testing.TB) *sql.DB {
	t.Helper()
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func unlock(t testing.TB, db *sql.DB, keys *parquetkeys.Keys) {
	t.Helper()
	if err := keys.Unlock(t.Context(), func(ctx context.Context, statement string) error {
		_, err := db.ExecContext(ctx, statement)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// ask gives every row of a query as text.
func ask(ctx context.Context, db *sql.DB, query string) (out []string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprintf("%v", values))
	}
	return out, rows.Err()
}

func mustAsk(t testing.TB, db *sql.DB, query string) []string {
	t.Helper()
	out, err := ask(t.Context(), db, query)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// fillBoth gives a clinic rows of several datasets, removed ones, settings and marts.
func fillBoth(t *testing.T, clinic *lake.Clinic) {
	t.Helper()
	visits := schedule(3000, 3)
	upsertInto(t, clinic, lake.Appointments, lake.Batch[contract.Appointment]{Rows: visits})
	upsertInto(t, clinic, lake.InvoiceLines, lake.Batch[contract.InvoiceLine]{Rows: invoiced(visits)})
	newest := contract.DateOf(visits[len(visits)-1].ServiceDate)
	upsertInto(t, clinic, lake.Appointments, lake.Batch[contract.Appointment]{Rows: visits[:2900],
		Covers: []lake.Cover{{From: contract.DateOf(visits[0].ServiceDate), To: newest, ObservedOn: newest.AddDays(9)}}})
	upsertInto(t, clinic, lake.Policies, lake.Batch[contract.Policy]{Rows: []contract.Policy{{Patient: "p1_policy", PayerID: "p1_payer", PolicyID: "p1_id",
		Status: "active", EndDate: new(int32(20500)), PolicyMaximumCents: new(int64(123456)), ObservedOn: 20000}}})
	upsertInto(t, clinic, lake.Insurers, lake.Batch[contract.Insurer]{Rows: []contract.Insurer{{PayerID: "p1_payer", Name: "Canary Mutual", ObservedOn: 20000}}})
	if _, err := clinic.Update(t.Context(), lake.Build, func(ctx context.Context, tx *lake.Tx) error {
		if err := tx.PutSettings(ctx, []byte(`{"name":"Harbour Street Physio"}`)); err != nil {
			return err
		}
		if err := tx.PutMart(ctx, "leaks", duckDBMart(t, "select i as id, i * 100 as amount_cents, date '2026-01-01' + i::int as day, i / 3.0::double as ratio, "+
			"i % 2 = 0 as even, case when i % 7 > 0 then 'leak of p1_' || i end as name from range(500) t(i)"), lake.Origin{Input: tx.Head().Number, AsOf: newest}); err != nil {
			return err
		}
		return tx.PutMart(ctx, "empty", duckDBMart(t, "select 1::bigint as total_cents, 'x' as name where false"), lake.Origin{Input: tx.Head().Number, AsOf: newest})
	}); err != nil {
		t.Fatal(err)
	}
}

// release gives a clinic released tables, twice the same.
func release(t *testing.T, clinic *lake.Clinic) {
	t.Helper()
	for _, want := range []bool{true, false} {
		if _, err := clinic.Update(t.Context(), lake.Build, func(ctx context.Context, tx *lake.Tx) error {
			isNew, err := tx.PutReleased(ctx, []byte(`{"threshold":11}`))
			if isNew != want {
				t.Errorf("it is new: %v, and it should be %v", isNew, want)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// duckDBMart is a Parquet file as the models write it.
func duckDBMart(t *testing.T, query string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mart.parquet")
	mustAsk(t, openDuckDB(t), "copy ("+query+") to '"+path+"' (format parquet, compression zstd)")
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// An encrypted clinic and a plain one that were given the same hold the same, in columns of the same SQL types.
func TestEncryptedAndPlainClinicsHoldTheSame(t *testing.T) {
	plainStore, sealedStore := openDir(t), openDir(t)
	plain, sealed := openClinic(t, plainStore), openEncrypted(t, sealedStore)
	for _, clinic := range []*lake.Clinic{plain, sealed} {
		fillBoth(t, clinic)
		release(t, clinic)
		if err := clinic.Snapshot(head(t, clinic)).Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := stored(t, plain), stored(t, sealed); !reflect.DeepEqual(a, b) || len(a) != 2900 {
		t.Errorf("%d plain appointments, %d encrypted ones, or other ones", len(a), len(b))
	}
	if a, b := rowsOf(t, plain, lake.Policies), rowsOf(t, sealed, lake.Policies); !reflect.DeepEqual(a, b) {
		t.Errorf("policies %+v and %+v", a, b)
	}
	if _, err := sealed.Snapshot(head(t, sealed)).Settings(t.Context()); err != nil {
		t.Error(err)
	}
	for _, clinic := range []*lake.Clinic{plain, sealed} {
		if body, err := clinic.Snapshot(head(t, clinic)).Released(t.Context()); err != nil || string(body) != `{"threshold":11}` {
			t.Errorf("released: %s, %v", body, err)
		}
	}
	for name, d := range head(t, plain).Datasets {
		e := head(t, sealed).Datasets[name]
		if d.Rows() != e.Rows() || len(d.Objects) != len(e.Objects) || !slices.EqualFunc(d.Objects, e.Objects, func(a, b lake.Object) bool {
			return a.Month == b.Month && a.Rows == b.Rows && reflect.DeepEqual(a.Totals, b.Totals)
		}) {
			t.Errorf("%s: the commits say %+v and %+v", name, d, e)
		}
	}
	a, b := open(t, plain), open(t, sealed)
	for name := range a.scans {
		if x, y := mustAsk(t, a.db, "select column_name, column_type from (describe from "+a.scans[name]+")"),
			mustAsk(t, b.db, "select column_name, column_type from (describe from "+b.scans[name]+")"); !slices.Equal(x, y) {
			t.Errorf("%s has columns\n%v, encrypted\n%v", name, x, y)
		}
		if x, y := mustAsk(t, a.db, "from "+a.scans[name]+" order by all"), mustAsk(t, b.db, "from "+b.scans[name]+" order by all"); !slices.Equal(x, y) {
			t.Errorf("%s has %d rows, encrypted %d, or other ones", name, len(x), len(y))
		}
	}
	if len(a.scans) != 6 {
		t.Errorf("%d tables were compared", len(a.scans))
	}
}

// opened is a clinic's newest commit in a DuckDB.
type opened struct {
	db    *sql.DB
	scans map[string]string
}

func open(t *testing.T, clinic *lake.Clinic) opened {
	t.Helper()
	local, err := clinic.Snapshot(head(t, clinic)).Materialise(t.Context(), lake.Want{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = local.Close() })
	out := opened{db: openDuckDB(t), scans: map[string]string{}}
	unlock(t, out.db, local.Keys)
	for _, tables := range []map[string][]string{local.Datasets, local.Marts} {
		for name, paths := range tables {
			out.scans[name] = local.Keys.Scan(paths, "hive_partitioning = false")
		}
	}
	return out
}

// Nothing that rows, settings, marts or commits say can be found in the bytes of an encrypted clinic, and no key shows in the
// DuckDB that reads it.
func TestAnEncryptedFolderSaysNothing(t *testing.T) {
	texts := []string{"p1_p", "Practitioner", "Harbour Street", "Physiotherapy Treatment", "arrived", "Canary Mutual", "appointments\":", "totals",
		"total_cents", "created_at", "leak of", "service_date", "America/Toronto", "123456"}
	found := func(store lake.Store) (hits map[string]string) {
		hits = map[string]string{}
		for _, name := range storetest.Names(t, store, "") {
			body, err := store.Get(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range texts {
				if bytes.Contains(body, []byte(text)) {
					hits[text] = name
				}
			}
		}
		return hits
	}
	plain, sealed := openDir(t), openDir(t)
	fillBoth(t, openClinic(t, plain))
	clinic := openEncrypted(t, sealed)
	fillBoth(t, clinic)
	if hits := found(plain); len(hits) < 8 {
		t.Errorf("the search finds only %v in a plain folder", hits)
	}
	if hits := found(sealed); len(hits) > 0 {
		t.Errorf("the folder says %v", hits)
	}
	is := open(t, clinic)
	for _, setting := range mustAsk(t, is.db, "from duckdb_settings()") {
		if strings.Contains(setting, dataKey) || strings.Contains(setting, "falloff_") {
			t.Errorf("a key shows in %s", setting)
		}
	}
	for _, form := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		keys := testKeys(t, dataKey)
		local, err := clinic.Snapshot(head(t, clinic)).Materialise(t.Context(), lake.Want{})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf(form, []any{keys, local.Keys}); strings.Count(got, "[redacted]") != 2 || len(got) > 100 {
			t.Errorf("keys print as %s", got)
		}
	}
}

// Rows of any number and width can be read by DuckDB, a row group's column being one page.
func TestDuckDBReadsLargeEncryptedPartitions(t *testing.T) {
	rows := schedule(300_000, 1)
	clinic := openEncrypted(t, openDir(t))
	upsertInto(t, clinic, lake.Appointments, lake.Batch[contract.Appointment]{Rows: rows})
	is := open(t, clinic)
	var ids, ends int64
	patients := map[string]bool{}
	for _, r := range rows {
		ids += r.AppointmentID
		ends += r.EndsAt / 1_000_000
		patients[*r.Patient] = true
	}
	want := fmt.Sprintf("[%d %d %d %d]", len(rows), ids, ends, len(patients))
	if got := mustAsk(t, is.db, "select count(*), sum(appointment_id)::bigint, sum(epoch(ends_at)::bigint)::bigint, count(distinct patient) from "+is.scans[contract.Appointments]); got[0] != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// An object keeps its name whatever random bytes it was encrypted with, and one that is live is not written again.
func TestEncryptedNamesAreThoseOfTheContent(t *testing.T) {
	stores := []*storetest.Memory{new(storetest.Memory), new(storetest.Memory)}
	var names [2][]string
	for i, store := range stores {
		fillBoth(t, openEncrypted(t, store))
		names[i] = storetest.Names(t, store, "")
	}
	if !slices.Equal(names[0], names[1]) {
		t.Errorf("one content has the names\n%s\nand\n%s", strings.Join(names[0], "\n"), strings.Join(names[1], "\n"))
	}
	clinic := openEncrypted(t, stores[0])
	before := head(t, clinic)
	fillBoth(t, clinic)
	if after := head(t, clinic); !reflect.DeepEqual(before.Marts["leaks"].Sum, after.Marts["leaks"].Sum) || !reflect.DeepEqual(before.Datasets, after.Datasets) {
		t.Error("content that is live was written anew")
	}
}

//go:embed testdata/encrypted_names.txt
var encryptedNames string

// The names of a fixed encrypted lake. Nothing but a change of what a row is may change them: no library, no row group, no key of
// Parquet's.
func TestEncryptedObjectNames(t *testing.T) {
	store := new(storetest.Memory)
	fillBoth(t, openEncrypted(t, store))
	got := strings.Join(storetest.Names(t, store, ""), "\n") + "\n"
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", "encrypted_names.txt"), []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if got != encryptedNames {
		t.Errorf("the objects are named\n%swant\n%s", got, encryptedNames)
	}
}

// Bytes that were changed, cut or exchanged are said to be damaged, and another key to be another; nothing crashes, and no
// wrong row comes out.
func TestDamagedEncryptedObjects(t *testing.T) {
	ctx := t.Context()
	store := openDir(t)
	clinic := openEncrypted(t, store)
	upsertInto(t, clinic, lake.Appointments, lake.Batch[contract.Appointment]{Rows: schedule(60, 2)})
	snapshot := clinic.Snapshot(head(t, clinic))
	objects := snapshot.Objects(contract.Appointments)
	dir, ok := store.(*lake.Dir)
	if !ok {
		t.Fatal("not a folder")
	}
	path := dir.LocalPath("clinic=harbour-street/" + objects[0].Path)
	other := dir.LocalPath("clinic=harbour-street/" + objects[1].Path)
	sound := read(t, path)
	before := stored(t, clinic)
	is := open(t, clinic)
	query := "from " + is.scans[contract.Appointments] + " order by all"
	want := mustAsk(t, is.db, query)

	const exchanged = "another object's bytes"
	check := func(what string, body []byte) {
		t.Helper()
		overwrite(t, path, body)
		if err := snapshot.Verify(ctx); !errors.Is(err, lake.ErrDamaged) || !strings.Contains(err.Error(), objects[0].Path) {
			t.Errorf("%s: verified as %v", what, err)
		}
		var failed error
		for _, err := range lake.Rows(ctx, snapshot, lake.Appointments) {
			failed = err
		}
		if !errors.Is(failed, lake.ErrDamaged) {
			t.Errorf("%s: read as %v", what, failed)
		}
		if what == exchanged {
			return // DuckDB takes them for what they are: Materialise is what refuses them, below
		}
		if got, err := ask(ctx, is.db, query); err == nil && !slices.Equal(got, want) {
			t.Errorf("%s: DuckDB reads other rows", what)
		}
	}
	step := max(1, len(sound)/150)
	for i := 0; i < len(sound); i += step {
		flipped := bytes.Clone(sound)
		flipped[i] ^= 0x10
		check(fmt.Sprintf("byte %d flipped", i), flipped)
	}
	for _, n := range []int{0, 3, 8, len(sound) / 2, len(sound) - 200, len(sound) - 8, len(sound) - 1} {
		check(fmt.Sprintf("cut after %d of %d bytes", n, len(sound)), sound[:n])
	}
	check(exchanged, read(t, other))
	if _, err := snapshot.Materialise(ctx, lake.Want{}); !errors.Is(err, lake.ErrDamaged) {
		t.Errorf("another object's bytes are handed to DuckDB: %v", err)
	}
	overwrite(t, path, sound)
	if got := stored(t, clinic); !reflect.DeepEqual(got, before) {
		t.Error("the sound object does not read as before")
	}
}

func TestAnEncryptedClinicNeedsItsKey(t *testing.T) {
	ctx := t.Context()
	store := openDir(t)
	written := openEncrypted(t, store)
	upsertInto(t, written, lake.Appointments, lake.Batch[contract.Appointment]{Rows: schedule(60, 2)})
	for what, keys := range map[string]*lake.Keys{"no key": nil, "another key": testKeys(t, otherKey)} {
		clinic, err := lake.Open(store, "harbour-street", lake.Options{NamingKey: testKey, Now: noon, Keys: keys})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := clinic.Head(ctx); !errors.Is(err, lake.ErrSealed) {
			t.Errorf("%s: the newest commit is read: %v", what, err)
		}
		snapshot := clinic.Snapshot(head(t, written))
		for _, err := range lake.Rows(ctx, snapshot, lake.Appointments) {
			if !errors.Is(err, lake.ErrSealed) {
				t.Errorf("%s: rows: %v", what, err)
			}
		}
		if err := snapshot.Verify(ctx); !errors.Is(err, lake.ErrSealed) {
			t.Errorf("%s: verified: %v", what, err)
		}
		if _, err := snapshot.Materialise(ctx, lake.Want{}); !errors.Is(err, lake.ErrSealed) {
			t.Errorf("%s: materialised: %v", what, err)
		}
		if _, err := clinic.Update(ctx, lake.Ingest, func(context.Context, *lake.Tx) error { return nil }); !errors.Is(err, lake.ErrSealed) {
			t.Errorf("%s: updated: %v", what, err)
		}
	}
}

// A writer that is to encrypt does not go on with a plain clinic, Encrypt makes it an encrypted one, and a newer key takes over
// where Encrypt is called again.
func TestAPlainClinicIsEncryptedInOneCommit(t *testing.T) {
	ctx := t.Context()
	store := openDir(t)
	plainly := openClinic(t, store)
	fillBoth(t, plainly)
	release(t, plainly)
	before, number := stored(t, plainly), head(t, plainly).Number
	clinic := openEncrypted(t, store)
	if _, err := clinic.Update(ctx, lake.Ingest, func(context.Context, *lake.Tx) error { return nil }); !errors.Is(err, lake.ErrPlainLake) {
		t.Errorf("a plain clinic is followed: %v", err)
	}
	for round, keys := range []*lake.Keys{testKeys(t, dataKey), testKeys(t, dataKey, otherKey)} {
		clinic, err := lake.Open(store, "harbour-street", lake.Options{NamingKey: testKey, Now: noon, Keys: keys, Encrypt: true})
		if err != nil {
			t.Fatal(err)
		}
		commit, err := clinic.Encrypt(ctx, func(*lake.Tx) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if !commit.Encrypted() || commit.Number != number+int64(round)+1 || len(commit.Marts) != 2 || commit.Settings == nil || commit.Released == nil {
			t.Errorf("round %d: %+v", round, commit)
		}
		for _, o := range commit.Datasets[contract.Appointments].Objects {
			if o.Key != keys.Newest() {
				t.Errorf("round %d: %s is under key %s", round, o.Path, o.Key)
			}
		}
		if err := clinic.Snapshot(commit).Verify(ctx); err != nil {
			t.Error(err)
		}
		if got := stored(t, clinic); !reflect.DeepEqual(got, before) {
			t.Errorf("round %d: other rows", round)
		}
		if again, err := clinic.Encrypt(ctx, func(*lake.Tx) error { return nil }); err != nil || again.Number != commit.Number {
			t.Errorf("round %d: once more made a commit, %v", round, err)
		}
	}
}

// What a run wrote and did not commit is taken up by the next, though it would have encrypted it to other bytes.
func TestAnOrphanedEncryptedObjectIsTakenUp(t *testing.T) {
	ctx := t.Context()
	store := new(storetest.Memory)
	clinic := openEncrypted(t, store)
	batch := lake.Batch[contract.Appointment]{Rows: schedule(200, 2)}
	failed := errors.New("cut short")
	plan := func(end error) error {
		_, err := clinic.Update(ctx, lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
			if err := tx.PutSettings(ctx, []byte("settings")); err != nil {
				return err
			}
			if _, err := lake.Upsert(ctx, tx, lake.Appointments, batch); err != nil {
				return err
			}
			return end
		})
		return err
	}
	if err := plan(failed); !errors.Is(err, failed) {
		t.Fatal(err)
	}
	orphans := storetest.Names(t, store, "")
	if err := plan(nil); err != nil {
		t.Fatal(err)
	}
	if err := clinic.Snapshot(head(t, clinic)).Verify(ctx); err != nil || len(storetest.Names(t, store, "")) != len(orphans)+2 { // the commit and the hint
		t.Errorf("%v, %d objects after %d", err, len(storetest.Names(t, store, "")), len(orphans))
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// overwrite changes a file in place, as no lake does.
func overwrite(t *testing.T, path string, body []byte) {
	t.Helper()
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
}
