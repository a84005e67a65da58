package transforms_test

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/identity"
)

const (
	paymentsHeader    = "Transaction #,Type,Date,Processing Date,Patient Guid,Patient,Payer,Payment Method,Applied To,Amount,Tip,Amount Paid to Clinic\n"
	publicHeader      = "Date,Payer,Payment Method,Applied To,Amount,Amount Paid to Clinic\n"
	appliedHeader     = "Transaction #,Payment Date,Applied Date,Purchase Date,Patient Guid,Payer,Invoice #,Applied Amount\n"
	adjustmentsHeader = "Adjustment Date,Adjustment Type,Invoice #,Purchase Date,Patient Guid,Payer,Staff Member,Location,Adjustment Amount,Reason\n"
	writeOffsHeader   = "Write Off Date,Invoice #,Purchase Date,Patient Guid,Payer,Amount Written Off\n"
	creditsHeader     = "Patient Guid,Patient,Payer,Credit\n"
	receivablesHeader = "From,To,Opening A/R,Sales,Transactions,Opening Credits,Closing Credits,Credit Memos,Tips,Closing A/R\n"
	unscheduledHeader = "Patient Guid,Patient,Discipline,Last Visit,Phone\n"
	activityHeader    = "Time,Staff Member,Activity,Rows\n"
)

func TestPayments(t *testing.T) {
	annID, sun := pseudonym(t, identity.Patient, ann), pseudonym(t, identity.Payer, "sun life")
	b := mustRead(t, paymentsHeader+
		"9001,Payment,2026-09-01,2026-09-02,"+ann+",Ann,Ann Smith,Visa,\"1531-P01, 1532-P02X\",$25.00,1.00,24.30\n"+
		"9002,payment,2026-09-20,,,,Sun Life,EFT,1531-C01,140.00,,140.00\n"+
		"9003,NSF,\"Sep 22, 2026\",,"+ann+",Ann,Ann Smith,Cheque,1531-P01,(5.00),,\n"+
		"9004,Bank Fee,2026-09-22,,,,,Bitcoin,,-7.00,,\n"+
		"9005,Barter,2026-09-23,,"+ann+",Ann,Ann Smith,gift card,for Ann Smith's knee,5.00,,\n"+
		"9002,payment,2026-09-20,,,,Sun Life,EFT,1531-C01,140.00,,140.00\n", named("c_transactions_20260901_20260930.csv"))
	seen := date("2026-09-30")
	equal(t, b.Payments, []contract.Payment{
		{PaymentID: "9001", Kind: "payment", ReceivedOn: date("2026-09-01"), ProcessedOn: new(date("2026-09-02")), Method: "card", PayerKind: "person", Patient: &annID,
			AppliedTo: new("1531-P01 1532-P02X"), AmountCents: 2500, TipCents: new(int64(100)), PaidToClinicCents: new(int64(2430)), Currency: "CAD", ObservedOn: seen},
		{PaymentID: "9002", Kind: "payment", ReceivedOn: date("2026-09-20"), Method: "bank_transfer", PayerKind: "insurer", PayerID: &sun,
			AppliedTo: new("1531-C01"), AmountCents: 14000, PaidToClinicCents: new(int64(14000)), Currency: "CAD", ObservedOn: seen},
		{PaymentID: "9003", Kind: "bounce", ReceivedOn: date("2026-09-22"), Method: "cheque", PayerKind: "person", Patient: &annID, AppliedTo: new("1531-P01"),
			AmountCents: -500, Currency: "CAD", ObservedOn: seen},
		{PaymentID: "9004", Kind: "fee", ReceivedOn: date("2026-09-22"), Method: "other", PayerKind: "person", AmountCents: -700, Currency: "CAD", ObservedOn: seen},
		{PaymentID: "9005", Kind: "other", ReceivedOn: date("2026-09-23"), Method: "gift", PayerKind: "person", Patient: &annID, AmountCents: 500, Currency: "CAD", ObservedOn: seen},
	})
	equal(t, b.Remarks, map[transforms.Remark]int{transforms.RepeatedRow: 1, transforms.UnknownMethod: 1, transforms.UnknownKind: 1, transforms.AppliedToUnread: 1})
}

// The publicly known headers alone: no number, so a row is known by what it says; no type, so the sign tells.
func TestPaymentsWithoutANumber(t *testing.T) {
	rows := []string{
		"2026-09-01,Ann Smith,Visa,1531-P01,25.00,24.30\n", "2026-09-01,Ben Jones,Visa,1533-P01,25.00,24.30\n",
		"2026-09-02,Ann Smith,Cash,,10.00,10.00\n", "2026-09-02,Ben Jones,Cash,,10.00,10.00\n", "2026-09-03,Ann Smith,Visa,,(3.00),(3.00)\n",
	}
	b := mustRead(t, publicHeader+strings.Join(rows, ""), named("c_transactions_20260901_20260930.csv"))
	if len(b.Payments) != 5 || len(b.Remarks) != 0 {
		t.Fatalf("%d payments, remarks %v", len(b.Payments), b.Remarks)
	}
	ids, kinds := map[string]bool{}, map[string]int{}
	for _, p := range b.Payments {
		ids[p.PaymentID] = true
		kinds[p.Kind]++
		if !strings.HasPrefix(p.PaymentID, "p1_") {
			t.Errorf("the id %q is no keyed digest", p.PaymentID)
		}
	}
	if len(ids) != 5 || kinds["payment"] != 4 || kinds["refund"] != 1 {
		t.Errorf("ids %v, kinds %v", ids, kinds)
	}
	for range 10 {
		rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		equal(t, mustRead(t, publicHeader+strings.Join(rows, ""), named("c_transactions_20260901_20260930.csv")).Payments, b.Payments)
	}
}

func TestAppliedPayments(t *testing.T) {
	annID, sun := pseudonym(t, identity.Patient, ann), pseudonym(t, identity.Payer, "sun life")
	rows := []string{
		"9001,2026-09-01,2026-09-01,2026-09-01," + ann + ",Ann Smith,1531-P01,20.00\n",
		"9001,2026-09-01,2026-10-09,2026-09-01," + ann + ",Ann Smith,1531-P01,-20.00\n",
		"9001,2026-09-01,2026-10-09,2026-09-01," + ann + ",Ann Smith,1531-P02,20.00\n",
		"9001,2026-09-01,,," + ann + ",Ann Smith,,5.00\n",
		"9002,2026-09-20,2026-09-20,2026-09-01,,Sun Life,1531-C01,70.00\n",
	}
	read := func() *transforms.Batch {
		return mustRead(t, appliedHeader+strings.Join(rows, ""), named("c_applied_unapplied_payments_20260901_20260930.csv"))
	}
	b := read()
	// It was printed after the last application, whatever its range.
	seen := date("2026-10-09")
	one := contract.AppliedPayment{PaymentID: "9001", InvoiceNumber: "1531-P01", ReceivedOn: date("2026-09-01"), AppliedOn: new(date("2026-09-01")),
		PurchaseDate: new(date("2026-09-01")), Patient: &annID, PayerKind: "person", AmountCents: 2000, Currency: "CAD", ObservedOn: seen}
	off, again, left := one, one, one
	off.AppliedOn, off.AmountCents, off.Ordinal = new(date("2026-10-09")), -2000, 1
	again.AppliedOn, again.InvoiceNumber = new(date("2026-10-09")), "1531-P02"
	left.InvoiceNumber, left.AppliedOn, left.PurchaseDate, left.AmountCents = "", nil, nil, 500
	insurers := one
	insurers.PaymentID, insurers.InvoiceNumber, insurers.ReceivedOn, insurers.AppliedOn = "9002", "1531-C01", date("2026-09-20"), new(date("2026-09-20"))
	insurers.Patient, insurers.PayerKind, insurers.PayerID, insurers.AmountCents = nil, "insurer", &sun, 7000
	equal(t, b.AppliedPayments, []contract.AppliedPayment{left, one, off, again, insurers})
	for range 10 {
		rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		equal(t, read().AppliedPayments, b.AppliedPayments)
	}
	bad := mustRead(t, appliedHeader+strings.Join(rows, "")+"9003,2026-09-20,,2026-09-01,,Sun Life,1531-C01,70.00\n,2026-09-20,,,,Sun Life,,1.00\n")
	reasons := map[string]int{}
	for _, q := range bad.Quarantine {
		reasons[q.Column+" "+string(q.Reason)]++
	}
	equal(t, reasons, map[string]int{"Applied Date missing_value": 1, "Transaction # missing_value": 1})
}

func TestAdjustmentsAndWriteOffs(t *testing.T) {
	annID, sun := pseudonym(t, identity.Patient, ann), pseudonym(t, identity.Payer, "sun life")
	b := mustRead(t, adjustmentsHeader+
		"2026-09-10,Credit Memo,1531-P01,2026-09-01,"+ann+",Ann Smith,Robin Vale,Harbour Street,5.00,she was cross\n"+
		"2026-09-10,credit memo,1531-P01,2026-09-01,"+ann+",Ann Smith,Robin Vale,Harbour Street,5.00,\n"+
		"2026-09-11,Contractual Reduction,1531-C01,,"+ann+",Sun Life,,,20.00,\n"+
		"2026-09-12,Gremlins,1531-C01,,"+ann+",Sun Life,,,(20.00),\n", named("c_adjustments_20260901_20260930.csv"))
	seen := date("2026-09-30")
	memo := contract.Adjustment{InvoiceNumber: "1531-P01", Kind: "credit_memo", AdjustedOn: date("2026-09-10"), PurchaseDate: new(date("2026-09-01")), Patient: annID,
		StaffMember: "Robin Vale", Location: "Harbour Street", PayerKind: "person", AmountCents: 500, Currency: "CAD", ObservedOn: seen}
	again := memo
	again.Ordinal = 1
	reduced := contract.Adjustment{InvoiceNumber: "1531-C01", Kind: "contractual", AdjustedOn: date("2026-09-11"), Patient: annID, PayerKind: "insurer", PayerID: &sun,
		AmountCents: 2000, Currency: "CAD", ObservedOn: seen}
	odd := reduced
	odd.Kind, odd.AdjustedOn, odd.AmountCents = "other", date("2026-09-12"), -2000
	equal(t, b.Adjustments, []contract.Adjustment{reduced, odd, memo, again})
	equal(t, b.Remarks, map[transforms.Remark]int{transforms.UnknownKind: 1})
	if b.Dataset != contract.Adjustments {
		t.Errorf("adjustments were taken for %s", b.Dataset)
	}
	w := mustRead(t, writeOffsHeader+"2026-09-28,1531-C01,2026-09-01,"+ann+",Sun Life,70.00\n")
	want := reduced
	want.Kind, want.AdjustedOn, want.PurchaseDate, want.AmountCents, want.ObservedOn = "write_off", date("2026-09-28"), new(date("2026-09-01")), 7000, date("2026-09-28")
	equal(t, w.Adjustments, []contract.Adjustment{want})
	if w.Dataset != contract.WriteOffs {
		t.Errorf("write-offs were taken for %s", w.Dataset)
	}
}

func TestCreditsAndReceivables(t *testing.T) {
	annID, sun := pseudonym(t, identity.Patient, ann), pseudonym(t, identity.Payer, "sun life")
	b := mustRead(t, creditsHeader+ann+",Ann,Ann Smith,5.00\n"+",,Sun Life,12.00\n"+ann+",Ann,Ann Smith,2.50\n", named("c_credit_20260930_20260930.csv"))
	seen := date("2026-09-30")
	want := []contract.Credit{
		{AsOf: seen, Account: annID, PayerKind: "person", CreditCents: 750, Currency: "CAD", ObservedOn: seen},
		{AsOf: seen, Account: sun, PayerKind: "insurer", CreditCents: 1200, Currency: "CAD", ObservedOn: seen},
	}
	if want[0].Account > want[1].Account {
		want[0], want[1] = want[1], want[0]
	}
	equal(t, b.Credits, want)
	if len(b.PayerNames) != 0 {
		t.Errorf("a credit makes a name an insurer's: %v", b.PayerNames)
	}
	b = mustRead(t, receivablesHeader+
		"2026-09-01,2026-09-30,240.00,95.00,165.00,50.00,5.00,5.00,0.00,120.00\n"+
		"2026-08-01,2026-08-31,0.00,\"1,000.00\",800.00,0.00,50.00,20.00,10.00,240.01\n", named("c_accounts_receivable_20260930_20260930.csv"))
	if len(b.Receivables) != 2 || b.Receivables[0].PeriodFrom != date("2026-08-01") || b.Receivables[1] != (contract.Receivable{
		PeriodFrom: date("2026-09-01"), PeriodTo: seen, OpeningCents: 24000, SalesCents: 9500, TransactionsCents: 16500, OpeningCreditsCents: 5000,
		ClosingCreditsCents: 500, CreditMemosCents: 500, ClosingCents: 12000, Currency: "CAD", ObservedOn: seen,
	}) {
		t.Errorf("%+v", b.Receivables)
	}
	equal(t, b.Remarks, map[transforms.Remark]int{transforms.ControlTotalDisagrees: 1})
	if got := b.Covers.String(); got != "2026-08-01..2026-09-30" || b.ReportDate.String() != "2026-09-30" {
		t.Errorf("receivables as of 2026-09-30 cover %s and show %s", got, b.ReportDate)
	}
	for _, body := range []string{creditsHeader + ann + ",Ann,Ann Smith,5.00\n", unscheduledHeader + ann + ",Ann,,2026-09-01,\n"} {
		if _, err := read(t, body); err == nil || !strings.Contains(err.Error(), "which days") {
			t.Errorf("a report that says no day: %v", err)
		}
	}
}

func TestUnscheduledPatients(t *testing.T) {
	annID, benID := pseudonym(t, identity.Patient, ann), pseudonym(t, identity.Patient, ben)
	b := mustRead(t, unscheduledHeader+ann+",Ann,Physiotherapy,2026-08-01,555\n"+ben+",Ben,,,\n"+ann+",Ann,Physiotherapy,2026-09-01,555\n",
		named("c_unscheduled_patients_20260930_20260930.csv"))
	want := []contract.UnscheduledPatient{
		{Patient: annID, Discipline: "Physiotherapy", LastVisitOn: new(date("2026-09-01")), ObservedOn: date("2026-09-30")},
		{Patient: benID, ObservedOn: date("2026-09-30")},
	}
	if benID < annID {
		want[0], want[1] = want[1], want[0]
	}
	equal(t, b.Unscheduled, want)
}

func TestPortalActivity(t *testing.T) {
	body := activityHeader +
		"2026-09-30 08:30:00 -0400,Falloff,Signed in,\n" +
		"2026-09-30 08:30:00 -0400,falloff,Ran report Sales for 2026-09-01 to 2026-09-30 at North of Ann Smith,61\n" +
		"2026-09-30 08:30:00 -0400,falloff,Ran report Sales for 2026-09-01 to 2026-09-30 at South,12\n" +
		"2026-09-30 08:31:00 -0400,falloff,Downloaded harbour_applied_unapplied_payments_20260901_20260930.csv,\n" +
		"2026-10-01 02:00:00 UTC,falloff,Opened page 2 of Hours scheduled and booked,\n" +
		"2026-09-30 08:32:00 -0400,falloff,Refused Patient,\n" +
		"2026-09-30 08:33:00 -0400,falloff,Whispered to Ann Smith,\n" +
		"2026-09-30 08:33:00 -0400,Ann Smith,Opened Patient list,\n"
	ours := transformer(t, func(o *transforms.Options) { o.Account = "falloff" })
	report := extractors.Report{Name: "c_activity_20260930_20260930.csv", Body: []byte(body), StatedRows: -1}
	b, err := ours.Read(t.Context(), report)
	if err != nil {
		t.Fatal(err)
	}
	account, seen := pseudonym(t, identity.Staff, "falloff"), date("2026-09-30")
	line := func(at, action, subject string) contract.Activity {
		return contract.Activity{At: moment(at), OccurredOn: seen, Account: account, Action: action, Subject: subject, ObservedOn: seen}
	}
	south, north := line("2026-09-30T12:30:00Z", "ran", "sales"), line("2026-09-30T12:30:00Z", "ran", "sales")
	for _, a := range []*contract.Activity{&south, &north} {
		a.RangeFrom, a.RangeTo = new(date("2026-09-01")), new(date("2026-09-30"))
	}
	south.Rows, north.Rows, north.Ordinal = new(int64(12)), new(int64(61)), 1
	file := line("2026-09-30T12:31:00Z", "downloaded", "applied_unapplied_payments")
	file.RangeFrom, file.RangeTo = north.RangeFrom, north.RangeTo
	equal(t, b.Activity, []contract.Activity{
		south, north, line("2026-09-30T12:30:00Z", "signed_in", ""), file,
		line("2026-09-30T12:32:00Z", "refused", "patients"), line("2026-09-30T12:33:00Z", "other", "other"),
		line("2026-10-01T02:00:00Z", "opened", "shift"),
	})
	equal(t, b.Remarks, map[transforms.Remark]int{transforms.OtherAccount: 1, transforms.UnknownAction: 1})
	find(t, "activity", b, []string{"Ann Smith", "whispered", "Patient list", "North"})
	// Whoever does not say whose lines to read reads none.
	none, err := transformer(t).Read(t.Context(), report)
	if err != nil || len(none.Activity) != 0 || none.Remarks[transforms.OtherAccount] != 8 {
		t.Errorf("without an account %d lines were read (%v), remarks %v", len(none.Activity), err, none.Remarks)
	}
}

// A first name is read only where the clinic has chosen so, and then it is in the identities and nowhere else.
func TestIdentities(t *testing.T) {
	row := func(id, day, guids, names string) string {
		return id + ",L," + day + " 08:30:00 -0400," + day + " 09:15:00 -0400," + guids + "," + names + ",Massage,Robin Vale,arrived,yes,2026-08-20 16:00:00 UTC," +
			day + " 08:28:00 -0400,1,,,\n"
	}
	body := appointmentsHeader + row("7", "2026-09-01", ann, "Annabellacanary") + row("8", "2026-09-03", ben+"; "+ann, "Bennocanary; Annikacanary") +
		row("9", "2026-09-04", ann+";"+ben, "Onlyonecanary") + row("10", "2026-09-05", ben, "")
	report := extractors.Report{Name: "c_appointments_20260901_20260930.csv", Body: []byte(body), StatedRows: -1}
	names := []string{"Annabellacanary", "Annikacanary", "Bennocanary", "Onlyonecanary"}
	private, err := transformer(t).Read(t.Context(), report)
	if err != nil {
		t.Fatal(err)
	}
	find(t, "privacy mode", private, names)
	if private.Identities != nil || private.ForbiddenCells != 3 {
		t.Errorf("privacy mode has %d identities, %d forbidden cells", len(private.Identities), private.ForbiddenCells)
	}
	open, err := transformer(t, func(o *transforms.Options) { o.Identities = true }).Read(t.Context(), report)
	if err != nil {
		t.Fatal(err)
	}
	seen := contract.DayOf(open.ObservedOn)
	want := []contract.Identified{
		{Patient: pseudonym(t, identity.Patient, ann), FirstName: "Annikacanary", PatientGUID: ann, ObservedOn: seen},
		{Patient: pseudonym(t, identity.Patient, ben), FirstName: "Bennocanary", PatientGUID: ben, ObservedOn: seen},
	}
	if want[1].Patient < want[0].Patient {
		want[0], want[1] = want[1], want[0]
	}
	equal(t, open.Identities, want)
	rest := *open
	rest.Identities = nil
	find(t, "recovery mode beside the identities", rest, names)
	if !reflect.DeepEqual(rest.Appointments, private.Appointments) {
		t.Error("the appointments differ between the modes")
	}
}

// Reports about money and patients have most of their headers in common. Each is taken for itself, also with all that it may have
// besides; and one that lacks a header is never taken for another report.
func TestReportsAreToldApart(t *testing.T) {
	for _, d := range contract.Datasets() {
		if d.Report == "" {
			continue
		}
		all, cells, _ := canaryRow(d)
		name := "c_" + d.Report + "_20260901_20260930.csv"
		for _, headers := range [][]string{all, d.Required()} {
			row := make([]string, len(headers))
			for i, h := range headers {
				row[i] = cells[slices.Index(all, h)]
			}
			b, err := transformer(t).Read(t.Context(), extractors.Report{Name: name, Body: csvOf([][]string{headers, row}), StatedRows: -1})
			if err != nil || b.Dataset != d.Name {
				t.Errorf("%s with the headers %v: %v", d.Name, headers, err)
			}
		}
		for i, header := range d.Required() {
			lacking := slices.Delete(d.Required(), i, i+1)
			b, err := transformer(t).Read(t.Context(), extractors.Report{Name: name, Body: csvOf([][]string{lacking, lacking}), StatedRows: -1})
			if err == nil {
				t.Errorf("%s without %q was read as %s", d.Name, header, b.Dataset)
				continue
			}
			if wrong, ok := errors.AsType[*transforms.HeaderError](err); ok && (wrong.Dataset != d.Name || !slices.Equal(wrong.Missing, []string{header})) {
				t.Errorf("%s without %q: %v", d.Name, header, err)
			} else if !ok && !errors.Is(err, transforms.ErrNotAReport) {
				t.Errorf("%s without %q: %v", d.Name, header, err)
			}
		}
	}
}
