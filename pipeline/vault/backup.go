package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/falloff-analytics/falloff/transforms/secret"
)

// ErrNoBackupKeys says that the vault has no keys of a clinic's backups.
var ErrNoBackupKeys = errors.New("the vault has no keys of the backups of clinic")

// BackupKeys are what a clinic's backups are made with.
type BackupKeys struct {
	// Seal encrypts and opens objects, bound to the clinic.
	Seal tink.AEAD
	// Names makes the names of objects. It stays for the clinic's life, so that what is there is not sent again.
	Names secret.Bytes
}

// BackupKeys gives the keys of a clinic's backups, or ErrNoBackupKeys: who restores must not be given new ones.
func (v *Vault) BackupKeys(ctx context.Context, clinic string) (BackupKeys, error) {
	var keys BackupKeys
	err := v.read(ctx, clinic, func(c *clinicSecrets) (err error) {
		if c == nil || len(c.Backup) == 0 {
			return fmt.Errorf("%w %s", ErrNoBackupKeys, clinic)
		}
		keys, err = c.backupKeys(clinic)
		return err
	})
	return keys, err
}

// MakeBackupKeys gives the keys of a clinic's backups, and makes them where there are none.
func (v *Vault) MakeBackupKeys(ctx context.Context, clinic string) (BackupKeys, error) {
	keys, err := v.BackupKeys(ctx, clinic)
	if !errors.Is(err, ErrNoBackupKeys) {
		return keys, err
	}
	err = v.change(ctx, func(p *payload) error {
		c := p.clinic(clinic)
		made := len(c.Backup) == 0
		if made {
			var err error
			if c.Backup, err = rotated(nil); err != nil {
				return err
			}
			if c.BackupNames, err = v.newKey(); err != nil {
				return err
			}
		}
		var err error
		if keys, err = c.backupKeys(clinic); err == nil && !made {
			err = errUnchanged // another process made them first
		}
		return err
	})
	return keys, err
}

func (c *clinicSecrets) backupKeys(clinic string) (BackupKeys, error) {
	handle, err := readKeyset(c.Backup)
	if err != nil {
		return BackupKeys{}, fmt.Errorf("opening the keys of the backups of clinic %s: %w", clinic, err)
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return BackupKeys{}, fmt.Errorf("opening the keys of the backups of clinic %s: %w", clinic, err)
	}
	return BackupKeys{Seal: bound{primitive, bind("falloff backup v1", clinic)}, Names: secret.New(c.BackupNames)}, nil
}

// rotateBackup gives backups a new primary key. None is dropped: what lies in a second store was sealed under the older ones.
func (c *clinicSecrets) rotateBackup() error {
	if len(c.Backup) == 0 {
		return nil
	}
	fresh, err := rotated(c.Backup)
	if err != nil {
		return err
	}
	secret.Wipe(c.Backup)
	c.Backup = fresh
	return nil
}

// DestroyClinic destroys everything that the vault holds of a clinic: keys of pseudonyms, of stored data, of identities and of backups,
// and its portal credentials; destroyed says whether there was anything. What was encrypted under them is lost, as far as no
// copy of the vault is older than this.
func (v *Vault) DestroyClinic(ctx context.Context, clinic string) (destroyed bool, err error) {
	err = v.change(ctx, func(p *payload) error {
		c, found := p.Clinics[clinic]
		if !found {
			return errUnchanged
		}
		if c != nil {
			c.wipe()
		}
		delete(p.Clinics, clinic)
		destroyed = true
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("destroying the keys of clinic %s: %w", clinic, err)
	}
	return destroyed, v.RemoveEarlierCopy(clinic)
}

// Knows says whether the vault holds anything of a clinic.
func (v *Vault) Knows(ctx context.Context, clinic string) (known bool, err error) {
	err = v.read(ctx, clinic, func(c *clinicSecrets) error {
		known = c != nil
		return nil
	})
	return known, err
}

// Opens says whether any key that the vault holds, of whichever clinic, opens what was sealed for a clinic under its data keys
// for a purpose, or under those of its backups where the purpose is empty. It is asked after the keys were destroyed.
func (v *Vault) Opens(ctx context.Context, clinic, purpose string, sealed, associatedData []byte) (opens bool, err error) {
	to := bind("falloff backup v1", clinic)
	if purpose != "" {
		to = bind("falloff data v1", clinic, purpose)
	}
	err = v.readAll(ctx, func(p *payload) error {
		for _, c := range p.Clinics {
			for _, body := range [][]byte{c.Data, c.Backup} {
				if len(body) == 0 {
					continue
				}
				handle, err := readKeyset(body)
				if err != nil {
					return err
				}
				primitive, err := aead.New(handle)
				if err != nil {
					return err
				}
				if _, err := (bound{primitive, to}).Decrypt(sealed, associatedData); err == nil {
					opens = true
				}
			}
		}
		return nil
	})
	return opens, err
}
