package notify

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// RegisterName is the clinic's register that the outbox lies in. It holds events and channels' names, no address.
const RegisterName = "messages"

// Register is one small value that several processes change: see lake.Register.
type Register interface {
	Read(ctx context.Context) (body []byte, version int64, err error)
	Swap(ctx context.Context, version int64, body []byte) (int64, error)
}

// Outbox is what is still to be said, and what was.
type Outbox struct {
	Register Register
	Settings *Settings
	// Record puts a delivery on record; a message whose delivery cannot be recorded stays in the outbox, and goes out again.
	Record func(ctx context.Context, d Delivery) error
	Now    func() time.Time
	Random io.Reader
}

// State is the register's value.
type State struct {
	// Told is when each event, by its kind and what it is about, was last put into the outbox.
	Told map[string]time.Time `json:"told,omitempty"`
	// LeaksOf is the commit up to which leaks were told of, and the version of its keys: under others all leaks have other names.
	LeaksOf    int64      `json:"leaks_of,omitempty"`
	LeaksKeys  int        `json:"leaks_keys,omitempty"`
	Waiting    []Waiting  `json:"waiting,omitempty"`
	Deliveries []Delivery `json:"deliveries,omitempty"`
}

// Waiting is a message that has not arrived.
type Waiting struct {
	ID      string    `json:"id"`
	Channel string    `json:"channel"`
	Event   Event     `json:"event"`
	Since   time.Time `json:"since"`
	Tries   int       `json:"tries"`
	// Next is when it is tried again. Last is why it did not arrive, empty before the first try and during one.
	Next time.Time `json:"next"`
	Last string    `json:"last,omitempty"`
}

// Delivery is what became of a message, for the log.
type Delivery struct {
	ID      string    `json:"id"`
	Channel string    `json:"channel"`
	Kind    string    `json:"channel_kind"`
	Event   Kind      `json:"event"`
	Clinic  string    `json:"clinic"`
	At      time.Time `json:"at"`
	Outcome Outcome   `json:"outcome"`
	Reason  string    `json:"reason,omitempty"`
	Tries   int       `json:"tries"`
}

const (
	// keptDeliveries is how many the register lists; the audit log has all. It is more than all channels may send in a day.
	keptDeliveries = mostChannels*mostADay + 100
	// giveUpAfter is how long a message is tried.
	giveUpAfter = 24 * time.Hour
	firstPause  = 15 * time.Second
	longPause   = 4 * time.Hour
	// falloffAgain is how long after an alarm nothing is said of another.
	falloffAgain = 28 * 24 * time.Hour
	// forgetTold is when an event is forgotten, long after it would be said again.
	forgetTold = 400 * 24 * time.Hour
)

// pauseAfter is how long a message rests after so many tries: 15 seconds, then four times as long each time.
func pauseAfter(tries int) time.Duration {
	pause := firstPause
	for range tries - 1 {
		pause = min(4*pause, longPause)
	}
	return pause
}

func (o *Outbox) now() time.Time {
	if o.Now == nil {
		return time.Now().UTC()
	}
	return o.Now().UTC()
}

// State reads the register.
func (o *Outbox) State(ctx context.Context) (*State, error) {
	state, _, err := o.read(ctx)
	return state, err
}

func (o *Outbox) read(ctx context.Context) (*State, int64, error) {
	body, version, err := o.Register.Read(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("reading the outbox: %w", err)
	}
	state := &State{}
	if version > 0 {
		if err := json.Unmarshal(body, state); err != nil {
			return nil, 0, errors.New("reading the outbox: it is not one that this program knows: use the version of falloff that wrote it, or a newer one")
		}
	}
	if state.Told == nil {
		state.Told = map[string]time.Time{}
	}
	return state, version, nil
}

// change applies a change to the newest value; apply says false to leave it.
func (o *Outbox) change(ctx context.Context, apply func(*State) (bool, error)) error {
	for {
		state, version, err := o.read(ctx)
		if err != nil {
			return err
		}
		if changed, err := apply(state); err != nil || !changed {
			return err
		}
		body, err := json.Marshal(state)
		if err != nil {
			return fmt.Errorf("writing the outbox: %w", err)
		}
		_, err = o.Register.Swap(ctx, version, body)
		if errors.Is(err, lake.ErrOvertaken) {
			continue
		}
		if err != nil {
			return fmt.Errorf("writing the outbox: %w", err)
		}
		return nil
	}
}

// Lost counts the messages that did not arrive since then, and are not tried again.
func (s *State) Lost(since time.Time) int {
	lost := 0
	for _, d := range s.Deliveries {
		if d.Outcome != Delivered && d.At.After(since) {
			lost++
		}
	}
	return lost
}

// Unsaid are those events that are to be said now: not said before, or long enough ago and still so.
func (s *Settings) Unsaid(state *State, events []Event, now time.Time) []Event {
	again := time.Duration(s.AgainAfterDays) * 24 * time.Hour
	return slices.DeleteFunc(slices.Clone(events), func(e Event) bool {
		last, said := state.Told[e.Key()]
		if e.Kind == Falloff { // while it goes on there is an alarm every few weeks
			for key, at := range state.Told {
				said = said || hasPrefix(key, Falloff) && now.Sub(at) < falloffAgain
			}
		}
		switch {
		case !said:
			return false
		case e.Kind == StaleData || e.Kind == NeedsPerson: // they go on
			return now.Sub(last) < again
		default:
			return true
		}
	})
}

// Tell puts events that are to be said into the outbox, one message a channel, and calls alongside to change what else the register
// holds in the same step. What no longer holds is forgotten, so that it is said at once when it comes back. It gives the events that
// were put there.
func (o *Outbox) Tell(ctx context.Context, events []Event, alongside func(*State)) ([]Event, error) {
	for _, e := range events {
		if err := e.check(); err != nil {
			return nil, err
		}
	}
	var unsaid []Event
	err := o.change(ctx, func(state *State) (bool, error) {
		now := o.now()
		before, err := json.Marshal(state)
		if err != nil {
			return false, err
		}
		standing := map[string]bool{}
		for _, e := range events {
			standing[e.Key()] = true
		}
		for key, at := range state.Told {
			goesOn := hasPrefix(key, StaleData) || hasPrefix(key, NeedsPerson)
			if goesOn && !standing[key] || now.Sub(at) > forgetTold {
				delete(state.Told, key)
			}
		}
		unsaid = o.Settings.Unsaid(state, events, now)
		for _, e := range unsaid {
			state.Told[e.Key()] = now
			for _, c := range o.Settings.Channels {
				id, err := o.newID()
				if err != nil {
					return false, err
				}
				state.Waiting = append(state.Waiting, Waiting{ID: id, Channel: c.Name, Event: e, Since: now, Next: now})
			}
		}
		if alongside != nil {
			alongside(state)
		}
		after, err := json.Marshal(state)
		return string(before) != string(after), err
	})
	return unsaid, err
}

func hasPrefix(key string, kind Kind) bool {
	prefix := string(kind) + "/"
	return len(key) >= len(prefix) && key[:len(prefix)] == prefix
}

func (o *Outbox) newID() (string, error) {
	random := o.Random
	if random == nil {
		random = rand.Reader
	}
	raw := make([]byte, 16)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("drawing a message's id: %w", err)
	}
	return hex.EncodeToString(raw), nil
}
