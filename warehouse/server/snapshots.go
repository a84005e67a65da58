package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// openSnapshots keeps one open engine a clinic and view, opens a newer one when the head commit changes, and closes the old one
// when its last reader is done: an answer comes from one snapshot, whole.
type openSnapshots struct {
	source    Snapshots
	now       func() time.Time
	headEvery time.Duration
	// most is how many views may be loaded at once.
	most int
	log  *slog.Logger

	mu     sync.Mutex
	places map[string]*place
	closed bool

	// work are the snapshots that are being opened beside others; ended is done when the server stops.
	work  sync.WaitGroup
	ended context.Context //nolint:containedctx // the life of what is started here
	end   context.CancelFunc
}

// place is where the engine of one clinic and view stands. Its turn is held while the head is asked. A snapshot is opened once however many
// ask for it, and goes on being opened when they have gone: one that takes longer than a request may would never be there.
type place struct {
	clinic  string
	view    View
	turn    chan struct{}
	checked time.Time
	used    time.Time
	current *leased
	// opening is the snapshot that is being opened, beside the current one where there is one.
	opening *opening
}

// opening ends when done is closed; err is then why there is no snapshot.
type opening struct {
	done chan struct{}
	err  error
}

// Breakable is an engine that can come to an end by itself; *query.Engine is one. Another is opened in its place.
type Breakable interface{ Broken() bool }

// leased is an engine and how many hold it; the place that shows it counts as one.
type leased struct {
	engine Engine
	commit string

	mu      sync.Mutex
	holders int
}

func newOpenSnapshots(source Snapshots, now func() time.Time, headEvery time.Duration, most int, log *slog.Logger) *openSnapshots {
	ended, end := context.WithCancel(context.Background())
	return &openSnapshots{source: source, now: now, headEvery: headEvery, most: most, log: log, places: map[string]*place{}, ended: ended, end: end}
}

// acquire gives the clinic's newest engine of a view and what gives it back. Where a newer snapshot cannot be opened the one at
// hand goes on answering: it says of itself how old it is.
func (o *openSnapshots) acquire(ctx context.Context, clinic string, view View) (Engine, func(), error) {
	for {
		held, wait, err := o.shown(ctx, clinic, view)
		switch {
		case err != nil:
			return nil, nil, err
		case held != nil:
			return held.engine, func() { held.drop(o.log) }, nil
		}
		select {
		case <-wait.done:
			if wait.err != nil {
				return nil, nil, wait.err
			}
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return nil, nil, loading()
			}
			return nil, nil, fmt.Errorf("waiting for clinic %s to be loaded: %w", clinic, ctx.Err())
		}
	}
}

// loading is the refusal of what asks for a clinic that is not there yet.
func loading() error {
	return &refusal{http.StatusServiceUnavailable, codeLoading, "the clinic's newest figures are being loaded", "ask again in a few seconds: loading goes on meanwhile"}
}

// shown gives the engine that shows a view, held, or what has to be waited for until there is one.
func (o *openSnapshots) shown(ctx context.Context, clinic string, view View) (*leased, *opening, error) {
	at, err := o.takeTurn(ctx, clinic, view)
	if err != nil {
		return nil, nil, err
	}
	defer func() { <-at.turn }()
	at.used = o.now()
	wait, err := o.refresh(ctx, at)
	if err != nil || wait != nil {
		return nil, wait, err
	}
	at.current.hold()
	return at.current, nil, nil
}

var errClosed = errors.New("the query server is shutting down")

// nameOf is the key of a clinic and view. Names of marts and clinics have no control characters; those of staff are quoted.
func nameOf(clinic string, view View) string {
	name := clinic + "\x00" + strings.Join(view.Marts, " ") + "\x00" + strings.Join(view.Released, " ")
	if view.AssignedTo != nil {
		name += "\x00" + fmt.Sprintf("%q", view.AssignedTo)
	}
	return name
}

// takeTurn gives a place with its turn taken.
func (o *openSnapshots) takeTurn(ctx context.Context, clinic string, view View) (*place, error) {
	name := nameOf(clinic, view)
	for {
		at, err := o.place(name, clinic, view)
		if err != nil {
			return nil, err
		}
		select {
		case at.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for clinic %s: %w", clinic, ctx.Err())
		}
		if o.isShown(name, at) {
			return at, nil
		}
		// It was forgotten while we waited: what is put there now would never be closed.
		<-at.turn
	}
}

func (o *openSnapshots) place(name, clinic string, view View) (*place, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil, errClosed
	}
	at, ok := o.places[name]
	if !ok {
		at = &place{clinic: clinic, view: view, turn: make(chan struct{}, 1)}
		o.places[name] = at
	}
	return at, nil
}

func (o *openSnapshots) isShown(name string, at *place) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.places[name] == at
}

// forget takes an empty place away, so that asking for clinics that are not there leaves nothing behind.
func (o *openSnapshots) forget(at *place) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if name := nameOf(at.clinic, at.view); o.places[name] == at {
		delete(o.places, name)
	}
}

// closeIdle unloads what nobody has asked for a while. Places that are in use are left alone.
func (o *openSnapshots) closeIdle(after time.Duration) {
	o.mu.Lock()
	var all []*place
	for _, at := range o.places {
		all = append(all, at)
	}
	o.mu.Unlock()
	for _, at := range all {
		select {
		case at.turn <- struct{}{}:
		default:
			continue // somebody is asking
		}
		if o.now().Sub(at.used) >= after && at.opening == nil {
			o.unload(at)
		}
		<-at.turn
	}
}

// count is how many engines are open.
func (o *openSnapshots) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.places)
}

// unload lets go of a place. The caller holds the turn.
func (o *openSnapshots) unload(at *place) {
	if at.current != nil {
		at.current.drop(o.log)
		at.current = nil
		o.log.Info("snapshot is unloaded", "clinic", at.clinic)
	}
	o.forget(at)
}

// makeRoom unloads the views that were asked longest ago, while there are more than may be, but for one. What requests hold of them lasts
// until they are answered; a view that is being asked or opened stays.
func (o *openSnapshots) makeRoom(but *place) {
	for {
		o.mu.Lock()
		var oldest *place
		if len(o.places) > o.most {
			for _, at := range o.places {
				if at == but {
					continue
				}
				select {
				case at.turn <- struct{}{}:
				default:
					continue
				}
				if at.opening != nil || oldest != nil && !at.used.Before(oldest.used) {
					<-at.turn
					continue
				}
				if oldest != nil {
					<-oldest.turn
				}
				oldest = at
			}
		}
		o.mu.Unlock()
		if oldest == nil {
			return
		}
		o.unload(oldest)
		<-oldest.turn
	}
}

// refresh makes at.current the head's engine, or gives what has to be waited for until it is. The caller holds the turn.
func (o *openSnapshots) refresh(ctx context.Context, at *place) (*opening, error) {
	if at.current != nil {
		if b, ok := at.current.engine.(Breakable); ok && b.Broken() {
			o.log.Error("a snapshot's database has come to an end; it is loaded again", "clinic", at.clinic, "commit", at.current.commit)
			at.current.drop(o.log)
			at.current = nil
		}
	}
	switch {
	case at.current == nil && at.opening != nil:
		return at.opening, nil
	case at.current != nil && o.now().Sub(at.checked) < o.headEvery:
		return nil, nil //nolint:nilnil // there is nothing to wait for
	}
	head, err := o.source.Head(ctx, at.clinic)
	if err != nil {
		return nil, o.keep(ctx, at, fmt.Errorf("asking for the newest snapshot of clinic %s: %w", at.clinic, err))
	}
	if at.current != nil && at.current.commit == head {
		at.checked = o.now()
		return nil, nil //nolint:nilnil // there is nothing to wait for
	}
	if at.opening == nil {
		o.open(ctx, at)
	}
	if at.current != nil { // it goes on answering
		return nil, nil //nolint:nilnil // there is nothing to wait for
	}
	return at.opening, nil
}

// show makes an engine the current one. The caller holds the turn.
func (o *openSnapshots) show(at *place, engine Engine) {
	if at.current != nil {
		at.current.drop(o.log)
	}
	// The head may have moved on between Head and Open: what counts is what was opened.
	at.current = &leased{engine: engine, commit: engine.Meta().Commit, holders: 1}
	at.checked = o.now()
	o.log.Info("snapshot is open", "clinic", at.clinic, "commit", at.current.commit)
}

// open opens the newest snapshot, beside the one at hand where there is one, and changes them when it is there. The caller holds the
// turn.
func (o *openSnapshots) open(ctx context.Context, at *place) {
	under := &opening{done: make(chan struct{})}
	at.opening = under
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestOpening)
	o.work.Go(func() {
		defer cancel()
		stop := context.AfterFunc(o.ended, cancel)
		defer stop()
		o.makeRoom(at)
		engine, err := o.source.Open(ctx, at.clinic, at.view)
		at.turn <- struct{}{}
		defer func() { <-at.turn }()
		defer close(under.done)
		at.opening = nil
		switch {
		case err != nil:
			under.err = o.keep(ctx, at, fmt.Errorf("opening the newest snapshot of clinic %s: %w", at.clinic, err))
			if under.err != nil && at.current != nil {
				o.log.Warn("a newer snapshot cannot be opened", "clinic", at.clinic, "error", under.err)
			}
		case !o.isShown(nameOf(at.clinic, at.view), at): // it was unloaded, or the clinic is gone
			if err := engine.Close(); err != nil {
				o.log.Warn("closing a snapshot", "clinic", at.clinic, "error", err)
			}
		default:
			o.show(at, engine)
		}
	})
}

// longestOpening bounds the opening of a snapshot.
const longestOpening = 10 * time.Minute

// keep decides what a failure to refresh means: a clinic that is gone is let go at once, anything else leaves the
// snapshot at hand in its place.
func (o *openSnapshots) keep(ctx context.Context, at *place, err error) error {
	if isUnknownClinic(err) {
		if at.current != nil {
			at.current.drop(o.log)
			at.current = nil
		}
		o.forget(at)
		return err
	}
	if at.current == nil || ctx.Err() != nil {
		return err
	}
	o.log.Warn("answering from an older snapshot", "clinic", at.clinic, "commit", at.current.commit, "error", err)
	at.checked = o.now()
	return nil
}

// closeAll lets go of every snapshot, and lets nobody open another. What a request still holds closes with it.
func (o *openSnapshots) closeAll() {
	o.mu.Lock()
	places := o.places
	o.places = map[string]*place{}
	o.closed = true
	o.mu.Unlock()
	o.end()
	for _, at := range places {
		at.turn <- struct{}{}
		if at.current != nil {
			at.current.drop(o.log)
			at.current = nil
		}
		<-at.turn
	}
	o.work.Wait()
}

func (l *leased) hold() {
	l.mu.Lock()
	l.holders++
	l.mu.Unlock()
}

func (l *leased) drop(log *slog.Logger) {
	l.mu.Lock()
	l.holders--
	last := l.holders == 0
	l.mu.Unlock()
	if !last {
		return
	}
	if err := l.engine.Close(); err != nil {
		log.Warn("closing a snapshot", "commit", l.commit, "error", err)
	}
}
