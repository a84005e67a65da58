package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// flights are the questions that are being answered. Who asks what somebody else is being answered already waits for that answer: a
// dashboard that many people open at once costs what one of them would.
type flights struct {
	// turns has a place for each question that may be computed at once; most is how many more may wait for one.
	turns chan struct{}
	most  int
	// longest bounds one question, its waiting included.
	longest time.Duration

	mu      sync.Mutex
	under   map[answerKey]*flight
	waiting int
	running sync.WaitGroup
}

// flight is one question that is being answered, on behalf of everybody who waits for it.
type flight struct {
	done   chan struct{}
	answer *stored
	err    error
	// stop ends it; it is called when the last one who waits has gone.
	stop context.CancelFunc
	// here is how many wait for it; begun says that it has its turn.
	here  int
	begun bool
}

func newFlights(turns, waiting int, longest time.Duration) *flights {
	return &flights{turns: make(chan struct{}, turns), most: waiting, longest: longest, under: map[answerKey]*flight{}}
}

// answer gives the answer of a key, computed once for all who ask for it meanwhile. What compute needs is let go of by release, which
// is called whatever comes of it. A question that nobody waits for any more is ended.
func (f *flights) answer(ctx context.Context, key answerKey, release func(), compute func(context.Context) (*stored, error)) (*stored, error) {
	f.mu.Lock()
	at, joined := f.under[key]
	switch {
	case joined:
		defer release()
	case f.waiting >= f.most+cap(f.turns):
		f.mu.Unlock()
		release()
		return nil, busy()
	default:
		// It goes on when the one who began it has gone and others wait.
		inner, stop := context.WithTimeout(context.WithoutCancel(ctx), f.longest)
		at = &flight{done: make(chan struct{}), stop: stop}
		f.under[key] = at
		f.waiting++
		f.running.Go(func() { f.fly(inner, key, at, release, compute) })
	}
	at.here++
	f.mu.Unlock()
	defer f.leave(key, at)
	select {
	case <-at.done:
		return at.answer, at.err
	case <-ctx.Done():
		f.mu.Lock()
		begun := at.begun
		f.mu.Unlock()
		if !begun && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, busy()
		}
		return nil, fmt.Errorf("waiting for an answer: %w", ctx.Err())
	}
}

// fly computes an answer when it is its turn.
func (f *flights) fly(ctx context.Context, key answerKey, at *flight, release func(), compute func(context.Context) (*stored, error)) {
	defer at.stop()
	defer release()
	at.answer, at.err = f.inTurn(ctx, at, compute)
	f.mu.Lock()
	f.forget(key, at)
	f.waiting--
	f.mu.Unlock()
	close(at.done)
}

func (f *flights) inTurn(ctx context.Context, at *flight, compute func(context.Context) (*stored, error)) (*stored, error) {
	select {
	case f.turns <- struct{}{}:
		defer func() { <-f.turns }()
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, busy()
		}
		return nil, fmt.Errorf("waiting for a free place: %w", ctx.Err())
	}
	f.mu.Lock()
	at.begun = true
	f.mu.Unlock()
	return compute(ctx)
}

// leave takes one who waited away, and ends what nobody waits for.
func (f *flights) leave(key answerKey, at *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at.here--
	if at.here == 0 {
		// Who comes now begins anew: this one may be ending.
		f.forget(key, at)
		at.stop()
	}
}

// forget takes a flight off the list. The caller has the lock.
func (f *flights) forget(key answerKey, at *flight) {
	if f.under[key] == at {
		delete(f.under, key)
	}
}

// count is how many questions are computed or wait for their turn.
func (f *flights) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.waiting
}

// busy is the refusal of what would wait too long.
func busy() error {
	return &refusal{http.StatusServiceUnavailable, codeBusy, "the query server has as many questions as it can take",
		"ask again in a few seconds; what others asked meanwhile is kept and comes at once"}
}
