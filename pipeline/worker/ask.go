package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/civil"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
)

// Asked says what became of a request for a clinic's night.
type Asked struct {
	Clinic string     `json:"clinic"`
	Day    civil.Date `json:"day"`
	From   civil.Date `json:"from,omitzero"`
	Job    int64      `json:"job"`
	// Was is the state in which the job was found, empty where there was none.
	Was string `json:"was,omitempty"`
}

// Ask has a clinic read as soon as there is a place, before all that nobody asked for: its night as of now, or with from its history from
// that day on. A night that was given up, or that waits to be tried again, is begun anew, since somebody has looked at it.
func Ask(ctx context.Context, pool *pgxpool.Pool, c Clinic, from civil.Date, now time.Time) (Asked, error) {
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Logger: silent})
	if err != nil {
		return Asked{}, fmt.Errorf("preparing the request: %w", err)
	}
	night := nightOf(c, civil.DateOf(now.In(c.Zone)))
	asked := Asked{Clinic: c.ID, Day: night.Day, From: from}
	var args river.JobArgs = night
	options := river.InsertOpts{Priority: PriorityAsked}
	if from.IsValid() {
		args = Backfill{Clinic: c.ID, Day: night.Day, From: from, Host: c.Host, Until: now.AddDate(0, 0, 30)}
		options.Priority = PriorityBackfill
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		inserted, err := client.InsertTx(ctx, tx, args, &options)
		if err != nil {
			return err
		}
		asked.Job = inserted.Job.ID
		if !inserted.UniqueSkippedAsDuplicate {
			return nil
		}
		asked.Was = string(inserted.Job.State)
		if inserted.Job.State == rivertype.JobStateRunning {
			return nil
		}
		if _, err := client.JobRetryTx(ctx, tx, asked.Job); err != nil {
			return err
		}
		// What was tried before does not count any more; until is the same day's.
		_, err = tx.Exec(ctx, `update river_job set priority = least(priority, $2), metadata = metadata - 'output',
			args = case when $3 then args || '{"again": true}' else args end where id = $1`, asked.Job, options.Priority, asked.Was == string(rivertype.JobStateCompleted))
		return err
	})
	return asked, explain("asking for a clinic's night", err)
}

// Job is a job as a person sees it.
type Job struct {
	ID       int64      `json:"id"`
	Kind     string     `json:"kind"`
	Clinic   string     `json:"clinic"`
	Day      civil.Date `json:"day"`
	State    string     `json:"state"`
	Priority int        `json:"priority"`
	Attempt  int        `json:"attempt"`
	// At is when it is due, or began, or ended, as its state has it.
	At time.Time `json:"at"`
	// Last is how its newest attempt ended, nil before that.
	Last *Record `json:"last,omitempty"`
}

// States are the states of jobs that List takes, those first that a person may have to do with.
func States() []string {
	return []string{"cancelled", "discarded", "retryable", "running", "available", "scheduled", "completed"}
}

// ErrState says that a state of jobs is not known.
var ErrState = errors.New("no state of jobs")

// Count counts the jobs of nights and backfills by state.
func Count(ctx context.Context, pool *pgxpool.Pool) (map[string]int, error) {
	rows, err := pool.Query(ctx, "select state::text, count(*) from river_job where kind = any($1) group by 1", kinds)
	if err != nil {
		return nil, explain("counting jobs", err)
	}
	counts := map[string]int{}
	var state string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&state, &n}, func() error {
		counts[state] = n
		return nil
	})
	return counts, explain("counting jobs", err)
}

// List gives the newest jobs in these states, all but those that are completed if there are none, and at most so many.
func List(ctx context.Context, pool *pgxpool.Pool, states []string, most int) ([]Job, error) {
	if len(states) == 0 {
		states = slices.DeleteFunc(States(), func(s string) bool { return s == string(rivertype.JobStateCompleted) })
	}
	for _, s := range states {
		if !slices.Contains(States(), s) {
			return nil, fmt.Errorf("%w %q: there are %s", ErrState, s, strings.Join(States(), ", "))
		}
	}
	rows, err := pool.Query(ctx, `select id, kind, args, state::text, priority, attempt, coalesce(finalized_at, case when state = 'running' then attempted_at end, scheduled_at),
			metadata->'output' from river_job where kind = any($1) and state::text = any($2)
		order by array_position($2, state::text), id desc limit $3`, kinds, states, most)
	if err != nil {
		return nil, explain("listing jobs", err)
	}
	jobs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Job, error) {
		var j Job
		var args, output []byte
		if err := row.Scan(&j.ID, &j.Kind, &args, &j.State, &j.Priority, &j.Attempt, &j.At, &output); err != nil {
			return j, err
		}
		var of Night
		if err := json.Unmarshal(args, &of); err != nil {
			return j, fmt.Errorf("reading job %d: %w", j.ID, err)
		}
		j.Clinic, j.Day, j.At = of.Clinic, of.Day, j.At.UTC()
		if output != nil {
			j.Last = &Record{}
			if err := json.Unmarshal(output, j.Last); err != nil {
				return j, fmt.Errorf("reading how job %d ended: %w", j.ID, err)
			}
		}
		return j, nil
	})
	return jobs, explain("listing jobs", err)
}
