package notify

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Deliver sends what is due over the channels' senders, and goes on with what has to be tried again for as long as patience. It gives
// what has become of messages meanwhile; what still waits is in the register. Several processes may deliver at once: each claims a
// message before it sends it, by moving its next try.
func (o *Outbox) Deliver(ctx context.Context, senders map[string]Sender, patience time.Duration) ([]Delivery, error) {
	var ended []Delivery
	until := o.now().Add(patience)
	for {
		m, next, err := o.claim(ctx, senders)
		if err != nil {
			return ended, err
		}
		if m == nil {
			if next.IsZero() || next.After(until) {
				return ended, nil
			}
			select {
			case <-ctx.Done():
				return ended, ctx.Err()
			case <-time.After(next.Sub(o.now())):
			}
			continue
		}
		d, err := o.try(ctx, *m, senders[m.Channel])
		if err != nil {
			return ended, err
		}
		if d != nil {
			ended = append(ended, *d)
		}
	}
}

// claim takes a message that is due, and moves its next try: whoever is killed while it sends leaves it to be sent again. It gives
// nil, and when the next one will be due, where none is. Of what can never be sent a final outcome is left to try.
func (o *Outbox) claim(ctx context.Context, senders map[string]Sender) (*Waiting, time.Time, error) {
	var claimed *Waiting
	var next time.Time
	err := o.change(ctx, func(state *State) (bool, error) {
		claimed, next = nil, time.Time{}
		now := o.now()
		for i := range state.Waiting {
			w := &state.Waiting[i]
			isSendable := senders[w.Channel] != nil && now.Sub(w.Since) < giveUpAfter
			due := w.Next
			if isSendable {
				if free := o.freeAt(state, w.Channel, now); free.After(due) {
					due = free
				}
			}
			if due.After(now) {
				if next.IsZero() || due.Before(next) {
					next = due
				}
				continue
			}
			w.Tries++
			w.Next = now.Add(max(pauseAfter(w.Tries), 2*sendTimeout))
			taken := *w
			claimed = &taken
			return true, nil
		}
		return false, nil
	})
	return claimed, next, err
}

// freeAt is when a channel may send another message: at once, unless it has sent so many within a day.
func (o *Outbox) freeAt(state *State, channel string, now time.Time) time.Time {
	i := slices.IndexFunc(o.Settings.Channels, func(c Channel) bool { return c.Name == channel })
	if i < 0 {
		return now
	}
	var sent []time.Time
	for _, d := range state.Deliveries {
		if d.Channel == channel && d.Outcome == Delivered && now.Sub(d.At) < 24*time.Hour {
			sent = append(sent, d.At)
		}
	}
	if most := o.Settings.Channels[i].AtMost; len(sent) >= most {
		slices.SortFunc(sent, time.Time.Compare)
		return sent[len(sent)-most].Add(24 * time.Hour)
	}
	return now
}

// try sends a claimed message and notes what became of it; nil where it is to be tried again.
func (o *Outbox) try(ctx context.Context, w Waiting, sender Sender) (*Delivery, error) {
	var a Attempt
	tries := w.Tries
	switch {
	case sender == nil:
		a, tries = Attempt{Outcome: Gone}, tries-1
	case o.now().Sub(w.Since) >= giveUpAfter:
		a, tries = Attempt{Outcome: GivenUp, Reason: w.Last}, tries-1
	default:
		a = sender.Send(ctx, Message{ID: w.ID, MadeAt: w.Since, Event: w.Event, Text: o.Settings.Text(w.Event)})
		if err := ctx.Err(); err != nil && !a.Outcome.final() {
			return nil, err // it stays claimed, and is tried again later
		}
	}
	if !a.Outcome.final() {
		return nil, o.change(ctx, func(state *State) (bool, error) {
			for i := range state.Waiting {
				if mine := &state.Waiting[i]; mine.ID == w.ID && mine.Tries == w.Tries {
					mine.Next, mine.Last = o.now().Add(max(pauseAfter(w.Tries), a.After)), a.Reason
					return true, nil
				}
			}
			return false, nil
		})
	}
	d := Delivery{
		ID: w.ID, Channel: w.Channel, Kind: o.kindOf(w.Channel), Event: w.Event.Kind, Clinic: w.Event.Clinic, At: o.now(), Outcome: a.Outcome,
		Reason: a.Reason, Tries: tries,
	}
	return &d, o.ended(context.WithoutCancel(ctx), d)
}

// ended records a delivery, then takes its message out of the outbox.
func (o *Outbox) ended(ctx context.Context, d Delivery) error {
	if err := o.Record(ctx, d); err != nil {
		return fmt.Errorf("the message %s went out (%s) and could not be recorded, so that it will go out again: %w", d.ID, d.Outcome, err)
	}
	return o.change(ctx, func(state *State) (bool, error) {
		state.Waiting = slices.DeleteFunc(state.Waiting, func(w Waiting) bool { return w.ID == d.ID })
		state.Deliveries = append(state.Deliveries, d)
		if more := len(state.Deliveries) - keptDeliveries; more > 0 {
			state.Deliveries = slices.Delete(state.Deliveries, 0, more)
		}
		return true, nil
	})
}

func (o *Outbox) kindOf(channel string) string {
	for i := range o.Settings.Channels {
		if c := &o.Settings.Channels[i]; c.Name == channel {
			return c.Kind()
		}
	}
	return "none"
}

// SendNow sends one event over some channels at once, outside of the outbox, a few times where it does not arrive: a test, or a file
// by e-mail. Each is recorded; the event is not remembered as told.
func (o *Outbox) SendNow(ctx context.Context, senders map[string]Sender, e Event, file *File) ([]Delivery, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	var out []Delivery
	for i := range o.Settings.Channels {
		c := &o.Settings.Channels[i]
		if senders[c.Name] == nil || file != nil && c.SMTP == nil {
			continue
		}
		id, err := o.newID()
		if err != nil {
			return out, err
		}
		d := Delivery{ID: id, Channel: c.Name, Kind: c.Kind(), Event: e.Kind, Clinic: e.Clinic}
		m := Message{ID: id, MadeAt: o.now(), Event: e, Text: o.Settings.Text(e), File: file}
		for {
			d.Tries++
			a := senders[c.Name].Send(ctx, m)
			d.Outcome, d.Reason, d.At = a.Outcome, a.Reason, o.now()
			if a.Outcome.final() {
				break
			}
			if d.Tries == triesNow {
				d.Outcome = GivenUp
				break
			}
			select {
			case <-ctx.Done():
				return out, ctx.Err()
			case <-time.After(pauseNow):
			}
		}
		out = append(out, d)
		if err := o.ended(context.WithoutCancel(ctx), d); err != nil {
			return out, err
		}
	}
	return out, nil
}

const (
	triesNow = 3
	pauseNow = 2 * time.Second
)
