package pipeline

import (
	"context"
	"errors"

	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// cachePurpose is what a clinic's cached objects are sealed for.
const cachePurpose = "cached-objects"

// cacheFor is this machine's cache of the clinic's objects in a store. Without keys to seal them there is none: plain bytes never lie
// on this machine's disk.
func (o SiteOptions) cacheFor(ctx context.Context, store lake.Store, v *vault.Vault) lake.Cache {
	if !o.Cache.Keeps() || lake.OnThisMachine(store) {
		return nil
	}
	seal, err := v.AEAD(ctx, o.Clinic, cachePurpose)
	if err != nil {
		return nil // a vault that cannot be written to keeps nobody from reading
	}
	return o.Cache.For(o.Clinic, seal)
}

// forgetDeleted clears this machine's cache of a clinic that turns out to have been deleted, maybe by another machine, and gives the
// error back.
func (o SiteOptions) forgetDeleted(err error) error {
	if barred, ok := errors.AsType[*BarredError](err); ok && barred.Deleted && o.Cache != nil {
		_, failed := o.Cache.Forget(o.Clinic)
		err = errors.Join(err, failed)
	}
	return err
}
