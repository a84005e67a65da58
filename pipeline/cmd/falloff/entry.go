package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/agreement"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// signedEntry is what a sign-in to a clinic's portal needs, once all that must come before it has.
type signedEntry struct {
	credentials vault.Credentials
	config      jane.Config
	profile     *jane.Profile
}

// entry prepares a sign-in: credentials from the vault, an agreement on record, the browser's state from last time. Wipe the
// credentials after use.
func (a *app) entry(ctx context.Context, k *keeping) (*signedEntry, error) {
	if err := agreed(ctx, k); err != nil {
		return nil, err
	}
	credentials, err := k.vault.Credentials(ctx, k.options.Clinic)
	if errors.Is(err, vault.ErrNoCredentials) || errors.Is(err, vault.ErrNoVault) {
		return nil, &pipeline.KeyError{Err: fmt.Errorf("the vault %s has no credentials for the portal of clinic %s: give them with falloff connect, or falloff credentials set",
			k.vault.Paths().Vault, k.options.Clinic)}
	}
	if err != nil {
		return nil, &pipeline.KeyError{Err: err}
	}
	out := &signedEntry{credentials: credentials}
	if out.profile, _, err = a.profileFor(k.options.Clinic, a.profilePath); err != nil {
		return nil, err
	}
	state, err := a.browserState(ctx, k)
	if err != nil {
		return nil, err
	}
	out.config = jane.Config{
		BaseURL: credentials.Address, Profile: out.profile, State: state.read(),
		Account:   jane.NewCredentials(string(credentials.Account.Expose()), string(credentials.Password.Expose())).WithCodes(string(credentials.TOTP.Expose())),
		KeepState: func(kept []byte) { state.write(kept, a.tellf) },
	}
	return out, nil
}

// agreed refuses a sign-in that no current agreement on record precedes.
func agreed(ctx context.Context, k *keeping) error {
	status, err := agreement.Current(ctx, k.store, lake.ClinicID(k.options.Clinic))
	if err != nil {
		return agreementFailed(err)
	}
	if status.Accepted {
		return nil
	}
	return &extractors.Failure{
		Cause: extractors.AgreementMissing, Doing: "signing in to the portal of clinic " + k.options.Clinic,
		Hint: "Somebody who may bind the clinic accepts it first: falloff connect shows it and records who did, falloff agreement accept does only that",
	}
}

// browserState keeps, sealed, what makes the portal know the browser again: so that no mail about a new device goes out every night.
type browserState struct {
	path   string
	cipher pipeline.Cipher
	about  []byte
}

func (a *app) browserState(ctx context.Context, k *keeping) (*browserState, error) {
	cipher, err := k.vault.AEAD(ctx, k.options.Clinic, "browser-state")
	if err != nil {
		return nil, &pipeline.KeyError{Err: err}
	}
	return &browserState{
		path:   filepath.Join(filepath.Dir(k.vault.Paths().Vault), "profiles", k.options.Clinic+".sealed"),
		cipher: cipher, about: []byte("falloff browser state v1 " + k.options.Clinic),
	}, nil
}

// read gives what was kept, nothing where there is none or it cannot be opened: the portal then sees a new browser.
func (b *browserState) read() []byte {
	sealed, err := os.ReadFile(b.path)
	if err != nil {
		return nil
	}
	plain, err := b.cipher.Decrypt(sealed, b.about)
	if err != nil {
		return nil
	}
	return plain
}

// write keeps it, whole or not at all.
func (b *browserState) write(state []byte, tell func(string, ...any)) {
	err := func() error {
		sealed, err := b.cipher.Encrypt(state, b.about)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(b.path), 0o700); err != nil {
			return err
		}
		temporary, err := os.CreateTemp(filepath.Dir(b.path), ".new-*") // mode 0600
		if err != nil {
			return err
		}
		defer func() { _ = os.Remove(temporary.Name()) }()
		_, err = temporary.Write(sealed)
		if err := errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
			return err
		}
		return os.Rename(temporary.Name(), b.path)
	}()
	if err != nil {
		tell("The browser's state could not be kept, so the portal will see a new browser next time: %v", err)
	}
}
