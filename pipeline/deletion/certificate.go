package deletion

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Certificate says what was deleted of a clinic, and how that was verified. It holds nothing of a patient.
type Certificate struct {
	Format      int           `json:"format"`
	ID          string        `json:"id"`
	Clinic      lake.ClinicID `json:"clinic"`
	Lake        string        `json:"lake"`
	StartedAt   time.Time     `json:"started_at"`
	EndedAt     time.Time     `json:"ended_at"`
	RequestedBy string        `json:"requested_by"`
	// Stores are the lake and its backups.
	Stores []StoreDeleted `json:"stores"`
	// Scratch counts files that killed writers had left half-written, LocalFiles those that this machine kept of the clinic.
	Scratch    int `json:"half_written_files,omitempty"`
	LocalFiles int `json:"local_files"`
	// CachedObjects and CachedBytes are what this machine's cache of a distant lake had.
	CachedObjects int   `json:"cached_objects"`
	CachedBytes   int64 `json:"cached_bytes"`
	// KeysDestroyed says that the vault has no key of the clinic any more; Samples are sealed bytes from before, which nothing in it
	// opens.
	KeysDestroyed bool     `json:"keys_destroyed"`
	Samples       []Sample `json:"samples_that_do_not_open"`
	// KMS is the clinic's key in AWS KMS, nil where there was none to be scheduled.
	KMS *KMSKey `json:"kms_key,omitempty"`
	// Stays is what was not deleted, and why.
	Stays []string `json:"stays"`
}

const certificateFormat = 1

// StoreDeleted is what was deleted of one store. Objects counts versions and markers of deletions too.
type StoreDeleted struct {
	Kind            string           `json:"kind"`
	Store           string           `json:"store"`
	Prefix          string           `json:"prefix"`
	Objects         int              `json:"objects"`
	Bytes           int64            `json:"bytes"`
	EarlierVersions int              `json:"earlier_versions"`
	ByKind          map[string]Count `json:"by_kind"`
	// LeftObjects and LeftVersions are what a list found at the end.
	LeftObjects  int `json:"left_objects"`
	LeftVersions int `json:"left_versions"`
}

// Count counts objects.
type Count struct {
	Objects int   `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

// Sample is sealed bytes that were kept aside and tried.
type Sample struct {
	Of    string `json:"of"`
	Bytes int    `json:"bytes"`
}

// KMSKey is a key in AWS KMS and the date on which it goes.
type KMSKey struct {
	Key       string    `json:"key"`
	DeletedOn time.Time `json:"deleted_on,omitzero"`
	// Refused stands in certificates of versions that certified without the key where KMS refused.
	Refused string `json:"refused,omitempty"`
}

func stays(clinic lake.ClinicID) []string {
	return []string{
		"agreements/" + string(clinic) + "/: who accepted the agreement, and its text",
		"deletions/" + string(clinic) + "/: this certificate",
		"barred/" + string(clinic) + "/: that the clinic was deleted, so that its id is not used again",
		"audit/: who did what, with the clinic's id and no pseudonym",
		"caches of other machines that read the lake: sealed under keys that were destroyed here, cleared by the next command there that names the clinic",
		"copies that somebody made of the vault, or of the clinic's keys with an export, before the deletion still hold the keys: destroy those too",
	}
}

// Signed is a certificate with its signature.
type Signed struct {
	Certificate
	// Raw is what is signed, Signature Ed25519 in Tink's form, PublicKey a Tink keyset in JSON.
	Raw       []byte
	Signature []byte
	PublicKey []byte
}

// envelope is how a certificate is stored. The signed bytes are a text in it, so that nobody needs to know how JSON is made
// canonical.
type envelope struct {
	Certificate string          `json:"certificate"`
	Algorithm   string          `json:"algorithm"`
	Signature   []byte          `json:"signature"`
	PublicKey   json.RawMessage `json:"public_key"`
}

const signedAs = "falloff certificate of deletion v1\n"

func (c *Certificate) sign(ctx context.Context, keys Keys) ([]byte, error) {
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, err
	}
	signature, public, err := keys.Sign(ctx, append([]byte(signedAs), raw...))
	if err != nil {
		return nil, fmt.Errorf("signing the certificate: %w", err)
	}
	body, err := json.MarshalIndent(envelope{string(raw), "Ed25519 (Tink)", signature, public}, "", "  ")
	return append(body, '\n'), err
}

// ErrNotGenuine says that a certificate is not as it was signed.
var ErrNotGenuine = errors.New("the certificate is not as it was signed")

// Parse reads a stored certificate and checks its signature against the key that came with it. Whose key that is, Parse does not
// know: compare PublicKey with the one that the installation has published.
func Parse(body []byte) (*Signed, error) {
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, fmt.Errorf("%w: it cannot be read", ErrNotGenuine)
	}
	var public bytes.Buffer
	if err := json.Compact(&public, e.PublicKey); err != nil {
		return nil, fmt.Errorf("%w: it has no public key", ErrNotGenuine)
	}
	s := &Signed{Raw: []byte(e.Certificate), Signature: e.Signature, PublicKey: public.Bytes()}
	verifier, err := vault.Verifier(s.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotGenuine, err)
	}
	if err := verifier.Verify(s.Signature, append([]byte(signedAs), s.Raw...)); err != nil {
		return nil, fmt.Errorf("%w: its signature does not fit", ErrNotGenuine)
	}
	if err := json.Unmarshal(s.Raw, &s.Certificate); err != nil || s.Format != certificateFormat {
		return nil, fmt.Errorf("%w: it is of a format that this program does not know", ErrNotGenuine)
	}
	return s, nil
}

// Fingerprint names a public key.
func Fingerprint(public []byte) string {
	var compact bytes.Buffer
	if json.Compact(&compact, public) != nil {
		return ""
	}
	return sumOf(compact.Bytes())
}

func sumOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// Text is the certificate for a person.
func (s *Signed) Text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("CERTIFICATE OF DELETION %s", s.ID)
	line("")
	line("Clinic:        %s", s.Clinic)
	line("Asked for by:  %s", s.RequestedBy)
	line("Begun, ended:  %s, %s (UTC)", s.StartedAt.Format("2006-01-02 15:04:05"), s.EndedAt.Format("2006-01-02 15:04:05"))
	line("")
	line("Deleted")
	for _, d := range s.Stores {
		line("  %s %s, everything under %s: %d objects, %d bytes; %d of them earlier versions or markers", d.Kind, d.Store, d.Prefix, d.Objects, d.Bytes, d.EarlierVersions)
		for _, kind := range slices.Sorted(maps.Keys(d.ByKind)) {
			line("    %-10s %6d objects, %d bytes", kind, d.ByKind[kind].Objects, d.ByKind[kind].Bytes)
		}
	}
	line("  this machine: %d files kept of the clinic, %d half-written ones", s.LocalFiles, s.Scratch)
	line("  this machine's cache: %d objects, %d bytes", s.CachedObjects, s.CachedBytes)
	line("  the vault: every key of the clinic, and its portal credentials")
	line("")
	line("Verified")
	for _, d := range s.Stores {
		line("  a list of %s in %s at the end: %d objects, %d versions", d.Prefix, d.Store, d.LeftObjects, d.LeftVersions)
	}
	line("  the vault holds no key of the clinic: %t", s.KeysDestroyed)
	for _, sample := range s.Samples {
		line("  %s (%d bytes), kept aside: no key that is left opens it", sample.Of, sample.Bytes)
	}
	if s.KMS != nil {
		if s.KMS.Refused != "" {
			line("  the key %s in AWS KMS is NOT scheduled for deletion: %s", s.KMS.Key, s.KMS.Refused)
		} else {
			line("  the key %s in AWS KMS is scheduled for deletion on %s", s.KMS.Key, s.KMS.DeletedOn.Format("2006-01-02"))
		}
	}
	line("")
	line("Stays")
	for _, what := range s.Stays {
		line("  %s", what)
	}
	line("")
	line("Signed with Ed25519 by the key with the fingerprint %s.", Fingerprint(s.PublicKey))
	return b.String()
}
