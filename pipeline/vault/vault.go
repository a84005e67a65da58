// Package vault keeps the keys of clinics and the credentials of their portals in one encrypted file.
//
// The file, vault.json in the configuration folder, is sealed with AES-256-GCM under a random master key; the master key
// is wrapped by exactly one of three: a passphrase (argon2id), a key in AWS KMS, or a random key in a file of this machine,
// which is what is used where nobody said anything else. A clinic has in it
//
//   - the chain of keys behind its pseudonyms and object names (see package identity),
//   - the keys that its lakes are encrypted under,
//   - a Tink keyset for what is stored on this machine between runs: browser profile, staged rows, caches,
//   - the key of its identities, while it is in recovery mode,
//   - the keys of its backups,
//   - the portal's address, account, password and TOTP secret.
//
// Beside the clinics it holds the key with which this installation signs certificates of deletion, and the keys of its server's
// audit chain.
//
// What that protects against: somebody who gets the lake, or the lake and the vault without passphrase, KMS key or key
// file, can neither turn a pseudonym back by guessing nor join clinics nor sign in. What it does not: somebody who is this
// user, or root, on this machine while a run is going on; and an older copy of the file put in the place of the present one
// opens as it did then.
//
// Each call reads the file, takes out what it was asked for and wipes the rest; only the master key stays in memory, until
// Close. Several processes may use one vault at once.
package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"

	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/secret"
)

// KeySize is the length of machine, master and clinic keys in bytes.
const KeySize = identity.KeySize

// ErrNoVault says that there is no vault file.
var ErrNoVault = errors.New("there is no vault")

// Options say where the vault lies and what opens it.
type Options struct {
	// ConfigDir and KeyFile are as DefaultPaths takes them.
	ConfigDir, KeyFile string
	Unlock             Unlock
	// Now dates credentials; nil is time.Now.
	Now func() time.Time
	// Random makes keys; nil is crypto/rand.
	Random io.Reader
}

// Vault is an opened vault. Its methods may be called from several goroutines.
type Vault struct {
	paths  Paths
	unlock Unlock
	now    func() time.Time
	random io.Reader

	mu sync.Mutex
	// master is the key that opens the file as long as its wrapping has this digest.
	master   secret.Bytes
	wrapping [sha256.Size]byte
}

// Open opens the vault, asking what Unlock says for the passphrase where there is one to be opened. A vault that is not
// there yet is made by the first call that stores something.
func Open(ctx context.Context, o Options) (*Vault, error) {
	paths, err := DefaultPaths(o.ConfigDir, o.KeyFile)
	if err != nil {
		return nil, err
	}
	v := &Vault{paths: paths, unlock: o.Unlock, now: o.Now, random: o.Random}
	if v.now == nil {
		v.now = time.Now
	}
	if v.random == nil {
		v.random = rand.Reader
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	p, err := v.load(ctx)
	if err != nil && !errors.Is(err, ErrNoVault) {
		return nil, err
	}
	p.wipe()
	return v, nil
}

// Close wipes the master key.
func (v *Vault) Close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.master.Wipe()
	v.wrapping = [sha256.Size]byte{}
}

// Paths says where its files lie.
func (v *Vault) Paths() Paths { return v.paths }

// Kind says what wraps the vault's master key, or would wrap that of a new one.
func (v *Vault) Kind() (Kind, error) {
	f, err := readFile(v.paths.Vault)
	if errors.Is(err, ErrNoVault) {
		return v.unlock.kindForNew(), nil
	}
	if err != nil {
		return "", err
	}
	return f.Wrapping.Kind, nil
}

// file is vault.json.
type file struct {
	Format int `json:"format"`
	// ID is random and stays for the vault's life; a KMS key is told it with every request.
	ID       string   `json:"id"`
	Cipher   string   `json:"cipher"`
	Wrapping wrapping `json:"wrapping"`
	Payload  []byte   `json:"payload"`
}

const fileFormat = 3

func readFile(path string) (*file, error) {
	body, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w at %s", ErrNoVault, path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the vault: %w", err)
	}
	if err := checkMode("the vault", path); err != nil {
		return nil, err
	}
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(body, &head); err != nil {
		return nil, fmt.Errorf("the vault %s is damaged: restore it from your copy", path)
	}
	if head.Format > fileFormat {
		return nil, fmt.Errorf("the vault %s has format %d, this program knows %d: use a newer falloff", path, head.Format, fileFormat)
	}
	f := new(file)
	if err := json.Unmarshal(body, f); err != nil || f.Format < 1 {
		return nil, fmt.Errorf("the vault %s is damaged: restore it from your copy", path)
	}
	return f, nil
}

// associated binds the payload to its vault and to the wrapping that it is stored with.
func (f *file) associated() []byte {
	digest := f.Wrapping.digest()
	return []byte("falloff vault payload v1|" + f.ID + "|" + hex.EncodeToString(digest[:]))
}

// load reads and opens the file. The caller holds mu and wipes the payload.
func (v *Vault) load(ctx context.Context) (*payload, error) {
	f, err := readFile(v.paths.Vault)
	if err != nil {
		return nil, err
	}
	if err := v.unlockFile(ctx, f); err != nil {
		return nil, err
	}
	return v.openPayload(f)
}

// unlockFile sees to it that master opens the file.
func (v *Vault) unlockFile(ctx context.Context, f *file) error {
	if digest := f.Wrapping.digest(); v.master.IsZero() || digest != v.wrapping {
		master, err := v.unlock.unwrap(ctx, f.ID, f.Wrapping, v.paths)
		if err != nil {
			return err
		}
		v.master.Wipe()
		v.master, v.wrapping = master, digest
	}
	return nil
}

func (v *Vault) openPayload(f *file) (*payload, error) {
	var plain []byte
	err := withCipher(v.master, func(c *subtle.AESGCM) (err error) {
		plain, err = c.Decrypt(f.Payload, f.associated())
		return err
	})
	defer secret.Wipe(plain)
	if err != nil {
		return nil, fmt.Errorf("the vault %s is damaged, or was changed by somebody who cannot open it: restore it from your copy", v.paths.Vault)
	}
	p := new(payload)
	if err := json.Unmarshal(plain, p); err != nil {
		return nil, fmt.Errorf("the vault %s holds what this program cannot read: use the version of falloff that wrote it, or a newer one", v.paths.Vault)
	}
	return p, nil
}

func withCipher(key secret.Bytes, use func(c *subtle.AESGCM) error) (err error) {
	key.Borrow(func(content []byte) {
		var c *subtle.AESGCM
		if c, err = subtle.NewAESGCM(content); err == nil {
			err = use(c)
		}
	})
	return err
}

// read calls use with what the vault holds of a clinic, nil where it holds nothing. What use keeps it must copy.
func (v *Vault) read(ctx context.Context, clinic string, use func(c *clinicSecrets) error) error {
	return v.readAll(ctx, func(p *payload) error { return use(p.Clinics[clinic]) })
}

// readAll calls use with everything that the vault holds.
func (v *Vault) readAll(ctx context.Context, use func(p *payload) error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	p, err := v.load(ctx)
	if errors.Is(err, ErrNoVault) {
		p, err = new(payload), nil
	}
	if err != nil {
		return err
	}
	defer p.wipe()
	return use(p)
}

// errUnchanged leaves the file as it is.
var errUnchanged = errors.New("nothing to store")

// change calls plan with what the vault holds and stores what it made of it, all of it or nothing. No other process
// changes the vault meanwhile.
func (v *Vault) change(ctx context.Context, plan func(p *payload) error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	f, err := v.ready(ctx)
	if err != nil {
		return err
	}
	return v.locked(func() error {
		// Another process may have made or changed the file between.
		if now, err := readFile(v.paths.Vault); err == nil {
			f = now
		} else if !errors.Is(err, ErrNoVault) {
			return err
		}
		p := new(payload)
		if f.Payload != nil {
			if err := v.unlockFile(ctx, f); err != nil {
				return err
			}
			if p, err = v.openPayload(f); err != nil {
				return err
			}
		}
		defer p.wipe()
		if err := plan(p); err != nil {
			if errors.Is(err, errUnchanged) {
				return nil
			}
			return err
		}
		return v.store(f, p)
	})
}

// ready gives the file as it is, opened, or a new one that is not stored yet. People are asked here, before others are
// locked out.
func (v *Vault) ready(ctx context.Context) (*file, error) {
	f, err := readFile(v.paths.Vault)
	if err == nil {
		return f, v.unlockFile(ctx, f)
	}
	if !errors.Is(err, ErrNoVault) {
		return nil, err
	}
	id := make([]byte, 16)
	if _, err := io.ReadFull(v.random, id); err != nil {
		return nil, fmt.Errorf("making a vault: %w", err)
	}
	f = &file{Format: 1, ID: hex.EncodeToString(id), Cipher: "AES-256-GCM"}
	return f, v.rewrap(ctx, f, v.unlock)
}

// rewrap gives the file a new master key, wrapped as to says.
func (v *Vault) rewrap(ctx context.Context, f *file, to Unlock) error {
	raw := make([]byte, KeySize)
	if _, err := io.ReadFull(v.random, raw); err != nil {
		return fmt.Errorf("making the vault's master key: %w", err)
	}
	master := secret.Own(raw)
	w, err := to.wrap(ctx, f.ID, master, v.paths, v.random)
	if err != nil {
		master.Wipe()
		return err
	}
	f.Wrapping = w
	v.master.Wipe()
	v.master, v.wrapping = master, w.digest()
	return nil
}

// locked keeps other processes from changing the vault meanwhile.
func (v *Vault) locked(do func() error) error {
	if err := os.MkdirAll(filepath.Dir(v.paths.Vault), 0o700); err != nil {
		return fmt.Errorf("keeping the vault: %w. Choose another place with --config-dir", err)
	}
	unlock, err := lockedfile.MutexAt(v.paths.Vault + ".lock").Lock()
	if err != nil {
		return fmt.Errorf("locking the vault against other processes: %w", err)
	}
	defer unlock()
	return do()
}

// store seals the payload and replaces the file by it.
func (v *Vault) store(f *file, p *payload) error {
	f.Format = p.format()
	plain, err := json.Marshal(p)
	if err != nil {
		return errors.New("encoding what the vault holds failed")
	}
	defer secret.Wipe(plain)
	if err := withCipher(v.master, func(c *subtle.AESGCM) (err error) {
		f.Payload, err = c.Encrypt(plain, f.associated())
		return err
	}); err != nil {
		return fmt.Errorf("sealing the vault: %w", err)
	}
	body, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("sealing the vault: %w", err)
	}
	if err := replaceFile(v.paths.Vault, append(bytes.TrimSpace(body), '\n')); err != nil {
		return fmt.Errorf("keeping the vault: %w", err)
	}
	return nil
}

// Rotate gives the vault a new master key, wrapped as to says, and every clinic a new primary key for what is stored on this
// machine, and for its lakes where they are encrypted. What was encrypted under the older ones can still be read, until dropOld
// takes those away; what is left under them then must be made anew. Backups get a new primary key as well. Backups and lakes keep
// their older keys in any case: a second store is not made anew, and a lake's past lies under them. Pseudonyms and object
// names stay: Prepare begins a rekey.
//
// Processes that have the vault open meanwhile are asked for the new passphrase, or fail.
func (v *Vault) Rotate(ctx context.Context, to Unlock, dropOld bool) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	p, err := v.load(ctx)
	if err != nil {
		return err
	}
	p.wipe()
	// The new passphrase is asked for before others are locked out.
	fresh, err := readFile(v.paths.Vault)
	if err != nil {
		return err
	}
	before, beforeWrapping := v.master, v.wrapping
	v.master = secret.Bytes{}
	restore := func() { v.master.Wipe(); v.master, v.wrapping = before, beforeWrapping }
	if err := v.rewrap(ctx, fresh, to); err != nil {
		restore()
		return err
	}
	next, nextWrapping := v.master, v.wrapping
	err = v.locked(func() error {
		v.master, v.wrapping = before, beforeWrapping
		p, err := v.load(ctx)
		if err != nil {
			return err
		}
		defer p.wipe()
		for _, c := range p.Clinics {
			if err := c.rotateData(dropOld); err != nil {
				return err
			}
			if len(c.Lake) > 0 {
				if err := v.addLakeKey(c); err != nil {
					return err
				}
			}
			if err := c.rotateBackup(); err != nil {
				return err
			}
		}
		if len(p.AuditData) > 0 {
			// None is dropped: a server may have records under the older ones that are not in the lake yet.
			fresh, err := rotated(p.AuditData)
			if err != nil {
				return err
			}
			secret.Wipe(p.AuditData)
			p.AuditData = fresh
		}
		before, beforeWrapping = v.master, v.wrapping // another process may have rotated between
		v.master, v.wrapping = next, nextWrapping
		return v.store(fresh, p)
	})
	if err != nil {
		v.master, v.wrapping = next, nextWrapping
		restore()
		return err
	}
	before.Wipe()
	v.unlock = to
	return nil
}
