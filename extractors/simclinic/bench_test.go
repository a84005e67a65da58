package simclinic

import (
	"io"
	"testing"
)

func BenchmarkNew(b *testing.B) {
	d := DefaultDials()
	d.Patients = 20_000
	made := 0
	for b.Loop() {
		c, err := New(d)
		if err != nil {
			b.Fatal(err)
		}
		made += len(c.world.appointments)
	}
	b.ReportMetric(float64(made)/b.Elapsed().Seconds(), "appointments/s")
}

func BenchmarkWrite(b *testing.B) {
	d := DefaultDials()
	d.Patients = 20_000
	c := mustClinic(b, d)
	for _, format := range Formats() {
		for _, report := range []string{Appointments, Sales} {
			b.Run(format+"/"+report, func(b *testing.B) {
				rows := 0
				for b.Loop() {
					l, err := c.listing(report, d.From, c.Horizon())
					if err != nil {
						b.Fatal(err)
					}
					each := l.each
					l.each = func(yield func([]Cell) error) error {
						return each(func(row []Cell) error { rows++; return yield(row) })
					}
					write := c.writeCSV
					if format == "xlsx" {
						write = c.writeXLSX
					}
					if err := write(io.Discard, l); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}
