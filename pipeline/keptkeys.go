package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/warehouse/export"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// KeepKeys puts the keys behind the clinic's pseudonyms into another vault, for whoever imports an export where this one is not, or
// after the clinic was deleted; with identities also the key of its first names.
func (s *Site) KeepKeys(ctx context.Context, in *vault.Vault, identities bool) error {
	return keyed(s.Vault.CopyKeys(ctx, string(s.Clinic.ID()), in, string(s.Clinic.ID()), identities))
}

// MayOpen returns a *BarredError for a clinic that must not be opened. It makes nothing.
func MayOpen(ctx context.Context, o SiteOptions) error {
	id, err := lake.ParseClinicID(o.Clinic)
	if err != nil {
		return err
	}
	if path, isFolder := LocalFolder(o.Lake); isFolder {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	store, err := lake.OpenStore(ctx, o.Lake)
	if err != nil {
		return storage("opening the lake", err)
	}
	return barred(ctx, store, id)
}

// ReturnKeys sees to it, before a lake is made, that the vault has the keys with which an export was made. They are taken from kept,
// where KeepKeys put them; nil says that nobody kept any.
func ReturnKeys(ctx context.Context, o SiteOptions, folder string, kept *vault.Vault) error {
	opened, err := export.Open(folder)
	if err != nil {
		return refused("", fmt.Errorf("the export %s: %w", folder, err))
	}
	m := opened.Manifest
	if err := opened.Close(); err != nil {
		return err
	}
	v, err := OpenVault(ctx, o)
	if err != nil {
		return err
	}
	where := v
	if kept != nil {
		where = kept
	}
	named := o.Clinic
	if kept != nil {
		named = m.Clinic
	}
	chain, err := where.Chain(ctx, named)
	if errors.Is(err, vault.ErrNoKeys) && kept == nil {
		if _, found, err := v.EarlierCopy(o.Clinic); err == nil && found {
			return nil // it is taken over when the lake is made
		}
	}
	if errors.Is(err, vault.ErrNoKeys) {
		return &KeyError{Err: fmt.Errorf("the vault %s has no keys of clinic %s, with which the export's pseudonyms were made: the same patient would get two of them. %s",
			where.Paths().Vault, named, wayBack)}
	}
	if err != nil {
		return keyed(err)
	}
	keys, err := chain.Keys.At(chain.Live)
	if err != nil {
		return keyed(err)
	}
	if m.KeyVersion != keys.Version || m.KeyCheck != keys.Check() {
		return otherKeys(m, where, named, keys.Version)
	}
	if kept == nil {
		return nil
	}
	err = kept.CopyKeys(ctx, m.Clinic, v, o.Clinic, true)
	if errors.Is(err, vault.ErrOtherKeys) {
		err = fmt.Errorf("the vault %s has other keys for a clinic %s than the export was made with: import it under another --clinic", v.Paths().Vault, o.Clinic)
	}
	return keyed(err)
}

// wayBack says what brings an export back whose keys are missing.
const wayBack = "Import it where the vault is that exported it, or restore that vault from your copy, or name the keys that falloff export --keys kept with --keys; without the keys the files can still be read as they are, with any DuckDB"

func otherKeys(m *export.Manifest, v *vault.Vault, clinic string, version int) error {
	return &KeyError{Err: fmt.Errorf("the export's pseudonyms were made with other keys of clinic %s than the vault %s has (version %d there, %d here): the same patient would get two of them. %s",
		clinic, v.Paths().Vault, m.KeyVersion, version, wayBack)}
}
