package pipeline_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// leaky is a clinic with a ledger, whose clock stands at noon of the day that its reports show.
type leaky struct {
	*pipeline.Site
	store lake.Store
	o     pipeline.SiteOptions
}

func newLeaky(t *testing.T) leaky {
	t.Helper()
	now := time.Now()
	l := leaky{store: &storetest.Memory{}, o: pipeline.SiteOptions{Clinic: "c", ConfigDir: t.TempDir(), Now: func() time.Time { return now }}}
	l.Site = openAgain(t, l.store, l.o)
	land(t, l.Site, smallReports(t))
	now = l.head(t).AsOf.In(time.UTC).Add(12 * time.Hour)
	if _, err := l.Build(t.Context(), pipeline.BuildOptions{}); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l leaky) head(t *testing.T) *lake.Commit {
	t.Helper()
	head, err := l.Clinic.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return head
}

// leaks gives a leak of each category, with its patient.
func (l leaky) leaks(t *testing.T) map[string][2]string {
	t.Helper()
	view, err := l.OpenMarts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	_, rows, err := view.Query(t.Context(), "select category, min(leak_id), coalesce(arg_min(patient, leak_id), '') from marts.leak_ledger group by category")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][2]string{}
	for _, row := range rows {
		out[row[0].(string)] = [2]string{row[1].(string), row[2].(string)}
	}
	return out
}

func (l leaky) say(t *testing.T, steps ...pipeline.LeakStep) ([]pipeline.LeakSaid, error) {
	t.Helper()
	return l.SayLeaks(t.Context(), "Tess Tester", steps, nil)
}

func (l leaky) must(t *testing.T, steps ...pipeline.LeakStep) []pipeline.LeakSaid {
	t.Helper()
	said, err := l.say(t, steps...)
	if err != nil {
		t.Fatal(err)
	}
	return said
}

func assign(id string) pipeline.LeakStep {
	return pipeline.LeakStep{LeakID: id, State: contract.LeakAssigned, Assignee: "kim"}
}

func refusedAs(t *testing.T, err error, problem pipeline.LeakProblem, words string) {
	t.Helper()
	got, ok := errors.AsType[*pipeline.LeakError](err)
	if !ok || got.Problem != problem || !strings.Contains(err.Error(), words) {
		t.Errorf("%v, want %s with %q", err, problem, words)
	}
}

func TestSayLeaks(t *testing.T) {
	l := newLeaky(t)
	balance, falloff := l.leaks(t)["patient_balance_aged"], l.leaks(t)["falloff"]
	writeOff := l.leaks(t)["write_off"]
	if balance[0] == "" || falloff[0] == "" {
		t.Fatalf("the clinic lacks leaks: %v", l.leaks(t))
	}
	before := l.head(t).Number

	// What does not follow is refused with everything that was asked for beside it.
	for _, c := range []struct {
		step    pipeline.LeakStep
		problem pipeline.LeakProblem
		words   string
	}{
		{pipeline.LeakStep{LeakID: balance[0], State: contract.LeakContacted}, pipeline.LeakIllegal, "assign it first"},
		{pipeline.LeakStep{LeakID: balance[0], State: contract.LeakRecovered}, pipeline.LeakIllegal, "money does that"},
		{pipeline.LeakStep{LeakID: balance[0], State: contract.LeakOpen}, pipeline.LeakIllegal, "is open already"},
		{pipeline.LeakStep{LeakID: balance[0], State: contract.LeakExpired, Expected: contract.LeakAssigned}, pipeline.LeakStale, "is open by now, not assigned"},
		{pipeline.LeakStep{LeakID: "falloff/Rosalind Oyelaran", State: contract.LeakExpired}, pipeline.LeakUnknown, "leak number 2 of those named is in no ledger"},
		{pipeline.LeakStep{LeakID: balance[0], Note: "call Rosalind Oyelaran"}, pipeline.LeakMalformed, "There is no free text"},
		{pipeline.LeakStep{LeakID: balance[0], State: "lost"}, pipeline.LeakMalformed, "there are open, assigned"},
		{pipeline.LeakStep{LeakID: balance[0]}, pipeline.LeakMalformed, "neither a state nor a note"},
		{pipeline.LeakStep{LeakID: balance[0], State: contract.LeakAssigned}, pipeline.LeakMalformed, "without saying to whom"},
		{pipeline.LeakStep{LeakID: balance[0], State: contract.LeakAssigned, Assignee: "Rosalind Oyelaran"}, pipeline.LeakMalformed, "nobody who is known"},
	} {
		_, err := l.say(t, assign(falloff[0]), c.step)
		refusedAs(t, err, c.problem, c.words)
		if err != nil && strings.Contains(err.Error(), "Oyelaran") {
			t.Errorf("%v repeats what was typed", err)
		}
	}
	if writeOff[0] != "" {
		_, err := l.say(t, pipeline.LeakStep{LeakID: writeOff[0], State: contract.LeakOpen})
		refusedAs(t, err, pipeline.LeakIllegal, "the portal has written it off")
	}
	refusal := errors.New("the log is full")
	if _, err := l.SayLeaks(t.Context(), "Tess Tester", []pipeline.LeakStep{assign(balance[0])}, func(context.Context, []pipeline.LeakSaid) error { return refusal }); !errors.Is(err, refusal) {
		t.Errorf("what could not be recorded: %v", err)
	}
	if now := l.head(t).Number; now != before {
		t.Fatalf("commit %d was made of nothing but refusals", now)
	}

	// A patient who fell off is a leak like any other, and a task on it is one on a leak.
	at := l.o.Now().Add(time.Minute)
	taken := assign(balance[0])
	taken.At = at
	said := l.must(t, taken, assign(falloff[0]), pipeline.LeakStep{LeakID: falloff[0], State: contract.LeakContacted, Note: "booked_again"})
	if len(said) != 3 || said[2].Sequence != 2 || said[2].From != contract.LeakAssigned || said[0].Actor != l.PersonPseudonym("tess tester") || said[2].Assignee != l.PersonPseudonym("kim") {
		t.Errorf("%+v", said)
	}
	head := l.head(t)
	if head.Number != before+1 || head.Kind != pipeline.LeakSteps || head.Datasets[contract.LeakStates].Rows() != 3 {
		t.Errorf("commit %d of kind %s with %d rows", head.Number, head.Kind, head.Datasets[contract.LeakStates].Rows())
	}
	if again := l.must(t, taken); len(again) != 0 || l.head(t).Number != head.Number {
		t.Errorf("the same said again: %+v", again)
	}
	for row, err := range lake.Rows(t.Context(), l.Clinic.Snapshot(head), lake.LeakStates) {
		if err != nil || row.PatientRef() == "" {
			t.Errorf("a row of nobody: %+v, %v", row, err)
		}
	}

	// The marts of the day say so, and only those that show it are made again.
	built, err := l.Build(t.Context(), pipeline.BuildOptions{})
	if err != nil || !slices.Contains(built.Made, "leak_ledger") || slices.Contains(built.Made, "patient_status") || built.Input != head.Number {
		t.Errorf("%+v, %v", built, err)
	}
	view, err := l.OpenMarts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	_, rows, err := view.Query(t.Context(), "select state, count(*)::bigint from marts.leak_ledger where leak_id in ($1, $2) group by state order by state", balance[0], falloff[0])
	if err != nil || len(rows) != 2 || rows[0][0] != contract.LeakAssigned || rows[1][0] != contract.LeakContacted {
		t.Errorf("%v, %v", rows, err)
	}
	history, err := l.LeakHistory(t.Context(), falloff[0])
	if err != nil || history.State != contract.LeakContacted || !history.InLedger || len(history.Said) != 2 || history.Said[1].Note != "booked_again" {
		t.Errorf("%+v, %v", history, err)
	}
	for _, id := range []string{falloff[0], balance[0], "claim_rejected/1544-C/p1_" + strings.Repeat("a", 26), "late_cancel_fee/" + strings.Repeat("1", 80), "no_show_fee/a b"} {
		record := l.LeakRecord(pipeline.LeakSaid{LeakID: id, From: "open", State: "assigned"})
		record.Person = "ada"
		word, _ := record.After["leak"].(string)
		if err := record.Check(); err != nil || strings.Contains(word, falloff[1]) || id == balance[0] && word != id {
			t.Errorf("the audit record of %s says %s: %v", id, word, err)
		}
	}
}

// Of two people who take the same leak at once one has it, and the other is told.
func TestTwoTakeALeak(t *testing.T) {
	ctx, l := t.Context(), newLeaky(t)
	id := l.leaks(t)["patient_balance_aged"][0]
	var wait sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		site := openAgain(t, l.store, l.o)
		wait.Go(func() {
			step := assign(id)
			step.Expected = contract.LeakOpen
			_, errs[i] = site.SayLeaks(ctx, []string{"ann", "bob", "cat", "dan"}[i], []pipeline.LeakStep{step}, nil)
		})
	}
	wait.Wait()
	took := 0
	for _, err := range errs {
		if err == nil {
			took++
			continue
		}
		refusedAs(t, err, pipeline.LeakStale, "by now")
	}
	if took != 1 || l.head(t).Datasets[contract.LeakStates].Rows() != 1 {
		t.Errorf("%d took it: %v", took, errs)
	}
}

// What was said stays with its leak over a new key of the pseudonyms, and goes with an erased patient.
func TestWhatWasSaidFollowsThePseudonyms(t *testing.T) {
	ctx, l := t.Context(), newLeaky(t)
	steps := []pipeline.LeakStep{}
	for _, leak := range l.leaks(t) {
		if !strings.HasPrefix(leak[0], "write_off/") {
			steps = append(steps, assign(leak[0]))
		}
	}
	l.must(t, steps...)
	falloff := l.leaks(t)["falloff"]
	if _, err := l.Rekey(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Build(ctx, pipeline.BuildOptions{}); err != nil {
		t.Fatal(err)
	}
	view, err := l.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, rows, err := view.Query(ctx, "select count(*)::bigint from lake.leak_states semi join (from marts.leak_ledger where state = 'assigned') using (leak_id)")
	if err := errors.Join(err, view.Close()); err != nil || rows[0][0] != int64(len(steps)) {
		t.Errorf("%v of %d leaks are still the same, %v", rows, len(steps), err)
	}
	patient, err := l.Keys.Next(identity.Patient, falloff[1])
	if err != nil {
		t.Fatal(err)
	}
	theirs := int64(0)
	for row, err := range lake.Rows(ctx, l.Clinic.Snapshot(l.head(t)), lake.LeakStates) {
		if err != nil {
			t.Fatal(err)
		}
		if row.PatientRef() == patient {
			theirs++
		}
	}
	erased, err := l.ErasePatient(ctx, pipeline.ErasePatientOptions{Pseudonym: patient, Record: unrecorded})
	if err != nil || theirs == 0 || erased.Rows[contract.LeakStates] < theirs { // under each key of the pseudonyms it is another row
		t.Fatalf("%d rows, %+v, %v", theirs, erased, err)
	}
	for row, err := range lake.Rows(ctx, l.Clinic.Snapshot(l.head(t)), lake.LeakStates) {
		if err != nil || row.PatientRef() == patient || strings.Contains(row.LeakID, patient) {
			t.Errorf("%+v, %v", row, err)
		}
	}
}
