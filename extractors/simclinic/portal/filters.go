package portal

import (
	"net/http"
	"slices"
	"strings"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors/simclinic"
)

// Filters are what a report is narrowed to. The portal remembers them for each account, from one report to the next.
type Filters struct {
	From, To civil.Date
	// Location and Staff are names, empty for all.
	Location, Staff string
}

// earliest and latest bound what the date pickers accept.
var (
	earliest = civil.Date{Year: 2000, Month: 1, Day: 1}
	latest   = civil.Date{Year: 2099, Month: 12, Day: 31}
)

// defaultFilters is what reset gives: the month of the report date up to it, nothing narrowed.
func defaultFilters(clinic office) Filters {
	today := clinic.ReportDate()
	return Filters{From: civil.Date{Year: today.Year, Month: today.Month, Day: 1}, To: today}
}

// rememberedFilters is what somebody who used the account before left behind: the first two weeks of the month before,
// in one location, or of one practitioner where there is but one location.
func rememberedFilters(clinic office) Filters {
	firstOfMonth := defaultFilters(clinic).From
	left := Filters{From: firstOfMonth.AddDays(-28), To: firstOfMonth.AddDays(-15)}
	if len(clinic.locations) > 1 {
		left.Location = clinic.locations[0]
	} else if len(clinic.staff) > 0 {
		left.Staff = clinic.staff[0]
	}
	return left
}

// filtersForm is how filters travel: dates as YYYY-MM-DD, blank for what is not set.
type filtersForm struct {
	From     string `json:"from"`
	To       string `json:"to"`
	Location string `json:"location"`
	Staff    string `json:"staff"`
}

func (f Filters) form() filtersForm {
	return filtersForm{From: f.From.String(), To: f.To.String(), Location: f.Location, Staff: f.Staff}
}

// read checks a form against the clinic. Blank dates take the default range.
func (form filtersForm) read(clinic office) (Filters, string) {
	filters := defaultFilters(clinic)
	filters.Location, filters.Staff = form.Location, form.Staff
	var err error
	if text := strings.TrimSpace(form.From); text != "" {
		if filters.From, err = civil.ParseDate(text); err != nil {
			return filters, "The first date must be written as YYYY-MM-DD."
		}
	}
	if text := strings.TrimSpace(form.To); text != "" {
		if filters.To, err = civil.ParseDate(text); err != nil {
			return filters, "The last date must be written as YYYY-MM-DD."
		}
	}
	switch {
	case filters.To.Before(filters.From):
		return filters, "The range ends before it starts."
	case filters.From.Before(earliest), filters.To.After(latest):
		return filters, "The range must lie between " + earliest.String() + " and " + latest.String() + "."
	case form.Location != "" && !slices.Contains(clinic.locations, form.Location):
		return filters, "There is no such location."
	case form.Staff != "" && !slices.Contains(clinic.staff, form.Staff):
		return filters, "There is no such staff member."
	}
	return filters, ""
}

func (p *Portal) filtersOf(username string) Filters {
	var filters Filters
	p.directory.change(username, func(account *standing) { filters = account.filters })
	return filters
}

func (p *Portal) answerFilters(w http.ResponseWriter, filters Filters) {
	clinic := p.results.current()
	p.answer(w, struct {
		filtersForm
		Locations []string `json:"locations"`
		Staffs    []string `json:"staff_names"`
	}{filters.form(), clinic.locations, clinic.staff})
}

func (p *Portal) showFilters(w http.ResponseWriter, r *http.Request) {
	if s, _, ok := p.signedIn(w, r); ok {
		p.answerFilters(w, p.filtersOf(s.username))
	}
}

func (p *Portal) setFilters(w http.ResponseWriter, r *http.Request) {
	s, _, ok := p.signedIn(w, r)
	if !ok {
		return
	}
	var form filtersForm
	if !p.readJSON(w, r, &form) {
		return
	}
	filters, wrong := form.read(p.results.current())
	if wrong != "" {
		p.refuse(w, r, refusedInput(wrong))
		return
	}
	p.directory.change(s.username, func(account *standing) { account.filters = filters })
	p.answerFilters(w, filters)
}

// narrow keeps the rows of one location and one staff member, in the reports that have such columns.
func narrow(table simclinic.Table, filters Filters) simclinic.Table {
	keep := func(wanted string, names []string) {
		column := columnOf(table, names)
		if wanted == "" || column < 0 {
			return
		}
		var kept [][]simclinic.Cell
		for _, row := range table.Rows {
			if row[column].Text == wanted {
				kept = append(kept, row)
			}
		}
		table.Rows = kept
	}
	keep(filters.Location, locationColumns)
	keep(filters.Staff, staffColumns)
	return table
}
