package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/tink-crypto/tink-go-awskms/v3/integration/awskms"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/falloff-analytics/falloff/transforms/secret"
)

// KMS is what the vault asks of AWS KMS.
type KMS = awskms.KMSAPI

// kmsAEAD is the KMS key as Tink sees it. What is bound to a ciphertext goes to KMS as its encryption context, so that the
// key's policy and its log can tell this use from others.
func (u Unlock) kmsAEAD(ctx context.Context, key string) (tink.AEADWithContext, error) {
	client := u.KMS
	if client == nil {
		var options []func(*config.LoadOptions) error
		if name, err := arn.Parse(key); err == nil {
			options = append(options, config.WithRegion(name.Region))
		}
		settings, err := config.LoadDefaultConfig(ctx, options...)
		if err != nil {
			return nil, fmt.Errorf("reading the AWS settings: %w", err)
		}
		client = kms.NewFromConfig(settings)
	}
	return awskms.NewAEADWithContext(ctx, key, awskms.WithKMS(client))
}

func (u Unlock) wrapByKMS(ctx context.Context, vault string, master secret.Bytes, w wrapping) (wrapping, error) {
	if u.KMSKey == "" {
		return w, errors.New("sealing the vault by AWS KMS: no key is named. Name its ARN with --kms-key")
	}
	w.KMSKey = u.KMSKey
	aead, err := u.kmsAEAD(ctx, w.KMSKey)
	if err != nil {
		return w, fmt.Errorf("sealing the vault by AWS KMS: %w", err)
	}
	raw := master.Expose()
	defer secret.Wipe(raw)
	if w.Body, err = aead.EncryptWithContext(ctx, raw, w.associated(vault)); err != nil {
		return w, fmt.Errorf("sealing the vault by the KMS key %s: %w. The AWS identity needs kms:Encrypt and kms:Decrypt on it", w.KMSKey, err)
	}
	return w, nil
}

func (u Unlock) unwrapByKMS(ctx context.Context, vault string, w wrapping, paths Paths) (secret.Bytes, error) {
	if u.KMSKey != "" && u.KMSKey != w.KMSKey {
		return secret.Bytes{}, fmt.Errorf("the vault %s is sealed by the KMS key %s, not by the one in --kms-key", paths.Vault, w.KMSKey)
	}
	aead, err := u.kmsAEAD(ctx, w.KMSKey)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("opening the vault by AWS KMS: %w", err)
	}
	raw, err := aead.DecryptWithContext(ctx, w.Body, w.associated(vault))
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("opening the vault %s by the KMS key %s: %w. The AWS identity needs kms:Decrypt on it", paths.Vault, w.KMSKey, err)
	}
	if len(raw) != KeySize {
		secret.Wipe(raw)
		return secret.Bytes{}, fmt.Errorf("the vault %s is damaged: restore it from your copy", paths.Vault)
	}
	return secret.Own(raw), nil
}
