package normalise

import (
	"bytes"
	"maps"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// slug folds an enumerated value: lower case, everything that is no letter or digit as one underscore. buffer keeps it
// from allocating.
func slug(buffer []byte, cell []byte) []byte {
	for _, c := range bytes.TrimSpace(cell) {
		if len(buffer) == cap(buffer) {
			break // longer than any value that we know
		}
		switch {
		case c >= 'A' && c <= 'Z':
			buffer = append(buffer, c+'a'-'A')
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c >= utf8.RuneSelf:
			buffer = append(buffer, c)
		case len(buffer) > 0 && buffer[len(buffer)-1] != '_':
			buffer = append(buffer, '_')
		}
	}
	return bytes.TrimRight(buffer, "_")
}

var states = withNames(contract.States(), map[string]string{
	"canceled": contract.Cancelled, "noshow": contract.NoShow, "neverbooked": contract.NeverBooked,
})

var folders = withNames(contract.Folders(), nil)

var policyStatuses = withNames([]string{contract.PolicyOpen, contract.PolicyAwaitingReview, contract.PolicyClosed}, nil)

var lineStatuses = withNames([]string{contract.Paid, contract.Unpaid, contract.PartiallyPaid, contract.NoCharge}, nil)

// withNames maps every value to itself, and further spellings to values.
func withNames(values []string, aliases map[string]string) map[string]string {
	out := map[string]string{}
	for _, v := range values {
		out[v] = v
	}
	maps.Copy(out, aliases)
	return out
}

func oneOf(known map[string]string, cell []byte, otherwise Reason) (string, Reason) {
	var buffer [32]byte
	key := slug(buffer[:0], cell)
	if len(key) == 0 {
		return "", Missing
	}
	if v, ok := known[string(key)]; ok {
		return v, ""
	}
	return "", otherwise
}

// State reads an appointment's state: booked, No Show, no-show, Never Booked…
func State(cell []byte) (string, Reason) { return oneOf(states, cell, UnknownState) }

// Folder reads a claim's folder.
func Folder(cell []byte) (string, Reason) { return oneOf(folders, cell, UnknownFolder) }

// PolicyStatus reads an insurance policy's status.
func PolicyStatus(cell []byte) (string, Reason) { return oneOf(policyStatuses, cell, UnknownStatus) }

// LineStatus reads an invoice line's status. One that is not known is `other`: the line's amounts say what is owed, and
// leaving the line out would lose money.
func LineStatus(cell []byte) (string, Reason) {
	status, reason := oneOf(lineStatuses, cell, UnknownStatus)
	if reason == UnknownStatus {
		return contract.OtherStatus, ""
	}
	return status, reason
}

// Bool reads true, yes, y, t, 1 and their opposites.
func Bool(cell []byte) (bool, Reason) {
	var buffer [8]byte
	switch key := slug(buffer[:0], cell); string(key) {
	case "":
		return false, Missing
	case "true", "yes", "y", "t", "1":
		return true, ""
	case "false", "no", "n", "f", "0":
		return false, ""
	}
	return false, BadBoolean
}

// reasonWords decide what a free-text cancellation reason is about; the first row with a word of the text wins. A word
// that ends in * matches every word that starts with it.
var reasonWords = []struct {
	reason string
	words  []string
}{
	{contract.ReasonClinic, []string{"clinic", "practitioner*", "provider*", "therapist*", "staff", "physio*", "rmt"}},
	{contract.ReasonIllness, []string{"sick*", "ill", "illness", "covid*", "flu", "fever", "unwell", "cold", "migraine", "headache", "hospital*", "injur*", "surgery", "health"}},
	{contract.ReasonWeather, []string{"weather", "snow*", "storm*", "ice", "icy", "rain"}},
	{contract.ReasonTransport, []string{"transport*", "traffic", "car", "bus", "ride", "parking", "drive"}},
	{contract.ReasonMoney, []string{"cost*", "money", "financ*", "afford*", "insurance", "coverage", "benefit*", "price", "expensive"}},
	{contract.ReasonForgot, []string{"forgot*", "forget*", "missed"}},
	{contract.ReasonSchedule, []string{"schedul*", "reschedul*", "conflict*", "work*", "meeting*", "busy", "time", "travel*", "vacation", "holiday*", "away", "family", "child*", "school", "job"}},
}

// CancelledReason maps free text to the fixed list. The text itself goes no further.
func CancelledReason(cell []byte) (string, Reason) {
	text := bytes.TrimSpace(cell)
	if len(text) == 0 {
		return "", Missing
	}
	words := strings.FieldsFunc(strings.ToLower(string(text[:min(len(text), 500)])), func(r rune) bool { return !unicode.IsLetter(r) })
	for _, row := range reasonWords {
		for _, known := range row.words {
			stem, open := strings.CutSuffix(known, "*")
			for _, w := range words {
				if w == stem || open && strings.HasPrefix(w, stem) {
					return row.reason, ""
				}
			}
		}
	}
	return contract.ReasonOther, ""
}

// maxName is the longest name of an item, location, staff member or insurer. What is longer is a text somebody wrote.
const maxName = 120

// Name reads a short name: white space collapsed, valid UTF-8 without control characters. The result may share the
// cell's memory. A blank cell is Missing.
func Name(cell []byte) ([]byte, Reason) {
	text := bytes.TrimSpace(cell)
	if len(text) == 0 {
		return nil, Missing
	}
	plain := len(text) <= maxName
	for i, c := range text {
		if c < ' ' || c > '~' || c == ' ' && text[i-1] == ' ' {
			plain = false
			break
		}
	}
	if plain {
		return text, ""
	}
	if !utf8.Valid(text) {
		return nil, BadText
	}
	text = bytes.Join(bytes.Fields(norm.NFC.Bytes(text)), []byte(" "))
	if utf8.RuneCount(text) > maxName {
		return nil, BadText
	}
	for _, r := range string(text) {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return nil, BadText
		}
	}
	return text, ""
}

// NameKey folds a name (see Name) so that spellings that differ in case alone are the same name.
func NameKey(name string) string { return strings.ToLower(name) }

// prepaySuffix marks an insurer's line that is a courtesy claim, paid by the patient already.
const prepaySuffix = "(patient pre-pay)"

// Payer takes the courtesy mark off a payer's name.
func Payer(name []byte) (bare []byte, prepay bool) {
	cut := len(name) - len(prepaySuffix)
	if cut >= 0 && strings.EqualFold(string(name[cut:]), prepaySuffix) {
		return bytes.TrimSpace(name[:cut]), true
	}
	return name, false
}

// Names splits a list of names at semicolons and line ends, blank ones left out.
func Names(cell []byte) [][]byte {
	return bytes.FieldsFunc(cell, func(r rune) bool { return r == ';' || r == '\n' || r == '\r' })
}
