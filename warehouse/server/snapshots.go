package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// openSnapshots keeps one open engine a clinic, opens a newer one when the head commit changes, and closes the old one
// when its last reader is done: an answer comes from one snapshot, whole.
type openSnapshots struct {
	source    Snapshots
	now       func() time.Time
	headEvery time.Duration
	log       *slog.Logger

	mu      sync.Mutex
	clinics map[string]*clinicSnapshot
	closed  bool
}

// clinicSnapshot is one clinic's place. Its turn is held while the head is asked and a snapshot opened, so that a clinic
// is opened once however many ask for it.
type clinicSnapshot struct {
	turn    chan struct{}
	checked time.Time
	current *leased
}

// leased is an engine and how many hold it; the place that shows it counts as one.
type leased struct {
	engine Engine
	commit string

	mu      sync.Mutex
	holders int
}

func newOpenSnapshots(source Snapshots, now func() time.Time, headEvery time.Duration, log *slog.Logger) *openSnapshots {
	return &openSnapshots{source: source, now: now, headEvery: headEvery, log: log, clinics: map[string]*clinicSnapshot{}}
}

// acquire gives the clinic's newest engine and what gives it back. Where a newer snapshot cannot be opened the one at
// hand goes on answering: it says of itself how old it is.
func (o *openSnapshots) acquire(ctx context.Context, clinic string) (Engine, func(), error) {
	place, err := o.takeTurn(ctx, clinic)
	if err != nil {
		return nil, nil, err
	}
	defer func() { <-place.turn }()
	if err := o.refresh(ctx, clinic, place); err != nil {
		return nil, nil, err
	}
	held := place.current
	held.hold()
	return held.engine, func() { held.drop(o.log) }, nil
}

var errClosed = errors.New("the query server is shutting down")

// takeTurn gives the clinic's place with its turn taken.
func (o *openSnapshots) takeTurn(ctx context.Context, clinic string) (*clinicSnapshot, error) {
	for {
		place, err := o.place(clinic)
		if err != nil {
			return nil, err
		}
		select {
		case place.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for clinic %s: %w", clinic, ctx.Err())
		}
		if o.isShown(clinic, place) {
			return place, nil
		}
		// It was forgotten while we waited: what is put there now would never be closed.
		<-place.turn
	}
}

func (o *openSnapshots) place(clinic string) (*clinicSnapshot, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil, errClosed
	}
	place, ok := o.clinics[clinic]
	if !ok {
		place = &clinicSnapshot{turn: make(chan struct{}, 1)}
		o.clinics[clinic] = place
	}
	return place, nil
}

func (o *openSnapshots) isShown(clinic string, place *clinicSnapshot) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.clinics[clinic] == place
}

// forget takes an empty place away, so that asking for clinics that are not there leaves nothing behind.
func (o *openSnapshots) forget(clinic string, place *clinicSnapshot) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.clinics[clinic] == place {
		delete(o.clinics, clinic)
	}
}

// refresh makes place.current the head's engine. The caller holds the turn.
func (o *openSnapshots) refresh(ctx context.Context, clinic string, place *clinicSnapshot) error {
	if place.current != nil && o.now().Sub(place.checked) < o.headEvery {
		return nil
	}
	head, err := o.source.Head(ctx, clinic)
	if err != nil {
		return o.keep(ctx, clinic, place, fmt.Errorf("asking for the newest snapshot of clinic %s: %w", clinic, err))
	}
	if place.current != nil && place.current.commit == head {
		place.checked = o.now()
		return nil
	}
	engine, err := o.source.Open(ctx, clinic)
	if err != nil {
		return o.keep(ctx, clinic, place, fmt.Errorf("opening the newest snapshot of clinic %s: %w", clinic, err))
	}
	if place.current != nil {
		place.current.drop(o.log)
	}
	// The head may have moved on between Head and Open: what counts is what was opened.
	place.current = &leased{engine: engine, commit: engine.Meta().Commit, holders: 1}
	place.checked = o.now()
	o.log.Info("snapshot is open", "clinic", clinic, "commit", place.current.commit)
	return nil
}

// keep decides what a failure to refresh means: a clinic that is gone is let go at once, anything else leaves the
// snapshot at hand in place.
func (o *openSnapshots) keep(ctx context.Context, clinic string, place *clinicSnapshot, err error) error {
	if isUnknownClinic(err) {
		if place.current != nil {
			place.current.drop(o.log)
			place.current = nil
		}
		o.forget(clinic, place)
		return err
	}
	if place.current == nil || ctx.Err() != nil {
		return err
	}
	o.log.Warn("answering from an older snapshot", "clinic", clinic, "commit", place.current.commit, "error", err)
	place.checked = o.now()
	return nil
}

// closeAll lets go of every snapshot, and lets nobody open another. What a request still holds closes with it.
func (o *openSnapshots) closeAll() {
	o.mu.Lock()
	places := o.clinics
	o.clinics = map[string]*clinicSnapshot{}
	o.closed = true
	o.mu.Unlock()
	for _, place := range places {
		place.turn <- struct{}{}
		if place.current != nil {
			place.current.drop(o.log)
			place.current = nil
		}
		<-place.turn
	}
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
