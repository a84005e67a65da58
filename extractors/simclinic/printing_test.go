package simclinic

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	"github.com/xuri/excelize/v2"
)

func TestCellsInEveryStyle(t *testing.T) {
	zone, err := time.LoadLocation("America/Vancouver")
	if err != nil {
		t.Fatal(err)
	}
	wall := newCalendar(zone, dayOf(civil.Date{Year: 2026, Month: 8, Day: 1}), dayOf(civil.Date{Year: 2026, Month: 12, Day: 1}))
	half := moment(time.Date(2026, 9, 1, 15, 30, 0, 0, time.UTC).Unix())
	for _, c := range []struct {
		cell   Cell
		header string
		style  Style
		want   string
	}{
		{Cell{}, "", Style{}, ""},
		{cents(123450), "", Style{}, "1234.50"},
		{cents(-1200), "", Style{}, "-12.00"},
		{cents(5), "", Style{}, "0.05"},
		{cents(123450), "", Style{Money: MoneyDollar}, "$1,234.50"},
		{cents(-1200), "", Style{Money: MoneyDollar}, "-$12.00"},
		{cents(123456789), "", Style{Money: MoneyAccounting}, "1,234,567.89"},
		{cents(-1200), "", Style{Money: MoneyAccounting}, "(12.00)"},
		{cents(99999), "", Style{Money: MoneyDollar}, "$999.99"},
		{stamp(half), "start_at", Style{}, "2026-09-01 08:30:00 -0700"},
		{stamp(half), "start_at", Style{Times: TimeUTC}, "2026-09-01 15:30:00 UTC"},
		{stamp(half), "start_at", Style{Times: TimeMixed}, "2026-09-01 08:30:00 -0700"},
		{stamp(half), "booked_at", Style{Times: TimeMixed}, "2026-09-01 15:30:00 UTC"},
		{stamp(half), "start_at", Style{Times: TimeWall}, "2026-09-01 08:30:00"},
		{onDay(dayOf(civil.Date{Year: 2026, Month: 9, Day: 1})), "", Style{}, "2026-09-01"},
		{onDay(dayOf(civil.Date{Year: 2026, Month: 9, Day: 1})), "", Style{Days: DayLong}, "Sep 1, 2026"},
		{spelled("no_show", 0), "state", Style{}, "no_show"},
		{spelled("no_show", 0), "state", Style{States: StateTitle}, "No Show"},
		{spelled("no_show", 0), "state", Style{States: StateHyphen}, "no-show"},
		{spelled("partially_paid", 0), "Status", Style{States: StateHyphen}, "Partially Paid"},
		{spelled("no_show", 1), "state", Style{States: StateMixed}, "No Show"},
		{spelled("no_show", 2), "state", Style{States: StateMixed}, "no-show"},
		{flag(true), "", Style{}, "true"},
		{flag(false), "", Style{Flags: FlagYes}, "no"},
		{flag(true), "", Style{Flags: FlagDigit}, "1"},
		{flag(false), "", Style{Flags: FlagY}, "n"},
		{minutes(9150), "", Style{}, "152.5"},
		{minutes(9120), "", Style{}, "152"},
		{minutes(15), "", Style{}, "0.25"},
		{number(1531), "", Style{}, "1531"},
		{text("Ada, \"A\""), "", Style{}, "Ada, \"A\""},
	} {
		p := printer{style: c.style, calendar: wall, dollar: "$"}
		if got := string(p.append(nil, c.header, c.cell)); got != c.want {
			t.Errorf("%+v in %+v prints %q, want %q", c.cell, c.style, got, c.want)
		}
	}
	if got := fmt.Sprint(stamp(half)); got != "2026-09-01 15:30:00 UTC" {
		t.Errorf("an instant without a style prints %q", got)
	}
}

func TestTheDoubledHourPrintsTwice(t *testing.T) {
	zone, err := time.LoadLocation("America/Toronto")
	if err != nil {
		t.Fatal(err)
	}
	change := dayOf(civil.Date{Year: 2024, Month: 11, Day: 3})
	p := printer{calendar: newCalendar(zone, change-5, change+5)}
	half := time.Date(2024, 11, 3, 5, 30, 0, 0, time.UTC).Unix()
	first, second := stamp(moment(half)), stamp(moment(half+3600))
	for want, got := range map[string]string{
		"2024-11-03 01:30:00 -0400": string(p.append(nil, "start_at", first)),
		"2024-11-03 01:30:00 -0500": string(p.append(nil, "start_at", second)),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// styled makes a small clinic that prints in a style.
func styled(t *testing.T, style Style) *Clinic {
	d := DefaultDials()
	d.Patients, d.Style = 80, &style
	return mustClinic(t, d)
}

func TestCSVIsWhatTheTableHolds(t *testing.T) {
	for _, style := range []Style{
		{}, {BOM: true, CRLF: true, Preamble: 3, Money: MoneyDollar, Times: TimeMixed, States: StateMixed, Days: DayLong, Shuffle: 7, Extra: true},
	} {
		c := styled(t, style)
		for _, report := range Reports() {
			table, err := c.Table(report, c.Dials().From, c.Horizon())
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := c.WriteCSV(&out, table); err != nil {
				t.Fatal(err)
			}
			body, hasBOM := bytes.CutPrefix(out.Bytes(), []byte("\ufeff"))
			if hasBOM != style.BOM {
				t.Errorf("%s: BOM %v, want %v", report, hasBOM, style.BOM)
			}
			if hasCRLF := bytes.Contains(body, []byte("\r\n")); hasCRLF != style.CRLF {
				t.Errorf("%s: CRLF %v, want %v", report, hasCRLF, style.CRLF)
			}
			if style.Preamble == 3 {
				title := "Date range: " + c.Dials().From.String() + " to " + c.Horizon().String()
				lines := bytes.SplitN(body, []byte("\r\n"), 4)
				if string(lines[1]) != title || len(lines[2]) != 0 {
					t.Errorf("%s: preamble %q", report, lines[:3])
				}
				body = lines[3]
			}
			in := csv.NewReader(bytes.NewReader(body))
			rows, err := in.ReadAll()
			if err != nil {
				t.Fatalf("%s: %v", report, err)
			}
			checkPrinted(t, c, table, rows)
		}
	}
}

// checkPrinted compares rows of text, header first, with a table, whatever the order of the columns.
func checkPrinted(t *testing.T, c *Clinic, table Table, rows [][]string) {
	t.Helper()
	if len(rows) != len(table.Rows)+1 || len(rows[0]) != len(table.Headers) {
		t.Fatalf("%s: %d rows of %d columns, want %d of %d", table.Report, len(rows)-1, len(rows[0]), len(table.Rows), len(table.Headers))
	}
	shuffled := !slices.Equal(rows[0], table.Headers)
	if want := c.styleOf(table.Report).Shuffle != 0; shuffled != want {
		t.Errorf("%s: columns shuffled: %v, want %v", table.Report, shuffled, want)
	}
	for i, row := range table.Rows {
		for j, cell := range c.Printed(table, row) {
			at := slices.Index(rows[0], table.Headers[j])
			if got := strings.ReplaceAll(rows[i+1][at], "\r\n", "\n"); got != cell {
				t.Fatalf("%s row %d, %s: %q, want %q", table.Report, i, table.Headers[j], got, cell)
			}
		}
	}
}

func TestXLSXIsWhatTheTableHolds(t *testing.T) {
	for _, style := range []Style{
		{}, {Preamble: 1, Money: MoneyAccounting, States: StateTitle, Flags: FlagYes, Shuffle: 3, Extra: true},
	} {
		c := styled(t, style)
		for _, report := range Reports() {
			table, err := c.Table(report, c.Dials().From, c.Horizon())
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := c.WriteXLSX(&out, table); err != nil {
				t.Fatal(err)
			}
			book, err := excelize.OpenReader(bytes.NewReader(out.Bytes()))
			if err != nil {
				t.Fatalf("%s: %v", report, err)
			}
			defer func() { _ = book.Close() }()
			if sheets := book.GetSheetList(); !slices.Equal(sheets, []string{"Export"}) {
				t.Errorf("%s: sheets %v", report, sheets)
			}
			// Formatted as a person sees them; days and instants are native dates with a date format.
			rows, err := book.GetRows("Export")
			if err != nil {
				t.Fatal(err)
			}
			if style.Preamble == 1 {
				if !strings.HasSuffix(rows[0][0], " - Harbour Street Physio") {
					t.Errorf("%s: preamble %q", report, rows[0])
				}
				rows = rows[1:]
			}
			checkSheet(t, c, table, rows)
		}
	}
}

func checkSheet(t *testing.T, c *Clinic, table Table, rows [][]string) {
	t.Helper()
	if len(rows) != len(table.Rows)+1 {
		t.Fatalf("%s: %d rows, want %d", table.Report, len(rows)-1, len(table.Rows))
	}
	for i, row := range table.Rows {
		printed := c.Printed(table, row)
		for j, cell := range row {
			at := slices.Index(rows[0], table.Headers[j])
			got := ""
			if at < len(rows[i+1]) {
				got = rows[i+1][at]
			}
			want := printed[j]
			switch cell.Kind {
			case Day:
				want = day(cell.Number).date().String()
			case Instant:
				want = time.Unix(cell.Number, 0).In(c.Zone()).Format(time.DateTime)
			}
			if got != want {
				t.Fatalf("%s row %d, %s: %q, want %q", table.Report, i, table.Headers[j], got, want)
			}
		}
	}
}

func TestASheetHasAnEnd(t *testing.T) {
	c := styled(t, Style{})
	l := listing{report: Hours, headers: []string{"Staff Name"}, each: func(yield func([]Cell) error) error {
		row := []Cell{text("Avery Stone")}
		for range MaxSheetRows {
			if err := yield(row); err != nil {
				return err
			}
		}
		return nil
	}}
	if err := c.writeXLSX(discard{}, l); err == nil || !strings.Contains(err.Error(), "do not fit a sheet") {
		t.Errorf("a sheet with one row too many gives %v", err)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// full fails like a disk without room.
type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, fmt.Errorf("no space left on device")
	}
	return len(p), nil
}

func TestAWriterThatFails(t *testing.T) {
	c := styled(t, Style{})
	table, err := c.Table(Sales, c.Dials().From, c.Dials().To)
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range []int{0, 10, 30_000} {
		for _, err := range []error{c.WriteCSV(&full{room}, table), c.WriteXLSX(&full{room}, table)} {
			if err == nil || !strings.Contains(err.Error(), "writing report sales") || !strings.Contains(err.Error(), "no space left") {
				t.Errorf("with room for %d bytes: %v", room, err)
			}
		}
	}
}
