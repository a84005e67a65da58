package vault

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/falloff-analytics/falloff/transforms/secret"
)

// ErrNoCredentials says that the vault has no portal credentials of the clinic.
var ErrNoCredentials = errors.New("no credentials are stored")

// Credentials are what a sign-in to a clinic's portal needs.
type Credentials struct {
	// ID is random and another with every change. What a lake remembers of a rejected sign-in, it remembers by this.
	ID string
	// SetAt is when they were stored.
	SetAt time.Time
	// Address is the portal's.
	Address string
	// Account and Password are typed into its form. TOTP is an otpauth:// address, empty where the account has no second
	// factor; Code makes a code from it.
	Account, Password, TOTP secret.Bytes
}

// Wipe empties the secrets.
func (c Credentials) Wipe() {
	c.Account.Wipe()
	c.Password.Wipe()
	c.TOTP.Wipe()
}

// Credentials gives the portal credentials of a clinic, or ErrNoCredentials. Wipe them after use.
func (v *Vault) Credentials(ctx context.Context, clinic string) (Credentials, error) {
	var out Credentials
	err := v.read(ctx, clinic, func(c *clinicSecrets) error {
		if c == nil || c.Credentials == nil {
			return fmt.Errorf("%w for clinic %s: store them with falloff credentials set --clinic %s", ErrNoCredentials, clinic, clinic)
		}
		s := c.Credentials
		out = Credentials{ID: s.ID, SetAt: s.SetAt, Address: s.Address,
			Account: secret.New(s.Account), Password: secret.New(s.Password), TOTP: secret.New(s.TOTP)}
		return nil
	})
	return out, err
}

// SetCredentials stores the portal credentials of a clinic in the place of earlier ones, under a new ID, which it returns.
// ID and SetAt of c are not looked at.
func (v *Vault) SetCredentials(ctx context.Context, clinic string, c Credentials) (id string, err error) {
	if c.Address == "" || c.Account.IsZero() || c.Password.IsZero() {
		return "", errors.New("address, account and password are needed")
	}
	if !c.TOTP.IsZero() {
		if c.TOTP, err = ParseTOTP(c.TOTP); err != nil {
			return "", err
		}
	}
	raw := make([]byte, 16)
	if _, err := io.ReadFull(v.random, raw); err != nil {
		return "", fmt.Errorf("storing credentials: %w", err)
	}
	id = hex.EncodeToString(raw)
	err = v.change(ctx, func(p *payload) error {
		s := p.clinic(clinic)
		s.Credentials.wipe()
		s.Credentials = &storedCredentials{ID: id, SetAt: v.now().UTC(), Address: c.Address,
			Account: c.Account.Expose(), Password: c.Password.Expose(), TOTP: c.TOTP.Expose()}
		return nil
	})
	return id, err
}

// Forget takes away the portal credentials of a clinic and the keys of what runs left on this machine, the browser's profile
// with its signed-in sessions among it, so that nothing here can sign in any more; forgotten says whether there was anything.
// The keys behind pseudonyms and object names stay, and those of encrypted lakes: without them the clinic's lake
// could not be read.
func (v *Vault) Forget(ctx context.Context, clinic string) (forgotten bool, err error) {
	err = v.change(ctx, func(p *payload) error {
		c := p.Clinics[clinic]
		if c == nil || c.Credentials == nil && len(c.Data) == 0 {
			return errUnchanged
		}
		c.Credentials.wipe()
		secret.Wipe(c.Data)
		c.Credentials, c.Data, forgotten = nil, nil, true
		return nil
	})
	return forgotten, err
}

// Portals are the addresses of the portals whose credentials the vault has, by clinic.
func (v *Vault) Portals(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	err := v.readAll(ctx, func(p *payload) error {
		for clinic, c := range p.Clinics {
			if c != nil && c.Credentials != nil {
				out[clinic] = c.Credentials.Address
			}
		}
		return nil
	})
	return out, err
}
