// Package settings reads clinic.yaml: what a clinic types in because no report says it (prices, fees, limits, insurers'
// names, zone and currency).
//
// Parse is strict: a key that it does not know, a date that does not exist, prices that contradict each other end in one
// *Error that names file, line and what to do. A parsed Clinic is in canonical order, so that the same settings give
// the same JSON however the file was arranged; that JSON is what a lake keeps.
package settings

import (
	"fmt"
	"slices"
	"strings"
	"time"

	// A zone's rules must be there on machines without a zone database too.
	_ "time/tzdata"

	"cloud.google.com/go/civil"
)

// Unspecified is the discipline of an item that no price names.
const Unspecified = "Unspecified"

// Clinic is a validated clinic.yaml. Money is integer cents, days are civil days in the clinic's zone.
type Clinic struct {
	Name           string `json:"name"`
	Country        string `json:"country,omitempty"` // ISO 3166-1 alpha-2
	Region         string `json:"region,omitempty"`
	TimeZone       string `json:"time_zone"`   // IANA name
	Currency       string `json:"currency"`    // ISO 4217
	WeekStarts     string `json:"week_starts"` // lower-case English day name
	PseudonymStaff bool   `json:"pseudonym_staff,omitempty"`
	TaxName        string `json:"tax_name,omitempty"`
	// TaxPerMillion is the tax rate: 130000 is 13 %. Quebec's two taxes together are 149750, so basis points would not
	// do.
	TaxPerMillion int64         `json:"tax_per_million,omitempty"`
	Disciplines   []Discipline  `json:"disciplines,omitempty"`
	Prices        []Price       `json:"prices,omitempty"`
	Fees          []Fee         `json:"fees,omitempty"`
	Insurers      []string      `json:"insurers,omitempty"`
	FilingLimits  []FilingLimit `json:"filing_limits,omitempty"`
	// Retention is how long datasets are kept; one that is not in it is kept for ever.
	Retention []Retention `json:"retention,omitempty"`
	// ChecksOff are the plausibility checks of report files that this clinic's honest files do not pass, by the names that
	// their refusals give them.
	ChecksOff []string `json:"checks_off,omitempty"`
	// UnreconciledPerMillion is the share of the expected money that may stay unreconciled before a build is refused: see
	// UnreconciledLimit.
	UnreconciledPerMillion *int64 `json:"unreconciled_per_million,omitempty"`
	// PatientDueDays and InsurerDueDays are how long after its invoice date a patient's and an insurer's share is due. No report
	// prints a due date; 0 is due when it is invoiced.
	PatientDueDays int `json:"patient_due_days,omitempty"`
	InsurerDueDays int `json:"insurer_due_days,omitempty"`
	// AliveModel is the model of repeat visits that P(alive) is fitted by: mbgnbd, which an empty text means too, or bgnbd.
	AliveModel string `json:"alive_model,omitempty"`
}

// unreconciledPerMillion is 0.5 %.
const unreconciledPerMillion = 5000

// UnreconciledLimit is the share of the expected money that may stay unreconciled, in millionths.
func (c Clinic) UnreconciledLimit() int64 {
	if c.UnreconciledPerMillion == nil {
		return unreconciledPerMillion
	}
	return *c.UnreconciledPerMillion
}

// Discipline overrides the default days of one discipline.
type Discipline struct {
	Name        string `json:"name"`
	FalloffDays int    `json:"falloff_days"`
}

// Price is what one item costs on the days it is valid, tax included where the item is taxable.
type Price struct {
	Item       string      `json:"item"`
	Discipline string      `json:"discipline,omitempty"`
	Location   string      `json:"location,omitempty"` // empty: every location
	GrossCents int64       `json:"gross_cents"`
	From       *civil.Date `json:"from,omitempty"` // nil: open
	To         *civil.Date `json:"to,omitempty"`
}

// FeeKind says for what a fee is due.
type FeeKind string

// The two kinds of fee.
const (
	NoShow     FeeKind = "no_show"
	LateCancel FeeKind = "late_cancel"
)

// Fee is the clinic's policy on missed appointments on the days it is valid. GrossCents 0 is a policy of no fee.
type Fee struct {
	Kind        FeeKind     `json:"kind"`
	Item        string      `json:"item"`
	Discipline  string      `json:"discipline,omitempty"` // empty: every discipline
	Location    string      `json:"location,omitempty"`   // empty: every location
	GrossCents  int64       `json:"gross_cents"`
	NoticeHours int         `json:"notice_hours,omitempty"` // late_cancel only
	From        *civil.Date `json:"from,omitempty"`
	To          *civil.Date `json:"to,omitempty"`
}

// FilingLimit is how many days after service an insurer accepts a claim.
type FilingLimit struct {
	Insurer string `json:"insurer"`
	Days    int    `json:"days"`
}

// DefaultFilingLimits are the limits of insurers for which clinic.yaml gives none: an insurer counts under the longest of these
// names that is part of its own. The empty name stands for all others, and errs on the early side: a warning too early costs a
// look, one too late the claim.
//
// Sources: TELUS eClaims takes claims up to 31 days after the service; Medicare one calendar year (42 CFR 424.44).
func DefaultFilingLimits() []FilingLimit {
	return []FilingLimit{{"", 90}, {"Medicare", 365}, {"TELUS", 31}}
}

// Zone is the clinic's time zone.
func (c Clinic) Zone() (*time.Location, error) {
	zone, err := loadZone(c.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("the settings' time zone: %w", err)
	}
	return zone, nil
}

// loadZone refuses the names that mean this machine's own zone.
func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("%q is not a time zone", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is not a time zone", name)
	}
	return zone, nil
}

// PriceOn is what an item costs at a location on a day. Among the prices that are valid that day one for the location
// goes before one for every location, then the one with the latest first day. ok is false where there is none.
func (c Clinic) PriceOn(item, location string, day civil.Date) (cents int64, ok bool) {
	var best *Price
	for i := range c.Prices {
		p := &c.Prices[i]
		if p.Item != item || (p.Location != "" && p.Location != location) || !covers(p.From, p.To, day) {
			continue
		}
		if best == nil || better(scope("", p.Location), p.From, scope("", best.Location), best.From) {
			best = p
		}
	}
	if best == nil {
		return 0, false
	}
	return best.GrossCents, true
}

// FeeOn is the policy for a missed appointment on a day. Among the policies that are valid that day the most specific
// one holds: discipline and location before location before discipline before neither; then the one with the latest
// first day. ok is false where no policy covers the day, which means no fee, as a policy of 0 does.
func (c Clinic) FeeOn(kind FeeKind, discipline, location string, day civil.Date) (fee Fee, ok bool) {
	var best *Fee
	for i := range c.Fees {
		f := &c.Fees[i]
		if f.Kind != kind || (f.Discipline != "" && f.Discipline != discipline) ||
			(f.Location != "" && f.Location != location) || !covers(f.From, f.To, day) {
			continue
		}
		if best == nil || better(scope(f.Discipline, f.Location), f.From, scope(best.Discipline, best.Location), best.From) {
			best = f
		}
	}
	if best == nil {
		return Fee{}, false
	}
	return *best, true
}

// DisciplineOf is the discipline of an item by the price list, Unspecified where no price names one.
func (c Clinic) DisciplineOf(item string) string {
	for _, p := range c.Prices {
		if p.Item == item && p.Discipline != "" {
			return p.Discipline
		}
	}
	return Unspecified
}

// KnownInsurers are the names that the settings give as insurers, those with a filing limit included.
func (c Clinic) KnownInsurers() []string {
	names := slices.Clone(c.Insurers)
	for _, l := range c.FilingLimits {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, l.Insurer) }) {
			names = append(names, l.Insurer)
		}
	}
	slices.Sort(names)
	return names
}

func covers(from, to *civil.Date, day civil.Date) bool {
	return (from == nil || !day.Before(*from)) && (to == nil || !day.After(*to))
}

// scope ranks how narrow a price or fee is.
func scope(discipline, location string) int {
	rank := 0
	if discipline != "" {
		rank++
	}
	if location != "" {
		rank += 2
	}
	return rank
}

func better(scope int, from *civil.Date, otherScope int, other *civil.Date) bool {
	if scope != otherScope {
		return scope > otherScope
	}
	return compareStart(from, other) > 0
}

// compareStart orders first days, an open one first.
func compareStart(a, b *civil.Date) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return a.Compare(*b)
}
