// Package vault keeps the keys of a lake.
//
// Every clinic has one 32-byte key, from which its pseudonyms and object names are derived. It lies in the lake, sealed
// with AES-256-GCM by a machine key that lies outside the lake, and a second sealed copy lies beside the machine key, so
// that a lake that is built again for the same clinic keeps its pseudonyms.
//
// What that protects against: somebody who gets the lake alone (a copied disk, a bucket, a backup) can neither turn a
// pseudonym back by guessing nor join clinics. What it does not: somebody who is this user, or root, on this machine.
package vault

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"

	"github.com/falloff-analytics/falloff/transforms/identity"
)

// KeySize is the length of machine and clinic keys in bytes.
const KeySize = identity.KeySize

// Objects is the part of a clinic's store that the vault needs. Get gives an error that wraps fs.ErrNotExist for an
// object that is not there, Create one that wraps fs.ErrExist for one that is.
type Objects interface {
	Get(ctx context.Context, key string) ([]byte, error)
	Create(ctx context.Context, key string, body []byte) error
}

// Paths says where this machine keeps its keys.
type Paths struct {
	// KeyFile holds the machine key in hexadecimal, mode 0600.
	KeyFile string
	// Copies is the folder of the sealed clinic keys.
	Copies string
}

// DefaultPaths puts everything under configDir, or under the user's configuration folder when that is empty. A keyFile
// replaces the machine key's place.
func DefaultPaths(configDir, keyFile string) (Paths, error) {
	if configDir == "" {
		base, err := os.UserConfigDir()
		if err != nil {
			return Paths{}, fmt.Errorf("finding the configuration folder: %w. Name one with --config-dir", err)
		}
		configDir = filepath.Join(base, "falloff")
	}
	p := Paths{KeyFile: keyFile, Copies: filepath.Join(configDir, "clinic-keys")}
	if p.KeyFile == "" {
		p.KeyFile = filepath.Join(configDir, "machine.key")
	}
	return p, nil
}

// Machine reads the machine key, or makes one where there is none yet; made says which.
func Machine(p Paths) (key identity.Secret, made bool, err error) {
	text, err := os.ReadFile(p.KeyFile)
	switch {
	case err == nil:
		key, err = parseKey(string(text))
		if err != nil {
			return key, false, fmt.Errorf("reading the machine key %s: %w", p.KeyFile, err)
		}
		return key, false, checkMode(p.KeyFile)
	case !errors.Is(err, fs.ErrNotExist):
		return key, false, fmt.Errorf("reading the machine key: %w", err)
	}
	if key, err = random(); err != nil {
		return key, false, fmt.Errorf("making a machine key: %w", err)
	}
	if err := createFile(p.KeyFile, []byte(hex.EncodeToString(key.Expose())+"\n")); err != nil {
		if errors.Is(err, fs.ErrExist) { // another process made it first
			return Machine(p)
		}
		return key, false, fmt.Errorf("keeping the machine key: %w. Choose another place with --config-dir or --key-file", err)
	}
	return key, true, nil
}

// random makes a new key.
func random() (identity.Secret, error) {
	raw := make([]byte, KeySize)
	if _, err := rand.Read(raw); err != nil {
		return identity.Secret{}, err
	}
	return identity.NewSecret(raw)
}

func parseKey(text string) (identity.Secret, error) {
	raw, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(raw) != KeySize {
		return identity.Secret{}, fmt.Errorf("it must hold %d bytes as %d hexadecimal digits; restore it from your copy, or name another with --key-file", KeySize, 2*KeySize)
	}
	return identity.NewSecret(raw)
}

func checkMode(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("looking at the machine key: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("the machine key %s can be read by others (mode %04o): run chmod 600 on it", path, st.Mode().Perm())
	}
	return nil
}

// createFile writes a file that must not exist yet, whole or not at all.
func createFile(path string, body []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	if _, err := tmp.Write(body); err != nil {
		_ = tmp.Close()
		return err
	}
	if err := tmp.Sync(); err != nil {
		_ = tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Link(tmp.Name(), path)
}

// sealed is the stored form of a clinic key.
type sealed struct {
	Version int    `json:"version"`
	Cipher  string `json:"cipher"`
	// SealedBy is a fingerprint of the machine key, so that a wrong one is named rather than guessed at.
	SealedBy string `json:"sealed_by"`
	Body     []byte `json:"body"`
}

// clinicKeyObject is the sealed key's place below the clinic's prefix.
const clinicKeyObject = "keys/clinic-key.json"

// Clinic gives the clinic's key: the one sealed in its lake; for a new lake the copy this machine has of that clinic's
// key, or a new random one. made says that the lake had none.
func Clinic(ctx context.Context, p Paths, machine identity.Secret, clinic string, lake Objects) (key identity.Secret, made bool, err error) {
	body, err := lake.Get(ctx, clinicKeyObject)
	if err == nil {
		key, err = open(machine, clinic, body)
		if err != nil {
			return key, false, fmt.Errorf("opening the key of clinic %s in the lake: %w", clinic, err)
		}
		return key, false, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return key, false, fmt.Errorf("reading the key of clinic %s: %w", clinic, err)
	}
	key, err = copyOrNew(p, machine, clinic)
	if err != nil {
		return key, false, err
	}
	body, err = seal(machine, clinic, key)
	if err != nil {
		return key, false, err
	}
	if err := lake.Create(ctx, clinicKeyObject, body); err != nil {
		if errors.Is(err, fs.ErrExist) { // another process made the lake's key first
			return Clinic(ctx, p, machine, clinic, lake)
		}
		return key, false, fmt.Errorf("keeping the key of clinic %s in the lake: %w", clinic, err)
	}
	return key, true, nil
}

// copyOrNew reads this machine's copy of the clinic's key, or makes key and copy.
func copyOrNew(p Paths, machine identity.Secret, clinic string) (identity.Secret, error) {
	path := filepath.Join(p.Copies, fingerprint(machine)+"-"+clinic+".json")
	var key identity.Secret
	body, err := os.ReadFile(path)
	if err == nil {
		key, err = open(machine, clinic, body)
		if err != nil {
			return key, fmt.Errorf("opening the copy of a clinic key %s: %w", path, err)
		}
		return key, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return key, fmt.Errorf("reading the copy of a clinic key: %w", err)
	}
	if key, err = random(); err != nil {
		return key, fmt.Errorf("making a clinic key: %w", err)
	}
	body, err = seal(machine, clinic, key)
	if err != nil {
		return key, err
	}
	if err := createFile(path, body); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return copyOrNew(p, machine, clinic)
		}
		return key, fmt.Errorf("keeping a copy of the clinic key: %w", err)
	}
	return key, nil
}

func fingerprint(machine identity.Secret) string {
	sum := sha256.Sum256(append([]byte("falloff machine key "), machine.Expose()...))
	return hex.EncodeToString(sum[:6])
}

func associated(clinic string) []byte { return []byte("falloff clinic key v1 " + clinic) }

func seal(machine identity.Secret, clinic string, key identity.Secret) ([]byte, error) {
	aead, err := subtle.NewAESGCM(machine.Expose())
	if err != nil {
		return nil, fmt.Errorf("sealing a clinic key: %w", err)
	}
	body, err := aead.Encrypt(key.Expose(), associated(clinic))
	if err != nil {
		return nil, fmt.Errorf("sealing a clinic key: %w", err)
	}
	return json.Marshal(sealed{Version: 1, Cipher: "AES-256-GCM", SealedBy: fingerprint(machine), Body: body})
}

func open(machine identity.Secret, clinic string, body []byte) (identity.Secret, error) {
	var key identity.Secret
	var s sealed
	if err := json.Unmarshal(body, &s); err != nil || s.Version != 1 {
		return key, errors.New("it is not a sealed key of a version this program knows")
	}
	if s.SealedBy != fingerprint(machine) {
		return key, errors.New("it was sealed by another machine's key; name that one with --key-file")
	}
	aead, err := subtle.NewAESGCM(machine.Expose())
	if err != nil {
		return key, err
	}
	plain, err := aead.Decrypt(s.Body, associated(clinic))
	if err != nil || len(plain) != KeySize {
		return key, errors.New("it was changed after it was sealed, or belongs to another clinic")
	}
	return identity.NewSecret(plain)
}
