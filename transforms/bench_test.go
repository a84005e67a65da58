package transforms_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// benchRows is the size of file that an import is promised to take within seconds.
const benchRows = 100_000

func transformer(t testing.TB, change ...func(*transforms.Options)) *transforms.Transformer {
	t.Helper()
	secret, err := identity.NewSecret([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := identity.Derive(secret)
	if err != nil {
		t.Fatal(err)
	}
	o := transforms.Options{Keys: keys, Settings: settings.Clinic{Name: "Test", TimeZone: "America/Toronto", Currency: "CAD",
		TaxName: "HST", TaxPerMillion: 130000, Insurers: []string{"Sun Life"}}}
	for _, c := range change {
		c(&o)
	}
	tr, err := transforms.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// bigReport makes rows of one report as the portal prints them.
func bigReport(report string, n int) [][]string {
	random := rand.New(rand.NewPCG(1, 1))
	guid := func() string {
		p := random.IntN(5000)
		return fmt.Sprintf("%08x-0000-4000-8000-%012x", p, p)
	}
	day := func() time.Time {
		return time.Date(2024, 1, 1, 9, 0, 0, 0, time.UTC).Add(time.Duration(random.IntN(900)) * 24 * time.Hour)
	}
	rows := [][]string{strings.Split(map[string]string{
		"appointments": "id,location_name,start_at,end_at,patient_guid,patient_number,patient_first_name,patient_preferred_name,patient_last_name,treatment_name,staff_member_name,state,first_visit,chart_status,booked_at,arrived_at,booked_online,cancelled_at,cancelled_reason,notes_text,insurance_state",
		"sales":        "Location,Purchase Date,Invoice Date,Patient Guid,Patient,Item,Staff Member,Payer,Invoice #,Income Category,Details,Status,Subtotal,HST,Total,Collected,Balance",
	}[report], ",")}
	const stamp = "2006-01-02 15:04:05 -0700"
	for i := range n {
		d := day()
		switch report {
		case "appointments":
			cancelled := ""
			if i%4 == 2 {
				cancelled = d.AddDate(0, 0, -1).Format(stamp)
			}
			rows = append(rows, []string{fmt.Sprint(i + 1), "Harbour Street", d.Format(stamp), d.Add(45 * time.Minute).Format(stamp), guid(),
				fmt.Sprint(i % 5000), "Firstname", "", "Lastname", "Physiotherapy Treatment", "Robin Vale", []string{"arrived", "No Show", "cancelled", "booked"}[i%4],
				"false", "signed", d.AddDate(0, 0, -14).UTC().Format("2006-01-02 15:04:05 UTC"), d.Format(stamp), "yes", cancelled, "", "some notes, with a comma", "none"})
		case "sales":
			side := []string{"P01", "C01"}[i%2]
			rows = append(rows, []string{"Harbour Street", d.Format("2006-01-02"), d.Format("Jan 2, 2006"), guid(), "Firstname Lastname", "Physiotherapy Treatment",
				"Robin Vale", []string{"Firstname Lastname", "Sun Life"}[i%2], fmt.Sprintf("%d-%s", 1000+i, side), "Treatments", "details", "partially_paid",
				"$1,095.00", "$142.35", "$1,237.35", "$1,000.00", "$237.35"})
		}
	}
	return rows
}

func csvOf(rows [][]string) []byte {
	var b bytes.Buffer
	for _, cells := range rows {
		for i, c := range cells {
			if i > 0 {
				b.WriteByte(',')
			}
			if strings.ContainsAny(c, ",\"\n") {
				c = `"` + strings.ReplaceAll(c, `"`, `""`) + `"`
			}
			b.WriteString(c)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func xlsxOf(t testing.TB, rows [][]string) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	if err := f.SetSheetName("Sheet1", "Export"); err != nil {
		t.Fatal(err)
	}
	w, err := f.NewStreamWriter("Export")
	if err != nil {
		t.Fatal(err)
	}
	for i, cells := range rows {
		values := make([]any, len(cells))
		for j, c := range cells {
			if c != "" {
				values[j] = c
			}
		}
		if err := w.SetRow(fmt.Sprint("A", i+1), values); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	b, err := f.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func BenchmarkRead(b *testing.B) {
	tr := transformer(b)
	for _, report := range []string{"appointments", "sales"} {
		rows := bigReport(report, benchRows)
		for format, body := range map[string][]byte{"csv": csvOf(rows), "xlsx": xlsxOf(b, rows)} {
			b.Run(report+"/"+format, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(body)))
				spent := cpuSeconds()
				for b.Loop() {
					batch, err := tr.Read(b.Context(), extractors.Report{Name: report + "." + format, Body: body, StatedRows: -1})
					if err != nil {
						b.Fatal(err)
					}
					if batch.Rows != benchRows || len(batch.Quarantine) > 0 {
						b.Fatalf("%d rows, %d in quarantine", batch.Rows, len(batch.Quarantine))
					}
				}
				b.ReportMetric(float64(benchRows*b.N)/b.Elapsed().Seconds(), "rows/s")
				b.ReportMetric(float64(benchRows*b.N)/(cpuSeconds()-spent), "rows/cpu-s")
			})
		}
	}
}

// cpuSeconds is what all threads of this process have used of the processor: what counts on a machine where others work.
func cpuSeconds() float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}
