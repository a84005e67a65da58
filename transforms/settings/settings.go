// Package settings reads clinic.yaml: what a clinic types in because no report says it (prices, fees, limits, insurers'
// names, zone and currency).
package settings

import "cloud.google.com/go/civil"

// Clinic is a validated clinic.yaml. Money is integer cents, days are civil days in the clinic's zone.
type Clinic struct {
	Name           string
	Country        string // ISO 3166-1 alpha-2
	Region         string
	TimeZone       string // IANA name
	Currency       string // ISO 4217
	WeekStarts     string // lower-case English day name
	PseudonymStaff bool
	TaxName        string
	TaxBasisPoints int64 // 1300 is 13 %; a rate is given to at most four decimals
	Disciplines    []Discipline
	Prices         []Price
	Fees           []Fee
	Insurers       []string
	FilingLimits   []FilingLimit
}

// Discipline overrides the default days of one discipline.
type Discipline struct {
	Name        string
	FalloffDays int
}

// Price is what one item costs on the days it is valid, tax included where the item is taxable.
type Price struct {
	Item       string
	Discipline string
	Location   string // empty: every location
	GrossCents int64
	From, To   *civil.Date // nil: open
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
	Kind        FeeKind
	Item        string
	Discipline  string // empty: every discipline
	Location    string // empty: every location
	GrossCents  int64
	NoticeHours int // late_cancel only
	From, To    *civil.Date
}

// FilingLimit is how many days after service an insurer accepts a claim.
type FilingLimit struct {
	Insurer string
	Days    int
}
