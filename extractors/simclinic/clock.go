package simclinic

import (
	"time"

	"cloud.google.com/go/civil"
)

// day counts civil days from 1970-01-01, in the clinic's zone. never is a day that does not come.
type day int32

const never day = 1 << 30

// moment counts seconds from 1970-01-01 00:00:00 UTC. 0 is a stamp that is not there.
type moment int64

var epoch = civil.Date{Year: 1970, Month: time.January, Day: 1}

func dayOf(d civil.Date) day             { return day(d.DaysSince(epoch)) }
func (d day) date() civil.Date           { return epoch.AddDays(int(d)) }
func (d day) weekday() time.Weekday      { return time.Weekday((int(d)%7 + 4 + 7) % 7) }
func (d day) monthStart() day            { c := d.date(); return d - day(c.Day-1) }
func (d day) nextMonth() day             { return (d.monthStart() + 31).monthStart() }
func (m moment) plus(minutes int) moment { return m + moment(minutes)*60 }

// calendar converts between wall time and moments in one zone, quickly: most days have no change of offset.
type calendar struct {
	zone *time.Location
	// first is the day of offsets[0].
	first   day
	offsets []dayOffset
}

type dayOffset struct {
	midnight moment
	// shifts says that the zone's offset changes during the day.
	shifts bool
}

// newCalendar covers from..to generously; days outside work too, only slower.
func newCalendar(zone *time.Location, from, to day) *calendar {
	c := &calendar{zone: zone, first: from}
	for d := from; d <= to; d++ {
		midnight, next := c.slow(d, 0), c.slow(d+1, 0)
		c.offsets = append(c.offsets, dayOffset{midnight, next-midnight != 24*60*60})
	}
	return c
}

func (c *calendar) slow(d day, minute int) moment {
	date := d.date()
	return moment(time.Date(date.Year, date.Month, date.Day, 0, minute, 0, 0, c.zone).Unix())
}

// at is the moment of a wall time; minute counts from midnight as a clock shows it.
func (c *calendar) at(d day, minute int) moment {
	if i := int(d - c.first); i >= 0 && i < len(c.offsets) && !c.offsets[i].shifts {
		return c.offsets[i].midnight + moment(minute)*60
	}
	return c.slow(d, minute)
}

// lastOf is the last second of a day, also where the zone's offset changes at midnight.
func (c *calendar) lastOf(d day) moment {
	m := c.slow(d+1, 0)
	for first, _ := c.wall(m); first <= d; first, _ = c.wall(m) {
		m += 15 * 60
	}
	for last, _ := c.wall(m - 1); last > d; last, _ = c.wall(m - 1) {
		m -= 15 * 60
	}
	return m - 1
}

// wall is the wall time of a moment: its day, and the seconds that a clock shows after midnight.
func (c *calendar) wall(m moment) (day, int) {
	_, offset := time.Unix(int64(m), 0).In(c.zone).Zone()
	local := int64(m) + int64(offset)
	d := local / 86400
	if local%86400 < 0 {
		d--
	}
	return day(d), int(local - d*86400)
}

// dayOf is the local day of a moment.
func (c *calendar) dayOf(m moment) day {
	guess := int(int64(m)/86400) - int(c.first)
	for i := max(1, guess-1); i <= guess+1 && i+2 < len(c.offsets); i++ {
		// Where the change comes at midnight the day has no clean start: ask the zone itself.
		if c.offsets[i-1].shifts || c.offsets[i].shifts || c.offsets[i+1].shifts {
			continue
		}
		if m >= c.offsets[i].midnight && m < c.offsets[i+1].midnight {
			return c.first + day(i)
		}
	}
	d, _ := c.wall(m)
	return d
}

// transitions lists the moments from..to at which the zone's offset changes.
func (c *calendar) transitions(from, to day) []moment {
	var found []moment
	at, end := time.Unix(int64(c.at(from, 0)), 0).In(c.zone), int64(c.at(to+1, 0))
	for {
		_, next := at.ZoneBounds()
		if next.IsZero() || next.Unix() >= end {
			return found
		}
		_, before := next.Add(-time.Second).Zone()
		if _, after := next.Zone(); before != after {
			found = append(found, moment(next.Unix()))
		}
		at = next
	}
}
