package vault

import (
	"context"

	"github.com/falloff-analytics/falloff/transforms/secret"
)

// LakeKeys gives the keys that a clinic's lakes are encrypted under, the newest last; none where it has none. The newest
// encrypts, and each is kept for as long as anything may lie under it: neither Rotate nor Forget takes one away.
func (v *Vault) LakeKeys(ctx context.Context, clinic string) (keys []secret.Bytes, err error) {
	err = v.read(ctx, clinic, func(c *clinicSecrets) error {
		keys = c.lakeKeys()
		return nil
	})
	return keys, err
}

// MakeLakeKeys is LakeKeys, and makes the first where there is none.
func (v *Vault) MakeLakeKeys(ctx context.Context, clinic string) (keys []secret.Bytes, err error) {
	if keys, err = v.LakeKeys(ctx, clinic); err != nil || len(keys) > 0 {
		return keys, err
	}
	err = v.change(ctx, func(p *payload) error {
		c := p.clinic(clinic)
		if len(c.Lake) > 0 { // another process made it first
			keys = c.lakeKeys()
			return errUnchanged
		}
		if err := v.addLakeKey(c); err != nil {
			return err
		}
		keys = c.lakeKeys()
		return nil
	})
	return keys, err
}

// AllLakeKeys gives the keys of the lakes of every clinic that the vault holds. It is asked after one clinic's were destroyed: what
// none of these opens, nothing in the vault does.
func (v *Vault) AllLakeKeys(ctx context.Context) (keys []secret.Bytes, err error) {
	err = v.readAll(ctx, func(p *payload) error {
		for _, c := range p.Clinics {
			keys = append(keys, c.lakeKeys()...)
		}
		return nil
	})
	return keys, err
}

// DestroyLakeKeys destroys them all; destroyed says whether there was one. What lies encrypted in the clinic's lakes, and in every
// copy of them, is lost then, as far as no copy of the vault is older than this.
func (v *Vault) DestroyLakeKeys(ctx context.Context, clinic string) (destroyed bool, err error) {
	err = v.change(ctx, func(p *payload) error {
		c := p.Clinics[clinic]
		if c == nil || len(c.Lake) == 0 {
			return errUnchanged
		}
		for _, k := range c.Lake {
			secret.Wipe(k)
		}
		c.Lake, destroyed = nil, true
		return nil
	})
	return destroyed, err
}

func (v *Vault) addLakeKey(c *clinicSecrets) error {
	raw, err := v.newKey()
	if err != nil {
		return err
	}
	c.Lake = append(c.Lake, raw)
	return nil
}

func (c *clinicSecrets) lakeKeys() []secret.Bytes {
	if c == nil {
		return nil
	}
	var out []secret.Bytes
	for _, raw := range c.Lake {
		out = append(out, secret.New(raw))
	}
	return out
}
