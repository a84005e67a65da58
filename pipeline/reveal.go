package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/server"
)

// Why nobody is revealed.
var (
	// ErrPrivacyMode says that the clinic keeps no first names.
	ErrPrivacyMode = errors.New("the clinic is in privacy mode: it keeps no first names, so there is nobody to reveal")
	// ErrUnknownPatient says that no identity is kept under a pseudonym, or none whom the asker may see.
	ErrUnknownPatient = errors.New("no identity is kept under this pseudonym, among those that may be seen")
)

// Reveal says who a patient is, in recovery mode. staff narrows it to those whom these staff members have seen; nil is everybody. Record
// is called before anybody is told, and keeps it from that with an error. The answer is for one person's eyes: nothing here keeps it.
func (s *Site) Reveal(ctx context.Context, pseudonym string, staff []string, record func(audit.Entry) error) (*contract.Identified, error) {
	if s.Mode() != Recovery {
		return nil, ErrPrivacyMode
	}
	head, err := s.Clinic.Head(ctx)
	if err != nil {
		return nil, storage("reading the lake", err)
	}
	if staff != nil {
		if err := s.haveSeen(ctx, head, pseudonym, staff); err != nil {
			return nil, err
		}
	}
	var found *contract.Identified
	if _, kept := head.Datasets[contract.Identities]; kept {
		for row, err := range lake.Rows(ctx, s.Clinic.Snapshot(head), lake.Identities) {
			if err != nil {
				return nil, storage("reading the identities", err)
			}
			if row.Patient == pseudonym {
				found = &row
				break
			}
		}
	}
	if found == nil {
		return nil, ErrUnknownPatient
	}
	return found, record(audit.Entry{Action: audit.IdentityRevealed, Entity: "identities", After: audit.Fields{
		"patient": s.Keys.Refusal(pseudonym), "identities": 1, "snapshot": head.Number,
	}})
}

// haveSeen refuses a patient whom none of some staff members has seen.
func (s *Site) haveSeen(ctx context.Context, head *lake.Commit, pseudonym string, staff []string) error {
	const caseload = "caseload"
	if _, built := head.Marts[caseload]; !built {
		return refused("looking for the caseload", ErrNotBuilt)
	}
	view, err := s.openView(ctx, head, lake.Want{Datasets: []string{}, Marts: []string{caseload}})
	if err != nil {
		return err
	}
	defer func() { _ = view.Close() }()
	arguments := []any{pseudonym}
	for _, name := range staff {
		arguments = append(arguments, name)
	}
	var seen bool
	if err := view.DB.QueryRowContext(ctx, "select count(*) > 0 from marts.caseload where patient = ? and staff_member in (?"+strings.Repeat(", ?", len(staff)-1)+")",
		arguments...).Scan(&seen); err != nil {
		return fmt.Errorf("looking for the caseload: %w", err)
	}
	if !seen {
		return ErrUnknownPatient
	}
	return nil
}

// ServerIdentities reveals patients through a query server.
type ServerIdentities struct {
	Snapshots *Snapshots
	Chain     Appender
}

// Reveal says who a patient is.
func (d ServerIdentities) Reveal(ctx context.Context, by server.Asker, clinic, patient string, staff []string) (*server.Identity, error) {
	site, err := d.Snapshots.site(ctx, clinic)
	if err != nil {
		return nil, err
	}
	found, err := site.Reveal(ctx, patient, staff, func(e audit.Entry) error { return noteFor(ctx, d.Chain, by, clinic, e) })
	switch {
	case errors.Is(err, ErrPrivacyMode):
		return nil, server.Refuse(http.StatusConflict, "privacy_mode", "the clinic is in privacy mode: it keeps no first names, so there is nobody to reveal",
			"recovery mode is entered with falloff identity-mode; names come with the next run or import")
	case errors.Is(err, ErrUnknownPatient):
		return nil, server.Refuse(http.StatusNotFound, "unknown_patient", "no identity is kept under this pseudonym, among those that you may see",
			"take the pseudonym from the newest answer: keys may have changed, or the patient was erased")
	case err != nil:
		return nil, told(err)
	}
	return &server.Identity{Patient: found.Patient, FirstName: found.FirstName, GUID: found.PatientGUID}, nil
}
