package sandbox

import (
	"context"
	"maps"
	"time"
)

// take waits for the place's turn.
func (at *place) take(ctx context.Context) error {
	select {
	case at.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (at *place) leave() { <-at.turn }

// stop ends the place's worker. The caller holds the turn.
func (at *place) stop() (stopped bool) {
	if at.worker == nil {
		return false
	}
	at.worker.kill()
	at.worker = nil
	return true
}

// stop ends the worker of a place, and gives back the leave to run one.
func (p *Pool) stop(at *place) {
	if at.stop() {
		p.free <- struct{}{}
	}
}

// takePlace gives a visible set's place with its turn taken.
func (p *Pool) takePlace(ctx context.Context, name placeName) (*place, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.options.Limits.Time, refuse(Busy, "ask again in a moment", "others ask the same rows, one after the other"))
	defer cancel()
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return nil, errPoolClosed
		}
		at, ok := p.places[name]
		if !ok {
			at = newPlace()
			p.places[name] = at
		}
		p.mu.Unlock()
		if err := at.take(ctx); err != nil {
			return nil, err
		}
		p.mu.Lock()
		current := p.places[name] == at
		p.mu.Unlock()
		if current {
			return at, nil
		}
		at.leave() // it was given up while we waited
	}
}

// leavePlace gives the turn back, and tells those who wait for a worker that one is idle.
func (p *Pool) leavePlace(at *place) {
	if at.worker != nil && !at.worker.alive() {
		p.stop(at)
	}
	at.used = time.Now()
	at.leave()
	p.tellIdle()
}

func (p *Pool) tellIdle() {
	select {
	case p.idle <- struct{}{}:
	default:
	}
}

// allowance waits until a worker may be started, and ends the one that was idle longest where all are taken.
func (p *Pool) allowance(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.options.Limits.Time, refuse(Busy, "ask again in a moment", "all workers for SQL are at work"))
	defer cancel()
	for {
		select {
		case <-p.free:
			p.tellIdle() // another may wait for what is left
			return nil
		default:
		}
		if p.endOldest(0) {
			continue
		}
		select {
		case <-p.free:
			return nil
		case <-p.idle:
		case <-p.closing:
			return errPoolClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// endOldest ends one worker, the one that has been idle longest, if it has been for so long.
func (p *Pool) endOldest(atLeast time.Duration) bool {
	p.mu.Lock()
	places := maps.Clone(p.places)
	p.mu.Unlock()
	var oldest *place
	var name placeName
	for n, at := range places {
		select {
		case at.turn <- struct{}{}:
		default:
			continue // it is at work
		}
		if at.worker == nil || time.Since(at.used) < atLeast || (oldest != nil && at.used.After(oldest.used)) {
			at.leave()
			continue
		}
		if oldest != nil {
			oldest.leave()
		}
		oldest, name = at, n
	}
	if oldest == nil {
		return false
	}
	p.giveUp(name, oldest)
	return true
}

// giveUp ends a place. The caller holds its turn, which is given back.
func (p *Pool) giveUp(name placeName, at *place) {
	p.mu.Lock()
	if p.places[name] == at {
		delete(p.places, name)
	}
	p.mu.Unlock()
	p.stop(at)
	at.leave()
}

// sweepUntilClosed ends workers that nobody asks any more.
func (p *Pool) sweepUntilClosed() {
	every := time.NewTicker(max(p.options.Idle/4, time.Millisecond))
	defer every.Stop()
	for {
		select {
		case <-every.C:
			for p.endOldest(p.options.Idle) {
			}
		case <-p.closing:
			return
		}
	}
}

// Forget ends all workers of a clinic, what they are at included: its rows are to be in no memory of ours when it returns.
func (p *Pool) Forget(clinic string) {
	p.end(func(name placeName) bool { return name.clinic == clinic })
}

// Close ends all workers and waits until they are gone.
func (p *Pool) Close() error {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	p.mu.Unlock()
	if !first {
		return nil
	}
	close(p.closing)
	p.sweeping.Wait()
	p.end(func(placeName) bool { return true })
	p.gate.turn <- struct{}{}
	p.gate.stop()
	p.gate.leave()
	return nil
}

// end takes places away, and ends their workers; those at work end their statements with it.
func (p *Pool) end(which func(placeName) bool) {
	p.mu.Lock()
	var ending []*place
	for name, at := range p.places {
		if which(name) {
			ending = append(ending, at)
			delete(p.places, name)
		}
	}
	p.mu.Unlock()
	for _, at := range ending {
		at.end(errForgotten)
		at.turn <- struct{}{}
		p.stop(at)
		at.leave()
	}
}

func (p *Pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// Stats says what the pool has done.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.stats
	out.Refused = maps.Clone(p.stats.Refused)
	out.Workers = p.options.Workers - len(p.free)
	return out
}
