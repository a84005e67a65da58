package pipeline

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/falloff-analytics/falloff/pipeline/agreement"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/warehouse/server"
)

// ServerSettings shows and changes clinics' settings through a query server.
type ServerSettings struct {
	Snapshots *Snapshots
	Chain     Appender
	// QuietHours says why a text is none that names hours of the day.
	QuietHours func(text string) error
}

// Show gives a clinic's settings.
func (d ServerSettings) Show(ctx context.Context, clinic string) (*server.ClinicSettings, error) {
	site, err := d.Snapshots.site(ctx, clinic)
	if err != nil {
		return nil, err
	}
	typed, err := site.Settings(ctx)
	if err != nil {
		return nil, err
	}
	chosen, err := site.Choices(ctx)
	if err != nil {
		return nil, err
	}
	status, err := site.Status(ctx)
	if err != nil {
		return nil, err
	}
	hold, err := site.Hold(ctx)
	if err != nil {
		return nil, err
	}
	accepted, err := agreement.Current(ctx, site.Clinic.Store(), site.Clinic.ID())
	if err != nil {
		return nil, err
	}
	out := &server.ClinicSettings{
		Clinic: clinic, Name: typed.Name, TimeZone: typed.TimeZone, Currency: typed.Currency,
		QuietHours: chosen.QuietHours, StaleAfterDays: chosen.StaleAfter(), IdentityMode: string(status.Mode),
		Extraction: &server.ExtractionState{State: string(status.State), Todo: status.Todo, Paused: hold.Paused != nil, Running: status.Running != nil},
		Agreement:  &server.AgreementState{Accepted: accepted.Accepted, Version: accepted.Version},
	}
	if last := status.Last; last != nil {
		out.Extraction.LastRun, out.Extraction.Cause = &last.At, string(last.Cause)
	}
	if a := accepted.Latest; a != nil {
		out.Agreement.AcceptedVersion, out.Agreement.AcceptedAt, out.Agreement.Signer = a.Version, &a.AcceptedAt, a.Signer.Name
	}
	return out, nil
}

// Change changes a clinic's settings, each recorded with what was before.
func (d ServerSettings) Change(ctx context.Context, by server.Asker, clinic string, c server.SettingsChange) error {
	site, err := d.Snapshots.site(ctx, clinic)
	if err != nil {
		return err
	}
	note := func(e audit.Entry) error { return noteFor(ctx, d.Chain, by, clinic, e) }
	err = site.Choose(ctx, func(chosen *Choices) error {
		if c.StaleAfterDays != nil {
			chosen.StaleAfterDays = *c.StaleAfterDays
		}
		if c.QuietHours == nil {
			return nil
		}
		chosen.QuietHours = *c.QuietHours
		if chosen.QuietHours == "" {
			return nil
		}
		return d.QuietHours(chosen.QuietHours)
	}, func(before, after Choices) error {
		for _, e := range changesOf(before, after) {
			if err := note(e); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, ErrChoice) {
		problem, hint, _ := strings.Cut(strings.TrimPrefix(err.Error(), ErrChoice.Error()+": "), ": ")
		return server.Refuse(http.StatusBadRequest, "bad_parameter", problem, hint)
	}
	if err != nil || c.Paused == nil {
		return err
	}
	return d.pause(ctx, site, by, *c.Paused, note)
}

// changesOf are the records of a change, one a setting.
func changesOf(before, after Choices) []audit.Entry {
	var out []audit.Entry
	if before.QuietHours != after.QuietHours {
		out = append(out, audit.Entry{
			Action: audit.SettingChanged, Entity: "settings/quiet_hours",
			Before: audit.Fields{"value": orNone(before.QuietHours)}, After: audit.Fields{"value": orNone(after.QuietHours)},
		})
	}
	if before.StaleAfterDays != after.StaleAfterDays {
		out = append(out, audit.Entry{
			Action: audit.SettingChanged, Entity: "settings/stale_after_days",
			Before: audit.Fields{"number": before.StaleAfter()}, After: audit.Fields{"number": after.StaleAfter()},
		})
	}
	return out
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// pause stops extraction, or lets it go on. What changes nothing is no record.
func (d ServerSettings) pause(ctx context.Context, site *Site, by server.Asker, paused bool, note func(audit.Entry) error) error {
	hold, err := site.Hold(ctx)
	if err != nil || (hold.Paused != nil) == paused {
		return err
	}
	if paused {
		if err := note(audit.Entry{Action: audit.Paused, Entity: "extraction"}); err != nil {
			return err
		}
		_, err = site.Pause(ctx, by.Person, "")
		return err
	}
	if err := note(audit.Entry{Action: audit.Resumed, Entity: "extraction"}); err != nil {
		return err
	}
	_, err = site.Resume(ctx)
	return err
}
