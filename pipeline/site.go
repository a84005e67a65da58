package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)


// SiteOptions say where a clinic's lake is and where this machine keeps its keys.
type SiteOptions struct {
	// Lake is a path or s3://bucket/prefix, Clinic the clinic's id in it.
	Lake, Clinic string
	// ConfigDir and KeyFile are as vault.DefaultPaths takes them.
	ConfigDir, KeyFile string
	// Now dates commits; nil is time.Now.
	Now func() time.Time
}

// Site is one clinic of a lake, opened with its keys.
type Site struct {
	Clinic *lake.Clinic
	Keys   identity.Keys
	// KeyMade says that the lake had no key before, and KeyFile where the key that seals it lies.
	KeyMade bool
	KeyFile string
}

// OpenSite opens a clinic for writing, making lake and keys where there are none.
func OpenSite(ctx context.Context, o SiteOptions) (*Site, error) {
	store, err := lake.OpenStore(ctx, o.Lake)
	if err != nil {
		return nil, storage("opening the lake", err)
	}
	return openSite(ctx, store, o)
}

// OpenExistingSite opens a clinic that is in the lake already, so that a misspelt name does not make a new one.
func OpenExistingSite(ctx context.Context, o SiteOptions) (*Site, error) {
	store, err := existingStore(ctx, o.Lake)
	if err != nil {
		return nil, err
	}
	id, err := lake.ParseClinicID(o.Clinic)
	if err != nil {
		return nil, err
	}
	clinics, err := lake.Clinics(ctx, store)
	if err != nil {
		return nil, storage("looking for the clinics of the lake", err)
	}
	if slices.Contains(clinics, id) {
		return openSite(ctx, store, o)
	}
	hint := "it holds none yet: import reports or run an extraction first"
	if len(clinics) > 0 {
		hint = "it holds " + joinIDs(clinics)
	}
	return nil, storage("opening the lake", fmt.Errorf("no clinic %s in %s; %s", id, store, hint))
}

// existingStore opens a lake that is there already: a folder is not made for somebody who only wants to read it.
func existingStore(ctx context.Context, location string) (lake.Store, error) {
	if path, isFolder := localFolder(location); isFolder {
		if at, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && !at.IsDir() {
			return nil, storage("opening the lake", fmt.Errorf("there is no folder %s. Check --lake, or import reports into it first", path))
		}
	}
	store, err := lake.OpenStore(ctx, location)
	return store, storage("opening the lake", err)
}

// localFolder is the folder of a lake on this machine.
func localFolder(location string) (string, bool) {
	if path, ok := strings.CutPrefix(location, "file://"); ok {
		return path, true
	}
	return location, !strings.Contains(location, "://")
}

func joinIDs(ids []lake.ClinicID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = string(id)
	}
	return strings.Join(names, ", ")
}

func openSite(ctx context.Context, store lake.Store, o SiteOptions) (*Site, error) {
	id, err := lake.ParseClinicID(o.Clinic)
	if err != nil {
		return nil, err
	}
	paths, err := vault.DefaultPaths(o.ConfigDir, o.KeyFile)
	if err != nil {
		return nil, &KeyError{Err: err}
	}
	sealed, err := lake.Open(store, id, lake.Options{})
	if err != nil {
		return nil, err
	}
	key, made, err := clinicKey(ctx, paths, sealed)
	if err != nil {
		return nil, err
	}
	keys, err := identity.Derive(key)
	if err != nil {
		return nil, err
	}
	clinic, err := lake.Open(store, id, lake.Options{NamingKey: keys.ObjectNames().Expose(), Now: o.Now})
	if err != nil {
		return nil, err
	}
	return &Site{Clinic: clinic, Keys: keys, KeyMade: made, KeyFile: paths.KeyFile}, nil
}

// clinicKey opens the clinic's key, or makes it for a lake that has none. No machine key is made beside a lake whose key is
// sealed by another.
func clinicKey(ctx context.Context, paths vault.Paths, clinic *lake.Clinic) (key identity.Secret, made bool, err error) {
	sealed, err := clinic.Keys(ctx)
	if err != nil {
		return key, false, storage("looking for the clinic's key", err)
	}
	if _, err := os.Stat(paths.KeyFile); len(sealed) > 0 && errors.Is(err, fs.ErrNotExist) {
		return key, false, &KeyError{KeyFile: paths.KeyFile, Err: fmt.Errorf(
			"the key of clinic %s is sealed by a machine key, and there is none at %s. Name it with --config-dir or --key-file, or restore it from your copy", clinic.ID(), paths.KeyFile)}
	}
	machine, _, err := vault.Machine(paths)
	if err != nil {
		return key, false, &KeyError{KeyFile: paths.KeyFile, Err: err}
	}
	key, made, err = vault.Clinic(ctx, paths, machine, string(clinic.ID()), sealedKeys{clinic})
	var failed *lake.StoreError
	switch {
	case errors.As(err, &failed):
		return key, false, storage("opening the lake", err)
	case err != nil:
		return key, false, &KeyError{KeyFile: paths.KeyFile, Err: err}
	}
	return key, made, nil
}

// sealedKeys lets the vault keep its sealed keys among the clinic's objects.
type sealedKeys struct{ clinic *lake.Clinic }

func (s sealedKeys) Get(ctx context.Context, key string) ([]byte, error) {
	body, err := s.clinic.Key(ctx, path.Base(key))
	if errors.Is(err, lake.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return body, err
}

func (s sealedKeys) Create(ctx context.Context, key string, body []byte) error {
	err := s.clinic.CreateKey(ctx, path.Base(key), body)
	if errors.Is(err, lake.ErrExists) {
		return fmt.Errorf("%w: %w", fs.ErrExist, err)
	}
	return err
}
