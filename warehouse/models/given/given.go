// Package given writes small tables of text as the Parquet files that an import would have left, with a default for everything
// that a table does not say: what tests of models start from. sql/tests/README.md lists columns and defaults.
package given

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/civil"
	"github.com/parquet-go/parquet-go"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// Clinic is the part of clinic.yaml that a model test can set. Amounts are what a patient pays, tax included.
type Clinic struct {
	TimeZone    string `yaml:"time_zone"`
	WeekStarts  string `yaml:"week_starts"`
	AliveModel  string `yaml:"alive_model"`
	Disciplines []struct {
		Name        string `yaml:"name"`
		FalloffDays int    `yaml:"falloff_days"`
	} `yaml:"disciplines"`
	Prices []Price `yaml:"prices"`
	Fees   []Fee   `yaml:"fees"`
	// DueDays is after how many days a patient's and an insurer's share is due; FilingLimits are by insurer.
	DueDays struct {
		Patient int `yaml:"patient"`
		Insurer int `yaml:"insurer"`
	} `yaml:"due_days"`
	FilingLimits []struct {
		Insurer string `yaml:"insurer"`
		Days    int    `yaml:"days"`
	} `yaml:"filing_limits"`
}

// Price is a price of the price list.
type Price struct {
	Item       string `yaml:"item"`
	Discipline string `yaml:"discipline"`
	Location   string `yaml:"location"`
	Price      string `yaml:"price"`
	From       string `yaml:"from"`
	To         string `yaml:"to"`
}

// Fee is a fee of the clinic's policy.
type Fee struct {
	Kind        string `yaml:"kind"`
	Item        string `yaml:"item"`
	Amount      string `yaml:"amount"`
	NoticeHours int    `yaml:"notice_hours"`
	Discipline  string `yaml:"discipline"`
	Location    string `yaml:"location"`
	From        string `yaml:"from"`
	To          string `yaml:"to"`
}

// With puts the keys that a test sets in place of the file's.
func (c Clinic) With(o Clinic) Clinic {
	c.TimeZone = cmp.Or(o.TimeZone, c.TimeZone)
	c.WeekStarts = cmp.Or(o.WeekStarts, c.WeekStarts)
	c.AliveModel = cmp.Or(o.AliveModel, c.AliveModel)
	if o.Disciplines != nil {
		c.Disciplines = o.Disciplines
	}
	if o.Prices != nil {
		c.Prices = o.Prices
	}
	if o.Fees != nil {
		c.Fees = o.Fees
	}
	if o.FilingLimits != nil {
		c.FilingLimits = o.FilingLimits
	}
	if o.DueDays.Patient+o.DueDays.Insurer > 0 {
		c.DueDays = o.DueDays
	}
	return c
}

// Settings gives the clinic of the README where the test says nothing else.
func (c Clinic) Settings() (settings.Clinic, error) {
	var g givenRow
	clinic := settings.Clinic{
		PatientDueDays: c.DueDays.Patient, InsurerDueDays: c.DueDays.Insurer,
		AliveModel: c.AliveModel,
		Name:       "Unit", TimeZone: cmp.Or(c.TimeZone, "America/Toronto"), Currency: "CAD", WeekStarts: cmp.Or(c.WeekStarts, "monday"),
	}
	for _, d := range c.Disciplines {
		clinic.Disciplines = append(clinic.Disciplines, settings.Discipline{Name: d.Name, FalloffDays: d.FalloffDays})
	}
	for _, l := range c.FilingLimits {
		clinic.FilingLimits = append(clinic.FilingLimits, settings.FilingLimit{Insurer: l.Insurer, Days: l.Days})
	}
	prices := c.Prices
	if prices == nil {
		prices = []Price{{Item: "Physio", Discipline: "Physiotherapy", Price: "100.00"}}
	}
	for _, p := range prices {
		clinic.Prices = append(clinic.Prices, settings.Price{
			Item: p.Item, Discipline: p.Discipline, Location: p.Location, GrossCents: g.cents(p.Price),
			From: g.dayOrNone(p.From), To: g.dayOrNone(p.To),
		})
	}
	fees := c.Fees
	if fees == nil {
		fees = []Fee{
			{Kind: "no_show", Item: "No Show Fee", Amount: "50.00"},
			{Kind: "late_cancel", Item: "Late Cancellation Fee", Amount: "40.00", NoticeHours: 24},
		}
	}
	for _, f := range fees {
		clinic.Fees = append(clinic.Fees, settings.Fee{
			Kind: settings.FeeKind(f.Kind), Item: f.Item, GrossCents: g.cents(f.Amount), NoticeHours: f.NoticeHours,
			Discipline: f.Discipline, Location: f.Location, From: g.dayOrNone(f.From), To: g.dayOrNone(f.To),
		})
	}
	return clinic, g.err
}

func (g *givenRow) dayOrNone(text string) *civil.Date {
	if text == "" {
		return nil
	}
	d, err := Day(text)
	if err != nil {
		g.failf("%v", err)
		return nil
	}
	return &d
}

// Day reads a day.
func Day(text string) (civil.Date, error) {
	d, err := civil.ParseDate(text)
	if err != nil || !d.IsValid() {
		return civil.Date{}, fmt.Errorf("%q is not a day: write YYYY-MM-DD", text)
	}
	return d, nil
}

// Files writes each given table into a folder as the Parquet file that an import would have left, and gives the files of each dataset.
// Times are those of the zone, D is asOf.
func Files(dir string, zone *time.Location, asOf civil.Date, given map[string]string) (map[string][]string, error) {
	files := map[string][]string{}
	for _, dataset := range slices.Sorted(maps.Keys(given)) {
		columns, rows, err := Table(given[dataset])
		if err != nil {
			return nil, fmt.Errorf("given %s: %w", dataset, err)
		}
		path := filepath.Join(dir, dataset+".parquet")
		files[dataset] = []string{path}
		var g []*givenRow
		for i, cells := range rows {
			g = append(g, &givenRow{place: int64(i + 1), zone: zone, asOf: contract.DayOf(asOf), columns: columns, cells: cells})
		}
		switch dataset {
		case contract.Appointments:
			err = write(path, g, (*givenRow).appointment)
		case contract.InvoiceLines:
			err = write(path, g, (*givenRow).invoiceLine)
		case contract.Claims:
			err = write(path, g, (*givenRow).claim)
		case contract.Policies:
			err = write(path, g, (*givenRow).policy)
		case contract.Insurers:
			err = write(path, g, (*givenRow).insurer)
		case contract.Shifts, contract.ShiftPeriods:
			err = write(path, g, (*givenRow).shift)
		case contract.Adjustments, contract.WriteOffs:
			err = write(path, g, (*givenRow).adjustment)
		case contract.AppliedPayments:
			err = write(path, g, (*givenRow).appliedPayment)
		case contract.UnscheduledPatients:
			err = write(path, g, (*givenRow).unscheduled)
		case contract.Credits:
			err = write(path, g, (*givenRow).credit)
		case contract.AccountsReceivable:
			err = write(path, g, (*givenRow).receivable)
		case contract.LeakStates:
			err = write(path, g, (*givenRow).leakStep)
		default:
			err = errors.New("a test cannot give this dataset")
		}
		if err != nil {
			return nil, fmt.Errorf("given %s: %w", dataset, err)
		}
	}
	return files, nil
}

// write makes each row and writes them.
func write[T any](path string, rows []*givenRow, one func(*givenRow) T) error {
	var out []T
	for i, r := range rows {
		out = append(out, one(r))
		if r.err != nil {
			return fmt.Errorf("row %d: %w", i+1, r.err)
		}
		for _, column := range r.columns {
			if !slices.Contains(r.read, column) {
				return fmt.Errorf("column %s is none that a test can set: there are %s", column, strings.Join(r.read, ", "))
			}
		}
	}
	return WriteRows(path, out)
}

// WriteRows writes rows of a contract's type as one Parquet file.
func WriteRows[T any](path string, rows []T) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("writing given rows: %w", err)
	}
	w := parquet.NewGenericWriter[T](f)
	_, err = w.Write(rows)
	if err := errors.Join(err, w.Close(), f.Close()); err != nil {
		return fmt.Errorf("writing given rows: %w", err)
	}
	return nil
}

// Table reads a table of cells between bars, its first line the header; `#` begins a comment, and `none` is no row.
func Table(table string) (columns []string, rows [][]string, err error) {
	for line := range strings.Lines(table) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" || line == "none" {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if columns == nil {
			columns = cells
			continue
		}
		if len(cells) > len(columns) {
			return nil, nil, fmt.Errorf("row %q has more cells than the header %v", line, columns)
		}
		for len(cells) < len(columns) {
			cells = append(cells, "")
		}
		rows = append(rows, cells)
	}
	return columns, rows, nil
}

// givenRow is one row of a given table. An empty cell takes the default, `-` is none.
type givenRow struct {
	// place counts the table's rows from 1.
	place          int64
	zone           *time.Location
	asOf           int32
	columns, cells []string
	read           []string
	// err is the first thing that could not be read.
	err error
}

func (g *givenRow) failf(format string, args ...any) {
	if g.err == nil {
		g.err = fmt.Errorf(format, args...)
	}
}

func (g *givenRow) text(column, otherwise string) string {
	g.read = append(g.read, column)
	if i := slices.Index(g.columns, column); i >= 0 && g.cells[i] != "" {
		return g.cells[i]
	}
	return otherwise
}

func (g *givenRow) optional(column, otherwise string) *string {
	if text := g.text(column, otherwise); text != "-" && text != "" {
		return &text
	}
	return nil
}

func (g *givenRow) number(column string, otherwise int64) int64 {
	n, err := strconv.ParseInt(g.text(column, strconv.FormatInt(otherwise, 10)), 10, 64)
	if err != nil {
		g.failf("%s: %v", column, err)
	}
	return n
}

func (g *givenRow) optionalNumber(column string) *int32 {
	text := g.optional(column, "-")
	if text == nil {
		return nil
	}
	n, err := strconv.ParseInt(*text, 10, 32)
	if err != nil {
		g.failf("%s: %v", column, err)
	}
	small := int32(n)
	return &small
}

func (g *givenRow) day(column string, otherwise int32) int32 {
	if day := g.optionalDay(column); day != nil {
		return *day
	}
	return otherwise
}

func (g *givenRow) optionalDay(column string) *int32 {
	text := g.optional(column, "-")
	if text == nil {
		return nil
	}
	read, err := Day(*text)
	if err != nil {
		g.failf("%s: %v", column, err)
	}
	day := contract.DayOf(read)
	return &day
}

func (g *givenRow) flag(column string) bool { return g.text(column, "false") == "true" }

// instant reads `2026-03-28 09:00` in the clinic's zone, `2026-03-28 13:00 UTC`, or `2026-03-28` for nine o'clock.
func (g *givenRow) instant(column string) *int64 {
	text := g.optional(column, "-")
	if text == nil {
		return nil
	}
	var at time.Time
	var err error
	switch clock, isUTC := strings.CutSuffix(*text, " UTC"); {
	case isUTC:
		at, err = time.Parse("2006-01-02 15:04", clock)
	case len(*text) == len("2006-01-02"):
		at, err = time.ParseInLocation("2006-01-02 15:04", *text+" 09:00", g.zone)
	default:
		at, err = time.ParseInLocation("2006-01-02 15:04", *text, g.zone)
		if err != nil {
			at, err = time.ParseInLocation("2006-01-02 15:04:05", *text, g.zone)
		}
	}
	if err != nil {
		g.failf("%s: %v", column, err)
	}
	micros := at.UnixMicro()
	return &micros
}

func (g *givenRow) localDay(micros int64) int32 {
	return contract.DayOf(civil.DateOf(time.UnixMicro(micros).In(g.zone)))
}

var centsPattern = regexp.MustCompile(`^(-?)(\d+)\.(\d\d)$`)

// cents reads an amount like 95.00.
func (g *givenRow) cents(text string) int64 {
	match := centsPattern.FindStringSubmatch(text)
	if match == nil {
		g.failf("amount %q: write it like 95.00", text)
		return 0
	}
	cents, err := strconv.ParseInt(match[1]+match[2]+match[3], 10, 64)
	if err != nil {
		g.failf("amount %q: %v", text, err)
	}
	return cents
}

func (g *givenRow) appointment() contract.Appointment {
	starts := g.instant("starts_at")
	if starts == nil {
		g.failf("an appointment needs starts_at")
		return contract.Appointment{}
	}
	a := contract.Appointment{
		AppointmentID: g.number("appointment_id", 1),
		Seat:          int32(g.number("seat", 0)),
		Patient:       g.optional("patient", "ann"),
		Location:      g.text("location", "Main"),
		StaffMember:   g.text("staff_member", "Kim"),
		Treatment:     g.text("treatment", "Physio"),
		State:         g.text("state", "arrived"),
		ServiceDate:   g.localDay(*starts),
		StartsAt:      *starts,
		EndsAt:        *starts + (30 * time.Minute).Microseconds(),
		TimeZone:      g.zone.String(),
		BookedAt:      g.instant("booked_at"),
		ArrivedAt:     g.instant("arrived_at"),
		CancelledAt:   g.instant("cancelled_at"),
		ObservedOn:    g.day("observed_on", g.asOf),
	}
	if ends := g.instant("ends_at"); ends != nil {
		a.EndsAt = *ends
	}
	if first := g.optional("first_visit", "-"); first != nil {
		isFirst := *first == "true"
		a.FirstVisit = &isFirst
	}
	return a
}

var invoicePattern = regexp.MustCompile(`^(\w+)(?:-([PC])(\d+)(X?))?$`)

func (g *givenRow) invoiceLine() contract.InvoiceLine {
	number := g.text("invoice_number", "1-P01")
	match := invoicePattern.FindStringSubmatch(number)
	if match == nil {
		g.failf("invoice number %q: write it like 12-P01, 12-C01, 12-P02X, or 12 without a side", number)
		return contract.InvoiceLine{}
	}
	sequence, err := strconv.ParseInt(match[3], 10, 32)
	if err != nil && match[3] != "" {
		g.failf("invoice number %q: %v", number, err)
	}
	purchased := g.optionalDay("purchase_date")
	if purchased == nil {
		g.failf("an invoice line needs purchase_date")
		return contract.InvoiceLine{}
	}
	total := g.cents(g.text("total", "100.00"))
	balance := g.cents(g.text("balance", "0.00"))
	l := contract.InvoiceLine{
		InvoiceNumber: number, InvoiceBase: match[1], InvoiceSide: match[2],
		InvoiceSequence: int32(sequence), IsReversal: match[4] != "",
		Item:           g.text("item", "Physio"),
		Ordinal:        int32(g.number("ordinal", 0)),
		PurchaseDate:   *purchased,
		InvoiceDate:    g.day("invoice_date", *purchased),
		Patient:        g.text("patient", "ann"),
		StaffMember:    g.text("staff_member", "Kim"),
		Location:       g.text("location", "Main"),
		PayerKind:      contract.Person,
		IsPrepay:       g.flag("is_prepay"),
		IncomeCategory: g.text("income_category", "Treatment"),
		Status:         contract.Paid,
		SubtotalCents:  total, TotalCents: total, CollectedCents: total - balance, BalanceCents: balance,
		Currency:   g.text("currency", "CAD"),
		ObservedOn: g.day("observed_on", g.asOf),
	}
	insurer := "-"
	if match[2] == contract.InsurerSide {
		insurer = "sun"
	}
	if l.PayerID = g.optional("payer_id", insurer); l.PayerID != nil {
		l.PayerKind = contract.InsurerKind
	}
	return l
}

func (g *givenRow) claim() contract.Claim {
	return contract.Claim{
		ClaimID:       g.text("claim_id", "claim"),
		InvoiceNumber: g.text("invoice_number", "1-C01"),
		Patient:       g.text("patient", "ann"),
		PayerID:       g.text("payer_id", "sun"),
		ServiceDate:   g.day("service_date", g.asOf),
		Folder:        g.text("folder", contract.ClaimSubmitted),
		SubmittedOn:   g.optionalDay("submitted_on"),
		RespondedOn:   g.optionalDay("responded_on"),
		ObservedOn:    g.day("observed_on", g.asOf),
	}
}

func (g *givenRow) policy() contract.Policy {
	p := contract.Policy{
		Patient:        g.text("patient", "ann"),
		PayerID:        g.text("payer_id", "sun"),
		PolicyID:       g.text("policy_id", "policy"),
		Status:         contract.PolicyOpen,
		EndDate:        g.optionalDay("end_date"),
		TreatmentsUsed: g.optionalNumber("treatments_used"),
		MaxTreatments:  g.optionalNumber("max_treatments"),
		ObservedOn:     g.day("observed_on", g.asOf),
	}
	if maximum := g.optional("policy_maximum", "-"); maximum != nil {
		cents := g.cents(*maximum)
		p.PolicyMaximumCents = &cents
	}
	return p
}

func (g *givenRow) insurer() contract.Insurer {
	return contract.Insurer{PayerID: g.text("payer_id", "sun"), Name: g.text("name", "Sun Life"), ObservedOn: g.asOf}
}

func (g *givenRow) unscheduled() contract.UnscheduledPatient {
	return contract.UnscheduledPatient{
		Patient: g.text("patient", "ann"), Discipline: g.text("discipline", ""), LastVisitOn: g.optionalDay("last_visit_on"),
		ObservedOn: g.day("observed_on", g.asOf),
	}
}

func (g *givenRow) shift() contract.Shift {
	from := g.optionalDay("period_from")
	if from == nil {
		g.failf("hours need period_from")
		return contract.Shift{}
	}
	minutes := func(column string) int64 { return g.cents(g.text(column, "0.00")) * 60 / 100 }
	return contract.Shift{
		StaffMember:   g.text("staff_member", "Kim"),
		PeriodFrom:    *from,
		PeriodTo:      g.day("period_to", *from),
		ShiftMinutes:  minutes("shift"),
		BreakMinutes:  minutes("break"),
		BookedMinutes: minutes("booked"),
		BookedCount:   g.number("booked_count", 0),
		ObservedOn:    g.asOf,
	}
}

func (g *givenRow) appliedPayment() contract.AppliedPayment {
	applied := g.optionalDay("applied_on")
	a := contract.AppliedPayment{
		PaymentID:     g.text("payment_id", "pay"),
		InvoiceNumber: g.text("invoice_number", "1-P01"),
		Ordinal:       int32(g.number("ordinal", 0)),
		AppliedOn:     applied,
		PayerKind:     contract.Person,
		AmountCents:   g.cents(g.text("amount", "0.00")),
		Currency:      g.text("currency", "CAD"),
		ObservedOn:    g.asOf,
	}
	a.ReceivedOn = g.day("received_on", g.asOf)
	insurer := "-"
	if strings.Contains(a.InvoiceNumber, "-C") {
		insurer = "sun"
	}
	if a.PayerID = g.optional("payer_id", insurer); a.PayerID != nil {
		a.PayerKind = contract.InsurerKind
	}
	return a
}

func (g *givenRow) adjustment() contract.Adjustment {
	return contract.Adjustment{
		PayerID:       g.optional("payer_id", "-"),
		InvoiceNumber: g.text("invoice_number", "1-P01"),
		Kind:          g.text("kind", contract.WriteOff),
		AdjustedOn:    g.day("adjusted_on", g.asOf),
		Ordinal:       int32(g.number("ordinal", 0)),
		PurchaseDate:  g.optionalDay("purchase_date"),
		Patient:       g.text("patient", "ann"),
		PayerKind:     contract.Person,
		AmountCents:   g.cents(g.text("amount", "0.00")),
		Currency:      g.text("currency", "CAD"),
		ObservedOn:    g.day("observed_on", g.asOf),
	}
}

func (g *givenRow) credit() contract.Credit {
	return contract.Credit{
		AsOf: g.day("as_of", g.asOf), Account: g.text("account", "ann"), PayerKind: g.text("payer_kind", contract.Person),
		CreditCents: g.cents(g.text("credit", "0.00")), Currency: g.text("currency", "CAD"), ObservedOn: g.asOf,
	}
}

// receivable is the portal's own totals of a month. What a test does not say is 0.
func (g *givenRow) receivable() contract.Receivable {
	cents := func(column string) int64 { return g.cents(g.text(column, "0.00")) }
	return contract.Receivable{
		PeriodFrom: g.day("period_from", g.asOf), PeriodTo: g.day("period_to", g.asOf), OpeningCents: cents("opening"), SalesCents: cents("sales"),
		TransactionsCents: cents("transactions"), CreditMemosCents: cents("credit_memos"), ClosingCents: cents("closing"),
		OpeningCreditsCents: cents("opening_credits"), ClosingCreditsCents: cents("closing_credits"), TipsCents: cents("tips"),
		Currency: g.text("currency", "CAD"), ObservedOn: g.asOf,
	}
}

// leakStep is what somebody said of a leak: a row's place in its table is its sequence, where the test says no other.
func (g *givenRow) leakStep() contract.LeakStep {
	said := g.instant("said_at")
	if said == nil {
		g.failf("a state needs said_at")
		return contract.LeakStep{}
	}
	return contract.LeakStep{
		LeakID: g.text("leak_id", ""), Sequence: int32(g.number("sequence", g.place)), SaidAt: *said, SaidOn: g.localDay(*said),
		State: g.text("state", contract.LeakAssigned), Actor: g.text("actor", "u1_kim"), Assignee: g.optional("assignee", "-"),
		Note: g.optional("note", "-"), Patient: g.optional("patient", "-"), ObservedOn: g.localDay(*said),
	}
}
