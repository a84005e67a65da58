package normalise

import (
	"bytes"
	"math"
	"strconv"
)

// maxCents keeps sums of a clinic far from overflow: ten billion in the main unit.
const maxCents = 1_000_000_000_000

// currencySigns are what may stand before an amount. Which currency it is, clinic.yaml says.
var currencySigns = [][]byte{[]byte("CA$"), []byte("US$"), []byte("AU$"), []byte("NZ$"), []byte("C$"), []byte("A$"),
	[]byte("$"), []byte("£"), []byte("€")}

// Money reads an amount as exact cents: 1234.50, 12, $1,234.50, (12.00) and -12.00 for negatives. It refuses what can be
// read in two ways: a decimal comma, a third decimal, groups that are not of three digits. binary says that the cell is
// a spreadsheet's binary fraction, where 107.34999999999999 is 107.35.
func Money(cell []byte, binary bool) (int64, Reason) {
	rest := bytes.TrimSpace(cell)
	if len(rest) == 0 {
		return 0, Missing
	}
	if binary {
		return binaryMoney(rest)
	}
	negative, rest := sign(rest)
	if !negative && rest[0] == '(' && rest[len(rest)-1] == ')' {
		negative, rest = true, rest[1:len(rest)-1]
	}
	for _, s := range currencySigns {
		if bytes.HasPrefix(rest, s) {
			rest = bytes.TrimSpace(rest[len(s):])
			if !negative {
				negative, rest = sign(rest)
			}
			break
		}
	}
	cents, ok := digits(rest)
	if !ok {
		return 0, BadMoney
	}
	if negative {
		cents = -cents
	}
	return cents, ""
}

// sign takes a minus off.
func sign(text []byte) (bool, []byte) {
	if bytes.HasPrefix(text, []byte("-")) {
		return true, text[1:]
	}
	if minus := []byte("−"); bytes.HasPrefix(text, minus) {
		return true, text[len(minus):]
	}
	return false, text
}

// digits reads 1234, 1,234, 1234.5 and 1234.50 as cents.
func digits(text []byte) (int64, bool) {
	var units int64
	group, grouped, seen := 0, false, false
	i := 0
	for ; i < len(text) && text[i] != '.'; i++ {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			units = units*10 + int64(c-'0')
			if group++; units > maxCents || (grouped && group > 3) {
				return 0, false
			}
			seen = true
		case c == ',' && (grouped && group == 3 || !grouped && group >= 1 && group <= 3):
			grouped, group = true, 0
		default:
			return 0, false
		}
	}
	if !seen || (grouped && group != 3) {
		return 0, false
	}
	cents := units * 100
	if i < len(text) {
		fraction := text[i+1:]
		if len(fraction) < 1 || len(fraction) > 2 {
			return 0, false
		}
		weight := int64(10)
		for _, c := range fraction {
			if c < '0' || c > '9' {
				return 0, false
			}
			cents += int64(c-'0') * weight
			weight /= 10
		}
	}
	return cents, cents <= maxCents
}

// binaryMoney reads a spreadsheet number that is a whole number of cents but for the error of its binary form.
func binaryMoney(text []byte) (int64, Reason) {
	value, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return 0, BadMoney
	}
	cents := math.Round(value * 100)
	if !(math.Abs(cents) <= maxCents) || math.Abs(value*100-cents) > 1e-3 {
		return 0, BadMoney
	}
	return int64(cents), ""
}

// Hours reads hours as whole minutes, rounded half up: 152.5, 1,152.25 or 152:30.
func Hours(cell []byte) (int64, Reason) {
	text := bytes.TrimSpace(cell)
	if len(text) == 0 {
		return 0, Missing
	}
	if whole, minutes, ok := bytes.Cut(text, []byte(":")); ok {
		h, okH := digits(whole)
		m, okM := digits(minutes)
		if !okH || !okM || len(minutes) != 2 || m >= 60*100 || bytes.IndexByte(whole, '.') >= 0 {
			return 0, BadNumber
		}
		return h/100*60 + m/100, ""
	}
	// At most six decimals are exact in integers; a spreadsheet's binary fraction has more, and its error is far below
	// a minute.
	whole, fraction, _ := bytes.Cut(text, []byte("."))
	h, ok := digits(whole)
	if !ok || len(fraction) > 30 {
		return 0, BadNumber
	}
	var millionths int64
	weight := int64(100_000)
	for _, c := range fraction {
		if c < '0' || c > '9' {
			return 0, BadNumber
		}
		millionths += int64(c-'0') * weight
		if weight == 1 && len(fraction) > 8 { // 0.3333333…, 0.9999999…: round the seventh digit in
			if fraction[6] >= '5' {
				millionths++
			}
		}
		weight /= 10
	}
	return h/100*60 + (millionths*60+500_000)/1_000_000, ""
}

// Count reads a whole number that is not negative.
func Count(cell []byte) (int32, Reason) {
	text := bytes.TrimSpace(cell)
	if len(text) == 0 {
		return 0, Missing
	}
	cents, ok := digits(text)
	if !ok || cents%100 != 0 || cents/100 > math.MaxInt32 {
		return 0, BadNumber
	}
	return int32(cents / 100), ""
}
