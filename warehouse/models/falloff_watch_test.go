package models

import (
	"slices"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// watchRow is what falloff_watch says of a week.
type watchRow struct {
	Week       int32  `parquet:"week_from,optional,date"`
	Discipline string `parquet:"discipline,optional"`
	Visits     string `parquet:"visits,optional"`
	LastWas    string `parquet:"last_was,optional"`
	Trials     int64  `parquet:"trials,optional"`
	Lapses     int64  `parquet:"lapses,optional"`
	Complete   bool   `parquet:"is_complete,optional"`
}

// compareWatch counts again, walking each episode day by day up to its first lapse.
func compareWatch(t testing.TB, result *Result, want *falloffReference) {
	t.Helper()
	rows := map[watchRow]*watchRow{}
	var lapses int64
	for _, e := range want.episodes {
		if e.beginning == "unknown" {
			continue
		}
		last := e.until // a day after which an episode is watched no more
		lapsedAfter, lapsed := e.lapse()
		if lapsed {
			last = e.days[0] + lapsedAfter - e.limit
		}
		visits := 0
		for d := e.days[0]; d <= last; d++ {
			isVisit := slices.Contains(e.days, d)
			if isVisit {
				visits++
			}
			ended := slices.ContainsFunc(want.bookings[[2]string{e.patient, e.discipline}], func(s standing) bool { return s.from <= d && s.to == d })
			if !isVisit && !ended || d+e.limit >= want.asOf {
				continue
			}
			// The random clinic's weeks begin on Sundays.
			week := d + e.limit - int32(contract.DateOf(d+e.limit).In(time.UTC).Weekday())
			key := watchRow{Week: week, Discipline: e.discipline, Visits: "over_5", LastWas: "booking"}
			switch {
			case visits == 1:
				key.Visits = "1"
			case visits == 2:
				key.Visits = "2"
			case visits <= 5:
				key.Visits = "3-5"
			}
			if isVisit {
				key.LastWas = "visit"
			}
			row := rows[key]
			if row == nil {
				whole := key
				whole.Complete = week+6 < want.asOf
				row = &whole
				rows[key] = row
			}
			row.Trials++
			if lapsed && d == last {
				row.Lapses++
				lapses++
			}
		}
	}
	got := readMart[watchRow](t, result, "falloff_watch")
	for _, g := range got {
		key := g
		key.Trials, key.Lapses, key.Complete = 0, 0, false
		if row := rows[key]; row == nil || *row != g {
			t.Errorf("falloff_watch has %+v, want %+v", g, row)
		}
	}
	if len(got) != len(rows) || lapses == 0 {
		t.Errorf("%d rows with %d lapses, want %d rows", len(got), lapses, len(rows))
	}
}
