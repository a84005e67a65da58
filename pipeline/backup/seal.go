package backup

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/falloff-analytics/falloff/transforms/secret"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Errors that a caller decides on.
var (
	// ErrNone says that the store holds no whole backup of the clinic.
	ErrNone = errors.New("there is no backup")
	// ErrOtherKeys says that what is there was sealed under keys that this vault does not have.
	ErrOtherKeys = errors.New("it was made with other keys than this vault has")
	// ErrDamaged says that bytes are not what they were when they were backed up.
	ErrDamaged = errors.New("damaged")
)

// Keys are those of a clinic's backups. They belong to one clinic: what is sealed for another does not open.
type Keys struct {
	Seal  tink.AEAD
	Names secret.Bytes
}

// Root is what the names of all backups begin with.
const Root = "backups/"

// Place is one clinic's backups in a store.
type Place struct {
	store  lake.Store
	clinic lake.ClinicID
	keys   Keys
}

// At is a clinic's place in a store; it does no request.
func At(store lake.Store, clinic lake.ClinicID, keys Keys) Place { return Place{store, clinic, keys} }

// Prefix is what the names of all objects of a clinic's backups begin with.
func Prefix(clinic lake.ClinicID) string { return Root + string(clinic) + "/" }

func (p Place) name(rest string) string { return Prefix(p.clinic) + rest }

const (
	objects        = "objects/"
	manifests      = "manifests/"
	manifestDigits = 12
)

func (p Place) manifestName(number int64) string {
	return p.name(fmt.Sprintf("%s%0*d", manifests, manifestDigits, number))
}

var hashText = base32.StdEncoding.WithPadding(base32.NoPadding)

// objectName is where the bytes of a lake's object lie in the backup.
func (p Place) objectName(lakeName, sum string) string {
	var mac []byte
	p.keys.Names.Borrow(func(key []byte) {
		h := hmac.New(sha256.New, key)
		_, _ = h.Write([]byte(lakeName + "\x00" + sum))
		mac = h.Sum(nil)
	})
	return p.name(objects + strings.ToLower(hashText.EncodeToString(mac)))
}

// sumOf is the SHA-256 of bytes, in hexadecimal.
func sumOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func about(name string) []byte { return []byte("falloff backup object v1 " + name) }

// open reads an object of the backup and unseals it.
func (p Place) open(ctx context.Context, name string) ([]byte, error) {
	stored, err := p.store.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	body, err := p.keys.Seal.Decrypt(stored, about(name))
	if err != nil {
		return nil, fmt.Errorf("object %s of the backup in %s is %w, or %w", name, p.store, ErrDamaged, ErrOtherKeys)
	}
	return body, nil
}

// put seals and writes an object, and reads it back. One of that name that is there and is not whole is replaced.
func (p Place) put(ctx context.Context, name string, body []byte) error {
	sealed, err := p.keys.Seal.Encrypt(body, about(name))
	if err != nil {
		return fmt.Errorf("seal %s: %w", name, err)
	}
	for attempt := 1; ; attempt++ {
		if err := p.store.Create(ctx, name, sealed); err != nil && !errors.Is(err, lake.ErrExists) {
			return err
		}
		same, err := p.holds(ctx, name, body)
		if err != nil || same {
			return err
		}
		if attempt == 2 {
			return fmt.Errorf("object %s of the backup in %s is %w right after it was written: the store cannot be relied on", name, p.store, ErrDamaged)
		}
		if err := p.store.Delete(ctx, name); err != nil {
			return err
		}
	}
}

// holds says whether an object of the backup is there with these bytes.
func (p Place) holds(ctx context.Context, name string, body []byte) (bool, error) {
	got, err := p.open(ctx, name)
	switch {
	case errors.Is(err, lake.ErrNotFound), errors.Is(err, ErrDamaged):
		return false, nil
	case err != nil:
		return false, err
	}
	return bytes.Equal(got, body), nil
}

// Numbers lists the numbers of the backups of a clinic that are in a store, in order.
func Numbers(ctx context.Context, store lake.Store, clinic lake.ClinicID) ([]int64, error) {
	return At(store, clinic, Keys{}).numbers(ctx)
}

// numbers lists the numbers of the manifests that are there, in order.
func (p Place) numbers(ctx context.Context) ([]int64, error) {
	var out []int64
	for name, err := range p.store.List(ctx, p.name(manifests), "") {
		if err != nil {
			return nil, err
		}
		if n, err := strconv.ParseInt(strings.TrimPrefix(name, p.name(manifests)), 10, 64); err == nil && n > 0 && p.manifestName(n) == name {
			out = append(out, n)
		}
	}
	return out, nil
}

func pack(body []byte) ([]byte, error) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(body)
	err = errors.Join(err, w.Close())
	return out.Bytes(), err
}

// maxManifest bounds what a manifest is unpacked to.
const maxManifest = 1 << 30

func unpack(packed []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, maxManifest))
}

// About is what an object of a backup is bound to, beside its clinic.
func About(name string) []byte { return about(name) }
