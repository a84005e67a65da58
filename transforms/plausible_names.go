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
	// required says that it cannot be blank in every row.
	required bool
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

// code is a word of a program, as no clinic calls a place or a treatment: on_file, no_show.
var code = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)

// chartWords are what the portal says of charts.
var chartWords = map[string]bool{"signed": true, "unsigned": true, "none": true, "draft": true, "locked": true}

// plausibleNames refuses columns of names that are somebody's or something else's: a value for each patient is the
// patient's name; texts that hardly ever repeat are no list; what the price list sells is no member of the staff.
func (r *reading) plausibleNames(columns []nameColumn) {
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
		if own >= 10 && p >= 10 && 2*own >= p && 5*len(t.pairs) <= 6*max(own, p) {
			r.implausible(c.column, "every patient has a value of their own, as names do,", own, rows)
		}
		if c.kind == coded {
			continue
		}
		// In the sales of a day everything may be there once.
		if v >= 20 && 2*v > t.filled && (c.kind != sold || v >= 40) {
			r.implausible(c.column, "a text that hardly occurs twice", v, rows)
		}
		// Nobody need name a category, nor a place for what is done by video; but then those that are named repeat.
		if few := many(t.blank, rows, 10) && v > 0 && 2*v > t.filled; few && c.kind != staff || t.filled == 0 && rows >= 3 && c.required {
			r.implausible(c.column, "it is blank", t.blank, rows)
		}
		codes, program, numbers := 0, 0, 0
		for value := range t.values {
			if code.MatchString(value) {
				codes++
			}
			// Somebody may write all their names small; words of the portal's own give it away.
			if strings.Contains(value, "_") || chartWords[value] {
				program++
			}
			if !strings.ContainsFunc(value, unicode.IsLetter) {
				numbers++
			}
		}
		if v >= 2 && codes == v && program > 0 || 2*numbers > v && v >= 2 {
			r.implausible(c.column, "a code or a number and no name", codes+numbers, v)
		}
		// A category may be called like an item, and a place like a discipline: what counts is that most are, and that the
		// column where they belong has fewer of them.
		r.belongs(c, columns, items, sold, "an item of the price list")
		r.belongs(c, columns, places, place, "a location of the price list")
		if c.kind == staff || c.kind == place && v >= 2 {
			r.belongs(c, columns, disciplines, category, "a discipline of the price list")
		}
	}
}

// belongs refuses a column most of whose values are on a list of another kind.
func (r *reading) belongs(c nameColumn, columns []nameColumn, list map[string]bool, owner textKind, what string) {
	if c.kind == owner {
		return
	}
	on := func(t texts) (n int) {
		for value := range t.values {
			if list[value] {
				n++
			}
		}
		return n
	}
	here, v := on(c.texts), len(c.texts.values)
	// No member of the staff is called like a discipline.
	if sure := c.kind == staff && owner == category; here == 0 || 2*here < v && !sure {
		return
	}
	for _, o := range columns {
		if o.kind == owner && on(o.texts)*v >= here*len(o.texts.values) && len(o.texts.values) > 0 {
			return
		}
	}
	r.implausible(c.column, what, here, v)
}
