package simclinic

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// WriteCSV writes t as the portal exports it, in the report's style.
func (c *Clinic) WriteCSV(w io.Writer, t Table) error {
	return c.writeCSV(w, t.listing())
}

// listing gives a table back as something to go through.
func (t Table) listing() listing {
	return listing{report: t.Report, from: t.From, to: t.To, headers: t.Headers, each: func(yield func([]Cell) error) error {
		for _, row := range t.Rows {
			if err := yield(row); err != nil {
				return err
			}
		}
		return nil
	}}
}

func (c *Clinic) writeCSV(w io.Writer, l listing) error {
	out := bufio.NewWriterSize(w, 1<<16)
	p := c.printer(l.report)
	order := p.style.columnOrder(len(l.headers))
	end := "\n"
	if p.style.CRLF {
		end = "\r\n"
	}
	if p.style.BOM {
		_, _ = out.WriteString("\ufeff")
	}
	var line, cell []byte
	for _, row := range c.preamble(l, p.style) {
		line = appendField(line[:0], []byte(row))
		line = append(line, end...)
		_, _ = out.Write(line)
	}
	line = line[:0]
	for i, column := range order {
		if i > 0 {
			line = append(line, ',')
		}
		line = appendField(line, []byte(l.headers[column]))
	}
	line = append(line, end...)
	_, _ = out.Write(line)
	err := l.each(func(row []Cell) error {
		line = line[:0]
		for i, column := range order {
			if i > 0 {
				line = append(line, ',')
			}
			cell = p.append(cell[:0], l.headers[column], row[column])
			line = appendField(line, cell)
		}
		line = append(line, end...)
		_, err := out.Write(line)
		return err
	})
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("writing report %s as CSV: %w", l.report, err)
	}
	return nil
}

// appendField quotes a field where RFC 4180 asks for it.
func appendField(line, field []byte) []byte {
	if !bytes.ContainsAny(field, ",\"\r\n") {
		return append(line, field...)
	}
	line = append(line, '"')
	for _, b := range field {
		if b == '"' {
			line = append(line, '"')
		}
		line = append(line, b)
	}
	return append(line, '"')
}

var reportTitles = map[string]string{
	Appointments: "Appointments", Sales: "Sales", Claims: "Claim Submissions", Policies: "Insurance Policies",
	Hours: "Hours Scheduled / Booked", Transactions: "Transactions", Applied: "Applied / Unapplied Payments", Adjustments: "Adjustments",
	WriteOffs: "Write Offs", Credits: "Credits", Receivables: "Accounts Receivable", Unscheduled: "Unscheduled Patients",
}

// preamble is what stands before the header.
func (c *Clinic) preamble(l listing, style Style) []string {
	title, known := reportTitles[l.report]
	if !known {
		title = l.report // a portal's own report, such as its activity log
	}
	title += " - " + c.Name()
	switch {
	case style.Preamble <= 0:
		return nil
	case style.Preamble == 1:
		return []string{title}
	default:
		return []string{title, "Date range: " + l.from.String() + " to " + l.to.String(), ""}
	}
}
