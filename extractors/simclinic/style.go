package simclinic

import "slices"

// Style is how a report is printed. Real exports differ in all of these, from clinic to clinic and from report to report.
type Style struct {
	// BOM starts a CSV with a byte order mark.
	BOM bool
	// CRLF ends the lines of a CSV as Windows does.
	CRLF bool
	// Preamble is how many rows stand before the header: 0, 1 (title) or 3 (title, date range, an empty row).
	Preamble int
	Money    MoneyStyle
	Times    TimeStyle
	States   StateStyle
	Days     DayStyle
	Flags    FlagStyle
	// Shuffle puts the columns in another order, 0 leaves them.
	Shuffle uint64
	// Extra adds a column that no reader has asked for, with canaries where the report is about people.
	Extra bool
}

// MoneyStyle is how amounts are printed.
type MoneyStyle uint8

// The ways of printing 1234.5 and -12.
const (
	MoneyPlain      MoneyStyle = iota // 1234.50 and -12.00
	MoneyDollar                       // $1,234.50 and -$12.00; without a sign of currency outside dollar countries
	MoneyAccounting                   // 1,234.50 and (12.00)
)

// TimeStyle is how instants are printed in CSV. XLSX has native dates, which are wall time.
type TimeStyle uint8

// The ways of printing an instant.
const (
	TimeOffset TimeStyle = iota // 2026-09-01 08:30:00 -0700
	TimeUTC                     // 2026-09-01 15:30:00 UTC
	TimeMixed                   // start and end with offset, stamps in UTC
	TimeWall                    // 2026-09-01 08:30:00, the clinic's wall time
)

// StateStyle is how states are spelled.
type StateStyle uint8

// The ways of spelling no_show.
const (
	StateSnake  StateStyle = iota // no_show
	StateTitle                    // No Show
	StateHyphen                   // no-show; statuses of sales as StateTitle
	StateMixed                    // row by row
)

// DayStyle is how days are printed in CSV.
type DayStyle uint8

// The ways of printing a day.
const (
	DayISO  DayStyle = iota // 2026-09-01
	DayLong                 // Sep 1, 2026
)

// FlagStyle is how yes and no are printed.
type FlagStyle uint8

// The ways of printing yes and no.
const (
	FlagTrue  FlagStyle = iota // true, false
	FlagYes                    // yes, no
	FlagDigit                  // 1, 0
	FlagY                      // y, n
)

// styleOf is the style in which a report of this clinic is printed.
func (c *Clinic) styleOf(report string) Style {
	if c.world.dials.Style != nil {
		return *c.world.dials.Style
	}
	r := newLuck(c.world.dials.Seed, streamStyles+1<<20+uint64(slices.Index(Reports(), report)))
	style := Style{
		BOM:      r.chance(0.4),
		CRLF:     r.chance(0.4),
		Preamble: []int{0, 0, 1, 3}[r.IntN(4)],
		Money:    MoneyStyle(r.IntN(3)),
		Times:    TimeStyle(r.IntN(4)),
		States:   StateStyle(r.IntN(4)),
		Days:     DayStyle(r.IntN(2)),
		Flags:    FlagStyle(r.IntN(4)),
		Extra:    r.chance(0.5),
	}
	if r.chance(0.5) {
		style.Shuffle = r.Uint64() | 1
	}
	return style
}

// columnOrder says which column of a table is printed at each place.
func (s Style) columnOrder(columns int) []int {
	order := make([]int, columns)
	for i := range order {
		order[i] = i
	}
	if s.Shuffle != 0 {
		newLuck(s.Shuffle, streamStyles).Shuffle(columns, func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	return order
}
