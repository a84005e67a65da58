package vault_test

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"testing"

	"github.com/falloff-analytics/falloff/pipeline/vault"
)

// The keys of audit chains stay for ever, through rotations that drop what is older too: records may wait under them.
func TestAuditKeys(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	v := open(t, vault.Options{ConfigDir: dir})
	keys := must[vault.AuditKeys](t)(v.AuditKeys(ctx))
	sealed := must[[]byte](t)(keys.Seal.Encrypt([]byte("record"), []byte("1")))
	signature := must[[]byte](t)(keys.Sign.Sign([]byte("checkpoint")))
	if _, certificates, err := v.Signer(ctx); err != nil || bytes.Equal(certificates, keys.Public) {
		t.Errorf("certificates are signed with the same key, %v", err)
	}
	if err := v.Rotate(ctx, vault.Unlock{Kind: vault.ByKeyFile}, true); err != nil {
		t.Fatal(err)
	}
	again := must[vault.AuditKeys](t)(open(t, vault.Options{ConfigDir: dir}).AuditKeys(ctx))
	if !bytes.Equal(again.Public, keys.Public) {
		t.Error("another signing key")
	}
	verifier, err := vault.Verifier(again.Public)
	if err != nil || verifier.Verify(signature, []byte("checkpoint")) != nil || verifier.Verify(signature, []byte("another")) == nil {
		t.Errorf("the signature: %v", err)
	}
	if plain, err := again.Seal.Decrypt(sealed, []byte("1")); err != nil || string(plain) != "record" {
		t.Errorf("what was sealed before: %q, %v", plain, err)
	}
	if _, err := again.Seal.Decrypt(sealed, []byte("2")); err == nil {
		t.Error("what was sealed opens as something else")
	}
	if fresh := must[[]byte](t)(again.Seal.Encrypt([]byte("record"), nil)); bytes.Equal(fresh[:5], sealed[:5]) { // Tink's prefix names the key
		t.Error("the primary key was not changed")
	}
	// A program that does not know them must not store the rest without them.
	if body := must[[]byte](t)(os.ReadFile(v.Paths().Vault)); !bytes.Contains(body, []byte(`"format": 3`)) {
		t.Errorf("format: %.40s", body)
	}
}

func TestAuditChainsGoForwardOnly(t *testing.T) {
	ctx := t.Context()
	v := open(t, vault.Options{ConfigDir: t.TempDir()})
	seen := func(number int64, hash string, checkpoint int64) vault.SeenChain {
		return vault.SeenChain{Key: "k", Tip: vault.Tip{Number: number, Hash: hash}, Checkpoint: checkpoint}
	}
	for _, s := range []vault.SeenChain{seen(0, "", 0), seen(3, "c", 2), seen(2, "b", 3), seen(3, "x", 1)} {
		if err := v.SeeAuditChain(ctx, "lake", "desk", s); err != nil {
			t.Fatal(err)
		}
	}
	other := seen(9, "z", 9)
	other.Key = "another"
	if err := v.SeeAuditChain(ctx, "lake", "desk", other); !errors.Is(err, vault.ErrOtherChain) {
		t.Errorf("another key: %v", err)
	}
	if err := v.SeeAuditChain(ctx, "lake2", "desk", other); err != nil {
		t.Errorf("in another lake: %v", err)
	}
	want := map[string]vault.SeenChain{"desk": seen(3, "c", 3)}
	if got := must[map[string]vault.SeenChain](t)(v.AuditChains(ctx, "lake")); !maps.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	want = map[string]vault.SeenChain{"desk": seen(1, "a", 1)}
	if err := v.ReplaceAuditChains(ctx, "lake", want); err != nil {
		t.Fatal(err)
	}
	if got := must[map[string]vault.SeenChain](t)(v.AuditChains(ctx, "lake")); !maps.Equal(got, want) {
		t.Errorf("replaced: %+v", got)
	}
}
