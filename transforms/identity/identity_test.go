package identity_test

import (
	"bytes"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/transforms/identity"
)

func secret(t testing.TB, key []byte) identity.Secret {
	t.Helper()
	s, err := identity.NewSecret(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// counting is the key 00 01 02 … 1f.
func counting() []byte {
	key := make([]byte, identity.KeySize)
	for i := range key {
		key[i] = byte(i)
	}
	return key
}

// The vectors were computed with Python's hmac module from the key 00 01 … 1f: HKDF by hand, then base64.b32encode.
func TestVectors(t *testing.T) {
	vectors := []struct {
		version    int
		kind       identity.Kind
		id, result string
	}{
		{1, identity.Patient, "9f8b3c2a-1d2e-4f50-8a1b-0c2d3e4f5a6b", "p1_3lbd4zqhfcxkmpljfzkso56wwi"},
		{2, identity.Patient, "9f8b3c2a-1d2e-4f50-8a1b-0c2d3e4f5a6b", "p2_3lbd4zqhfcxkmpljfzkso56wwi"},
		{1, identity.Payer, "sun life", "p1_gwdddvghjrr4iu3uzknzrex77u"},
		{1, identity.Staff, "Zoë", "p1_xqhkvalwdahqnq6drzydmrjah4"},
	}
	for _, v := range vectors {
		keys, err := identity.Derive(secret(t, counting()), v.version)
		if err != nil {
			t.Fatal(err)
		}
		if got := keys.Pseudonym(v.kind, v.id); got != v.result {
			t.Errorf("%s %q version %d: %s, want %s", v.kind, v.id, v.version, got, v.result)
		}
		if got := hex.EncodeToString(keys.ObjectNames().Expose()); got != "2f7d0d00c1c26f274f5319ab1efda051b774e7cce452495c3e25793eb4203e58" {
			t.Errorf("object name key %s", got)
		}
	}
}

func TestPseudonymsKeepApart(t *testing.T) {
	one, err := identity.Derive(secret(t, counting()), 1)
	if err != nil {
		t.Fatal(err)
	}
	other, err := identity.Derive(secret(t, bytes.Repeat([]byte{7}, 32)), 1)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, keys := range []identity.Keys{one, other} {
		for _, kind := range []identity.Kind{identity.Patient, identity.Payer, identity.Policy, identity.Claim, identity.Staff} {
			for _, id := range []string{"", "1", "2", "a|b"} {
				p := keys.Pseudonym(kind, id)
				what := fmt.Sprint(kind, id)
				if before, ok := seen[p]; ok {
					t.Errorf("%s and %s share %s", before, what, p)
				}
				seen[p] = what
				if p != keys.Pseudonym(kind, id) {
					t.Errorf("%s changes", what)
				}
			}
		}
	}
}

func TestBadKeys(t *testing.T) {
	if _, err := identity.NewSecret([]byte("short")); err == nil || strings.Contains(err.Error(), "short") {
		t.Errorf("a short key: %v", err)
	}
	if _, err := identity.Derive(identity.Secret{}, 1); err == nil {
		t.Error("keys were derived from nothing")
	}
	if _, err := identity.Derive(secret(t, counting()), 0); err == nil {
		t.Error("version 0 was accepted")
	}
	if !(identity.Keys{}).IsZero() || (identity.Secret{}).Expose() != nil {
		t.Error("zero values hold something")
	}
}

func TestExposeCopies(t *testing.T) {
	original := counting()
	s := secret(t, original)
	original[0] = 99
	s.Expose()[1] = 99
	if got := s.Expose(); !bytes.Equal(got, counting()) {
		t.Errorf("the key was changed from outside: %x", got)
	}
}

// Wherever a secret is put, no way of printing it shows its bytes.
func TestSecretsCannotBePrinted(t *testing.T) {
	// No digits: a pointer or the time of a log line could hold four of them by chance.
	raw := []byte("ghijklmnopqrstuvwxyzGHIJKLMNOPQR")
	s := secret(t, raw)
	keys, err := identity.Derive(s, 1)
	if err != nil {
		t.Fatal(err)
	}
	type hidden struct {
		inner  identity.Secret
		keys   identity.Keys
		nested []identity.Secret
	}
	values := []any{s, &s, []identity.Secret{s}, map[string]identity.Secret{"k": s}, keys, &keys, hidden{s, keys, []identity.Secret{s}},
		&hidden{s, keys, []identity.Secret{s}}, struct{ S *identity.Secret }{&s}}
	var out strings.Builder
	logger := slog.New(slog.NewJSONHandler(&out, nil))
	plain := slog.New(slog.NewTextHandler(&out, nil))
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U", "%t", "%T", "%p"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(encoded)
		logger.Info("key", "v", v)
		plain.Info("key", "v", v)
	}
	for _, material := range [][]byte{raw, keys.ObjectNames().Expose()} {
		// Any four bytes in a row, in any form that a verb prints them in, would give the key away.
		for i := 0; i+4 <= len(material); i++ {
			four := material[i : i+4]
			for _, form := range []string{string(four), hex.EncodeToString(four), strings.ToUpper(hex.EncodeToString(four)),
				strings.Trim(fmt.Sprintf("%d", four), "[]"), base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(four),
				strings.Trim(fmt.Sprintf("%#v", four), "[]byte{}"), strings.Trim(fmt.Sprintf("%b", four), "[]"), strings.Trim(fmt.Sprintf("%o", four), "[]")} {
				if strings.Contains(out.String(), form) {
					t.Fatalf("%q was printed", form)
				}
			}
		}
	}
	if fmt.Sprintf("%v %#v %x", s, s, s) != "[redacted] [redacted] [redacted]" {
		t.Errorf("a secret prints as %v %#v %x", s, s, s)
	}
	if encoded, err := json.Marshal(s); err != nil || string(encoded) != `"[redacted]"` {
		t.Errorf("JSON %s, %v", encoded, err)
	}
}

func BenchmarkPseudonym(b *testing.B) {
	keys, err := identity.Derive(secret(b, counting()), 1)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		keys.Pseudonym(identity.Patient, "9f8b3c2a-1d2e-4f50-8a1b-0c2d3e4f5a6b")
	}
}
