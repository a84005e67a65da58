package extractors

import "cloud.google.com/go/civil"

// A Period says over which ranges a report is asked for.
type Period string

// The periods. How a report wants to be asked is the portal's: its profile says.
const (
	// WholeWindow is one export over the window, or several where the report takes no more than so many days.
	WholeWindow Period = "window"
	// BookingsAhead is the window and some days after it, for what can lie in the future.
	BookingsAhead Period = "ahead"
	// EachMonth is one export for each calendar month, for a report of totals without dates.
	EachMonth Period = "month"
	// EachDay is one export for each day, for a report of totals that are wanted by the day; where RecentDays is set only
	// for the last of them, and before those one for each month.
	EachDay Period = "day"
	// AsOf is one export that shows how things stand at the end of the window's last day.
	AsOf Period = "as_of"
)

// Periods lists every period.
func Periods() []Period { return []Period{WholeWindow, BookingsAhead, EachMonth, EachDay, AsOf} }

// A ReportKind is one report that a portal offers, and how it is asked for.
type ReportKind struct {
	// Name is the portal's name of the report, Dataset the contract's of its rows.
	Name, Dataset string
	Period        Period
	// MaxDays is the longest range that one export takes, 0 for any.
	MaxDays int
	// RecentDays is for EachDay: how many of the window's last days are asked for one by one, 0 for all. What of their first
	// month lies before them is asked for like a month that is not over.
	RecentDays int
}

// An Order is one export: a report over a range of days.
type Order struct {
	Report, Dataset string
	Window          Window
}

// ID names the order among those of a run, the same in every run that asks for the same.
func (o Order) ID() string { return o.Report + " " + o.Window.String() }

// Orders are the exports that bring the report for a window home, in the order of their days. ahead is how many days
// after the window bookings are read. A window without days has none.
func (k ReportKind) Orders(w Window, ahead int) []Order {
	if w.Days() < 1 {
		return nil
	}
	var ranges []Window
	switch k.Period {
	case BookingsAhead:
		ranges = k.parts(Window{From: w.From, To: w.To.AddDays(max(0, ahead))})
	case EachMonth:
		// A report of totals without dates: half a month could not be told from a whole one, so each begins on its
		// first day. The last ends with the window, because what comes after has not happened.
		ranges = months(Window{From: firstOfMonth(w.From), To: w.To})
	case EachDay:
		from := w.From
		if recent := w.To.AddDays(1 - k.RecentDays); k.RecentDays > 0 && recent.After(from) {
			from = recent
			ranges = months(Window{From: firstOfMonth(w.From), To: recent.AddDays(-1)})
		}
		for d := from; !d.After(w.To); d = d.AddDays(1) {
			ranges = append(ranges, Window{From: d, To: d})
		}
	case AsOf:
		ranges = []Window{{From: w.To, To: w.To}}
	default:
		ranges = k.parts(w)
	}
	orders := make([]Order, len(ranges))
	for i, r := range ranges {
		orders[i] = Order{Report: k.Name, Dataset: k.Dataset, Window: r}
	}
	return orders
}

// daysOfMonth is how long a month can be.
const daysOfMonth = 31

// parts cuts a window so that no part is longer than MaxDays: at the ends of months where those fit, so that two runs with
// different windows ask for the same months, else after every MaxDays days.
func (k ReportKind) parts(w Window) []Window {
	switch {
	case k.MaxDays <= 0 || w.Days() <= k.MaxDays:
		return []Window{w}
	case k.MaxDays >= daysOfMonth:
		return months(w)
	}
	var out []Window
	for from := w.From; !from.After(w.To); from = from.AddDays(k.MaxDays) {
		out = append(out, Window{From: from, To: earlier(from.AddDays(k.MaxDays-1), w.To)})
	}
	return out
}

// months cuts a window at the ends of months.
func months(w Window) []Window {
	var out []Window
	for from := w.From; !from.After(w.To); {
		next := firstOfMonth(firstOfMonth(from).AddDays(daysOfMonth))
		out = append(out, Window{From: from, To: earlier(next.AddDays(-1), w.To)})
		from = next
	}
	return out
}

func firstOfMonth(d civil.Date) civil.Date {
	d.Day = 1
	return d
}

func earlier(a, b civil.Date) civil.Date {
	if b.Before(a) {
		return b
	}
	return a
}
