package models

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"
	"github.com/parquet-go/parquet-go"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// unitClinic is the part of clinic.yaml that a model test can set. Amounts are what a patient pays, tax included.
type unitClinic struct {
	TimeZone    string `yaml:"time_zone"`
	WeekStarts  string `yaml:"week_starts"`
	Disciplines []struct {
		Name        string `yaml:"name"`
		FalloffDays int    `yaml:"falloff_days"`
	} `yaml:"disciplines"`
	Prices []unitPrice `yaml:"prices"`
	Fees   []unitFee   `yaml:"fees"`
}

type unitPrice struct {
	Item       string `yaml:"item"`
	Discipline string `yaml:"discipline"`
	Location   string `yaml:"location"`
	Price      string `yaml:"price"`
	From       string `yaml:"from"`
	To         string `yaml:"to"`
}

type unitFee struct {
	Kind        string `yaml:"kind"`
	Item        string `yaml:"item"`
	Amount      string `yaml:"amount"`
	NoticeHours int    `yaml:"notice_hours"`
	Discipline  string `yaml:"discipline"`
	Location    string `yaml:"location"`
	From        string `yaml:"from"`
	To          string `yaml:"to"`
}

// with puts the keys that a test sets in place of the file's.
func (c unitClinic) with(o unitClinic) unitClinic {
	c.TimeZone = cmpOr(o.TimeZone, c.TimeZone)
	c.WeekStarts = cmpOr(o.WeekStarts, c.WeekStarts)
	if o.Disciplines != nil {
		c.Disciplines = o.Disciplines
	}
	if o.Prices != nil {
		c.Prices = o.Prices
	}
	if o.Fees != nil {
		c.Fees = o.Fees
	}
	return c
}

// settings gives the clinic of the README where the test says nothing else.
func (c unitClinic) settings(t *testing.T) settings.Clinic {
	t.Helper()
	clinic := settings.Clinic{
		Name: "Unit", TimeZone: cmpOr(c.TimeZone, "America/Toronto"), Currency: "CAD", WeekStarts: cmpOr(c.WeekStarts, "monday"),
	}
	for _, d := range c.Disciplines {
		clinic.Disciplines = append(clinic.Disciplines, settings.Discipline{Name: d.Name, FalloffDays: d.FalloffDays})
	}
	prices := c.Prices
	if prices == nil {
		prices = []unitPrice{{Item: "Physio", Discipline: "Physiotherapy", Price: "100.00"}}
	}
	for _, p := range prices {
		clinic.Prices = append(clinic.Prices, settings.Price{
			Item: p.Item, Discipline: p.Discipline, Location: p.Location, GrossCents: unitCents(t, p.Price),
			From: unitDayOrNone(t, p.From), To: unitDayOrNone(t, p.To),
		})
	}
	fees := c.Fees
	if fees == nil {
		fees = []unitFee{
			{Kind: "no_show", Item: "No Show Fee", Amount: "50.00"},
			{Kind: "late_cancel", Item: "Late Cancellation Fee", Amount: "40.00", NoticeHours: 24},
		}
	}
	for _, f := range fees {
		clinic.Fees = append(clinic.Fees, settings.Fee{
			Kind: settings.FeeKind(f.Kind), Item: f.Item, GrossCents: unitCents(t, f.Amount), NoticeHours: f.NoticeHours,
			Discipline: f.Discipline, Location: f.Location, From: unitDayOrNone(t, f.From), To: unitDayOrNone(t, f.To),
		})
	}
	return clinic
}

func unitDayOrNone(t *testing.T, text string) *civil.Date {
	if text == "" {
		return nil
	}
	d := unitDay(t, text)
	return &d
}

// givenFiles writes each given table as the Parquet file that an import would have left.
func givenFiles(t *testing.T, in Inputs, given map[string]string) map[string][]string {
	t.Helper()
	zone, err := time.LoadLocation(in.Settings.TimeZone)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := map[string][]string{}
	for dataset, table := range given {
		columns, rows := textTable(t, table)
		path := filepath.Join(dir, dataset+".parquet")
		files[dataset] = []string{path}
		g := func() []*givenRow {
			var out []*givenRow
			for _, cells := range rows {
				out = append(out, &givenRow{t: t, zone: zone, asOf: contract.DayOf(in.AsOf), columns: columns, cells: cells})
			}
			return out
		}()
		switch dataset {
		case contract.Appointments:
			writeRows(t, path, convert(g, (*givenRow).appointment))
		case contract.InvoiceLines:
			writeRows(t, path, convert(g, (*givenRow).invoiceLine))
		case contract.Claims:
			writeRows(t, path, convert(g, (*givenRow).claim))
		case contract.Policies:
			writeRows(t, path, convert(g, (*givenRow).policy))
		case contract.Insurers:
			writeRows(t, path, convert(g, (*givenRow).insurer))
		case contract.Shifts, contract.ShiftPeriods:
			writeRows(t, path, convert(g, (*givenRow).shift))
		case contract.Adjustments, contract.WriteOffs:
			writeRows(t, path, convert(g, (*givenRow).adjustment))
		case contract.AppliedPayments:
			writeRows(t, path, convert(g, (*givenRow).appliedPayment))
		default:
			t.Fatalf("a test cannot give %s", dataset)
		}
	}
	return files
}

func convert[T any](rows []*givenRow, one func(*givenRow) T) []T {
	var out []T
	for _, r := range rows {
		out = append(out, one(r))
		for _, column := range r.columns {
			if !slices.Contains(r.read, column) {
				r.t.Fatalf("column %s is none that a test can set", column)
			}
		}
	}
	return out
}

func writeRows[T any](t *testing.T, path string, rows []T) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := parquet.NewGenericWriter[T](f)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// givenRow is one row of a given table. An empty cell takes the default, `-` is none.
type givenRow struct {
	t              *testing.T
	zone           *time.Location
	asOf           int32
	columns, cells []string
	read           []string
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
		g.t.Fatalf("%s: %v", column, err)
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
		g.t.Fatalf("%s: %v", column, err)
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
	day := contract.DayOf(unitDay(g.t, *text))
	return &day
}

func (g *givenRow) flag(column string) bool { return g.text(column, "false") == "true" }

// instant reads `2026-03-28 09:00` in the clinic's zone, `2026-03-28 13:00 UTC`, or `2026-03-28` for nine o'clock.
func (g *givenRow) instant(column, otherwise string) *int64 {
	text := g.optional(column, otherwise)
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
	}
	if err != nil {
		g.t.Fatalf("%s: %v", column, err)
	}
	micros := at.UnixMicro()
	return &micros
}

func (g *givenRow) localDay(micros int64) int32 {
	return contract.DayOf(civil.DateOf(time.UnixMicro(micros).In(g.zone)))
}

var centsPattern = regexp.MustCompile(`^(-?)(\d+)\.(\d\d)$`)

func unitCents(t *testing.T, text string) int64 {
	t.Helper()
	match := centsPattern.FindStringSubmatch(text)
	if match == nil {
		t.Fatalf("amount %q: write it like 95.00", text)
	}
	cents, err := strconv.ParseInt(match[1]+match[2]+match[3], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return cents
}

func (g *givenRow) appointment() contract.Appointment {
	starts := g.instant("starts_at", "-")
	if starts == nil {
		g.t.Fatal("an appointment needs starts_at")
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
		BookedAt:      g.instant("booked_at", "-"),
		ArrivedAt:     g.instant("arrived_at", "-"),
		CancelledAt:   g.instant("cancelled_at", "-"),
		ObservedOn:    g.day("observed_on", g.asOf),
	}
	if ends := g.instant("ends_at", "-"); ends != nil {
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
		g.t.Fatalf("invoice number %q: write it like 12-P01, 12-C01, 12-P02X, or 12 without a side", number)
	}
	sequence, _ := strconv.Atoi(match[3])
	purchased := g.optionalDay("purchase_date")
	if purchased == nil {
		g.t.Fatal("an invoice line needs purchase_date")
	}
	total := unitCents(g.t, g.text("total", "100.00"))
	balance := unitCents(g.t, g.text("balance", "0.00"))
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
		Currency:   "CAD",
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
		cents := unitCents(g.t, *maximum)
		p.PolicyMaximumCents = &cents
	}
	return p
}

func (g *givenRow) insurer() contract.Insurer {
	return contract.Insurer{PayerID: g.text("payer_id", "sun"), Name: g.text("name", "Sun Life"), ObservedOn: g.asOf}
}

func (g *givenRow) shift() contract.Shift {
	from := g.optionalDay("period_from")
	if from == nil {
		g.t.Fatal("hours need period_from")
	}
	minutes := func(column string) int64 { return unitCents(g.t, g.text(column, "0.00")) * 60 / 100 }
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
		AmountCents:   unitCents(g.t, g.text("amount", "0.00")),
		Currency:      "CAD",
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
		AmountCents:   unitCents(g.t, g.text("amount", "0.00")),
		Currency:      "CAD",
		ObservedOn:    g.asOf,
	}
}
