package simclinic

import (
	"archive/zip"
	"bufio"
	"compress/flate"
	"fmt"
	"io"
	"strconv"
)

// MaxSheetRows is how many rows a sheet may have, header and preamble included.
const MaxSheetRows = 1_048_576

// WriteXLSX writes t as the portal exports it, in a sheet named Export with native dates. It fails where the rows do not
// fit one sheet.
//
// The file is written here and not through a library for two reasons: equal tables give equal bytes, and no part of it is
// ever parked in a temporary file, where names would lie about.
func (c *Clinic) WriteXLSX(w io.Writer, t Table) error {
	return c.writeXLSX(w, t.listing())
}

// The parts of a workbook that are always the same.
var workbookParts = []struct{ name, body string }{
	{"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
		`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
		`<Default Extension="xml" ContentType="application/xml"/>` +
		`<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>` +
		`<Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/>` +
		`<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>` +
		`</Types>`},
	{"_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
		`<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/>` +
		`</Relationships>`},
	{"xl/workbook.xml", `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" ` +
		`xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">` +
		`<sheets><sheet name="Export" sheetId="1" r:id="rId1"/></sheets></workbook>`},
	{"xl/_rels/workbook.xml.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
		`<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/>` +
		`<Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/>` +
		`</Relationships>`},
	{"xl/styles.xml", `<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">` +
		`<numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\-mm\-dd"/><numFmt numFmtId="165" formatCode="yyyy\-mm\-dd\ hh:mm:ss"/></numFmts>` +
		`<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>` +
		`<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>` +
		`<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>` +
		`<cellXfs count="4"><xf/><xf numFmtId="164" applyNumberFormat="1"/><xf numFmtId="165" applyNumberFormat="1"/>` +
		`<xf numFmtId="2" applyNumberFormat="1"/></cellXfs></styleSheet>`},
}

// The cell formats of styles.xml.
const (
	sheetDay     = 1
	sheetInstant = 2
	sheetMoney   = 3
)

const xmlHeader = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"

func (c *Clinic) writeXLSX(w io.Writer, l listing) error {
	archive := zip.NewWriter(w)
	archive.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(out, flate.BestSpeed)
	})
	for _, part := range workbookParts {
		file, err := archive.Create(part.name)
		if err == nil {
			_, err = io.WriteString(file, xmlHeader+part.body)
		}
		if err != nil {
			return fmt.Errorf("writing report %s as XLSX: %w", l.report, err)
		}
	}
	file, err := archive.Create("xl/worksheets/sheet1.xml")
	if err == nil {
		err = c.writeSheet(file, l)
	}
	if err == nil {
		err = archive.Close()
	}
	if err != nil {
		return fmt.Errorf("writing report %s as XLSX: %w", l.report, err)
	}
	return nil
}

// sheet writes rows of cells.
type sheet struct {
	printer
	rows int
	line []byte
	cell []byte
}

func (c *Clinic) writeSheet(w io.Writer, l listing) error {
	out := bufio.NewWriterSize(w, 1<<16)
	s := sheet{printer: c.printer(l.report)}
	order := s.style.columnOrder(len(l.headers))
	_, _ = out.WriteString(xmlHeader + `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>`)
	for _, row := range c.preamble(l, s.style) {
		s.open()
		s.text(0, []byte(row))
		_, _ = out.Write(s.shut())
	}
	s.open()
	for i, column := range order {
		s.text(i, []byte(l.headers[column]))
	}
	_, _ = out.Write(s.shut())
	err := l.each(func(row []Cell) error {
		if s.rows >= MaxSheetRows {
			return fmt.Errorf("more than %d rows do not fit a sheet: ask for a shorter range, or for CSV", MaxSheetRows)
		}
		s.open()
		for i, column := range order {
			s.add(i, l.headers[column], row[column])
		}
		_, err := out.Write(s.shut())
		return err
	})
	if err != nil {
		return err
	}
	_, _ = out.WriteString(`</sheetData></worksheet>`)
	return out.Flush()
}

func (s *sheet) open() {
	s.rows++
	s.line = append(strconv.AppendInt(append(s.line[:0], `<row r="`...), int64(s.rows), 10), `">`...)
}

func (s *sheet) shut() []byte {
	s.line = append(s.line, `</row>`...)
	return s.line
}

// add writes a cell: days, instants, integers and hours as numbers, money as a number where the style has no signs.
func (s *sheet) add(column int, header string, c Cell) {
	switch c.Kind {
	case Blank:
	case Day:
		s.number(column, sheetDay, float64(c.Number+excelEpoch))
	case Instant:
		on, seconds := s.calendar.wall(moment(c.Number))
		s.number(column, sheetInstant, float64(int64(on)+excelEpoch)+float64(seconds)/86400)
	case Integer:
		s.number(column, 0, float64(c.Number))
	case Minutes:
		s.number(column, 0, float64(c.Number)/60)
	case Money:
		if s.style.Money == MoneyPlain {
			s.number(column, sheetMoney, float64(c.Number)/100)
			return
		}
		s.text(column, s.append(s.cell[:0], header, c))
	default:
		s.cell = s.append(s.cell[:0], header, c)
		s.text(column, s.cell)
	}
}

// excelEpoch is 1970-01-01 as Excel counts days.
const excelEpoch = 25569

func (s *sheet) reference(column int) {
	s.line = append(s.line, `<c r="`...)
	if column >= 26 {
		s.line = append(s.line, byte('A'+column/26-1))
	}
	s.line = append(s.line, byte('A'+column%26))
	s.line = strconv.AppendInt(s.line, int64(s.rows), 10)
	s.line = append(s.line, '"')
}

func (s *sheet) number(column, format int, value float64) {
	s.reference(column)
	if format != 0 {
		s.line = append(s.line, ` s="`...)
		s.line = append(strconv.AppendInt(s.line, int64(format), 10), '"')
	}
	s.line = append(s.line, `><v>`...)
	s.line = strconv.AppendFloat(s.line, value, 'f', -1, 64)
	s.line = append(s.line, `</v></c>`...)
}

func (s *sheet) text(column int, value []byte) {
	if len(value) == 0 {
		return
	}
	s.reference(column)
	s.line = append(s.line, ` t="inlineStr"><is><t xml:space="preserve">`...)
	for _, b := range value {
		switch b {
		case '&':
			s.line = append(s.line, `&amp;`...)
		case '<':
			s.line = append(s.line, `&lt;`...)
		case '>':
			s.line = append(s.line, `&gt;`...)
		default:
			s.line = append(s.line, b)
		}
	}
	s.line = append(s.line, `</t></is></c>`...)
}
