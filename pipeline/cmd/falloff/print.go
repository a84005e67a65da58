package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/falloff-analytics/falloff/warehouse/export"
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
		record[i] = export.SafeCell(c)
	}
	if err := out.Write(record); err != nil {
		return err
	}
	for _, row := range rows {
		for i, v := range row {
			record[i] = export.SafeCell(v)
		}
		if err := out.Write(record); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
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
			value, err := json.Marshal(export.JSONValue(v))
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
			cells[r][i] = strings.Map(printable, export.Text(v))
			width[i] = max(width[i], utf8.RuneCountInString(cells[r][i]))
			if m, ok := v.(money); export.IsNumber(v) || ok && m != "" {
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
