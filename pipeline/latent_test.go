package pipeline_test

import (
	"math"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors/simclinic"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/transforms/identity"
)

// plainDays is the plain rule: who was not seen for more days, and is not booked, has fallen off.
const plainDays = 42

// silent says that somebody left without finishing.
func silent(how simclinic.Ending) bool {
	return how == simclinic.DroppedOff || how == simclinic.GaveUp || how == simclinic.CouldNotBook
}

// seat is one patient in one discipline at the end of a day: what the marts say, and what is so.
type seat struct {
	who    string // patient and discipline
	on     civil.Date
	status string
	since  int
	gap    float64
	booked bool
	alive  float64 // NaN where the model has no parameters

	there  bool
	ending simclinic.Ending // of the last plan they left, of those who are not there
	comes  bool             // is seen again by the report date
	shown  int              // days since the last visit that the schedule shows by the day
}

// latently says what is so of one patient in one discipline at the end of a day, by their plans.
func (s *seat) latently(plans []simclinic.Plan, on civil.Date) {
	s.on, s.shown = on, math.MaxInt32
	for i := range plans {
		p := &plans[i]
		s.there = s.there || p.There(on)
		if !p.Left.IsZero() && !p.Left.After(on) && (p.Ending != simclinic.Aside || s.ending == "") {
			s.ending = p.Ending
		}
		for _, v := range p.Visits {
			switch {
			case v.On.After(on):
				s.comes = true
			case !v.Shown.IsZero() && !v.Shown.After(on):
				s.shown = min(s.shown, on.DaysSince(v.On))
			}
		}
	}
}

// limits are the days since the last visit from which somebody without a booking is at risk, and has fallen off, by the definition.
func (s *seat) limits() (atRisk, fallenOff int) {
	return int(math.Floor(min(180, max(14, 1.5*s.gap)))) + 1, int(math.Ceil(min(180, max(42, 2*s.gap))))
}

// check holds what must be so whatever people do. What the marts say follows from what the schedule shows and from nothing else, so
// who is called fallen off was not seen for 42 days; whoever is seen, and marked, within them never is; and who left half a year ago is.
func (s *seat) check(t *testing.T) {
	t.Helper()
	if s.since != s.shown {
		t.Errorf("on %s: the last visit was %d days ago, the schedule shows one %d days ago", s.on, s.since, s.shown)
	}
	if s.status == "finished" {
		return
	}
	atRisk, fallenOff := s.limits()
	want := "active"
	switch {
	case s.booked || s.shown < atRisk:
	case s.shown < fallenOff:
		want = "at_risk"
	default:
		want = "fallen_off"
	}
	if s.status != want {
		t.Errorf("on %s: %s, %d days after the last visit with a usual gap of %v, booked %t; want %s", s.on, s.status, s.shown, s.gap, s.booked, want)
	}
	if s.status == "fallen_off" && (s.shown < plainDays || s.booked) {
		t.Errorf("on %s: fallen off %d days after a visit, booked %t", s.on, s.shown, s.booked)
	}
	if silent(s.ending) && !s.there && !s.booked && s.shown >= 180 && s.status != "fallen_off" {
		t.Errorf("on %s: %s, and left %d days ago", s.on, s.status, s.shown)
	}
}

// seatsIn sets beside each patient of a view what is so at the end of its day.
func seatsIn(t *testing.T, clinic *simclinic.Clinic, site *pipeline.Site, view *pipeline.View, on civil.Date) []seat {
	t.Helper()
	plans := map[string][]simclinic.Plan{}
	for _, p := range clinic.Plans() {
		key := site.Keys.Pseudonym(identity.Patient, p.Patient) + " " + p.Discipline
		plans[key] = append(plans[key], p)
	}
	_, rows, err := view.Query(t.Context(), `select s.patient || ' ' || s.discipline, s.status, s.days_since, s.usual_gap_days,
		s.next_booking_on is not null, coalesce(o.p_alive, 'nan') from marts.episode_status s left join marts.patient_outlook o using (patient, discipline)`)
	if err != nil {
		t.Fatal(err)
	}
	seats := make([]seat, 0, len(rows))
	for _, r := range rows {
		s := seat{who: r[0].(string), status: r[1].(string), since: int(r[2].(int64)), gap: r[3].(float64), booked: r[4].(bool), alive: r[5].(float64)}
		s.latently(plans[s.who], on)
		seats = append(seats, s)
	}
	return seats
}

// checkStatuses holds the statuses of a day against what people really did.
func checkStatuses(t *testing.T, clinic *simclinic.Clinic, site *pipeline.Site, view *pipeline.View, on civil.Date) {
	t.Helper()
	called := map[string]int{}
	for _, s := range seatsIn(t, clinic, site, view, on) {
		s.check(t)
		called[s.status]++
	}
	if isTold(clinic, on) && (called["active"] == 0 || called["fallen_off"] == 0) {
		t.Errorf("on %s the statuses are %v: they prove nothing", on, called)
	}
}
