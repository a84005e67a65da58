package export

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// RFC 4180, with CRLF behind each record. It is ours and not encoding/csv because that one takes the carriage return out of a
// line end that stands inside a cell.

// maxRecord bounds what one record may take in memory.
const maxRecord = 4 << 20

// csvWriter writes records.
type csvWriter struct{ out *bufio.Writer }

func (w csvWriter) record(cells []string) error {
	for i, c := range cells {
		if i > 0 {
			_ = w.out.WriteByte(',') // the last write reports what failed
		}
		if strings.ContainsAny(c, ",\"\r\n") || c == "" && len(cells) == 1 {
			_, _ = w.out.WriteString(`"` + strings.ReplaceAll(c, `"`, `""`) + `"`)
		} else {
			_, _ = w.out.WriteString(c)
		}
	}
	_, err := w.out.WriteString("\r\n")
	return err
}

// csvReader reads records.
type csvReader struct {
	in *bufio.Reader
	// row is the number of the record that was read last, the header being 1.
	row int64
}

var (
	errCut      = errors.New("the file ends inside a record")
	errQuote    = errors.New("a quotation mark stands where none may")
	errTooLong  = fmt.Errorf("the record is longer than %d bytes", maxRecord)
	errReturned = errors.New("a carriage return stands outside of quotes")
)

// record is the next record, or io.EOF.
func (r *csvReader) record() ([]string, error) {
	r.row++
	var cells []string
	var cell []byte
	quoted, closed, length := false, false, 0
	for {
		b, err := r.in.ReadByte()
		if errors.Is(err, io.EOF) {
			if length == 0 {
				return nil, io.EOF
			}
			return nil, errCut
		}
		if err != nil {
			return nil, err
		}
		if length++; length > maxRecord {
			return nil, errTooLong
		}
		switch {
		case quoted && b != '"':
			cell = append(cell, b)
		case quoted:
			if next, err := r.in.Peek(1); err == nil && next[0] == '"' {
				_, _ = r.in.Discard(1)
				cell = append(cell, '"')
			} else {
				quoted, closed = false, true
			}
		case b == ',':
			cells, cell, closed = append(cells, string(cell)), cell[:0], false
		case b == '\r' || b == '\n':
			if b == '\r' {
				if next, err := r.in.Peek(1); err != nil || next[0] != '\n' {
					return nil, errReturned
				}
				_, _ = r.in.Discard(1)
			}
			return append(cells, string(cell)), nil
		case b == '"' && len(cell) == 0 && !closed:
			quoted = true
		case b == '"' || closed:
			return nil, errQuote
		default:
			cell = append(cell, b)
		}
	}
}
