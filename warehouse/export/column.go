package export

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/identity"
)

// column is one column of a dataset's row type.
type column struct {
	contract.Column
	field int
}

// columnsOf are the columns of a row type, in its order. That type and contract agree, a test of the contract holds.
func columnsOf(d contract.Dataset) []column {
	stored := d.Stored()
	out := make([]column, len(stored))
	for i, c := range stored {
		out[i] = column{Column: c, field: i}
	}
	return out
}

// isText says whether the column holds texts, which may need an apostrophe in a CSV and quotes in JSON.
func (c column) isText() bool { return c.Type == "VARCHAR" }

// isNumber says whether the column holds numbers.
func (c column) isNumber() bool { return c.Type == "INTEGER" || c.Type == "BIGINT" }

// clockForm is UTC to the microsecond, always with six decimals.
const clockForm = "2006-01-02T15:04:05.000000Z"

// format is a row's value as text.
func (c column) format(row reflect.Value) (text string, null bool, err error) {
	v := row.Field(c.field)
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return "", true, nil
		}
		v = v.Elem()
	}
	switch c.Type {
	case "VARCHAR":
		if text = v.String(); !utf8.ValidString(text) {
			return "", false, errors.New("the text is no UTF-8")
		}
		return text, false, nil
	case "BOOLEAN":
		return strconv.FormatBool(v.Bool()), false, nil
	case "DATE":
		day := contract.DateOf(int32(v.Int()))
		if day.Year < 0 || day.Year > 9999 {
			return "", false, errors.New("the day is outside of the years 0 to 9999")
		}
		return day.String(), false, nil
	case "TIMESTAMP":
		at := time.UnixMicro(v.Int()).UTC()
		if at.Year() < 0 || at.Year() > 9999 {
			return "", false, errors.New("the instant is outside of the years 0 to 9999")
		}
		return at.Format(clockForm), false, nil
	default:
		return strconv.FormatInt(v.Int(), 10), false, nil
	}
}

// set puts a text into a row, if it is written as format writes it.
func (c column) set(row reflect.Value, text string, null bool) error {
	v := row.Field(c.field)
	switch {
	case null && v.Kind() == reflect.Pointer:
		v.SetZero()
		return nil
	case null:
		return errors.New("it may not be empty")
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch c.Type {
	case "VARCHAR":
		if !utf8.ValidString(text) {
			return errors.New("it is no UTF-8")
		}
		v.SetString(text)
	case "BOOLEAN":
		if text != "true" && text != "false" {
			return errors.New("it is neither true nor false")
		}
		v.SetBool(text == "true")
	case "DATE":
		day, err := civil.ParseDate(text)
		if err != nil {
			return errors.New("it is no day such as 2026-01-31")
		}
		v.SetInt(int64(contract.DayOf(day)))
	case "TIMESTAMP":
		at, err := time.Parse(clockForm, text)
		if err != nil {
			return errors.New("it is no instant such as 2026-01-31T09:30:00.000000Z")
		}
		v.SetInt(at.UnixMicro())
	default:
		bits := 64
		if c.Type == "INTEGER" {
			bits = 32
		}
		n, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			return fmt.Errorf("it is no whole number of %d bits", bits)
		}
		v.SetInt(n)
	}
	again, _, err := c.format(row)
	if err == nil && again != text {
		err = errors.New("it is not written as an export writes it")
	}
	return err
}

// judge refuses what must not stand in a column whatever its type: a name, where a pseudonym belongs.
func (c column) judge(row reflect.Value, keyVersion int) error {
	if c.Sensitivity != contract.Pseudonym {
		return nil
	}
	text, null, err := c.format(row)
	if err != nil || null {
		return err
	}
	if c.Name == leakID {
		return judgeLeakID(text, keyVersion)
	}
	if identity.VersionOf(text) != keyVersion {
		return fmt.Errorf("it is no pseudonym of key version %d", keyVersion)
	}
	return nil
}

// leakID is the column whose texts have pseudonyms among other things.
const leakID = "leak_id"

// judgeLeakID refuses a leak's name that has anything else where a pseudonym belongs: a patient's behind falloff, an insurer's behind
// the side of an invoice.
func judgeLeakID(text string, keyVersion int) error {
	category, rest, _ := strings.Cut(text, "/")
	belongs := ""
	if category == "falloff" {
		belongs, _, _ = strings.Cut(rest, "/")
	} else if _, insurer, found := strings.Cut(rest, "-C/"); found {
		belongs = insurer
	}
	if belongs != "" && identity.VersionOf(belongs) == 0 {
		return errors.New("it is no leak's name: something stands in it where a pseudonym belongs")
	}
	for _, pseudonym := range identity.Inside(text) {
		if identity.VersionOf(pseudonym) != keyVersion {
			return fmt.Errorf("it has a pseudonym in it that is none of key version %d", keyVersion)
		}
	}
	return nil
}

// CellError says which cell of an export's file is wrong, without repeating it.
type CellError struct {
	File string
	// Row counts from 1, in a CSV with the header; 0 means the file.
	Row int64
	// Column is empty where the row as a whole is meant.
	Column  string
	Problem error
}

func (e *CellError) Error() string {
	var where strings.Builder
	where.WriteString(e.File)
	if e.Row > 0 {
		fmt.Fprintf(&where, ", row %d", e.Row)
	}
	if e.Column != "" {
		fmt.Fprintf(&where, ", column %.60s", e.Column)
	}
	return where.String() + ": " + e.Problem.Error()
}

// Unwrap gives the problem.
func (e *CellError) Unwrap() error { return e.Problem }
