package transforms_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/tabular"
)

// keys are those of transformer.
func keys(t testing.TB) identity.Keys {
	t.Helper()
	secret, err := identity.NewSecret([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	k, err := identity.Derive(secret)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// pseudonym is what the test clinic calls a source id.
func pseudonym(t testing.TB, kind identity.Kind, id string) string {
	return keys(t).Pseudonym(kind, id)
}

// read reads a CSV whose name tells no range.
func read(t testing.TB, body string, change ...func(*extractors.Report)) (*transforms.Batch, error) {
	t.Helper()
	report := extractors.Report{Name: "report.csv", Body: []byte(body), StatedRows: -1}
	for _, c := range change {
		c(&report)
	}
	return transformer(t).Read(t.Context(), report)
}

func mustRead(t testing.TB, body string, change ...func(*extractors.Report)) *transforms.Batch {
	t.Helper()
	b, err := read(t, body, change...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func named(name string) func(*extractors.Report) { return func(r *extractors.Report) { r.Name = name } }

func date(text string) int32 {
	d, err := civil.ParseDate(text)
	if err != nil {
		panic(err)
	}
	return contract.DayOf(d)
}

// moment reads RFC 3339.
func moment(text string) int64 {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return at.UnixMicro()
}

func equal(t testing.TB, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", spell(got), spell(want))
	}
}

const (
	ann = "11111111-aaaa-4aaa-8aaa-111111111111"
	ben = "22222222-bbbb-4bbb-8bbb-222222222222"
)

const appointmentsHeader = "id,location_name,start_at,end_at,patient_guid,patient_first_name,treatment_name,staff_member_name,state,first_visit,booked_at,arrived_at,booked_online,cancelled_at,cancelled_reason,notes_text\n"

func TestAppointments(t *testing.T) {
	b := mustRead(t, "\xef\xbb\xbfAppointments\n\n"+appointmentsHeader+
		// An arrived visit with an offset, a UTC stamp and a local one.
		"7,Harbour Street,2026-09-01 08:30:00 -0400,2026-09-01 09:15:00 -0400,"+strings.ToUpper(ann)+",Ann,Physiotherapy Treatment,Robin Vale,Arrived,yes,2026-08-20 16:00:00 UTC,2026-09-01 08:28:00,1,,,bad knee\n"+
		// A late evening in Toronto is the next day in UTC; the service day is local.
		"8,Harbour Street,2026-09-02 02:30:00 UTC,2026-09-02 03:00:00 UTC,"+ben+",Ben,Massage,Kim Ode,Cancelled,no,2026-08-21 10:00:00 -0400,,0,2026-08-31 12:00:00 -0400,has a cold,\n"+
		// A group: one row, a seat each, in the order of pseudonyms.
		"9,Harbour Street,2026-09-03 10:00:00 -0400,2026-09-03 11:00:00 -0400,"+ben+"; "+ann+";"+ben+",Ben; Ann,Group Class,Kim Ode,no-show,,2026-08-22 10:00:00 -0400,,,,,\n"+
		// A break and an empty slot have no patient.
		"10,Harbour Street,2026-09-03 12:00:00 -0400,2026-09-03 12:30:00 -0400,,,Break,Kim Ode,booked,,,,,,,\n"+
		"11,,2026-09-03 12:30:00 -0400,2026-09-03 13:00:00 -0400,,,,,Never Booked,,,,,,,\n", named("clinic_appointments_20260901_20270301.csv"))
	annID, benID := pseudonym(t, identity.Patient, ann), pseudonym(t, identity.Patient, ben)
	seen := date("2026-09-03") // the no-show's day; the name's end is bookings ahead
	group := contract.Appointment{AppointmentID: 9, Location: "Harbour Street", StaffMember: "Kim Ode", Treatment: "Group Class", State: "no_show",
		ServiceDate: date("2026-09-03"), StartsAt: moment("2026-09-03T14:00:00Z"), EndsAt: moment("2026-09-03T15:00:00Z"),
		TimeZone: "America/Toronto", BookedAt: new(moment("2026-08-22T14:00:00Z")), ObservedOn: seen}
	first, second := group, group
	first.Patient, second.Patient, second.Seat = new(min(annID, benID)), new(max(annID, benID)), 1
	equal(t, b.Appointments, []contract.Appointment{
		{AppointmentID: 7, Patient: &annID, Location: "Harbour Street", StaffMember: "Robin Vale", Treatment: "Physiotherapy Treatment", State: "arrived",
			ServiceDate: date("2026-09-01"), StartsAt: moment("2026-09-01T12:30:00Z"), EndsAt: moment("2026-09-01T13:15:00Z"), TimeZone: "America/Toronto",
			FirstVisit: new(true), BookedAt: new(moment("2026-08-20T16:00:00Z")), ArrivedAt: new(moment("2026-09-01T12:28:00Z")), BookedOnline: new(true), ObservedOn: seen},
		{AppointmentID: 8, Patient: &benID, Location: "Harbour Street", StaffMember: "Kim Ode", Treatment: "Massage", State: "cancelled",
			ServiceDate: date("2026-09-01"), StartsAt: moment("2026-09-02T02:30:00Z"), EndsAt: moment("2026-09-02T03:00:00Z"), TimeZone: "America/Toronto",
			FirstVisit: new(false), BookedAt: new(moment("2026-08-21T14:00:00Z")), BookedOnline: new(false),
			CancelledAt: new(moment("2026-08-31T16:00:00Z")), CancelledReason: new("illness"), ObservedOn: seen},
		first, second,
		{AppointmentID: 10, Location: "Harbour Street", StaffMember: "Kim Ode", Treatment: "Break", State: "booked", ServiceDate: date("2026-09-03"),
			StartsAt: moment("2026-09-03T16:00:00Z"), EndsAt: moment("2026-09-03T16:30:00Z"), TimeZone: "America/Toronto", ObservedOn: seen},
		{AppointmentID: 11, State: "never_booked", ServiceDate: date("2026-09-03"),
			StartsAt: moment("2026-09-03T16:30:00Z"), EndsAt: moment("2026-09-03T17:00:00Z"), TimeZone: "America/Toronto", ObservedOn: seen},
	})
	if b.Dataset != contract.Appointments || b.Rows != 5 || b.Covers.String() != "2026-09-01..2027-03-01" || b.ForbiddenCells != 4 || len(b.Dropped) != 0 {
		t.Errorf("batch %s: %d rows covering %s, %d forbidden cells, dropped %v", b.Dataset, b.Rows, b.Covers, b.ForbiddenCells, b.Dropped)
	}
	if b.ReportDate.String() != "2026-09-03" || len(b.Remarks) != 0 {
		t.Errorf("report date %s, remarks %v", b.ReportDate, b.Remarks)
	}
}

// Rows of one id: equal ones are one, of others the one with the newest stamp counts.
func TestDoubledAppointments(t *testing.T) {
	line := func(state, cancelled string) string {
		return "7,L,2026-09-01 08:30:00,2026-09-01 09:15:00," + ann + ",Ann,T,R," + state + ",,2026-08-20 16:00:00,,," + cancelled + ",,\n"
	}
	booked, cancelled := line("booked", ""), line("cancelled", "2026-08-25 10:00:00")
	for _, order := range [][]string{{booked, cancelled, booked}, {cancelled, booked, booked}, {booked, booked, cancelled}} {
		b := mustRead(t, appointmentsHeader+strings.Join(order, ""))
		if len(b.Appointments) != 1 || b.Appointments[0].State != contract.Cancelled {
			t.Errorf("%d appointments, the first %s", len(b.Appointments), b.Appointments[0].State)
		}
		if b.Remarks[transforms.RepeatedRow] != 1 || b.Remarks[transforms.ConflictingRow] != 1 {
			t.Errorf("remarks %v", b.Remarks)
		}
	}
}

const salesHeader = "Location,Purchase Date,Invoice Date,Patient Guid,Patient,Item,Staff Member,Payer,Invoice #,Income Category,Details,Status,Subtotal,HST,Total,Collected,Balance\n"

// sale is a line of a sales report for Ann.
func sale(invoice, payer, item, total, balance string) string {
	return "Harbour Street,2026-09-01,2026-09-02," + ann + ",Ann Smith," + item + ",Robin Vale," + payer + "," + invoice + ",Treatments,details,Unpaid," + total + ",," + total + ",0," + balance + "\n"
}

func TestInvoiceLines(t *testing.T) {
	b := mustRead(t, salesHeader+
		"Harbour Street,2026-09-01,\"Sep 3, 2026\","+ann+",Ann Smith,Physiotherapy Treatment,Robin Vale,Ann Smith,1531-P01,Treatments,knee,Partially Paid,\"$1,000.00\",$130.00,\"$1,130.00\",130.00,\"1,000.00\"\n"+
		"Harbour Street,2026-09-01,2026-09-01,"+ann+",Ann Smith,Physiotherapy Treatment,Robin Vale,Sun Life (Patient Pre-Pay),1531-C01,Treatments,,no_charge,(95.00),0,-95.00,0.00,($95.00)\n"+
		"Harbour Street,2026-09-01,2026-09-01,"+ann+",Ann Smith,Foam Roller,,Ann Smith,1530-P02X,Products,,mystery,20.00,2.00,22.60,22.60,0\n",
		named("harbour_sales_20260901_20260930 (1).csv"))
	annID, sunLife, seen := pseudonym(t, identity.Patient, ann), pseudonym(t, identity.Payer, "sun life"), date("2026-09-30")
	equal(t, b.InvoiceLines, []contract.InvoiceLine{
		{InvoiceNumber: "1530-P02X", InvoiceBase: "1530", InvoiceSide: "P", InvoiceSequence: 2, IsReversal: true, Item: "Foam Roller",
			PurchaseDate: date("2026-09-01"), InvoiceDate: date("2026-09-01"), Patient: annID, Location: "Harbour Street", PayerKind: "person",
			IncomeCategory: "Products", Status: "other", SubtotalCents: 2000, TaxCents: 260, TotalCents: 2260, CollectedCents: 2260, Currency: "CAD", ObservedOn: seen},
		{InvoiceNumber: "1531-C01", InvoiceBase: "1531", InvoiceSide: "C", InvoiceSequence: 1, Item: "Physiotherapy Treatment",
			PurchaseDate: date("2026-09-01"), InvoiceDate: date("2026-09-01"), Patient: annID, StaffMember: "Robin Vale", Location: "Harbour Street",
			PayerKind: "insurer", PayerID: &sunLife, IsPrepay: true, IncomeCategory: "Treatments", Status: "no_charge",
			SubtotalCents: -9500, TotalCents: -9500, BalanceCents: -9500, Currency: "CAD", ObservedOn: seen},
		{InvoiceNumber: "1531-P01", InvoiceBase: "1531", InvoiceSide: "P", InvoiceSequence: 1, Item: "Physiotherapy Treatment",
			PurchaseDate: date("2026-09-01"), InvoiceDate: date("2026-09-03"), Patient: annID, StaffMember: "Robin Vale", Location: "Harbour Street",
			PayerKind: "person", IncomeCategory: "Treatments", Status: "partially_paid", SubtotalCents: 100000, TaxCents: 13000, TotalCents: 113000,
			CollectedCents: 13000, BalanceCents: 100000, Currency: "CAD", ObservedOn: seen},
	})
	// The tax of 2.00 does not make 22.60 of 20.00; the status `mystery` is not known.
	equal(t, b.Remarks, map[transforms.Remark]int{transforms.TaxDisagrees: 1, transforms.UnknownLineStatus: 1})
	if b.Covers.String() != "2026-09-01..2026-09-30" || b.ReportDate.String() != "2026-09-30" || b.PayerNames != nil {
		t.Errorf("covers %s, report date %s, payer names %v", b.Covers, b.ReportDate, b.PayerNames)
	}
}

func TestPayers(t *testing.T) {
	b := mustRead(t, salesHeader+
		sale("1-P01", "Sun Life", "A", "1.00", "0")+ // on the patient's invoice even an insurer's name is a person's
		sale("2-C01", "  green   SHIELD ", "A", "1.00", "0")+
		sale("3-C01", "Green Shield", "A", "1.00", "0")+
		sale("4", "sun life", "A", "1.00", "0")+ // without a side the settings decide
		sale("5", "Ann Smith", "A", "1.00", "0")+
		sale("6", "Green Shield (Patient Pre-Pay)", "A", "1.00", "0")+
		sale("7", "", "A", "1.00", "0"))
	type payer struct {
		number, kind, id string
		prepay           bool
	}
	var got []payer
	for _, l := range b.InvoiceLines {
		id := ""
		if l.PayerID != nil {
			id = *l.PayerID
		}
		got = append(got, payer{l.InvoiceNumber, l.PayerKind, id, l.IsPrepay})
	}
	sun, green := pseudonym(t, identity.Payer, "sun life"), pseudonym(t, identity.Payer, "green shield")
	equal(t, got, []payer{{"1-P01", "person", "", false}, {"2-C01", "insurer", green, false}, {"3-C01", "insurer", green, false},
		{"4", "insurer", sun, false}, {"5", "person", "", false}, {"6", "insurer", green, true}, {"7", "person", "", false}})

	// A name that only a caller knows counts like one of the settings.
	known := transformer(t, func(o *transforms.Options) { o.KnownInsurers = []string{"GREEN Shield"} })
	b, err := known.Read(t.Context(), extractors.Report{Name: "x", Body: []byte(salesHeader + sale("8", "Green Shield", "A", "1", "0")), StatedRows: -1})
	if err != nil || b.InvoiceLines[0].PayerKind != contract.InsurerKind {
		t.Errorf("%v, %+v", err, b)
	}
}

// Lines of one invoice and item are counted in the order of their content; equal ones are all kept.
func TestOrdinals(t *testing.T) {
	lines := []string{sale("1-P01", "Ann", "Tape", "9.00", "9.00"), sale("1-P01", "Ann", "Tape", "5.00", "0"), sale("1-P01", "Ann", "Tape", "5.00", "0"),
		sale("1-P01", "Ann", "Roller", "5.00", "0"), sale("1-P02", "Ann", "Tape", "5.00", "0")}
	type line struct {
		number, item   string
		ordinal, total int64
	}
	want := []line{{"1-P01", "Roller", 0, 500}, {"1-P01", "Tape", 0, 500}, {"1-P01", "Tape", 1, 500}, {"1-P01", "Tape", 2, 900}, {"1-P02", "Tape", 0, 500}}
	for range 4 {
		lines = append(lines[1:], lines[0])
		var got []line
		for _, l := range mustRead(t, salesHeader+strings.Join(lines, "")).InvoiceLines {
			got = append(got, line{l.InvoiceNumber, l.Item, int64(l.Ordinal), l.TotalCents})
		}
		equal(t, got, want)
	}
}

const claimsHeader = "Claim Id,Invoice #,Patient Guid,Patient,Insurer,Policy #,Service Date,Folder,Submitted Date,Response Date,Claimed,Approved,Adjuster,Notes\n"

func TestClaims(t *testing.T) {
	b := mustRead(t, claimsHeader+
		"41,1531-C01,"+ann+",Ann,Sun Life,AB 12,2026-09-01,Rejected,2026-09-02,2026-09-20,95.00,0.00,Al,no\n"+
		"42,1531-C01,"+ann+",Ann,SUN LIFE,ab12,2026-09-01,Response Received,2026-10-22,2026-11-02,$95.00,$40.00,,\n"+
		"43,1540-C01,"+ben+",Ben,Green Shield,,2026-09-05,Draft,,,,,,\n"+
		"42,1531-C01,"+ann+",Ann,Sun Life,AB12,2026-09-01,Submitted,2026-10-22,,$95.00,,,\n", // an older state of 42
		named("c_claims_20260901_20260930.csv"))
	annID, sun, green, policy := pseudonym(t, identity.Patient, ann), pseudonym(t, identity.Payer, "sun life"), pseudonym(t, identity.Payer, "green shield"), pseudonym(t, identity.Policy, "AB12")
	seen := date("2026-11-02") // the September range was exported after the answer of 2 November
	want := []contract.Claim{
		{ClaimID: pseudonym(t, identity.Claim, "41"), InvoiceNumber: "1531-C01", Patient: annID, PayerID: sun, PolicyID: &policy, ServiceDate: date("2026-09-01"),
			Folder: "rejected", SubmittedOn: new(date("2026-09-02")), RespondedOn: new(date("2026-09-20")), ClaimedCents: new(int64(9500)), ApprovedCents: new(int64(0)), ObservedOn: seen},
		{ClaimID: pseudonym(t, identity.Claim, "42"), InvoiceNumber: "1531-C01", Patient: annID, PayerID: sun, PolicyID: &policy, ServiceDate: date("2026-09-01"),
			Folder: "response_received", SubmittedOn: new(date("2026-10-22")), RespondedOn: new(date("2026-11-02")), ClaimedCents: new(int64(9500)), ApprovedCents: new(int64(4000)), ObservedOn: seen},
		{ClaimID: pseudonym(t, identity.Claim, "43"), InvoiceNumber: "1540-C01", Patient: pseudonym(t, identity.Patient, ben), PayerID: green, ServiceDate: date("2026-09-05"),
			Folder: "draft", ObservedOn: seen},
	}
	slices.SortFunc(want, func(a, b contract.Claim) int { return strings.Compare(a.ClaimID, b.ClaimID) })
	equal(t, b.Claims, want)
	equal(t, b.PayerNames, map[string]string{sun: "SUN LIFE", green: "Green Shield"})
	if b.ReportDate.String() != "2026-09-30" || b.Remarks[transforms.ConflictingRow] != 1 {
		t.Errorf("report date %s, remarks %v", b.ReportDate, b.Remarks)
	}
}

const policiesHeader = "Patient,Patient Guid,Insurer(s),Name,Claim #,Policy #,Status,End Date,Adjuster,Number of Treatments,Max Treatments,Policy Maximum,Next Appointment,Notes\n"

func TestPolicies(t *testing.T) {
	b := mustRead(t, policiesHeader+
		"Ann,"+ann+",\"Sun Life; Green Shield\",My plan,,P-1,Open,2026-12-31,Al,3,12,\"$1,500.00\",2026-10-01,\n"+
		"Ben,"+ben+",\"Sun Life\nSun Life\",,C9,,Awaiting Review,,,,,,,\n"+
		// The same number twice: the one that lasts longest holds.
		"Ann,"+ann+",Sun Life,,,P-1,Closed,2025-12-31,,12,12,,,\n",
		named("c_insurance_policies_20260901_20260930.xlsx"))
	annID, benID := pseudonym(t, identity.Patient, ann), pseudonym(t, identity.Patient, ben)
	sun, green := pseudonym(t, identity.Payer, "sun life"), pseudonym(t, identity.Payer, "green shield")
	one, none, seen := pseudonym(t, identity.Policy, "P-1"), pseudonym(t, identity.Policy, ""), date("2026-09-30")
	open := contract.Policy{Patient: annID, PayerID: sun, PolicyID: one, Status: "open", EndDate: new(date("2026-12-31")), TreatmentsUsed: new(int32(3)),
		MaxTreatments: new(int32(12)), PolicyMaximumCents: new(int64(150000)), ObservedOn: seen}
	other := open
	other.PayerID = green
	want := []contract.Policy{open, other, {Patient: benID, PayerID: sun, PolicyID: none, Status: "awaiting_review", ObservedOn: seen}}
	slices.SortFunc(want, func(a, b contract.Policy) int { return strings.Compare(a.Key(), b.Key()) })
	equal(t, b.Policies, want)
	equal(t, b.Remarks, map[transforms.Remark]int{transforms.RepeatedRow: 1, transforms.ConflictingRow: 1})
}

const shiftHeader = "Staff Name,Shift Total Hours,Break Total Hours,Appointment Total Hours,Appointment Total Count\n"

func TestShifts(t *testing.T) {
	body := "Hours\n\"Date range: 2026-09-01 to 2026-09-30\"\n\n" + shiftHeader + "Robin Vale,152.5,10,120.25,160\nKim Ode,40,0,30,40\nKim Ode,20,1,10,5\nRobin Vale,152.5,10,120.25,160\n"
	b := mustRead(t, body)
	month := contract.Shift{PeriodFrom: date("2026-09-01"), PeriodTo: date("2026-09-30"), ObservedOn: date("2026-09-30")}
	robin, kim := month, month
	robin.StaffMember, robin.ShiftMinutes, robin.BreakMinutes, robin.BookedMinutes, robin.BookedCount = "Robin Vale", 9150, 600, 7215, 160
	kim.StaffMember, kim.ShiftMinutes, kim.BreakMinutes, kim.BookedMinutes, kim.BookedCount = "Kim Ode", 3600, 60, 2400, 45 // two rows of hers
	equal(t, b.Shifts, []contract.Shift{kim, robin})
	equal(t, b.Remarks, map[transforms.Remark]int{transforms.RepeatedRow: 1})

	// The name's range goes before the preamble's; without either nobody knows the period.
	if b := mustRead(t, body, named("c_shift_20261001_20261031.csv")); b.Covers.String() != "2026-10-01..2026-10-31" {
		t.Errorf("covers %s", b.Covers)
	}
	_, err := read(t, shiftHeader+"Kim Ode,1,1,1,1\n")
	if err == nil || !strings.Contains(err.Error(), "nothing tells which days") {
		t.Errorf("a shift report without days: %v", err)
	}
}

func TestStaffPseudonyms(t *testing.T) {
	tr := transformer(t, func(o *transforms.Options) { o.Settings.PseudonymStaff = true })
	for _, body := range []string{
		appointmentsHeader + "7,L,2026-09-01 08:30:00,2026-09-01 09:15:00," + ann + ",Ann,T,Robin Vale,booked,,,,,,,\n",
		salesHeader + sale("1-P01", "Ann", "A", "1.00", "0"),
		"Date range: 2026-09-01 to 2026-09-30\n" + shiftHeader + "robin vale,1,1,1,1\n",
	} {
		b, err := tr.Read(t.Context(), extractors.Report{Name: "x", Body: []byte(body), StatedRows: -1})
		if err != nil {
			t.Fatal(err)
		}
		var staff string
		switch {
		case len(b.Appointments) > 0:
			staff = b.Appointments[0].StaffMember
		case len(b.InvoiceLines) > 0:
			staff = b.InvoiceLines[0].StaffMember
		default:
			staff = b.Shifts[0].StaffMember
		}
		if want := pseudonym(t, identity.Staff, "robin vale"); staff != want {
			t.Errorf("%s: staff member %s, want %s", b.Dataset, staff, want)
		}
	}
}

func TestInsurers(t *testing.T) {
	tr := transformer(t)
	sun, green, blue := tr.PayerID("Sun Life"), tr.PayerID("Green Shield"), tr.PayerID("Blue Cross")
	names := map[string]string{}
	transforms.MergePayerNames(names, map[string]string{sun: "sun life", green: "green shield"})
	transforms.MergePayerNames(names, map[string]string{green: "Green Shield", blue: "Blue Cross"})
	got := tr.Insurers(names, map[string]int{sun: 3, green: 3, blue: 2, "p1_unlisted": 50}, civil.Date{Year: 2026, Month: 9, Day: 30})
	want := []contract.Insurer{{PayerID: sun, Name: "Sun Life", ObservedOn: date("2026-09-30")}, {PayerID: green, Name: "Green Shield", ObservedOn: date("2026-09-30")}}
	slices.SortFunc(want, func(a, b contract.Insurer) int { return strings.Compare(a.PayerID, b.PayerID) })
	equal(t, got, want)
}

func TestCoverage(t *testing.T) {
	line := sale("1-P01", "Ann", "A", "1.00", "0")
	sept := extractors.Window{From: civil.Date{Year: 2026, Month: 9, Day: 1}, To: civil.Date{Year: 2026, Month: 9, Day: 30}}
	tests := []struct {
		name, body             string
		change                 func(*extractors.Report)
		covers, seen, reported string
	}{
		{"rows alone", salesHeader + line, func(*extractors.Report) {}, "2026-09-01..2026-09-01", "2026-09-02", "2026-09-02"},
		{"name", salesHeader + line, named("x_20260801_20260930.csv"), "2026-08-01..2026-09-30", "2026-09-30", "2026-09-30"},
		{"folders and prefixes", salesHeader + line, named(`C:\20200101_20200102\x-20260801-20260930.csv`), "2026-08-01..2026-09-30", "2026-09-30", "2026-09-30"},
		{"impossible name", salesHeader + line, named("x_20269901_20260930.csv"), "2026-09-01..2026-09-01", "2026-09-02", "2026-09-02"},
		{"preamble in one cell", "\"Date range: Aug 1, 2026 - Sep 30, 2026\"\n" + salesHeader + line, func(*extractors.Report) {}, "2026-08-01..2026-09-30", "2026-09-30", "2026-09-30"},
		{"preamble in two cells", "Date range:,2026-08-01 to 2026-09-30\n" + salesHeader + line, func(*extractors.Report) {}, "2026-08-01..2026-09-30", "2026-09-30", "2026-09-30"},
		{"asked", salesHeader + line, func(r *extractors.Report) { r.Range = sept }, "2026-09-01..2026-09-30", "2026-09-30", "2026-09-30"},
		{"told", salesHeader + line, func(r *extractors.Report) { r.Range, r.ObservedOn = sept, civil.Date{Year: 2026, Month: 10, Day: 5} }, "2026-09-01..2026-09-30", "2026-10-05", "2026-10-05"},
		{"an invoice after the range shows when it was exported", salesHeader + line, named("x_20260801_20260901.csv"), "2026-08-01..2026-09-01", "2026-09-02", "2026-09-01"},
		{"an invoice of another age is a mistake", salesHeader + strings.Replace(line, "2026-09-02", "2062-09-02", 1), named("x_20260801_20260930.csv"), "2026-08-01..2026-09-30", "2026-09-30", "2026-09-30"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := mustRead(t, test.body, test.change)
			if b.Covers.String() != test.covers || b.ObservedOn.String() != test.seen || b.ReportDate.String() != test.reported {
				t.Errorf("covers %s, seen %s, reported %s", b.Covers, b.ObservedOn, b.ReportDate)
			}
			if b.InvoiceLines[0].ObservedOn != date(test.seen) {
				t.Errorf("the row was seen on %s", contract.DateOf(b.InvoiceLines[0].ObservedOn))
			}
		})
	}
	b := mustRead(t, salesHeader+line, named("x_20260901_20260901.csv"))
	if len(b.Remarks) != 0 {
		t.Errorf("remarks %v", b.Remarks)
	}
	b = mustRead(t, salesHeader+line, named("x_20261001_20261031.csv"))
	if b.Remarks[transforms.OutsideRange] != 1 {
		t.Errorf("a row outside the range is not remarked: %v", b.Remarks)
	}
}

// Rows and columns in another order, in CSV or XLSX, give the same batch.
func TestOrderDoesNotMatter(t *testing.T) {
	tr := transformer(t)
	for _, report := range []string{"appointments", "sales"} {
		rows := bigReport(report, 300)
		var first *transforms.Batch
		for i := range 4 {
			shuffled := shuffle(rows, uint64(i))
			for format, body := range map[string][]byte{"csv": csvOf(shuffled), "xlsx": xlsxOf(t, shuffled)} {
				b, err := tr.Read(t.Context(), extractors.Report{Name: report, Body: body, StatedRows: 300})
				if err != nil {
					t.Fatal(format, err)
				}
				b.Format = ""
				if first == nil {
					first = b
					continue
				}
				equal(t, b, first)
			}
		}
	}
}

func TestWhatWasPromised(t *testing.T) {
	body := salesHeader + sale("1-P01", "Ann", "A", "1.00", "0") + "\n" + sale("2-P01", "Ann", "A", "1.00", "0")
	stated := func(n int) func(*extractors.Report) { return func(r *extractors.Report) { r.StatedRows = n } }
	mustRead(t, body, stated(2))
	_, err := read(t, body, stated(3))
	var failure *extractors.Failure
	if !errors.As(err, &failure) || failure.Cause != extractors.ExportIncomplete || !strings.Contains(err.Error(), "promised 3 rows, the file holds 2") {
		t.Errorf("a row too few: %v", err)
	}
	if b := mustRead(t, salesHeader, stated(0), named("x_20260901_20260930.csv")); b.Rows != 0 || b.Covers.IsZero() {
		t.Errorf("a promised empty export: %+v", b)
	}
	if _, err := read(t, salesHeader); !errors.Is(err, transforms.ErrNoRows) || !strings.Contains(err.Error(), "report.csv: the export of sales holds a header and no rows") {
		t.Errorf("an empty export: %v", err)
	}
	asked := func(r *extractors.Report) {
		r.Range = extractors.Window{From: civil.Date{Year: 2026, Month: 8, Day: 1}, To: civil.Date{Year: 2026, Month: 9, Day: 30}}
		r.Name, r.Complete = "x_20260901_20260930.csv", true
	}
	if _, err := read(t, body, asked); !errors.As(err, &failure) || !strings.Contains(err.Error(), "2026-08-01..2026-09-30 was asked for, the file is about 2026-09-01..2026-09-30") {
		t.Errorf("another range than asked: %v", err)
	}
	other := func(r *extractors.Report) { r.Dataset = contract.Claims }
	if _, err := read(t, body, other); err == nil || !strings.Contains(err.Error(), "holds invoice_lines where claims were asked for") {
		t.Errorf("another report than asked: %v", err)
	}
}

// A batch shares no memory with the file, whose bytes are overwritten when it is done with.
func TestBatchKeepsNothingOfTheBody(t *testing.T) {
	for _, report := range []string{"appointments", "sales"} {
		rows := bigReport(report, 50)
		for _, body := range [][]byte{csvOf(rows), xlsxOf(t, rows)} {
			b, err := transformer(t).Read(t.Context(), extractors.Report{Name: "x", Body: body, StatedRows: -1})
			if err != nil {
				t.Fatal(err)
			}
			before := spell(b)
			for i := range body {
				body[i] = 'X'
			}
			if spell(b) != before {
				t.Errorf("%s as %s changed with the file's bytes", report, b.Format)
			}
		}
	}
}

func TestCancelledContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rows := bigReport("sales", 2000)
	_, err := transformer(t).Read(ctx, extractors.Report{Name: "x", Body: csvOf(rows), StatedRows: -1})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestNewChecksOptions(t *testing.T) {
	if _, err := transforms.New(transforms.Options{}); err == nil {
		t.Error("no keys were accepted")
	}
	if _, err := transforms.New(transforms.Options{Keys: keys(t)}); err == nil || !strings.Contains(err.Error(), "--settings") {
		t.Errorf("no settings: %v", err)
	}
	o := transforms.Options{Keys: keys(t)}
	o.Settings.Currency = "CAD"
	if _, err := transforms.New(o); err == nil {
		t.Error("no zone was accepted")
	}
	o.Zone = time.UTC
	if _, err := transforms.New(o); err != nil {
		t.Error(err)
	}
}

// The limits of a file are passed on.
func TestLimits(t *testing.T) {
	tr := transformer(t, func(o *transforms.Options) { o.Limits = tabular.Limits{RowBytes: 100} })
	_, err := tr.Read(t.Context(), extractors.Report{Name: "x", Body: []byte(salesHeader), StatedRows: -1})
	if err == nil || !strings.Contains(err.Error(), "longer than 100 bytes") {
		t.Errorf("error %v", err)
	}
}
