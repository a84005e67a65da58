package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
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
	if err := out.Write(columns); err != nil {
		return err
	}
	record := make([]string, len(columns))
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

// safeCell is a cell that no spreadsheet takes for a formula: text that begins like one gets an apostrophe in front.
func safeCell(v any) string {
	text := plain(v)
	if s, ok := v.(string); ok && s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + text
	}
	return text
}

func printJSON(w io.Writer, columns []string, rows [][]any) error {
	out := make([]map[string]any, 0, len(rows))
	for _, row := range rows {
		object := make(map[string]any, len(columns))
		for i, v := range row {
			switch v := v.(type) {
			case time.Time, []byte, *big.Int:
				object[columns[i]] = plain(v)
			default:
				object[columns[i]] = v
			}
		}
		out = append(out, object)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
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
		return strconv.FormatFloat(v, 'g', -1, 64)
	case []byte:
		return string(v)
	default:
		return fmt.Sprint(v)
	}
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
			switch v := v.(type) {
			case int, int32, int64, float64, *big.Int:
				right[i] = true
			case money:
				right[i] = v != ""
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

// printable keeps control characters of a cell from reaching the terminal.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
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
