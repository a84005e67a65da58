package vault

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"golang.org/x/crypto/argon2"

	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/secret"
)

// Kind is what wraps a vault's master key.
type Kind string

// The kinds.
const (
	ByKeyFile    Kind = "key_file"
	ByPassphrase Kind = "passphrase"
	ByKMS        Kind = "aws_kms"
)

// String is the kind in words, for messages.
func (k Kind) String() string {
	switch k {
	case ByKeyFile:
		return "a key file of this machine"
	case ByPassphrase:
		return "a passphrase"
	case ByKMS:
		return "a key in AWS KMS"
	default:
		return "nothing"
	}
}

// What a caller decides on.
var (
	// ErrWrongPassphrase says that the passphrase does not open the vault.
	ErrWrongPassphrase = errors.New("the passphrase does not open the vault")
	// ErrNoPassphrase says that a passphrase is needed and nobody there can say it.
	ErrNoPassphrase = errors.New("the vault is sealed by a passphrase, and none was given")
)

// Unlock says what opens the vault, and what a new one is sealed by.
type Unlock struct {
	// Kind is what the caller named; a vault of another kind is then not opened. Empty takes what the vault says, and
	// ByKeyFile for a new one.
	Kind Kind
	// Passphrase gives the passphrase when it is needed; nil where nobody can say it. The vault wipes what it gives.
	Passphrase func(ctx context.Context) (secret.Bytes, error)
	// KMSKey is the key's ARN, KMS the client to use it with; nil makes one from the usual AWS settings.
	KMSKey string
	KMS    KMS
}

func (u Unlock) kindForNew() Kind {
	if u.Kind == "" {
		return ByKeyFile
	}
	return u.Kind
}

// wrapping is how the master key is stored.
type wrapping struct {
	Kind Kind `json:"kind"`
	// Argon2id is how the passphrase becomes a key.
	Argon2id *argon2id `json:"argon2id,omitempty"`
	// Salt goes into the derived key, of a passphrase and of a machine key alike.
	Salt []byte `json:"salt,omitempty"`
	// KeyCheck tells one machine key from another.
	KeyCheck string `json:"key_check,omitempty"`
	KMSKey   string `json:"kms_key,omitempty"`
	Body     []byte `json:"body"`
}

type argon2id struct {
	Time      uint32 `json:"time"`
	MemoryKiB uint32 `json:"memory_kib"`
	Threads   uint8  `json:"threads"`
}

// usualArgon2id is the second of the two settings that RFC 9106 recommends, the one for machines with little memory:
// 64 MiB and three passes in four lanes. The first, 2 GiB, is more than a small server has to spare.
var usualArgon2id = argon2id{Time: 3, MemoryKiB: 64 << 10, Threads: 4}

// acceptable keeps a damaged or planted file from holding the machine for hours, or from making the passphrase cheap.
func (a *argon2id) acceptable() bool {
	return a != nil && a.Time >= 1 && a.Time <= 64 && a.MemoryKiB >= 8<<10 && a.MemoryKiB <= 4<<20 && a.Threads >= 1 && a.Threads <= 64
}

const saltSize = 16

func (w wrapping) digest() [sha256.Size]byte {
	body, _ := json.Marshal(w) // strings, numbers and bytes only
	return sha256.Sum256(body)
}

// associated binds a wrapped key to its vault and to everything that the wrapping says.
func (w wrapping) associated(vault string) []byte {
	w.Body = nil
	digest := w.digest()
	return []byte("falloff vault master key v1|" + vault + "|" + hex.EncodeToString(digest[:]))
}

// wrap wraps a master key.
func (u Unlock) wrap(ctx context.Context, vault string, master secret.Bytes, paths Paths, random io.Reader) (wrapping, error) {
	w := wrapping{Kind: u.kindForNew()}
	salt := make([]byte, saltSize)
	if _, err := io.ReadFull(random, salt); err != nil {
		return w, fmt.Errorf("sealing the vault: %w", err)
	}
	switch w.Kind {
	case ByPassphrase:
		w.Salt = salt
		w.Argon2id = &usualArgon2id
		passphrase, err := u.passphrase(ctx)
		if err != nil {
			return w, err
		}
		defer passphrase.Wipe()
		if n := len([]rune(passphrase.Text())); n < MinPassphrase {
			return w, fmt.Errorf("a passphrase of %d characters is too easy to guess by machine: use %d or more, such as five random words", n, MinPassphrase)
		}
		w.Body, err = w.sealUnder(vault, master, w.passphraseKey(passphrase))
		return w, err
	case ByKeyFile:
		machine, err := makeMachineKey(paths.KeyFile, random)
		if err != nil {
			return w, err
		}
		w.Salt, w.KeyCheck = salt, fingerprint(machine)
		key, err := w.machineKey(machine)
		if err != nil {
			return w, err
		}
		w.Body, err = w.sealUnder(vault, master, key)
		return w, err
	case ByKMS:
		return u.wrapByKMS(ctx, vault, master, w)
	default:
		return w, fmt.Errorf("sealing the vault: %q is not a way to do it", string(w.Kind))
	}
}

// MinPassphrase is how many characters a new passphrase has at least.
const MinPassphrase = 12

// unwrap gives the master key.
func (u Unlock) unwrap(ctx context.Context, vault string, w wrapping, paths Paths) (secret.Bytes, error) {
	if u.Kind != "" && u.Kind != w.Kind {
		return secret.Bytes{}, fmt.Errorf("the vault %s is sealed by %s, not by %s: open it with that, or change it with falloff credentials rotate", paths.Vault, w.Kind, u.Kind)
	}
	switch w.Kind {
	case ByPassphrase:
		if !w.Argon2id.acceptable() || len(w.Salt) < saltSize {
			return secret.Bytes{}, fmt.Errorf("the vault %s is damaged: restore it from your copy", paths.Vault)
		}
		passphrase, err := u.passphrase(ctx)
		if err != nil {
			return secret.Bytes{}, err
		}
		defer passphrase.Wipe()
		master, err := w.openUnder(vault, w.passphraseKey(passphrase))
		if err != nil {
			return master, fmt.Errorf("%w %s", ErrWrongPassphrase, paths.Vault)
		}
		return master, nil
	case ByKeyFile:
		machine, err := machineKey(paths.KeyFile)
		if errors.Is(err, errNoMachineKey) {
			return secret.Bytes{}, fmt.Errorf("the vault %s is sealed by a machine key, and %w", paths.Vault, err)
		}
		if err != nil {
			return secret.Bytes{}, err
		}
		if fingerprint(machine) != w.KeyCheck {
			return secret.Bytes{}, fmt.Errorf("the vault %s was sealed by another machine key than %s; name that one with --key-file", paths.Vault, paths.KeyFile)
		}
		key, err := w.machineKey(machine)
		if err != nil {
			return secret.Bytes{}, err
		}
		master, err := w.openUnder(vault, key)
		if err != nil {
			return master, fmt.Errorf("the vault %s is damaged: restore it from your copy", paths.Vault)
		}
		return master, nil
	case ByKMS:
		return u.unwrapByKMS(ctx, vault, w, paths)
	default:
		return secret.Bytes{}, fmt.Errorf("the vault %s is sealed in a way that this program does not know: use a newer falloff", paths.Vault)
	}
}

func (u Unlock) passphrase(ctx context.Context) (secret.Bytes, error) {
	if u.Passphrase == nil {
		return secret.Bytes{}, fmt.Errorf("%w: give it with --passphrase-file or --passphrase-fd, as the systemd credential falloff-passphrase, or at a terminal", ErrNoPassphrase)
	}
	return u.Passphrase(ctx)
}

func (w wrapping) passphraseKey(passphrase secret.Bytes) (key secret.Bytes) {
	passphrase.Borrow(func(content []byte) {
		key = secret.Own(argon2.IDKey(content, w.Salt, w.Argon2id.Time, w.Argon2id.MemoryKiB, w.Argon2id.Threads, KeySize))
	})
	return key
}

// machineKey derives the wrapping key from the machine's, which is random already and needs no stretching.
func (w wrapping) machineKey(machine identity.Secret) (secret.Bytes, error) {
	raw := machine.Expose()
	defer secret.Wipe(raw)
	key, err := hkdf.Key(sha256.New, raw, w.Salt, "falloff/v1/vault", KeySize)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("deriving the vault's wrapping key: %w", err)
	}
	return secret.Own(key), nil
}

// sealUnder wraps the master key under another, and wipes that.
func (w wrapping) sealUnder(vault string, master, key secret.Bytes) (body []byte, err error) {
	defer key.Wipe()
	err = withCipher(key, func(c *subtle.AESGCM) (err error) {
		master.Borrow(func(content []byte) { body, err = c.Encrypt(content, w.associated(vault)) })
		return err
	})
	return body, err
}

func (w wrapping) openUnder(vault string, key secret.Bytes) (master secret.Bytes, err error) {
	defer key.Wipe()
	err = withCipher(key, func(c *subtle.AESGCM) error {
		plain, err := c.Decrypt(w.Body, w.associated(vault))
		if err == nil && len(plain) != KeySize {
			err = errors.New("it has another length")
		}
		if err == nil {
			master = secret.Own(plain)
		}
		return err
	})
	return master, err
}

func fingerprint(machine identity.Secret) string {
	raw := append([]byte("falloff machine key "), machine.Expose()...)
	defer secret.Wipe(raw)
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:6])
}
