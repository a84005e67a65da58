package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/schedule"
)

// scheduling is the section of falloff.yaml that says when what is done. docs/running.md explains it.
type scheduling struct {
	Run       string `yaml:"run"`
	Backup    string `yaml:"backup"`
	Rehearsal string `yaml:"rehearsal"`
	Report    string `yaml:"report"`
	Jitter    string `yaml:"jitter"`
	Deadline  string `yaml:"deadline"`
	Parallel  int    `yaml:"parallel"`
	// Clinics have their own times.
	Clinics map[string]times `yaml:"clinics"`
}

// times are cron expressions, in the clinic's zone. Empty is the default, off is never.
type times struct {
	Run       string `yaml:"run"`
	Backup    string `yaml:"backup"`
	Rehearsal string `yaml:"rehearsal"`
	Report    string `yaml:"report"`
}

// What is done where nobody says otherwise. Backups and their rehearsal need stores, which falloff.yaml lists.
const (
	usualRun       = "15 3 * * *"
	usualBackup    = "30 5 * * *"
	usualRehearsal = "0 6 1 * *"
	usualJitter    = 45 * time.Minute
	usualDeadline  = 3 * time.Hour
	usualParallel  = 2
)

func (t times) of(task schedule.Task) string {
	switch task {
	case schedule.Run:
		return t.Run
	case schedule.Backup:
		return t.Backup
	case schedule.Rehearsal:
		return t.Rehearsal
	default:
		return t.Report
	}
}

// scheduleParts are a section that was read.
type scheduleParts struct {
	jitter, deadline time.Duration
	parallel         int
	usual            map[schedule.Task]schedule.Cron
	clinics          map[string]map[schedule.Task]schedule.Cron
}

// parse reads the section. Its errors name the key.
func (s scheduling) parse(backups bool) (scheduleParts, error) {
	out := scheduleParts{jitter: usualJitter, deadline: usualDeadline, parallel: usualParallel, clinics: map[string]map[schedule.Task]schedule.Cron{}}
	for _, d := range []struct {
		key, text string
		into      *time.Duration
	}{{"jitter", s.Jitter, &out.jitter}, {"deadline", s.Deadline, &out.deadline}} {
		if d.text == "" {
			continue
		}
		value, err := time.ParseDuration(d.text)
		if err != nil || value < 0 || value > 24*time.Hour {
			return out, fmt.Errorf("%s %q: write a time such as 45m, up to 24h", d.key, d.text)
		}
		*d.into = value
	}
	if s.Parallel < 0 || s.Parallel > 64 {
		return out, fmt.Errorf("parallel %d: give a number from 1 to 64", s.Parallel)
	}
	if s.Parallel > 0 {
		out.parallel = s.Parallel
	}
	usual := times{Run: usualRun}
	if backups {
		usual.Backup, usual.Rehearsal = usualBackup, usualRehearsal
	}
	var err error
	if out.usual, err = crons("", times{s.Run, s.Backup, s.Rehearsal, s.Report}, usual); err != nil {
		return out, err
	}
	for id, own := range s.Clinics {
		if out.clinics[id], err = crons("clinics."+id+".", own, times{}); err != nil {
			return out, err
		}
	}
	for _, of := range append([]map[schedule.Task]schedule.Cron{out.usual}, mapValues(out.clinics)...) {
		if !backups && (!of[schedule.Backup].Off() || !of[schedule.Rehearsal].Off()) {
			return out, errors.New("backup and rehearsal need a second store: list one under backups")
		}
	}
	return out, nil
}

func mapValues[K comparable, V any](m map[K]V) (out []V) {
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// crons reads expressions; one that is left out is the usual one, and not there where there is none.
func crons(prefix string, t, usual times) (map[schedule.Task]schedule.Cron, error) {
	out := map[schedule.Task]schedule.Cron{}
	for _, task := range schedule.Tasks() {
		text := firstOf(t.of(task), usual.of(task))
		if text == "" {
			continue
		}
		c, err := schedule.ParseCron(text)
		if err != nil {
			return nil, fmt.Errorf("%s%s: %w", prefix, task, err)
		}
		out[task] = c
	}
	return out, nil
}

// timed gives a clinic its times.
func (p scheduleParts) timed(c pipeline.ScheduledClinic, machine manners) (schedule.Clinic, error) {
	out := schedule.Clinic{ID: c.ID, Host: c.Host, Deadline: p.deadline, Timings: map[schedule.Task]schedule.Timing{}}
	zone := c.Zone
	if zone == nil {
		zone = time.Local //nolint:gosmopolitan // until the clinic's own zone is known its nights are this machine's
	}
	quiet := schedule.Quiet{From: machine.QuietFrom, To: machine.QuietTo}
	if c.QuietHours != "" {
		var err error
		if quiet.From, quiet.To, err = jane.ParseQuietHours(c.QuietHours); err != nil {
			return out, err
		}
	}
	for _, task := range schedule.Tasks() {
		cron, ok := p.clinics[c.ID][task]
		if !ok {
			cron = p.usual[task]
		}
		possible := c.Landed
		if task == schedule.Run {
			possible = c.Connected
		}
		if cron.Off() || !possible {
			continue
		}
		timing := schedule.Timing{Cron: cron, Zone: zone, Seed: c.ID + " " + string(task)}
		if task == schedule.Run {
			timing.Jitter, timing.Quiet = p.jitter, quiet
		}
		out.Timings[task] = timing
	}
	return out, nil
}

// unknownClinics are clinics of the section that the lake does not have: a misspelt one would quietly have the usual times.
func (p scheduleParts) unknownClinics(clinics []pipeline.ScheduledClinic) string {
	var out []string
	for id := range p.clinics {
		if !slices.ContainsFunc(clinics, func(c pipeline.ScheduledClinic) bool { return c.ID == id }) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
