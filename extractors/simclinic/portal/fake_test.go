package portal

import (
	"encoding/csv"
	"fmt"
	"io"
	"time"

	"cloud.google.com/go/civil"
	"github.com/xuri/excelize/v2"

	"github.com/falloff-analytics/falloff/extractors/simclinic"
)

// fakeClinic has two locations, two practitioners, and one sales row a day, alternating between them.
type fakeClinic struct {
	today civil.Date
	// mark is printed in every row, so that a test sees which state of the clinic a result came from.
	mark string
}

func newFakeClinic() *fakeClinic {
	return &fakeClinic{today: civil.Date{Year: 2026, Month: 9, Day: 30}, mark: "first"}
}

func (f *fakeClinic) Name() string            { return "Harbour Street <Physio>" }
func (f *fakeClinic) Slug() string            { return "harbour" }
func (f *fakeClinic) ReportDate() civil.Date  { return f.today }
func (f *fakeClinic) Zone() *time.Location    { return time.UTC }
func (f *fakeClinic) LocationNames() []string { return []string{"North", "South"} }
func (f *fakeClinic) StaffNames() []string    { return []string{"Ada Quill", "Ben Thorn"} }

func (f *fakeClinic) Patients() []simclinic.Patient {
	return []simclinic.Patient{
		{Number: 1, FirstName: "Canary", LastName: "Firstname", Phone: "555-0100", Email: "canary@example.test", Address: "1 Canary Row",
			BirthDate: "1970-01-02", Note: "canary note", Diagnosis: "canary diagnosis", Card: "4000 0000 0000 0002"},
		{Number: 2, FirstName: "Second", LastName: "Person", Phone: "555-0101"},
	}
}

func (f *fakeClinic) Table(report string, from, to civil.Date) (simclinic.Table, error) {
	table := simclinic.Table{Report: report, From: from, To: to, Headers: []string{"Location", "Purchase Date", "Patient", "Staff Member", "Invoice #", "Total"}}
	switch report {
	case "appointments":
		table.Headers = []string{"id", "location_name", "start_at", "patient_first_name", "patient_last_name", "staff_member_name"}
	case "claims", "insurance_policies":
		table.Headers = []string{"Claim Id", "Patient", "Insurer", "Notes"}
	}
	for day, i := from, 0; !day.After(to); day, i = day.AddDays(1), i+1 {
		location, staff := f.LocationNames()[i%2], f.StaffNames()[i%2]
		switch report {
		case "appointments":
			table.Rows = append(table.Rows, textCells(fmt.Sprint(i+1), location, day.String(), "Canary", "Firstname", staff))
		case "claims", "insurance_policies":
			table.Rows = append(table.Rows, textCells(fmt.Sprint(i+1), "Canary Firstname", "Sun Life", f.mark))
		default:
			table.Rows = append(table.Rows, textCells(location, day.String(), "Canary Firstname", staff, fmt.Sprintf("%d-P01", i+1), f.mark))
		}
	}
	return table, nil
}

func (f *fakeClinic) Printed(_ simclinic.Table, row []simclinic.Cell) []string {
	var texts []string
	for _, cell := range row {
		texts = append(texts, cell.Text)
	}
	return texts
}

func (f *fakeClinic) texts(table simclinic.Table) (rows [][]string) {
	for _, row := range table.Rows {
		rows = append(rows, f.Printed(table, row))
	}
	return rows
}

func (f *fakeClinic) FileName(report string, from, to civil.Date, extension string) string {
	return fmt.Sprintf("harbour_%s_%04d%02d%02d_%04d%02d%02d.%s",
		report, from.Year, from.Month, from.Day, to.Year, to.Month, to.Day, extension)
}

func (f *fakeClinic) WriteCSV(w io.Writer, table simclinic.Table) error {
	out := csv.NewWriter(w)
	if err := out.Write(table.Headers); err != nil {
		return err
	}
	return out.WriteAll(f.texts(table))
}

func (f *fakeClinic) WriteXLSX(w io.Writer, table simclinic.Table) error {
	book := excelize.NewFile()
	defer book.Close()
	if err := book.SetSheetName("Sheet1", "Export"); err != nil {
		return err
	}
	for i, row := range append([][]string{table.Headers}, f.texts(table)...) {
		cell, err := excelize.CoordinatesToCellName(1, i+1)
		if err != nil {
			return err
		}
		if err := book.SetSheetRow("Export", cell, &row); err != nil {
			return err
		}
	}
	return book.Write(w)
}
