package transforms

import (
	"bytes"
	"math"
	"slices"
	"strings"

	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/normalise"
	"github.com/falloff-analytics/falloff/transforms/tabular"
)

const noDay = math.MinInt32

// nowhere is the position of a column that the file does not have.
const nowhere = -1

// reading is one report being read.
type reading struct {
	t       *Transformer
	table   *tabular.Table
	layout  layout
	columns columns
	clock   normalise.Clock
	batch   *Batch
	// rangeFrom and rangeTo are the file's own range, noDay where it has none.
	rangeFrom, rangeTo int32
	// refusal is why the file as a whole is not believed (plausible.go).
	refusal *tabular.Error
	// odd are what stood in the columns of kinds and methods without being on the contract's lists; it is counted, and goes
	// no further.
	odd oddities
	// finishRows puts the rows in order when all are read.
	finishRows func()

	// The row being read: the first cell that could not be, and why.
	badColumn int
	badReason normalise.Reason

	// firstDay and lastDay bound the rows' days; lastEvent is the newest day on which something happened.
	firstDay, lastDay, lastEvent int32

	// Equal texts and identifiers share one string.
	texts       map[string]string
	patients    map[string]*string
	payers      map[string]*payer
	identifiers map[string]*string
	staffName   map[string]string
	identified  map[string]named
	// erased are the pseudonyms of patients that were erased.
	erased map[string]bool
}

// column is the position of a contract column.
func (r *reading) column(name string) int {
	if i, ok := r.columns.at[name]; ok {
		return i
	}
	return nowhere
}

// fail keeps the first reason for which the row cannot be read.
func (r *reading) fail(column int, reason normalise.Reason) {
	if r.badReason == "" {
		r.badColumn, r.badReason = column, reason
	}
}

func (r *reading) quarantine() {
	q := Quarantined{Dataset: r.layout.Name, File: r.table.Name, Row: r.table.Row(), Reason: r.badReason}
	if r.badColumn != nowhere {
		q.Column = r.columns.names[r.badColumn]
	}
	r.batch.Quarantine = append(r.batch.Quarantine, q)
}

// cell is empty for a column that the file does not have.
func (r *reading) cell(column int) tabular.Cell {
	if column == nowhere {
		return tabular.Cell{}
	}
	return r.table.Cell(column)
}

// required and optional read a cell with one of the readers of package normalise. A blank cell fails the row, or gives
// the zero value and false.
func required[T any](r *reading, column int, read func([]byte) (T, normalise.Reason)) T {
	v, reason := read(r.cell(column).Text)
	if reason != "" {
		r.fail(column, reason)
	}
	return v
}

func optional[T any](r *reading, column int, read func([]byte) (T, normalise.Reason)) (T, bool) {
	v, reason := read(r.cell(column).Text)
	if reason != "" && reason != normalise.Missing {
		r.fail(column, reason)
	}
	return v, reason == ""
}

// nullable is optional as a pointer.
func nullable[T any](r *reading, column int, read func([]byte) (T, normalise.Reason)) *T {
	if v, ok := optional(r, column, read); ok {
		return &v
	}
	return nil
}

// money reads an amount; a blank cell fails the row.
func (r *reading) money(column int) int64 {
	c := r.cell(column)
	cents, reason := normalise.Money(c.Text, c.Number)
	if reason != "" {
		r.fail(column, reason)
	}
	return cents
}

// moneyOrNull reads an amount that may be blank.
func (r *reading) moneyOrNull(column int) *int64 {
	c := r.cell(column)
	cents, reason := normalise.Money(c.Text, c.Number)
	switch reason {
	case "":
		return &cents
	case normalise.Missing:
	default:
		r.fail(column, reason)
	}
	return nil
}

// maxDays is how many spellings of days are remembered: more than the days of ten years in two spellings.
const maxDays = 8192

// days reads days as the clock does, each spelling once: a report has many rows and few days.
func (r *reading) days() func([]byte) (int32, normalise.Reason) {
	known := map[string]int32{}
	return func(cell []byte) (int32, normalise.Reason) {
		if day, ok := known[string(cell)]; ok {
			return day, ""
		}
		day, reason := r.clock.Day(cell)
		if reason == "" && len(known) < maxDays {
			known[string(cell)] = day
		}
		return day, reason
	}
}

// intern gives one string for equal bytes.
func (r *reading) intern(text []byte) string {
	if s, ok := r.texts[string(text)]; ok {
		return s
	}
	s := string(text)
	r.texts[s] = s
	return s
}

// name reads a name; blank is empty.
func (r *reading) name(column int) string {
	text, ok := optional(r, column, normalise.Name)
	if !ok {
		return ""
	}
	return r.intern(text)
}

// requiredName reads a name that must not be blank.
func (r *reading) requiredName(column int) string {
	name := r.name(column)
	if name == "" {
		r.fail(column, normalise.Missing)
	}
	return name
}

// staff is a practitioner as the clinic wants them shown.
func (r *reading) staff(name string) string {
	if name == "" || !r.t.settings.PseudonymStaff {
		return name
	}
	p, ok := r.staffName[name]
	if !ok {
		p = r.t.keys.Pseudonym(identity.Staff, normalise.NameKey(name))
		if r.staffName == nil {
			r.staffName = map[string]string{}
		}
		r.staffName[name] = p
	}
	return p
}

// patient is the pseudonym of one identifier.
func (r *reading) patient(column int, guid []byte) *string {
	if p, ok := r.patients[string(guid)]; ok {
		return p
	}
	id, reason := normalise.Identifier(guid)
	if reason != "" {
		r.fail(column, reason)
		return nil
	}
	lineage := r.t.keys.Lineage(identity.Patient, string(id))
	p := lineage[len(lineage)-1]
	if r.t.erased != nil && r.t.erased(lineage) {
		if r.erased == nil {
			r.erased = map[string]bool{}
		}
		r.erased[p] = true
	}
	r.patients[string(guid)] = &p
	return &p
}

// requiredPatient is the pseudonym of the patient that a row must have, empty when it fails.
func (r *reading) requiredPatient(column int) string {
	p := r.patient(column, r.cell(column).Text)
	if p == nil {
		return ""
	}
	return *p
}

// identifier is the pseudonym of a policy or claim number, nil for a blank one.
func (r *reading) identifier(kind identity.Kind, column int, read func([]byte) ([]byte, normalise.Reason)) *string {
	text, ok := optional(r, column, read)
	if !ok {
		return nil
	}
	key := string(kind) + "|" + string(text)
	p, ok := r.identifiers[key]
	if !ok {
		made := r.t.keys.Pseudonym(kind, string(text))
		p = &made
		r.identifiers[key] = p
	}
	return p
}

// happened tells of a day on which something in the row happened.
func (r *reading) happened(day int32) { r.lastEvent = max(r.lastEvent, day) }

// on tells of the row's own day. It is called for rows that could be read.
func (r *reading) on(day int32) {
	if r.firstDay == noDay || day < r.firstDay {
		r.firstDay = day
	}
	r.lastDay = max(r.lastDay, day)
	if r.rangeTo != noDay && (day < r.rangeFrom || day > r.rangeTo) {
		r.batch.Remarks[OutsideRange]++
	}
}

// onPeriod tells of the days that a row of totals is about, which may lie before the day that the file is about.
func (r *reading) onPeriod(from, to int32) {
	if r.firstDay == noDay || from < r.firstDay {
		r.firstDay = from
	}
	r.lastDay = max(r.lastDay, to)
}

// headers fills in what was stepped over.
func (r *reading) headers() {
	for _, c := range r.columns.forbidden {
		r.batch.ForbiddenCells += r.table.Skipped(c)
	}
	for _, c := range r.layout.Columns {
		if len(c.Headers) > 0 && c.Sensitivity != contract.Forbidden && c.Name != taxColumn && r.column(c.Name) == nowhere {
			r.batch.Lacking = append(r.batch.Lacking, c.Headers[0])
		}
	}
	for _, c := range r.columns.dropped {
		header := strings.ToValidUTF8(strings.Join(strings.Fields(r.table.Header[c]), " "), "?")
		if runes := []rune(header); len(runes) > 60 {
			header = string(runes[:60])
		}
		if header != "" || r.table.Skipped(c) > 0 {
			r.batch.Dropped = append(r.batch.Dropped, Dropped{header, r.table.Skipped(c)})
		}
	}
	slices.SortFunc(r.batch.Dropped, func(a, b Dropped) int {
		if d := strings.Compare(a.Header, b.Header); d != 0 {
			return d
		}
		return a.Cells - b.Cells
	})
}

// splitPatients parts the cell of a group booking: several identifiers, separated by semicolons.
func splitPatients(cell []byte) [][]byte {
	var out [][]byte
	for part := range bytes.SplitSeq(cell, []byte(";")) {
		if part = bytes.TrimSpace(part); len(part) > 0 {
			out = append(out, part)
		}
	}
	return out
}
