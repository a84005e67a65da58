package storetest

import (
	"context"
	"errors"
	"iter"
	"sync"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// ErrInjected is the failure that Faulty makes.
var ErrInjected = errors.New("injected fault")

// Fault is one of the two ways in which a request can fail.
type Fault int

// Faults.
const (
	// NotDone fails a call that did nothing.
	NotDone Fault = iota
	// Done fails a call that was carried out, as when the answer is lost.
	Done
)

// Faulty is a Store that fails one call, counted from 1 over all kinds of call, and every call after it if Dead is set, as if
// the process had been killed there.
type Faulty struct {
	lake.Store
	Fail  int
	Fault Fault
	Dead  bool

	mu    sync.Mutex
	calls int
}

// Calls is how many calls were made so far.
func (f *Faulty) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// turn counts a call, and says whether to carry it out and what to answer.
func (f *Faulty) turn() (do bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	switch {
	case f.Fail == 0 || f.calls < f.Fail:
		return true, nil
	case f.calls == f.Fail:
		return f.Fault == Done, ErrInjected
	case f.Dead:
		return false, ErrInjected
	default:
		return true, nil
	}
}

// Get implements lake.Store.
func (f *Faulty) Get(ctx context.Context, name string) ([]byte, error) {
	if _, err := f.turn(); err != nil {
		return nil, err
	}
	return f.Store.Get(ctx, name)
}

// GetRange implements lake.Store.
func (f *Faulty) GetRange(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	if _, err := f.turn(); err != nil {
		return nil, err
	}
	return f.Store.GetRange(ctx, name, offset, length)
}

// Create implements lake.Store.
func (f *Faulty) Create(ctx context.Context, name string, body []byte) error {
	do, err := f.turn()
	if do {
		if failed := f.Store.Create(ctx, name, body); err == nil {
			return failed
		}
	}
	return err
}

// List implements lake.Store.
func (f *Faulty) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	if _, err := f.turn(); err != nil {
		return func(yield func(string, error) bool) { yield("", err) }
	}
	return f.Store.List(ctx, prefix, after)
}

// Entries implements lake.Store.
func (f *Faulty) Entries(ctx context.Context, prefix, after string) iter.Seq2[lake.Entry, error] {
	if _, err := f.turn(); err != nil {
		return func(yield func(lake.Entry, error) bool) { yield(lake.Entry{}, err) }
	}
	return f.Store.Entries(ctx, prefix, after)
}

// Replace implements lake.Store.
func (f *Faulty) Replace(ctx context.Context, name string, body []byte) error {
	do, err := f.turn()
	if do {
		if failed := f.Store.Replace(ctx, name, body); err == nil {
			return failed
		}
	}
	return err
}

// Delete implements lake.Store.
func (f *Faulty) Delete(ctx context.Context, name string) error {
	do, err := f.turn()
	if do {
		if failed := f.Store.Delete(ctx, name); err == nil {
			return failed
		}
	}
	return err
}
