package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/signature"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Signer gives the key with which this installation signs (Ed25519), and its public half as a Tink keyset in JSON. It is made where
// there is none, and stays.
func (v *Vault) Signer(ctx context.Context) (tink.Signer, []byte, error) {
	return v.signer(ctx, func(p *payload) *[]byte { return &p.Signing })
}

// signer opens the signing key that of points at, or makes one there.
func (v *Vault) signer(ctx context.Context, of func(p *payload) *[]byte) (tink.Signer, []byte, error) {
	var private []byte
	err := v.change(ctx, func(p *payload) error {
		made := len(*of(p)) == 0
		if made {
			handle, err := keyset.NewHandle(signature.ED25519KeyTemplate())
			if err != nil {
				return err
			}
			var out bytes.Buffer
			if err := insecurecleartextkeyset.Write(handle, keyset.NewBinaryWriter(&out)); err != nil {
				return err
			}
			*of(p) = out.Bytes()
		}
		private = bytes.Clone(*of(p))
		if !made {
			return errUnchanged
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("opening the signing key: %w", err)
	}
	defer clear(private)
	handle, err := readKeyset(private)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the signing key: %w", err)
	}
	signer, err := signature.NewSigner(handle)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the signing key: %w", err)
	}
	public, err := handle.Public()
	if err != nil {
		return nil, nil, fmt.Errorf("opening the signing key: %w", err)
	}
	var out bytes.Buffer
	if err := public.WriteWithNoSecrets(keyset.NewJSONWriter(&out)); err != nil {
		return nil, nil, fmt.Errorf("opening the signing key: %w", err)
	}
	return signer, bytes.TrimSpace(out.Bytes()), nil
}

// Verifier makes of a public key, as Signer gives it, what checks signatures.
func Verifier(public []byte) (tink.Verifier, error) {
	handle, err := keyset.ReadWithNoSecrets(keyset.NewJSONReader(bytes.NewReader(public)))
	if err == nil {
		var verifier tink.Verifier
		if verifier, err = signature.NewVerifier(handle); err == nil {
			return verifier, nil
		}
	}
	return nil, errors.Join(errors.New("it is no public key of falloff"), err)
}
