package main

import (
	"context"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// keeping is what the commands that touch the vault share.
type keeping struct {
	options pipeline.SiteOptions
	vault   *vault.Vault
	store   lake.Store
	log     *audit.Log
	actor   audit.Entry
}

// kept is keep with what flags and falloff.yaml say.
func (a *app) kept(ctx context.Context) (*keeping, error) {
	options, err := a.siteOptions()
	if err != nil {
		return nil, err
	}
	return a.keep(ctx, options)
}

// keep opens vault and audit log, and finds out who acts.
func (a *app) keep(ctx context.Context, options pipeline.SiteOptions) (*keeping, error) {
	actor, err := a.acting()
	if err != nil {
		return nil, err
	}
	k := &keeping{options: options, actor: actor}
	k.actor.Clinic = options.Clinic
	if k.vault, err = pipeline.OpenVault(ctx, options); err != nil {
		return nil, err
	}
	k.options.Vault = k.vault
	if k.store, err = lake.OpenStore(ctx, options.Lake); err != nil {
		return nil, &pipeline.StorageError{Doing: "opening the lake", Err: err}
	}
	k.log = audit.Open(k.store, a.now)
	return k, nil
}

// record makes an audit record, and has the vault remember it.
func (k *keeping) record(ctx context.Context, action audit.Action, entity string, before, after audit.Fields) error {
	e := k.actor
	e.Action, e.Entity, e.Before, e.After = action, entity, before, after
	r, err := k.log.Append(ctx, e)
	if err != nil {
		return &pipeline.StorageError{Doing: "nothing was done", Err: err}
	}
	return k.remember(ctx, audit.Tip{Number: r.Number, Hash: r.Hash})
}

func (k *keeping) remember(ctx context.Context, tip audit.Tip) error {
	if err := k.vault.SeeAuditTip(ctx, k.store.String(), vault.Tip(tip)); err != nil {
		return &pipeline.KeyError{Err: err}
	}
	return nil
}
