package transforms

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
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

// implausible notes that a file's columns contradict their names, unless the clinic has switched that check off. The first
// one is why the file is refused.
func (r *reading) implausible(columns, why string, bad, of int) {
	check := r.layout.Name + "." + slug(columns)
	if r.refusal != nil || slices.Contains(r.t.settings.ChecksOff, check) {
		return
	}
	r.refusal = &tabular.Error{File: r.table.Name, Row: r.table.HeaderRow,
		Problem: fmt.Sprintf("%s of this %s report cannot be what the header calls it: %s in %d of %d rows", columns, r.layout.Report, why, bad, of),
		Hint: "Its columns may have been moved or renamed: export the report again; nothing of the file was taken. Where the clinic really has it so, " +
			"write `checks_off: [" + check + "]` into its clinic.yaml, which switches this check off"}
}

// slug is the name of a check, after the columns that it is about.
func slug(columns string) string {
	return strings.Trim(notInSlug.ReplaceAllString(strings.ReplaceAll(strings.ToLower(columns), "` and `", "-"), "_"), "_")
}

var notInSlug = regexp.MustCompile("[^a-z0-9-]+")

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

func doubted[T any](r *reading, rows []T, doubts []doubt[T]) {
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
			r.implausible(d.columns, d.why, bad, of)
		}
	}
}

// turned refuses two columns that stand mostly in the wrong order where each row must have them in the other. A few rows
// that do not are nothing: what was typed in late has any date.
func (r *reading) turned(columns, why string, wrong, right int) {
	if wrong >= 3 && wrong > 2*right {
		r.implausible(columns, why, wrong, wrong+right)
	}
}

// ordered counts the rows that have two numbers in the wrong order and in the right one.
func ordered[T any](rows []T, about func(*T) bool, first, second func(*T) int64) (wrong, right int) {
	for i := range rows {
		if !about(&rows[i]) {
			continue
		}
		switch a, b := first(&rows[i]), second(&rows[i]); {
		case a > b:
			wrong++
		case a < b:
			right++
		}
	}
	return wrong, right
}

// plausible looks at the rows of a finished batch.
func (r *reading) plausible() error {
	r.patientIdentifiers()
	r.columnsHold()
	if outside := r.batch.Remarks[OutsideRange]; many(outside, r.batch.Rows, 50) {
		r.implausible("The dates", "a day outside of the report's own range", outside, r.batch.Rows)
	}
	b := r.batch
	switch r.layout.Name {
	case contract.Appointments:
		r.plausibleAppointments(b.Appointments)
	case contract.InvoiceLines:
		r.plausibleLines(b.InvoiceLines)
	case contract.Claims:
		r.plausibleClaims(b.Claims)
	case contract.Policies:
		r.plausiblePolicies(b.Policies)
	case contract.Shifts:
		r.plausibleShifts(b.Shifts)
	case contract.Payments:
		r.plausiblePayments(b.Payments)
	case contract.AppliedPayments:
		r.plausibleApplied(b.AppliedPayments)
	case contract.Adjustments, contract.WriteOffs:
		r.plausibleAdjustments(b.Adjustments)
	case contract.Credits:
		r.plausibleCredits(b.Credits)
	case contract.AccountsReceivable:
		r.plausibleReceivables(b.Receivables)
	case contract.UnscheduledPatients:
		r.plausibleUnscheduled(b.Unscheduled)
	case contract.PortalActivity:
		r.plausibleActivity()
	}
	if r.refusal != nil {
		return r.refusal
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

func (r *reading) patientIdentifiers() {
	bad, of := 0, len(r.patients)
	unread := 0
	for _, q := range r.batch.Quarantine {
		if q.Column == "Patient Guid" {
			unread++
		}
	}
	if of == 0 && unread >= 3 {
		r.implausible("`Patient Guid`", "something that is no patient's identifier", unread, unread)
	}
	for guid := range r.patients {
		if !isIdentifier(guid) {
			bad++
		}
	}
	// A few patients may have been typed in by hand; but not a few in very many rows, nor most of them.
	if bad*20 > of && (bad >= 20 || r.batch.Rows > 50*of) || r.batch.Rows >= 50 && many(bad, of, 50) {
		r.implausible("`Patient Guid`", "something that is no patient's identifier", bad, of)
	}
}

// columnsHold refuses a file in which a column that may be blank was filled now and then, each time with something that
// it cannot hold.
func (r *reading) columnsHold() {
	bad, days := map[string]int{}, map[string]int{}
	for _, q := range r.batch.Quarantine {
		bad[q.Column]++
		if q.Reason == normalise.BadDate {
			days[q.Column]++
		}
	}
	for column, n := range days { // of days with their month behind, those up to the 12th can be read, and are wrong
		if many(n, r.batch.Rows, 10) {
			r.implausible("`"+column+"`", "it is no day", n, r.batch.Rows)
		}
	}
	for _, c := range r.layout.Columns {
		if !c.Nullable || c.Type == "VARCHAR" || len(c.Headers) == 0 || bad[c.Headers[0]] < 3 {
			continue
		}
		if n := bad[c.Headers[0]]; r.batch.filled(c.Name) == 0 {
			r.implausible("`"+c.Headers[0]+"`", "what is in it cannot be read", n, n)
		}
	}
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
	for _, rows := range []any{b.Appointments, b.InvoiceLines, b.Claims, b.Policies, b.Shifts, b.Payments, b.AppliedPayments, b.Adjustments, b.Unscheduled} {
		count(reflect.ValueOf(rows))
	}
	return n
}
