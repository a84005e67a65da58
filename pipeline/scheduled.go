package pipeline

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/pipeline/agreement"
	"github.com/falloff-analytics/falloff/pipeline/schedule"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// ScheduledClinic is a clinic as a scheduler has to know it.
type ScheduledClinic struct {
	ID string
	// Connected says that somebody has agreed, and that the vault has credentials: nights can be run. Landed says that the lake has
	// something of it, which can be backed up.
	Connected, Landed bool
	// AsOf is the newest day that its reports show, zero where none has come.
	AsOf civil.Date
	// Host is where its portal is.
	Host string
	// Zone is the clinic's, nil where its settings have not come yet; QuietHours those that it chose.
	Zone       *time.Location
	QuietHours string
	// Site is the clinic, nil where nothing has landed, or where it cannot be opened: Err says why then.
	Site *Site
	Err  error
}

// ScheduledClinics lists the clinics of the lake, and those that are connected to it and have not run yet. Deleted ones are left out.
// The vault is opened once: o.Vault is set afterwards.
func ScheduledClinics(ctx context.Context, o *SiteOptions, store lake.Store) ([]ScheduledClinic, error) {
	var err error
	if o.Vault, err = OpenVault(ctx, *o); err != nil {
		return nil, err
	}
	portals, err := o.Vault.Portals(ctx)
	if err != nil {
		return nil, keyed(err)
	}
	landed, err := lake.Clinics(ctx, store)
	if err != nil {
		return nil, storage("looking for the clinics of the lake", err)
	}
	ids := slices.Clone(landed)
	for clinic := range portals {
		if id := lake.ClinicID(clinic); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	var out []ScheduledClinic
	for _, id := range ids {
		here := slices.Contains(landed, id)
		if err := barred(ctx, store, id); err != nil {
			if here && !errors.As(err, new(*BarredError)) {
				return nil, err
			}
			continue
		}
		c := ScheduledClinic{ID: string(id)}
		if address, ok := portals[string(id)]; ok {
			status, err := agreement.Current(ctx, store, id)
			if err != nil {
				return nil, storage("looking for agreements", err)
			}
			if u, err := url.Parse(address); err == nil {
				c.Host = u.Host
			}
			c.Connected = status.Accepted
		}
		if here {
			c.open(ctx, *o)
		}
		if here || c.Connected {
			out = append(out, c)
		}
	}
	return out, nil
}

// open reads what the lake knows of the clinic.
func (c *ScheduledClinic) open(ctx context.Context, o SiteOptions) {
	o.Clinic = c.ID
	site, err := OpenExistingSite(ctx, o)
	if err != nil {
		c.Err = err
		return
	}
	c.Site = site
	if head, err := site.Clinic.Head(ctx); err == nil {
		c.Landed, c.AsOf = true, head.AsOf
	}
	if typed, err := site.Settings(ctx); err == nil {
		c.Zone, _ = typed.Zone()
	}
	choices, err := site.Choices(ctx)
	c.QuietHours, c.Err = choices.QuietHours, err
}

// Schedules are the states of scheduled tasks in a lake. Nothing is written of a clinic that was deleted.
func Schedules(store lake.Store) schedule.Book {
	return schedule.InLake(store, func(ctx context.Context, id lake.ClinicID) error { return barred(ctx, store, id) })
}
