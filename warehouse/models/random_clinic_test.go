package models

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// randomClinic is a small clinic in which everything happens that the datasets can express, likely or not.
type randomClinic struct {
	random       *rand.Rand
	zone         *time.Location
	asOf         civil.Date
	Settings     settings.Clinic
	Appointments []contract.Appointment
	Shifts       []contract.Shift
	Periods      []contract.Shift
	Adjustments  []contract.Adjustment
	WriteOffs    []contract.Adjustment
	Applied      []contract.AppliedPayment
	Lines        []contract.InvoiceLine
	Claims       []contract.Claim
	Policies     []contract.Policy
	Insurers     []contract.Insurer
	Unscheduled  []contract.UnscheduledPatient
	Credits      []contract.Credit
	Receivables  []contract.Receivable
	Said         []contract.LeakStep
}

var randomItems = []string{"Physio", "Massage", "Unlisted"}

func newRandomClinic(t *testing.T, seed uint64, patients int) *randomClinic {
	t.Helper()
	return newRandomClinicIn(t, "America/Toronto", seed, patients)
}

func newRandomClinicIn(t *testing.T, zoneName string, seed uint64, patients int) *randomClinic {
	t.Helper()
	zone, err := time.LoadLocation(zoneName)
	if err != nil {
		t.Fatal(err)
	}
	c := &randomClinic{
		random: rand.New(rand.NewPCG(seed, 7)),
		zone:   zone,
		asOf:   civil.Date{Year: 2026, Month: time.March, Day: 31},
		Settings: settings.Clinic{
			Name: "Random", TimeZone: zoneName, Currency: "CAD", WeekStarts: "sunday",
			Disciplines: []settings.Discipline{{Name: "Massage Therapy", FalloffDays: 60}},
			Prices: []settings.Price{
				{Item: "Physio", Discipline: "Physiotherapy", GrossCents: 10000},
				{Item: "Physio", Discipline: "Physiotherapy", Location: "North", GrossCents: 11000},
				{Item: "Massage", Discipline: "Massage Therapy", GrossCents: 9000},
			},
			Fees: []settings.Fee{
				{Kind: settings.NoShow, Item: "No Show Fee", GrossCents: 5000},
				{Kind: settings.LateCancel, Item: "Late Cancellation Fee", GrossCents: 4000, NoticeHours: 24},
			},
		},
	}
	for i := range patients {
		c.addPatient(fmt.Sprintf("p1_%03d", i))
	}
	for i := range 3 {
		c.Insurers = append(c.Insurers, contract.Insurer{PayerID: payer(i), Name: fmt.Sprintf("Insurer %d", i), ObservedOn: contract.DayOf(c.asOf)})
	}
	c.addHours()
	c.addAdjustments()
	c.addUnscheduled()
	c.addTotals()
	c.addSaid()
	return c
}

// addUnscheduled lists some of the patients, seventy days before D.
func (c *randomClinic) addUnscheduled() {
	seen := map[string]int32{}
	for _, a := range c.Appointments {
		if a.State == contract.Arrived && a.ServiceDate <= contract.DayOf(c.asOf)-70 {
			seen[*a.Patient] = max(seen[*a.Patient], a.ServiceDate)
		}
	}
	for _, patient := range slices.Sorted(maps.Keys(seen)) {
		last := seen[patient]
		if u := (contract.UnscheduledPatient{Patient: patient, ObservedOn: contract.DayOf(c.asOf) - 70}); c.chance(60) {
			if c.chance(90) {
				u.LastVisitOn = &last
			}
			c.Unscheduled = append(c.Unscheduled, u)
		}
	}
}

// addHours gives months to some staff, days to all, some of them within a month.
func (c *randomClinic) addHours() {
	for i := range 3 {
		staff := fmt.Sprintf("Staff %d", i)
		for back := range 90 {
			day := contract.DayOf(c.asOf.AddDays(3 - back))
			if c.chance(60) {
				c.Shifts = append(c.Shifts, contract.Shift{StaffMember: staff, PeriodFrom: day, PeriodTo: day, ShiftMinutes: 480,
					BreakMinutes: 30, BookedMinutes: int64(c.random.IntN(480)), BookedCount: 7, ObservedOn: contract.DayOf(c.asOf)})
			}
		}
		from := c.asOf.AddDays(-60)
		c.Periods = append(c.Periods, contract.Shift{StaffMember: staff, PeriodFrom: contract.DayOf(from), PeriodTo: contract.DayOf(from.AddDays(29)),
			ShiftMinutes: 9600, BookedMinutes: int64(c.random.IntN(9600)), ObservedOn: contract.DayOf(c.asOf)})
	}
}

// addSaid has somebody say something of the patient's share of some invoices, whether it is a leak or not, up to three times.
func (c *randomClinic) addSaid() {
	said := []string{contract.LeakOpen, contract.LeakAssigned, contract.LeakContacted, contract.LeakWrittenOff, contract.LeakExpired}
	seen := map[string]bool{}
	for _, l := range c.Lines {
		leak := "patient_balance_aged/" + l.InvoiceBase + "-P"
		if seen[leak] || !c.chance(20) {
			continue
		}
		seen[leak] = true
		on := l.PurchaseDate + int32(c.random.IntN(60))
		for i := range 1 + c.random.IntN(3) {
			patient := l.Patient
			c.Said = append(c.Said, contract.LeakStep{
				LeakID: leak, Sequence: int32(i + 1), SaidAt: int64(on)*24*time.Hour.Microseconds() + int64(c.random.IntN(24))*time.Hour.Microseconds(),
				SaidOn: on, State: said[c.random.IntN(len(said))], Actor: "p1_somebody", Patient: &patient, ObservedOn: on,
			})
			on += int32(1 + c.random.IntN(20))
		}
	}
}

// addTotals gives the portal's own totals: what they say has nothing to do with the rest.
func (c *randomClinic) addTotals() {
	for back := range 12 {
		from := civil.Date{Year: 2026, Month: time.March, Day: 1}.AddMonths(-back)
		c.Receivables = append(c.Receivables, contract.Receivable{PeriodFrom: contract.DayOf(from), PeriodTo: contract.DayOf(from.AddMonths(1)) - 1,
			ClosingCents: int64(c.random.IntN(1_000_000)), Currency: "CAD", ObservedOn: contract.DayOf(c.asOf)})
		c.Credits = append(c.Credits, contract.Credit{AsOf: contract.DayOf(from), Account: "p1_001", PayerKind: contract.Person,
			CreditCents: int64(c.random.IntN(5000)), Currency: "CAD", ObservedOn: contract.DayOf(c.asOf)})
	}
}

// addAdjustments takes something off some invoices; some write-offs are in both reports.
func (c *randomClinic) addAdjustments() {
	kinds := contract.AdjustmentKinds()
	seen := map[string]bool{}
	for _, l := range c.Lines {
		if seen[l.InvoiceNumber] || !c.chance(10) {
			continue
		}
		seen[l.InvoiceNumber] = true
		a := contract.Adjustment{InvoiceNumber: l.InvoiceNumber, Kind: kinds[c.random.IntN(len(kinds))], AdjustedOn: l.PurchaseDate + int32(c.random.IntN(100)),
			Patient: l.Patient, PayerKind: l.PayerKind, PayerID: l.PayerID, AmountCents: int64(c.random.IntN(5000)), Currency: "CAD", ObservedOn: contract.DayOf(c.asOf)}
		if a.Kind == contract.WriteOff {
			c.WriteOffs = append(c.WriteOffs, a)
			if c.chance(50) {
				continue
			}
		}
		c.Adjustments = append(c.Adjustments, a)
	}
}

func payer(i int) string { return fmt.Sprintf("i1_%d", i) }

func (c *randomClinic) chance(percent int) bool { return c.random.IntN(100) < percent }

func (c *randomClinic) day(d civil.Date, hour int) int64 {
	return time.Date(d.Year, d.Month, d.Day, hour, c.random.IntN(60), 0, 0, c.zone).UnixMicro()
}

// addPatient walks from a first day to beyond D in steps around a pace, with the odd long pause.
func (c *randomClinic) addPatient(name string) {
	pace := 3 + c.random.IntN(40)
	day := c.asOf.AddDays(-c.random.IntN(700))
	for c.chance(93) && day.Before(c.asOf.AddDays(60)) {
		c.addAppointment(name, day)
		if c.chance(6) {
			c.addAppointment(name, day)
		}
		day = day.AddDays(1 + c.random.IntN(2*pace))
		if c.chance(6) {
			day = day.AddDays(30 + c.random.IntN(250))
		}
	}
	for i := range c.random.IntN(3) {
		p := contract.Policy{
			Patient: name, PayerID: payer(c.random.IntN(4)), PolicyID: fmt.Sprintf("%s-%d", name, i), Status: contract.PolicyOpen,
			ObservedOn: contract.DayOf(c.asOf),
		}
		if c.chance(50) {
			end := contract.DayOf(c.asOf.AddDays(-c.random.IntN(300)))
			p.EndDate = &end
		}
		if c.chance(50) {
			used, most := int32(c.random.IntN(20)), int32(c.random.IntN(20))
			p.TreatmentsUsed, p.MaxTreatments = &used, &most
		}
		if c.chance(30) {
			most := int64(c.random.IntN(100000))
			p.PolicyMaximumCents = &most
		}
		c.Policies = append(c.Policies, p)
	}
}

func (c *randomClinic) addAppointment(patient string, day civil.Date) {
	states := []string{contract.Arrived, contract.Arrived, contract.Arrived, contract.Arrived, contract.Booked, contract.Cancelled,
		contract.NoShow, contract.Archived, contract.Rescheduled}
	starts := c.day(day, 8+c.random.IntN(10))
	booked := c.day(day.AddDays(-c.random.IntN(70)), 1)
	a := contract.Appointment{
		AppointmentID: int64(len(c.Appointments) + 1), Patient: &patient,
		Location: []string{"Main", "North"}[c.random.IntN(2)], StaffMember: []string{"Kim", "Lee"}[c.random.IntN(2)],
		Treatment: randomItems[c.random.IntN(len(randomItems))], State: states[c.random.IntN(len(states))],
		ServiceDate: contract.DayOf(day), StartsAt: starts, EndsAt: starts + (30 * time.Minute).Microseconds(),
		TimeZone: c.zone.String(), ObservedOn: contract.DayOf(c.asOf),
	}
	if c.chance(90) {
		a.BookedAt = &booked
	}
	if c.chance(3) {
		first := true
		a.FirstVisit = &first
	}
	if a.State == contract.Arrived && c.chance(90) {
		arrived := c.day(day.AddDays(c.random.IntN(3)), 20)
		a.ArrivedAt = &arrived
	}
	if a.State == contract.Cancelled && c.chance(95) {
		cancelled := starts - int64(c.random.IntN(20*24))*time.Hour.Microseconds() + int64(c.random.IntN(48))*time.Hour.Microseconds()
		a.CancelledAt = &cancelled
	}
	if a.AppointmentID%2 == 0 && (a.State == contract.Archived || a.State == contract.Rescheduled) {
		a.ObservedOn += 3 // what it was at D is not known
	}
	c.Appointments = append(c.Appointments, a)
	if c.chance(5) {
		other := a
		friend := patient + "f"
		other.Patient, other.Seat = &friend, 1
		c.Appointments = append(c.Appointments, other)
	}
	if c.chance(80) {
		c.addInvoice(patient, a, day)
	}
}

// addInvoice bills the appointment (or its missing) to patient, insurers or both, in one to three editions.
func (c *randomClinic) addInvoice(patient string, a contract.Appointment, day civil.Date) {
	base := strconv.Itoa(900 + len(c.Lines))
	item := a.Treatment
	switch {
	case a.State == contract.NoShow:
		item = "No Show Fee"
	case a.State == contract.Cancelled:
		item = "Late Cancellation Fee"
	}
	line := contract.InvoiceLine{
		InvoiceBase: base, Item: item, PurchaseDate: a.ServiceDate,
		InvoiceDate: contract.DayOf(day.AddDays(c.random.IntN(20))), Patient: patient, StaffMember: a.StaffMember, Location: a.Location,
		IncomeCategory: []string{"Treatment", "Package Pass"}[c.random.IntN(2)], Status: contract.Unpaid, Currency: "CAD",
		ObservedOn: contract.DayOf(c.asOf),
	}
	sequence := int32(1)
	sides := [][]string{{"P"}, {"P", "C"}, {"C"}, {"P", "C", "C"}}[c.random.IntN(4)]
	for i, side := range sides {
		l := line
		l.InvoiceSide, l.PayerKind = side, contract.Person
		l.TotalCents = int64(c.random.IntN(3) * 4000)
		l.BalanceCents = int64(c.random.IntN(3)-1) * 1500
		if side == contract.InsurerSide {
			name := payer((len(c.Lines) + i) % 4)
			l.PayerKind, l.PayerID, l.IsPrepay = contract.InsurerKind, &name, c.chance(10)
		}
		for range 1 + c.random.IntN(2) {
			l.InvoiceSequence, l.IsReversal = sequence, false
			l.InvoiceNumber = fmt.Sprintf("%s-%s%02d", base, side, sequence)
			c.Lines = append(c.Lines, l)
			c.addMoney(l, day)
			if side == contract.InsurerSide {
				c.addClaims(l)
			}
			if sequence++; c.chance(25) {
				x := l
				x.IsReversal, x.InvoiceSequence = true, sequence
				x.InvoiceNumber = fmt.Sprintf("%s-%s%02dX", base, side, sequence)
				x.TotalCents, x.BalanceCents = -l.TotalCents, -l.BalanceCents
				c.Lines = append(c.Lines, x)
				sequence++
			}
		}
	}
}

// addMoney applies some payments to a line's invoice, some of them taken off again, some after the as-of day.
func (c *randomClinic) addMoney(l contract.InvoiceLine, day civil.Date) {
	for n := range c.random.IntN(3) {
		received := contract.DayOf(day.AddDays(c.random.IntN(60) - 10))
		a := contract.AppliedPayment{
			PaymentID: strconv.Itoa(500_000 + len(c.Applied)), InvoiceNumber: l.InvoiceNumber, ReceivedOn: received, AppliedOn: &received,
			PayerKind: l.PayerKind, PayerID: l.PayerID, AmountCents: int64(c.random.IntN(3)-1) * 1500, Currency: "CAD",
			ObservedOn: contract.DayOf(c.asOf),
		}
		if n == 1 && c.chance(30) {
			a.InvoiceNumber, a.AppliedOn = "", nil
		}
		c.Applied = append(c.Applied, a)
	}
}

func (c *randomClinic) addClaims(l contract.InvoiceLine) {
	folders := contract.Folders()
	for range c.random.IntN(3) {
		claim := contract.Claim{
			ClaimID: fmt.Sprintf("c1_%d", len(c.Claims)), InvoiceNumber: l.InvoiceNumber, Patient: l.Patient, PayerID: *l.PayerID,
			ServiceDate: l.PurchaseDate, Folder: folders[c.random.IntN(len(folders))], ObservedOn: contract.DayOf(c.asOf),
		}
		if sent := l.PurchaseDate + int32(c.random.IntN(40)); claim.Folder != contract.ClaimDraft && c.chance(95) {
			claim.SubmittedOn = &sent
			// What was never sent has no answer.
			isSent := claim.Folder != contract.ClaimUnsent && claim.Folder != contract.ClaimWaiting
			if answered := sent + int32(c.random.IntN(60)); c.chance(60) && isSent {
				claim.RespondedOn = &answered
			}
		}
		c.Claims = append(c.Claims, claim)
	}
}

// inputs writes the clinic's files, each dataset in as many parts as asked, its rows in the order that shuffle gives.
func (c *randomClinic) inputs(t *testing.T, parts int, shuffle *rand.Rand) Inputs {
	t.Helper()
	dir := t.TempDir()
	return Inputs{
		Settings: c.Settings, AsOf: c.asOf, Threads: 2,
		Tables: map[string][]string{
			contract.Appointments:        writeParts(t, dir, contract.Appointments, c.Appointments, parts, shuffle),
			contract.InvoiceLines:        writeParts(t, dir, contract.InvoiceLines, c.Lines, parts, shuffle),
			contract.Claims:              writeParts(t, dir, contract.Claims, c.Claims, parts, shuffle),
			contract.Policies:            writeParts(t, dir, contract.Policies, c.Policies, parts, shuffle),
			contract.Insurers:            writeParts(t, dir, contract.Insurers, c.Insurers, parts, shuffle),
			contract.Shifts:              writeParts(t, dir, contract.Shifts, c.Shifts, parts, shuffle),
			contract.ShiftPeriods:        writeParts(t, dir, contract.ShiftPeriods, c.Periods, parts, shuffle),
			contract.Adjustments:         writeParts(t, dir, contract.Adjustments, c.Adjustments, parts, shuffle),
			contract.WriteOffs:           writeParts(t, dir, contract.WriteOffs, c.WriteOffs, parts, shuffle),
			contract.UnscheduledPatients: writeParts(t, dir, contract.UnscheduledPatients, c.Unscheduled, parts, shuffle),
			contract.Credits:             writeParts(t, dir, contract.Credits, c.Credits, parts, shuffle),
			contract.AccountsReceivable:  writeParts(t, dir, contract.AccountsReceivable, c.Receivables, parts, shuffle),
			contract.LeakStates:          writeParts(t, dir, contract.LeakStates, c.Said, parts, shuffle),
			contract.AppliedPayments:     writeParts(t, dir, contract.AppliedPayments, c.Applied, parts, shuffle),
		},
	}
}

func writeParts[T any](t *testing.T, dir, name string, rows []T, parts int, shuffle *rand.Rand) []string {
	t.Helper()
	rows = slices.Clone(rows)
	if shuffle != nil {
		shuffle.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	}
	var files []string
	for i := range parts {
		path := filepath.Join(dir, fmt.Sprintf("%s-%d.parquet", name, i))
		writeRows(t, path, rows[i*len(rows)/parts:(i+1)*len(rows)/parts])
		files = append(files, path)
	}
	return files
}

// localDayOf is the clinic's day of an instant.
func localDayOf(c *randomClinic, micros int64) int32 {
	return contract.DayOf(civil.DateOf(time.UnixMicro(micros).In(c.zone)))
}
