package transforms_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms"
	"github.com/falloff-analytics/falloff/transforms/contract"
)

// kept are columns whose texts may be in a batch as they are.
var kept = map[string]string{
	"location_name": "Harbour Street", "treatment_name": "Physiotherapy", "staff_member_name": "Robin Vale", "id": "71", "state": "cancelled",
	"start_at": "2026-09-01 08:30:00 -0400", "end_at": "2026-09-01 09:30:00 -0400", "booked_at": "2026-08-01 08:30:00 -0400", "arrived_at": "",
	"cancelled_at": "2026-08-02 08:30:00 -0400", "first_visit": "yes", "booked_online": "no",
	"Location": "Harbour Street", "Purchase Date": "2026-09-01", "Invoice Date": "2026-09-01", "Item": "Physiotherapy", "Staff Member": "Robin Vale",
	"Invoice #": "1531-P01", "Income Category": "Treatments", "Status": "unpaid", "Subtotal": "95.00", "Sales Tax": "0.00", "Total": "95.00",
	"Collected": "0.00", "Balance": "95.00",
	"Service Date": "2026-09-01", "Folder": "Rejected", "Submitted Date": "2026-09-02", "Response Date": "2026-09-03", "Claimed": "95.00", "Approved": "0.00",
	"Insurer": "Sun Life", "End Date": "2026-12-31", "Number of Treatments": "3", "Max Treatments": "12", "Policy Maximum": "500.00", "Insurer(s)": "Sun Life",
	"Transaction #": "9001", "Type": "Payment", "Date": "2026-09-01", "Processing Date": "2026-09-02", "Payment Method": "Visa", "Applied To": "1531-P01",
	"Amount": "95.00", "Tip": "0.00", "Amount Paid to Clinic": "92.50", "Payment Date": "2026-09-01", "Applied Date": "2026-09-01", "Applied Amount": "95.00",
	"Adjustment Type": "Credit memo", "Adjustment Date": "2026-09-01", "Adjustment Amount": "5.00", "Write Off Date": "2026-09-01", "Amount Written Off": "5.00",
	"Credit": "5.00", "From": "2026-09-01", "To": "2026-09-30", "Opening A/R": "0.00", "Sales": "95.00", "Transactions": "90.00", "Opening Credits": "0.00",
	"Closing Credits": "0.00", "Credit Memos": "0.00", "Tips": "0.00", "Closing A/R": "5.00", "Discipline": "Physiotherapy", "Last Visit": "2026-09-01",
	"Time": "2026-09-01 08:30:00 -0400", "Rows": "12",
	"Staff Name": "Robin Vale", "Shift Total Hours": "8", "Break Total Hours": "1", "Appointment Total Hours": "6", "Appointment Total Count": "7",
}

// canaryRow fills a report: what may be kept with plain values, everything else (identifiers, names, free text, unknown
// columns) with strings that occur nowhere else.
func canaryRow(d contract.Dataset) (header, cells, canaries []string) {
	for _, c := range d.Columns {
		if len(c.Headers) == 0 {
			continue
		}
		h := c.Headers[0]
		header = append(header, h)
		plain, known := kept[h]
		switch {
		case d.Name == contract.Policies && h == "Status":
			cells = append(cells, "Open")
		case known && c.Sensitivity != contract.Forbidden:
			cells = append(cells, plain)
		case h == "Claim Id":
			cells = append(cells, "987654321")
			canaries = append(canaries, "987654321")
		default:
			canary := "canary" + strings.ReplaceAll(strings.ToLower(d.Name+h), " ", "") + "9x7q"
			cells = append(cells, canary)
			canaries = append(canaries, canary)
		}
	}
	for _, h := range []string{"Phone", "E-mail", "Card Number", "Diagnosis", "Birth Date", "Address"} {
		if slices.Contains(header, h) {
			continue // forbidden, and planted already
		}
		header = append(header, h)
		canary := "canary" + h + "4k2z"
		cells = append(cells, canary)
		canaries = append(canaries, canary)
	}
	return header, cells, canaries
}

// find looks for canaries in everything reachable from a value, private fields and map keys included.
func find(t *testing.T, where string, v any, canaries []string) {
	t.Helper()
	seen := map[uintptr]bool{}
	var walk func(reflect.Value, string)
	walk = func(v reflect.Value, path string) {
		switch v.Kind() {
		case reflect.String:
			for _, c := range canaries {
				if strings.Contains(strings.ToLower(v.String()), strings.ToLower(c)) {
					t.Errorf("%s: %s holds %s", where, path, c)
				}
			}
		case reflect.Pointer:
			if !v.IsNil() && !seen[v.Pointer()] {
				seen[v.Pointer()] = true
				walk(v.Elem(), path)
			}
		case reflect.Interface:
			walk(v.Elem(), path)
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i), path+"."+v.Type().Field(i).Name)
			}
		case reflect.Slice, reflect.Array:
			for i := range v.Len() {
				walk(v.Index(i), fmt.Sprintf("%s[%d]", path, i))
			}
		case reflect.Map:
			for _, k := range v.MapKeys() {
				walk(k, path+" key")
				walk(v.MapIndex(k), path)
			}
		}
	}
	walk(reflect.ValueOf(v), "")
	encoded, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	walk(reflect.ValueOf(string(encoded)), "JSON")
	walk(reflect.ValueOf(fmt.Sprintf("%+v", v)), "text")
}

// No string of a forbidden, identifying or unknown column is in a batch, in its quarantine, or in an error.
func TestCanaries(t *testing.T) {
	tr := transformer(t, func(o *transforms.Options) { o.Account = "Robin Vale" })
	planted := 0
	for _, d := range contract.Datasets() {
		if d.Report == "" {
			continue
		}
		header, cells, canaries := canaryRow(d)
		planted += len(canaries)
		name := "clinic_" + d.Report + "_20260901_20260930"
		good := [][]string{header, cells, cells}
		if d.Name == contract.InvoiceLines {
			second := append([]string(nil), cells...)
			for i, h := range header {
				if h == "Invoice #" {
					second[i] = "1532" // no side: the payer's name is looked at, and is a person's
				}
			}
			good = append(good, second)
		}
		for format, body := range map[string][]byte{"csv": csvOf(good), "xlsx": xlsxOf(t, good)} {
			b, err := tr.Read(t.Context(), extractors.Report{Name: name + "." + format, Body: body, StatedRows: -1})
			if err != nil {
				t.Fatalf("%s as %s: %v", d.Name, format, err)
			}
			if len(b.Quarantine) > 0 {
				t.Fatalf("%s: %v", d.Name, b.Quarantine)
			}
			if want := len(d.Refused()) * (len(good) - 1); b.ForbiddenCells != want {
				t.Errorf("%s as %s: %d forbidden cells were counted, want %d", d.Name, format, b.ForbiddenCells, want)
			}
			find(t, d.Name+" as "+format, b, canaries)
			find(t, "header strings of "+d.Name, b.Dropped, canaries)
		}

		// Broken in every column in turn, so that every error path is gone through with a canary in the bad cell: as the
		// whole file (refused), and beside good rows (quarantined).
		for i := range header {
			if d.Name == contract.PortalActivity && header[i] == "Staff Member" {
				continue // then it is somebody else's line, and no row of it is read
			}
			broken := append([]string(nil), cells...)
			broken[i] = "canary broken; \xff " + strings.Repeat("9x7q", 40)
			all := append([]string{broken[i], "9x7q"}, canaries...)
			for _, rows := range [][][]string{{header, broken}, {header, cells, broken, cells, cells}} {
				b, err := tr.Read(t.Context(), extractors.Report{Name: name, Body: csvOf(rows), StatedRows: -1})
				if err != nil {
					find(t, d.Name+" error", struct{ Text string }{err.Error()}, all)
					continue
				}
				find(t, fmt.Sprintf("%s with a broken %s", d.Name, header[i]), b, all)
			}
		}

		// Ragged, unclosed, and without a header.
		for _, body := range []string{
			strings.Join(header, ",") + "\n" + strings.Join(cells, ",") + ",extra-" + canaries[0] + "\n",
			strings.Join(header, ",") + "\n\"" + strings.Join(cells, ",") + "\n",
			strings.Join(header, ",") + "\n" + canaries[0] + "\"" + strings.Join(cells, ",") + "\n",
			strings.Join(cells, ",") + "\n" + strings.Join(cells, ",") + "\n",
			strings.Join(header[1:], ",") + "\n" + strings.Join(cells[1:], ",") + "\n",
		} {
			b, err := tr.Read(t.Context(), extractors.Report{Name: name, Body: []byte(body), StatedRows: -1})
			if err == nil {
				find(t, d.Name, b, canaries)
				continue
			}
			find(t, d.Name+" error", struct {
				Text string
				Err  error
			}{err.Error(), err}, canaries)
		}
	}
	if planted < 40 {
		t.Errorf("only %d canaries were planted", planted)
	}
}

// The search itself must find what is there.
func TestCanarySearchFinds(t *testing.T) {
	for _, v := range []any{
		transforms.Batch{File: "canary1"},
		transforms.Batch{PayerNames: map[string]string{"a": "canary1"}},
		transforms.Batch{Claims: []contract.Claim{{PolicyID: new("canary1")}}},
	} {
		probe := &testing.T{}
		find(probe, "probe", v, []string{"CANARY1"})
		if !probe.Failed() {
			t.Errorf("not found in %+v", v)
		}
	}
}

// FuzzRead looks for panics behind the header, and holds that no cell of the forbidden column comes out.
func FuzzRead(f *testing.F) {
	f.Add(appointmentsHeader, "7,L,2026-09-01 08:30:00,2026-09-01 09:15:00,g,Ann,T,R,booked,yes,,,,,,notes")
	f.Add(salesHeader, strings.TrimSuffix(sale("1-C01X", "Sun Life (Patient Pre-Pay)", "Tape", "$1,000.00", "(5.00)"), "\n"))
	f.Add(claimsHeader, "41,1531-C01,g,Ann,Sun Life,AB12,2026-09-01,Rejected,2026-09-02,2026-09-20,95.00,0.00,Al,no")
	f.Add(policiesHeader, "Ann,g,\"Sun Life\nGreen Shield\",My plan,C9,P-1,Open,2026-12-31,Al,3,12,1500.00,,")
	f.Add(shiftHeader, "Robin Vale,152.5,10,120:15,160")
	f.Add(paymentsHeader, "9001,NSF,2026-09-01,2026-09-02,g,Ann,Ann Smith,Visa,\"1531-P01, 1532-P02X\",(25.00),1.00,24.30")
	f.Add(publicHeader, "2026-09-01,Ann Smith,Visa,,25.00,24.30")
	f.Add(appliedHeader, "9001,2026-09-01,2026-09-01,2026-09-01,g,Sun Life,1531-C01,20.00")
	f.Add(adjustmentsHeader, "2026-09-10,Credit Memo,1531-P01,2026-09-01,g,Ann Smith,Robin Vale,Harbour Street,5.00,cross")
	f.Add(writeOffsHeader, "2026-09-28,1531-C01,,g,Sun Life,70.00")
	f.Add(creditsHeader, ",,Sun Life,12.00")
	f.Add(receivablesHeader, "2026-09-01,2026-09-30,240.00,95.00,165.00,50.00,5.00,5.00,0.00,120.00")
	f.Add(unscheduledHeader, "g,Ann,,2026-08-01,555")
	f.Add(activityHeader, "2026-09-30 08:30:00 -0400,falloff,Ran report Sales for 2026-09-01 to 2026-09-30,61")
	tr := transformer(f, func(o *transforms.Options) { o.Account, o.Identities = "falloff", true })
	f.Fuzz(func(t *testing.T, header, row string) {
		report := extractors.Report{Name: "f_20260901_20260930.csv", Body: []byte(header + "\n" + row + "\n" + row + "\n"), StatedRows: -1}
		first, err := tr.Read(t.Context(), report)
		if err != nil {
			return
		}
		again, err := tr.Read(t.Context(), report)
		if err != nil || !reflect.DeepEqual(first, again) {
			t.Fatalf("read twice: %v", err)
		}
		if _, err := json.Marshal(first); err != nil { //nolint:musttag // nobody reads it back
			t.Fatal(err)
		}
	})
}
