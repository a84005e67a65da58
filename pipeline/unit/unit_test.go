package unit_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/pipeline/unit"
)

// program writes a script that stands for falloff.
func program(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "falloff")
	// A process that is begun meanwhile would hold the file open for writing until it runs its own program, and ours could not be run.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHowAUnitEnds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, body string
		want       unit.Outcome
		verdict    unit.Verdict
	}{
		{"done", `echo '{"day":"2026-03-01","commit":7,"changed":true,"requests":{"allowed":31}}'`,
			unit.Outcome{Day: civil.Date{Year: 2026, Month: 3, Day: 1}, Commit: 7, New: true, Requests: 31}, unit.Done},
		{"nothing new", `echo '{"day":"2026-03-01","commit":7,"changed":false}'`,
			unit.Outcome{Day: civil.Date{Year: 2026, Month: 3, Day: 1}, Commit: 7}, unit.Done},
		{"a wrong password", `echo '{"error":{"cause":"wrong_password","message":"refused","hint":"sign in by hand"}}'; exit 4`,
			unit.Outcome{Exit: 4, Cause: "wrong_password", Message: "refused", Hint: "sign in by hand"}, unit.Person},
		{"a wrong flag", `exit 2`, unit.Outcome{Exit: 2}, unit.Person},
		{"an incomplete report", `echo '{"error":{"cause":"export_incomplete"}}'; exit 3`, unit.Outcome{Exit: 3, Cause: "export_incomplete"}, unit.Refused},
		{"the portal is down", `echo '{"error":{"cause":"network"}}'; exit 5`, unit.Outcome{Exit: 5, Cause: "network"}, unit.Later},
		{"the store is away", `exit 6`, unit.Outcome{Exit: 6}, unit.Later},
		{"something else", `exit 77`, unit.Outcome{Exit: 77}, unit.Bug},
		{"killed from outside", `kill -9 $$`, unit.Outcome{Exit: 130, Cause: "killed", Message: "the unit's process was killed: signal: killed"}, unit.Later},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := &unit.Process{Binary: program(t, test.body)}
			got, err := p.Run(t.Context(), unit.Order{Clinic: "a"})
			if got.Took <= 0 {
				t.Error("it took no time")
			}
			got.Took = 0
			if err != nil || got != test.want || got.Verdict() != test.verdict {
				t.Errorf("got %+v, %s, %v; want %+v, %s", got, got.Verdict(), err, test.want, test.verdict)
			}
		})
	}
}

func TestAUnitIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	p := &unit.Process{Binary: program(t, `echo "$@" >&2; env >&2`), Args: []string{"--lake", "l"}, Env: []string{"ONLY=this"}, Log: &log}
	day := civil.Date{Year: 2026, Month: 3, Day: 1}
	if _, err := p.Run(t.Context(), unit.Order{Clinic: "a", To: day, From: day.AddDays(-9), Once: true, Deadline: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if said := log.String(); !strings.HasPrefix(said, "run --json --clinic a --lake l --from 2026-02-20 --to 2026-03-01 --once --deadline 1h0m0s\n") || strings.Contains(said, "HOME=") {
		t.Errorf("it was told %q", said)
	}
}

func TestAUnitIsAskedToEnd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body  string
		grace time.Duration
		exit  int
		cause string
	}{
		"and does":        {`trap 'exit 130' TERM; touch "$0.begun"; while :; do sleep 0.05; done`, time.Minute, 130, ""},
		"and does not":    {`trap '' TERM; touch "$0.begun"; while :; do sleep 0.05; done`, 50 * time.Millisecond, 130, "interrupted"},
		"when it is done": {`trap 'exit 0' TERM; touch "$0.begun"; while :; do sleep 0.05; done`, time.Minute, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &unit.Process{Binary: program(t, test.body), Grace: test.grace}
			p.Env = []string{"PATH=" + os.Getenv("PATH")}
			ctx, stop := context.WithCancel(t.Context())
			go func() {
				for {
					if _, err := os.Stat(p.Binary + ".begun"); err == nil || t.Context().Err() != nil {
						stop()
						return
					}
					time.Sleep(time.Millisecond)
				}
			}()
			got, err := p.Run(ctx, unit.Order{Clinic: "a"})
			if err != nil || got.Exit != test.exit || got.Cause != test.cause {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// A unit that was never begun has not been done.
func TestAUnitThatIsNotBegun(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	p := &unit.Process{Binary: program(t, `touch "$0.begun"`)}
	got, err := p.Run(ctx, unit.Order{Clinic: "a"})
	if _, begun := os.Stat(p.Binary + ".begun"); err != nil || got.Exit != 130 || got.Verdict() != unit.Later || begun == nil {
		t.Errorf("got %+v, %v; begun: %v", got, err, begun == nil)
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	p := &unit.Process{Binary: program(t, `echo 'oh no'`)}
	if _, err := p.Run(t.Context(), unit.Order{Clinic: "a"}); err == nil || !strings.Contains(err.Error(), "summary") {
		t.Errorf("got %v", err)
	}
	p.Binary += "-missing"
	if _, err := p.Run(t.Context(), unit.Order{Clinic: "a"}); err == nil || !strings.Contains(err.Error(), "clinic a") {
		t.Errorf("got %v", err)
	}
}

func TestAnotherCommand(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body string
		want unit.Outcome
	}{
		"well":                {`echo "backing up" >&2`, unit.Outcome{}},
		"refused":             {`echo "step one" >&2; echo "falloff: there is no clinic" >&2; exit 3`, unit.Outcome{Exit: 3, Message: "there is no clinic"}},
		"without a word":      {`exit 6`, unit.Outcome{Exit: 6}},
		"after many words":    {`i=0; while [ $i -lt 2000 ]; do echo "line $i" >&2; i=$((i+1)); done; echo "falloff: at last" >&2; exit 5`, unit.Outcome{Exit: 5, Message: "at last"}},
		"killed from outside": {`kill -9 $$`, unit.Outcome{Exit: 130, Cause: "killed", Message: "the unit's process was killed: signal: killed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &unit.Process{Binary: program(t, test.body), Args: []string{"--lake", "l"}}
			got, err := p.Command(t.Context(), "backup", "--clinic", "a")
			got.Took = 0
			if err != nil || got != test.want {
				t.Errorf("got %+v, %v; want %+v", got, err, test.want)
			}
		})
	}
	var log bytes.Buffer
	p := &unit.Process{Binary: program(t, `echo "$@"; echo said >&2`), Args: []string{"--lake", "l"}, Log: &log}
	if _, err := p.Command(t.Context(), "backup", "--clinic", "a"); err != nil || !slices.Equal(slices.Sorted(strings.Lines(log.String())), []string{"backup --clinic a --lake l\n", "said\n"}) {
		t.Errorf("the log has %q, %v", log.String(), err)
	}
	p.Binary += "-missing"
	if _, err := p.Command(t.Context(), "backup"); err == nil || !strings.Contains(err.Error(), "backup") {
		t.Errorf("got %v", err)
	}
}
