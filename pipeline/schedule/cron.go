// Package schedule runs what a lake's clinics need every night on one machine: the run itself, the backup, the monthly rehearsal of
// a restore, the monthly report. When each is due is computed from cron expressions in the clinic's own zone; what became
// of it lies in the clinic's register in the lake, so that a restart, or a second scheduler on another machine, doubles nothing.
package schedule

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Cron is a cron expression of five fields: minute, hour, day, month, and day of the week. The zero Cron has no times.
type Cron struct {
	text string
	wall cron.Schedule
}

// ParseCron reads an expression. An empty one, and `off`, has no times. Zones are not part of it: a clinic has its own.
func ParseCron(text string) (Cron, error) {
	text = strings.TrimSpace(text)
	if text == "" || text == "off" {
		return Cron{}, nil
	}
	if strings.Contains(text, "TZ=") {
		return Cron{}, fmt.Errorf("cron expression %q: leave the zone out, it is the clinic's", text)
	}
	wall, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(text)
	if err != nil {
		return Cron{}, fmt.Errorf("cron expression %q: %w. Write minute, hour, day, month and day of the week, such as \"15 3 * * *\", or off", text, err)
	}
	return Cron{text, wall}, nil
}

// Off says that there are no times.
func (c Cron) Off() bool { return c.wall == nil }

func (c Cron) String() string {
	if c.Off() {
		return "off"
	}
	return c.text
}

// Next is the first time after t, zero where there is none within five years.
//
// Times are those of a clock on the clinic's wall. One that the clock skips in spring comes when it has skipped it, one that
// it shows twice in autumn comes the first time: every night has one 02:30.
func (c Cron) Next(t time.Time, zone *time.Location) time.Time {
	if c.Off() {
		return time.Time{}
	}
	// The library would leave a skipped time out and take a doubled one twice; so it is asked about a clock that does neither. It is
	// asked from before an hour that the clock may have shown twice.
	for wall := onWall(t, zone).Add(-3 * time.Hour); ; {
		wall = c.wall.Next(wall)
		if wall.IsZero() {
			return wall
		}
		if at := whenOnWall(wall, zone); at.After(t) {
			return at
		}
	}
}

// Last is the last time that is not after t, zero where there was none within a year.
func (c Cron) Last(t time.Time, zone *time.Location) time.Time {
	const day = 24 * time.Hour
	for _, back := range []time.Duration{2 * time.Hour, 2 * day, 40 * day, 370 * day} {
		var last time.Time
		for next := c.Next(t.Add(-back), zone); !next.IsZero() && !next.After(t); next = c.Next(next, zone) {
			last = next
		}
		if !last.IsZero() {
			return last
		}
	}
	return time.Time{}
}

// onWall is what the clock shows, as if it were UTC.
func onWall(t time.Time, zone *time.Location) time.Time {
	_, offset := t.In(zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// whenOnWall is when the clock first shows that, or when it skips it.
func whenOnWall(wall time.Time, zone *time.Location) time.Time {
	offset := func(at time.Time) time.Duration {
		_, seconds := at.In(zone).Zone()
		return time.Duration(seconds) * time.Second
	}
	const near = 26 * time.Hour // farther than any zone is from UTC, and nearer than two changes are to each other
	before, after := offset(wall.Add(-near)), offset(wall.Add(near))
	for _, o := range []time.Duration{max(before, after), min(before, after)} {
		if at := wall.Add(-o); offset(at) == o {
			return at.In(zone)
		}
	}
	skipped, _ := wall.Add(-before).In(zone).ZoneBounds()
	return skipped
}
