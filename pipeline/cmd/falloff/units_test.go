package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/simclinic"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Schedulers depend on the exit codes of docs/running.md.
func TestExitCodes(t *testing.T) {
	failure := func(cause extractors.Cause) error { return &extractors.Failure{Cause: cause} }
	for _, test := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("a bug"), 1},
		{usagef("a flag"), 2},
		{&pipeline.RefusedError{Err: errors.New("a header")}, 3},
		{failure(extractors.ExportIncomplete), 3},
		{failure(extractors.WrongPassword), 4},
		{failure(extractors.AccountDeactivated), 4},
		{failure(extractors.AgreementMissing), 4},
		{failure(extractors.PermissionExcessive), 4},
		{failure(extractors.PageChanged), 4},
		{&pipeline.KeyError{Err: errors.New("a key")}, 4},
		{failure(extractors.BrowserMissing), 4},
		{failure(extractors.SessionExpired), 5},
		{failure(extractors.RateLimited), 5},
		{failure(extractors.PortalMaintenance), 5},
		{failure(extractors.Network), 5},
		{failure(extractors.Deadline), 5},
		{failure(extractors.BrowserCrashed), 5},
		{failure(extractors.ExportStale), 5},
		{&pipeline.StorageError{Err: &lake.StoreError{Err: errors.New("a disk")}}, 6},
		{context.Canceled, 130},
		{&pipeline.StorageError{Err: context.Canceled}, 130},
		{&extractors.Failure{Cause: extractors.Network, Err: context.Canceled}, 130},
	} {
		err := test.err
		if err != nil {
			err = fmt.Errorf("doing something: %w", err)
		}
		if got := exitCode(err); got != test.want {
			t.Errorf("%v: %d, want %d", test.err, got, test.want)
		}
	}
}

// What moves in a step's line stands at fixed places, and the line never wraps.
func TestStepLine(t *testing.T) {
	half := pipeline.Step{Name: "portal", Done: 6, Total: 12, Note: "sales 2025-10-01..2025-12-31"}
	for _, test := range []struct {
		step    pipeline.Step
		took    time.Duration
		stopped bool
		width   int
		want    string
	}{
		{pipeline.Step{Name: "land"}, 0, false, 80, "⠋ land       0.0s"},
		{pipeline.Step{Name: "land"}, 1250 * time.Millisecond, false, 80, "⠹ land       1.2s"},
		{half, 61 * time.Second, false, 80, "⠋ portal    1m01s  ▕██████████          ▏  6/12  sales 2025-10-01..2025-12-31"},
		{half, 61 * time.Second, false, 50, "⠋ portal    1m01s  ▕██████████          ▏  6/12  …"},
		{half, time.Second, true, 80, "✗ portal     1.0s  stopped"},
		{pipeline.Step{Name: "read", Done: 12, Total: 12, Ended: true, Note: "9 rows"}, time.Second, false, 80, "✓ read       1.0s  9 rows"},
		{pipeline.Step{Name: "read", Ended: true, Note: "9 rows"}, -1, false, 80, "✓ read             9 rows"},
		{pipeline.Step{Name: "read", Done: 99, Total: 3}, 0, false, 80, "⠋ read       0.0s  ▕████████████████████▏ 3/3"},
	} {
		if got := stepLine(test.step, test.took, test.stopped, test.width); got != test.want {
			t.Errorf("%+v:\n%q, want\n%q", test.step, got, test.want)
		}
	}
}

// clock gives a second more each time it is asked.
func clock() func() time.Time {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return func() time.Time {
		at = at.Add(time.Second)
		return at
	}
}

func TestPlainLines(t *testing.T) {
	var out bytes.Buffer
	show, stop := newProgress(&out, false, false, clock())
	show(pipeline.Step{Name: "read", Total: 2})
	show(pipeline.Step{Name: "read", Total: 2, Done: 1, Note: "a.csv"})
	show(pipeline.Step{Name: "read", Ended: true, Note: "9 rows of 2 reports"})
	show(pipeline.Step{Name: "land", Ended: true})
	show(pipeline.Step{Name: "build"})
	stop()
	if want := "read     9 rows of 2 reports (1.0s)\nland     done\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	out.Reset()
	show, stop = newProgress(&out, false, true, clock())
	show(pipeline.Step{Name: "land", Ended: true})
	stop()
	if out.Len() > 0 {
		t.Errorf("quiet, and still it says %q", out.String())
	}
}

// Steps may end, stop or never begin, from several goroutines; the drawing comes to an end.
func TestBarsEnd(t *testing.T) {
	var out bytes.Buffer
	show, stop := newProgress(&out, true, false, time.Now)
	told := make(chan bool)
	for _, name := range []string{"portal", "read", "land"} {
		go func() {
			for i := range 50 {
				show(pipeline.Step{Name: name, Done: int64(i), Total: 50})
			}
			show(pipeline.Step{Name: name, Ended: name != "land"})
			told <- true
		}()
	}
	for range 3 {
		<-told
	}
	stop()
	_, stop = newProgress(&out, true, false, time.Now)
	stop()
}

func TestMoney(t *testing.T) {
	for cents, want := range map[int64]money{
		0: "0.00 CAD", 5: "0.05 CAD", 99999: "999.99 CAD", 100000: "1,000.00 CAD", 123456789: "1,234,567.89 CAD", -100050: "-1,000.50 CAD",
	} {
		if got := asMoney(cents, "CAD"); got != want {
			t.Errorf("%d: %s, want %s", cents, got, want)
		}
	}
}

// Every demo's clinic has an id of its own that the lake accepts.
func TestDemoClinics(t *testing.T) {
	usual := simclinic.DefaultDials()
	seen := map[string]bool{}
	for _, turn := range []func(*simclinic.Dials){
		func(*simclinic.Dials) {},
		func(d *simclinic.Dials) { d.Seed = 2 },
		func(d *simclinic.Dials) { d.Patients = 2 },
		func(d *simclinic.Dials) { d.Country = "GB" },
		func(d *simclinic.Dials) { d.From = d.From.AddDays(1) },
		func(d *simclinic.Dials) { d.To = d.To.AddDays(1) },
		func(d *simclinic.Dials) {
			d.Seed, d.Patients, d.Country, d.To = 1<<64-1, 200_000, "GB", d.To.AddDays(1)
		},
	} {
		dials := usual
		turn(&dials)
		id := demoClinic(dials)
		if _, err := lake.ParseClinicID(id); err != nil || seen[id] {
			t.Errorf("%+v: id %s, %v", dials, id, err)
		}
		seen[id] = true
	}
	if !seen["demo"] {
		t.Errorf("the usual demo has another id: %v", seen)
	}
}

// The last day that is read without being told is over where the clinic is, not where this machine is.
func TestUsualWindowEndsWithTheClinicsYesterday(t *testing.T) {
	now := time.Date(2026, 3, 10, 1, 30, 0, 0, time.UTC) // the evening of the 9th in Toronto, noon of the 10th in Auckland
	a := &app{now: func() time.Time { return now }}
	day := func(d int) civil.Date { return civil.Date{Year: 2026, Month: time.March, Day: d} }
	for zone, want := range map[string]extractors.Window{
		"America/Toronto":  {To: day(8)},
		"Pacific/Auckland": {To: day(9)},
	} {
		clinic := &settings.Clinic{TimeZone: zone}
		got, err := a.usualWindow(t.Context(), extractors.Window{}, nil, clinic)
		if err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", zone, got, err, want)
		}
		got, err = a.usualWindow(t.Context(), extractors.Window{From: day(1)}, nil, clinic)
		if err != nil || got.From != day(1) || got.To != want.To {
			t.Errorf("%s with a first day: %v, %v", zone, got, err)
		}
		if _, err = a.usualWindow(t.Context(), extractors.Window{From: day(20)}, nil, clinic); exitCode(err) != exitUsage {
			t.Errorf("%s from a day to come: %v", zone, err)
		}
	}
}

// Paths in falloff.yaml are relative to it; addresses are no paths.
func TestLakesThatAreNoPaths(t *testing.T) {
	for text, want := range map[string]bool{"s3://bucket/prefix": true, "file:///lake": true, "lake": false, "s3": false, "/lake": false, "s3:/x": false} {
		if isURL(text) != want {
			t.Errorf("%s: %v", text, !want)
		}
	}
	for text, ok := range map[string]bool{"./s3:/x": true, "lake": true, "/a b/lake": true, "s3://b/p": true, "gs://b": false, "s3:/b": false, "https://b": false, "S3:b": false} {
		_, err := (&app{flags: config{Lake: text}}).lakeAddress()
		if (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
	if got := relativeTo(filepath.Join("etc", "falloff"), "lake"); got != filepath.Join("etc", "falloff", "lake") {
		t.Error(got)
	}
}

// Numbers stand to the right, texts to the left, and no line ends in blanks.
func TestTablesStayInTheirPlace(t *testing.T) {
	var out strings.Builder
	if err := printTable(&out, []string{"a", "amount"}, [][]any{{"é", money("1.00 CAD")}, {"long", money("")}, {nil, int64(5)}}); err != nil {
		t.Fatal(err)
	}
	want := "a       amount\n────  ────────\né     1.00 CAD\nlong\n             5\n"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// TestCtrlCEndsAQuestion: a question that nobody answers ends with the command, before a key is pressed.
func TestCtrlCEndsAQuestion(t *testing.T) {
	silent, keyboard := io.Pipe()
	t.Cleanup(func() { _ = keyboard.Close() })
	a := &app{stdin: silent, stderr: io.Discard}
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := a.askLine(ctx, "Address: ")
		ended <- err
	}()
	interrupt()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("the question is still asked")
	}
}

// The manual lists every exit code, and no other.
func TestExitCodesAreInTheManual(t *testing.T) {
	documented := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([0-9]+) \| `).FindAllStringSubmatch(read(t, filepath.Join(moduleRoot, "docs/running.md")), -1) {
		if documented[row[1]] {
			t.Errorf("code %s is there twice", row[1])
		}
		documented[row[1]] = true
	}
	known := map[string]bool{strconv.Itoa(exitOK): true}
	for code := range kinds {
		known[strconv.Itoa(code)] = true
	}
	if !maps.Equal(documented, known) {
		t.Errorf("the manual has the codes %v, the program %v", documented, known)
	}
}
