package vault_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/transforms/secret"
)

func TestPassphrases(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	if _, err := open(t, vault.Options{ConfigDir: t.TempDir(), Unlock: passphrase("eleven char")}).SetCredentials(ctx, "harbour", credentials()); err == nil ||
		!strings.Contains(err.Error(), "12 or more") || strings.Contains(err.Error(), "eleven char") {
		t.Errorf("a short passphrase: %v", err)
	}
	right := passphrase("für fünf Wörter genügt es")
	v := open(t, vault.Options{ConfigDir: dir, Unlock: right})
	must[string](t)(v.SetCredentials(ctx, "harbour", credentials()))
	if err := refused(t, vault.Options{ConfigDir: dir, Unlock: passphrase("für fünf Wörter genügt es ")}); !errors.Is(err, vault.ErrWrongPassphrase) {
		t.Errorf("a wrong one: %v", err)
	}
	if err := refused(t, vault.Options{ConfigDir: dir}); !errors.Is(err, vault.ErrNoPassphrase) || !strings.Contains(err.Error(), "--passphrase-file") {
		t.Errorf("none: %v", err)
	}
	if err := refused(t, vault.Options{ConfigDir: dir, Unlock: vault.Unlock{Kind: vault.ByKeyFile}}); !strings.Contains(err.Error(), "sealed by a passphrase") {
		t.Errorf("a key file named: %v", err)
	}
	if _, err := os.Stat(v.Paths().KeyFile); err == nil {
		t.Error("a machine key was made for nothing")
	}
	// A vault is opened once, however often it is asked.
	asked := 0
	counting := vault.Unlock{Passphrase: func(ctx context.Context) (secret.Bytes, error) {
		asked++
		return right.Passphrase(ctx)
	}}
	v = open(t, vault.Options{ConfigDir: dir, Unlock: counting})
	for range 3 {
		must[vault.Credentials](t)(v.Credentials(ctx, "harbour"))
		must[string](t)(v.SetCredentials(ctx, "harbour", credentials()))
	}
	if asked != 1 {
		t.Errorf("the passphrase was asked for %d times", asked)
	}
}

func TestMachineKey(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	v := open(t, vault.Options{ConfigDir: dir})
	must[string](t)(v.SetCredentials(ctx, "harbour", credentials()))
	file := v.Paths().KeyFile
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", st, err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := refused(t, vault.Options{ConfigDir: dir}); !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others can read: %v", err)
	}
	if err := os.WriteFile(file, []byte("not hex"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := refused(t, vault.Options{ConfigDir: dir}); !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "not hex") {
		t.Errorf("no key: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := refused(t, vault.Options{ConfigDir: dir}); !strings.Contains(err.Error(), "there is no machine key at "+file) {
		t.Errorf("a key that is gone: %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("another key was made beside a vault that it cannot open")
	}
}

// BenchmarkPassphrase is what opening a vault costs, and what each guess at its passphrase costs.
func BenchmarkPassphrase(b *testing.B) {
	dir := b.TempDir()
	unlock := passphrase("five random words of mine")
	if _, err := open(b, vault.Options{ConfigDir: dir, Unlock: unlock}).SetCredentials(b.Context(), "harbour", credentials()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		v, err := vault.Open(b.Context(), vault.Options{ConfigDir: dir, Unlock: unlock})
		if err != nil {
			b.Fatal(err)
		}
		v.Close()
	}
}
