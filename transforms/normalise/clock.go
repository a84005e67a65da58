package normalise

import (
	"bytes"
	"math"
	"strconv"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// Excel counts days from these civil days (of 1900 it believes that it was a leap year; days before March 1900 do not
// occur here).
var (
	epoch1900 = civil.Date{Year: 1899, Month: time.December, Day: 30}
	epoch1904 = civil.Date{Year: 1904, Month: time.January, Day: 1}
)

// A number below minSerial is not taken for an Excel day: 10000 is 1927. maxSerial is the last day of 9999.
const (
	minSerial = 10_000
	maxSerial = 2_958_465
)

// Clock reads times of one clinic.
type Clock struct {
	// Zone is the clinic's zone, in which a time without a zone is meant and in which its days begin.
	Zone *time.Location
	// Date1904 says that Excel numbers count from 1904.
	Date1904 bool
}

// Instant reads a moment as microseconds since 1970 UTC: `2026-09-01 08:30:00 -0700`, `2026-09-01 15:30:00 UTC`, the
// ISO forms with T and Z, an Excel day with a fraction, or `2026-09-01 08:30:00` without a zone, which is local wall
// time. Of an hour that the clocks go through twice, wall time means the first; a time that the clocks jump over is
// shifted forward by the jump, as if the clock had not been set yet.
func (c Clock) Instant(cell []byte) (int64, Reason) {
	text := bytes.TrimSpace(cell)
	if len(text) == 0 {
		return 0, Missing
	}
	if day, second, ok := c.serial(text); ok {
		return c.fromWall(wallSeconds(day, second)) * 1e6, ""
	}
	date, rest, ok := isoDate(text)
	if !ok || len(rest) == 0 || (rest[0] != ' ' && rest[0] != 'T') {
		if ambiguous(text) {
			return 0, AmbiguousDate
		}
		return 0, BadInstant
	}
	second, micro, rest, ok := timeOfDay(bytes.TrimLeft(rest[1:], " "))
	if !ok {
		return 0, BadInstant
	}
	offset, local, ok := zoneOf(bytes.TrimSpace(rest))
	if !ok {
		return 0, BadInstant
	}
	wall := wallSeconds(date, second)
	if local {
		return c.fromWall(wall)*1e6 + micro, ""
	}
	return (wall-offset)*1e6 + micro, ""
}

// Day reads a civil day as days since 1970-01-01: `2026-09-01`, `2026/09/01`, `Sep 1, 2026`, `1 Sep 2026`, an Excel day,
// or an instant, whose local day it takes. Days such as 09/01/2026 are refused, because nobody can tell which part is
// the month.
func (c Clock) Day(cell []byte) (int32, Reason) {
	text := bytes.TrimSpace(cell)
	if len(text) == 0 {
		return 0, Missing
	}
	if day, _, ok := c.serial(text); ok {
		return contract.DayOf(day), ""
	}
	if date, rest, ok := isoDate(text); ok {
		if len(rest) == 0 {
			return contract.DayOf(date), ""
		}
		micros, reason := c.Instant(text)
		if reason != "" {
			return 0, BadDate
		}
		return c.LocalDay(micros), ""
	}
	if date, ok := writtenDate(text); ok {
		return contract.DayOf(date), ""
	}
	if ambiguous(text) {
		return 0, AmbiguousDate
	}
	return 0, BadDate
}

// LocalDay is the clinic's day at an instant.
func (c Clock) LocalDay(micros int64) int32 {
	return contract.DayOf(civil.DateOf(time.UnixMicro(micros).In(c.Zone)))
}

// fromWall turns a local wall time, in seconds as if it were UTC, into an instant in seconds.
func (c Clock) fromWall(wall int64) int64 {
	// The offsets in force a day before and after cover a change of the clocks in between.
	before, after := c.offset(wall-86400), c.offset(wall+86400)
	first, second := wall-before, wall-after
	if before == after {
		return first
	}
	if c.offset(first) == before { // before the change, or the first pass of a doubled hour
		return first
	}
	if c.offset(second) == after {
		return second
	}
	return first // jumped over: the old offset puts it behind the jump
}

func (c Clock) offset(unix int64) int64 {
	_, offset := time.Unix(unix, 0).In(c.Zone).Zone()
	return int64(offset)
}

func wallSeconds(d civil.Date, second int64) int64 {
	return int64(contract.DayOf(d))*86400 + second
}

// serial reads an Excel day number and the second of the day.
func (c Clock) serial(text []byte) (civil.Date, int64, bool) {
	for i, ch := range text {
		if (ch < '0' || ch > '9') && (ch != '.' || i < 4) || i > 24 {
			return civil.Date{}, 0, false
		}
	}
	value, err := strconv.ParseFloat(string(text), 64)
	if err != nil || value < minSerial || value > maxSerial {
		return civil.Date{}, 0, false
	}
	days, fraction := math.Modf(value)
	second := int64(math.Round(fraction * 86400))
	if second == 86400 {
		days, second = days+1, 0
	}
	epoch := epoch1900
	if c.Date1904 {
		epoch = epoch1904
	}
	return epoch.AddDays(int(days)), second, true
}

// isoDate takes YYYY-MM-DD or YYYY/MM/DD off the front.
func isoDate(text []byte) (civil.Date, []byte, bool) {
	if len(text) < 10 || (text[4] != '-' && text[4] != '/') || text[7] != text[4] {
		return civil.Date{}, nil, false
	}
	y, okY := number(text[:4])
	m, okM := number(text[5:7])
	d, okD := number(text[8:10])
	date := civil.Date{Year: y, Month: time.Month(m), Day: d}
	if !okY || !okM || !okD || y < 1900 || !validDay(date) {
		return civil.Date{}, nil, false
	}
	return date, text[10:], true
}

func validDay(d civil.Date) bool {
	return d.Month >= 1 && d.Month <= 12 && d.Day >= 1 && (d.Day <= 28 || d.IsValid())
}

// number reads one to four digits.
func number(text []byte) (int, bool) {
	n := 0
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, len(text) > 0 && len(text) <= 4
}

// timeOfDay takes HH:MM[:SS[.ffffff]] off the front: seconds of the day, and microseconds.
func timeOfDay(text []byte) (second, micro int64, rest []byte, ok bool) {
	if len(text) < 5 || text[2] != ':' {
		return 0, 0, nil, false
	}
	h, okH := number(text[:2])
	m, okM := number(text[3:5])
	rest = text[5:]
	s, okS := 0, true
	if len(rest) > 0 && rest[0] == ':' {
		if len(rest) < 3 {
			return 0, 0, nil, false
		}
		s, okS = number(rest[1:3])
		rest = rest[3:]
		if len(rest) > 0 && rest[0] == '.' {
			rest = rest[1:]
			weight := int64(100_000)
			for len(rest) > 0 && rest[0] >= '0' && rest[0] <= '9' {
				micro += int64(rest[0]-'0') * weight
				weight /= 10
				rest = rest[1:]
			}
		}
	}
	if !okH || !okM || !okS || h > 23 || m > 59 || s > 59 {
		return 0, 0, nil, false
	}
	return int64(h*3600 + m*60 + s), micro, rest, true
}

// zoneOf reads what stands behind a time: an offset in seconds east of UTC, or nothing, which means local time. Zone
// abbreviations other than UTC are refused: CST is three zones.
func zoneOf(text []byte) (offset int64, local, ok bool) {
	switch string(text) {
	case "":
		return 0, true, true
	case "UTC", "Z", "GMT":
		return 0, false, true
	}
	if text[0] != '+' && text[0] != '-' {
		return 0, false, false
	}
	minutes := []byte("00")
	switch rest := text[1:]; {
	case len(rest) == 4:
		minutes = rest[2:]
	case len(rest) == 5 && rest[2] == ':':
		minutes = rest[3:]
	case len(rest) != 2:
		return 0, false, false
	}
	h, okH := number(text[1:3])
	m, okM := number(minutes)
	if !okH || !okM || h > 14 || m > 59 {
		return 0, false, false
	}
	offset = int64(h*3600 + m*60)
	if text[0] == '-' {
		offset = -offset
	}
	return offset, false, true
}

// writtenDate reads `Sep 1, 2026`, `September 1 2026` and `1 Sep 2026`.
func writtenDate(text []byte) (civil.Date, bool) {
	if len(text) > 20 {
		return civil.Date{}, false
	}
	fields := bytes.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' })
	if len(fields) != 3 {
		return civil.Date{}, false
	}
	month, day := fields[0], fields[1]
	if month[0] >= '0' && month[0] <= '9' {
		month, day = day, month
	}
	m, okM := monthOf(month)
	d, okD := number(day)
	y, okY := number(fields[2])
	date := civil.Date{Year: y, Month: m, Day: d}
	if !okM || !okD || !okY || y < 1900 || len(day) > 2 || !date.IsValid() {
		return civil.Date{}, false
	}
	return date, true
}

var months = []string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
	"november", "december"}

// monthOf reads an English month: its name, its first three letters, or Sept, with or without a full stop.
func monthOf(text []byte) (time.Month, bool) {
	var buffer [12]byte
	name := slug(buffer[:0], text)
	for i, full := range months {
		if string(name) == full || string(name) == full[:3] || string(name) == "sept" && full == "september" {
			return time.Month(i + 1), true
		}
	}
	return 0, false
}

// ambiguous reports whether a text looks like 09/01/2026, 9-1-26 or 01.09.2026, a time behind it or not.
func ambiguous(text []byte) bool {
	date, _, _ := bytes.Cut(text, []byte(" "))
	parts := bytes.FieldsFunc(date, func(r rune) bool { return r == '/' || r == '-' || r == '.' })
	if len(parts) != 3 || len(parts[0]) > 2 || len(parts[1]) > 2 {
		return false
	}
	for _, p := range parts {
		if _, ok := number(p); !ok {
			return false
		}
	}
	return true
}
