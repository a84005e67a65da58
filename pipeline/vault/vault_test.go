package vault_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/secret"
)

const (
	password = "Kq7#Zr9!Vw2$Xy5"
	totpText = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
)

func passphrase(text string) vault.Unlock {
	return vault.Unlock{Kind: vault.ByPassphrase, Passphrase: func(context.Context) (secret.Bytes, error) { return secret.FromText(text), nil }}
}

func open(t testing.TB, o vault.Options) *vault.Vault {
	t.Helper()
	v, err := vault.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func refused(t testing.TB, o vault.Options) error {
	t.Helper()
	v, err := vault.Open(t.Context(), o)
	if err == nil {
		v.Close()
		t.Fatal("the vault opened")
	}
	return err
}

func credentials() vault.Credentials {
	return vault.Credentials{
		Address: "https://harbour-street.janeapp.com", Account: secret.FromText("clerk@harbour"),
		Password: secret.FromText(password), TOTP: secret.FromText(totpText),
	}
}

func must[T any](t testing.TB) func(value T, err error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// Everything that goes into a vault comes out of it again, whatever seals it, in another process too.
func TestContentSurvives(t *testing.T) {
	server := newKMS(t)
	for name, unlock := range map[string]vault.Unlock{
		"key file": {}, "passphrase": passphrase("five random words of mine"), "KMS": {Kind: vault.ByKMS, KMSKey: server.key},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			o := vault.Options{ConfigDir: filepath.Join(t.TempDir(), "config"), Unlock: unlock,
				Now: func() time.Time { return time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC) }}
			v := open(t, o)
			keys, made, err := v.Keys(ctx, "harbour")
			if err != nil || !made {
				t.Fatalf("made=%v, %v", made, err)
			}
			id := must[string](t)(v.SetCredentials(ctx, "harbour", credentials()))
			if made := must[bool](t)(v.MakeIdentitiesKey(ctx, "harbour")); !made {
				t.Error("the identities' key was there already")
			}
			identities := must[identity.Secret](t)(v.IdentitiesKey(ctx, "harbour"))
			aead, err := v.AEAD(ctx, "harbour", "profile")
			if err != nil {
				t.Fatal(err)
			}
			sealed := must[[]byte](t)(aead.Encrypt([]byte("a cookie"), []byte("name")))
			if err := v.SeeAuditTip(ctx, "lake", vault.Tip{Number: 7, Hash: "abc"}); err != nil {
				t.Fatal(err)
			}
			v.Close()

			v = open(t, o)
			again, made, err := v.Keys(ctx, "harbour")
			if err != nil || made || again.Check() != keys.Check() {
				t.Fatalf("keys: made=%v, %v", made, err)
			}
			c := must[vault.Credentials](t)(v.Credentials(ctx, "harbour"))
			if c.ID != id || c.Address != credentials().Address || !c.Account.Equal(credentials().Account) || !c.Password.Equal(credentials().Password) ||
				!c.SetAt.Equal(o.Now()) {
				t.Errorf("credentials: %+v", c)
			}
			if got := must[identity.Secret](t)(v.IdentitiesKey(ctx, "harbour")); !got.Equal(identities.Bytes) {
				t.Error("another key for identities")
			}
			if aead, err = v.AEAD(ctx, "harbour", "profile"); err != nil {
				t.Fatal(err)
			}
			if plain, err := aead.Decrypt(sealed, []byte("name")); err != nil || string(plain) != "a cookie" {
				t.Errorf("data: %q, %v", plain, err)
			}
			if tip := must[vault.Tip](t)(v.AuditTip(ctx, "lake")); tip != (vault.Tip{Number: 7, Hash: "abc"}) {
				t.Errorf("tip %v", tip)
			}
			// Nothing of it can be read in the file.
			body := must[[]byte](t)(os.ReadFile(v.Paths().Vault))
			for _, canary := range []string{password, "clerk@harbour", "harbour", totpText, hex.EncodeToString(identities.Expose())} {
				if bytes.Contains(body, []byte(canary)) {
					t.Errorf("the file holds %q", canary)
				}
			}
			if st, err := os.Stat(v.Paths().Vault); err != nil || st.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, %v", st.Mode(), err)
			}
		})
	}
}

// Opening, and asking for what is not there, makes no file.
func TestNothingIsMadeUnasked(t *testing.T) {
	ctx, dir := t.Context(), filepath.Join(t.TempDir(), "config")
	v := open(t, vault.Options{ConfigDir: dir})
	if _, err := v.Chain(ctx, "harbour"); !errors.Is(err, vault.ErrNoKeys) {
		t.Errorf("keys: %v", err)
	}
	if _, err := v.Credentials(ctx, "harbour"); !errors.Is(err, vault.ErrNoCredentials) {
		t.Errorf("credentials: %v", err)
	}
	if _, err := v.IdentitiesKey(ctx, "harbour"); !errors.Is(err, vault.ErrNoIdentitiesKey) {
		t.Errorf("identities: %v", err)
	}
	if _, err := v.AuditTip(ctx, "lake"); err != nil {
		t.Error(err)
	}
	if kind, err := v.Kind(); err != nil || kind != vault.ByKeyFile {
		t.Errorf("kind %v, %v", kind, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
}

func TestCredentials(t *testing.T) {
	ctx := t.Context()
	v := open(t, vault.Options{ConfigDir: t.TempDir()})
	first := must[string](t)(v.SetCredentials(ctx, "harbour", credentials()))
	second := must[string](t)(v.SetCredentials(ctx, "harbour", credentials()))
	if first == second || len(first) != 32 {
		t.Errorf("the ids %s and %s", first, second)
	}
	if _, err := v.Credentials(ctx, "hillside"); !errors.Is(err, vault.ErrNoCredentials) || !strings.Contains(err.Error(), "credentials set --clinic hillside") {
		t.Errorf("another clinic's: %v", err)
	}
	for what, bad := range map[string]func(c *vault.Credentials){
		"no address":  func(c *vault.Credentials) { c.Address = "" },
		"no account":  func(c *vault.Credentials) { c.Account = secret.Bytes{} },
		"no password": func(c *vault.Credentials) { c.Password = secret.FromText("") },
		"TOTP":        func(c *vault.Credentials) { c.TOTP = secret.FromText("no base 32!") },
	} {
		c := credentials()
		bad(&c)
		if _, err := v.SetCredentials(ctx, "harbour", c); err == nil || strings.Contains(err.Error(), "base 32!") {
			t.Errorf("%s: %v", what, err)
		}
	}
	aead, err := v.AEAD(ctx, "harbour", "profile")
	if err != nil {
		t.Fatal(err)
	}
	sealed := must[[]byte](t)(aead.Encrypt([]byte("a session"), nil))
	keys, _, err := v.Keys(ctx, "harbour")
	if err != nil {
		t.Fatal(err)
	}
	if forgotten := must[bool](t)(v.Forget(ctx, "harbour")); !forgotten {
		t.Error("nothing was forgotten")
	}
	if forgotten := must[bool](t)(v.Forget(ctx, "harbour")); forgotten {
		t.Error("nothing was forgotten twice")
	}
	if _, err := v.Credentials(ctx, "harbour"); !errors.Is(err, vault.ErrNoCredentials) {
		t.Errorf("after forgetting: %v", err)
	}
	if aead, err = v.AEAD(ctx, "harbour", "profile"); err != nil {
		t.Fatal(err)
	}
	if _, err := aead.Decrypt(sealed, nil); err == nil {
		t.Error("the browser's profile can still be opened")
	}
	if again, made, err := v.Keys(ctx, "harbour"); err != nil || made || again.Check() != keys.Check() {
		t.Errorf("the keys of the lake went too: made=%v, %v", made, err)
	}
}

func TestIdentitiesKeyIsDestroyed(t *testing.T) {
	ctx := t.Context()
	v := open(t, vault.Options{ConfigDir: t.TempDir()})
	must[bool](t)(v.MakeIdentitiesKey(ctx, "harbour"))
	first := must[identity.Secret](t)(v.IdentitiesKey(ctx, "harbour"))
	if made := must[bool](t)(v.MakeIdentitiesKey(ctx, "harbour")); made {
		t.Error("a key was made over another")
	}
	if destroyed := must[bool](t)(v.DestroyIdentitiesKey(ctx, "harbour")); !destroyed {
		t.Error("nothing was destroyed")
	}
	if destroyed := must[bool](t)(v.DestroyIdentitiesKey(ctx, "harbour")); destroyed {
		t.Error("destroyed twice")
	}
	if _, err := v.IdentitiesKey(ctx, "harbour"); !errors.Is(err, vault.ErrNoIdentitiesKey) {
		t.Errorf("after destroying: %v", err)
	}
	must[bool](t)(v.MakeIdentitiesKey(ctx, "harbour"))
	if second := must[identity.Secret](t)(v.IdentitiesKey(ctx, "harbour")); second.Equal(first.Bytes) {
		t.Error("the destroyed key came back")
	}
}

// What was encrypted for one clinic and purpose is noise to every other.
func TestDataKeysKeepApart(t *testing.T) {
	ctx := t.Context()
	v := open(t, vault.Options{ConfigDir: t.TempDir()})
	aead, err := v.AEAD(ctx, "harbour", "profile")
	if err != nil {
		t.Fatal(err)
	}
	sealed := must[[]byte](t)(aead.Encrypt([]byte("plain"), []byte("x")))
	for _, other := range [][3]string{{"hillside", "profile", "x"}, {"harbour", "rows", "x"}, {"harbour", "profile", "y"}, {"harbour", "profilex", ""}, {"harbour", "profil", "ex"}} {
		aead, err := v.AEAD(ctx, other[0], other[1])
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := aead.Decrypt(sealed, []byte(other[2])); err == nil {
			t.Errorf("%v decrypts %q", other, plain)
		}
	}
	if got := fmt.Sprintf("%v %+v %#v %s", aead, aead, aead, aead); strings.Trim(strings.ReplaceAll(got, secret.Redacted, ""), " ") != "" {
		t.Errorf("it prints as %s", got)
	}
}

// Rotation gives the vault another seal and new primary keys; what was encrypted before can be read until the old keys go.
func TestRotate(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	server := newKMS(t)
	o := vault.Options{ConfigDir: dir}
	v := open(t, o)
	keys, _, err := v.Keys(ctx, "harbour")
	if err != nil {
		t.Fatal(err)
	}
	id := must[string](t)(v.SetCredentials(ctx, "harbour", credentials()))
	data := func(v *vault.Vault) interface {
		Encrypt(plain, with []byte) ([]byte, error)
		Decrypt(sealed, with []byte) ([]byte, error)
	} {
		t.Helper()
		a, err := v.AEAD(ctx, "harbour", "rows")
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	first := must[[]byte](t)(data(v).Encrypt([]byte("first"), nil))
	before := must[[]byte](t)(os.ReadFile(v.Paths().Vault))
	for _, to := range []vault.Unlock{{Kind: vault.ByKeyFile}, passphrase("first passphrase"), passphrase("second passphrase"),
		{Kind: vault.ByKMS, KMSKey: server.key}, passphrase("third passphrase")} {
		if err := v.Rotate(ctx, to, false); err != nil {
			t.Fatalf("to %v: %v", to.Kind, err)
		}
		after := must[[]byte](t)(os.ReadFile(v.Paths().Vault))
		if bytes.Equal(before, after) {
			t.Errorf("to %v: the file is the same", to.Kind)
		}
		before = after
		// The vault in hand goes on working, and another process needs the new seal.
		for _, v := range []*vault.Vault{v, open(t, vault.Options{ConfigDir: dir, Unlock: to})} {
			again, made, err := v.Keys(ctx, "harbour")
			if err != nil || made || again.Check() != keys.Check() {
				t.Fatalf("to %v: keys: made=%v, %v", to.Kind, made, err)
			}
			if c := must[vault.Credentials](t)(v.Credentials(ctx, "harbour")); c.ID != id || c.Password.Text() != password {
				t.Errorf("to %v: other credentials", to.Kind)
			}
			if plain, err := data(v).Decrypt(first, nil); err != nil || string(plain) != "first" {
				t.Errorf("to %v: what was encrypted before: %q, %v", to.Kind, plain, err)
			}
		}
		if kind, err := v.Kind(); err != nil || kind != to.Kind {
			t.Errorf("kind %v, %v", kind, err)
		}
	}
	for _, wrong := range []vault.Unlock{passphrase("second passphrase"), {Kind: vault.ByKeyFile}, {Kind: vault.ByKMS, KMSKey: server.key}, {}} {
		if err := refused(t, vault.Options{ConfigDir: dir, Unlock: wrong}); strings.Contains(err.Error(), "passphrase ") && strings.Contains(err.Error(), "second") {
			t.Errorf("it repeats the passphrase: %v", err)
		}
	}
	second := must[[]byte](t)(data(v).Encrypt([]byte("second"), nil))
	if bytes.Equal(first[:5], second[:5]) { // Tink's prefix names the key
		t.Error("the primary key was not changed")
	}
	if err := v.Rotate(ctx, passphrase("third passphrase"), true); err != nil {
		t.Fatal(err)
	}
	for _, old := range [][]byte{first, second} {
		if _, err := data(v).Decrypt(old, nil); err == nil {
			t.Error("dropped keys still decrypt")
		}
	}
	third := must[[]byte](t)(data(v).Encrypt([]byte("third"), nil))
	if plain, err := data(v).Decrypt(third, nil); err != nil || string(plain) != "third" {
		t.Errorf("after dropping: %q, %v", plain, err)
	}
}

// A rotation that fails leaves everything as it was.
func TestFailedRotationChangesNothing(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	v := open(t, vault.Options{ConfigDir: dir})
	must[string](t)(v.SetCredentials(ctx, "harbour", credentials()))
	before := must[[]byte](t)(os.ReadFile(v.Paths().Vault))
	failing := vault.Unlock{Kind: vault.ByPassphrase, Passphrase: func(context.Context) (secret.Bytes, error) { return secret.Bytes{}, errors.New("nobody there") }}
	for _, to := range []vault.Unlock{failing, passphrase("short"), {Kind: vault.ByKMS}, {Kind: "charm"}, {Kind: vault.ByPassphrase}} {
		if err := v.Rotate(ctx, to, true); err == nil {
			t.Errorf("to %q worked", string(to.Kind))
		}
		if after := must[[]byte](t)(os.ReadFile(v.Paths().Vault)); !bytes.Equal(before, after) {
			t.Fatal("the file changed")
		}
		if c := must[vault.Credentials](t)(v.Credentials(ctx, "harbour")); c.Password.Text() != password {
			t.Error("the vault in hand does not open any more")
		}
	}
}

// Many writers lose nothing of each other's, and agree on one key a clinic.
func TestWritersDoNotLoseEachOthersChanges(t *testing.T) {
	ctx, dir := t.Context(), filepath.Join(t.TempDir(), "config")
	const writers = 12
	checks := make([]string, writers)
	var wait sync.WaitGroup
	for i := range writers {
		wait.Go(func() {
			v, err := vault.Open(ctx, vault.Options{ConfigDir: dir})
			if err != nil {
				t.Error(err)
				return
			}
			defer v.Close()
			keys, _, err := v.Keys(ctx, "shared")
			if err != nil {
				t.Error(err)
				return
			}
			checks[i] = keys.Check()
			if _, err := v.SetCredentials(ctx, fmt.Sprintf("clinic-%d", i), credentials()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	v := open(t, vault.Options{ConfigDir: dir})
	for i := range writers {
		if checks[i] != checks[0] {
			t.Errorf("writer %d has another key", i)
		}
		if _, err := v.Credentials(ctx, fmt.Sprintf("clinic-%d", i)); err != nil {
			t.Error(err)
		}
	}
	entries := must[[]os.DirEntry](t)(os.ReadDir(dir))
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".new-") {
			t.Errorf("%s was left", e.Name())
		}
	}
}

// The two phases of a rekey can each be repeated, and the version in use changes only with the second.
func TestRekeyPhases(t *testing.T) {
	ctx := t.Context()
	v := open(t, vault.Options{ConfigDir: t.TempDir()})
	first, _, err := v.Keys(ctx, "harbour")
	if err != nil {
		t.Fatal(err)
	}
	prepared := must[identity.Keys](t)(v.Prepare(ctx, "harbour", 1))
	again := must[identity.Keys](t)(v.Prepare(ctx, "harbour", 1))
	if prepared.Version != 2 || prepared.Check() != again.Check() || prepared.Check() == first.Check() {
		t.Errorf("prepared version %d, the same again: %v", prepared.Version, prepared.Check() == again.Check())
	}
	live, made, err := v.Keys(ctx, "harbour")
	if err != nil || made || live.Check() != first.Check() {
		t.Errorf("the version in use changed: %d, %v", live.Version, err)
	}
	if !bytes.Equal(prepared.ObjectNames().Expose(), first.ObjectNames().Expose()) {
		t.Error("objects would have other names")
	}
	for range 2 {
		if err := v.Confirm(ctx, "harbour", 2); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Confirm(ctx, "harbour", 1); err != nil {
		t.Fatal(err)
	}
	chain := must[vault.Chain](t)(v.Chain(ctx, "harbour"))
	if chain.Live != 2 || chain.Keys.Check() != prepared.Check() {
		t.Errorf("live %d", chain.Live)
	}
	if err := v.Confirm(ctx, "harbour", 3); !errors.Is(err, vault.ErrNoKeys) {
		t.Errorf("a version that does not exist: %v", err)
	}
	if _, err := v.Prepare(ctx, "hillside", 1); !errors.Is(err, vault.ErrNoKeys) {
		t.Errorf("a clinic without keys: %v", err)
	}
	// A second lake of the clinic, still at version 1, comes to the same version 2.
	if late := must[identity.Keys](t)(v.Prepare(ctx, "harbour", 1)); late.Check() != prepared.Check() {
		t.Error("a second lake would get another key")
	}
}

func TestAuditTipGoesForwardOnly(t *testing.T) {
	ctx := t.Context()
	v := open(t, vault.Options{ConfigDir: t.TempDir()})
	for _, tip := range []vault.Tip{{Number: 3, Hash: "c"}, {Number: 2, Hash: "b"}, {Number: 3, Hash: "x"}} {
		if err := v.SeeAuditTip(ctx, "lake", tip); err != nil {
			t.Fatal(err)
		}
	}
	if tip := must[vault.Tip](t)(v.AuditTip(ctx, "lake")); tip != (vault.Tip{Number: 3, Hash: "c"}) {
		t.Errorf("tip %v", tip)
	}
}

// No byte of a changed file is taken for what it was.
func TestChangedFilesAreRefused(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	unlock := passphrase("five random words of mine")
	v := open(t, vault.Options{ConfigDir: dir, Unlock: unlock})
	must[string](t)(v.SetCredentials(ctx, "harbour", credentials()))
	path := v.Paths().Vault
	body := must[[]byte](t)(os.ReadFile(path))
	for _, field := range []string{"id", "wrapping.kind", "wrapping.argon2id.time", "wrapping.argon2id.memory_kib", "wrapping.argon2id.threads", "wrapping.salt", "wrapping.body", "payload"} {
		t.Run(field, func(t *testing.T) {
			var doc map[string]any
			if err := json.Unmarshal(body, &doc); err != nil {
				t.Fatal(err)
			}
			at, parts := doc, strings.Split(field, ".")
			for _, p := range parts[:len(parts)-1] {
				at = at[p].(map[string]any)
			}
			last := parts[len(parts)-1]
			switch value := at[last].(type) {
			case float64:
				at[last] = value + 1
			case string:
				flipped := []byte(value)
				if flipped[4]++; flipped[4] == 'z'+1 || flipped[4] == 'Z'+1 || flipped[4] == '9'+1 {
					flipped[4] -= 2
				}
				at[last] = string(flipped)
			}
			changed := must[[]byte](t)(json.Marshal(doc))
			if err := os.WriteFile(path, changed, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := refused(t, vault.Options{ConfigDir: dir, Unlock: unlock}); strings.Contains(err.Error(), "five random") {
				t.Errorf("it repeats the passphrase: %v", err)
			}
		})
	}
	if err := os.WriteFile(path, bytes.Replace(body, []byte(`"format": 1`), []byte(`"format": 99`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := refused(t, vault.Options{ConfigDir: dir, Unlock: unlock}); !strings.Contains(err.Error(), "newer falloff") {
		t.Errorf("a newer format: %v", err)
	}
	// A planted file cannot hold the machine for hours.
	var doc map[string]any
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	doc["wrapping"].(map[string]any)["argon2id"].(map[string]any)["memory_kib"] = 1 << 30
	if err := os.WriteFile(path, must[[]byte](t)(json.Marshal(doc)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := refused(t, vault.Options{ConfigDir: dir, Unlock: unlock}); !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a terabyte of memory: %v", err)
	}
}

// A change that fails on the way leaves the vault as it was.
func TestFailedChangeKeepsTheVault(t *testing.T) {
	ctx := t.Context()
	v := open(t, vault.Options{ConfigDir: t.TempDir(), Random: &short{left: 400}})
	must[string](t)(v.SetCredentials(ctx, "harbour", credentials()))
	for {
		if _, err := v.SetCredentials(ctx, "harbour", credentials()); err != nil {
			break
		}
	}
	if c := must[vault.Credentials](t)(v.Credentials(ctx, "harbour")); c.Password.Text() != password {
		t.Error("the credentials are gone")
	}
}

// short is chance that ends.
type short struct{ left int }

func (s *short) Read(p []byte) (int, error) {
	if s.left < len(p) {
		return 0, errors.New("no more chance")
	}
	s.left -= len(p)
	return rand.Read(p)
}

// Nothing that the vault gives out, nor any of its errors, can be printed with a secret in it.
func TestVaultCannotBePrinted(t *testing.T) {
	ctx := t.Context()
	unlock := passphrase("five random words of mine")
	v := open(t, vault.Options{ConfigDir: t.TempDir(), Unlock: unlock})
	must[string](t)(v.SetCredentials(ctx, "harbour", credentials()))
	c := must[vault.Credentials](t)(v.Credentials(ctx, "harbour"))
	if _, _, err := v.Keys(ctx, "harbour"); err != nil {
		t.Fatal(err)
	}
	chain := must[vault.Chain](t)(v.Chain(ctx, "harbour"))
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	for _, value := range []any{c, &c, v, chain, struct{ C any }{c}, []vault.Credentials{c}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
		if body, err := json.Marshal(value); err == nil {
			out.Write(body)
		}
		log.Info("it", "value", value)
	}
	for _, canary := range []string{password, hex.EncodeToString([]byte(password)), "clerk@harbour", totpText, "five random", strings.Trim(fmt.Sprint([]byte(password)), "[]")} {
		if strings.Contains(out.String(), canary) {
			t.Errorf("%q was printed", canary)
		}
	}
	if !strings.Contains(fmt.Sprintf("%#v", c), "Password:[redacted]") {
		t.Errorf("credentials print as %#v", c)
	}
}
