package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/schedule"
	"github.com/falloff-analytics/falloff/pipeline/unit"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

func (a *app) scheduleCommand() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "schedule --lake DIR [--once]",
		Short: "do what is due: nights, backups, rehearsals of a restore, reports",
		Example: `  falloff schedule --lake lake          # until it is told to end
  falloff schedule --lake lake --once   # what is due now, and no more
  falloff schedule show --lake lake     # what will be due, and when`,
		Args: cobra.NoArgs,
		Long: `Runs every connected clinic of the lake each night, in its own zone and outside of its quiet hours; backs every clinic up; and once a
month restores the newest backup on trial and sends the report. The section schedule of falloff.yaml says when (docs/running.md).
A time that the clock skips in spring comes right after, one that it shows twice in autumn comes once. What was missed while the
machine was off is made up for once.

Each unit is a process of this program. What failed for a while is tried again after 15, 30 and 60 minutes, a refused report and a
bug once more, and what needs a person the next night. What became of everything lies in the lake: a restart, or a second scheduler
on another machine, does nothing twice.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.conduct(cmd.Context(), once) },
	}
	a.lakeFlags(cmd)
	cmd.Flags().BoolVar(&once, "once", false, "do what is due now, and end")
	show := &cobra.Command{
		Use:   "show --lake DIR",
		Short: "show what is due next, in each clinic's zone and in UTC, and how it went last",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.showSchedule(cmd.Context()) },
	}
	a.lakeFlags(show)
	cmd.AddCommand(show)
	return cmd
}

// scheduled is what a scheduler works on.
type scheduled struct {
	options pipeline.SiteOptions
	store   lake.Store
	parts   scheduleParts
	manners manners
}

func (a *app) scheduled(ctx context.Context) (*scheduled, error) {
	s := &scheduled{}
	var err error
	if s.options, err = a.lakeOptions(); err != nil {
		return nil, err
	}
	if s.parts, err = a.file.Schedule.parse(len(a.file.Backups) > 0); err != nil {
		return nil, usagef("schedule: %v", err)
	}
	if s.manners, err = a.file.Politeness.over("", "", nil); err != nil {
		return nil, err
	}
	if path, folder := pipeline.LocalFolder(s.options.Lake); folder {
		// A folder is not made for somebody who mistyped it.
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return nil, &pipeline.StorageError{Doing: "opening the lake", Err: fmt.Errorf("there is no folder %s. Check --lake; falloff connect and falloff import make one", path)}
		}
	}
	s.store, err = a.openStore(ctx, s.options)
	return s, err
}

// clinics lists the clinics with their times, the one alone that --clinic names.
func (s *scheduled) clinics(ctx context.Context, only string) ([]pipeline.ScheduledClinic, []schedule.Clinic, error) {
	found, err := pipeline.ScheduledClinics(ctx, &s.options, s.store)
	if err != nil {
		return nil, nil, err
	}
	if unknown := s.parts.unknownClinics(found); unknown != "" {
		return nil, nil, usagef("schedule: clinics: the lake has no clinic %s", unknown)
	}
	if only != "" {
		found = slices.DeleteFunc(found, func(c pipeline.ScheduledClinic) bool { return c.ID != only })
		if len(found) == 0 {
			return nil, nil, usagef("--clinic %s: the lake has no such clinic, and none of that name is connected to it", only)
		}
	}
	timed := make([]schedule.Clinic, len(found))
	for i, c := range found {
		if timed[i], err = s.parts.timed(c, s.manners); err != nil {
			return nil, nil, err
		}
	}
	return found, timed, nil
}

// conduct is falloff schedule.
func (a *app) conduct(ctx context.Context, once bool) error {
	s, err := a.scheduled(ctx)
	if err != nil {
		return err
	}
	if a.unlocking.fd != noFD {
		return usagef("--passphrase-fd is read once, and each unit opens the vault for itself: give --passphrase-file, or load a systemd credential")
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	process := &unit.Process{Binary: binary, Args: a.unitArgs(), Env: unitEnv(unitEnvironment(os.Environ()))}
	if !a.quiet {
		process.Log = a.stderr
	}
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed machine"
	}
	c := &schedule.Conductor{
		Clinics: func(ctx context.Context) ([]schedule.Clinic, error) {
			found, timed, err := s.clinics(ctx, a.flags.Clinic)
			for _, c := range found {
				if c.Err != nil {
					a.tellf("Clinic %s cannot be opened: %v", c.ID, c.Err)
				}
			}
			return timed, err
		},
		Book: pipeline.Schedules(s.store), Run: process, Parallel: s.parts.parallel, Now: a.now, Say: a.sayEvent,
		Holder: fmt.Sprintf("process %d on %s, %s", os.Getpid(), host, strings.ToLower(rand.Text()[:8])),
		Do: func(ctx context.Context, task schedule.Task, clinic string) (unit.Outcome, error) {
			return process.Command(ctx, taskCommand(task, clinic)...)
		},
	}
	if len(a.file.Notify.Channels) > 0 {
		c.Notify = func(ctx context.Context, clinic string) (unit.Outcome, error) {
			return process.Command(ctx, "notify", "--clinic", clinic)
		}
		if !once {
			defer everyQuarter(ctx, func() { a.sendWaiting(ctx, process, s) })()
		}
	}
	err = c.Conduct(ctx, once)
	if !once && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		a.tellf("Told to end: everything that was at work has ended.")
		return nil
	}
	return err
}

// waitingEvery is how often messages that did not arrive are tried again.
const waitingEvery = 15 * time.Minute

// everyQuarter does something every quarter of an hour until ctx ends or the returned stop is called, which waits for it.
func everyQuarter(ctx context.Context, do func()) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(waitingEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				do()
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// sendWaiting has the messages sent that wait, of every clinic.
func (a *app) sendWaiting(ctx context.Context, process *unit.Process, s *scheduled) {
	found, _, err := s.clinics(ctx, a.flags.Clinic)
	if err != nil {
		a.tellf("Messages that wait could not be looked for: %v", err)
		return
	}
	for _, c := range found {
		if c.Err != nil || ctx.Err() != nil {
			continue
		}
		if _, err := process.Command(ctx, "notify", "--waiting", "--quiet", "--clinic", c.ID); err != nil {
			a.tellf("Messages of clinic %s could not be sent: %v", c.ID, err)
		}
	}
}

// taskCommand is what does a task, other than the night itself.
func taskCommand(task schedule.Task, clinic string) []string {
	switch task {
	case schedule.Rehearsal:
		return []string{"backup", "rehearse", "--clinic", clinic}
	case schedule.Report:
		return []string{"report", "--clinic", clinic, "--month", "last", "--format", "pdf", "--mail"}
	default:
		return []string{string(task), "--clinic", clinic}
	}
}

// unitArgs are the flags that were given to a scheduler or a worker, and hold for its units.
func (a *app) unitArgs() []string {
	var out []string
	for _, given := range []struct{ flag, value string }{
		{"--config", a.configFile}, {"--config-dir", a.flags.ConfigDir}, {"--key-file", a.flags.KeyFile}, {"--cache-dir", a.flags.CacheDir}, {"--cache-size", a.flags.CacheSize},
		{"--passphrase-file", a.unlocking.file}, {"--kms-key", a.unlocking.kmsKey}, {"--as", a.actor}, {"--lake", a.flags.Lake},
	} {
		if given.value != "" {
			out = append(out, given.flag+"="+given.value)
		}
	}
	if a.flags.Unencrypted {
		out = append(out, "--unencrypted")
	}
	if a.logForm == logJSON {
		out = append(out, "--log-format="+logJSON)
	}
	return out
}

// unitActor is who acts in the audit log where nobody else is named.
const unitActor = "service/schedule"

func unitEnv(env []string) []string {
	if !slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, "FALLOFF_ACTOR=") }) {
		env = append(slices.Clone(env), "FALLOFF_ACTOR="+unitActor)
	}
	return env
}

// sayEvent logs what the scheduler does: a line, or an object with --json.
func (a *app) sayEvent(e schedule.Event) {
	if a.json {
		_ = json.NewEncoder(a.stdout).Encode(e)
		return
	}
	a.tellf("%s", eventLine(e))
}

func eventLine(e schedule.Event) string {
	words := []string{e.At.UTC().Format("2006-01-02 15:04:05 MST"), e.Clinic, string(e.Task), e.What}
	line := strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), "  ")
	if e.Attempt > 1 {
		line += fmt.Sprintf(", attempt %d", e.Attempt)
	}
	if e.Outcome != nil {
		line += ": " + outcomeText(*e.Outcome)
	}
	if !e.Again.IsZero() {
		line += "; again at " + e.Again.UTC().Format("15:04 MST")
	}
	if e.Trouble != "" {
		line += ": " + e.Trouble
	}
	return line
}

// outcomeText says how a unit ended.
func outcomeText(o unit.Outcome) string {
	switch {
	case o.Exit != 0:
		text := strings.ReplaceAll(string(o.Verdict()), "_", " ")
		if o.Cause != "" {
			text += ", " + o.Cause
		}
		return strings.TrimSpace(fmt.Sprintf("%s (code %d) %s", text, o.Exit, firstLine(o.Message)))
	case o.Commit == 0:
		return "done in " + elapsed(o.Took)
	case !o.New:
		return fmt.Sprintf("nothing new up to %s, in %s", o.Day, elapsed(o.Took))
	default:
		return fmt.Sprintf("commit %d up to %s, in %s", o.Commit, o.Day, elapsed(o.Took))
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// shownTask is a line of falloff schedule show.
type shownTask struct {
	Clinic string        `json:"clinic"`
	Task   schedule.Task `json:"task"`
	Cron   string        `json:"cron"`
	Zone   string        `json:"zone"`
	// Next is when it is done, or tried again.
	Next  time.Time `json:"next"`
	Again bool      `json:"again,omitempty"`
	// Holder is who is at it, empty for nobody.
	Holder string        `json:"holder,omitempty"`
	Good   time.Time     `json:"good,omitzero"`
	Last   *unit.Outcome `json:"last,omitempty"`
	Ended  time.Time     `json:"ended,omitzero"`
	zone   *time.Location
}

// tasksOf are a clinic's tasks with their next times.
func tasksOf(c schedule.Clinic, s schedule.State, now time.Time) (out []shownTask) {
	for _, task := range schedule.Tasks() {
		timing, ok := c.Timings[task]
		if !ok {
			continue
		}
		p := s.Tasks[task]
		if p.Due.IsZero() && (task == schedule.Rehearsal || task == schedule.Report) {
			p.Due = now // as the scheduler counts for a clinic that it has not seen yet
		}
		due := timing.Next(p, now)
		shown := shownTask{
			Clinic: c.ID, Task: task, Cron: timing.Cron.String(), Zone: timing.Zone.String(), Next: due.At.UTC(), Again: due.Again, Good: p.Good, Last: p.Last, Ended: p.Ended, zone: timing.Zone,
		}
		if p.Holder != "" && p.Until.After(now) {
			shown.Holder = p.Holder
		}
		out = append(out, shown)
	}
	return out
}

// when says when it is done.
func (t shownTask) when(now time.Time) string {
	switch {
	case t.Holder != "":
		return "now"
	case t.Next.IsZero():
		return "-"
	case !t.Next.After(now):
		return "due"
	default:
		return t.Next.In(t.zone).Format("Mon 2006-01-02 15:04 MST")
	}
}

func (a *app) showSchedule(ctx context.Context) error {
	s, err := a.scheduled(ctx)
	if err != nil {
		return err
	}
	_, timed, err := s.clinics(ctx, a.flags.Clinic)
	if err != nil {
		return err
	}
	book, now := pipeline.Schedules(s.store), a.now()
	var all []shownTask
	for _, c := range timed {
		state, _, err := book.Read(ctx, c.ID)
		if err != nil {
			return &pipeline.StorageError{Doing: "reading the schedule", Err: err}
		}
		all = append(all, tasksOf(c, state, now)...)
	}
	if a.json {
		if all == nil {
			all = []shownTask{}
		}
		return json.NewEncoder(a.stdout).Encode(all)
	}
	if len(all) == 0 {
		a.tellf("Nothing is scheduled: no clinic is connected to this lake. falloff connect connects one.")
		return nil
	}
	var rows [][]any
	for _, t := range all {
		last := "-"
		if t.Last != nil {
			last = t.Ended.UTC().Format("2006-01-02 15:04") + " " + outcomeText(*t.Last)
		}
		next := t.when(now)
		if t.Again {
			next += ", again"
		}
		utc := "-"
		if t.Next.After(now) {
			utc = t.Next.UTC().Format("2006-01-02 15:04")
		}
		rows = append(rows, []any{t.Clinic, string(t.Task), next, utc, t.Cron, last})
	}
	return printTable(a.stdout, []string{"clinic", "task", "next, clinic's time", "next, UTC", "cron", "last, UTC"}, rows)
}
