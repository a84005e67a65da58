package vault

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/secret"
)

// What a caller decides on.
var (
	// ErrNoKeys says that the vault has no keys of the clinic.
	ErrNoKeys = errors.New("the vault has no keys of the clinic")
	// ErrOtherKeys says that the vault has other keys of the clinic.
	ErrOtherKeys = errors.New("the vault has other keys of the clinic")
	// ErrNoIdentitiesKey says that the clinic's identities have no key: it is not in recovery mode.
	ErrNoIdentitiesKey = errors.New("there is no key for identities")
)

// Chain is a clinic's keys as far as the vault has them.
type Chain struct {
	// Keys are all of them. Live is the version in use; where it is less than Keys.Version, a rekey has not ended.
	Keys identity.Keys
	Live int
}

// Chain gives the keys of a clinic, or ErrNoKeys.
func (v *Vault) Chain(ctx context.Context, clinic string) (Chain, error) {
	var chain Chain
	err := v.read(ctx, clinic, func(c *clinicSecrets) (err error) {
		if c == nil || len(c.Keys) == 0 {
			return fmt.Errorf("%w %s", ErrNoKeys, clinic)
		}
		chain, err = c.chain()
		return err
	})
	return chain, err
}

func (c *clinicSecrets) chain() (Chain, error) {
	keys := make([]identity.Secret, len(c.Keys))
	for i, raw := range c.Keys {
		var err error
		if keys[i], err = identity.NewSecret(raw); err != nil {
			return Chain{}, fmt.Errorf("reading the clinic's keys: %w", err)
		}
		defer keys[i].Wipe()
	}
	derived, err := identity.Derive(keys...)
	return Chain{Keys: derived, Live: c.Live}, err
}

// Keys gives the keys of a clinic that are in use, and makes them where there are none. It must not be asked for a clinic
// whose lake was made with other keys: see Chain.
func (v *Vault) Keys(ctx context.Context, clinic string) (keys identity.Keys, made bool, err error) {
	chain, err := v.Chain(ctx, clinic)
	if errors.Is(err, ErrNoKeys) {
		err = v.change(ctx, func(p *payload) error {
			c := p.clinic(clinic)
			if len(c.Keys) == 0 {
				raw, err := v.newKey()
				if err != nil {
					return err
				}
				c.Keys, c.Live, made = [][]byte{raw}, 1, true
			}
			if chain, err = c.chain(); err == nil && !made {
				err = errUnchanged // another process made them first
			}
			return err
		})
	}
	if err != nil {
		return identity.Keys{}, false, err
	}
	keys, err = chain.Keys.At(chain.Live)
	return keys, made, err
}

func (v *Vault) newKey() ([]byte, error) {
	raw := make([]byte, KeySize)
	if _, err := io.ReadFull(v.random, raw); err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return raw, nil
}

// Adopt takes in the first key of a clinic that was kept elsewhere. It gives ErrOtherKeys where the vault has another.
func (v *Vault) Adopt(ctx context.Context, clinic string, key identity.Secret) error {
	return v.change(ctx, func(p *payload) error {
		c := p.clinic(clinic)
		if len(c.Keys) > 0 {
			first := secret.New(c.Keys[0])
			defer first.Wipe()
			if !first.Equal(key.Bytes) {
				return fmt.Errorf("%w %s", ErrOtherKeys, clinic)
			}
			return errUnchanged
		}
		c.Keys, c.Live = [][]byte{key.Expose()}, 1
		return nil
	})
}

// CopyKeys gives another vault the keys behind a clinic's pseudonyms, of every version up to the one in use, under the name as
// of a clinic; with identities also the key of its first names, where there is one. It gives ErrNoKeys where there are none, and
// ErrOtherKeys where the other vault has others under that name.
func (v *Vault) CopyKeys(ctx context.Context, clinic string, to *Vault, as string, identities bool) error {
	var copied clinicSecrets
	defer copied.wipe()
	if err := v.read(ctx, clinic, func(c *clinicSecrets) error {
		if c == nil || len(c.Keys) == 0 {
			return fmt.Errorf("%w %s", ErrNoKeys, clinic)
		}
		for _, key := range c.Keys[:c.Live] { // not what a rekey that has not ended prepared
			copied.Keys = append(copied.Keys, bytes.Clone(key))
		}
		copied.Live = c.Live
		if identities {
			copied.Identities = bytes.Clone(c.Identities)
		}
		return nil
	}); err != nil {
		return err
	}
	return to.change(ctx, func(p *payload) error {
		c := p.clinic(as)
		changed := false
		switch {
		case len(c.Keys) == 0:
			for _, key := range copied.Keys {
				c.Keys = append(c.Keys, bytes.Clone(key))
			}
			c.Live, changed = copied.Live, true
		case c.Live != copied.Live || !sameKeys(c.Keys[:c.Live], copied.Keys):
			return fmt.Errorf("%w %s", ErrOtherKeys, as)
		}
		if len(c.Identities) == 0 && len(copied.Identities) > 0 {
			c.Identities, changed = bytes.Clone(copied.Identities), true
		}
		if !changed {
			return errUnchanged
		}
		return nil
	})
}

func sameKeys(a, b [][]byte) bool {
	return slices.EqualFunc(a, b, func(x, y []byte) bool { return subtle.ConstantTimeCompare(x, y) == 1 })
}

// Prepare begins a rekey from a version: it gives the keys of the next one, made where the chain ends before it, and durable
// when it returns. The version in use stays until Confirm. Called again, after a crash, it gives the same keys.
func (v *Vault) Prepare(ctx context.Context, clinic string, from int) (identity.Keys, error) {
	var keys identity.Keys
	err := v.change(ctx, func(p *payload) error {
		c := p.clinic(clinic)
		made := false
		switch {
		case from < 1 || from > len(c.Keys):
			return fmt.Errorf("%w %s in version %d", ErrNoKeys, clinic, from)
		case from == len(c.Keys):
			raw, err := v.newKey()
			if err != nil {
				return err
			}
			c.Keys, made = append(c.Keys, raw), true
		}
		chain, err := c.chain()
		if err != nil {
			return err
		}
		if keys, err = chain.Keys.At(from + 1); err != nil {
			return err
		}
		if !made {
			return errUnchanged
		}
		return nil
	})
	return keys, err
}

// Confirm ends a rekey: from now on the version is the one in use. Confirming again, or an older version, changes nothing.
func (v *Vault) Confirm(ctx context.Context, clinic string, version int) error {
	return v.change(ctx, func(p *payload) error {
		c := p.clinic(clinic)
		if version > len(c.Keys) {
			return fmt.Errorf("%w %s in version %d", ErrNoKeys, clinic, version)
		}
		if version <= c.Live {
			return errUnchanged
		}
		c.Live = version
		return nil
	})
}

// IdentitiesKey gives the key of a clinic's identities, or ErrNoIdentitiesKey where it is not in recovery mode.
func (v *Vault) IdentitiesKey(ctx context.Context, clinic string) (key identity.Secret, err error) {
	err = v.read(ctx, clinic, func(c *clinicSecrets) (err error) {
		if c == nil || len(c.Identities) == 0 {
			return fmt.Errorf("%w of clinic %s", ErrNoIdentitiesKey, clinic)
		}
		key, err = identity.NewSecret(c.Identities)
		return err
	})
	return key, err
}

// MakeIdentitiesKey makes the key of a clinic's identities, or leaves the one that is there; made says which.
func (v *Vault) MakeIdentitiesKey(ctx context.Context, clinic string) (made bool, err error) {
	err = v.change(ctx, func(p *payload) (err error) {
		c := p.clinic(clinic)
		if len(c.Identities) > 0 {
			return errUnchanged
		}
		c.Identities, err = v.newKey()
		made = err == nil
		return err
	})
	return made, err
}

// DestroyIdentitiesKey destroys the key of a clinic's identities; destroyed says whether there was one. What was encrypted
// under it is lost, as far as no copy of the vault is older than this.
func (v *Vault) DestroyIdentitiesKey(ctx context.Context, clinic string) (destroyed bool, err error) {
	err = v.change(ctx, func(p *payload) error {
		c := p.Clinics[clinic]
		if c == nil || len(c.Identities) == 0 {
			return errUnchanged
		}
		secret.Wipe(c.Identities)
		c.Identities, destroyed = nil, true
		return nil
	})
	return destroyed, err
}
