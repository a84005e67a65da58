package normalise

import (
	"bytes"
	"math"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// Invoice is an invoice number taken apart.
type Invoice struct {
	// Number is the number as printed; Base the part before side and sequence. Both share the cell's memory.
	Number, Base []byte
	// Side is contract.PatientSide, contract.InsurerSide, or empty.
	Side string
	// Sequence counts the invoice's editions; 0 without a side.
	Sequence int32
	// Reversal says that the line takes an earlier edition back.
	Reversal bool
}

// maxInvoice is the longest invoice number.
const maxInvoice = 40

// InvoiceNumber reads 1531-P01, 1531-C02, 1531-P02X, and bare numbers such as 1531 or INV-1531. A base holds letters,
// digits, dots, dashes and at least one digit, so that no name passes for one.
func InvoiceNumber(cell []byte) (Invoice, Reason) {
	text := bytes.TrimSpace(cell)
	if len(text) == 0 {
		return Invoice{}, Missing
	}
	inv := Invoice{Number: text, Base: text}
	if dash := bytes.LastIndexByte(text, '-'); dash > 0 && dash+1 < len(text) {
		inv.suffix(text[:dash], text[dash+1:])
	}
	digit := false
	for i, c := range inv.Base {
		switch {
		case c >= '0' && c <= '9':
			digit = true
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z':
		case (c == '-' || c == '.' || c == '/' || c == '_') && i > 0:
		default:
			return Invoice{}, BadInvoice
		}
	}
	if !digit || len(text) > maxInvoice {
		return Invoice{}, BadInvoice
	}
	return inv, ""
}

// suffix reads side, sequence and reversal where tail holds them.
func (inv *Invoice) suffix(base, tail []byte) {
	var side string
	switch tail[0] {
	case 'P', 'p':
		side = contract.PatientSide
	case 'C', 'c':
		side = contract.InsurerSide
	default:
		return
	}
	reversal := false
	if last := tail[len(tail)-1]; last == 'X' || last == 'x' {
		reversal, tail = true, tail[:len(tail)-1]
	}
	sequence, ok := number(tail[1:])
	if !ok {
		return
	}
	inv.Base, inv.Side, inv.Sequence, inv.Reversal = base, side, int32(sequence), reversal
}

// PositiveID reads the portal's own number of something.
func PositiveID(cell []byte) (int64, Reason) {
	text := bytes.TrimSpace(cell)
	if len(text) == 0 {
		return 0, Missing
	}
	var id int64
	for _, c := range text {
		if c < '0' || c > '9' || id > (math.MaxInt64-9)/10 {
			return 0, BadID
		}
		id = id*10 + int64(c-'0')
	}
	if id == 0 {
		return 0, BadID
	}
	return id, ""
}

// Reference reads the portal's own number of a transaction: letters, digits and dashes with at least one digit, so that no name
// passes for one. The result shares the cell's memory.
func Reference(cell []byte) ([]byte, Reason) {
	text := bytes.TrimPrefix(bytes.TrimSpace(cell), []byte("#"))
	if len(text) == 0 {
		return nil, Missing
	}
	digit := false
	for i, c := range text {
		switch {
		case c >= '0' && c <= '9':
			digit = true
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c == '-' && i > 0:
		default:
			return nil, BadID
		}
	}
	if !digit || len(text) > maxInvoice {
		return nil, BadID
	}
	return text, ""
}

// maxIdentifier is the longest identifier of a person, policy or claim.
const maxIdentifier = 80

// Identifier reads an opaque identifier of one word, to be made a pseudonym of. A GUID is the same in upper and lower
// case; anything else stays as it is. The result may share the cell's memory.
func Identifier(cell []byte) ([]byte, Reason) {
	text := bytes.TrimSpace(cell)
	if len(text) == 0 {
		return nil, Missing
	}
	if len(text) > maxIdentifier {
		return nil, BadID
	}
	hex, upper := len(text) == 32 || len(text) == 36, false
	for _, c := range text {
		if c <= ' ' || c == 0x7f || c == ';' || c == ',' {
			return nil, BadID
		}
		upper = upper || c >= 'A' && c <= 'F'
		hex = hex && (c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' || c == '-')
	}
	if hex && upper {
		return bytes.ToLower(text), ""
	}
	return text, ""
}

// PolicyNumber reads a policy or claim number, which may hold spaces: they do not count, nor does case.
func PolicyNumber(cell []byte) ([]byte, Reason) {
	text := bytes.ToUpper(bytes.Join(bytes.Fields(cell), nil))
	switch {
	case len(text) == 0:
		return nil, Missing
	case len(text) > maxIdentifier:
		return nil, BadID
	}
	return text, ""
}
