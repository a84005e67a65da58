package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"

	"github.com/falloff-analytics/falloff/transforms/identity"
)

// Before there was a vault, a clinic's key lay in the lake as keys/clinic-key.json and in a copy beside the machine key,
// each sealed by the machine key.

// sealed is the form of such a key.
type sealed struct {
	Version  int    `json:"version"`
	Cipher   string `json:"cipher"`
	SealedBy string `json:"sealed_by"`
	Body     []byte `json:"body"`
}

// OpenEarlier opens a clinic's key as earlier versions sealed it in the lake.
func (v *Vault) OpenEarlier(clinic string, body []byte) (identity.Secret, error) {
	machine, err := machineKey(v.paths.KeyFile)
	if errors.Is(err, errNoMachineKey) {
		return identity.Secret{}, fmt.Errorf("the key of clinic %s is sealed by a machine key, and %w", clinic, err)
	}
	if err != nil {
		return identity.Secret{}, err
	}
	defer machine.Wipe()
	key, err := openEarlier(machine, clinic, body)
	if err != nil {
		return key, fmt.Errorf("opening the key of clinic %s in the lake: %w", clinic, err)
	}
	return key, nil
}

// EarlierCopy opens the copy of a clinic's key that earlier versions kept on this machine; found says whether there is one.
func (v *Vault) EarlierCopy(clinic string) (key identity.Secret, found bool, err error) {
	machine, err := machineKey(v.paths.KeyFile)
	if errors.Is(err, errNoMachineKey) {
		return key, false, nil
	}
	if err != nil {
		return key, false, err
	}
	defer machine.Wipe()
	path := v.earlierCopy(machine, clinic)
	body, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return key, false, nil
	}
	if err != nil {
		return key, false, fmt.Errorf("reading the copy of a clinic key: %w", err)
	}
	if key, err = openEarlier(machine, clinic, body); err != nil {
		return key, false, fmt.Errorf("opening the copy of a clinic key %s: %w", path, err)
	}
	return key, true, nil
}

// RemoveEarlierCopy removes that copy, once the vault has its key.
func (v *Vault) RemoveEarlierCopy(clinic string) error {
	machine, err := machineKey(v.paths.KeyFile)
	if errors.Is(err, errNoMachineKey) {
		return nil
	}
	if err != nil {
		return err
	}
	defer machine.Wipe()
	if err := os.Remove(v.earlierCopy(machine, clinic)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the copy of a clinic key, which the vault has now: %w", err)
	}
	_ = os.Remove(v.paths.Copies) // the folder, if it is empty
	return nil
}

func (v *Vault) earlierCopy(machine identity.Secret, clinic string) string {
	return filepath.Join(v.paths.Copies, fingerprint(machine)+"-"+clinic+".json")
}

func openEarlier(machine identity.Secret, clinic string, body []byte) (key identity.Secret, err error) {
	var s sealed
	if err := json.Unmarshal(body, &s); err != nil || s.Version != 1 {
		return key, errors.New("it is not a sealed key of a version this program knows")
	}
	if s.SealedBy != fingerprint(machine) {
		return key, errors.New("it was sealed by another machine's key; name that one with --key-file")
	}
	err = withCipher(machine.Bytes, func(c *subtle.AESGCM) error {
		plain, err := c.Decrypt(s.Body, []byte("falloff clinic key v1 "+clinic))
		if err != nil || len(plain) != KeySize {
			return errors.New("it was changed after it was sealed, or belongs to another clinic")
		}
		defer clear(plain)
		key, err = identity.NewSecret(plain)
		return err
	})
	return key, err
}
