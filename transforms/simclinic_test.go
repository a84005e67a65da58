package transforms_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/simclinic"
	"github.com/falloff-analytics/falloff/extractors/simclinic/canary"
	"github.com/falloff-analytics/falloff/transforms"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// simulated is a clinic to export from, and how it is printed.
type simulated struct {
	name   string
	format string
	dials  simclinic.Dials
}

// simulatedClinics covers the ways in which reports are printed: every way of the simulator's at least once, and zones
// whose clocks change on either side of the year.
func simulatedClinics() []simulated {
	var out []simulated
	countries := []string{"CA", "AU", "GB", "US"}
	for i := range 4 {
		style := &simclinic.Style{
			BOM: i%2 == 0, CRLF: i%2 == 1, Preamble: []int{3, 0, 1, 3}[i], Money: simclinic.MoneyStyle(i % 3), Times: simclinic.TimeStyle(i),
			States: simclinic.StateStyle(i), Days: simclinic.DayStyle(i % 2), Flags: simclinic.FlagStyle(i), Extra: i%2 == 0, Shuffle: uint64(i),
		}
		for _, format := range simclinic.Formats() {
			d := simclinic.DefaultDials()
			d.Seed, d.Country, d.Style, d.Patients = uint64(i+1), countries[i], style, 70
			out = append(out, simulated{fmt.Sprintf("%s style %d as %s", d.Country, i, format), format, d})
		}
	}
	return out
}

// Read takes what the simulated portal exports, row for row, whatever the style, and says of every cell what the
// simulator meant by it.
func TestReadSimulatedExports(t *testing.T) {
	for _, s := range simulatedClinics() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			clinic, err := simclinic.New(s.dials)
			if err != nil {
				t.Fatal(err)
			}
			typed, err := settings.Parse(clinic.SettingsYAML(), "clinic.yaml")
			if err != nil {
				t.Fatal(err)
			}
			tr, err := transforms.New(transforms.Options{Keys: keys(t), Settings: typed})
			if err != nil {
				t.Fatal(err)
			}
			identifiers := clinic.Planted()
			for _, id := range clinic.Identifiers() {
				identifiers = append(identifiers, id.Value)
			}
			searcher, err := canary.New(identifiers)
			if err != nil {
				t.Fatal(err)
			}
			for _, report := range simclinic.Reports() {
				window := extractors.Window{From: s.dials.From, To: s.dials.To}
				switch {
				case simclinic.AsOf(report):
					window.From = s.dials.To
				case report == simclinic.Appointments:
					window.To = clinic.Horizon()
				case report == simclinic.Hours:
					window = extractors.Window{From: civil.Date{Year: 2025, Month: 3, Day: 1}, To: civil.Date{Year: 2025, Month: 3, Day: 31}}
				}
				table, err := clinic.Table(report, window.From, window.To)
				if err != nil {
					t.Fatal(err)
				}
				var body bytes.Buffer
				if s.format == "xlsx" {
					err = clinic.WriteXLSX(&body, table)
				} else {
					err = clinic.WriteCSV(&body, table)
				}
				if err != nil {
					t.Fatal(err)
				}
				exported := extractors.Report{Name: clinic.FileName(report, window.From, window.To, s.format), Body: body.Bytes(), StatedRows: len(table.Rows)}
				b, err := tr.Read(t.Context(), exported)
				if err != nil {
					t.Fatal(err)
				}
				for _, q := range b.Quarantine[:min(5, len(b.Quarantine))] {
					t.Errorf("quarantined: %s", q)
				}
				covers := b.Covers
				if report == simclinic.Receivables {
					covers.From = window.From // they tell of every month before, too
				}
				if covers != window || len(b.Remarks) > 0 || len(b.Dropped) != map[bool]int{true: 1}[s.dials.Style.Extra] || b.Complete {
					t.Errorf("%s: covers %s, remarks %v, dropped %v", report, b.Covers, b.Remarks, b.Dropped)
				}
				// An appointments report shows the last day on which anything happened; the others say their range's end.
				quiet := clinic.ReportDate().DaysSince(b.ObservedOn)
				if b.ObservedOn != b.ReportDate || quiet < 0 || quiet > 3 && report != simclinic.Hours || quiet > 0 && report != simclinic.Appointments && report != simclinic.Hours {
					t.Errorf("%s: observed on %s, report date %s, the clinic's is %s", report, b.ObservedOn, b.ReportDate, clinic.ReportDate())
				}
				named := report != simclinic.Hours && report != simclinic.Receivables
				if named && b.ForbiddenCells == 0 {
					t.Errorf("%s: no forbidden cell was seen", report)
				}
				checkMeaning(t, clinic, table, b, s)
				encoded, err := json.Marshal(b) //nolint:musttag // it is searched, nobody reads it back
				if err != nil {
					t.Fatal(err)
				}
				if hits := searcher.Bytes(encoded); len(hits) > 0 {
					t.Errorf("%s: %d planted strings in the batch, the first is a %s", report, len(hits), hits[0].Form)
				}
				if hits := searcher.Bytes(body.Bytes()); len(hits) == 0 && named && s.format == "csv" {
					t.Errorf("%s: nothing was planted", report)
				}
			}
		})
	}
}

// of gives the cells of a table's column.
func of(t *testing.T, table simclinic.Table, header string) func(row []simclinic.Cell) simclinic.Cell {
	t.Helper()
	at := table.Column(header)
	if at < 0 {
		t.Fatalf("%s has no %s", table.Report, header)
	}
	return func(row []simclinic.Cell) simclinic.Cell { return row[at] }
}

// checkMeaning holds a batch against the typed cells that the report was printed from.
func checkMeaning(t *testing.T, clinic *simclinic.Clinic, table simclinic.Table, b *transforms.Batch, s simulated) {
	t.Helper()
	k := keys(t)
	var got, want []string
	switch table.Report {
	case simclinic.Appointments:
		id, guid, state := of(t, table, "id"), of(t, table, "patient_guid"), of(t, table, "state")
		starts, ends, booked, cancelled := of(t, table, "start_at"), of(t, table, "end_at"), of(t, table, "booked_at"), of(t, table, "cancelled_at")
		item, staff, first := of(t, table, "treatment_name"), of(t, table, "staff_member_name"), of(t, table, "first_visit")
		for _, row := range table.Rows {
			patients := []string{""}
			if cell := guid(row); cell.Kind != simclinic.Blank {
				patients = nil
				for guid := range strings.SplitSeq(cell.Text, "; ") {
					patients = append(patients, k.Pseudonym(identity.Patient, guid))
				}
			}
			for _, p := range patients {
				want = append(want, fmt.Sprint(id(row).Number, p, state(row).Text, wall(s, clinic, starts(row)), wall(s, clinic, ends(row)),
					wall(s, clinic, booked(row)), wall(s, clinic, cancelled(row)), item(row).Text, staff(row).Text, first(row).Number == 1))
			}
		}
		for _, a := range b.Appointments {
			p := ""
			if a.Patient != nil {
				p = *a.Patient
			}
			got = append(got, fmt.Sprint(a.AppointmentID, p, a.State, a.StartsAt/1e6, a.EndsAt/1e6, seconds(a.BookedAt), seconds(a.CancelledAt),
				a.Treatment, a.StaffMember, a.FirstVisit != nil && *a.FirstVisit))
		}
	case simclinic.Sales:
		number, guid, purchased, invoiced := of(t, table, "Invoice #"), of(t, table, "Patient Guid"), of(t, table, "Purchase Date"), of(t, table, "Invoice Date")
		item, status, total, collected, balance := of(t, table, "Item"), of(t, table, "Status"), of(t, table, "Total"), of(t, table, "Collected"), of(t, table, "Balance")
		tax, payer := of(t, table, s.dials.Tax.Name+taxOf(s)), of(t, table, "Payer")
		for _, row := range table.Rows {
			insurer := ""
			if strings.Contains(number(row).Text, "-C") {
				insurer = k.Pseudonym(identity.Payer, strings.ToLower(strings.TrimSuffix(payer(row).Text, " (Patient Pre-Pay)")))
			}
			want = append(want, fmt.Sprint(number(row).Text, k.Pseudonym(identity.Patient, guid(row).Text), purchased(row).Number, invoiced(row).Number, item(row).Text,
				status(row).Text, total(row).Number, tax(row).Number, collected(row).Number, balance(row).Number, insurer, strings.Contains(payer(row).Text, "Pre-Pay")))
		}
		for _, l := range b.InvoiceLines {
			insurer := ""
			if l.PayerID != nil {
				insurer = *l.PayerID
			}
			got = append(got, fmt.Sprint(l.InvoiceNumber, l.Patient, l.PurchaseDate, l.InvoiceDate, l.Item, l.Status, l.TotalCents, l.TaxCents, l.CollectedCents, l.BalanceCents, insurer, l.IsPrepay))
		}
	case simclinic.Claims:
		id, number, folder, submitted, responded, claimed := of(t, table, "Claim Id"), of(t, table, "Invoice #"), of(t, table, "Folder"), of(t, table, "Submitted Date"), of(t, table, "Response Date"), of(t, table, "Claimed")
		for _, row := range table.Rows {
			want = append(want, fmt.Sprint(k.Pseudonym(identity.Claim, fmt.Sprint(id(row).Number)), number(row).Text,
				strings.ReplaceAll(strings.ToLower(folder(row).Text), " ", "_"), orNone(submitted(row)), orNone(responded(row)), claimed(row).Number))
		}
		for _, c := range b.Claims {
			got = append(got, fmt.Sprint(c.ClaimID, c.InvoiceNumber, c.Folder, orZero(c.SubmittedOn), orZero(c.RespondedOn), *c.ClaimedCents))
		}
	case simclinic.Policies:
		guid, insurer, number := of(t, table, "Patient Guid"), of(t, table, "Insurer(s)"), of(t, table, "Policy #")
		end, used, most := of(t, table, "End Date"), of(t, table, "Number of Treatments"), of(t, table, "Max Treatments")
		for _, row := range table.Rows {
			want = append(want, fmt.Sprint(k.Pseudonym(identity.Patient, guid(row).Text), k.Pseudonym(identity.Payer, strings.ToLower(insurer(row).Text)),
				k.Pseudonym(identity.Policy, number(row).Text), orNone(end(row)), used(row).Number, most(row).Number))
		}
		for _, p := range b.Policies {
			got = append(got, fmt.Sprint(p.Patient, p.PayerID, p.PolicyID, orZero(p.EndDate), orZero(p.TreatmentsUsed), orZero(p.MaxTreatments)))
		}
	case simclinic.Transactions:
		number, kind, day, guid, payer := of(t, table, "Transaction #"), of(t, table, "Type"), of(t, table, "Date"), of(t, table, "Patient Guid"), of(t, table, "Payer")
		to, amount, tip, reached := of(t, table, "Applied To"), of(t, table, "Amount"), of(t, table, "Tip"), of(t, table, "Amount Paid to Clinic")
		for _, row := range table.Rows {
			patient, insurer := "", ""
			if id := guid(row).Text; id != "" {
				patient = k.Pseudonym(identity.Patient, id)
			} else if name := payer(row).Text; name != "" {
				insurer = k.Pseudonym(identity.Payer, strings.ToLower(name))
			}
			want = append(want, fmt.Sprint(number(row).Number, strings.ToLower(kind(row).Text), day(row).Number, patient, insurer,
				strings.ReplaceAll(to(row).Text, ",", ""), amount(row).Number, tip(row).Number, reached(row).Number))
		}
		for _, p := range b.Payments {
			got = append(got, fmt.Sprint(p.PaymentID, p.Kind, p.ReceivedOn, text(p.Patient), text(p.PayerID), text(p.AppliedTo), p.AmountCents, *p.TipCents, *p.PaidToClinicCents))
		}
	case simclinic.Applied:
		number, day, applied, invoice, amount := of(t, table, "Transaction #"), of(t, table, "Payment Date"), of(t, table, "Applied Date"), of(t, table, "Invoice #"), of(t, table, "Applied Amount")
		for _, row := range table.Rows {
			want = append(want, fmt.Sprintln(number(row).Number, day(row).Number, orNone(applied(row)), invoice(row).Text, amount(row).Number))
		}
		for _, a := range b.AppliedPayments {
			got = append(got, fmt.Sprintln(a.PaymentID, a.ReceivedOn, orZero(a.AppliedOn), a.InvoiceNumber, a.AmountCents))
		}
	case simclinic.Adjustments, simclinic.WriteOffs:
		day, amount, kind := "Write Off Date", "Amount Written Off", func([]simclinic.Cell) simclinic.Cell { return simclinic.Cell{Text: "write_off"} }
		if table.Report == simclinic.Adjustments {
			day, amount, kind = "Adjustment Date", "Adjustment Amount", of(t, table, "Adjustment Type")
		}
		on, invoice, guid, cents := of(t, table, day), of(t, table, "Invoice #"), of(t, table, "Patient Guid"), of(t, table, amount)
		for _, row := range table.Rows {
			said := strings.ReplaceAll(strings.TrimSuffix(strings.ToLower(kind(row).Text), " reduction"), " ", "_")
			want = append(want, fmt.Sprint(invoice(row).Text, said, on(row).Number, k.Pseudonym(identity.Patient, guid(row).Text), cents(row).Number))
		}
		for _, a := range b.Adjustments {
			got = append(got, fmt.Sprint(a.InvoiceNumber, a.Kind, a.AdjustedOn, a.Patient, a.AmountCents))
		}
	case simclinic.Credits:
		guid, credit := of(t, table, "Patient Guid"), of(t, table, "Credit")
		for _, row := range table.Rows {
			want = append(want, fmt.Sprint(k.Pseudonym(identity.Patient, guid(row).Text), credit(row).Number))
		}
		for _, c := range b.Credits {
			got = append(got, fmt.Sprint(c.Account, c.CreditCents))
		}
	case simclinic.Receivables:
		from, sales, closing := of(t, table, "From"), of(t, table, "Sales"), of(t, table, "Closing A/R")
		for _, row := range table.Rows {
			want = append(want, fmt.Sprint(from(row).Number, sales(row).Number, closing(row).Number))
		}
		for _, m := range b.Receivables {
			got = append(got, fmt.Sprint(m.PeriodFrom, m.SalesCents, m.ClosingCents))
		}
	case simclinic.Unscheduled:
		guid, discipline, last := of(t, table, "Patient Guid"), of(t, table, "Discipline"), of(t, table, "Last Visit")
		for _, row := range table.Rows {
			want = append(want, fmt.Sprint(k.Pseudonym(identity.Patient, guid(row).Text), discipline(row).Text, last(row).Number))
		}
		for _, u := range b.Unscheduled {
			got = append(got, fmt.Sprint(u.Patient, u.Discipline, orZero(u.LastVisitOn)))
		}
	case simclinic.Hours:
		name, hours, count := of(t, table, "Staff Name"), of(t, table, "Shift Total Hours"), of(t, table, "Appointment Total Count")
		for _, row := range table.Rows {
			want = append(want, fmt.Sprint(name(row).Text, hours(row).Number, count(row).Number))
		}
		for _, s := range b.Shifts {
			got = append(got, fmt.Sprint(s.StaffMember, s.ShiftMinutes, s.BookedCount))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if len(got) == 0 || len(got) != len(want) {
		t.Errorf("%s: %d rows were read, %d printed", table.Report, len(got), len(want))
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s: read %s\nprinted as %s", table.Report, got[i], want[i])
			return
		}
	}
}

// taxOf names the tax column, which the dials leave to the country.
func taxOf(s simulated) string {
	return map[string]string{"CA": "HST", "US": "Sales Tax", "GB": "VAT", "AU": "GST"}[s.dials.Country]
}

// wall is the instant that a printed cell can mean: where only wall time is printed, the second pass of a doubled hour
// cannot be told from the first.
func wall(s simulated, clinic *simclinic.Clinic, c simclinic.Cell) int64 {
	if c.Kind == simclinic.Blank {
		return 0
	}
	if s.format == "csv" && s.dials.Style.Times != simclinic.TimeWall {
		return c.Number
	}
	const face = "2006-01-02 15:04:05"
	earlier := time.Unix(c.Number-3600, 0).In(clinic.Zone())
	if earlier.Format(face) == time.Unix(c.Number, 0).In(clinic.Zone()).Format(face) {
		return c.Number - 3600
	}
	return c.Number
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func seconds(micros *int64) int64 {
	if micros == nil {
		return 0
	}
	return *micros / 1e6
}

func orZero(v *int32) int64 {
	if v == nil {
		return 0
	}
	return int64(*v)
}

func orNone(c simclinic.Cell) int64 {
	if c.Kind == simclinic.Blank {
		return 0
	}
	return c.Number
}
