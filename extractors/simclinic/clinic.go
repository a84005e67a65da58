// Package simclinic is a simulated clinic: people who need care, a front desk, a biller and insurers who forget things,
// and the reports that the clinic's portal would print about it all.
//
// A behaviour model comes first. People come in waves, follow plans of care, pause, drop off and return; they book, move,
// cancel and stay away; visits are closed, charged, claimed and paid, or somebody forgets to. Whoever forgets leaves a
// note in the ground truth before any report exists; the reports are printed afterwards from the same books. Whether a
// note is a leak is decided here, from the product's definitions and with constants of this package's own. What people meant to
// do, whether they had left or were only away, is told beside it (Plans), and is in no report.
//
// For tests and the demo, and nothing else: no other package of the product may depend on it, and it shares no code,
// constant or threshold with the packages that it is used to check.
//
// Everything that happens hangs on Dials alone: equal dials give equal bytes.
package simclinic

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/civil"
)

// Clinic is one simulated clinic as of its report date. It does not change after New and may be used concurrently.
type Clinic struct {
	world *world
	// The orders in which reports list appointments, parts of invoices and claims.
	byStart, byPurchase, byService []int32
	truth                          []Leak
}

// New simulates a clinic. It fails only for dials that Validate refuses.
func New(d Dials) (*Clinic, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("simulated clinic: %w", err)
	}
	w, err := newWorld(d.completed())
	if err != nil {
		return nil, fmt.Errorf("simulated clinic: %w", err)
	}
	return &Clinic{
		world: w, byStart: w.orderByStart(), byPurchase: w.orderByPurchase(), byService: w.orderByService(), truth: w.judge(),
	}, nil
}

// Dials are the dials the clinic was made with, with what was left to the country filled in.
func (c *Clinic) Dials() Dials { return c.world.dials }

// Name is the clinic's name.
func (c *Clinic) Name() string { return "Harbour Street Physio" }

// Slug is the clinic's name as addresses and file names carry it.
func (c *Clinic) Slug() string { return strings.ReplaceAll(strings.ToLower(c.Name()), " ", "-") }

// LocationNames are the clinic's locations as the reports print them.
func (c *Clinic) LocationNames() []string { return slices.Clone(c.world.premises.places) }

// StaffNames are the practitioners as the reports print them.
func (c *Clinic) StaffNames() []string {
	names := make([]string, len(c.world.premises.staff))
	for i, p := range c.world.premises.staff {
		names[i] = p.name
	}
	return names
}

// Zone is the clinic's time zone.
func (c *Clinic) Zone() *time.Location { return c.world.calendar.zone }

// ReportDate is the day as of whose end every report is made.
func (c *Clinic) ReportDate() civil.Date { return c.world.dials.To }

// Horizon is the last day for which bookings ahead can exist.
func (c *Clinic) Horizon() civil.Date { return c.world.horizon.date() }

// Truth lists every leak as of the report date, sorted by category and source id. The caller must not change it.
func (c *Clinic) Truth() []Leak { return c.truth }

// States lists every patient's status at the report date and the nine month-ends before it, for patients with a visit by
// then, sorted by guid and date.
func (c *Clinic) States() []PatientState { return c.world.states() }
