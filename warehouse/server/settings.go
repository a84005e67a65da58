package server

import (
	"context"
	"net/http"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/access"
)

// SettingsDesk shows and changes the settings of a clinic that people change from day to day.
type SettingsDesk interface {
	Show(ctx context.Context, clinic string) (*ClinicSettings, error)
	// Change is recorded, with what was before, before it holds.
	Change(ctx context.Context, by Asker, clinic string, c SettingsChange) error
}

// ClinicSettings are a clinic's. Parts that the caller may not see are left out.
type ClinicSettings struct {
	Clinic   string `json:"clinic"`
	Name     string `json:"name"`
	TimeZone string `json:"time_zone"`
	Currency string `json:"currency"`
	// QuietHours are those in which nothing is read from the portal, HH:MM-HH:MM in the clinic's zone, empty for none.
	QuietHours string `json:"quiet_hours"`
	// StaleAfterDays is how many days a dataset may be behind before it counts as stale.
	StaleAfterDays int `json:"stale_after_days"`
	// IdentityMode is privacy or recovery.
	IdentityMode string           `json:"identity_mode,omitempty"`
	Extraction   *ExtractionState `json:"extraction,omitempty"`
	Agreement    *AgreementState  `json:"agreement,omitempty"`
	// Synced is what was read last of each dataset.
	Synced []freshnessEntry `json:"synced,omitempty"`
}

// ExtractionState is how the reading of the portal stands.
type ExtractionState struct {
	State string `json:"state"`
	// Todo is what to do about it, empty for nothing.
	Todo    string `json:"todo,omitempty"`
	Paused  bool   `json:"paused"`
	Running bool   `json:"running"`
	// LastRun is when the last run ended, nil before the first; Cause is empty where it landed.
	LastRun *time.Time `json:"last_run,omitempty"`
	Cause   string     `json:"cause,omitempty"`
}

// AgreementState says whether the clinic accepted the current text.
type AgreementState struct {
	Accepted bool `json:"accepted"`
	// Version is the current one, AcceptedVersion the newest that the clinic accepted, 0 for none.
	Version         int        `json:"version"`
	AcceptedVersion int        `json:"accepted_version"`
	AcceptedAt      *time.Time `json:"accepted_at,omitempty"`
	Signer          string     `json:"signer,omitempty"`
}

// SettingsChange is what is to change; nil leaves it.
type SettingsChange struct {
	QuietHours     *string
	StaleAfterDays *int
	Paused         *bool
}

func (v *visit) settingsDesk(clinic string, needs ...access.Permission) (SettingsDesk, error) {
	return desk(v, v.server.options.Settings, v.server.options.Settings != nil, "settings", clinic, needs...)
}

func (v *visit) showSettings() (*reply, error) {
	return v.settingsOf(v.http.URL.Query().Get("clinic"))
}

// settingsOf answers with a clinic's settings, cut to what the caller may see.
func (v *visit) settingsOf(clinic string) (*reply, error) {
	settings, err := v.settingsDesk(clinic, access.SettingsView)
	if err != nil {
		return nil, err
	}
	shown, err := settings.Show(v.http.Context(), clinic)
	if err != nil {
		return nil, err
	}
	if !v.sees.Allows(clinic, access.IdentitiesView) {
		shown.IdentityMode = ""
	}
	if !v.sees.Allows(clinic, access.ExtractionView) {
		shown.Extraction = nil
	}
	if !v.sees.Allows(clinic, access.AgreementView) {
		shown.Agreement = nil
	}
	if v.sees.Allows(clinic, access.FreshnessView) {
		meta, err := v.about(clinic)
		if err != nil {
			return nil, err
		}
		shown.Synced = freshnessOf(meta)
	}
	return asJSON(shown)
}

// changeSettings is POST /v1/settings.
func (v *visit) changeSettings() (*reply, error) {
	var body struct {
		Clinic         string  `json:"clinic"`
		QuietHours     *string `json:"quiet_hours"`
		StaleAfterDays *int    `json:"stale_after_days"`
		Paused         *bool   `json:"paused"`
		IdentityMode   *string `json:"identity_mode"`
	}
	if err := v.read(&body); err != nil {
		return nil, err
	}
	var needs []access.Permission
	if body.QuietHours != nil || body.StaleAfterDays != nil {
		needs = append(needs, access.SettingsChange)
	}
	switch {
	case body.Paused != nil && *body.Paused:
		needs = append(needs, access.ExtractionPause)
	case body.Paused != nil:
		needs = append(needs, access.ExtractionResume)
	}
	if body.IdentityMode != nil {
		needs = append(needs, access.IdentitiesSetMode)
	}
	if len(needs) == 0 {
		return nil, &refusal{http.StatusBadRequest, codeBadRequest, "nothing is to change", "GET /openapi.json says what can be changed"}
	}
	settings, err := v.settingsDesk(body.Clinic, append(needs, access.SettingsView)...)
	if err != nil {
		return nil, err
	}
	if body.IdentityMode != nil {
		return nil, &refusal{http.StatusConflict, codeUnavailable, "the identity mode is not changed through the server: leaving recovery mode erases and destroys keys, entering it makes one",
			"run falloff identity-mode on the machine that holds the clinic's keys"}
	}
	if err := settings.Change(v.http.Context(), v.asker(), body.Clinic, SettingsChange{body.QuietHours, body.StaleAfterDays, body.Paused}); err != nil {
		return nil, err
	}
	return v.settingsOf(body.Clinic)
}
