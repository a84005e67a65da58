package lake_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// The rule of Upsert, said once more and otherwise: a function of the set of batches, in which no order of arrival occurs. The
// lake, which never sees more than one batch and its own state, must come to the same rows.

type appointments = lake.Batch[contract.Appointment]

// form is one content of one unit, and the newest day on which any batch showed it.
type form struct {
	rows []contract.Appointment
	seen int32 // in half days
}

func ruled(batches []appointments) []contract.Appointment {
	forms := map[string][]form{}
	for _, b := range batches {
		type version struct {
			unit          string
			day, observed int32
		}
		versions := map[version]map[int32]contract.Appointment{}
		for _, r := range b.Rows {
			v := version{r.Unit(), r.Day(), r.Observed()}
			if versions[v] == nil {
				versions[v] = map[int32]contract.Appointment{}
			}
			// Of rows with one key the one that compares highest counts.
			other, twice := versions[v][r.Seat]
			if !twice || lake.CompareContent([]contract.Appointment{r}, []contract.Appointment{other}) > 0 {
				versions[v][r.Seat] = r
			}
		}
		for v, seats := range versions {
			rows := slices.SortedFunc(maps.Values(seats), func(a, b contract.Appointment) int { return cmp.Compare(a.Key(), b.Key()) })
			// In half days: a complete report of a day is a little newer than a plain one.
			seen := 2 * v.observed
			for _, c := range b.Covers {
				if covers(c, v.day) {
					seen = max(seen, 2*contract.DayOf(c.ObservedOn)+1)
				}
			}
			known := slices.IndexFunc(forms[v.unit], func(f form) bool { return lake.CompareContent(f.rows, rows) == 0 })
			if known < 0 {
				forms[v.unit] = append(forms[v.unit], form{rows, seen})
			} else {
				forms[v.unit][known].seen = max(forms[v.unit][known].seen, seen)
			}
		}
	}
	var live []contract.Appointment
	for _, forms := range forms {
		best := slices.MaxFunc(forms, func(a, b form) int {
			return cmp.Or(cmp.Compare(a.seen, b.seen), lake.CompareContent(a.rows, b.rows))
		})
		gone := false
		for _, b := range batches {
			for _, c := range b.Covers {
				gone = gone || covers(c, best.rows[0].Day()) && 2*contract.DayOf(c.ObservedOn)+1 > best.seen
			}
		}
		if !gone {
			live = append(live, best.rows...)
		}
	}
	return live
}

func covers(c lake.Cover, day int32) bool {
	return contract.DayOf(c.From) <= day && day <= contract.DayOf(c.To)
}

// history makes batches in which appointments appear, change, move between months, gain and lose seats, and vanish, with
// and without covers that agree with the reports' days and with each other or not.
func history(r *rand.Rand) []appointments {
	first := civil.Date{Year: 2026, Month: 1, Day: 26}
	day := func(n int) civil.Date { return first.AddDays(n) } // 12 days, half in January
	const reports = 8
	observed := func(n int) civil.Date { return civil.Date{Year: 2026, Month: 3, Day: 1 + n} }
	batches := make([]appointments, 1+r.IntN(6))
	// Complete reports are of days of their own: of two of one day that contradict each other the order decides.
	complete := r.Perm(reports)
	for i := range batches {
		b := &batches[i]
		report := complete[i]
		if r.IntN(2) == 0 {
			report = r.IntN(reports)
		}
		for range r.IntN(6) {
			id := r.IntN(5)
			seen := report
			if r.IntN(8) == 0 {
				seen = r.IntN(reports)
			}
			on := contract.DayOf(day(r.IntN(12)))
			seats := 1
			if r.IntN(4) == 0 {
				seats = 2 + r.IntN(10)
			}
			state := []string{"booked", "arrived", "cancelled"}[r.IntN(3)]
			for seat := range seats {
				row := contract.Appointment{AppointmentID: int64(id + 1), Seat: int32(seat), State: state, ServiceDate: on, ObservedOn: contract.DayOf(observed(seen))}
				if state == "arrived" {
					row.ArrivedAt = new(int64)
				}
				b.Rows = append(b.Rows, row)
			}
		}
		r.Shuffle(len(b.Rows), func(i, j int) { b.Rows[i], b.Rows[j] = b.Rows[j], b.Rows[i] })
		for range r.IntN(3) {
			from := r.IntN(12)
			to := from + r.IntN(12-from)
			b.Covers = append(b.Covers, lake.Cover{From: day(from), To: day(to), ObservedOn: observed(complete[i])})
		}
	}
	return batches
}

func TestUpsertDependsOnTheSetOfBatchesAlone(t *testing.T) {
	histories := 400
	if os.Getenv("FALLOFF_LONG") != "" {
		histories = 20_000
	}
	gone := 0
	for seed := range histories {
		r := rand.New(rand.NewPCG(uint64(seed), 4))
		batches := history(r)
		want := describeRows(ruled(batches))
		order := r.Perm(len(batches))
		for range r.IntN(3) {
			order = slices.Insert(order, r.IntN(len(order)+1), r.IntN(len(batches)))
		}
		clinic := newMemoryClinic(t)
		for _, i := range order {
			mustUpsert(t, clinic, batches[i])
		}
		before := head(t, clinic)
		if got := describeRows(stored(t, clinic)); !slices.Equal(got, want) {
			t.Fatalf("seed %d, order %v:\n got %v\nwant %v", seed, order, got, want)
		}
		if before.Datasets["appointments"].Removed != nil {
			gone++
			noGraveOfTheLiving(t, clinic, before)
		}
		for _, i := range order {
			if m := mustUpsert(t, clinic, batches[i]); len(m.Months) > 0 {
				t.Fatalf("seed %d, order %v: batch %d once more wrote %v", seed, order, i, m.Months)
			}
		}
		after := head(t, clinic)
		if !reflect.DeepEqual(before.Datasets, after.Datasets) {
			t.Fatalf("seed %d: running it again changed\n%+v\ninto\n%+v", seed, before.Datasets, after.Datasets)
		}
		if err := clinic.Snapshot(after).Verify(t.Context()); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	if gone < histories/10 {
		t.Errorf("only %d of %d histories left a removed unit: the generator has lost its point", gone, histories)
	}
}

// noGraveOfTheLiving checks that no unit is both live and listed as removed.
func noGraveOfTheLiving(t *testing.T, clinic *lake.Clinic, commit *lake.Commit) {
	t.Helper()
	for _, r := range stored(t, clinic) {
		if found, err := lake.IsRemoved(t.Context(), clinic, commit, "appointments", r.Unit()); err != nil || found {
			t.Fatalf("appointment %s is live, and listed as removed (%v)", r.Unit(), err)
		}
	}
}

// describeRows is the content of rows in an order of its own, without the day of observation.
func describeRows(rows []contract.Appointment) []string {
	var out []string
	for _, r := range rows {
		arrived := ""
		if r.ArrivedAt != nil {
			arrived = " arrived_at " + strconv.FormatInt(*r.ArrivedAt, 10)
		}
		out = append(out, fmt.Sprintf("%d/%d %v %s%s", r.AppointmentID, r.Seat, contract.DateOf(r.ServiceDate), r.State, arrived))
	}
	slices.Sort(out)
	return out
}
