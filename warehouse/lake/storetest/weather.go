package storetest

import (
	"context"
	"io"
	"iter"
	"math/rand/v2"
	"sync"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Weather is a Store on a bad day, the same for each seed: calls fail, with and without effect, reads end early, lists lack
// what is newest, and at some call the process may die. It is for one process; another opens its own over the same Store.
type Weather struct {
	lake.Store
	// Rough is how many of a thousand calls go wrong.
	Rough int
	// Dies is the call at which everything ends, counted from 1; 0 is never.
	Dies int

	mu     sync.Mutex
	random *rand.Rand
	calls  int
}

// NewWeather is the weather of a seed.
func NewWeather(store lake.Store, seed uint64, rough, dies int) *Weather {
	return &Weather{Store: store, Rough: rough, Dies: dies, random: rand.New(rand.NewPCG(seed, 77))}
}

// Ways in which a call goes.
const (
	well = iota
	notDone
	done
	short // a read that ends early, a list that is old
)

func (w *Weather) turn() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	if w.Dies > 0 && w.calls >= w.Dies {
		if w.calls == w.Dies && w.random.IntN(2) == 0 {
			return done
		}
		return notDone
	}
	if w.random.IntN(1000) >= w.Rough {
		return well
	}
	return notDone + w.random.IntN(3)
}

// Dead says whether the process has ended.
func (w *Weather) Dead() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Dies > 0 && w.calls >= w.Dies
}

// Get implements lake.Store.
func (w *Weather) Get(ctx context.Context, name string) ([]byte, error) {
	how := w.turn()
	if how == notDone || how == done {
		return nil, ErrInjected
	}
	body, err := w.Store.Get(ctx, name)
	if how == short {
		body = body[:len(body)/2]
	}
	return body, err
}

// GetRange implements lake.Store.
func (w *Weather) GetRange(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	how := w.turn()
	if how == notDone || how == done {
		return nil, ErrInjected
	}
	body, err := w.Store.GetRange(ctx, name, offset, length)
	if err == nil && how == short {
		return nil, io.ErrUnexpectedEOF
	}
	return body, err
}

func (w *Weather) write(do func() error) error {
	switch w.turn() {
	case well:
		return do()
	case notDone:
		return ErrInjected
	default:
		_ = do()
		return ErrInjected
	}
}

// Create implements lake.Store.
func (w *Weather) Create(ctx context.Context, name string, body []byte) error {
	return w.write(func() error { return w.Store.Create(ctx, name, body) })
}

// Replace implements lake.Store.
func (w *Weather) Replace(ctx context.Context, name string, body []byte) error {
	return w.write(func() error { return w.Store.Replace(ctx, name, body) })
}

// Delete implements lake.Store.
func (w *Weather) Delete(ctx context.Context, name string) error {
	return w.write(func() error { return w.Store.Delete(ctx, name) })
}

// List implements lake.Store.
func (w *Weather) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return lake.NamesOf(w.Entries(ctx, prefix, after))
}

// Entries implements lake.Store.
func (w *Weather) Entries(ctx context.Context, prefix, after string) iter.Seq2[lake.Entry, error] {
	how := w.turn()
	if how == notDone || how == done {
		return func(yield func(lake.Entry, error) bool) { yield(lake.Entry{}, ErrInjected) }
	}
	if how == well {
		return w.Store.Entries(ctx, prefix, after)
	}
	return func(yield func(lake.Entry, error) bool) {
		var all []lake.Entry
		for e, err := range w.Store.Entries(ctx, prefix, after) {
			if err != nil {
				yield(e, err)
				return
			}
			all = append(all, e)
		}
		for _, e := range all[:len(all)-min(1, len(all))] { // the last by name is mostly the newest
			if !yield(e, nil) {
				return
			}
		}
	}
}
