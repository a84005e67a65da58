package models

import (
	"fmt"
	"os"
	"testing"

	"github.com/falloff-analytics/falloff/sql"
	"github.com/falloff-analytics/falloff/transforms/contract"
)

// TestStatusesAtTenDates holds the status of every patient and episode, on ten days of each clinic, to the second
// implementation. The clinics are of unlike shape: few patients and many, four zones, one discipline or three, with and without a
// list of who is unscheduled, bookings, or cancellations.
func TestStatusesAtTenDates(t *testing.T) {
	clinics := uint64(4)
	if os.Getenv("FALLOFF_LONG") != "" {
		clinics = 20
	}
	zones := []string{"America/Toronto", "Pacific/Auckland", "Europe/London", "UTC"}
	for seed := range clinics {
		t.Run(fmt.Sprintf("clinic=%d", seed), func(t *testing.T) {
			clinic := newRandomClinicIn(t, zones[seed%4], 700+seed, []int{80, 25, 140, 1}[(seed+seed/4)%4])
			shape(clinic, seed)
			in := clinic.inputs(t, 1, nil)
			last := clinic.asOf
			seen := map[string]int{}
			for back := range 10 {
				clinic.asOf = last.AddDays(-back * 37)
				in.AsOf = clinic.asOf
				for status, n := range checkStatuses(t, in, newReference(clinic)) {
					seen[status] += n
				}
			}
			if len(clinic.Appointments) > 500 && (seen["active"] == 0 || seen["at_risk"] == 0 || seen["fallen_off"] == 0 ||
				seen["finished"] == 0 && len(clinic.Unscheduled) > 0) {
				t.Errorf("statuses %v: the comparison proves less", seen)
			}
		})
	}
}

// shape makes a clinic unlike the others.
func shape(c *randomClinic, seed uint64) {
	for i := range c.Appointments {
		a := &c.Appointments[i]
		if seed%4 == 1 {
			a.Treatment = "Physio"
		}
		if seed%4 == 2 && a.State == contract.Cancelled {
			a.State, a.CancelledAt = contract.NoShow, nil
		}
	}
	switch seed % 4 {
	case 2:
		c.Unscheduled = nil
	case 3:
		for i := range c.Unscheduled {
			c.Unscheduled[i].ObservedOn -= 100
		}
	}
}

// checkStatuses builds no more than the marts of statuses, and counts whom it saw in which.
func checkStatuses(t *testing.T, in Inputs, want *falloffReference) map[string]int {
	t.Helper()
	project, err := Load(t.Context(), sql.Files())
	if err != nil {
		t.Fatal(err)
	}
	wanted, err := project.Needed("marts.episode_status", "marts.patient_status")
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.prepare(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if _, err := s.run(t.Context(), project, wanted, false); err != nil {
		t.Fatal(err)
	}
	patients, err := s.conn.QueryContext(t.Context(), "select patient, status from marts.patient_status")
	if err != nil {
		t.Fatal(err)
	}
	defer patients.Close()
	seen := map[string]int{}
	n := 0
	for ; patients.Next(); n++ {
		var patient, status string
		if err := patients.Scan(&patient, &status); err != nil {
			t.Fatal(err)
		}
		if seen[status]++; want.statuses[patient] != status {
			t.Errorf("at %s patient %s is %q, want %q", in.AsOf, patient, status, want.statuses[patient])
		}
	}
	if err := patients.Err(); err != nil || n != len(want.statuses) {
		t.Errorf("at %s %d patients have a status, want %d (%v)", in.AsOf, n, len(want.statuses), err)
	}
	type episode struct {
		Patient, Discipline, Status, Beginning string
		Number                                 int64
		UsualGap                               float64
		Rebuilt                                bool
	}
	got := map[episode]bool{}
	episodes, err := s.conn.QueryContext(t.Context(), `select patient, discipline, status, beginning, episode_number, usual_gap_days,
		is_reconstructed from marts.episode_status`)
	if err != nil {
		t.Fatal(err)
	}
	defer episodes.Close()
	for episodes.Next() {
		var e episode
		if err := episodes.Scan(&e.Patient, &e.Discipline, &e.Status, &e.Beginning, &e.Number, &e.UsualGap, &e.Rebuilt); err != nil {
			t.Fatal(err)
		}
		got[e] = true
	}
	if err := episodes.Err(); err != nil {
		t.Fatal(err)
	}
	current := 0
	for _, e := range want.episodes {
		if !e.current {
			continue
		}
		current++
		if row := (episode{e.patient, e.discipline, e.status, e.beginning, int64(e.number), e.usualGap, e.isReconstructed}); !got[row] {
			t.Errorf("at %s there is no episode %+v", in.AsOf, row)
		}
	}
	if len(got) != current {
		t.Errorf("at %s %d current episodes, want %d", in.AsOf, len(got), current)
	}
	return seen
}
