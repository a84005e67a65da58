package iceberg_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"cloud.google.com/go/civil"
	goiceberg "github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog/hadoop"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"github.com/twmb/avro/ocf"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/iceberg"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

const clinicID = "harbour-street"

var testKey = []byte("a naming key of thirty-two bytes")

// clock goes on by an hour a call.
func clock() func() time.Time {
	now := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	return func() time.Time { now = now.Add(time.Hour); return now }
}

func openClinic(t testing.TB, store lake.Store) *lake.Clinic {
	t.Helper()
	clinic, err := lake.Open(store, clinicID, lake.Options{NamingKey: testKey, Now: clock()})
	if err != nil {
		t.Fatal(err)
	}
	return clinic
}

func openMemory(t testing.TB) *lake.Clinic {
	t.Helper()
	return openClinic(t, new(storetest.Memory))
}

func openDir(t testing.TB) (*lake.Clinic, string) {
	t.Helper()
	root := t.TempDir()
	store, err := lake.OpenStore(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	return openClinic(t, store), root
}

// visits are appointments in a month, one a day, of patients numbered from a number on.
func visits(month time.Month, n int, state string, observed civil.Date) []contract.Appointment {
	rows := make([]contract.Appointment, 0, n)
	for i := range n {
		day := civil.Date{Year: 2026, Month: month, Day: 1 + i%28}
		rows = append(rows, contract.Appointment{
			AppointmentID: int64(int(month)*10_000 + i), State: state, ServiceDate: contract.DayOf(day), ObservedOn: contract.DayOf(observed),
			Patient: new(fmt.Sprintf("p1_canary%dx%d", month, i)),
		})
	}
	return rows
}

func land(t testing.TB, clinic *lake.Clinic, batch lake.Batch[contract.Appointment]) *lake.Commit {
	t.Helper()
	commit, err := clinic.Update(context.Background(), lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
		_, err := lake.Upsert(ctx, tx, lake.Appointments, batch)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return commit
}

func putMart(t testing.TB, clinic *lake.Clinic, name string, body []byte) *lake.Commit {
	t.Helper()
	commit, err := clinic.Update(context.Background(), lake.Build, func(ctx context.Context, tx *lake.Tx) error {
		return tx.PutMart(ctx, name, body, lake.Origin{Input: tx.Head().Number, AsOf: civil.Date{Year: 2026, Month: 3, Day: 31}})
	})
	if err != nil {
		t.Fatal(err)
	}
	return commit
}

var reported = civil.Date{Year: 2026, Month: 4, Day: 1}

// steps are five commits: months come, a month changes and one comes, a mart, nothing for the tables, a month is removed.
var steps = []func(t testing.TB, clinic *lake.Clinic){
	func(t testing.TB, clinic *lake.Clinic) {
		t.Helper()
		land(t, clinic, lake.Batch[contract.Appointment]{Rows: append(visits(1, 30, "canary booked", reported), visits(2, 20, "canary booked", reported)...)})
	},
	func(t testing.TB, clinic *lake.Clinic) {
		t.Helper()
		later := reported.AddDays(1)
		land(t, clinic, lake.Batch[contract.Appointment]{Rows: append(visits(2, 25, "canary arrived", later), visits(3, 10, "canary booked", later)...)})
	},
	func(t testing.TB, clinic *lake.Clinic) {
		t.Helper()
		body, err := lake.Insurers.Encode([]contract.Insurer{{PayerID: "one"}, {PayerID: "two"}})
		if err != nil {
			t.Fatal(err)
		}
		putMart(t, clinic, "insurers", body)
	},
	func(t testing.TB, clinic *lake.Clinic) {
		t.Helper()
		if _, err := clinic.Update(t.Context(), lake.Ingest, func(_ context.Context, tx *lake.Tx) error { return tx.SetSource("files", 1) }); err != nil {
			t.Fatal(err)
		}
	},
	func(t testing.TB, clinic *lake.Clinic) {
		t.Helper()
		land(t, clinic, lake.Batch[contract.Appointment]{Covers: []lake.Cover{{
			From: civil.Date{Year: 2026, Month: 1, Day: 1}, To: civil.Date{Year: 2026, Month: 1, Day: 31}, ObservedOn: reported.AddDays(2),
		}}})
	},
}

func past(t testing.TB, clinic *lake.Clinic) {
	t.Helper()
	for _, step := range steps {
		step(t, clinic)
	}
}

func mustSync(t testing.TB, clinic *lake.Clinic, o iceberg.Options) *iceberg.Report {
	t.Helper()
	report, err := iceberg.Sync(t.Context(), clinic, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// rootOf is the location of a store's root, written down a second time.
func rootOf(store lake.Store) string {
	switch at := store.String(); {
	case strings.HasPrefix(at, "s3://"):
		return at
	default:
		return "file://" + at
	}
}

// load reads a table with iceberg-go: through its own catalog where the lake is a folder, else through the store.
func load(t testing.TB, clinic *lake.Clinic, namespace, name string) *table.Table {
	t.Helper()
	ident := table.Identifier{namespace, name}
	if here, ok := clinic.Store().(*lake.Dir); ok {
		catalog, err := hadoop.NewCatalog("clinic", here.LocalPath("clinic="+clinicID+"/iceberg"), nil)
		if err != nil {
			t.Fatal(err)
		}
		tbl, err := catalog.LoadTable(t.Context(), ident)
		if err != nil {
			t.Fatal(err)
		}
		return tbl
	}
	newest, at := 0, ""
	for object, err := range clinic.Store().List(t.Context(), "clinic="+clinicID+"/iceberg/"+namespace+"/"+name+"/metadata/v", "") {
		if err != nil {
			t.Fatal(err)
		}
		var version int
		if _, err := fmt.Sscanf(path.Base(object), "v%d.metadata.json", &version); err == nil && version > newest {
			newest, at = version, rootOf(clinic.Store())+"/"+object
		}
	}
	fs := func(context.Context) (iceio.IO, error) { return storeIO{t, clinic.Store()}, nil }
	tbl, err := table.NewFromLocation(t.Context(), ident, at, fs, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tbl
}

// storeIO reads what a store has by its location.
type storeIO struct {
	t     testing.TB
	store lake.Store
}

func (s storeIO) Open(location string) (iceio.File, error) {
	name, inside := strings.CutPrefix(location, rootOf(s.store)+"/")
	if !inside {
		s.t.Errorf("%s is not in the lake", location)
	}
	body, err := s.store.Get(s.t.Context(), name)
	if err != nil {
		return nil, err
	}
	return iceio.FS(fstest.MapFS{"object": {Data: body}}).Open("object")
}

func (storeIO) Remove(string) error { return errors.ErrUnsupported }

// commitOf is the number of our commit that a snapshot says it is.
func commitOf(t testing.TB, s table.Snapshot) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s.Summary.Properties["falloff.commit"], 10, 64)
	if err != nil {
		t.Fatalf("snapshot %d: %v", s.SnapshotID, err)
	}
	return n
}

// checkTable compares a table, at every commit since its first, with what the commit names.
func checkTable(t testing.TB, clinic *lake.Clinic, tbl *table.Table, objects func(*lake.Commit) []lake.Object) {
	t.Helper()
	ctx := t.Context()
	snapshots := tbl.Metadata().Snapshots()
	head, err := clinic.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for n := commitOf(t, snapshots[0]); n <= head.Number; n++ {
		commit, err := clinic.At(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		var at *table.Snapshot
		for _, s := range snapshots {
			if commitOf(t, s) <= n {
				at = &s
			}
		}
		if s := tbl.SnapshotAsOf(commit.CreatedAt.UnixMilli(), true); s == nil || s.SnapshotID != at.SnapshotID {
			t.Errorf("commit %d: at its time the table shows %v, want snapshot %d", n, s, at.SnapshotID)
		}
		if commitOf(t, *at) == n {
			if s := tbl.SnapshotByName(fmt.Sprintf("commit-%d", n)); s == nil || s.SnapshotID != at.SnapshotID {
				t.Errorf("tag commit-%d is %v, want snapshot %d", n, s, at.SnapshotID)
			}
		}
		var want, got []string
		var rows int64
		for _, o := range objects(commit) {
			want = append(want, fmt.Sprintf("%s/clinic=%s/%s %d rows %d bytes month %s", rootOf(clinic.Store()), clinicID, o.Path, o.Rows, o.Bytes, o.Month))
			rows += o.Rows
		}
		scan := tbl.Scan(table.WithSnapshotID(at.SnapshotID))
		tasks, err := scan.PlanFiles(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			month := ""
			for _, v := range task.File.Partition() {
				months, ok := v.(int32)
				if !ok {
					t.Fatalf("a partition's value is %T", v)
				}
				month = civil.DateOf(time.Date(1970, time.Month(1+months), 1, 0, 0, 0, 0, time.UTC)).String()[:7]
			}
			got = append(got, fmt.Sprintf("%s %d rows %d bytes month %s", task.File.FilePath(), task.File.Count(), task.File.FileSizeBytes(), month))
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("commit %d has\n%s\nthe table\n%s", n, strings.Join(want, "\n"), strings.Join(got, "\n"))
		}
		if total := at.Summary.Properties["total-records"]; total != strconv.FormatInt(rows, 10) {
			t.Errorf("commit %d: the summary says %s rows, want %d", n, total, rows)
		}
		read, err := scan.ToArrowTable(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if read.NumRows() != rows {
			t.Errorf("commit %d: %d rows were read, want %d", n, read.NumRows(), rows)
		}
		read.Release()
	}
}

func check(t testing.TB, clinic *lake.Clinic) {
	t.Helper()
	checkTable(t, clinic, load(t, clinic, "lake", "appointments"), func(c *lake.Commit) []lake.Object { return c.Datasets["appointments"].Objects })
	checkTable(t, clinic, load(t, clinic, "marts", "insurers"), func(c *lake.Commit) []lake.Object { return []lake.Object{c.Marts["insurers"].Object} })
}

func TestEveryCommitIsASnapshot(t *testing.T) {
	for name, each := range map[string]bool{"after each commit": true, "all at once": false} {
		t.Run(name, func(t *testing.T) {
			clinic, _ := openDir(t)
			for _, step := range steps {
				step(t, clinic)
				if each {
					mustSync(t, clinic, iceberg.Options{})
				}
			}
			if report := mustSync(t, clinic, iceberg.Options{}); report.Commit != 5 {
				t.Errorf("the tables show commit %d, want 5", report.Commit)
			}
			check(t, clinic)
			tbl := load(t, clinic, "lake", "appointments")
			var commits []int64
			for _, s := range tbl.Metadata().Snapshots() {
				commits = append(commits, commitOf(t, s))
			}
			if want := []int64{1, 2, 5}; !slices.Equal(commits, want) {
				t.Errorf("snapshots are of commits %v, want %v", commits, want)
			}
			day, found := tbl.Schema().FindFieldByName("service_date")
			if !found || !day.Type.Equals(goiceberg.PrimitiveTypes.Date) {
				t.Errorf("service_date is %v", day)
			}
		})
	}
}

// The same in a bucket of a real S3 server.
func TestInABucket(t *testing.T) {
	cfg, bucket := storetest.Gateway(t)
	store, err := lake.OpenS3(t.Context(), lake.S3Location{Bucket: bucket, Prefix: "a/b", Config: &cfg})
	if err != nil {
		t.Fatal(err)
	}
	clinic := openClinic(t, store)
	for _, step := range steps {
		step(t, clinic)
		mustSync(t, clinic, iceberg.Options{})
	}
	check(t, clinic)
	mustSync(t, clinic, iceberg.Options{Rebuild: true})
	check(t, clinic)
}

// Snapshots have the ids that they had before everything was lost, so that what an analyst noted down goes on to work.
func TestRebuildGivesTheSameSnapshots(t *testing.T) {
	clinic := openMemory(t)
	past(t, clinic)
	mustSync(t, clinic, iceberg.Options{})
	ids := func() (out []int64) {
		for _, s := range load(t, clinic, "lake", "appointments").Metadata().Snapshots() {
			out = append(out, s.SnapshotID)
		}
		return out
	}
	before := ids()
	mustSync(t, clinic, iceberg.Options{Rebuild: true})
	check(t, clinic)
	if after := ids(); !slices.Equal(before, after) {
		t.Errorf("snapshots were %v and are %v", before, after)
	}
	var left []string
	for name, err := range clinic.Store().List(t.Context(), "clinic="+clinicID+"/iceberg/lake/appointments/metadata/v", "") {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, path.Base(name))
	}
	if want := []string{"v2.metadata.json", "version-hint.text"}; !slices.Equal(left, want) {
		t.Errorf("after a rebuild there are %v, want %v", left, want)
	}
}

// No text of a row is anywhere in what describes the rows: not as a bound, not as a partition.
func TestNoPseudonymLeavesTheRows(t *testing.T) {
	clinic := openMemory(t)
	past(t, clinic)
	mustSync(t, clinic, iceberg.Options{})
	seen := 0
	for name, err := range clinic.Store().List(t.Context(), "clinic="+clinicID+"/iceberg/", "") {
		if err != nil {
			t.Fatal(err)
		}
		body, err := clinic.Store().Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		seen++
		for _, text := range texts(t, body) {
			if strings.Contains(text, "canary") {
				t.Errorf("%s holds text of a row", name)
			}
		}
	}
	if seen < 8 {
		t.Errorf("only %d files were looked at", seen)
	}
}

// texts are the bytes of a file as they lie, and as an Avro file's blocks are once they are unpacked.
func texts(t testing.TB, body []byte) []string {
	t.Helper()
	out := []string{string(body)}
	r, err := ocf.NewReader(bytes.NewReader(body))
	if err != nil {
		return out // no Avro file
	}
	for {
		var record any
		if err := r.Decode(&record); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s", record))
	}
}
