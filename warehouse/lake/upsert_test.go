package lake_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

func date(s string) civil.Date {
	d, err := civil.ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

func day(s string) int32 { return contract.DayOf(date(s)) }

// visit is an appointment as "id/seat day state @observed".
func visit(s string) contract.Appointment {
	var a contract.Appointment
	var on, observed string
	if _, err := fmt.Sscanf(s, "%d/%d %s %s @%s", &a.AppointmentID, &a.Seat, &on, &a.State, &observed); err != nil {
		panic(err)
	}
	a.ServiceDate, a.ObservedOn = day(on), day(observed)
	return a
}

func visits(s ...string) (rows []contract.Appointment) {
	for _, v := range s {
		rows = append(rows, visit(v))
	}
	return rows
}

func cover(from, to, observed string) lake.Cover {
	return lake.Cover{From: date(from), To: date(to), ObservedOn: date(observed)}
}

func show(rows []contract.Appointment) (out []string) {
	for _, a := range rows {
		out = append(out, fmt.Sprintf("%d/%d %v %s @%v", a.AppointmentID, a.Seat, contract.DateOf(a.ServiceDate), a.State, contract.DateOf(a.ObservedOn)))
	}
	return out
}

func TestUpsertRules(t *testing.T) {
	type batches = []appointments
	rows := func(s ...string) appointments { return appointments{Rows: visits(s...)} }
	covered := func(c lake.Cover, s ...string) appointments {
		return appointments{Rows: visits(s...), Covers: []lake.Cover{c}}
	}
	for _, test := range []struct {
		name    string
		batches batches
		want    []string
	}{
		{"a newer form replaces an older one",
			batches{rows("1/0 2026-01-05 booked @2026-01-01"), rows("1/0 2026-01-05 arrived @2026-01-06")},
			[]string{"1/0 2026-01-05 arrived @2026-01-06"}},
		{"an older file that comes late changes nothing",
			batches{rows("1/0 2026-01-05 arrived @2026-01-06"), rows("1/0 2026-01-05 booked @2026-01-01")},
			[]string{"1/0 2026-01-05 arrived @2026-01-06"}},
		{"a group's newer form replaces all of its seats",
			batches{rows("1/0 2026-01-05 booked @2026-01-01", "1/1 2026-01-05 booked @2026-01-01", "1/2 2026-01-05 booked @2026-01-01"),
				rows("1/0 2026-01-05 arrived @2026-01-06", "1/1 2026-01-05 arrived @2026-01-06")},
			[]string{"1/0 2026-01-05 arrived @2026-01-06", "1/1 2026-01-05 arrived @2026-01-06"}},
		{"an appointment that moved leaves its old month",
			batches{rows("1/0 2026-01-31 booked @2026-01-01", "2/0 2026-01-31 booked @2026-01-01"), rows("1/0 2026-02-01 booked @2026-01-02")},
			[]string{"2/0 2026-01-31 booked @2026-01-01", "1/0 2026-02-01 booked @2026-01-02"}},
		{"what a later complete report does not have is gone; outside of its range nothing is",
			batches{rows("1/0 2026-01-05 booked @2026-01-01", "2/0 2026-01-06 booked @2026-01-01", "3/0 2026-01-07 booked @2026-01-01"),
				covered(cover("2026-01-05", "2026-01-06", "2026-01-08"), "2/0 2026-01-06 arrived @2026-01-08")},
			[]string{"2/0 2026-01-06 arrived @2026-01-08", "3/0 2026-01-07 booked @2026-01-01"}},
		{"an older file cannot bring back what a complete report did not have",
			batches{covered(cover("2026-01-01", "2026-01-31", "2026-02-01")), rows("1/0 2026-01-05 booked @2026-01-01")},
			nil},
		{"nor where it had the appointment on another day before it moved into the range",
			batches{rows("1/0 2026-01-05 booked @2026-01-04"), covered(cover("2026-01-01", "2026-01-31", "2026-02-01")), rows("1/0 2026-03-05 booked @2026-01-01")},
			nil},
		{"a newer one does bring it back",
			batches{covered(cover("2026-01-01", "2026-01-31", "2026-02-01")), rows("1/0 2026-01-05 booked @2026-02-02")},
			[]string{"1/0 2026-01-05 booked @2026-02-02"}},
		{"a complete report of the same day as a plain one removes what it does not have",
			batches{rows("1/0 2026-01-05 booked @2026-02-01"), covered(cover("2026-01-01", "2026-01-31", "2026-02-01"))},
			nil},
		{"in any order",
			batches{covered(cover("2026-01-01", "2026-01-31", "2026-02-01")), rows("1/0 2026-01-05 booked @2026-02-01")},
			nil},
		{"of two complete reports of one day the one brought later counts, for what it lacks",
			batches{covered(cover("2026-01-01", "2026-01-31", "2026-02-01"), "1/0 2026-01-05 booked @2026-02-01", "2/0 2026-01-06 booked @2026-02-01"),
				covered(cover("2026-01-01", "2026-01-31", "2026-02-01"), "2/0 2026-01-06 booked @2026-02-01")},
			[]string{"2/0 2026-01-06 booked @2026-02-01"}},
		{"for what it has again",
			batches{covered(cover("2026-01-01", "2026-01-31", "2026-02-01"), "1/0 2026-01-05 booked @2026-02-01"),
				covered(cover("2026-01-01", "2026-01-31", "2026-02-01")),
				covered(cover("2026-01-01", "2026-01-31", "2026-02-01"), "1/0 2026-01-05 booked @2026-02-01")},
			[]string{"1/0 2026-01-05 booked @2026-02-01"}},
		{"and for what it says otherwise",
			batches{covered(cover("2026-01-01", "2026-01-31", "2026-02-01"), "1/0 2026-01-05 arrived @2026-02-01"),
				covered(cover("2026-01-01", "2026-01-31", "2026-02-01"), "1/0 2026-01-05 booked @2026-02-01")},
			[]string{"1/0 2026-01-05 booked @2026-02-01"}},
		{"and a plain one of that day does not bring it back",
			batches{covered(cover("2026-01-01", "2026-01-31", "2026-02-01"), "1/0 2026-01-05 booked @2026-02-01"),
				covered(cover("2026-01-01", "2026-01-31", "2026-02-01")), rows("1/0 2026-01-05 booked @2026-02-01")},
			nil},
		{"an older complete report does not remove a newer row",
			batches{rows("1/0 2026-01-05 booked @2026-02-02"), covered(cover("2026-01-01", "2026-01-31", "2026-02-01"))},
			[]string{"1/0 2026-01-05 booked @2026-02-02"}},
		{"a row that a complete report has again keeps its day of observation, and counts as seen again",
			batches{rows("1/0 2026-01-05 booked @2026-01-01"),
				covered(cover("2026-01-01", "2026-01-31", "2026-01-20"), "1/0 2026-01-05 booked @2026-01-20"),
				rows("1/0 2026-01-05 cancelled @2026-01-10")}, // older than the second report
			[]string{"1/0 2026-01-05 booked @2026-01-01"}},
		{"a row seen again without a cover takes the later day",
			batches{rows("1/0 2026-01-05 booked @2026-01-01"), rows("1/0 2026-01-05 booked @2026-01-20"), rows("1/0 2026-01-05 cancelled @2026-01-10")},
			[]string{"1/0 2026-01-05 booked @2026-01-20"}},
		{"a batch alone decides between two forms of its own",
			batches{rows("1/0 2026-01-05 booked @2026-01-01", "1/0 2026-02-05 booked @2026-01-02")},
			[]string{"1/0 2026-02-05 booked @2026-01-02"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			clinic := newMemoryClinic(t)
			for _, b := range test.batches {
				mustUpsert(t, clinic, b)
			}
			if got := show(stored(t, clinic)); !slices.Equal(got, test.want) {
				t.Errorf("\n got %v\nwant %v", got, test.want)
			}
		})
	}
}

func TestOfTwoReportsOfOneDayTheFullerRowCounts(t *testing.T) {
	booked := visit("1/0 2026-01-05 booked @2026-01-05")
	arrived := visit("1/0 2026-01-05 arrived @2026-01-05")
	arrived.ArrivedAt = new(int64)
	for _, order := range [][]contract.Appointment{{booked, arrived}, {arrived, booked}} {
		clinic := newMemoryClinic(t)
		for _, a := range order {
			mustUpsert(t, clinic, appointments{Rows: []contract.Appointment{a}})
		}
		if got := stored(t, clinic); len(got) != 1 || got[0].State != "arrived" {
			t.Errorf("%v", show(got))
		}
	}
}

func TestUpsertOfRowsWithoutADay(t *testing.T) {
	clinic := newMemoryClinic(t)
	policy := func(patient, status, observed string) contract.Policy {
		return contract.Policy{Patient: patient, PayerID: "x1", PolicyID: "n1", Status: status, ObservedOn: day(observed)}
	}
	upsertInto(t, clinic, lake.Policies, lake.Batch[contract.Policy]{
		Rows:   []contract.Policy{policy("p1", "open", "2026-01-01"), policy("p2", "open", "2026-01-01")},
		Covers: []lake.Cover{{ObservedOn: date("2026-01-01")}},
	})
	upsertInto(t, clinic, lake.Policies, lake.Batch[contract.Policy]{
		Rows:   []contract.Policy{policy("p2", "closed", "2026-02-01")},
		Covers: []lake.Cover{{ObservedOn: date("2026-02-01")}},
	})
	// Late, and older: p1 stays gone, p2 closed.
	upsertInto(t, clinic, lake.Policies, lake.Batch[contract.Policy]{Rows: []contract.Policy{policy("p1", "open", "2026-01-15"), policy("p2", "open", "2026-01-15")}})
	rows := rowsOf(t, clinic, lake.Policies)
	if len(rows) != 1 || rows[0].Patient != "p2" || rows[0].Status != "closed" {
		t.Fatalf("%+v", rows)
	}
	objects := clinic.Snapshot(head(t, clinic)).Objects("policies")
	if len(objects) != 1 || objects[0].Month != contract.Undated {
		t.Fatalf("%+v", objects)
	}
}

func TestUpsertWritesOnlyTheMonthsThatChange(t *testing.T) {
	store := new(storetest.Memory)
	clinic := openClinic(t, store)
	first := mustUpsert(t, clinic, appointments{Rows: visits(
		"1/0 2026-01-05 booked @2026-01-01", "2/0 2026-02-05 booked @2026-01-01", "3/0 2026-03-05 booked @2026-01-01", "4/0 2026-04-05 booked @2026-01-01")})
	if want := (lake.Merged{Added: 4, Months: []string{"2026-01", "2026-02", "2026-03", "2026-04"}}); fmt.Sprint(first) != fmt.Sprint(want) {
		t.Errorf("first: %+v", first)
	}
	before := head(t, clinic).Datasets["appointments"].Objects
	second := mustUpsert(t, clinic, appointments{
		Rows:   visits("1/0 2026-01-05 arrived @2026-01-06", "3/0 2026-02-20 booked @2026-01-06", "4/0 2026-04-05 booked @2026-01-06", "5/0 2026-01-07 booked @2026-01-06"),
		Covers: []lake.Cover{cover("2026-03-01", "2026-04-30", "2026-01-06")},
	})
	// 1 changed and 5 is new in January; 3 moved from March, which is now empty, to February; 4 was confirmed by the cover.
	if want := (lake.Merged{Added: 1, Changed: 2, Unchanged: 1, Months: []string{"2026-01", "2026-02", "2026-03"}}); fmt.Sprint(second) != fmt.Sprint(want) {
		t.Errorf("second: %+v", second)
	}
	after := head(t, clinic).Datasets["appointments"].Objects
	if len(after) != 3 || after[2].Path != before[3].Path || after[0].Path == before[0].Path {
		t.Errorf("before %+v, after %+v", before, after)
	}
	third := mustUpsert(t, clinic, appointments{Covers: []lake.Cover{cover("2026-04-05", "2026-04-05", "2026-01-07")}})
	if want := (lake.Merged{Removed: 1, Months: []string{"2026-04"}}); fmt.Sprint(third) != fmt.Sprint(want) {
		t.Errorf("third: %+v", third)
	}
	fourth := mustUpsert(t, clinic, appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01", "4/0 2026-04-05 booked @2026-01-06")})
	if want := (lake.Merged{Outdated: 2}); fmt.Sprint(fourth) != fmt.Sprint(want) {
		t.Errorf("fourth: %+v", fourth)
	}
}

func TestUpsertRefusesWhatItCannotPlace(t *testing.T) {
	undated := contract.Policy{Patient: "p1", ObservedOn: day("2026-01-01")}
	for name, run := range map[string]func(ctx context.Context, tx *lake.Tx) error{
		"no observation": func(ctx context.Context, tx *lake.Tx) error {
			_, err := lake.Upsert(ctx, tx, lake.Appointments, appointments{Rows: []contract.Appointment{{AppointmentID: 1, ServiceDate: day("2026-01-01"), ObservedOn: -1 << 31}}})
			return err
		},
		"no day": func(ctx context.Context, tx *lake.Tx) error {
			_, err := lake.Upsert(ctx, tx, lake.Appointments, appointments{Rows: []contract.Appointment{{AppointmentID: 1, ServiceDate: -1 << 31, ObservedOn: 1}}})
			return err
		},
		"the year 12000": func(ctx context.Context, tx *lake.Tx) error {
			_, err := lake.Upsert(ctx, tx, lake.Appointments, appointments{Rows: []contract.Appointment{{AppointmentID: 1, ServiceDate: 3_700_000, ObservedOn: 1}}})
			return err
		},
		"a cover backwards": func(ctx context.Context, tx *lake.Tx) error {
			_, err := lake.Upsert(ctx, tx, lake.Appointments, appointments{Covers: []lake.Cover{cover("2026-01-02", "2026-01-01", "2026-01-03")}})
			return err
		},
		"a cover without a range": func(ctx context.Context, tx *lake.Tx) error {
			_, err := lake.Upsert(ctx, tx, lake.Appointments, appointments{Covers: []lake.Cover{{ObservedOn: date("2026-01-03")}}})
			return err
		},
		"a cover without a day of observation": func(ctx context.Context, tx *lake.Tx) error {
			_, err := lake.Upsert(ctx, tx, lake.Appointments, appointments{Covers: []lake.Cover{{From: date("2026-01-02"), To: date("2026-01-03")}}})
			return err
		},
		"a cover with a range of rows without a day": func(ctx context.Context, tx *lake.Tx) error {
			_, err := lake.Upsert(ctx, tx, lake.Policies, lake.Batch[contract.Policy]{Rows: []contract.Policy{undated}, Covers: []lake.Cover{cover("2026-01-01", "2026-01-02", "2026-01-03")}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := new(storetest.Memory)
			_, err := openClinic(t, store).Update(t.Context(), lake.Ingest, run)
			if err == nil || !strings.Contains(err.Error(), "harbour-street") {
				t.Errorf("%v", err)
			}
			if left := storetest.Names(t, store, ""); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
		})
	}
}

func TestUpsertTwiceInOneCommit(t *testing.T) {
	clinic := newMemoryClinic(t)
	commit, err := clinic.Update(t.Context(), lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
		for _, b := range []appointments{{Rows: visits("1/0 2026-01-05 booked @2026-01-01")}, {Rows: visits("1/0 2026-02-05 booked @2026-01-02")}} {
			if _, err := lake.Upsert(ctx, tx, lake.Appointments, b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := show(stored(t, clinic)); commit.Number != 1 || !slices.Equal(got, []string{"1/0 2026-02-05 booked @2026-01-02"}) {
		t.Errorf("commit %d: %v", commit.Number, got)
	}
}

// An upsert of few rows reads the identifying columns of the other months, not their rows.
func TestASmallBatchReadsLittleOfALargeLake(t *testing.T) {
	counter := &reading{Store: new(storetest.Memory)}
	clinic := openClinic(t, counter)
	mustUpsert(t, clinic, appointments{Rows: schedule(120_000, 4)})
	var total int64
	for _, o := range head(t, clinic).Datasets["appointments"].Objects {
		total += o.Bytes
	}
	counter.bytes.Store(0)
	later := visit("1/0 2025-01-05 booked @2026-01-01") // a month of its own
	if m := mustUpsert(t, clinic, appointments{Rows: []contract.Appointment{later}}); m.Added != 1 {
		t.Fatalf("%+v", m)
	}
	if share := float64(counter.bytes.Load()) / float64(total); share > 0.4 {
		t.Errorf("it read %.0f %% of the lake's bytes", 100*share)
	} else {
		t.Logf("it read %.0f %% of the lake's bytes", 100*share)
	}
}

// Bringing a month again reads that month, however many there are beside it; a unit that is in none of the months that
// it could be in is looked for in all.
func TestAMonthBroughtAgainReadsThatMonth(t *testing.T) {
	counter := &reading{Store: new(storetest.Memory)}
	clinic := openClinic(t, counter)
	var rows []contract.Appointment
	for month := range 24 {
		rows = append(rows, visit(fmt.Sprintf("%d/0 %d-%02d-05 booked @2024-01-01", month+1, 2024+month/12, month%12+1)))
	}
	mustUpsert(t, clinic, appointments{Rows: rows})
	requests := func(batch appointments) int64 {
		counter.objects.Store(0)
		mustUpsert(t, clinic, batch)
		return counter.objects.Load()
	}
	again := appointments{Rows: rows[23:], Covers: []lake.Cover{cover("2025-12-01", "2025-12-31", "2026-01-02")}}
	if n := requests(again); n != 1 {
		t.Errorf("a month again: %d partitions read", n)
	}
	if n := requests(appointments{Rows: visits("99/0 2025-12-06 booked @2026-01-03")}); n < 24 {
		t.Errorf("a unit that nobody knows: %d partitions read", n)
	}
	if n := requests(appointments{Covers: []lake.Cover{cover("2025-11-05", "2025-12-01", "2026-01-03")}}); n != 4 { // November's row goes: looked at, judged, rewritten; December is looked at
		t.Errorf("two months covered: %d partitions read", n)
	}
	moved := visits("3/0 2025-12-07 booked @2026-01-04") // from March of the year before
	mustUpsert(t, clinic, appointments{Rows: moved})
	sound(t, clinic)
	if got := len(stored(t, clinic)); got != 24 {
		t.Errorf("%d rows", got)
	}
}

type reading struct {
	lake.Store
	bytes atomic.Int64
	// objects counts reads of partitions.
	objects atomic.Int64
}

func (r *reading) count(name string) {
	if strings.Contains(name, "/data/") {
		r.objects.Add(1)
	}
}

func (r *reading) Get(ctx context.Context, name string) ([]byte, error) {
	body, err := r.Store.Get(ctx, name)
	r.count(name)
	r.bytes.Add(int64(len(body)))
	return body, err
}

func (r *reading) GetRange(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	body, err := r.Store.GetRange(ctx, name, offset, length)
	r.count(name)
	r.bytes.Add(int64(len(body)))
	return body, err
}

func TestADamagedPartitionStopsAnUpsert(t *testing.T) {
	store := new(storetest.Memory)
	clinic := openClinic(t, store)
	mustUpsert(t, clinic, appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01")})
	path := "clinic=harbour-street/" + head(t, clinic).Datasets["appointments"].Objects[0].Path
	body, err := store.Get(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range body {
		flipped := slices.Clone(body)
		flipped[i] ^= 1
		replace(t, store, path, flipped)
		_, err := clinic.Update(t.Context(), lake.Ingest, func(ctx context.Context, tx *lake.Tx) error {
			_, err := lake.Upsert(ctx, tx, lake.Appointments, appointments{Rows: visits("2/0 2026-01-06 booked @2026-01-02")})
			return err
		})
		if !errors.Is(err, lake.ErrDamaged) || !strings.Contains(err.Error(), ".parquet") {
			t.Fatalf("byte %d flipped: %v", i, err)
		}
	}
	if head(t, clinic).Number != 1 {
		t.Error("a commit was made on damaged rows")
	}
}

func replace(t *testing.T, store lake.Store, name string, body []byte) {
	t.Helper()
	if err := store.Delete(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if err := store.Create(t.Context(), name, body); err != nil {
		t.Fatal(err)
	}
}
