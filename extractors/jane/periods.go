package jane

import (
	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
)

// A period says over which ranges a report is asked for.
type period string

const (
	wholeWindow   period = "window"
	bookingsAhead period = "ahead"
	eachMonth     period = "month"
)

// ranges are the ranges of the exports of a report, in order.
func (p period) ranges(w extractors.Window, ahead int) []extractors.Window {
	switch p {
	case bookingsAhead:
		return []extractors.Window{{From: w.From, To: w.To.AddDays(ahead)}}
	case eachMonth:
		return months(w)
	default:
		return []extractors.Window{w}
	}
}

// months are the calendar months that a window touches, each whole at its start: such a report holds totals without
// dates, so half a month could not be told from a whole one. The last ends with the window, because shifts after it
// have not been worked.
func months(w extractors.Window) []extractors.Window {
	var out []extractors.Window
	for first := (civil.Date{Year: w.From.Year, Month: w.From.Month, Day: 1}); !first.After(w.To); {
		next := civil.Date{Year: first.Year, Month: first.Month, Day: 1}.AddDays(31)
		next.Day = 1
		last := next.AddDays(-1)
		if last.After(w.To) {
			last = w.To
		}
		out = append(out, extractors.Window{From: first, To: last})
		first = next
	}
	return out
}
