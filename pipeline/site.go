package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/secret"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/diskcache"
)

// SiteOptions say where a clinic's lake is and where this machine keeps its keys.
type SiteOptions struct {
	// Lake is a path or s3://bucket/prefix, Clinic the clinic's id in it.
	Lake, Clinic string
	// ConfigDir and KeyFile are as vault.DefaultPaths takes them, Unlock is what opens the vault.
	ConfigDir, KeyFile string
	Unlock             vault.Unlock
	// Unencrypted says that a clinic whose lake is a folder may lie in it unencrypted: a new one is begun so, and one that does is
	// written to. An encrypted one stays encrypted.
	Unencrypted bool
	// Vault is one that is open already, so that nobody is asked twice; nil opens it.
	Vault *vault.Vault
	// Region is where this machine is, for stores that cannot be asked; empty where nobody said.
	Region string
	// Cache keeps what is read of a distant lake on this machine, sealed under the clinic's keys; nil for none.
	Cache *diskcache.Cache
	// Now dates commits; nil is time.Now.
	Now func() time.Time
}

// Site is one clinic of a lake, opened with its keys.
type Site struct {
	Clinic *lake.Clinic
	Keys   identity.Keys
	// Vault is where the keys and the portal's credentials are.
	Vault *vault.Vault
	// Origin says where the keys were found.
	Origin KeyOrigin

	// now dates what is written, random names it; time.Now and crypto/rand where nil.
	now    func() time.Time
	random io.Reader
	// recovery says that the clinic has chosen to show first names: they are stored, sealed under a key of their own.
	recovery bool
	// atRest are the keys that an encrypted lake is under, nil where there are none; encrypt says that this one is to be.
	atRest  *lake.Keys
	encrypt bool
	// cache is nil for a lake on this machine, and where nothing is to be kept.
	cache lake.Cache
	// machine is where this machine is, resident that the lake was found to lie where it must.
	machine  string
	resident atomic.Bool
	// asTenant stands in for this process in a test of several.
	asTenant *tenant
}

func (s *Site) tenant() tenant {
	if s.asTenant != nil {
		return *s.asTenant
	}
	return thisProcess(s.clock)
}

// tenantDoing is this process at something that is no run.
func (s *Site) tenantDoing(what string) tenant {
	t := s.tenant()
	t.doing = what
	return t
}

func (s *Site) clock() time.Time {
	if s.now == nil {
		return time.Now()
	}
	return s.now()
}

// OpenVault opens the vault that the options name.
func OpenVault(ctx context.Context, o SiteOptions) (*vault.Vault, error) {
	if o.Vault != nil {
		return o.Vault, nil
	}
	v, err := vault.Open(ctx, vault.Options{ConfigDir: o.ConfigDir, KeyFile: o.KeyFile, Unlock: o.Unlock, Now: o.Now})
	return v, keyed(err)
}

// OpenSite opens a clinic for writing, making lake and keys where there are none.
func OpenSite(ctx context.Context, o SiteOptions) (*Site, error) {
	store, err := lake.OpenStore(ctx, o.Lake)
	if err != nil {
		return nil, storage("opening the lake", err)
	}
	site, err := openSite(ctx, store, o)
	if err != nil {
		return nil, err
	}
	head, err := site.Clinic.Head(ctx)
	if errors.Is(err, lake.ErrNoCommit) {
		return site, nil
	}
	if err != nil {
		return nil, storage("opening the lake", err)
	}
	return site, site.mayFollow(head)
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
	if path, isFolder := LocalFolder(location); isFolder {
		if at, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && !at.IsDir() {
			return nil, storage("opening the lake", fmt.Errorf("there is no folder %s. Check --lake, or import reports into it first", path))
		}
	}
	store, err := lake.OpenStore(ctx, location)
	return store, storage("opening the lake", err)
}

// LocalFolder is the folder of a lake on this machine.
func LocalFolder(location string) (string, bool) {
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
	if err := barred(ctx, store, id); err != nil {
		return nil, o.forgetDeleted(err)
	}
	v, err := OpenVault(ctx, o)
	if err != nil {
		return nil, err
	}
	site := &Site{Vault: v, cache: o.cacheFor(ctx, store, v), now: o.Now, encrypt: lake.OnThisMachine(store) && !o.Unencrypted, machine: o.Region}
	if site.now == nil {
		site.now = time.Now
	}
	if err := site.takeKeys(v.LakeKeys(ctx, string(id))); err != nil {
		return nil, err
	}
	bare, err := lake.Open(store, id, lake.Options{Keys: site.atRest})
	if err != nil {
		return nil, err
	}
	keys, origin, err := openKeys(ctx, v, bare)
	if err != nil {
		return nil, err
	}
	site.Origin = origin
	if site.encrypt && site.atRest == nil {
		// A clinic that lies there unencrypted gets no key here: it is read as it is.
		if _, err := bare.Head(ctx); errors.Is(err, lake.ErrNoCommit) {
			if err := site.takeKeys(v.MakeLakeKeys(ctx, string(id))); err != nil {
				return nil, err
			}
		} else if err != nil {
			return nil, storage("opening the lake", err)
		}
	}
	return site, site.openClinic(ctx, store, id, keys)
}

// takeKeys takes over the keys that the vault gave for an encrypted lake.
func (s *Site) takeKeys(oldestFirst []secret.Bytes, err error) error {
	if err != nil {
		return keyed(err)
	}
	s.atRest, err = lake.NewKeys(oldestFirst...)
	return keyed(err)
}

// openClinic opens the clinic with its keys.
func (s *Site) openClinic(ctx context.Context, store lake.Store, id lake.ClinicID, keys identity.Keys) error {
	sealed, err := identitiesSealer(ctx, s.Vault, string(id))
	if err != nil {
		return err
	}
	clinic, err := lake.Open(store, id, lake.Options{
		NamingKey: keys.ObjectNames().Expose(), KeyVersion: keys.Version, Sealed: sealed, Keys: s.atRest, Encrypt: s.encrypt, Cache: s.cache, Now: s.now,
		Allowed: s.mayWrite,
	})
	if err != nil {
		return err
	}
	s.Clinic, s.Keys, s.recovery = clinic, keys, sealed != nil
	return nil
}
