package jane

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/falloff-analytics/falloff/extractors"
)

// largestSheet is how many bytes a workbook's sheet is unpacked to at most, only to count its rows.
const largestSheet = 1 << 30

// checkWhole refuses a file that holds fewer rows than the screen said the report has. A header and lines before it count
// as rows here, so that this finds what is missing and not what is too much: to find the header is the reader's job, who
// compares the numbers exactly.
func checkWhole(body []byte, stated int) error {
	rows, err := countRows(body)
	if err == nil && rows < stated+1 {
		err = fmt.Errorf("the screen says %d rows, the file has %d with its header", stated, rows)
	}
	if err != nil {
		return fail(extractors.ExportIncomplete, "", err)
	}
	return nil
}

func countRows(body []byte) (int, error) {
	if bytes.HasPrefix(body, zipMagic) {
		return countSheetRows(body)
	}
	reader := csv.NewReader(bytes.NewReader(body))
	reader.FieldsPerRecord, reader.LazyQuotes, reader.ReuseRecord = -1, true, true
	for rows := 0; ; rows++ {
		switch _, err := reader.Read(); {
		case errors.Is(err, io.EOF):
			return rows, nil
		case err != nil:
			// The error's own text may quote the file.
			return rows, errors.New("the file can't be read as CSV")
		}
	}
}

// countSheetRows counts the rows of a workbook's largest sheet.
func countSheetRows(body []byte) (int, error) {
	book, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return 0, errors.New("the workbook is not whole")
	}
	most := 0
	for _, part := range book.File {
		if !strings.HasPrefix(part.Name, "xl/worksheets/") || !strings.HasSuffix(part.Name, ".xml") {
			continue
		}
		rows, err := countRowElements(part)
		if err != nil {
			return 0, err
		}
		most = max(most, rows)
	}
	return most, nil
}

func countRowElements(part *zip.File) (int, error) {
	sheet, err := part.Open()
	if err != nil {
		return 0, errors.New("the workbook is not whole")
	}
	defer sheet.Close()
	decoder := xml.NewDecoder(io.LimitReader(sheet, largestSheet))
	for rows := 0; ; {
		token, err := decoder.RawToken()
		switch {
		case errors.Is(err, io.EOF):
			return rows, nil
		case err != nil:
			return 0, errors.New("a sheet of the workbook is not whole")
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "row" {
			rows++
		}
	}
}
