package models

import (
	"cmp"
	"math"
	"slices"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// This file computes episodes, lapses, curves and statuses a second time, without SQL: day by day and row by row, from
// the definitions. It shares nothing with the models but the random clinic.

// falloffReference is what the definitions give for one clinic.
type falloffReference struct {
	asOf     int32
	history  int32
	episodes []*referenceEpisode
	statuses map[string]string
	// reconstructed are the patients whose status a change without a date could make another.
	reconstructed map[string]bool
	// appointments are those that there are at D, in the state that they were in.
	appointments []contract.Appointment
	// gaps are the days between visit days, by discipline.
	gaps map[string][]int32
	// bookings and visits are by patient and discipline.
	bookings map[[2]string][]standing
	visits   map[[2]string][]int32
}

type referenceEpisode struct {
	patient, discipline string
	days                []int32
	number              int
	beginning           string
	until               int32 // the last day it is observed
	current             bool
	limit               int32 // falloff days
	engaged             map[int32]bool
	status              string
	usualGap            float64
	// What it is counted under: practitioner and location of the first visit, and who was billed for it.
	staff, location, payer string
	isReconstructed        bool
}

// standing is one booking, from the day it was made to the day it ceased to stand.
type standing struct{ from, to int32 }

func newReference(c *randomClinic) *falloffReference {
	asOf := contract.DayOf(c.asOf)
	over := c.asOf.AddDays(1).In(c.zone).UnixMicro()
	dayOf := func(micros int64) int32 { return localDayOf(c, micros) }
	limits := map[string]int32{}
	for _, d := range c.Settings.Disciplines {
		limits[d.Name] = int32(d.FalloffDays)
	}

	r := &falloffReference{statuses: map[string]string{}, reconstructed: map[string]bool{}, asOf: asOf, gaps: map[string][]int32{}, visits: map[[2]string][]int32{}}
	history := asOf
	visits := map[[2]string]map[int32]bool{}
	firsts := map[[2]string]map[int32]bool{}
	bookings := map[[2]string][]standing{}
	ahead := map[[2]string]bool{}
	patientAhead := map[string]bool{}
	vanished, vanishedOf := map[[2]string]bool{}, map[string]bool{}
	for _, a := range c.Appointments {
		history = min(history, a.ServiceDate)
		if a.BookedAt != nil && *a.BookedAt >= over {
			continue
		}
		key := [2]string{*a.Patient, disciplineOf(a.Treatment)}
		state := a.State
		switch {
		case state == contract.Arrived && (a.ServiceDate > asOf || a.ArrivedAt != nil && *a.ArrivedAt >= over),
			state == contract.NoShow && a.ServiceDate > asOf,
			state == contract.Cancelled && a.CancelledAt != nil && *a.CancelledAt >= over:
			state = contract.Booked
		case state == contract.Archived || state == contract.Rescheduled:
			if a.ServiceDate > asOf && a.ObservedOn > asOf {
				vanished[key], vanishedOf[key[0]] = true, true
			}
			continue
		}
		a.State = state
		r.appointments = append(r.appointments, a)
		if state == contract.Arrived {
			if visits[key] == nil {
				visits[key], firsts[key] = map[int32]bool{}, map[int32]bool{}
			}
			visits[key][a.ServiceDate] = true
			if a.FirstVisit != nil && *a.FirstVisit {
				firsts[key][a.ServiceDate] = true
			}
		}
		if state == contract.Booked && a.ServiceDate > asOf {
			ahead[key], patientAhead[key[0]] = true, true
		}
		stood := standing{from: a.ServiceDate, to: a.ServiceDate}
		if a.BookedAt != nil {
			stood.from = dayOf(*a.BookedAt)
		}
		if state == contract.Cancelled {
			if a.CancelledAt == nil {
				// Nobody knows when it ceased to stand: until its day.
				stood.to = a.ServiceDate
			} else {
				stood.to = min(stood.to, dayOf(*a.CancelledAt))
			}
		}
		bookings[key] = append(bookings[key], stood)
	}

	gaps := r.gaps
	r.history, r.bookings = history, bookings
	for key, days := range visits {
		var sorted []int32
		for d := range days {
			sorted = append(sorted, d)
		}
		slices.Sort(sorted)
		r.visits[key] = sorted
		var own []*referenceEpisode
		for i, d := range sorted {
			if i == 0 || d-sorted[i-1] > 180 {
				own = append(own, &referenceEpisode{patient: key[0], discipline: key[1], number: len(own) + 1, until: asOf})
			} else {
				gaps[key[1]] = append(gaps[key[1]], d-sorted[i-1])
			}
			e := own[len(own)-1]
			e.days = append(e.days, d)
		}
		for i, e := range own {
			e.limit = cmp.Or(limits[e.discipline], 42)
			switch {
			case firsts[key][e.days[0]]:
				e.beginning = "new"
			case i > 0:
				e.beginning = "returning"
			case e.days[0]-history >= 180:
				e.beginning = "new"
			default:
				e.beginning = "unknown"
			}
			e.current = i == len(own)-1
			if !e.current {
				e.until = own[i+1].days[0]
			}
			e.engaged = map[int32]bool{}
			for d := e.days[0]; d <= e.until; d++ {
				e.engaged[d] = slices.Contains(e.days, d) || slices.ContainsFunc(bookings[key], func(s standing) bool {
					return s.from <= d && d <= s.to
				})
			}
			if !e.current {
				e.engaged[e.until] = true
			}
		}
		r.episodes = append(r.episodes, own...)
	}
	for _, e := range r.episodes {
		if e.current {
			e.judge(asOf, gaps[e.discipline], ahead[[2]string{e.patient, e.discipline}])
			best := map[string]int{"": 0, "fallen_off": 1, "at_risk": 2, "active": 3, "finished": 4}
			if best[e.status] > best[r.statuses[e.patient]] {
				r.statuses[e.patient] = e.status
			}
			if patientAhead[e.patient] {
				r.statuses[e.patient] = "active"
			}
			switch isFinished, isReconstructed := r.finished(c, e.patient); {
			case isFinished:
				e.status, r.statuses[e.patient] = "finished", "finished"
			case isReconstructed:
				e.isReconstructed, r.reconstructed[e.patient] = true, true
			default:
				e.isReconstructed = vanished[[2]string{e.patient, e.discipline}] && e.status != "active"
			}
		}
	}
	for patient, status := range r.statuses {
		if vanishedOf[patient] && (status == "at_risk" || status == "fallen_off") {
			r.reconstructed[patient] = true
		}
	}
	return r
}

// disciplineOf is what the random clinic's price list says.
func disciplineOf(item string) string {
	return cmp.Or(map[string]string{"Physio": "Physiotherapy", "Massage": "Massage Therapy"}[item], "Unspecified")
}

func (e *referenceEpisode) judge(asOf int32, disciplineGaps []int32, ahead bool) {
	var own []int32
	for i := 1; i < len(e.days); i++ {
		own = append(own, e.days[i]-e.days[i-1])
	}
	switch {
	case len(own) > 0:
		e.usualGap = medianOf(own)
	case len(disciplineGaps) > 0:
		e.usualGap = medianOf(disciplineGaps)
	default:
		e.usualGap = 14
	}
	since := float64(asOf - e.days[len(e.days)-1])
	switch {
	case ahead || since <= min(180, max(14, 1.5*e.usualGap)):
		e.status = "active"
	case since < min(180, max(42, 2*e.usualGap)):
		e.status = "at_risk"
	default:
		e.status = "fallen_off"
	}
}

func medianOf(values []int32) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return float64(sorted[(len(sorted)-1)/2]+sorted[len(sorted)/2]) / 2
}

// lapse walks day by day and stops at the first stretch of more than limit days from one engaged day to the next.
func (e *referenceEpisode) lapse() (time int32, event bool) {
	reached := e.days[0]
	for d := e.days[0] + 1; d <= e.until; d++ {
		if d-reached > e.limit {
			return reached - e.days[0] + e.limit, true
		}
		if e.engaged[d] {
			reached = d
		}
	}
	return e.until - e.days[0], false
}

// lapsesBetween reports whether a stretch of more than limit days lies between two days of the episode.
func (e *referenceEpisode) lapsesBetween(from, to int32) bool {
	reached := from
	for d := from + 1; d <= to; d++ {
		if d-reached > e.limit {
			return true
		}
		if e.engaged[d] {
			reached = d
		}
	}
	return false
}

type curvePoint struct {
	Definition string `parquet:"definition,optional"`
	seriesName
	Time     int64    `parquet:"time,optional"`
	Risk     int64    `parquet:"n_risk,optional"`
	Event    int64    `parquet:"n_event,optional"`
	Censor   int64    `parquet:"n_censor,optional"`
	Survival float64  `parquet:"survival,optional"`
	Error    *float64 `parquet:"std_err,optional"`
	Low      *float64 `parquet:"ci_low,optional"`
	High     *float64 `parquet:"ci_high,optional"`
}

// productLimit is Kaplan and Meier's estimate, written out: at each time, those not yet gone.
func productLimit(times []int32, events []bool) []curvePoint {
	distinct := slices.Sorted(slices.Values(append(slices.Clone(times), 0)))
	distinct = slices.Compact(distinct)
	survival, greenwood := 1.0, 0.0
	var points []curvePoint
	for _, t := range distinct {
		p := curvePoint{Time: int64(t)}
		for i := range times {
			switch {
			case times[i] < t:
				continue
			case times[i] == t && events[i]:
				p.Event++
			case times[i] == t:
				p.Censor++
			}
			p.Risk++
		}
		survival *= 1 - float64(p.Event)/float64(p.Risk)
		greenwood += float64(p.Event) / (float64(p.Risk) * float64(p.Risk-p.Event))
		p.Survival = survival
		if survival > 1e-12 {
			e := survival * math.Sqrt(greenwood)
			p.Error = &e
			if p.Survival < 1 {
				// log(-log S) +- z * sqrt(greenwood) / |log S|, and back.
				middle, half := math.Log(-math.Log(survival)), 1.959963984540054*math.Sqrt(greenwood)/math.Abs(math.Log(survival))
				low, high := math.Exp(-math.Exp(middle+half)), math.Exp(-math.Exp(middle-half))
				p.Low, p.High = &low, &high
			}
		}
		points = append(points, p)
	}
	return points
}
