package models

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

func TestFalloffEqualsTheReference(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			clinic := newRandomClinic(t, 100+seed, 120)
			clinic.asOf = clinic.asOf.AddDays(-int(seed) * 37)
			result := buildOf(t, clinic.inputs(t, 1, nil))
			want := newReference(clinic)
			want.openings(clinic)
			compareStatuses(t, result, want)
			compareCurves(t, result, want)
			compareByVisit(t, result, want)
			compareOutcomes(t, result, want, clinic)
			compareSummary(t, result, want)
			compareWatch(t, result, want)
			compareShowRates(t, result, want, clinic)
			compareRecovery(t, result, want, clinic)
			compareRetention(t, result, want, clinic)
		})
	}
}

func readMart[T any](t testing.TB, result *Result, name string) []T {
	t.Helper()
	mart, isThere := result.Mart(name)
	if !isThere {
		t.Fatalf("no mart %s", name)
	}
	rows, err := parquet.Read[T](bytes.NewReader(mart.Parquet), int64(len(mart.Parquet)))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func compareStatuses(t testing.TB, result *Result, want *falloffReference) {
	t.Helper()
	type patient struct {
		Patient string `parquet:"patient,optional"`
		Status  string `parquet:"status,optional"`
		Rebuilt bool   `parquet:"is_reconstructed,optional"`
	}
	got := map[string]string{}
	for _, p := range readMart[patient](t, result, "patient_status") {
		if got[p.Patient] = p.Status; p.Rebuilt != want.reconstructed[p.Patient] {
			t.Errorf("patient %s, %s: reconstructed %v, want %v", p.Patient, p.Status, p.Rebuilt, want.reconstructed[p.Patient])
		}
	}
	if len(got) != len(want.statuses) {
		t.Errorf("%d patients have a status, want %d", len(got), len(want.statuses))
	}
	for p, status := range want.statuses {
		if got[p] != status {
			t.Errorf("patient %s is %q, want %q", p, got[p], status)
		}
	}
	type episode struct {
		Patient    string  `parquet:"patient,optional"`
		Discipline string  `parquet:"discipline,optional"`
		Number     int64   `parquet:"episode_number,optional"`
		Beginning  string  `parquet:"beginning,optional"`
		Status     string  `parquet:"status,optional"`
		VisitDays  int64   `parquet:"visit_days,optional"`
		UsualGap   float64 `parquet:"usual_gap_days,optional"`
		Rebuilt    bool    `parquet:"is_reconstructed,optional"`
	}
	episodes := map[episode]bool{}
	for _, e := range readMart[episode](t, result, "episode_status") {
		episodes[e] = true
	}
	current := 0
	for _, e := range want.episodes {
		if !e.current {
			continue
		}
		current++
		row := episode{e.patient, e.discipline, int64(e.number), e.beginning, e.status, int64(len(e.days)), e.usualGap, e.isReconstructed}
		if !episodes[row] {
			t.Errorf("no episode %+v", row)
		}
	}
	if len(episodes) != current {
		t.Errorf("%d current episodes, want %d", len(episodes), current)
	}
}

func compareCurves(t testing.TB, result *Result, want *falloffReference) {
	t.Helper()
	type curve struct {
		definition string
		series     seriesName
	}
	times, events := map[curve][]int32{}, map[curve][]bool{}
	for _, e := range want.episodes {
		if e.beginning == "unknown" {
			continue
		}
		time, event := e.lapse()
		last, isLast, isIn := e.lastVisit()
		for _, s := range e.series() {
			c := curve{"first_lapse", s}
			times[c], events[c] = append(times[c], time), append(events[c], event)
			if c.definition = "last_visit"; isIn {
				times[c], events[c] = append(times[c], last), append(events[c], isLast)
			}
		}
	}
	got := map[curve][]curvePoint{}
	for _, p := range readMart[curvePoint](t, result, "falloff_by_days") {
		c := curve{p.Definition, p.seriesName}
		got[c] = append(got[c], p)
	}
	if len(got) != len(times) {
		t.Errorf("%d curves, want %d", len(got), len(times))
	}
	fell := map[string]int64{}
	payers := map[string]bool{}
	for c := range times {
		points := productLimit(times[c], events[c])
		if len(points) != len(got[c]) {
			t.Errorf("%v: %d points, want %d", c, len(got[c]), len(points))
			continue
		}
		for i, p := range points {
			g := got[c][i]
			fell[c.definition] += g.Event
			if !samePoint(g, p) {
				t.Errorf("%v: point %+v, want %+v", c, g, p)
			}
		}
		if c.series.Dimension == "payer_kind" {
			payers[c.series.Value] = true
		}
	}
	if fell["first_lapse"] == 0 || fell["last_visit"] == 0 || len(payers) != 3 {
		t.Errorf("events %v, payer kinds %v: the comparison proves nothing", fell, payers)
	}
}

func samePoint(g, p curvePoint) bool {
	return g.Time == p.Time && g.Risk == p.Risk && g.Event == p.Event && g.Censor == p.Censor &&
		math.Abs(g.Survival-p.Survival) <= 1e-12 && near(g.Error, p.Error) && near(g.Low, p.Low) && near(g.High, p.High)
}

func near(a, b *float64) bool {
	if a == nil || b == nil {
		return a == b
	}
	return math.Abs(*a-*b) <= 1e-9*max(1, math.Abs(*b))
}

func compareRetention(t testing.TB, result *Result, want *falloffReference, clinic *randomClinic) {
	t.Helper()
	type cell struct {
		Discipline string `parquet:"discipline,optional"`
		Cohort     string `parquet:"cohort_month,optional"`
		Index      int64  `parquet:"month_index,optional"`
		Size       int64  `parquet:"cohort_size,optional"`
		Active     int64  `parquet:"active,optional"`
	}
	monthOf := func(day int32) int { d := contract.DateOf(day); return d.Year*12 + int(d.Month) }
	last := clinic.asOf.Year*12 + int(clinic.asOf.Month)
	type place struct {
		discipline, cohort string
		index              int
	}
	wanted := map[place]cell{}
	for _, e := range want.episodes {
		if e.beginning == "unknown" {
			continue
		}
		first := monthOf(e.days[0])
		for _, d := range []string{"all", e.discipline} {
			for index := 0; first+index <= last; index++ {
				at := place{d, contract.DateOf(e.days[0]).String()[:7], index}
				c := wanted[at]
				c.Discipline, c.Cohort, c.Index = d, at.cohort, int64(index)
				c.Size++
				if slices.ContainsFunc(e.days, func(day int32) bool { return monthOf(day) == first+index }) {
					c.Active++
				}
				wanted[at] = c
			}
		}
	}
	got := readMart[cell](t, result, "cohort_retention")
	if len(got) != len(wanted) {
		t.Errorf("%d cells, want %d", len(got), len(wanted))
	}
	for _, c := range got {
		if wanted[place{c.Discipline, c.Cohort, int(c.Index)}] != c {
			t.Errorf("retention: %+v, want %+v", c, wanted[place{c.Discipline, c.Cohort, int(c.Index)}])
		}
	}
}
