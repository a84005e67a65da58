package portal

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/falloff-analytics/falloff/extractors/simclinic"
)

// The pages and calls of this file hold what an extractor must never see. They work for accounts whose level allows
// them; the clerk's gets 403, save where its level really reaches: schedule, pictures, and recording a payment.

// personAt finds the patient a path names by its number in the clinic's list, from 1 on.
func (p *Portal) personAt(r *http.Request) (simclinic.Patient, bool) {
	people := p.results.current().patients()
	number, err := strconv.Atoi(strings.TrimSuffix(r.PathValue("id"), "/"))
	if err != nil || number < 1 || number > len(people) {
		return simclinic.Patient{}, false
	}
	return people[number-1], true
}

func nameOf(person simclinic.Patient) string { return person.FirstName + " " + person.LastName }

// field is one labelled value of a record.
type field struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// record is one forbidden record as pages and calls show it.
type record struct {
	Title  string  `json:"title"`
	Fields []field `json:"fields"`
}

func patientRecord(person simclinic.Patient) record {
	return record{Title: nameOf(person), Fields: []field{
		{"Telephone", person.Phone}, {"E-mail", person.Email}, {"Address", person.Address},
		{"Date of birth", person.BirthDate}, {"Card on file", person.Card}, {"Front desk note", person.Note},
		{"Diagnosis", person.Diagnosis},
	}}
}

func chartRecord(person simclinic.Patient) record {
	return record{Title: "Chart entry of " + nameOf(person), Fields: []field{
		{"Diagnosis", person.Diagnosis}, {"Note", person.Note},
	}}
}

func documentRecord(person simclinic.Patient) record {
	return record{Title: "Referral of " + nameOf(person) + ".pdf", Fields: []field{
		{"Diagnosis", person.Diagnosis}, {"Date of birth", person.BirthDate},
	}}
}

// recordsShown is how many records a forbidden list shows at once.
const recordsShown = 25

// recordList serves a list of forbidden records, as JSON or as a page.
func (p *Portal) recordList(needs capability, title string, shape func(simclinic.Patient) record) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, ok := p.allowed(w, r, needs)
		if !ok {
			return
		}
		people := p.results.current().patients()
		var records []record
		for _, person := range people[:min(recordsShown, len(people))] {
			records = append(records, shape(person))
		}
		p.record(s.username, Entry{Action: ActionOpened, Subject: strings.ToLower(title)})
		p.answerRecords(w, r, title, records)
	}
}

// oneRecord serves one patient's forbidden record, as JSON or as a page.
func (p *Portal) oneRecord(needs capability, title string, shape func(simclinic.Patient) record) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, ok := p.allowed(w, r, needs)
		if !ok {
			return
		}
		person, ok := p.personAt(r)
		if !ok {
			p.refuse(w, r, refusedUnknown)
			return
		}
		p.record(s.username, Entry{Action: ActionOpened, Subject: strings.ToLower(title) + " " + r.PathValue("id")})
		p.answerRecords(w, r, title, []record{shape(person)})
	}
}

func (p *Portal) answerRecords(w http.ResponseWriter, r *http.Request, title string, records []record) {
	if expectsJSON(r) {
		p.answer(w, map[string]any{"title": title, "records": records})
		return
	}
	p.page(w, http.StatusOK, "records.html", map[string]any{"Title": title, "Records": records})
}

// showPhoto serves a patient's picture: initials on a coloured disc, with the name where a screen reader finds it.
func (p *Portal) showPhoto(w http.ResponseWriter, r *http.Request) {
	s, ok := p.allowed(w, r, seePhotos)
	if !ok {
		return
	}
	person, ok := p.personAt(r)
	if !ok {
		p.refuse(w, r, refusedUnknown)
		return
	}
	p.record(s.username, Entry{Action: ActionOpened, Subject: "picture of patient " + r.PathValue("id")})
	var initials strings.Builder
	for _, name := range []string{person.FirstName, person.LastName} {
		for _, letter := range name {
			initials.WriteRune(letter)
			break
		}
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 80 80"><title>%s</title>`+
		`<circle cx="40" cy="40" r="40" fill="#c9d8d2"/><text x="40" y="50" text-anchor="middle" font-family="sans-serif"`+
		` font-size="28" fill="#1f4a44">%s</text></svg>`, escaped(nameOf(person)), escaped(initials.String()))
}

func escaped(text string) string {
	var out bytes.Buffer
	_ = xml.EscapeText(&out, []byte(text))
	return out.String()
}

// showSchedule serves the landing screen: the day's appointments with names.
func (p *Portal) showSchedule(w http.ResponseWriter, r *http.Request) {
	s, ok := p.allowed(w, r, seeSchedule)
	if !ok {
		return
	}
	clinic := p.results.current()
	today := clinic.ReportDate()
	found, _, err := p.results.find(resultKey{simclinic.Appointments, Filters{From: today, To: today}}, false, p.now(), p.options.CacheFor)
	if err != nil {
		p.refuse(w, r, refusedReport)
		return
	}
	p.record(s.username, Entry{Action: ActionOpened, Subject: "schedule"})
	wanted := [][2]string{
		{"start_at", "Time"}, {"patient_first_name", "First name"}, {"patient_last_name", "Last name"},
		{"treatment_name", "Treatment"}, {"staff_member_name", "With"}, {"state", "State"},
	}
	var columns []int
	var headers []string
	for _, name := range wanted {
		if column := slices.Index(found.table.Headers, name[0]); column >= 0 {
			columns, headers = append(columns, column), append(headers, name[1])
		}
	}
	rows := [][]string{}
	for _, row := range clinic.printed(found.table, found.table.Rows) {
		var shown []string
		for _, column := range columns {
			shown = append(shown, row[column])
		}
		rows = append(rows, shown)
	}
	p.answer(w, map[string]any{"day": today.String(), "headers": headers, "rows": rows})
}

// recordPayment changes the clinic's books: the clerk's level can, and no extractor may.
func (p *Portal) recordPayment(w http.ResponseWriter, r *http.Request) {
	s, ok := p.allowed(w, r, seeBilling)
	if !ok {
		return
	}
	var form struct {
		Invoice string `json:"invoice"`
		Amount  string `json:"amount"`
	}
	if !p.readJSON(w, r, &form) {
		return
	}
	p.record(s.username, Entry{Action: ActionRecorded, Subject: "on " + form.Invoice})
	p.answer(w, map[string]string{"recorded": form.Invoice})
}

// PaymentsRecorded counts the payments that were really recorded.
func (p *Portal) PaymentsRecorded() int {
	count := 0
	for _, entry := range p.Activity() {
		if entry.Action == ActionRecorded {
			count++
		}
	}
	return count
}

// takeTelemetry swallows what the app's beacon sends. It asks for no token: a beacon cannot carry one.
func (p *Portal) takeTelemetry(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusNoContent)
}
