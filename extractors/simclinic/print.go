package simclinic

import (
	"strconv"
	"strings"
	"time"
)

// printer prints cells as text in a style.
type printer struct {
	style Style
	// zone is nil where nothing is known of it: UTC.
	calendar *calendar
	// dollar is printed before amounts in MoneyDollar.
	dollar string
}

func (c *Clinic) printer(report string) printer {
	p := printer{style: c.styleOf(report), calendar: c.world.calendar}
	if strings.HasSuffix(countries[c.world.dials.Country].currency, "D") {
		p.dollar = "$"
	}
	return p
}

// Printed is one row of t as the portal's screens print it, in the order of t.Headers and in the report's style.
func (c *Clinic) Printed(t Table, row []Cell) []string {
	p := c.printer(t.Report)
	out := make([]string, len(row))
	var buffer []byte
	for i, cell := range row {
		buffer = p.append(buffer[:0], t.Headers[i], cell)
		out[i] = string(buffer)
	}
	return out
}

func (p *printer) append(to []byte, header string, c Cell) []byte {
	switch c.Kind {
	case Text:
		return append(to, c.Text...)
	case State:
		return p.appendState(to, header, c)
	case Integer:
		return strconv.AppendInt(to, c.Number, 10)
	case Money:
		return p.appendMoney(to, c.Number)
	case Minutes:
		return strconv.AppendFloat(to, float64(c.Number)/60, 'f', -1, 64)
	case Day:
		return p.appendDay(to, day(c.Number))
	case Instant:
		return p.appendInstant(to, header, moment(c.Number))
	case Flag:
		return append(to, [...][2]string{{"false", "true"}, {"no", "yes"}, {"0", "1"}, {"n", "y"}}[p.style.Flags][c.Number]...)
	default:
		return to
	}
}

func (p *printer) appendState(to []byte, header string, c Cell) []byte {
	style := p.style.States
	if style == StateMixed {
		style = StateStyle(c.Number % 3)
	}
	if style == StateHyphen && header == "Status" {
		style = StateTitle
	}
	switch style {
	case StateTitle:
		for i, word := range strings.Split(c.Text, "_") {
			if i > 0 {
				to = append(to, ' ')
			}
			to = append(append(to, word[0]-'a'+'A'), word[1:]...)
		}
		return to
	case StateHyphen:
		return append(to, strings.ReplaceAll(c.Text, "_", "-")...)
	default:
		return append(to, c.Text...)
	}
}

func (p *printer) appendMoney(to []byte, cents int64) []byte {
	style := p.style.Money
	negative := cents < 0
	if negative {
		cents = -cents
		if style == MoneyAccounting {
			to = append(to, '(')
		} else {
			to = append(to, '-')
		}
	}
	if style == MoneyDollar {
		to = append(to, p.dollar...)
	}
	whole := strconv.FormatInt(cents/100, 10)
	for i := range len(whole) {
		if i > 0 && (len(whole)-i)%3 == 0 && style != MoneyPlain {
			to = append(to, ',')
		}
		to = append(to, whole[i])
	}
	to = append(to, '.', byte('0'+cents/10%10), byte('0'+cents%10))
	if negative && style == MoneyAccounting {
		to = append(to, ')')
	}
	return to
}

func (p *printer) appendDay(to []byte, d day) []byte {
	date := d.date()
	if p.style.Days == DayLong {
		to = append(to, date.Month.String()[:3]...)
		to = append(to, ' ')
		to = strconv.AppendInt(to, int64(date.Day), 10)
		to = append(to, ", "...)
		return strconv.AppendInt(to, int64(date.Year), 10)
	}
	return appendDate(to, date.Year, int(date.Month), date.Day)
}

func appendDate(to []byte, year, month, day int) []byte {
	to = append(to, byte('0'+year/1000), byte('0'+year/100%10), byte('0'+year/10%10), byte('0'+year%10), '-')
	to = appendTwo(to, month)
	to = append(to, '-')
	return appendTwo(to, day)
}

func appendTwo(to []byte, n int) []byte { return append(to, byte('0'+n/10), byte('0'+n%10)) }

func (p *printer) appendInstant(to []byte, header string, m moment) []byte {
	style := p.style.Times
	if style == TimeMixed {
		style = TimeUTC
		if header == "start_at" || header == "end_at" {
			style = TimeOffset
		}
	}
	zone := time.UTC
	if style != TimeUTC && p.calendar != nil {
		zone = p.calendar.zone
	}
	t := time.Unix(int64(m), 0).In(zone)
	year, month, date := t.Date()
	hour, minute, second := t.Clock()
	to = append(appendDate(to, year, int(month), date), ' ')
	to = append(appendTwo(to, hour), ':')
	to = append(appendTwo(to, minute), ':')
	to = appendTwo(to, second)
	switch {
	case style == TimeWall && p.calendar != nil:
		return to
	case zone == time.UTC:
		return append(to, " UTC"...)
	default:
		_, offset := t.Zone()
		sign := byte('+')
		if offset < 0 {
			sign, offset = '-', -offset
		}
		to = append(to, ' ', sign)
		return appendTwo(appendTwo(to, offset/3600), offset/60%60)
	}
}
