package export

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"
)

// Text is a value that DuckDB gave as text: dates as YYYY-MM-DD, instants in UTC, nothing for null.
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case time.Time:
		if v.Equal(v.Truncate(24 * time.Hour)) {
			return v.UTC().Format(time.DateOnly)
		}
		return v.UTC().Format(time.RFC3339Nano)
	case float64:
		return floatText(v, 64)
	case float32:
		return floatText(float64(v), 32)
	case []byte:
		return `\x` + hex.EncodeToString(v)
	case duckdb.Decimal:
		return v.String()
	case []any, map[string]any:
		text, err := json.Marshal(JSONValue(v))
		if err != nil {
			return fmt.Sprint(v)
		}
		return string(text)
	default:
		return fmt.Sprint(v)
	}
}

// floatText writes exponents only where there would be very many zeros.
func floatText(v float64, bits int) string {
	form := byte('f')
	if size := math.Abs(v); size != 0 && (size < 1e-6 || size >= 1e21) {
		form = 'e'
	}
	return strings.TrimPrefix(strconv.FormatFloat(v, form, -1, bits), "+")
}

// IsNumber says whether a value that DuckDB gave is a number.
func IsNumber(v any) bool {
	switch v.(type) {
	case int, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64, *big.Int, duckdb.Decimal:
		return true
	default:
		return false
	}
}

// SafeCell is a value in which no spreadsheet finds a formula: numbers stay numbers, texts see Inert.
func SafeCell(v any) string {
	if IsNumber(v) {
		return Text(v)
	}
	return Inert(Text(v))
}

// JSONValue is a value that JSON can hold. Decimals and large integers keep every digit.
func JSONValue(v any) any {
	switch v := v.(type) {
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return Text(v)
		}
	case float32:
		if f := float64(v); math.IsInf(f, 0) || math.IsNaN(f) {
			return Text(v)
		}
	case *big.Int, duckdb.Decimal:
		return json.Number(Text(v))
	case time.Time, []byte:
		return Text(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = JSONValue(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name := range v {
			out[name] = JSONValue(v[name])
		}
		return out
	case nil, bool, string, int, int8, int16, int32, int64, uint8, uint16, uint32, uint64:
	default:
		return Text(v)
	}
	return v
}

// WriteAnswer writes rows that DuckDB gave, as CSV or JSON lines.
func (f *Folder) WriteAnswer(name string, form Form, columns []string, rows [][]any) (File, error) {
	return f.write(name, int64(len(rows)), func(w *bufio.Writer) error {
		if form == JSON {
			return writeLines(w, columns, rows)
		}
		return writeAnswerCSV(w, columns, rows)
	})
}

// writeAnswerCSV writes rows that DuckDB gave as CSV that begins no formula.
func writeAnswerCSV(w *bufio.Writer, columns []string, rows [][]any) error {
	out := csvWriter{w}
	record := make([]string, len(columns))
	for i, c := range columns {
		record[i] = SafeCell(c)
	}
	if err := out.record(record); err != nil {
		return err
	}
	for _, row := range rows {
		for i, v := range row {
			if text, isText := v.(string); isText {
				record[i] = cell(text, false, true)
			} else {
				record[i] = SafeCell(v)
			}
		}
		if err := out.record(record); err != nil {
			return err
		}
	}
	return nil
}

func writeLines(w *bufio.Writer, columns []string, rows [][]any) error {
	for _, row := range rows {
		line := []byte{'{'}
		for i, v := range row {
			if i > 0 {
				line = append(line, ',')
			}
			var err error
			if line, err = jsonText(line, columns[i]); err != nil {
				return err
			}
			line = append(line, ':')
			if text, isText := v.(string); isText {
				if line, err = jsonText(line, text); err != nil {
					return err
				}
				continue
			}
			value, err := json.Marshal(JSONValue(v))
			if err != nil {
				return fmt.Errorf("column %s: %w", columns[i], err)
			}
			line = append(line, value...)
		}
		if _, err := w.Write(append(line, '}', '\n')); err != nil {
			return err
		}
	}
	return nil
}
