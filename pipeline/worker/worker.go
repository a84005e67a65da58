// Package worker carries out nights of clinics on any number of machines: River's jobs in PostgreSQL, one a clinic and day.
//
// A job runs one unit (package unit), and what becomes of it follows from how the unit ended. What makes a night happen once is not
// the queue, which may hand a job out twice when a worker dies: it is the commit in the lake, which a second run of the same night
// finds there and adds nothing to. The queue sees to it that every night is begun, politely and in time.
package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/falloff-analytics/falloff/pipeline/unit"
)

// Options say how a worker works.
type Options struct {
	Pool   *pgxpool.Pool
	Fleet  Fleet
	Runner unit.Runner
	// Nights says when clinics are read; the zero value is DefaultNights.
	Nights Nights
	// Parallel is how many nights this worker carries out at once, 2 if zero; PerHost how many clinics of one portal's domain all
	// workers together read at once, 2 if zero. Workers of one database agree on it.
	Parallel, PerHost int
	// Pauses are those before another try; the zero value is DefaultPauses.
	Pauses Pauses
	// Deadline is how long a night may take, 3 h if zero: then it is asked to end, and goes on when it is tried again.
	Deadline time.Duration
	// Grace is how long nights may go on once the worker is to stop, a minute if zero: then they are asked to end.
	Grace time.Duration
	// Lease is how long a worker is taken to be alive after it was seen, two minutes if zero. Its jobs are begun again after that.
	Lease time.Duration
	// Every is how often the fleet is looked over, five minutes if zero.
	Every time.Duration
	// Log gets what River has to say, Tell what a person may want to know.
	Log  io.Writer
	Tell func(format string, args ...any)
	// Now is the time by which nights come and days end; nil is time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Nights == (Nights{}) {
		o.Nights = DefaultNights()
	}
	if o.Pauses == (Pauses{}) {
		o.Pauses = DefaultPauses()
	}
	o.Parallel, o.PerHost = cmp.Or(o.Parallel, 2), cmp.Or(o.PerHost, 2)
	o.Deadline, o.Grace = cmp.Or(o.Deadline, 3*time.Hour), cmp.Or(o.Grace, time.Minute)
	o.Lease, o.Every = cmp.Or(o.Lease, 2*time.Minute), cmp.Or(o.Every, 5*time.Minute)
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Tell == nil {
		o.Tell = func(string, ...any) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// How long River keeps the rows of jobs: as long as somebody may ask what a night did, and longer than the night itself, so that a day that is
// done is not done again.
const kept = 35 * 24 * time.Hour

// Run works until ctx ends, then lets nights that are at work end, asks those to end that take longer than the grace, and waits for them.
// A database that goes away meanwhile is waited for; one that cannot be reached at the beginning is an error.
func Run(ctx context.Context, o Options) error {
	o = o.withDefaults()
	w := &worker{Options: o, pauses: map[int64]time.Duration{}, inserted: map[string]Night{}}
	workers := river.NewWorkers()
	river.AddWorker(workers, &jobs[Night]{worker: w})
	river.AddWorker(workers, &jobs[Backfill]{worker: w})
	river.AddWorker(workers, &lookOver{worker: w})
	client, err := river.NewClient(riverpgxv5.New(o.Pool), &river.Config{
		Queues:  map[string]river.QueueConfig{nightsQueue: {MaxWorkers: o.Parallel}, fleetQueue: {MaxWorkers: 1}},
		Workers: workers,
		PeriodicJobs: []*river.PeriodicJob{river.NewPeriodicJob(river.PeriodicInterval(o.Every), func() (river.JobArgs, *river.InsertOpts) {
			return tonight{}, nil
		}, &river.PeriodicJobOpts{RunOnStart: true})},
		// What a unit needs to end once it was asked to is its own matter; what River rescues beyond that, our lease has rescued before.
		JobTimeout: o.Deadline, RescueStuckJobsAfter: o.Deadline + time.Hour, SoftStopTimeout: o.Grace,
		CompletedJobRetentionPeriod: kept, CancelledJobRetentionPeriod: kept, DiscardedJobRetentionPeriod: kept,
		Logger: newLogger(o.Log, o.Pool),
	})
	if err != nil {
		return fmt.Errorf("preparing the worker: %w", err)
	}
	w.client = client
	w.lease = &lease{
		pool: o.Pool, id: client.ID(), ttl: o.Lease, perHost: o.PerHost, log: o.Tell, active: map[int64]context.CancelCauseFunc{}, renewed: time.Now(),
	}
	if err := w.lease.renew(ctx); err != nil {
		return err
	}
	working := context.WithoutCancel(ctx)
	if err := client.Start(working); err != nil {
		return explain("starting the worker", err)
	}
	keeping, stopKeeping := context.WithCancel(working)
	keptUntil := make(chan struct{})
	go func() {
		defer close(keptUntil)
		w.lease.keep(keeping)
	}()
	<-ctx.Done()
	o.Tell("Stopping: nights that are at work may end within %s.", o.Grace)
	err = client.Stop(working)
	stopKeeping()
	<-keptUntil
	w.lease.leave(working)
	if err != nil {
		return explain("stopping the worker", err)
	}
	return nil
}

// worker is one process's part.
type worker struct {
	Options

	client *river.Client[pgx.Tx]
	lease  *lease

	mu sync.Mutex
	// pauses are those before the jobs that have just failed are tried again.
	pauses map[int64]time.Duration
	// inserted are the nights that are known to be in the database, by clinic.
	inserted map[string]Night
}

// jobs carries out one kind of jobs.
type jobs[T work] struct {
	river.WorkerDefaults[T]

	worker *worker
}

// Work implements river.Worker.
func (j *jobs[T]) Work(ctx context.Context, job *river.Job[T]) error {
	return j.worker.carryOut(ctx, job.ID, job.Args, job.Output())
}

// NextRetry implements river.Worker.
func (j *jobs[T]) NextRetry(job *river.Job[T]) time.Time {
	return time.Now().Add(j.worker.pauseOf(job.ID))
}

func (w *worker) pauseOf(job int64) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	pause, ok := w.pauses[job]
	delete(w.pauses, job)
	if !ok { // a panic in this package
		return w.Pauses.Bug
	}
	return pause
}

// How long a job waits that could not be begun: where the host had no place it is woken when there is one, and else by itself.
const (
	untilWoken = 30 * time.Minute
	untilBack  = 10 * time.Second
)

// carryOut carries out one job. Errors that it returns are for River: that it failed, with what is told of it, that it is to wait, or
// that it is not to be tried again.
func (w *worker) carryOut(ctx context.Context, id int64, args work, earlier []byte) error {
	if left := args.until(); !left.IsZero() && !w.Now().Before(left) {
		return river.JobCancel(errors.New("its day is over; the next night reads what it did not"))
	}
	held, release, err := w.lease.take(ctx, id, args.host())
	switch {
	case errors.Is(err, errBusy):
		return river.JobSnooze(untilWoken)
	case err != nil: // the database, not the clinic: no attempt of its own
		return river.JobSnooze(untilBack)
	}
	out, err := w.night(held, args.order())
	asked := context.Cause(held)
	release()
	if asked != nil && !errors.Is(asked, context.DeadlineExceeded) && (err != nil || out.Verdict() == unit.Later) {
		// We asked it to end: this worker stops, or has lost its lease. That is nobody's failure; another goes on.
		return river.JobSnooze(0)
	}
	if err != nil {
		out.Exit, out.Cause, out.Message = 1, "unexpected", err.Error()
	}
	record := w.record(ctx, out, earlier)
	if record.Verdict == unit.Done {
		return nil
	}
	pause, ok := w.Pauses.again(record.Verdict, record.Cause, record.Tries[record.Verdict])
	if left := args.until(); ok && !left.IsZero() && w.Now().Add(pause).After(left) {
		ok = false
	}
	failed := fmt.Errorf("%s: %s: %s", record.Verdict, cmp.Or(record.Cause, fmt.Sprintf("exit code %d", out.Exit)), record.Message)
	if !ok {
		return river.JobCancel(failed)
	}
	w.mu.Lock()
	w.pauses[id] = pause
	w.mu.Unlock()
	return failed
}

// night carries an order out. A night that found a history under way has gone on with that, up to its own last day, and then reads what is due.
func (w *worker) night(ctx context.Context, order unit.Order) (unit.Outcome, error) {
	out, err := w.Runner.Run(ctx, order)
	if err != nil || out.Verdict() != unit.Done || !out.Day.IsValid() || !out.Day.Before(order.To) || ctx.Err() != nil {
		return out, err
	}
	before := out
	out, err = w.Runner.Run(ctx, order)
	out.Requests, out.Took, out.New = out.Requests+before.Requests, out.Took+before.Took, out.New || before.New
	return out, err
}

// record has River keep how an attempt ended.
func (w *worker) record(ctx context.Context, out unit.Outcome, earlier []byte) Record {
	r := Record{
		Verdict: out.Verdict(), Cause: out.Cause, Message: out.Message, Hint: out.Hint, Commit: out.Commit, New: out.New, Requests: out.Requests,
		Seconds: out.Took.Round(100 * time.Millisecond).Seconds(), Tries: map[unit.Verdict]int{},
	}
	var before Record
	if json.Unmarshal(earlier, &before) == nil {
		maps.Copy(r.Tries, before.Tries)
	}
	r.Tries[r.Verdict]++
	if err := river.RecordOutput(ctx, r); err != nil {
		w.Tell("How a night ended could not be noted: %v", err)
	}
	return r
}

// lookOver inserts the nights whose time has come.
type lookOver struct {
	river.WorkerDefaults[tonight]

	worker *worker
}

// Timeout implements river.Worker.
func (l *lookOver) Timeout(*river.Job[tonight]) time.Duration { return 10 * time.Minute }

// Work implements river.Worker.
func (l *lookOver) Work(ctx context.Context, _ *river.Job[tonight]) error {
	err := l.worker.insertDue(ctx)
	if err != nil {
		l.worker.Tell("Looking for nights that are due: %v", err)
	}
	return err
}

// insertAtOnce bounds how many jobs are inserted by one statement.
const insertAtOnce = 500

// insertDue inserts what is due and not in the database yet.
func (w *worker) insertDue(ctx context.Context) error {
	clinics, err := w.Fleet.Clinics(ctx)
	if err != nil {
		return err
	}
	now := w.Now()
	var failed []error
	var batch []river.InsertManyParams
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if _, err := w.client.InsertMany(ctx, batch); err != nil {
			return explain("inserting nights that are due", err)
		}
		w.mu.Lock()
		for _, p := range batch {
			if night, ok := p.Args.(Night); ok {
				w.inserted[night.Clinic] = night
			}
		}
		w.mu.Unlock()
		batch = nil
		return nil
	}
	for _, c := range clinics {
		night, priority, due := w.Nights.due(c, now)
		w.mu.Lock()
		known := w.inserted[c.ID].Day == night.Day
		w.mu.Unlock()
		if !due || known {
			continue
		}
		paused, err := w.Fleet.Paused(ctx, c.ID)
		if err != nil {
			failed = append(failed, fmt.Errorf("clinic %s: %w", c.ID, err)) // the others' nights come nevertheless
			continue
		}
		if paused {
			continue
		}
		options := night.InsertOpts()
		options.Priority = priority
		batch = append(batch, river.InsertManyParams{Args: night, InsertOpts: &options})
		if len(batch) == insertAtOnce {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return errors.Join(append(failed, flush())...)
}
