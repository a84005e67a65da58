package transforms

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/normalise"
	"github.com/falloff-analytics/falloff/transforms/tabular"
)

// A header can say one thing and its column hold another: two headers have changed places, or all have moved by one. A
// cell alone does not show it. The checks here look at a file's rows together and refuse it where they contradict what
// the columns are called. Each stands on something that holds of every clinic: cover ends after it begins, what was paid
// too much is not open, a person is not in two places. Single rows may break any of it; many may not.
//
// BUG(drift): columns of the same kind that nothing relates cannot be told apart from the file alone, for example the
// policy number and the claim number of a policy, or the treatments that it covers and those that were used. docs/drift.md
// lists them.

// implausible is the refusal of a file whose columns contradict their names.
func (r *reading) implausible(columns, why string, bad, of int) error {
	return &tabular.Error{File: r.table.Name, Row: r.table.HeaderRow,
		Problem: fmt.Sprintf("%s of this %s report cannot be what the header calls it: %s in %d of %d rows", columns, r.layout.Report, why, bad, of),
		Hint:    "Its columns may have been moved or renamed. Export the report again; if the portal really prints it so, report it: nothing of the file was taken"}
}

// many says that so many rows are no accident: three at least, and more than a share of all, in percent.
func many(bad, of, percent int) bool { return bad >= 3 && bad*100 > of*percent }

// A doubt is something that a row can show to be wrong.
type doubt[T any] struct {
	columns, why string
	// percent is the share of rows from which on the file is refused.
	percent int
	// about says whether a row can show it, wrong whether it does.
	about, wrong func(*T) bool
}

func doubted[T any](r *reading, rows []T, doubts []doubt[T]) error {
	for _, d := range doubts {
		bad, of := 0, 0
		for i := range rows {
			if d.about(&rows[i]) {
				of++
				if d.wrong(&rows[i]) {
					bad++
				}
			}
		}
		if many(bad, of, d.percent) {
			return r.implausible(d.columns, d.why, bad, of)
		}
	}
	return nil
}

// plausible looks at the rows of a finished batch.
func (r *reading) plausible() error {
	if err := r.patientIdentifiers(); err != nil {
		return err
	}
	if err := r.columnsHold(); err != nil {
		return err
	}
	if outside := r.batch.Remarks[OutsideRange]; many(outside, r.batch.Rows, 50) {
		return r.implausible("The dates", "a day outside of the report's own range", outside, r.batch.Rows)
	}
	switch r.layout.Name {
	case contract.Appointments:
		return r.plausibleAppointments(r.batch.Appointments)
	case contract.InvoiceLines:
		return r.plausibleLines(r.batch.InvoiceLines)
	case contract.Claims:
		return r.plausibleClaims(r.batch.Claims)
	case contract.Policies:
		return r.plausiblePolicies(r.batch.Policies)
	case contract.Shifts:
		return r.plausibleShifts(r.batch.Shifts)
	}
	return nil
}

// invoiceForm is how invoice numbers look, which no patient's identifier does.
var invoiceForm = regexp.MustCompile(`^[0-9]+-[PpCc][0-9]+[Xx]?$`)

// isIdentifier says whether a text can be a patient's GUID: letters and digits, eight of them at least. A number alone
// counts patients, letters alone are a name.
func isIdentifier(text string) bool {
	digits := strings.ContainsAny(text, "0123456789")
	letters := strings.ContainsFunc(text, func(c rune) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' })
	return len(text) >= 8 && digits && letters && !strings.ContainsAny(text, "@ ") && !invoiceForm.MatchString(text) || len(text) >= 32
}

func (r *reading) patientIdentifiers() error {
	bad := 0
	for guid := range r.patients {
		if !isIdentifier(guid) {
			bad++
		}
	}
	// A few patients may have been typed in by hand; but not a few in very many rows.
	if bad*20 > len(r.patients) && (bad >= 20 || r.batch.Rows > 50*len(r.patients)) {
		return &tabular.Error{File: r.table.Name, Row: r.table.HeaderRow,
			Problem: fmt.Sprintf("the column of patient GUIDs holds something else: %d of %d are not of their form", bad, len(r.patients)),
			Hint:    "Its columns may have been moved or renamed. Export the report again; nothing of the file was taken"}
	}
	return nil
}

const day = 24 * 60 * 60 * 1e6 // microseconds

func (r *reading) plausibleAppointments(rows []contract.Appointment) error {
	type a = contract.Appointment
	err := doubted(r, rows, []doubt[a]{
		{"`start_at` and `end_at`", "more than 18 hours lie between them", 5,
			func(*a) bool { return true }, func(x *a) bool { return x.EndsAt-x.StartsAt > day*3/4 }},
		{"`booked_at` and `arrived_at`", "the patient arrived before booking", 10,
			func(x *a) bool { return x.BookedAt != nil && x.ArrivedAt != nil }, func(x *a) bool { return *x.ArrivedAt < *x.BookedAt-day }},
		{"`booked_at` and `cancelled_at`", "it was cancelled before it was booked", 10,
			func(x *a) bool { return x.BookedAt != nil && x.CancelledAt != nil }, func(x *a) bool { return *x.CancelledAt < *x.BookedAt }},
		{"`patient_guid`", "nobody arrived, booked or cancelled", 20,
			func(x *a) bool {
				return x.State == contract.Arrived || x.State == contract.Cancelled || x.State == contract.NoShow
			}, func(x *a) bool { return x.Patient == nil }},
		{"`booked_at`", "it was never booked", 90, func(x *a) bool { return x.Patient != nil && len(rows) >= 100 }, func(x *a) bool { return x.BookedAt == nil }},
		{"`arrived_at`", "who arrived did so at no time", 90,
			func(x *a) bool { return x.State == contract.Arrived && len(rows) >= 100 }, func(x *a) bool { return x.ArrivedAt == nil }},
		{"`cancelled_at`", "what was cancelled was so at no time", 90,
			func(x *a) bool { return x.State == contract.Cancelled && len(rows) >= 100 }, func(x *a) bool { return x.CancelledAt == nil }},
		{"`cancelled_reason`", "there is a reason and nothing was cancelled", 20,
			func(x *a) bool { return x.CancelledReason != nil },
			func(x *a) bool {
				return x.CancelledAt == nil && (x.State == contract.Arrived || x.State == contract.Booked || x.State == contract.NoShow)
			}},
		{"`arrived_at` and `cancelled_at`", "who arrived has cancelled, and who cancelled has arrived,", 50,
			func(x *a) bool {
				return (x.State == contract.Arrived || x.State == contract.Cancelled) && (x.ArrivedAt == nil) != (x.CancelledAt == nil)
			},
			func(x *a) bool { return (x.State == contract.Arrived) != (x.ArrivedAt != nil) }},
	})
	if err != nil {
		return err
	}
	if err := r.firstVisitsAreOne(rows); err != nil {
		return err
	}
	for _, other := range []struct {
		name string
		of   func(*a) string
	}{{"location_name", func(x *a) string { return x.Location }}, {"treatment_name", func(x *a) string { return x.Treatment }}} {
		here, there := atOnce(rows, func(x *a) string { return x.StaffMember }), atOnce(rows, other.of)
		if here >= 10 && here > 2*there {
			return r.implausible("`staff_member_name` and `"+other.name+"`", "somebody begins two appointments at once", here, len(rows))
		}
	}
	// A class prints the names of all its people in one cell.
	class := map[int64]bool{}
	for i := range rows {
		if rows[i].Seat > 0 {
			class[rows[i].AppointmentID] = true
		}
	}
	of := func(name func(*a) string) texts {
		return r.texted(len(rows), func(i int) (string, string) {
			if class[rows[i].AppointmentID] {
				return name(&rows[i]), ""
			}
			return name(&rows[i]), refOf(rows[i].Patient)
		})
	}
	return r.plausibleNames([]nameColumn{
		{"`treatment_name`", of(func(x *a) string { return x.Treatment }), sold},
		{"`location_name`", of(func(x *a) string { return x.Location }), place},
		{"`staff_member_name`", of(func(x *a) string { return x.StaffMember }), staff},
	})
}

// firstVisitsAreOne refuses a column in which patients arrive for the first time again and again.
func (r *reading) firstVisitsAreOne(rows []contract.Appointment) error {
	firsts := map[string]int{}
	for i := range rows {
		if x := &rows[i]; x.State == contract.Arrived && x.Patient != nil && x.FirstVisit != nil && *x.FirstVisit {
			firsts[*x.Patient]++
		}
	}
	again := 0
	for _, n := range firsts {
		if n > 1 {
			again++
		}
	}
	if many(again, len(firsts), 20) {
		return r.implausible("`first_visit`", "a patient arrives for the first time more than once", again, len(firsts))
	}
	return nil
}

func refOf(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// atOnce counts appointments that begin in the same moment as another of the same name.
func atOnce(rows []contract.Appointment, name func(*contract.Appointment) string) int {
	type start struct {
		name string
		at   int64
	}
	first := map[start]int64{}
	n := 0
	for i := range rows {
		x := &rows[i]
		if x.Patient == nil || x.Seat > 0 || x.State != contract.Arrived && x.State != contract.Booked {
			continue
		}
		key := start{name(x), x.StartsAt}
		if id, ok := first[key]; !ok {
			first[key] = x.AppointmentID
		} else if id != x.AppointmentID {
			n++
		}
	}
	return n
}

func (r *reading) plausibleLines(rows []contract.InvoiceLine) error {
	type l = contract.InvoiceLine
	every := func(*l) bool { return true }
	// Amounts of a reversal are those of a line with the sign turned round.
	sign := func(x *l) int64 {
		if x.TotalCents < 0 || x.TotalCents == 0 && x.IsReversal {
			return -1
		}
		return 1
	}
	earlier, later := 0, 0
	for i := range rows {
		switch {
		case rows[i].InvoiceDate < rows[i].PurchaseDate:
			earlier++
		case rows[i].InvoiceDate > rows[i].PurchaseDate:
			later++
		}
	}
	if earlier >= 3 && earlier > later {
		return r.implausible("`Purchase Date` and `Invoice Date`", "the invoice is older than what it is for", earlier, len(rows))
	}
	err := doubted(r, rows, []doubt[l]{
		{"`Subtotal` and `Total`", "the price before tax is higher than with it", 2, every,
			func(x *l) bool { return sign(x)*x.SubtotalCents > sign(x)*x.TotalCents }},
		{"`Subtotal` and the tax", "the tax is higher than the price", 2, every,
			func(x *l) bool { return sign(x)*x.TaxCents > sign(x)*x.SubtotalCents }},
		// Patients pay too much now and then, and then nothing is open.
		{"`Total` and `Collected`", "more was collected than the whole amount, and yet something is open,", 5, every,
			func(x *l) bool { return sign(x)*x.CollectedCents > sign(x)*x.TotalCents && sign(x)*x.BalanceCents > 0 }},
		{"`Collected` and `Balance`", "they are more than the whole amount together", 5, every,
			func(x *l) bool {
				return sign(x)*(x.CollectedCents+x.BalanceCents) > sign(x)*x.TotalCents && sign(x)*x.BalanceCents > 0
			}},
		{"`Status`, `Collected` and `Balance`", "what is paid is open, or what is unpaid is collected,", 50,
			func(x *l) bool {
				return x.TotalCents > 0 && (x.Status == contract.Paid || x.Status == contract.Unpaid)
			},
			func(x *l) bool {
				return x.Status == contract.Paid && x.BalanceCents > 0 || x.Status == contract.Unpaid && x.CollectedCents > 0
			}},
		{"`Status`", "an unknown status", 50, every, func(x *l) bool { return x.Status == contract.OtherStatus }},
	})
	if err != nil {
		return err
	}
	if bad := r.batch.Remarks[TaxDisagrees]; many(bad, len(rows), 20) {
		return r.implausible("`Subtotal`, the tax and `Total`", "they do not add up", bad, len(rows))
	}
	if err := r.plausiblePrices(rows); err != nil {
		return err
	}
	// The patient's own invoices are where a column of names would show the patients; the insurers' are where the payer is
	// not one of them.
	of := func(insurers bool, name func(*l) string) texts {
		return r.texted(len(rows), func(i int) (string, string) {
			if (rows[i].InvoiceSide == contract.InsurerSide) != insurers {
				return name(&rows[i]), ""
			}
			return name(&rows[i]), rows[i].Patient
		})
	}
	return r.plausibleNames([]nameColumn{
		{"`Item`", of(false, func(x *l) string { return x.Item }), sold},
		{"`Location`", of(false, func(x *l) string { return x.Location }), place},
		{"`Staff Member`", of(false, func(x *l) string { return x.StaffMember }), staff},
		{"`Income Category`", of(false, func(x *l) string { return x.IncomeCategory }), category},
		{"`Payer`", of(true, func(x *l) string { return refOf(x.PayerID) }), coded},
	})
}

// plausiblePrices compares amounts with the clinic's own price list: a portal that prints cents, or dollars where it
// printed cents, is a hundred times off.
func (r *reading) plausiblePrices(rows []contract.InvoiceLine) error {
	near, off := 0, 0
	for i := range rows {
		x := &rows[i]
		price, ok := r.t.settings.PriceOn(x.Item, x.Location, contract.DateOf(x.PurchaseDate))
		if !ok || price == 0 {
			continue
		}
		switch x.TotalCents {
		case price:
			near++
		case 100 * price, price / 100:
			off++
		}
	}
	if many(off, near+off, 50) {
		return r.implausible("`Total`", "it is a hundred times what the price list says, or a hundredth,", off, near+off)
	}
	return nil
}

func (r *reading) plausibleShifts(rows []contract.Shift) error {
	type s = contract.Shift
	var shift, breaks int64
	for i := range rows {
		shift, breaks = shift+rows[i].ShiftMinutes, breaks+rows[i].BreakMinutes
	}
	if len(rows) >= 3 && 2*breaks > shift {
		return r.implausible("`Shift Total Hours` and `Break Total Hours`", "more than half of the time is breaks", len(rows), len(rows))
	}
	if bad := len(r.batch.Quarantine); many(bad, r.batch.Rows, 30) {
		return r.implausible("One of the columns", "it cannot be read", bad, r.batch.Rows)
	}
	return doubted(r, rows, []doubt[s]{
		{"`Shift Total Hours` and `Break Total Hours`", "the breaks are longer than the shift", 20,
			func(x *s) bool { return x.ShiftMinutes > 0 }, func(x *s) bool { return x.BreakMinutes > x.ShiftMinutes }},
		{"`Shift Total Hours` and `Appointment Total Hours`", "more was booked than worked", 50,
			func(x *s) bool { return x.ShiftMinutes > 0 && x.BookedMinutes > 0 }, func(x *s) bool { return x.BookedMinutes > x.ShiftMinutes }},
		{"`Appointment Total Hours` and `Appointment Total Count`", "an appointment takes less than 5 minutes, or more than 8 hours,", 50,
			func(x *s) bool { return x.BookedCount > 0 },
			func(x *s) bool { return x.BookedMinutes < 5*x.BookedCount || x.BookedMinutes > 480*x.BookedCount }},
	})
}

// columnsHold refuses a file in which a column that may be blank was filled now and then, each time with something that
// it cannot hold.
func (r *reading) columnsHold() error {
	bad, days := map[string]int{}, map[string]int{}
	for _, q := range r.batch.Quarantine {
		bad[q.Column]++
		if q.Reason == normalise.BadDate {
			days[q.Column]++
		}
	}
	for column, n := range days { // of days with their month behind, those up to the 12th can be read, and are wrong
		if many(n, r.batch.Rows, 10) {
			return r.implausible("`"+column+"`", "it is no day", n, r.batch.Rows)
		}
	}
	for _, c := range r.layout.Columns {
		if !c.Nullable || c.Type == "VARCHAR" || len(c.Headers) == 0 || bad[c.Headers[0]] < 3 {
			continue
		}
		if n := bad[c.Headers[0]]; r.batch.filled(c.Name) == 0 {
			return r.implausible("`"+c.Headers[0]+"`", "what is in it cannot be read", n, n)
		}
	}
	return nil
}

// filled counts the rows in which a column that may be blank is not.
func (b *Batch) filled(column string) int {
	n := 0
	count := func(rows reflect.Value) {
		for i := range rows.Len() {
			row := rows.Index(i)
			for f := range row.NumField() {
				name, _, _ := strings.Cut(row.Type().Field(f).Tag.Get("parquet"), ",")
				if name == column && row.Field(f).Kind() == reflect.Pointer && !row.Field(f).IsNil() {
					n++
				}
			}
		}
	}
	for _, rows := range []any{b.Appointments, b.InvoiceLines, b.Claims, b.Policies, b.Shifts} {
		count(reflect.ValueOf(rows))
	}
	return n
}
