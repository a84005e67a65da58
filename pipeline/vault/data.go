package vault

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/falloff-analytics/falloff/transforms/secret"
)

// AEAD encrypts what is kept on this machine between runs, for one clinic and one purpose: what was encrypted for another
// clinic or purpose does not decrypt, nor does what was encrypted before the keys it was under were dropped. The keys are
// made where there are none. What is given stays valid while others rotate; it encrypts under the key that was primary then.
func (v *Vault) AEAD(ctx context.Context, clinic, purpose string) (tink.AEAD, error) {
	var handle *keyset.Handle
	read := func(c *clinicSecrets) (err error) {
		if c == nil || len(c.Data) == 0 {
			return errUnchanged
		}
		handle, err = readKeyset(c.Data)
		return err
	}
	err := v.read(ctx, clinic, read)
	if errors.Is(err, errUnchanged) {
		err = v.change(ctx, func(p *payload) error {
			c := p.clinic(clinic)
			if err := read(c); !errors.Is(err, errUnchanged) {
				return errors.Join(err, errUnchanged) // another process made them first
			}
			if err := c.rotateData(false); err != nil {
				return err
			}
			return read(c)
		})
	}
	if err != nil {
		return nil, fmt.Errorf("opening the data keys of clinic %s: %w", clinic, err)
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("opening the data keys of clinic %s: %w", clinic, err)
	}
	return bound{primitive, bind("falloff data v1", clinic, purpose)}, nil
}

// bind joins texts so that no two lists of them give the same bytes.
func bind(parts ...string) []byte {
	var out []byte
	for _, p := range parts {
		out = binary.AppendUvarint(out, uint64(len(p)))
		out = append(out, p...)
	}
	return out
}

// bound is an AEAD whose ciphertexts belong to something.
type bound struct {
	aead tink.AEAD
	to   []byte
}

func (b bound) associated(more []byte) []byte { return append(bytes.Clone(b.to), more...) }

// Encrypt implements tink.AEAD.
func (b bound) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	return b.aead.Encrypt(plaintext, b.associated(associatedData))
}

// Decrypt implements tink.AEAD.
func (b bound) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	return b.aead.Decrypt(ciphertext, b.associated(associatedData))
}

// String hides the keys.
func (bound) String() string { return secret.Redacted }

// GoString hides the keys from %#v.
func (bound) GoString() string { return secret.Redacted }

func readKeyset(body []byte) (*keyset.Handle, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(body)))
	if err != nil {
		return nil, errors.New("they are not a keyset that this program knows")
	}
	return handle, nil
}

// rotateData makes a new primary data key; the older ones stay for reading unless they are dropped.
func (c *clinicSecrets) rotateData(dropOld bool) error {
	old := c.Data
	if dropOld {
		old = nil
	}
	fresh, err := rotated(old)
	if err != nil {
		return err
	}
	secret.Wipe(c.Data)
	c.Data = fresh
	return nil
}

// rotated is a keyset with a new primary key, and those that it had before.
func rotated(old []byte) ([]byte, error) {
	manager := keyset.NewManager()
	if len(old) > 0 {
		handle, err := readKeyset(old)
		if err != nil {
			return nil, err
		}
		manager = keyset.NewManagerFromHandle(handle)
	}
	id, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err == nil {
		err = manager.SetPrimary(id)
	}
	if err != nil {
		return nil, fmt.Errorf("making a data key: %w", err)
	}
	handle, err := manager.Handle()
	if err != nil {
		return nil, fmt.Errorf("making a data key: %w", err)
	}
	var out bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewBinaryWriter(&out)); err != nil {
		return nil, fmt.Errorf("making a data key: %w", err)
	}
	return out.Bytes(), nil
}
