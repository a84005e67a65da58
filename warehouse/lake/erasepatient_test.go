package lake_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// people are pseudonyms as a clinic has them.
func people(n int) (out []string) {
	for i := range n {
		out = append(out, "p1_"+strings.Repeat(string(rune('a'+i)), 26))
	}
	return out
}

// aHistory gives a clinic a history of commits about some people: rows that come, change and go, marts, months in every commit.
func aHistory(t testing.TB, clinic *lake.Clinic, r *rand.Rand, who []string, steps int) {
	t.Helper()
	ctx := context.Background()
	for step := range steps {
		seen := day("2026-03-01") + int32(step)
		var visits []contract.Appointment
		var lines []contract.InvoiceLine
		var policies []contract.Policy
		var credits []contract.Credit
		for range 1 + r.IntN(8) {
			id, on, person := int64(r.IntN(30)), day("2026-01-10")+int32(r.IntN(3))*25, who[r.IntN(len(who))]
			visits = append(visits, contract.Appointment{AppointmentID: id, Patient: &person, ServiceDate: on, State: "booked", StartsAt: int64(r.IntN(5)), ObservedOn: seen})
			if r.IntN(3) == 0 { // a group, of which one seat is somebody else's
				other := who[r.IntN(len(who))]
				visits = append(visits, contract.Appointment{AppointmentID: id, Seat: 1, Patient: &other, ServiceDate: on, State: "booked", ObservedOn: seen})
			}
			lines = append(lines, contract.InvoiceLine{InvoiceNumber: fmt.Sprint(id), Item: "visit", Patient: person, PurchaseDate: on, TotalCents: int64(r.IntN(9000)), ObservedOn: seen})
			policies = append(policies, contract.Policy{Patient: person, PayerID: "p1_payer", PolicyID: "p1_policy", Status: "active", ObservedOn: seen})
			credits = append(credits, contract.Credit{AsOf: on, Account: person, PayerKind: contract.Person, CreditCents: int64(r.IntN(500)), ObservedOn: seen})
		}
		var covers []lake.Cover
		if r.IntN(3) == 0 {
			covers = []lake.Cover{{From: contract.DateOf(day("2026-01-01")), To: contract.DateOf(day("2026-01-20")), ObservedOn: contract.DateOf(seen)}}
		}
		upsertInto(t, clinic, lake.Appointments, lake.Batch[contract.Appointment]{Rows: visits, Covers: covers})
		switch r.IntN(4) {
		case 0:
			upsertInto(t, clinic, lake.InvoiceLines, lake.Batch[contract.InvoiceLine]{Rows: lines})
		case 1:
			upsertInto(t, clinic, lake.Policies, lake.Batch[contract.Policy]{Rows: policies})
		case 2:
			upsertInto(t, clinic, lake.Credits, lake.Batch[contract.Credit]{Rows: credits})
		default:
			body, err := lake.Appointments.Encode(stored(t, clinic))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := clinic.Update(ctx, lake.Build, func(ctx context.Context, tx *lake.Tx) error {
				return tx.PutMart(ctx, "visits", body, lake.Origin{Input: tx.Head().Number, AsOf: contract.DateOf(seen)})
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// told is all rows of a commit, by dataset, as text.
func told(t testing.TB, clinic *lake.Clinic, commit *lake.Commit) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	snapshot := clinic.Snapshot(commit)
	add := func(name string, row any) {
		text, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = append(out[name], string(text))
	}
	tell := func(name string, rows func(yield func(any, error) bool)) {
		for row, err := range rows {
			if err != nil {
				t.Fatalf("commit %d: %v", commit.Number, err)
			}
			add(name, row)
		}
	}
	tell(contract.Appointments, untyped(t.Context(), snapshot, lake.Appointments))
	tell(contract.InvoiceLines, untyped(t.Context(), snapshot, lake.InvoiceLines))
	tell(contract.Policies, untyped(t.Context(), snapshot, lake.Policies))
	tell(contract.Credits, untyped(t.Context(), snapshot, lake.Credits))
	if _, built := commit.Marts["visits"]; built && !commit.Encrypted() {
		local, err := snapshot.Materialise(t.Context(), lake.Want{Marts: []string{"visits"}, Folder: t.TempDir()})
		if err != nil {
			t.Fatalf("commit %d: %v", commit.Number, err)
		}
		body, err := os.ReadFile(local.Marts["visits"][0])
		if err != nil {
			t.Fatal(err)
		}
		rows, err := lake.Appointments.Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			add("marts.visits", row)
		}
		if err := local.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func untyped[T contract.Row](ctx context.Context, s *lake.Snapshot, table lake.Table[T]) func(yield func(any, error) bool) {
	return func(yield func(any, error) bool) {
		for row, err := range lake.Rows(ctx, s, table) {
			if !yield(row, err) {
				return
			}
		}
	}
}

// without is what is told without the rows that name somebody.
func without(all map[string][]string, person string) map[string][]string {
	out := map[string][]string{}
	for name, rows := range all {
		left := slices.DeleteFunc(slices.Clone(rows), func(row string) bool { return strings.Contains(row, person) })
		if len(left) > 0 {
			out[name] = left
		}
	}
	return out
}

// everyCommit tells what each commit holds.
func everyCommit(t testing.TB, clinic *lake.Clinic) map[int64]map[string][]string {
	t.Helper()
	numbers, err := clinic.Numbers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := map[int64]map[string][]string{}
	for _, n := range numbers {
		commit, err := clinic.At(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		out[n] = told(t, clinic, commit)
	}
	return out
}

// holdsNothingOf holds a clinic to what an erasure promises: every commit that there was says of others what it said, and of the person nothing.
func holdsNothingOf(t testing.TB, where string, clinic *lake.Clinic, before map[int64]map[string][]string, person string) {
	t.Helper()
	after := everyCommit(t, clinic)
	newest := slices.Max(slices.Collect(maps.Keys(before)))
	for n, rows := range after {
		was := before[n]
		if was == nil { // made by the erasure
			was = before[newest]
		}
		if want := without(was, person); !reflect.DeepEqual(rows, want) && len(rows)+len(want) > 0 {
			t.Fatalf("%s: commit %d holds %v, want %v", where, n, rows, want)
		}
	}
	if _, err := clinic.ProveErased(t.Context(), []string{person}); err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	verified, err := clinic.Verify(t.Context(), lake.VerifyOptions{All: true})
	if err != nil || len(verified.Findings) > 0 {
		t.Fatalf("%s: %v, %v", where, verified, err)
	}
	if err := clinic.Snapshot(head(t, clinic)).Verify(t.Context()); err != nil {
		t.Fatalf("%s: %v", where, err)
	}
}

func erase(t testing.TB, clinic *lake.Clinic, person string) *lake.PatientErased {
	t.Helper()
	done, err := clinic.ErasePatient(t.Context(), lake.PatientErasure{Texts: []string{person}})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// Whatever the history was: an erased person is in none of its commits, and of everybody else each says what it said.
func TestErasurePatientHistories(t *testing.T) {
	from, to := seeds(10, 2000)
	for _, kind := range []string{"plain", "encrypted", "plain folder", "encrypted folder"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			end := to
			if strings.Contains(kind, "folder") || strings.Contains(kind, "encrypted") {
				end = from + (to-from+4)/5
			}
			for seed := from; seed < end; seed++ {
				where := fmt.Sprintf("FALLOFF_SEED=%d", seed)
				r := rand.New(rand.NewPCG(seed, 77))
				var store lake.Store = new(storetest.Memory)
				if strings.Contains(kind, "folder") {
					dir, err := lake.OpenDir(t.TempDir())
					if err != nil {
						t.Fatal(err)
					}
					store = dir
				}
				clinic := openClinic(t, store)
				if strings.Contains(kind, "encrypted") {
					clinic = openEncrypted(t, store)
				}
				who := people(2 + r.IntN(4))
				for range 1 + r.IntN(3) { // a second erasure makes chains
					aHistory(t, clinic, r, who, 1+r.IntN(4))
					before := everyCommit(t, clinic)
					gone := r.IntN(len(who))
					done := erase(t, clinic, who[gone])
					if done.Commit == 0 || head(t, clinic).Number != done.Commit {
						t.Fatalf("%s: %+v", where, done)
					}
					holdsNothingOf(t, where, clinic, before, who[gone])
					who = slices.Delete(slices.Clone(who), gone, gone+1)
					if len(who) == 0 {
						break
					}
					if _, err := clinic.GC(t.Context(), lake.GCOptions{Grace: 1}); err != nil {
						t.Fatalf("%s: %v", where, err)
					}
				}
				_ = everyCommit(t, clinic) // the last clearing up took nothing that a commit needs
			}
		})
	}
}

// Cut short at any request, in either way in which one fails, an erasure is gone on with by the same call.
func TestErasureOfAPatientIsResumed(t *testing.T) {
	who := people(3)
	history := func(store lake.Store, open func(testing.TB, lake.Store) *lake.Clinic) {
		clinic := open(t, store)
		aHistory(t, clinic, rand.New(rand.NewPCG(5, 5)), who, 3)
		erase(t, clinic, who[2]) // so that redirects are there before
	}
	for kind, open := range map[string]func(testing.TB, lake.Store) *lake.Clinic{"plain": openClinic, "encrypted": openEncrypted} {
		first := new(storetest.Memory)
		history(first, open)
		before := everyCommit(t, open(t, first))
		counting := &storetest.Faulty{Store: copied(t, first)}
		if _, err := open(t, counting).ErasePatient(t.Context(), lake.PatientErasure{Texts: who[:1]}); err != nil {
			t.Fatal(err)
		}
		step := 1
		if os.Getenv("FALLOFF_LONG") == "" {
			step = 17
		}
		for fail := 1; fail <= counting.Calls(); fail += step {
			for _, fault := range []storetest.Fault{storetest.NotDone, storetest.Done} {
				for _, dead := range []bool{true, false} {
					where := fmt.Sprintf("%s, request %d, fault %d, dead %v", kind, fail, fault, dead)
					store := copied(t, first)
					_, err := open(t, &storetest.Faulty{Store: store, Fail: fail, Fault: fault, Dead: dead}).
						ErasePatient(t.Context(), lake.PatientErasure{Texts: who[:1]})
					if err != nil && !errors.Is(err, storetest.ErrInjected) {
						t.Fatalf("%s: %v", where, err)
					}
					clinic := open(t, store)
					_ = everyCommit(t, clinic) // whatever was done, readers find what their commit names
					erase(t, clinic, who[0])
					holdsNothingOf(t, where, clinic, before, who[0])
				}
			}
		}
	}
}

// copied is a store with the same objects.
func copied(t testing.TB, from lake.Store) *storetest.Memory {
	t.Helper()
	out := new(storetest.Memory)
	for _, name := range storetest.Names(t, from, "") {
		body, err := from.Get(t.Context(), name)
		if err == nil {
			err = out.Create(t.Context(), name, body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// What takes an object's place names nobody, says nothing but a path, and is all that is left.
func TestRedirects(t *testing.T) {
	ctx, store := t.Context(), new(storetest.Memory)
	clinic := openClinic(t, store)
	who := people(2)
	upsertInto(t, clinic, lake.Appointments, lake.Batch[contract.Appointment]{Rows: []contract.Appointment{
		{AppointmentID: 1, Patient: &who[0], ServiceDate: day("2026-01-05"), ObservedOn: day("2026-03-01")},
		{AppointmentID: 2, Patient: &who[1], ServiceDate: day("2026-01-06"), ObservedOn: day("2026-03-01")},
		{AppointmentID: 3, Patient: &who[0], ServiceDate: day("2026-02-05"), ObservedOn: day("2026-03-01")},
	}})
	was := head(t, clinic).Datasets[contract.Appointments].Objects
	done := erase(t, clinic, who[0])
	if done.Objects != 2 || done.Rows[contract.Appointments] != 2 || done.Snapshots != 1 || done.Commit != 2 {
		t.Errorf("%+v", done)
	}
	now := head(t, clinic)
	if is := now.Datasets[contract.Appointments].Objects; len(is) != 1 || is[0].Rows != 1 || now.Kind != lake.Erase || now.Erasures != 1 || now.Format != 4 {
		t.Errorf("%+v", now)
	}
	for _, o := range was {
		if _, err := store.Get(ctx, clinic.Name(o.Path)); !errors.Is(err, lake.ErrNotFound) {
			t.Errorf("%s is still there: %v", o.Path, err)
		}
		to, err := store.Get(ctx, clinic.Name("redirects/"+o.Path))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Get(ctx, clinic.Name(string(to))); err != nil {
			t.Errorf("what took the place of %s: %v", o.Path, err)
		}
	}
	verified, err := clinic.Verify(ctx, lake.VerifyOptions{All: true})
	if err != nil || len(verified.Findings) > 0 || len(verified.Erased) != 2 {
		t.Errorf("%+v, %v", verified, err)
	}
	// What is reached through a redirect stays; with the commits that lead to it the redirects go too.
	kept, err := clinic.GC(ctx, lake.GCOptions{Grace: 1, Keep: &lake.Retention{Daily: 1}})
	if err != nil || kept.Redirects != 2 {
		t.Errorf("%+v, %v", kept, err)
	}
	// Somebody who is not there is erased without anything but the commit.
	if done := erase(t, clinic, "p1_"+strings.Repeat("z", 26)); done.Objects != 0 || done.Commit != 3 {
		t.Errorf("%+v", done)
	}
	// Nothing is replaced by what a damaged redirect says.
	if err := store.Create(ctx, clinic.Name("redirects/data/appointments/month=2026-01/x"), []byte("../../keys/secret")); err != nil {
		t.Fatal(err)
	}
	if _, err := clinic.Redirects(ctx); !errors.Is(err, lake.ErrDamaged) {
		t.Errorf("a redirect that leads out: %v", err)
	}
}

// DuckDB reads what took the place of objects, empty ones too, encrypted and plain, and marts of its own making lose the rows.
func TestDuckDBReadsWhatIsLeftOfAPatient(t *testing.T) {
	who := people(2)
	for kind, open := range map[string]func(testing.TB, lake.Store) *lake.Clinic{"plain": openClinic, "encrypted": openEncrypted} {
		dir, err := lake.OpenDir(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		clinic := open(t, dir)
		upsertInto(t, clinic, lake.Appointments, lake.Batch[contract.Appointment]{Rows: []contract.Appointment{
			{AppointmentID: 1, Patient: &who[0], ServiceDate: day("2026-01-05"), ObservedOn: day("2026-03-01")},
			{AppointmentID: 2, Patient: &who[1], ServiceDate: day("2026-01-06"), ObservedOn: day("2026-03-01")},
			{AppointmentID: 3, Patient: &who[0], ServiceDate: day("2026-02-05"), ObservedOn: day("2026-03-01")},
		}})
		body := duckDBMart(t, "select i as n, i * 100 as amount_cents, date '2026-01-01' + i::int as day, i / 2.0::double as half, timestamptz '2026-01-01 00:00:00+00' as moment, "+
			"case when i % 5 = 0 then '"+who[0]+"|' || i else '"+who[1]+"' end as episode from range(100) t(i)")
		if _, err := clinic.Update(t.Context(), lake.Build, func(ctx context.Context, tx *lake.Tx) error {
			return tx.PutMart(ctx, "episodes", body, lake.Origin{Input: 1, AsOf: date("2026-03-01")})
		}); err != nil {
			t.Fatal(err)
		}
		old := head(t, clinic)
		done := erase(t, clinic, who[0])
		if done.Marts["episodes"] != 20 || done.Rows[contract.Appointments] != 2 {
			t.Errorf("%s: %+v", kind, done)
		}
		for _, commit := range []*lake.Commit{old, head(t, clinic)} {
			local, err := clinic.Snapshot(commit).Materialise(t.Context(), lake.Want{})
			if err != nil {
				t.Fatal(err)
			}
			db := openDuckDB(t)
			unlock(t, db, local.Keys)
			if got := mustAsk(t, db, "select count(*), min(patient) from "+local.Keys.Scan(local.Datasets[contract.Appointments])); got[0] != "[1 "+who[1]+"]" {
				t.Errorf("%s, commit %d: %v", kind, commit.Number, got)
			}
			if got := mustAsk(t, db, "select count(*), sum(n), sum(half), max(day), min(moment) is not null from "+local.Keys.Scan(local.Marts["episodes"])); got[0] != "[80 4000 2000 2026-04-10 00:00:00 +0000 UTC true]" {
				t.Errorf("%s, commit %d: %v", kind, commit.Number, got)
			}
			if err := local.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if verified, err := clinic.Verify(t.Context(), lake.VerifyOptions{All: true}); err != nil || len(verified.Findings) > 0 {
			t.Errorf("%s: %+v, %v", kind, verified, err)
		}
	}
}
