package export

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// One JSON object a line, its members in the order of the columns.

// jsonText appends a text as JSON, with the signs of HTML as they are.
func jsonText(to []byte, text string) ([]byte, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		return nil, err
	}
	return append(to, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...), nil
}

// member is one value of a line: null, or the text of a string, a number or a truth value.
type member struct {
	text string
	null bool
	kind byte // 's' string, 'n' number, 'b' truth value
}

// lines reads a file of lines.
type lines struct {
	in  *bufio.Reader
	row int64
}

// next is the next line's members by name, or io.EOF.
func (l *lines) next() (map[string]member, error) {
	l.row++
	var line []byte
	for {
		part, err := l.in.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxRecord {
			return nil, errTooLong
		}
		switch {
		case err == nil:
			return members(line)
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil, io.EOF
		case errors.Is(err, io.EOF):
			return nil, errCut
		default:
			return nil, err
		}
	}
}

// members reads a line that is one object of plain values, none of them twice.
func members(line []byte) (map[string]member, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	notOne := errors.New("it is not one JSON object of plain values")
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, notOne
	}
	out := map[string]member{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, notOne
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("it has the member %.60q twice", name)
		}
		if t, err = d.Token(); err != nil {
			return nil, notOne
		}
		switch v := t.(type) {
		case nil:
			out[name] = member{null: true}
		case string:
			out[name] = member{text: v, kind: 's'}
		case json.Number:
			out[name] = member{text: v.String(), kind: 'n'}
		case bool:
			out[name] = member{text: fmt.Sprint(v), kind: 'b'}
		default:
			return nil, notOne
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, notOne
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, notOne
	}
	return out, nil
}

// want is the kind of value that a column's member must have.
func (c column) want() byte {
	switch {
	case c.isNumber():
		return 'n'
	case c.Type == "BOOLEAN":
		return 'b'
	default:
		return 's'
	}
}
