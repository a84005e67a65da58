package transforms

import (
	"regexp"
	"strings"
	"unicode"
)

// What a text column holds.
type textKind int

const (
	sold     textKind = iota // items of the price list
	place                    // the clinic's locations
	staff                    // people who work there
	category                 // the clinic's words for its income
	coded                    // pseudonyms
)

// nameColumn is a column of names that repeat.
type nameColumn struct {
	column string
	texts  texts
	kind   textKind
}

// texts counts the values of a column, and the pairs that they make with patients.
type texts struct {
	values, pairs, patients, own map[string]bool
	filled, blank                int
}

// sampleRows bounds how many rows are looked at where a part says as much as the whole.
const sampleRows = 5000

// texted counts the values of the first rows; without a patient a row says nothing about who has which value.
func (r *reading) texted(rows int, at func(i int) (text, patient string)) texts {
	t := texts{values: map[string]bool{}, pairs: map[string]bool{}, patients: map[string]bool{}, own: map[string]bool{}}
	for i := range min(rows, sampleRows) {
		text, patient := at(i)
		if text == "" {
			t.blank++
			continue
		}
		t.filled++
		t.values[text] = true
		if patient != "" {
			t.own[text] = true
			t.patients[patient] = true
			t.pairs[text+"\x00"+patient] = true
		}
	}
	return t
}

// code is a word of a program, as no clinic calls a place or a treatment: on_file, signed.
var code = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)

// plausibleNames refuses columns of names that are somebody's or something else's: a value for each patient is the
// patient's name; texts that hardly ever repeat are no list; what the price list sells is no member of the staff.
func (r *reading) plausibleNames(columns []nameColumn) error {
	items, places, disciplines := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, p := range r.t.settings.Prices {
		items[p.Item] = true
		if p.Location != "" {
			places[p.Location] = true
		}
		if p.Discipline != "" {
			disciplines[p.Discipline] = true
		}
	}
	for _, c := range columns {
		t := c.texts
		v, own, p := len(t.values), len(t.own), len(t.patients)
		rows := t.filled + t.blank
		switch {
		case own >= 10 && p >= 10 && 2*own >= p && 5*len(t.pairs) <= 6*max(own, p):
			return r.implausible(c.column, "every patient has a value of their own, as names do,", own, rows)
		case c.kind == coded:
			continue
		case v >= 20 && 2*v > t.filled:
			return r.implausible(c.column, "a text that hardly occurs twice", v, rows)
		case c.kind != staff && many(t.blank, rows, 10) || many(t.blank, rows, 90):
			return r.implausible(c.column, "it is blank", t.blank, rows)
		}
		codes, numbers := 0, 0
		for value := range t.values {
			if code.MatchString(value) {
				codes++
			}
			if !strings.ContainsFunc(value, unicode.IsLetter) {
				numbers++
			}
			if c.kind != sold && items[value] {
				return r.implausible(c.column, "an item of the price list", 1, rows)
			}
			if c.kind != place && places[value] {
				return r.implausible(c.column, "a location of the price list", 1, rows)
			}
			if (c.kind == staff || c.kind == place) && disciplines[value] {
				return r.implausible(c.column, "a discipline of the price list", 1, rows)
			}
		}
		if v >= 2 && codes == v || 2*numbers > v && v >= 2 {
			return r.implausible(c.column, "a code or a number and no name", codes+numbers, v)
		}
	}
	return nil
}
