package simclinic

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/civil"
)

// Dials are what a simulated clinic can be asked to be. Two clinics of equal Dials are equal to the byte.
type Dials struct {
	// Seed decides every chance in the clinic.
	Seed uint64
	// Patients is the number of people who ever book, 50 to 200,000.
	Patients int
	// From is the first day of the clinic's history; To is the report date, the last day that has happened. Bookings
	// ahead reach up to HorizonDays past To. The history is 60 days to 20 years long.
	From, To civil.Date
	// Practitioners is the number of staff who treat people; 0 takes as many as the patients need.
	Practitioners int
	// Disciplines is how many of the catalogue's disciplines the clinic offers, 1 to 6, physiotherapy first.
	Disciplines int
	// Locations is how many places the clinic works at, 1 to 8.
	Locations int
	// Zone is the IANA name of the clinic's time zone; empty takes the country's usual one.
	Zone string
	// Country is CA, US, GB or AU: currency, region, and the tax where Tax is not set.
	Country string
	// Tax is the sales tax; the zero value takes the country's.
	Tax Tax
	// FeePolicy says how the clinic's fees for missed visits went over the years; empty is FeesChanging.
	FeePolicy FeePolicy
	// Style prints every report alike; nil mixes styles, by seed and report, as real exports do.
	Style *Style
}

// Tax is a sales tax.
type Tax struct {
	// Name is also the header of the tax column in the sales report.
	Name string
	// Rate is a decimal share such as "0.13", with at most four decimals.
	Rate string
}

// FeePolicy says how the clinic's fees for missed visits went over the years.
type FeePolicy string

// The fee policies.
const (
	// FeesChanging: none at first, then a fee, then a time in which a no-show cost $0, then a higher fee; one
	// discipline with a fee of its own; the notice for cancelling goes from 24 to 48 hours half-way.
	FeesChanging FeePolicy = "changing"
	// FeesFlat: the same fees all the time.
	FeesFlat FeePolicy = "flat"
	// FeesNone: the clinic charges nothing for missed visits.
	FeesNone FeePolicy = "none"
)

// HorizonDays is how many days past the report date the schedule is open for booking.
const HorizonDays = 180

// DefaultDials are the dials of the demo: two years, enough people that every kind of leak and every look-alike occurs
// at least ten times whatever the seed.
func DefaultDials() Dials {
	return Dials{
		Seed:        1,
		Patients:    400,
		From:        civil.Date{Year: 2024, Month: time.January, Day: 1},
		To:          civil.Date{Year: 2025, Month: time.December, Day: 31},
		Disciplines: 3,
		Locations:   2,
		Country:     "CA",
		FeePolicy:   FeesChanging,
	}
}

// country is what goes with a country.
type country struct {
	zone, currency, region string
	tax                    Tax
	// priceShare scales the catalogue's prices, in percent.
	priceShare int64
	// taxesCare says whether some kinds of treatment carry the tax; elsewhere only products do.
	taxesCare bool
	areaCode  string
}

var countries = map[string]country{
	"CA": {"America/Toronto", "CAD", "ca-central", Tax{"HST", "0.13"}, 100, true, "+1"},
	"US": {"America/New_York", "USD", "us-west", Tax{"Sales Tax", "0.0825"}, 115, false, "+1"},
	"GB": {"Europe/London", "GBP", "eu-london", Tax{"VAT", "0.20"}, 60, true, "+44"},
	"AU": {"Australia/Sydney", "AUD", "ap-sydney", Tax{"GST", "0.10"}, 105, true, "+61"},
}

// completed fills in what was left to the country.
func (d Dials) completed() Dials {
	home := countries[d.Country]
	if d.Zone == "" {
		d.Zone = home.zone
	}
	if d.Tax == (Tax{}) {
		d.Tax = home.tax
	}
	if d.FeePolicy == "" {
		d.FeePolicy = FeesChanging
	}
	if d.Practitioners == 0 {
		d.Practitioners = practitionersFor(d)
	}
	return d
}

// practitionersFor is how many staff the patients need: about eight bookings each, whatever the length of the history,
// with staff who see ten people a day on four days a week, and nearly half the time left free for waves.
func practitionersFor(d Dials) int {
	days := max(60, d.To.DaysSince(d.From))
	return max(2*d.Disciplines, d.Patients*13/(days*5))
}

// Validate says what is wrong with the dials and what would be right.
func (d Dials) Validate() error {
	if d.Patients < 50 || d.Patients > 200_000 {
		return fmt.Errorf("patients is %d: choose 50 to 200000", d.Patients)
	}
	if !d.From.IsValid() || !d.To.IsValid() {
		return fmt.Errorf("from %v or to %v is no date: give both as YYYY-MM-DD", d.From, d.To)
	}
	if d.From.Year < 1990 || d.To.Year > 2100 {
		return fmt.Errorf("the history %v to %v lies outside 1990 to 2100", d.From, d.To)
	}
	switch days := d.To.DaysSince(d.From) + 1; {
	case days <= 0:
		return fmt.Errorf("from %v is after to %v: swap them", d.From, d.To)
	case days < 60:
		return fmt.Errorf("the history %v to %v is %d days long: make it at least 60", d.From, d.To, days)
	case days > 20*366:
		return fmt.Errorf("the history %v to %v is longer than 20 years", d.From, d.To)
	}
	if d.Disciplines < 1 || d.Disciplines > len(catalogue) {
		return fmt.Errorf("disciplines is %d: choose 1 to %d", d.Disciplines, len(catalogue))
	}
	if d.Practitioners != 0 && (d.Practitioners < d.Disciplines || d.Practitioners > 5000) {
		return fmt.Errorf("practitioners is %d: choose at least one for each of %d disciplines and at most 5000, or 0 for as many as needed",
			d.Practitioners, d.Disciplines)
	}
	if d.Locations < 1 || d.Locations > len(placeNames) {
		return fmt.Errorf("locations is %d: choose 1 to %d", d.Locations, len(placeNames))
	}
	if _, ok := countries[d.Country]; !ok {
		return fmt.Errorf("country is %q: choose CA, US, GB or AU", d.Country)
	}
	if d.Zone != "" {
		if _, err := time.LoadLocation(d.Zone); err != nil || d.Zone == "Local" {
			return fmt.Errorf("zone %q is not known: give an IANA name such as America/Toronto", d.Zone)
		}
	}
	if d.Tax != (Tax{}) {
		if strings.TrimSpace(d.Tax.Name) == "" {
			return fmt.Errorf("the tax has no name: give one such as HST")
		}
		if _, err := d.Tax.tenThousandths(); err != nil {
			return err
		}
	}
	switch d.FeePolicy {
	case "", FeesChanging, FeesFlat, FeesNone:
	default:
		return fmt.Errorf("fee policy is %q: choose %s, %s or %s", d.FeePolicy, FeesChanging, FeesFlat, FeesNone)
	}
	return nil
}

// tenThousandths is the rate as an integer: 1300 is 13 %.
func (t Tax) tenThousandths() (int64, error) {
	whole, decimals, _ := strings.Cut(t.Rate, ".")
	digits := decimals + strings.Repeat("0", max(0, 4-len(decimals)))
	rate, err := strconv.ParseUint(whole+digits, 10, 32)
	if err != nil || len(decimals) > 4 || rate >= 10_000 {
		return 0, fmt.Errorf("tax rate %q: give a decimal share below 1 such as 0.13, with at most four decimals", t.Rate)
	}
	return int64(rate), nil
}
