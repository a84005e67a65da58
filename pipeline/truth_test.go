package pipeline_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/simclinic"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// exported is a simulated clinic's reports as a person would have exported them.
func exported(t testing.TB, clinic *simclinic.Clinic, format string) handed {
	t.Helper()
	var out handed
	from, to := clinic.Dials().From, clinic.ReportDate()
	for _, report := range simclinic.Reports() {
		windows := []extractors.Window{{From: from, To: to}}
		if simclinic.AsOf(report) {
			windows[0].From = to
		}
		switch report {
		case "appointments":
			windows[0].To = clinic.Horizon()
		case "shift":
			windows = nil
			for first := (civil.Date{Year: from.Year, Month: from.Month, Day: 1}); !first.After(to); {
				next := civil.DateOf(first.In(time.UTC).AddDate(0, 1, 0))
				windows = append(windows, extractors.Window{From: first, To: next.AddDays(-1)})
				first = next
			}
		}
		for _, w := range windows {
			table, err := clinic.Table(report, w.From, w.To)
			if err != nil {
				t.Fatal(err)
			}
			var body bytes.Buffer
			write := clinic.WriteCSV
			if format == "xlsx" {
				write = clinic.WriteXLSX
			}
			if err := write(&body, table); err != nil {
				t.Fatal(err)
			}
			out = append(out, extractors.Report{Name: clinic.FileName(report, w.From, w.To, format), Body: body.Bytes(), StatedRows: -1})
		}
	}
	return out
}

// TestLedgerEqualsTheSimulatedTruth holds the SQL against what the simulated staff forgot: every planted leak found, nothing
// else, to the cent; and the statuses on every day that the truth speaks of. The seeds share the days that are over, so that
// each is built for one of them; the long suite builds all for each.
func TestLedgerEqualsTheSimulatedTruth(t *testing.T) {
	t.Parallel()
	seeds := []uint64{1, 2, 3, 4, 5}
	if os.Getenv("FALLOFF_LONG") != "" {
		for seed := uint64(6); seed <= 30; seed++ {
			seeds = append(seeds, seed)
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			dials := simclinic.DefaultDials()
			dials.Seed = seed
			checkTruth(t, dials, map[bool]string{true: "xlsx", false: "csv"}[seed == 2], func(over int) bool {
				return os.Getenv("FALLOFF_LONG") != "" || over%len(seeds) == int(seed)%len(seeds)
			})
		})
	}
}

// checkTruth holds the figures of one clinic against its truth, today's and those of the days that are over, counted from 0,
// that it is its turn for.
func checkTruth(t *testing.T, dials simclinic.Dials, format string, turn func(over int) bool) {
	t.Helper()
	ctx := context.Background()
	clinic, err := simclinic.New(dials)
	if err != nil {
		t.Fatal(err)
	}
	typed, err := settings.Parse(clinic.SettingsYAML(), "clinic.yaml")
	if err != nil {
		t.Fatal(err)
	}
	site := testSite(t, "simulated")
	in, err := site.Ingest(ctx, exported(t, clinic, format), pipeline.IngestOptions{Source: "test", Settings: &typed})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range in.Files {
		if f.Quarantined > 0 {
			t.Errorf("%s: %d rows quarantined: %s", f.Name, f.Quarantined, f.FirstQuarantined)
		}
	}
	if in.AsOf != clinic.ReportDate() {
		t.Errorf("the reports are taken to show %s, not %s", in.AsOf, clinic.ReportDate())
	}
	if _, err := site.Build(ctx, pipeline.BuildOptions{}); err != nil {
		t.Fatal(err)
	}
	view, err := site.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = view.Close() }()
	var want, got []string
	for _, l := range clinic.Truth() {
		want = append(want, fmt.Sprintf("%s %s %s %d", l.Category, l.SourceID, l.OccurredOn, l.AmountCents))
	}
	_, rows, err := view.Ledger(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		got = append(got, fmt.Sprintf("%v %v %s %v", r[0], r[1], r[2].(time.Time).Format(time.DateOnly), r[3]))
	}
	compare(t, "leak", want, got)
	checkIdentity(t, view, "the report date")

	byDay := map[civil.Date][]string{}
	for _, s := range clinic.States() {
		byDay[s.Date] = append(byDay[s.Date], site.Keys.Pseudonym(identity.Patient, s.Patient)+" "+string(s.Status))
	}
	days := slices.SortedFunc(maps.Keys(byDay), civil.Date.Compare)
	for i, day := range days {
		if day != in.AsOf && !turn(i) {
			continue
		}
		want := byDay[day]
		if _, err := site.Build(ctx, pipeline.BuildOptions{AsOf: day}); err != nil {
			t.Fatal(err)
		}
		at, err := site.Open(ctx)
		if err != nil {
			t.Fatal(err)
		}
		checkIdentity(t, at, day.String())
		_, rows, err := at.Query(ctx, "select patient, status from marts.patient_status")
		_ = at.Close()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range rows {
			got = append(got, fmt.Sprintf("%v %v", r[0], r[1]))
		}
		compare(t, fmt.Sprint("status on ", day), want, got)
	}
}

// checkIdentity holds the money of every month: what was expected went somewhere, to the cent, and each term says so itself.
func checkIdentity(t *testing.T, view *pipeline.View, when string) {
	t.Helper()
	_, rows, err := view.Query(t.Context(), `select month_from, expected_cents, collected_cents, adjusted_cents, leaked_cents, not_yet_due_cents,
		unreconciled_cents, collected_basis from marts.money_identity`)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) == 0 {
		t.Errorf("at %s there is no month", when)
	}
	sums := make([]int64, 5)
	for _, r := range rows {
		if r[6] != int64(0) || r[7] != "applied" {
			t.Errorf("at %s, %s: %v unreconciled, collected from %v: expected %v, collected %v, adjusted %v, leaked %v, not yet due %v",
				when, r[0].(time.Time).Format("2006-01"), r[6], r[7], r[1], r[2], r[3], r[4], r[5])
		}
		for i := range sums {
			sums[i] += r[1+i].(int64)
		}
	}
	for i, sum := range sums {
		if sum == 0 {
			t.Errorf("at %s, term %d is 0 in all months: it proves nothing", when, i)
		}
	}
}
