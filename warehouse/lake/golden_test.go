package lake_test

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// objectNames is embedded, because the S3 server of other tests moves this process to another folder.
//
//go:embed testdata/object_names.txt
var objectNames string

var update = flag.Bool("update", false, "rewrite testdata/object_names.txt")

// An object is named by a keyed hash of its bytes, so a change of a single byte uploads a clinic's whole history anew. This
// is the list of the names that a fixed lake has: a faster writer must leave it as it is, and a newer Parquet or zstd
// library that changes it does so in a commit that says so (go test ./warehouse/lake -run TestObjectNames -update).
func TestObjectNames(t *testing.T) {
	clinic := newMemoryClinic(t)
	visits := schedule(3000, 4)
	lines := invoiced(visits)
	newest := contract.DateOf(visits[len(visits)-1].ServiceDate)
	late := visits[1700:1800:1800]
	changed := append([]contract.Appointment(nil), late...)
	for i := range changed {
		changed[i].State, changed[i].ObservedOn = "archived", changed[i].ObservedOn+3
	}
	everything := []lake.Cover{{From: civil.Date{Year: 2024, Month: 1, Day: 1}, To: newest, ObservedOn: newest.AddDays(9)}}
	mustUpsert(t, clinic, lake.Batch[contract.Appointment]{Rows: visits})
	mustUpsert(t, clinic, lake.Batch[contract.Appointment]{Rows: changed})
	mustUpsert(t, clinic, lake.Batch[contract.Appointment]{Rows: visits[:2500], Covers: everything})
	upsertInto(t, clinic, lake.InvoiceLines, lake.Batch[contract.InvoiceLine]{Rows: lines})

	var got bytes.Buffer
	for _, dataset := range []string{contract.Appointments, contract.InvoiceLines} {
		d := head(t, clinic).Datasets[dataset]
		for _, o := range d.Objects {
			fmt.Fprintf(&got, "%s %d rows, %d bytes\n", o.Path, o.Rows, o.Bytes)
		}
		if d.Removed != nil {
			fmt.Fprintf(&got, "%s %d rows, %d bytes\n", d.Removed.Path, d.Removed.Rows, d.Removed.Bytes)
		}
	}
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", "object_names.txt"), got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	} else if got.String() != objectNames {
		t.Errorf("the objects are named\n%swant\n%s", got.Bytes(), objectNames)
	}
}

// invoiced makes one or two invoice lines of each appointment, in the order of their numbers as text.
func invoiced(visits []contract.Appointment) []contract.InvoiceLine {
	var lines []contract.InvoiceLine
	for i, v := range visits {
		base := fmt.Sprint(1000 + i)
		total := int64(7000 + i%9*500)
		line := contract.InvoiceLine{InvoiceNumber: base + "-P01", InvoiceBase: base, InvoiceSide: contract.PatientSide, InvoiceSequence: 1,
			Item: v.Treatment, PurchaseDate: v.ServiceDate, InvoiceDate: v.ServiceDate, Patient: *v.Patient, StaffMember: v.StaffMember,
			Location: v.Location, PayerKind: contract.Person, IncomeCategory: "Treatments", Status: contract.Paid,
			SubtotalCents: total, TotalCents: total, CollectedCents: total, Currency: "CAD", ObservedOn: v.ObservedOn}
		lines = append(lines, line)
		if i%3 == 0 {
			line.InvoiceNumber, line.InvoiceSide, line.PayerKind = base+"-C01", contract.InsurerSide, contract.InsurerKind
			line.PayerID = new("p1_" + strings.Repeat("q", 26))
			lines = append(lines, line)
		}
	}
	return lines
}
