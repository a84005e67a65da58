package worker

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

var (
	// errBusy says that as many of the host's clinics are read as may be.
	errBusy = errors.New("the portal's host has no place free")
	// errLost ends what a worker does that could not renew its lease: others take its jobs over.
	errLost = errors.New("the worker could not renew its lease in the database")
)

// lease is a worker's claim on its jobs and on places at portals' hosts. It lies in PostgreSQL and holds for a time after it was renewed
// last; who cannot renew it stops its jobs before that time is over, so that no place is taken twice.
type lease struct {
	pool *pgxpool.Pool
	id   string
	ttl  time.Duration
	// perHost is how many clinics of one host are read at once, by all workers together.
	perHost int
	log     func(format string, args ...any)

	mu     sync.Mutex
	active map[int64]context.CancelCauseFunc
	// renewed is when the renewal was begun that succeeded last.
	renewed time.Time
}

// alive is the condition on a row w of falloff_worker; $1 is the lease's time. While the database itself was away nobody could renew.
const alive = "greatest(w.seen_at, pg_postmaster_start_time()) > clock_timestamp() - $1::interval"

// renew renews the lease once.
func (l *lease) renew(ctx context.Context) error {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, l.ttl/4)
	defer cancel()
	l.mu.Lock()
	held := make([]int64, 0, len(l.active))
	for job := range l.active {
		held = append(held, job)
	}
	l.mu.Unlock()
	var batch pgx.Batch
	batch.Queue("insert into falloff_worker (id, seen_at) values ($1, clock_timestamp()) on conflict (id) do update set seen_at = excluded.seen_at", l.id)
	// Whatever ended without our being able to say so.
	batch.Queue("update falloff_hold set ended_at = clock_timestamp() where worker = $1 and ended_at is null and job_id <> all($2::bigint[])", l.id, held)
	if err := l.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return explain("renewing the worker's lease", err)
	}
	l.mu.Lock()
	l.renewed = begun
	l.mu.Unlock()
	return nil
}

// keep renews the lease and looks after the jobs of workers that are gone, until ctx ends.
func (l *lease) keep(ctx context.Context) {
	tick := time.NewTicker(l.ttl / 8)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := l.renew(ctx)
		if err == nil {
			err = l.tend(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && failing:
			l.log("The database answers again.")
			failing = false
		case err != nil && !failing:
			l.log("%v. The worker goes on trying.", err)
			failing = true
		}
		if err != nil {
			l.stopIfLost()
		}
	}
}

// stopIfLost asks every job to end once the lease is nearly over.
func (l *lease) stopIfLost() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.active) == 0 || time.Since(l.renewed) < l.ttl*5/8 {
		return
	}
	l.log("The database was away for too long: %d nights are asked to end, and go on when it is back.", len(l.active))
	for _, stop := range l.active {
		stop(errLost)
	}
}

// take takes a place at a host for a job; errBusy says that there is none. The context that it gives ends when the lease is lost. Call
// release once the job's work has ended.
func (l *lease) take(ctx context.Context, job int64, host string) (working context.Context, release func(), err error) {
	working, stop := context.WithCancelCause(ctx)
	l.mu.Lock()
	l.active[job] = stop
	l.mu.Unlock()
	release = func() {
		stop(nil)
		l.mu.Lock()
		delete(l.active, job)
		l.mu.Unlock()
		// What fails here is made good by the next renewal.
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.ttl/4)
		defer cancel()
		_, _ = l.pool.Exec(ending, "update falloff_hold set ended_at = clock_timestamp() where job_id = $1 and worker = $2 and ended_at is null", job, l.id)
		_ = l.wake(ending, host)
	}
	asking, cancel := context.WithTimeout(ctx, l.ttl/4)
	defer cancel()
	err = pgx.BeginFunc(asking, l.pool, func(tx pgx.Tx) error {
		// Whoever counts the places of a host is alone with it.
		if _, err := tx.Exec(asking, "select pg_advisory_xact_lock(hashtextextended('falloff host ' || $1, 0))", host); err != nil {
			return err
		}
		var taken int
		row := tx.QueryRow(asking, `select count(*) from falloff_hold h join falloff_worker w on w.id = h.worker
			where h.host = $2 and h.ended_at is null and h.job_id <> $3 and `+alive, l.ttl, host, job)
		if err := row.Scan(&taken); err != nil {
			return err
		}
		if taken >= l.perHost {
			return errBusy
		}
		_, err := tx.Exec(asking, `insert into falloff_hold (job_id, worker, host, since) values ($1, $2, $3, clock_timestamp())
			on conflict (job_id) do update set worker = excluded.worker, host = excluded.host, since = excluded.since, ended_at = null`, job, l.id, host)
		return err
	})
	if err == nil {
		return working, release, nil
	}
	stop(nil)
	l.mu.Lock()
	delete(l.active, job)
	l.mu.Unlock()
	if errors.Is(err, errBusy) {
		return nil, nil, errBusy
	}
	return nil, nil, explain("taking a place at the portal's host", err)
}

// kinds are the jobs that hold places.
var kinds = []string{Night{}.Kind(), Backfill{}.Kind()}

// wake makes as many of the jobs that wait for a host available as there are places, those first that are more urgent.
func (l *lease) wake(ctx context.Context, host string) error {
	_, err := l.pool.Exec(ctx, `with places as (
			select $4::int - (select count(*) from falloff_hold h join falloff_worker w on w.id = h.worker where h.host = $2 and h.ended_at is null and `+alive+`)
				- (select count(*) from river_job where kind = any($3) and state = 'available' and metadata ? 'snoozes' and args->>'host' = $2) as free
		)
		update river_job set state = 'available', scheduled_at = clock_timestamp() where id in (
			select id from river_job where kind = any($3) and state = 'scheduled' and metadata ? 'snoozes' and args->>'host' = $2
			order by priority, scheduled_at, id limit (select greatest(free, 0) from places) for update skip locked
		)`, l.ttl, host, kinds, l.perHost)
	return explain("waking jobs that wait for a portal's host", err)
}

// tend brings back the jobs of workers that are gone, and those whose end was lost, and wakes who waits for places that became free so.
// One worker does it at a time.
func (l *lease) tend(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.ttl/2)
	defer cancel()
	var hosts []string
	err := pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		var mine bool
		if err := tx.QueryRow(ctx, "select pg_try_advisory_xact_lock(hashtext('falloff tend'))").Scan(&mine); err != nil || !mine {
			return err
		}
		rescued, err := tx.Exec(ctx, `update river_job set
				state = (case when attempt >= max_attempts then 'discarded' else 'available' end)::river_job_state,
				finalized_at = case when attempt >= max_attempts then clock_timestamp() end,
				scheduled_at = clock_timestamp(),
				errors = array_append(errors, jsonb_build_object('at', clock_timestamp(), 'attempt', attempt, 'error', 'the worker that had this job is gone', 'trace', ''))
			where id in (
				select j.id from river_job j left join falloff_hold h on h.job_id = j.id left join falloff_worker w on w.id = h.worker
				where j.kind = any($2) and j.state = 'running'
					and greatest(j.attempted_at, pg_postmaster_start_time()) < clock_timestamp() - $1::interval
					and case
						when h.job_id is null then true
						when h.ended_at is not null then greatest(h.ended_at, pg_postmaster_start_time()) < clock_timestamp() - $1::interval
						else not (`+alive+`)
					end
				for update of j skip locked
			)`, l.ttl, kinds)
		if err != nil {
			return err
		}
		if n := rescued.RowsAffected(); n > 0 {
			l.log("%d jobs are begun again: the workers that had them are gone, or could not say how they ended.", n)
		}
		if _, err := tx.Exec(ctx, `delete from falloff_hold h using falloff_worker w where w.id = h.worker and (h.ended_at < clock_timestamp() - 4 * $1::interval
			or not (`+alive+`)) and not exists (select from river_job j where j.id = h.job_id and j.state = 'running')`, l.ttl); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from falloff_worker w where not (`+alive+`) and not exists (select from falloff_hold h where h.worker = w.id)`, l.ttl); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `select distinct args->>'host' from river_job where kind = any($1) and state = 'scheduled' and metadata ? 'snoozes'`, kinds)
		if err != nil {
			return err
		}
		hosts, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return explain("looking for jobs whose worker is gone", err)
	}
	for _, host := range slices.Compact(hosts) {
		if err := l.wake(ctx, host); err != nil {
			return err
		}
	}
	return nil
}

// leave gives the lease back.
func (l *lease) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.ttl/4)
	defer cancel()
	_, _ = l.pool.Exec(ctx, "update falloff_hold set ended_at = clock_timestamp() where worker = $1 and ended_at is null", l.id)
}
