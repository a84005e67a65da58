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

// chain are the keys 00 01 … 1f, 20 … 3f, 40 … 5f.
func chain(t testing.TB) []identity.Secret {
	t.Helper()
	var out []identity.Secret
	for from := range 3 {
		key := counting()
		for i := range key {
			key[i] += byte(from * identity.KeySize)
		}
		out = append(out, secret(t, key))
	}
	return out
}

// The vectors were computed with Python's hmac module from the keys 00 01 … 1f, 20 … 3f, 40 … 5f: HKDF by hand, then
// base64.b32encode; each version from the text of the one before.
func TestVectors(t *testing.T) {
	vectors := []struct {
		kind    identity.Kind
		id      string
		results []string
	}{
		{identity.Patient, "9f8b3c2a-1d2e-4f50-8a1b-0c2d3e4f5a6b", []string{
			"p1_3lbd4zqhfcxkmpljfzkso56wwi", "p2_ardcgkskrvebwdjtuagwte2nuy", "p3_znzhll5oo5chff5rm5a5fprk3q"}},
		{identity.Payer, "sun life", []string{
			"p1_gwdddvghjrr4iu3uzknzrex77u", "p2_7kwk6iy433its4egnnkobibbra", "p3_52oi4gsn2r3o22ixkxqc7lcbaa"}},
		{identity.Staff, "Zoë", []string{
			"p1_xqhkvalwdahqnq6drzydmrjah4", "p2_nfzpvzhgotor4bqpdluqs3j3by", "p3_d45dyght2gx4sut6q4rkhypdii"}},
		{identity.Policy, "", []string{
			"p1_iujj2wmmgdkw2lbbln3kd3h7w4", "p2_cbtmnapwk7cbpjsfb7smbft6k4", "p3_3recx5ibp7evlnxnv2ph7hl2mi"}},
		{identity.Claim, "C-1", []string{
			"p1_qtmtf5sx7xyouzs5nqwwvjlkzy", "p2_i2unxapkadtwfa224w6uuz3vlq", "p3_olfgnjicx335zakcvzspc3rdhi"}},
	}
	checks := []string{"610e22148c9b7a807b73c1ef09274cec", "5633749b52733186424cd5c9bf07cc80", "efac49241ae40e0d226938875063e118"}
	all, err := identity.Derive(chain(t)...)
	if err != nil {
		t.Fatal(err)
	}
	for version := 1; version <= 3; version++ {
		keys, err := identity.Derive(chain(t)[:version]...)
		if err != nil {
			t.Fatal(err)
		}
		earlier, err := all.At(version)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range vectors {
			for _, k := range []identity.Keys{keys, earlier} {
				if got := k.Pseudonym(v.kind, v.id); got != v.results[version-1] {
					t.Errorf("%s %q version %d: %s, want %s", v.kind, v.id, version, got, v.results[version-1])
				}
			}
			if version == 3 {
				continue
			}
			// What is stored comes to the next version without the source id.
			if next, err := all.Next(v.kind, v.results[version-1]); err != nil || next != v.results[version] {
				t.Errorf("after %s: %s, %v, want %s", v.results[version-1], next, err, v.results[version])
			}
		}
		if got := keys.Check(); got != checks[version-1] || earlier.Check() != got {
			t.Errorf("check %d: %s and %s, want %s", version, got, earlier.Check(), checks[version-1])
		}
		// Objects keep their names over every rekey.
		if got := hex.EncodeToString(keys.ObjectNames().Expose()); got != "2f7d0d00c1c26f274f5319ab1efda051b774e7cce452495c3e25793eb4203e58" {
			t.Errorf("object name key %s", got)
		}
	}
}

func TestNextRefusesWhatItCannotContinue(t *testing.T) {
	keys, err := identity.Derive(chain(t)[:2]...)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "Robin Vale", "p1_", "p1_short", "p0_3lbd4zqhfcxkmpljfzkso56wwi", "p01_3lbd4zqhfcxkmpljfzkso56wwi",
		"P1_3lbd4zqhfcxkmpljfzkso56wwi", "p1_3lbd4zqhfcxkmpljfzkso56ww1", "p1_3lbd4zqhfcxkmpljfzkso56wwi ", "p2_ardcgkskrvebwdjtuagwte2nuy",
		"p7_ardcgkskrvebwdjtuagwte2nuy", "p9999999999999999999999_ardcgkskrvebwdjtuagwte2nuy"} {
		if next, err := keys.Next(identity.Patient, text); err == nil {
			t.Errorf("%q was continued as %s", text, next)
		} else if text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("the error repeats %q", text)
		}
	}
	for _, version := range []int{0, 3} {
		if _, err := keys.At(version); err == nil {
			t.Errorf("keys of version %d", version)
		}
	}
}

func TestPseudonymsInsideOfATextAreReplaced(t *testing.T) {
	keys, err := identity.Derive(chain(t)[:2]...)
	if err != nil {
		t.Fatal(err)
	}
	next := func(found string) (string, error) { return keys.Next(identity.Patient, found) }
	for text, want := range map[string]string{
		"falloff/p1_3lbd4zqhfcxkmpljfzkso56wwi/Physio/2026-01-05": "falloff/p2_ardcgkskrvebwdjtuagwte2nuy/Physio/2026-01-05",
		"no_show_fee/71": "no_show_fee/71",
		"":               "",
	} {
		if got, err := identity.ReplaceInside(text, next); err != nil || got != want {
			t.Errorf("%s became %s, %v", text, got, err)
		}
	}
	if _, err := identity.ReplaceInside("a/p2_ardcgkskrvebwdjtuagwte2nuy", next); err == nil {
		t.Error("a pseudonym of the newest version was brought to the next")
	}
	if got := identity.Inside("p1_3lbd4zqhfcxkmpljfzkso56wwi and p2_ardcgkskrvebwdjtuagwte2nuy"); len(got) != 2 {
		t.Errorf("found %v", got)
	}
}

func TestPseudonymsKeepApart(t *testing.T) {
	one, err := identity.Derive(secret(t, counting()))
	if err != nil {
		t.Fatal(err)
	}
	other, err := identity.Derive(secret(t, bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	second, err := identity.Derive(secret(t, counting()), secret(t, counting()))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, keys := range []identity.Keys{one, other, second} {
		for _, kind := range []identity.Kind{identity.Patient, identity.Payer, identity.Policy, identity.Claim, identity.Staff} {
			for _, id := range []string{"", "1", "2", "a|b"} {
				p := keys.Pseudonym(kind, id)
				what := fmt.Sprint(kind, id)
				if before, ok := seen[p[3:]]; ok {
					t.Errorf("%s and %s share %s", before, what, p)
				}
				seen[p[3:]] = what
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
	if _, err := identity.Derive(); err == nil {
		t.Error("keys were derived from nothing")
	}
	if _, err := identity.Derive(secret(t, counting()), identity.Secret{}); err == nil {
		t.Error("keys were derived from a chain with a gap")
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
	keys, err := identity.Derive(s)
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
	keys, err := identity.Derive(secret(b, counting()))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		keys.Pseudonym(identity.Patient, "9f8b3c2a-1d2e-4f50-8a1b-0c2d3e4f5a6b")
	}
}
