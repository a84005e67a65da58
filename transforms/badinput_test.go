package transforms_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/normalise"
	"github.com/falloff-analytics/falloff/transforms/tabular"
)

// Every way in which a file as a whole can be wrong ends in one error that names it and says what to do.
func TestBadFiles(t *testing.T) {
	line := sale("1-P01", "Ann Smith", "A", "1.00", "0")
	without := func(header string) string { return strings.Replace(salesHeader, header+",", "", 1) }
	garbage := make([]byte, 100<<20)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(garbage)
	whole := xlsxOf(t, bigReport("sales", 50))
	tests := []struct {
		name string
		body []byte
		want []string
	}{
		{"header missing", []byte(without("Total") + line), []string{"row 1", "lacks `Total`", "docs/import.md"}},
		{"headers missing", []byte(strings.Replace(without("Total"), "Payer", "Paid by", 1) + line), []string{"lacks `Payer`, `Total`"}},
		{"header doubled", []byte("x\n" + strings.Replace(salesHeader, "Details", "Total", 1) + line), []string{"row 2", "has twice `Total` in columns K and O"}},
		{"header doubled under another spelling", []byte(strings.Replace(salesHeader, "Details", "invoice_number", 1) + line), []string{"has twice `Invoice #`"}},
		{"forbidden header doubled", []byte(strings.Replace(salesHeader, "Income Category", "Details", 1) + line), []string{"lacks `Income Category` and has twice `Details`"}},
		{"web page", []byte("<html><head><title>Sales</title></head></html>"), []string{"is a web page"}},
		{"truncated XLSX", whole[:len(whole)*2/3], []string{"XLSX file breaks off", "export it again"}},
		{"100 MB of garbage", garbage, []string{"not text"}},
		{"100 MB of letters", bytes.Repeat([]byte("lorem ipsum "), 100<<20/12), []string{"row 1", "longer than 1048576 bytes"}},
		{"empty", nil, []string{"is empty"}},
		{"empty export", []byte(salesHeader), []string{"holds a header and no rows"}},
		{"cut off in a row", []byte(salesHeader + line + line[:40]), []string{"row 3", "has 4 cells, the header 17"}},
		{"every row bad", []byte(salesHeader + strings.Replace(line, ",1.00,", ",\"12,5o\",", 1)), []string{"1 of 1 rows cannot be read, so none was taken", "`Subtotal` is not an amount", "the first is row 2"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b, err := transformer(t).Read(t.Context(), extractors.Report{Name: "folder/sales.csv", Body: test.body, StatedRows: -1})
			if err == nil || b != nil {
				t.Fatalf("error %v, batch %v", err, b)
			}
			for _, want := range append(test.want, "folder/sales.csv") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nlacks %q", err, want)
				}
			}
			if strings.ContainsAny(err.Error(), "\n") || len(err.Error()) > 600 || strings.Contains(err.Error(), "Smith") {
				t.Errorf("not one clean line: %q", err)
			}
		})
	}
}

func TestOtherFiles(t *testing.T) {
	for name, body := range map[string]string{
		"truth":        "category,source_id,occurred_on,amount_cents\nvisit_not_closed,7,2026-09-01,9500\n",
		"compensation": "Practitioner,Patient,Patient Guid,Invoice #,Description,Income Category,Purchase Date,Transaction Date,Payment Method,Quantity,Invoice Total\na,b,c,d,e,f,g,h,i,j,k\n",
		"prose":        "Dear all,\nplease find attached\n",
	} {
		_, err := read(t, body)
		if !errors.Is(err, transforms.ErrNotAReport) {
			t.Errorf("%s: %v", name, err)
		}
		if header, ok := errors.AsType[*transforms.HeaderError](err); ok {
			t.Errorf("%s was taken for %s", name, header.Dataset)
		}
	}
	_, err := read(t, strings.ReplaceAll(salesHeader, ",", ";")+"\n")
	if err == nil || errors.Is(err, transforms.ErrNotAReport) || !strings.Contains(err.Error(), `separated by ";"`) {
		t.Errorf("semicolons: %v", err)
	}
}

// A bad cell puts its row into quarantine, and the others are read.
func TestQuarantine(t *testing.T) {
	appointment := "7,L,2026-09-01 08:30:00,2026-09-01 09:15:00," + ann + ",Ann,T,R,booked,yes,2026-08-20 16:00:00,2026-09-01 08:30:00,no,2026-08-20 16:00:00,,\n"
	salesLine := sale("1-P01", "Ann Smith", "Tape", "1.00", "0.50")
	claim := "41,1531-C01," + ann + ",Ann,Sun Life,AB12,2026-09-01,Rejected,2026-09-02,2026-09-20,95.00,0.00,Al,no\n"
	policy := "Ann," + ann + ",Sun Life,My plan,C9,P-1,Open,2026-12-31,Al,3,12,1500.00,2026-10-01,\n"
	shift := "Robin Vale,152.5,10,120.25,160\n"
	tests := []struct {
		header, row, from, to string
		column                string
		reason                normalise.Reason
	}{
		{appointmentsHeader, appointment, "7,L", "-7,L", "id", normalise.BadID},
		{appointmentsHeader, appointment, "7,L", ",L", "id", normalise.Missing},
		{appointmentsHeader, appointment, "2026-09-01 08:30:00,2026-09-01 09", "2026-09-31 08:30:00,2026-09-01 09", "start_at", normalise.BadInstant},
		{appointmentsHeader, appointment, "2026-09-01 08:30:00,2026-09-01 09", "09/01/2026 08:30,2026-09-01 09", "start_at", normalise.AmbiguousDate},
		{appointmentsHeader, appointment, "2026-09-01 09:15:00", "", "end_at", normalise.Missing},
		{appointmentsHeader, appointment, "2026-09-01 09:15:00", "2026-09-01 08:15:00", "end_at", normalise.EndsEarly},
		{appointmentsHeader, appointment, ann, "Ann Smith", "patient_guid", normalise.BadID},
		{appointmentsHeader, appointment, ann, ann + "; Ben Hur", "patient_guid", normalise.BadID},
		{appointmentsHeader, appointment, ",T,R,", ",T,,", "staff_member_name", normalise.Missing},
		{appointmentsHeader, appointment, ",T,R,", ",T\xff,R,", "treatment_name", normalise.BadText},
		{appointmentsHeader, appointment, ",T,R,", "," + strings.Repeat("very long ", 20) + ",R,", "treatment_name", normalise.BadText},
		{appointmentsHeader, appointment, "booked", "confirmed", "state", normalise.UnknownState},
		{appointmentsHeader, appointment, "booked", "", "state", normalise.Missing},
		{appointmentsHeader, appointment, ",yes,", ",perhaps,", "first_visit", normalise.BadBoolean},
		{appointmentsHeader, appointment, "2026-08-20 16:00:00,2026-09", "soon,2026-09", "booked_at", normalise.BadInstant},
		{salesHeader, salesLine, "1-P01", "Smith", "Invoice #", normalise.BadInvoice},
		{salesHeader, salesLine, "2026-09-01", "", "Purchase Date", normalise.Missing},
		{salesHeader, salesLine, "2026-09-02", "2026-02-30", "Invoice Date", normalise.BadDate},
		{salesHeader, salesLine, ann, "", "Patient Guid", normalise.Missing},
		{salesHeader, salesLine, "Tape", "", "Item", normalise.Missing},
		{salesHeader, salesLine, "Unpaid", "", "Status", normalise.Missing},
		{salesHeader, salesLine, "0.50", "\"12,5o\"", "Balance", normalise.BadMoney},
		{salesHeader, salesLine, "0.50", "\"0,50\"", "Balance", normalise.BadMoney},
		{salesHeader, salesLine, ",,1.00", ",x,1.00", "Sales Tax", normalise.BadMoney},
		{salesHeader, sale("1-C01", "Sun Life", "Tape", "1.00", "0.50"), "Sun Life", "", "Payer", normalise.Missing},
		{claimsHeader, claim, "41", "x41", "Claim Id", normalise.BadID},
		{claimsHeader, claim, "Sun Life", "", "Insurer", normalise.Missing},
		{claimsHeader, claim, "Rejected", "Denied", "Folder", normalise.UnknownFolder},
		{claimsHeader, claim, "2026-09-02", "later", "Submitted Date", normalise.BadDate},
		{claimsHeader, claim, "95.00", "95.000", "Claimed", normalise.BadMoney},
		{policiesHeader, policy, "Sun Life", ";", "Insurer(s)", normalise.Missing},
		{policiesHeader, policy, "Open", "Lapsed", "Status", normalise.UnknownStatus},
		{policiesHeader, policy, ",3,12,", ",three,12,", "Number of Treatments", normalise.BadNumber},
		{policiesHeader, policy, "1500.00", "lots", "Policy Maximum", normalise.BadMoney},
		{shiftHeader, shift, "Robin Vale", "", "Staff Name", normalise.Missing},
		{shiftHeader, shift, "152.5", "-1", "Shift Total Hours", normalise.BadNumber},
		{shiftHeader, shift, ",160", ",", "Appointment Total Count", normalise.Missing},
	}
	for _, test := range tests {
		bad := strings.Replace(test.row, test.from, test.to, 1)
		if bad == test.row {
			t.Fatalf("%q is not in %q", test.from, test.row)
		}
		b, err := read(t, test.header+bad+test.row+"\n"+test.row, named("x_20260901_20260930.csv"))
		if err != nil {
			t.Errorf("%s %q: %v", test.column, test.to, err)
			continue
		}
		want := []transforms.Quarantined{{Dataset: b.Dataset, File: "x_20260901_20260930.csv", Row: 2, Column: test.column, Reason: test.reason}}
		equal(t, b.Quarantine, want)
		if b.Rows != 3 || len(b.Appointments)+len(b.InvoiceLines)+len(b.Claims)+len(b.Policies)+len(b.Shifts) == 0 {
			t.Errorf("%s %q: the good rows were not read", test.column, test.to)
		}
	}
}

func TestTolerance(t *testing.T) {
	body := func(good, bad int) string {
		var s strings.Builder
		s.WriteString(salesHeader)
		for i := range good + bad {
			line := sale(fmt.Sprintf("%d-P01", i+1), "Ann", "Tape", "1.00", "0")
			if i < bad {
				line = strings.Replace(line, "2026-09-01", "never", 1)
			}
			s.WriteString(line)
		}
		return s.String()
	}
	tests := []struct {
		good, bad int
		refused   bool
	}{
		{380, 20, false}, // exactly 5 %, and not more than 20
		{300, 20, false}, // over 5 %, not over 20 rows
		{399, 21, false}, // exactly 5 %
		{398, 21, true},
		{1, 1, false},
		{1, 2, true}, // more than half
	}
	for _, test := range tests {
		b, err := read(t, body(test.good, test.bad))
		if (err != nil) != test.refused {
			t.Errorf("%d good, %d bad: %v", test.good, test.bad, err)
		}
		if err == nil && (len(b.Quarantine) != test.bad || len(b.InvoiceLines) != test.good || b.Rows != test.good+test.bad) {
			t.Errorf("%d good, %d bad: read %d, quarantined %d of %d", test.good, test.bad, len(b.InvoiceLines), len(b.Quarantine), b.Rows)
		}
	}
	_, err := read(t, body(398, 21))
	var quarantine *transforms.QuarantineError
	if !errors.As(err, &quarantine) || quarantine.Dataset != contract.InvoiceLines || len(quarantine.Quarantine) != 21 {
		t.Fatalf("error %v", err)
	}
	counts := transforms.CountReasons(quarantine.Quarantine)
	equal(t, counts, []transforms.ReasonCount{{Column: "Purchase Date", Reason: normalise.BadDate, Rows: 21, FirstRow: 2}})

	strict := transformer(t, func(o *transforms.Options) { o.Tolerance = transforms.Tolerance{Rows: 1, Share: 0.001} })
	if _, err := strict.Read(t.Context(), extractors.Report{Name: "x", Body: []byte(body(100, 2)), StatedRows: -1}); err == nil {
		t.Error("a stricter tolerance has no effect")
	}
}

// Optional columns may be missing, unknown ones are dropped and counted, and headers may be spelled another way.
func TestHeaderVariations(t *testing.T) {
	b := mustRead(t, "ID,Location,Start At,end_at,Patient  GUID,Treatment,Staff Member,STATE,Booked_At,arrived at,cancelled_at,Room,,Phone Number\n"+
		"7,L,2026-09-01 08:30:00,2026-09-01 09:15:00,"+ann+",T,R,booked,,,,Blue,x,\n"+
		"8,L,2026-09-01 08:30:00,2026-09-01 09:15:00,"+ann+",T,R,booked,,,,Red,,555\n")
	if len(b.Appointments) != 2 || b.Appointments[0].FirstVisit != nil || b.Appointments[0].BookedOnline != nil {
		t.Errorf("appointments %s", spell(b.Appointments))
	}
	equal(t, b.Dropped, []transforms.Dropped{{"", 1}, {"Phone Number", 1}, {"Room", 2}})

	// The clinic's own tax column is known, a second one too, and neither is dropped.
	b = mustRead(t, strings.Replace(salesHeader, "Details", "PST", 1)+strings.Replace(sale("1-P01", "Ann", "Tape", "1.00", "0"), "details", "0", 1))
	if len(b.Dropped) != 0 || len(b.Remarks) != 0 {
		t.Errorf("dropped %v, remarks %v", b.Dropped, b.Remarks)
	}
	own := transformer(t, func(o *transforms.Options) { o.Settings.TaxName = "Goods Levy" })
	b, err := own.Read(t.Context(), extractors.Report{Name: "x", StatedRows: -1,
		Body: []byte(strings.Replace(salesHeader, "HST", "goods levy", 1) + sale("1-P01", "Ann", "Tape", "1.00", "0"))})
	if err != nil || len(b.Dropped) != 0 {
		t.Errorf("%v, %+v", err, b)
	}
}

func TestQuarantinedInWords(t *testing.T) {
	q := transforms.Quarantined{Dataset: contract.Claims, File: "claims.csv", Row: 12, Column: "Claimed", Reason: normalise.BadMoney}
	if got := q.String(); got != "claims.csv, row 12: `Claimed`: is not an amount such as 1234.50, $1,234.50 or (12.00)" {
		t.Error(got)
	}
	var file *tabular.Error
	if _, err := read(t, ""); !errors.As(err, &file) {
		t.Errorf("%v is no *tabular.Error", err)
	}
}
