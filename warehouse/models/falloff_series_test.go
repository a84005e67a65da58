package models

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// compareByVisit holds the shares stopping after each visit, and the curves over visits, of all series.
func compareByVisit(t testing.TB, result *Result, want *falloffReference) {
	t.Helper()
	type point struct {
		seriesName
		Number   int64    `parquet:"visit_number,optional"`
		Visits   int64    `parquet:"visits,optional"`
		Stopped  int64    `parquet:"stopped,optional"`
		Risk     int64    `parquet:"n_risk,optional"`
		Event    int64    `parquet:"n_event,optional"`
		Censor   int64    `parquet:"n_censor,optional"`
		Survival *float64 `parquet:"survival,optional"`
		Error    *float64 `parquet:"std_err,optional"`
		Low      *float64 `parquet:"ci_low,optional"`
		High     *float64 `parquet:"ci_high,optional"`
	}
	type place struct {
		series seriesName
		number int64
	}
	visits, stopped := map[place]int64{}, map[place]int64{}
	times, events := map[seriesName][]int32{}, map[seriesName][]bool{}
	for _, e := range want.episodes {
		due, stops := e.dueVisits(want.asOf)
		if e.beginning == "unknown" || due == 0 {
			continue
		}
		for _, s := range e.series() {
			for n := range due {
				visits[place{s, int64(n + 1)}]++
			}
			for _, n := range stops {
				stopped[place{s, int64(n)}]++
			}
			if len(stops) > 0 {
				times[s], events[s] = append(times[s], stops[0]), append(events[s], true)
			} else {
				times[s], events[s] = append(times[s], due), append(events[s], false)
			}
		}
	}
	got := readMart[point](t, result, "falloff_by_visit")
	if len(got) != len(visits) {
		t.Errorf("%d visit numbers, want %d", len(got), len(visits))
	}
	beyond := 0
	for _, g := range got {
		at := place{g.seriesName, g.Number}
		if g.Visits != visits[at] || g.Stopped != stopped[at] {
			t.Errorf("%v: %d visits, %d stopped, want %d, %d", at, g.Visits, g.Stopped, visits[at], stopped[at])
		}
		// The curve at n is that of the last time at or before it, as long as somebody's time is n or later.
		p := curvePoint{}
		for _, q := range productLimit(times[g.seriesName], events[g.seriesName]) {
			if q.Time <= g.Number {
				p = q
			}
		}
		if p.Time < g.Number {
			p.Event, p.Censor, p.Risk = 0, 0, p.Risk-p.Event-p.Censor
		}
		if p.Risk == 0 {
			beyond++
			if g.Survival != nil || g.Low != nil || g.Risk != 0 {
				t.Errorf("%v: nobody is at risk, and yet %+v", at, g)
			}
			continue
		}
		if g.Survival == nil || !samePoint(curvePoint{Time: p.Time, Risk: g.Risk, Event: g.Event, Censor: g.Censor, Survival: *g.Survival,
			Error: g.Error, Low: g.Low, High: g.High}, p) {
			t.Errorf("%v: point %+v, want %+v", at, g, p)
		}
	}
	if beyond == 0 {
		t.Error("no episode went on after its lapse beyond all others: the comparison proves less")
	}
}

// summaryRow is what falloff_summary says of a series.
type summaryRow struct {
	seriesName
	Episodes      int64  `parquet:"episodes,optional"`
	Lapsed        int64  `parquet:"lapsed,optional"`
	MedianDays    *int64 `parquet:"median_days,optional"`
	DaysLow       *int64 `parquet:"median_days_low,optional"`
	DaysHigh      *int64 `parquet:"median_days_high,optional"`
	MedianVisits  *int64 `parquet:"median_visits,optional"`
	VisitsLow     *int64 `parquet:"median_visits_low,optional"`
	VisitsHigh    *int64 `parquet:"median_visits_high,optional"`
	FirstVisits   int64  `parquet:"first_visits,optional"`
	SecondVisits  int64  `parquet:"second_visits,optional"`
	Visits        int64  `parquet:"visits,optional"`
	Rebooked      int64  `parquet:"rebooked,optional"`
	Reactivations int64  `parquet:"reactivations,optional"`
	IsComplete    bool   `parquet:"is_complete,optional"`
}

func (s summaryRow) String() string {
	text := fmt.Sprint(s.seriesName, s.Episodes, s.Lapsed, s.FirstVisits, s.SecondVisits, s.Visits, s.Rebooked, s.Reactivations, s.IsComplete)
	for _, n := range []*int64{s.MedianDays, s.DaysLow, s.DaysHigh, s.MedianVisits, s.VisitsLow, s.VisitsHigh} {
		if n == nil {
			text += " -"
		} else {
			text += fmt.Sprint(" ", *n)
		}
	}
	return text
}

func compareSummary(t testing.TB, result *Result, want *falloffReference) {
	t.Helper()
	rows := map[seriesName]*summaryRow{}
	days, lapses := map[seriesName][]int32{}, map[seriesName][]bool{}
	visits, stops := map[seriesName][]int32{}, map[seriesName][]bool{}
	ends := map[seriesName]int32{} // the latest day by which an episode of the series could have lapsed
	var reactivations int64
	for _, e := range want.episodes {
		if e.beginning == "unknown" {
			continue
		}
		time, event := e.lapse()
		due, stopped := e.dueVisits(want.asOf)
		again := want.reactivations(e)
		reactivations += again
		first := contract.DateOf(e.days[0])
		first.Day = 1
		monthEnds := contract.DayOf(first.AddDays(31)) // some day of the next month
		next := contract.DateOf(monthEnds)
		monthEnds -= int32(next.Day)
		for _, s := range e.series() {
			row := rows[s]
			if row == nil {
				row = &summaryRow{seriesName: s}
				rows[s] = row
			}
			row.Episodes++
			row.Visits += int64(len(e.days))
			row.Rebooked += want.rebooked(e)
			row.Reactivations += again
			if event {
				row.Lapsed++
			}
			if due > 0 {
				row.FirstVisits++
				if len(e.days) > 1 {
					row.SecondVisits++
				}
			}
			days[s], lapses[s] = append(days[s], time), append(lapses[s], event)
			switch {
			case len(stopped) > 0:
				visits[s], stops[s] = append(visits[s], stopped[0]), append(stops[s], true)
			case due > 0:
				visits[s], stops[s] = append(visits[s], due), append(stops[s], false)
			}
			if s.Dimension == "cohort_month" {
				ends[s] = max(ends[s], monthEnds+e.limit)
			}
		}
	}
	for s, row := range rows {
		row.MedianDays, row.DaysLow, row.DaysHigh = medianTimes(productLimit(days[s], lapses[s]))
		row.MedianVisits, row.VisitsLow, row.VisitsHigh = medianTimes(productLimit(visits[s], stops[s]))
		row.IsComplete = ends[s] <= want.asOf
	}
	got := readMart[summaryRow](t, result, "falloff_summary")
	if len(got) != len(rows) {
		t.Errorf("%d series, want %d", len(got), len(rows))
	}
	whole := 0
	for _, g := range got {
		if row := rows[g.seriesName]; row == nil || row.String() != g.String() {
			t.Errorf("summary %s, want %v", g, row)
		}
		if g.DaysHigh != nil && g.VisitsHigh != nil {
			whole++
		}
	}
	if whole == 0 || whole == len(got) || reactivations == 0 {
		t.Errorf("%d of %d series have both medians with intervals, %d reactivations: the comparison proves less", whole, len(got), reactivations)
	}
}

// medianTimes reads off where the curve and its limits come to one half.
func medianTimes(points []curvePoint) (median, low, high *int64) {
	const half = 0.5 + 1e-9
	for _, p := range slices.Backward(points) {
		at := p.Time
		if p.Survival <= half {
			median = &at
		}
		if p.Low != nil && *p.Low <= half {
			low = &at
		}
		if p.High != nil && *p.High <= half {
			high = &at
		}
	}
	return median, low, high
}

// compareOutcomes computes the shares by Aalen and Johansen's sum, written out.
func compareOutcomes(t testing.TB, result *Result, want *falloffReference, clinic *randomClinic) {
	t.Helper()
	type point struct {
		Discipline string  `parquet:"discipline,optional"`
		Outcome    string  `parquet:"outcome,optional"`
		Time       int64   `parquet:"time,optional"`
		Risk       int64   `parquet:"n_risk,optional"`
		Event      int64   `parquet:"n_event,optional"`
		Censor     int64   `parquet:"n_censor,optional"`
		Incidence  float64 `parquet:"incidence,optional"`
	}
	type end struct {
		time    int32
		outcome string
	}
	ends := map[string][]end{}
	for _, e := range want.episodes {
		if time, outcome := e.outcome(); e.beginning != "unknown" {
			ends["all"] = append(ends["all"], end{time, outcome})
			ends[e.discipline] = append(ends[e.discipline], end{time, outcome})
		}
	}
	var wanted []point
	for _, discipline := range slices.Sorted(maps.Keys(ends)) {
		for _, outcome := range []string{"fallen_off", "finished"} {
			times := []int32{0}
			for _, e := range ends[discipline] {
				times = append(times, e.time)
			}
			slices.Sort(times)
			here, incidence, came := 1.0, 0.0, 0
			first := len(wanted)
			for _, at := range slices.Compact(times) {
				p := point{Discipline: discipline, Outcome: outcome, Time: int64(at)}
				left := 0
				for _, e := range ends[discipline] {
					switch {
					case e.time < at:
						continue
					case e.time == at && e.outcome == outcome:
						p.Event++
						left++
					case e.time == at && e.outcome == "":
						p.Censor++
					case e.time == at:
						left++
					}
					p.Risk++
				}
				incidence += here * float64(p.Event) / float64(p.Risk)
				here *= 1 - float64(left)/float64(p.Risk)
				p.Incidence = incidence
				came += int(p.Event)
				wanted = append(wanted, p)
			}
			if came == 0 {
				wanted = wanted[:first]
			}
		}
	}
	got := readMart[point](t, result, "falloff_outcomes")
	if clinic.Unscheduled[0].ObservedOn > want.asOf {
		wanted = nil // nobody has said by D who has finished
	} else if len(wanted) == 0 {
		t.Error("nobody fell off or finished: the comparison proves nothing")
	}
	if len(got) != len(wanted) {
		t.Fatalf("%d points of outcomes, want %d", len(got), len(wanted))
	}
	for i, g := range got {
		p := wanted[i]
		if math.Abs(g.Incidence-p.Incidence) > 1e-12 {
			t.Errorf("outcomes: %+v, want %+v", g, p)
		}
		if g.Incidence = p.Incidence; g != p {
			t.Errorf("outcomes: %+v, want %+v", g, p)
		}
	}
}

type showRate struct {
	Month     string   `parquet:"month,optional"`
	Dimension string   `parquet:"dimension,optional"`
	Value     string   `parquet:"value,optional"`
	All       int64    `parquet:"appointments,optional"`
	Arrived   int64    `parquet:"arrived,optional"`
	NoShows   int64    `parquet:"no_shows,optional"`
	Cancelled int64    `parquet:"cancelled,optional"`
	Unclosed  int64    `parquet:"unclosed,optional"`
	WithLead  int64    `parquet:"with_lead,optional"`
	Median    *float64 `parquet:"median_lead_days,optional"`
	Mean      *float64 `parquet:"mean_lead_days,optional"`
	Show      *float64 `parquet:"show_share,optional"`
	Kept      *float64 `parquet:"kept_share,optional"`
	Complete  bool     `parquet:"is_complete,optional"`
}

func share(a, b int64) *float64 {
	if b == 0 {
		return nil
	}
	s := float64(a) / float64(b)
	return &s
}

// isMonthComplete says whether a month was over so many days ago and history began before it.
func isMonthComplete(want *falloffReference, month string, days int) bool {
	if month == "all" {
		return true
	}
	first, err := time.Parse("2006-01", month)
	if err != nil {
		return false
	}
	at := func(year int, m time.Month, day int) int32 {
		return int32(time.Date(year, m, day, 0, 0, 0, 0, time.UTC).Unix() / 86400)
	}
	return at(first.Year(), first.Month()+1, days) <= want.asOf && at(first.Year(), first.Month(), 1) >= want.history
}

func compareShowRates(t testing.TB, result *Result, want *falloffReference, clinic *randomClinic) {
	t.Helper()
	type place struct{ month, dimension, value string }
	rows, leads := map[place]*showRate{}, map[place][]int32{}
	for _, a := range want.appointments {
		if a.ServiceDate > want.asOf {
			continue
		}
		starts := time.UnixMicro(a.StartsAt).In(clinic.zone)
		lead, bucket := int32(-1), "unknown"
		if a.BookedAt != nil {
			lead = a.ServiceDate - localDayOf(clinic, *a.BookedAt)
		}
		for _, b := range []struct {
			from int32
			name string
		}{{0, "0"}, {1, "1-3"}, {4, "4-7"}, {8, "8-14"}, {15, "15-30"}, {31, "over_30"}} {
			if lead >= b.from {
				bucket = b.name
			}
		}
		for dimension, value := range map[string]string{
			"all": "all", "lead_time": bucket, "weekday": fmt.Sprint((int(starts.Weekday())+6)%7 + 1), "hour": fmt.Sprint(starts.Hour()),
			"staff_member": a.StaffMember, "discipline": disciplineOf(a.Treatment),
		} {
			for _, month := range []string{"all", starts.Format("2006-01")} {
				at := place{month, dimension, value}
				row := rows[at]
				if row == nil {
					row = &showRate{Month: month, Dimension: dimension, Value: value, Complete: isMonthComplete(want, month, 0)}
					rows[at] = row
				}
				row.All++
				switch a.State {
				case contract.Arrived:
					row.Arrived++
				case contract.NoShow:
					row.NoShows++
				case contract.Cancelled:
					row.Cancelled++
				default:
					row.Unclosed++
				}
				if lead >= 0 {
					row.WithLead++
					leads[at] = append(leads[at], lead)
				}
			}
		}
	}
	got := readMart[showRate](t, result, "show_rates")
	if len(got) != len(rows) {
		t.Errorf("%d rows of show rates, want %d", len(got), len(rows))
	}
	for _, g := range got {
		at := place{g.Month, g.Dimension, g.Value}
		row := rows[at]
		if row == nil {
			t.Errorf("show rate %+v, want none", g)
			continue
		}
		row.Show, row.Kept = share(row.Arrived, row.Arrived+row.NoShows), share(row.Arrived, row.All-row.Unclosed)
		if n := leads[at]; len(n) > 0 {
			sum, median := int64(0), medianOf(n)
			for _, d := range n {
				sum += int64(d)
			}
			row.Median, row.Mean = &median, share(sum, row.WithLead)
		}
		same := near(g.Median, row.Median) && near(g.Mean, row.Mean) && near(g.Show, row.Show) && near(g.Kept, row.Kept)
		g.Median, g.Mean, g.Show, g.Kept = row.Median, row.Mean, row.Show, row.Kept
		if !same || g != *row {
			t.Errorf("show rate %+v, want %+v", g, *row)
		}
	}
}

type recovery struct {
	Month      string `parquet:"month,optional"`
	Kind       string `parquet:"kind,optional"`
	Discipline string `parquet:"discipline,optional"`
	Missed     int64  `parquet:"missed,optional"`
	Due14      int64  `parquet:"due_14,optional"`
	Recovered  int64  `parquet:"recovered_14,optional"`
	Due30      int64  `parquet:"due_30,optional"`
	Recovered3 int64  `parquet:"recovered_30,optional"`
	Complete   bool   `parquet:"is_complete,optional"`
}

func compareRecovery(t testing.TB, result *Result, want *falloffReference, clinic *randomClinic) {
	t.Helper()
	type place struct{ month, kind, discipline string }
	rows := map[place]*recovery{}
	early := 0
	for _, a := range want.appointments {
		if a.ServiceDate > want.asOf || a.State != contract.NoShow && a.State != contract.Cancelled {
			continue
		}
		kind, called := "no_show", int32(math.MaxInt32)
		if a.State == contract.Cancelled {
			kind = "cancellation"
			if a.CancelledAt != nil {
				called = localDayOf(clinic, *a.CancelledAt)
			}
		}
		seenWithin := func(days int32) bool {
			return slices.ContainsFunc(want.visits[[2]string{*a.Patient, disciplineOf(a.Treatment)}], func(v int32) bool {
				return v <= a.ServiceDate+days && (v >= a.ServiceDate || v > called)
			})
		}
		if seenWithin(-1) {
			early++
		}
		month, discipline := contract.DateOf(a.ServiceDate).String()[:7], disciplineOf(a.Treatment)
		for _, m := range []string{"all", month} {
			for _, k := range []string{"all", kind} {
				for _, d := range []string{"all", discipline} {
					row := rows[place{m, k, d}]
					if row == nil {
						row = &recovery{Month: m, Kind: k, Discipline: d, Complete: isMonthComplete(want, m, 30)}
						rows[place{m, k, d}] = row
					}
					row.Missed++
					count(a.ServiceDate <= want.asOf-14, seenWithin(14), &row.Due14, &row.Recovered)
					count(a.ServiceDate <= want.asOf-30, seenWithin(30), &row.Due30, &row.Recovered3)
				}
			}
		}
	}
	got := map[place]recovery{}
	for _, g := range readMart[recovery](t, result, "missed_recovery") {
		got[place{g.Month, g.Kind, g.Discipline}] = g
	}
	if len(got) != len(rows) || early == 0 {
		t.Errorf("%d rows of recovery, want %d; %d were seen before the missed day", len(got), len(rows), early)
	}
	for _, at := range slices.Collect(maps.Keys(rows)) {
		if got[at] != *rows[at] {
			t.Errorf("recovery %+v, want %+v", got[at], *rows[at])
		}
	}
}

func count(isDue, isSeen bool, due, recovered *int64) {
	if isDue {
		*due++
		if isSeen {
			*recovered++
		}
	}
}
