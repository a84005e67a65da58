package report

import (
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/civil"
	"golang.org/x/text/currency"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

// Language is the language of a report.
type Language string

// The languages there are.
const (
	English Language = "en"
	French  Language = "fr" // as it is written in Canada
)

const (
	hardSpace = "\u00a0"
	minus     = "\u2212"
)

// form writes numbers, money and days as the reader's language and country do.
type form struct {
	language Language
	tag      language.Tag
	printer  *message.Printer
	currency string
	symbol   string
	// dayFirst is 30 September 2026, else September 30, 2026.
	dayFirst bool
}

// newForm takes the clinic's currency and country, both ISO codes. A country that is not known is guessed by the currency.
func newForm(l Language, money, country string) form {
	country = countryOf(country, money)
	tag := language.MustParse("en-" + country)
	if l == French {
		tag = language.CanadianFrench
	}
	f := form{language: l, tag: tag, printer: message.NewPrinter(tag), currency: money, symbol: money}
	f.dayFirst = l == French || country != "US" && country != "CA"
	if unit, err := currency.ParseISO(money); err == nil {
		f.symbol = f.printer.Sprint(currency.NarrowSymbol(unit))
	}
	return f
}

// countryOf is a country as it was said, or where the currency is at home.
func countryOf(country, money string) string {
	if len(country) == 2 {
		return strings.ToUpper(country)
	}
	at := map[string]string{"CAD": "CA", "USD": "US", "KYD": "KY", "GBP": "GB", "AUD": "AU", "NZD": "NZ", "SGD": "SG", "EUR": "IE"}
	if known, ok := at[money]; ok {
		return known
	}
	return "CA"
}

// decimal is a number with so many digits after the point.
func (f form) decimal(v float64, digits int) string {
	text := f.printer.Sprint(number.Decimal(v, number.Scale(digits)))
	return f.signed(text)
}

// signed gives a number a true minus, and none where it is all zeros.
func (f form) signed(text string) string {
	for _, sign := range []string{"-", minus} {
		if rest, ok := strings.CutPrefix(text, sign); ok {
			if strings.Trim(rest, "0.,"+hardSpace) == "" {
				return rest
			}
			return minus + rest
		}
	}
	return text
}

func (f form) count(n int64) string { return f.decimal(float64(n), 0) }

// money is an amount to the cent.
func (f form) money(cents int64) string { return f.amount(cents, 2) }

// moneyOrDash is an amount to the cent, a dash where there is none: columns of zeros hide what is there.
func (f form) moneyOrDash(cents int64) string {
	if cents == 0 {
		return "–"
	}
	return f.money(cents)
}

// wholeMoney is an amount to the unit, for running text and charts.
func (f form) wholeMoney(cents int64) string { return f.amount(cents, 0) }

// amount puts the currency's sign where the language has it. A number of cents is exact in a float64 up to 2^53 of them.
func (f form) amount(cents int64, digits int) string {
	text := f.decimal(float64(cents)/100, digits)
	sign := ""
	if rest, ok := strings.CutPrefix(text, minus); ok {
		sign, text = minus, rest
	}
	switch {
	case f.language == French:
		return sign + text + hardSpace + f.symbol
	case len(f.symbol) > 2: // an ISO code, or the like
		return sign + f.symbol + hardSpace + text
	default:
		return sign + f.symbol + text
	}
}

// share is a part of one in per cent; digits are those after the point.
func (f form) share(v float64, digits int) string {
	text := f.decimal(v*100, digits)
	if f.language == French {
		return text + hardSpace + "%"
	}
	return text + "%"
}

var (
	frenchMonths = []string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"}
	frenchShort  = []string{"janv.", "févr.", "mars", "avr.", "mai", "juin", "juill.", "août", "sept.", "oct.", "nov.", "déc."}
)

// day is a civil day written out.
func (f form) day(d civil.Date) string {
	if d.IsZero() {
		return "–"
	}
	switch {
	case f.language == French && d.Day == 1:
		return "1er" + hardSpace + frenchMonths[d.Month-1] + " " + strconv.Itoa(d.Year)
	case f.language == French:
		return strconv.Itoa(d.Day) + hardSpace + frenchMonths[d.Month-1] + " " + strconv.Itoa(d.Year)
	case f.dayFirst:
		return strconv.Itoa(d.Day) + hardSpace + d.Month.String() + " " + strconv.Itoa(d.Year)
	default:
		return d.Month.String() + hardSpace + strconv.Itoa(d.Day) + ", " + strconv.Itoa(d.Year)
	}
}

// month is a month written out, by a day in it.
func (f form) month(d civil.Date) string {
	if f.language == French {
		return frenchMonths[d.Month-1] + " " + strconv.Itoa(d.Year)
	}
	return d.Month.String() + " " + strconv.Itoa(d.Year)
}

// shortMonth is a month for axes and narrow columns.
func (f form) shortMonth(d civil.Date) string {
	if f.language == French {
		return frenchShort[d.Month-1]
	}
	return d.Month.String()[:3]
}

// moment is an instant in the clinic's zone, to the minute.
func (f form) moment(at time.Time, zone *time.Location) string {
	at = at.In(zone)
	clock := at.Format("15:04")
	if f.language == French {
		clock = at.Format("15") + hardSpace + "h" + hardSpace + at.Format("04")
	}
	return f.day(civil.DateOf(at)) + ", " + clock
}
