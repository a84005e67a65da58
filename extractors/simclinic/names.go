package simclinic

import (
	"fmt"
	"strings"
)

// Every planted string is, or holds, a token: six open syllables that no language has, the same seed giving the same
// token for the same person or row. The first consonant says what kind of token it is and occurs in no other place of
// any token, so that a token of one kind is never part of another. Within a kind the mapping is one to one.
type tokenKind byte

const (
	firstNames tokenKind = 'x'
	lastNames  tokenKind = 'q'
	nicknames  tokenKind = 'j'
	mailboxes  tokenKind = 'w'
	streets    tokenKind = 'y'
	otherNames tokenKind = 'c' // payers who are not the patient, adjusters
	freeText   tokenKind = 'h' // the token in a note, a reason, a detail
)

const (
	tokenConsonants = "bdfgklmnprstvz"
	tokenVowels     = "aeiou"
	syllables       = len(tokenConsonants) * len(tokenVowels)
	tokenRange      = uint64(syllables * syllables * syllables * syllables * syllables)
)

// tokens makes the tokens of one clinic.
type tokens struct {
	factor, offset uint64
}

func newTokens(seed uint64) tokens {
	r := newLuck(seed, streamTokens)
	factor := r.Uint64N(tokenRange-3) | 1
	for factor%5 == 0 || factor%7 == 0 {
		factor += 2
	}
	return tokens{factor: factor % tokenRange, offset: r.Uint64N(tokenRange)}
}

// of is the token of the n-th thing of a kind, twelve letters, capitalised.
func (t tokens) of(kind tokenKind, n int) string {
	// factor and tokenRange share no divisor, so different n give different codes.
	code := (uint64(n)%tokenRange*t.factor + t.offset + uint64(kind)*1_000_003_337) % tokenRange
	var out [12]byte
	out[0] = byte(kind) - 'a' + 'A'
	out[1] = tokenVowels[int(code)%len(tokenVowels)]
	for i := 2; i+1 < len(out); i += 2 {
		syllable := int(code % uint64(syllables))
		code /= uint64(syllables)
		out[i], out[i+1] = tokenConsonants[syllable/len(tokenVowels)], tokenVowels[syllable%len(tokenVowels)]
	}
	return string(out[:])
}

var accented = strings.NewReplacer("a", "á", "e", "é", "i", "ï", "o", "ö", "u", "ü")

// surname is a last name; some have an apostrophe, some an accent on the last letter. plain is the longest part of it
// in plain letters, for readers who fold the rest.
func (t tokens) surname(n int) (name, plain string) {
	plain = t.of(lastNames, n)
	switch n % 16 {
	case 3:
		return "O'" + plain, plain
	case 7, 12:
		last := len(plain) - 1
		return plain[:last] + accented.Replace(plain[last:]), plain[:last]
	default:
		return plain, plain
	}
}

// The contact details of forbidden pages. Each is unique in its clinic.

// phone is in an area code that no country has given out; ten million of them differ.
func (t tokens) phone(prefix string, n int) string {
	code := (uint64(n)*7_368_787 + t.offset) % 10_000_000
	return fmt.Sprintf("%s 39%d %03d %04d", prefix, 2+t.offset%7, code/10_000, code%10_000)
}

func (t tokens) email(n int) string {
	return strings.ToLower(t.of(mailboxes, n)) + "@mailbox.example"
}

func (t tokens) address(n int) string {
	return fmt.Sprintf("%d %s Crescent", 11+n%889, t.of(streets, n))
}

// birthDate lies long before any clinic's history. Dates are the one canary that repeats in clinics of more than thirty
// thousand people: there are not that many birthdays.
func (t tokens) birthDate(n int) string {
	const days = 30_000
	return day(-24_000 + int64((uint64(n)*7919+t.offset)%days)).date().String()
}

// card has the length of a card number and a first digit that no card network uses.
func (t tokens) card(n int) string {
	code := (uint64(n)*6_700_417 + t.offset) % 1_000_000_000_000
	return fmt.Sprintf("99%02d %04d %04d %04d", t.offset%100, code/100_000_000, code/10_000%10_000, code%10_000)
}

func (t tokens) policyNumber(n int) string {
	return fmt.Sprintf("PL-%s-%04d", strings.ToUpper(t.of(freeText, spacePolicies+n)), n%10_000)
}

func (t tokens) caseNumber(n int) string {
	return fmt.Sprintf("CN-%s", strings.ToUpper(t.of(freeText, spaceCases+n)))
}

// Where the tokens of free text start counting, so that none is given twice: each space has room for the rows of the
// largest clinic.
const (
	spaceNotes       = 0           // appointments' notes
	spaceReasons     = 100_000_000 // free reasons for cancelling
	spaceDetails     = 200_000_000 // details of invoices
	spaceRemarks     = 300_000_000 // notes on claims
	spacePolicies    = 400_000_000 // policy numbers
	spaceCases       = 410_000_000 // insurers' case numbers of policies
	spacePlans       = 420_000_000 // names of policies
	spaceAsides      = 430_000_000 // notes on policies
	spaceRecords     = 440_000_000 // notes on patients' records
	spaceFindings    = 450_000_000 // diagnoses
	spacePayments    = 460_000_000 // notes on payments
	spaceCheques     = 500_000_000 // numbers of cheques
	spaceAdjustments = 540_000_000 // reasons of adjustments
	spaceClerks      = 100_000_000 // adjusters on claims, among otherNames
	spaceAgents      = 200_000_000 // adjusters on policies, among otherNames
)
