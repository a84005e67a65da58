package portal

import (
	"io"
	"slices"
	"sync"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors/simclinic"
)

// Clinic is what the portal asks of a simulated clinic; *simclinic.Clinic is one. It does not change, and may be asked
// from several goroutines.
type Clinic interface {
	Name() string
	Zone() *time.Location
	// ReportDate is the portal's today.
	ReportDate() civil.Date
	LocationNames() []string
	StaffNames() []string
	// Patients are in order of number, from 1 on.
	Patients() []simclinic.Patient
	Table(report string, from, to civil.Date) (simclinic.Table, error)
	// Printed is a row as screens show it.
	Printed(table simclinic.Table, row []simclinic.Cell) []string
	FileName(report string, from, to civil.Date, extension string) string
	WriteCSV(w io.Writer, table simclinic.Table) error
	WriteXLSX(w io.Writer, table simclinic.Table) error
}

// The columns that a location or staff filter narrows by, as the reports call them.
var (
	locationColumns = []string{"location_name", "Location"}
	staffColumns    = []string{"staff_member_name", "Staff Member", "Staff Name"}
)

// office is a clinic with its lists made once, which for a large one is work.
type office struct {
	Clinic
	patients         func() []simclinic.Patient
	locations, staff []string
}

func openOffice(clinic Clinic) office {
	return office{clinic, sync.OnceValue(clinic.Patients), clinic.LocationNames(), clinic.StaffNames()}
}

func columnOf(table simclinic.Table, names []string) int {
	return slices.IndexFunc(table.Headers, func(header string) bool { return slices.Contains(names, header) })
}

// printed is a row as the screens show it. The activity log is the portal's own and holds plain text.
func (o office) printed(table simclinic.Table, rows [][]simclinic.Cell) [][]string {
	shown := make([][]string, len(rows))
	for i, row := range rows {
		if table.Report != activityReport {
			shown[i] = o.Printed(table, row)
			continue
		}
		for _, cell := range row {
			shown[i] = append(shown[i], cell.Text)
		}
	}
	return shown
}
