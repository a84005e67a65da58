package schedule

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/unit"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Clinic is one whose tasks are scheduled.
type Clinic struct {
	ID string
	// Host is where its portal is: one unit at a time is there.
	Host string
	// Timings are its tasks' times; a task that is not there is not done.
	Timings map[Task]Timing
	// Deadline bounds a run, zero for none.
	Deadline time.Duration
}

// Event is something that happened, for a log.
type Event struct {
	At     time.Time `json:"at"`
	Clinic string    `json:"clinic,omitempty"`
	Task   Task      `json:"task,omitempty"`
	// What is begun, ended, notified, overtaken or trouble.
	What    string `json:"what"`
	Attempt int    `json:"attempt,omitempty"`
	// Outcome is how it ended, Again when it is tried again.
	Outcome *unit.Outcome `json:"outcome,omitempty"`
	Again   time.Time     `json:"again,omitzero"`
	// Trouble is what went wrong with the scheduler itself.
	Trouble string `json:"trouble,omitempty"`
}

// The words of Event.What.
const (
	Began     = "begun"
	Ended     = "ended"
	Notified  = "notified"
	Overtaken = "overtaken"
	Trouble   = "trouble"
)

// Conductor does what is due.
type Conductor struct {
	// Clinics lists the clinics; it is asked again every few minutes, and may be slow.
	Clinics func(ctx context.Context) ([]Clinic, error)
	Book    Book
	// Run does nights, Do the other tasks.
	Run unit.Runner
	Do  func(ctx context.Context, task Task, clinic string) (unit.Outcome, error)
	// Notify, if set, is called after each run.
	Notify func(ctx context.Context, clinic string) (unit.Outcome, error)
	// Parallel is how many units are at work at once, 1 if less.
	Parallel int
	// Holder names this scheduler; no two that run at once share one.
	Holder string
	Now    func() time.Time
	Say    func(Event)

	mu sync.Mutex
	// busy are the clinics and hosts that a unit is at work on, seen the states that were read last.
	busy    map[string]bool
	working int
	seen    map[string]State
	// rests are clinics whose state could not be read or kept, until when they are left alone; failed is why, the last time.
	rests   map[string]time.Time
	failed  error
	clinics []Clinic
	ended   chan struct{}
	all     sync.WaitGroup
}

// How often the conductor looks at the clinics anew, and at least at the clock: a machine that slept has missed times.
const (
	lookEvery  = 5 * time.Minute
	clockEvery = 5 * time.Minute
	// restAfter is how long a clinic is left alone whose state could not be read or kept.
	restAfter = time.Minute
)

// Conduct does what is due until ctx ends; it asks the units at work to end then, and waits for them. With once it returns when nothing
// is due any more: what is to be tried again later is not waited for.
func (c *Conductor) Conduct(ctx context.Context, once bool) error {
	c.busy, c.seen, c.rests, c.ended = map[string]bool{}, map[string]State{}, map[string]time.Time{}, make(chan struct{}, 1)
	defer c.all.Wait()
	var looked time.Time
	for {
		if now := c.Now(); looked.IsZero() || now.Sub(looked) >= lookEvery {
			if err := c.look(ctx); err != nil {
				if once || ctx.Err() != nil {
					return errors.Join(ctx.Err(), err)
				}
				c.say(Event{What: Trouble, Trouble: err.Error()})
			}
			looked = now
		}
		next, waiting := c.begin(ctx)
		if once && !waiting && c.atWork() == 0 {
			return errors.Join(ctx.Err(), c.failed)
		}
		sleep := clockEvery
		if until := next.Sub(c.Now()); !next.IsZero() && until < sleep {
			sleep = max(until, time.Second)
		}
		timer := time.NewTimer(sleep)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-c.ended:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (c *Conductor) say(e Event) {
	if c.Say != nil {
		e.At = c.Now()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.Say(e)
	}
}

func (c *Conductor) atWork() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.working
}

// look finds the clinics and their states.
func (c *Conductor) look(ctx context.Context) error {
	clinics, err := c.Clinics(ctx)
	if err != nil {
		return fmt.Errorf("looking for the clinics: %w", err)
	}
	c.clinics = clinics
	var errs []error
	for _, clinic := range clinics {
		state, version, err := c.Book.Read(ctx, clinic.ID)
		if err == nil {
			state, err = c.sight(ctx, clinic, state, version)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("reading the schedule of clinic %s: %w", clinic.ID, err))
			continue
		}
		c.remember(clinic.ID, state)
	}
	return errors.Join(errs...)
}

func (c *Conductor) remember(clinic string, s State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[clinic] = s
}

// sight begins to count from now on for tasks that need not be made up for when a clinic is new: nobody has missed a report.
func (c *Conductor) sight(ctx context.Context, clinic Clinic, s State, version int64) (State, error) {
	next := State{Tasks: maps.Clone(s.Tasks)}
	for _, task := range []Task{Rehearsal, Report} {
		if _, known := s.Tasks[task]; !known && !clinic.Timings[task].Cron.Off() {
			if next.Tasks == nil {
				next.Tasks = map[Task]Progress{}
			}
			next.Tasks[task] = Progress{Due: c.Now().UTC()}
		}
	}
	if len(next.Tasks) == len(s.Tasks) {
		return s, nil
	}
	_, err := c.Book.Swap(ctx, clinic.ID, version, next)
	if errors.Is(err, lake.ErrOvertaken) {
		return s, nil // another scheduler did, or will
	}
	return next, err
}

// begin begins what is due and may begin. It gives the next time at which something is, and whether something due waits for
// its turn.
func (c *Conductor) begin(ctx context.Context) (next time.Time, waiting bool) {
	now := c.Now()
	type turn struct {
		clinic Clinic
		task   Task
		due    Due
	}
	var turns []turn
	c.mu.Lock()
	for _, clinic := range c.clinics {
		state, ok := c.seen[clinic.ID]
		if !ok || c.busy[clinic.ID] {
			continue
		}
		if rest := c.rests[clinic.ID]; rest.After(now) {
			next = sooner(next, rest)
			continue
		}
		for _, task := range Tasks() {
			timing, ok := clinic.Timings[task]
			if !ok {
				continue
			}
			p := state.Tasks[task]
			due := timing.Next(p, now)
			switch {
			case due.At.IsZero():
			case p.held(now):
				next = sooner(next, p.Until)
			case due.At.After(now):
				next = sooner(next, due.At)
			default:
				turns = append(turns, turn{clinic, task, due})
			}
		}
	}
	// Who has waited longest comes first; of one clinic the tasks keep their order.
	slices.SortStableFunc(turns, func(a, b turn) int {
		if a.clinic.ID == b.clinic.ID {
			return 0
		}
		return a.due.At.Compare(b.due.At)
	})
	for _, t := range turns {
		host := "host " + t.clinic.Host
		if t.task != Run || t.clinic.Host == "" {
			host = ""
		}
		if c.busy[t.clinic.ID] || host != "" && c.busy[host] || c.working >= max(1, c.Parallel) || ctx.Err() != nil {
			waiting = true
			continue
		}
		c.busy[t.clinic.ID], c.working = true, c.working+1
		if host != "" {
			c.busy[host] = true
		}
		c.all.Go(func() {
			defer func() {
				c.mu.Lock()
				delete(c.busy, t.clinic.ID)
				delete(c.busy, host)
				c.working--
				c.mu.Unlock()
				select {
				case c.ended <- struct{}{}:
				default:
				}
			}()
			c.work(ctx, t.clinic, t.task, t.due)
		})
	}
	c.mu.Unlock()
	return next, waiting
}

func sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// work does one task, if nobody else does.
func (c *Conductor) work(ctx context.Context, clinic Clinic, task Task, due Due) {
	state, version, err := c.Book.Read(ctx, clinic.ID)
	if err != nil {
		c.trouble(clinic, task, fmt.Errorf("reading the schedule: %w", err))
		return
	}
	c.remember(clinic.ID, state)
	p, now := state.Tasks[task], c.Now()
	if current := clinic.Timings[task].Next(p, now); current.At.After(now) || !current.Occurrence.Equal(due.Occurrence) {
		c.say(Event{Clinic: clinic.ID, Task: task, What: Overtaken}) // another scheduler has done it, or is at it
		return
	}
	if !due.Again {
		p.Attempts = 0
	}
	p.Due, p.Again, p.Attempts, p.Begun = due.Occurrence.UTC(), time.Time{}, p.Attempts+1, now.UTC()
	p.Holder, p.Until = c.Holder, now.UTC().Add(holderTTL)
	// A scheduler that dies leaves an occurrence that is taken up again when its holder counts no more.
	p.Again = p.Until
	next := with(state, task, p)
	if _, err = c.Book.Swap(ctx, clinic.ID, version, next); err != nil {
		if !errors.Is(err, lake.ErrOvertaken) {
			c.trouble(clinic, task, fmt.Errorf("keeping the schedule: %w", err))
		}
		return
	}
	c.remember(clinic.ID, next)
	c.say(Event{Clinic: clinic.ID, Task: task, What: Began, Attempt: p.Attempts})
	outcome := c.carryOut(ctx, clinic, task)
	c.settle(ctx, clinic, task, p, outcome)
	if task == Run && c.Notify != nil && ctx.Err() == nil {
		told, err := c.Notify(ctx, clinic.ID)
		if err != nil {
			c.trouble(clinic, task, fmt.Errorf("notifying: %w", err))
			return
		}
		c.say(Event{Clinic: clinic.ID, What: Notified, Outcome: &told})
	}
}

func with(s State, task Task, p Progress) State {
	next := State{Tasks: maps.Clone(s.Tasks)}
	if next.Tasks == nil {
		next.Tasks = map[Task]Progress{}
	}
	next.Tasks[task] = p
	return next
}

// trouble says that the scheduler itself could not do something, and leaves the clinic alone for a while.
func (c *Conductor) trouble(clinic Clinic, task Task, err error) {
	c.mu.Lock()
	c.rests[clinic.ID] = c.Now().Add(restAfter)
	c.failed = fmt.Errorf("clinic %s: %w", clinic.ID, err)
	c.mu.Unlock()
	c.say(Event{Clinic: clinic.ID, Task: task, What: Trouble, Trouble: err.Error()})
}

// carryOut does it, and gives a sign of life until it has ended.
func (c *Conductor) carryOut(ctx context.Context, clinic Clinic, task Task) unit.Outcome {
	alive, done := context.WithCancel(ctx)
	var renewing sync.WaitGroup
	defer renewing.Wait()
	defer done()
	renewing.Go(func() {
		tick := time.NewTicker(holderRenewal)
		defer tick.Stop()
		for {
			select {
			case <-alive.Done():
				return
			case <-tick.C:
			}
			// One that fails is made up for by the next; the clinic's own lease keeps two from working on it.
			_ = c.change(alive, clinic.ID, task, func(p *Progress) bool {
				p.Until = c.Now().UTC().Add(holderTTL)
				p.Again = p.Until
				return p.Holder == c.Holder
			})
		}
	})
	begun := c.Now()
	var outcome unit.Outcome
	var err error
	if task == Run {
		outcome, err = c.Run.Run(ctx, unit.Order{Clinic: clinic.ID, Deadline: clinic.Deadline})
	} else {
		outcome, err = c.Do(ctx, task, clinic.ID)
	}
	if err != nil {
		outcome.Exit, outcome.Cause, outcome.Message = max(1, outcome.Exit), "unexpected", err.Error()
	}
	outcome.Took = c.Now().Sub(begun)
	return outcome
}

// recording bounds the noting of how a task ended, also after the scheduler was told to end.
const recording = 20 * time.Second

// settle notes how it ended.
func (c *Conductor) settle(ctx context.Context, clinic Clinic, task Task, p Progress, o unit.Outcome) {
	stopped := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recording)
	defer cancel()
	now := c.Now().UTC()
	again := retry(o, p.Attempts, now)
	if stopped && o.Verdict() == unit.Later {
		again = now // it was asked to end, and is gone on with by whoever comes next
	}
	var failed error
	for range 3 {
		failed = c.change(ctx, clinic.ID, task, func(p *Progress) bool {
			mine := p.Holder == c.Holder
			p.Holder, p.Until, p.Ended, p.Last, p.Again = "", time.Time{}, now, &o, again
			if o.Exit == 0 {
				p.Good = now
			}
			return mine
		})
		if failed == nil {
			break
		}
	}
	if failed != nil {
		c.trouble(clinic, task, fmt.Errorf("keeping how it ended: %w", failed))
	}
	c.say(Event{Clinic: clinic.ID, Task: task, What: Ended, Attempt: p.Attempts, Outcome: &o, Again: again})
}

// change changes a task's progress, whoever changes the clinic's other tasks meanwhile. It leaves it where apply says that it is
// another's.
func (c *Conductor) change(ctx context.Context, clinic string, task Task, apply func(*Progress) bool) error {
	for {
		state, version, err := c.Book.Read(ctx, clinic)
		if err != nil {
			return err
		}
		p := state.Tasks[task]
		if !apply(&p) {
			c.remember(clinic, state)
			return nil
		}
		next := with(state, task, p)
		_, err = c.Book.Swap(ctx, clinic, version, next)
		if err == nil {
			c.remember(clinic, next)
		}
		if !errors.Is(err, lake.ErrOvertaken) {
			return err
		}
	}
}
