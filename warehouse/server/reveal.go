package server

import (
	"context"
	"net/http"

	"github.com/falloff-analytics/falloff/warehouse/access"
)

// Identities reveals, in recovery mode, who a patient is.
type Identities interface {
	// Reveal says who a patient is, of whom the pseudonym is known, and records it first. staff narrows it to those whom these staff
	// members have seen; nil is everybody.
	Reveal(ctx context.Context, by Asker, clinic, patient string, staff []string) (*Identity, error)
}

// Identity is who a patient is. It is kept nowhere.
type Identity struct {
	Patient   string `json:"patient"`
	FirstName string `json:"first_name"`
	// GUID is the portal's identifier.
	GUID string `json:"guid"`
}

// reveal is POST /v1/identities/reveal. The patient's pseudonym stands in the body: addresses are logged on the way.
func (v *visit) reveal() (*reply, error) {
	var body struct {
		Clinic  string `json:"clinic"`
		Patient string `json:"patient"`
	}
	if err := v.read(&body); err != nil {
		return nil, err
	}
	identities, err := desk(v, v.server.options.Identities, v.server.options.Identities != nil, "identities", body.Clinic, access.IdentitiesReveal)
	if err != nil {
		return nil, err
	}
	if body.Patient == "" {
		return nil, &refusal{http.StatusBadRequest, codeBadRequest, "the patient is missing", "name the pseudonym, as the work list shows it"}
	}
	var staff []string
	if reach := v.sees.Scope(body.Clinic, access.IdentitiesReveal); !reach.Everyones() {
		if staff = reach.Staff(); len(staff) == 0 {
			return nil, forbidden("no caseload is given to them")
		}
	}
	identity, err := identities.Reveal(v.http.Context(), v.asker(), body.Clinic, body.Patient, staff)
	if err != nil {
		return nil, err
	}
	v.event.Rows = 1
	return asJSON(identity)
}
