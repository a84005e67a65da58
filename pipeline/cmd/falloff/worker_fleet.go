package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/pipeline/worker"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// fleet are the lake's clinics whose credentials are in the vault.
type fleet struct {
	app  *app
	kept *keeping

	mu      sync.Mutex
	clinics []worker.Clinic
	listed  time.Time
}

// relist is how long a list of clinics is used: a listing costs a request and some reads a clinic.
const relist = 3 * time.Hour

// openAtOnce is how many clinics are looked into at once.
const openAtOnce = 16

// errNotConnected says that there is nothing to sign in to a clinic's portal with.
var errNotConnected = errors.New("the clinic is not connected")

// Clinics implements worker.Fleet.
func (f *fleet) Clinics(ctx context.Context) ([]worker.Clinic, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.clinics != nil && time.Since(f.listed) < relist {
		return f.clinics, nil
	}
	ids, err := lake.Clinics(ctx, f.kept.store)
	if err != nil {
		return nil, &pipeline.StorageError{Doing: "looking for clinics", Err: err}
	}
	found := make([]*worker.Clinic, len(ids))
	var all errgroup.Group
	all.SetLimit(openAtOnce)
	for i, id := range ids {
		all.Go(func() error {
			c, err := f.clinic(ctx, id)
			switch {
			case err == nil:
				found[i] = &c
			case !errors.Is(err, errNotConnected):
				f.app.tellf("Clinic %s is left out until it can be opened: %v", id, err)
			}
			return nil // one clinic must not keep the others from their night
		})
	}
	_ = all.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.clinics, f.listed = []worker.Clinic{}, time.Now()
	for _, c := range found {
		if c != nil {
			f.clinics = append(f.clinics, *c)
		}
	}
	return f.clinics, nil
}

// site opens one of the lake's clinics.
func (f *fleet) site(ctx context.Context, id string) (*pipeline.Site, error) {
	options := f.kept.options
	options.Clinic = id
	return pipeline.OpenSite(ctx, options)
}

// clinic says when and where a clinic is read.
func (f *fleet) clinic(ctx context.Context, id lake.ClinicID) (worker.Clinic, error) {
	credentials, err := f.kept.vault.Credentials(ctx, string(id))
	if errors.Is(err, vault.ErrNoCredentials) || errors.Is(err, vault.ErrNoVault) {
		return worker.Clinic{}, fmt.Errorf("%w: the vault has no credentials for the portal of clinic %s. falloff connect puts them there", errNotConnected, id)
	}
	if err != nil {
		return worker.Clinic{}, &pipeline.KeyError{Err: err}
	}
	host := worker.Domain(credentials.Address)
	credentials.Wipe()
	site, err := f.site(ctx, string(id))
	if err != nil {
		return worker.Clinic{}, err
	}
	settings, err := site.Settings(ctx)
	if err != nil {
		return worker.Clinic{}, err
	}
	zone, err := settings.Zone()
	return worker.Clinic{ID: string(id), Zone: zone, Host: host}, err
}

// Paused implements worker.Fleet.
func (f *fleet) Paused(ctx context.Context, clinic string) (bool, error) {
	site, err := f.site(ctx, clinic)
	if err != nil {
		return false, err
	}
	hold, err := site.Hold(ctx)
	return hold.Paused != nil, err
}
