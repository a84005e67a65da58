package main

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/duckdb/duckdb-go/v2"
)

// The forms that rows are printed in.
const (
	formatTable = "table"
	formatCSV   = "csv"
	formatJSON  = "json"
)

func printRows(w io.Writer, format string, columns []string, rows [][]any) error {
	switch format {
	case formatTable:
		return printTable(w, columns, rows)
	case formatCSV:
		return printCSV(w, columns, rows)
	case formatJSON:
		return printJSON(w, columns, rows)
	default:
		return usagef("--format %q is not known: use table, csv or json", format)
	}
}

func printCSV(w io.Writer, columns []string, rows [][]any) error {
	out := csv.NewWriter(w)
	record := make([]string, len(columns))
	for i, c := range columns {
		record[i] = safeCell(c)
	}
	if err := out.Write(record); err != nil {
		return err
	}
	for _, row := range rows {
		for i, v := range row {
			record[i] = safeCell(v)
		}
		if err := out.Write(record); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// safeCell is a cell that no spreadsheet takes for a formula: numbers stay numbers, in text see inert.
func safeCell(v any) string {
	text := plain(v)
	if isNumber(v) {
		return text
	}
	return inert(text)
}

// inert puts an apostrophe before whatever could begin a formula: at the start of a text, and behind what a spreadsheet of
// another country parts cells at (it reads a CSV with semicolons, and then our commas and quotes mean nothing to it). What
// cannot be seen does not hide a beginning. JSON has the text as it is.
func inert(text string) string {
	var out strings.Builder
	beginning, copied := true, 0
	for at, r := range text {
		switch {
		case beginning && beginsFormula(r):
			out.WriteString(text[copied:at] + "'")
			copied, beginning = at, false
		case beginning && r != '\'' && (unicode.IsSpace(r) || unicode.Is(unicode.Cf, r)):
		default:
			beginning = false
		}
		if r == ';' || r == '\t' || r == '\n' || r == '\r' || r == '|' {
			beginning = true
		}
	}
	return out.String() + text[copied:]
}

// beginsFormula reports whether a spreadsheet may take a cell that begins so for a formula: the signs, in the full width of East
// Asian keyboards too, and the two blanks that some take off first.
func beginsFormula(r rune) bool { return strings.ContainsRune("=+-@\t\r＝＋－＠﹦﹢﹣﹫", r) }

func isNumber(v any) bool {
	switch v.(type) {
	case int, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64, *big.Int, duckdb.Decimal:
		return true
	default:
		return false
	}
}

// printJSON prints an array with one object a row, its members in the order of the columns.
func printJSON(w io.Writer, columns []string, rows [][]any) error {
	var out bytes.Buffer
	out.WriteString("[")
	for r, row := range rows {
		if r > 0 {
			out.WriteString(",")
		}
		out.WriteString("\n  {")
		for i, v := range row {
			if i > 0 {
				out.WriteString(", ")
			}
			name, err := json.Marshal(columns[i])
			if err != nil {
				return err
			}
			value, err := json.Marshal(jsonValue(v))
			if err != nil {
				return fmt.Errorf("printing column %s as JSON: %w", columns[i], err)
			}
			out.Write(name)
			out.WriteString(": ")
			out.Write(value)
		}
		out.WriteString("}")
	}
	if len(rows) > 0 {
		out.WriteString("\n")
	}
	out.WriteString("]\n")
	_, err := w.Write(out.Bytes())
	return err
}

// jsonValue is a value that JSON can hold. Decimals and large integers keep every digit.
func jsonValue(v any) any {
	switch v := v.(type) {
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return plain(v)
		}
	case float32:
		if f := float64(v); math.IsInf(f, 0) || math.IsNaN(f) {
			return plain(v)
		}
	case *big.Int, duckdb.Decimal:
		return json.Number(plain(v))
	case time.Time, []byte:
		return plain(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = jsonValue(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name := range v {
			out[name] = jsonValue(v[name])
		}
		return out
	case nil, bool, string, int, int8, int16, int32, int64, uint8, uint16, uint32, uint64:
	default:
		return plain(v)
	}
	return v
}

// plain is a value as text: dates as YYYY-MM-DD, instants in UTC, nothing for null.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case time.Time:
		if v.Equal(v.Truncate(24 * time.Hour)) {
			return v.UTC().Format(time.DateOnly)
		}
		return v.UTC().Format(time.RFC3339Nano)
	case float64:
		return plainFloat(v, 64)
	case float32:
		return plainFloat(float64(v), 32)
	case []byte:
		return `\x` + hex.EncodeToString(v)
	case duckdb.Decimal:
		return v.String()
	case []any, map[string]any:
		text, err := json.Marshal(jsonValue(v))
		if err != nil {
			return fmt.Sprint(v)
		}
		return string(text)
	default:
		return fmt.Sprint(v)
	}
}

// plainFloat writes exponents only where there would be very many zeros.
func plainFloat(v float64, bits int) string {
	form := byte('f')
	if size := math.Abs(v); size != 0 && (size < 1e-6 || size >= 1e21) {
		form = 'e'
	}
	return strings.TrimPrefix(strconv.FormatFloat(v, form, -1, bits), "+")
}

// printTable aligns columns: numbers to the right, everything else to the left.
func printTable(w io.Writer, columns []string, rows [][]any) error {
	width := make([]int, len(columns))
	right := make([]bool, len(columns))
	for i, c := range columns {
		width[i] = utf8.RuneCountInString(c)
	}
	cells := make([][]string, len(rows))
	for r, row := range rows {
		cells[r] = make([]string, len(row))
		for i, v := range row {
			cells[r][i] = strings.Map(printable, plain(v))
			width[i] = max(width[i], utf8.RuneCountInString(cells[r][i]))
			if m, ok := v.(money); isNumber(v) || ok && m != "" {
				right[i] = true
			}
		}
	}
	var out strings.Builder
	line := func(values []string) {
		var text strings.Builder
		for i, v := range values {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(v))
			if i > 0 {
				text.WriteString("  ")
			}
			if right[i] {
				text.WriteString(pad + v)
			} else {
				text.WriteString(v + pad)
			}
		}
		out.WriteString(strings.TrimRight(text.String(), " ") + "\n")
	}
	line(columns)
	rules := make([]string, len(columns))
	for i := range rules {
		rules[i] = strings.Repeat("─", width[i])
	}
	line(rules)
	for _, row := range cells {
		line(row)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// printable keeps what steers a terminal or turns the order of letters round from reaching it.
func printable(r rune) rune {
	if unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
		return '·'
	}
	return r
}

// money is an amount as people write it, aligned like a number.
type money string

// asMoney prints cents with thousands separators and the currency's code.
func asMoney(cents int64, currency string) money {
	sign := ""
	if cents < 0 {
		sign, cents = "-", -cents
	}
	whole := strconv.FormatInt(cents/100, 10)
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return money(fmt.Sprintf("%s%s.%02d %s", sign, whole, cents%100, currency))
}
