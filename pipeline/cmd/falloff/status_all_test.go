package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/schedule"
)

func someClinics(t *testing.T) ([]clinicLine, time.Time) {
	t.Helper()
	vancouver, err := time.LoadLocation("America/Vancouver")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)
	day := func(d int) civil.Date { return civil.Date{Year: 2026, Month: 5, Day: d} }
	return []clinicLine{
		{Clinic: "harbour-street", State: pipeline.StateOK, AsOf: day(12), OldestDay: day(12), Oldest: "claims", Next: now.Add(22 * time.Hour), zone: vancouver,
			Datasets: []datasetDay{{"claims", day(12)}, {"shifts", day(12)}}},
		{Clinic: "lakeside", State: pipeline.StateOK, Running: now.Add(-75 * time.Minute), AsOf: day(11), OldestDay: day(3), Oldest: "shifts", Next: now, zone: vancouver,
			Datasets: []datasetDay{{"shifts", day(3)}, {"claims", day(11)}}, History: &pipeline.Unfinished{From: day(1), Done: 120, Orders: 412}},
		{Clinic: "north", State: pipeline.StateRevoked, AsOf: day(2), OldestDay: day(2), Oldest: "claims",
			Todo: "the clinic ended the account's access on 2026-05-03 03:16 UTC; nothing signs in again. If that was a mistake, the clinic switches the account on"},
		{Clinic: "new", State: stateNew, Todo: todoNew},
	}, now
}

func TestStatusTable(t *testing.T) {
	lines, now := someClinics(t)
	const want = `clinic          state           data up to  oldest              next run
──────────────  ──────────────  ──────────  ──────────────────  ───────────────
harbour-street  ok              2026-05-12  -                   05-14 03:00 PDT
lakeside        running, 1h15m  2026-05-11  shifts, 2026-05-03  due
    history from 2026-05-01: 120 of 412 reports are read
north           revoked         2026-05-02  -                   -
  → the clinic ended the account's access on 2026-05-03 03:16 UTC; nothing signs
    in again. If that was a mistake, the clinic switches the account on
new             not run yet     -           -                   -
  → falloff run --settings clinic.yaml --from DATE brings its history home
`
	if got := statusTable(lines, false, now, 80, false); got != want {
		t.Errorf("it is\n%s\nwant\n%s", got, want)
	}
	for _, width := range []int{80, 120} {
		for line := range strings.Lines(statusTable(lines, true, now, width, false)) {
			if n := utf8.RuneCountInString(line) - 1; n > width {
				t.Errorf("of %d columns this takes %d: %s", width, n, line)
			}
		}
	}
	wide := statusTable(lines, true, now, 120, true)
	for _, part := range []string{
		green + "ok" + plain, green + "running, 1h15m" + plain, red + "revoked" + plain, yellow + "not run yet" + plain,
		dim + "2026-05-03: shifts; 2026-05-11: claims" + plain, dim + "2026-05-12: claims, shifts" + plain,
	} {
		if !strings.Contains(wide, part) {
			t.Errorf("%q is not in\n%s", part, wide)
		}
	}
	if err := checked(lines, overview{check: true}); exitCode(err) != exitPerson || !strings.HasSuffix(err.Error(), ": north") {
		t.Errorf("checked, it ends with %v", err)
	}
	if err := checked(lines[:2], overview{check: true}); err != nil {
		t.Errorf("where nobody is needed: %v", err)
	}
}

func TestChecksText(t *testing.T) {
	findings := []finding{
		good("browser", "Chromium 130"),
		good("vault", "opens").but(warning, "keep a copy of it apart from the lake and its backups, on another machine than this"),
		good("lake", "cannot be written to").but(failing, "let this user write"),
	}
	const want = `ok    browser  Chromium 130
warn  vault    opens
               → keep a copy of it apart from the lake and its backups, on
                 another machine than this
fail  lake     cannot be written to
               → let this user write
`
	if got := checksText(findings, 75, false); got != want {
		t.Errorf("it is\n%s\nwant\n%s", got, want)
	}
}

func TestScheduleSettings(t *testing.T) {
	for name, test := range map[string]struct {
		section scheduling
		backups bool
		says    string
	}{
		"nothing":               {scheduling{}, false, ""},
		"a cron expression":     {scheduling{Run: "sometimes"}, false, "run: cron"},
		"one of a clinic":       {scheduling{Clinics: map[string]times{"a": {Report: "x"}}}, false, "clinics.a.report: cron"},
		"jitter":                {scheduling{Jitter: "long"}, false, "jitter"},
		"a deadline of days":    {scheduling{Deadline: "48h"}, false, "deadline"},
		"too many":              {scheduling{Parallel: 65}, false, "parallel"},
		"a backup nowhere":      {scheduling{Backup: "0 5 * * *"}, false, "second store"},
		"a clinic's, nowhere":   {scheduling{Clinics: map[string]times{"a": {Rehearsal: "0 5 1 * *"}}}, false, "second store"},
		"a backup somewhere":    {scheduling{Backup: "0 5 * * *"}, true, ""},
		"no backup, on purpose": {scheduling{Backup: "off", Rehearsal: "off"}, true, ""},
	} {
		_, err := test.section.parse(test.backups)
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
	}
	parts, err := scheduling{Clinics: map[string]times{"a": {Run: "0 1 * * *", Backup: "off"}}}.parse(true)
	if err != nil {
		t.Fatal(err)
	}
	quiet := manners{}
	quiet.QuietFrom, quiet.QuietTo = 8*time.Hour, 18*time.Hour
	a, err := parts.timed(pipeline.ScheduledClinic{ID: "a", Connected: true, Landed: true, Zone: time.UTC}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	b, err := parts.timed(pipeline.ScheduledClinic{ID: "b", Landed: true, Zone: time.UTC, QuietHours: "22:00-06:00"}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if run := a.Timings[schedule.Run]; run.Cron.String() != "0 1 * * *" || run.Jitter != usualJitter || run.Quiet.From != 8*time.Hour || a.Deadline != usualDeadline {
		t.Errorf("its night is %+v", run)
	}
	if _, ok := a.Timings[schedule.Backup]; ok {
		t.Error("a backup that is off is made")
	}
	if _, ok := b.Timings[schedule.Run]; ok || b.Timings[schedule.Backup].Cron.String() != usualBackup || b.Timings[schedule.Rehearsal].Cron.String() != usualRehearsal {
		t.Errorf("of one that is not connected is done %+v", b.Timings)
	}
	if unknown := parts.unknownClinics([]pipeline.ScheduledClinic{{ID: "b"}}); unknown != "a" {
		t.Errorf("not known is %q", unknown)
	}
}
