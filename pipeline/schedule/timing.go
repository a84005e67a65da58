package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// Quiet are hours in which nothing is asked of a portal, as times since midnight on the clinic's clock. They may span midnight. Both
// the same is none.
type Quiet struct{ From, To time.Duration }

// End is t, or the end of the quiet hours that it lies in.
func (q Quiet) End(t time.Time, zone *time.Location) time.Time {
	if q.From == q.To {
		return t
	}
	wall := onWall(t, zone)
	midnight := wall.Truncate(24 * time.Hour)
	at := wall.Sub(midnight)
	switch {
	case q.From < q.To && at >= q.From && at < q.To, q.From > q.To && at < q.To:
		return whenOnWall(midnight.Add(q.To), zone)
	case q.From > q.To && at >= q.From:
		return whenOnWall(midnight.Add(24*time.Hour+q.To), zone)
	default:
		return t
	}
}

// Timing is when a task of a clinic is done.
type Timing struct {
	Cron Cron
	Zone *time.Location
	// Jitter spreads clinics: each begins up to so much later, on each day by another amount that is always the same for that
	// clinic and day.
	Jitter time.Duration
	Quiet  Quiet
	// Seed tells clinics and tasks apart.
	Seed string
}

// begins is when an occurrence begins. It is never put off past the middle of the time to the next one, except by quiet hours.
func (t Timing) begins(occurrence time.Time) time.Time {
	at := occurrence
	jitter := t.Jitter
	if next := t.Cron.Next(occurrence, t.Zone); !next.IsZero() {
		jitter = min(jitter, next.Sub(occurrence)/2)
	}
	if jitter > 0 {
		sum := sha256.Sum256([]byte(t.Seed + " " + occurrence.In(t.Zone).Format(time.DateTime)))
		at = at.Add(time.Duration(binary.BigEndian.Uint64(sum[:8]) % uint64(jitter)).Truncate(time.Second))
	}
	return t.Quiet.End(at, t.Zone)
}

// Due is one occurrence of a task.
type Due struct {
	// Occurrence is its time on the clock; At is when it may begin: later by jitter, quiet hours, or the wait before another try.
	Occurrence, At time.Time
	// Again says that it is another try.
	Again bool
}

// Next is what is due, or will be next: the newest occurrence that has not been dealt with. However many were missed, they are made
// up for once. A zero Due has no time.
func (t Timing) Next(p Progress, now time.Time) Due {
	next := t.Cron.Next(later(now, p.Due), t.Zone)
	if p.Due.IsZero() || !t.Cron.Next(p.Due, t.Zone).After(now) {
		if last := t.Cron.Last(now, t.Zone); last.After(p.Due) {
			return Due{Occurrence: last, At: t.begins(last)}
		}
	}
	if !p.Again.IsZero() {
		return Due{Occurrence: p.Due, At: t.Quiet.End(p.Again, t.Zone), Again: true}
	}
	if next.IsZero() {
		return Due{}
	}
	return Due{Occurrence: next, At: t.begins(next)}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
