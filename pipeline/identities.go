package pipeline

import (
	"context"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"

	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// IdentityMode says whether a clinic shows first names to those who may see them.
type IdentityMode string

// The modes.
const (
	// Privacy is the default: nothing but pseudonyms is stored.
	Privacy IdentityMode = "privacy"
	// Recovery stores first names and identifiers too, apart, under a key of their own.
	Recovery IdentityMode = "recovery"
)

// identitiesCipher seals the objects of the dataset identities, each bound to its name.
type identitiesCipher struct {
	clinic string
	aead   *subtle.AESGCM
}

func (c identitiesCipher) about(name string) []byte {
	return []byte("falloff identities v1 " + c.clinic + " " + name)
}

func (c identitiesCipher) Seal(plain []byte, name string) ([]byte, error) {
	return c.aead.Encrypt(plain, c.about(name))
}

func (c identitiesCipher) Open(stored []byte, name string) ([]byte, error) {
	plain, err := c.aead.Decrypt(stored, c.about(name))
	if err != nil {
		return nil, fmt.Errorf("%w: it was not sealed with this key, or changed since", lake.ErrDamaged)
	}
	return plain, nil
}

// identitiesSealer is what seals a clinic's identities, nil in privacy mode.
func identitiesSealer(ctx context.Context, v *vault.Vault, clinic string) (map[string]lake.Sealer, error) {
	key, err := v.IdentitiesKey(ctx, clinic)
	if errors.Is(err, vault.ErrNoIdentitiesKey) || errors.Is(err, vault.ErrNoKeys) {
		return nil, nil //nolint:nilnil // no identities, no key
	}
	if err != nil {
		return nil, keyed(err)
	}
	aead, err := subtle.NewAESGCM(key.Expose())
	if err != nil {
		return nil, fmt.Errorf("preparing the key of the identities: %w", err)
	}
	return map[string]lake.Sealer{contract.Identities: identitiesCipher{clinic, aead}}, nil
}

// Mode is the clinic's identity mode as this machine's vault has it.
func (s *Site) Mode() IdentityMode {
	if s.recovery {
		return Recovery
	}
	return Privacy
}

// EnterRecovery makes the key of the clinic's identities. From the next run or import on they are stored.
func (s *Site) EnterRecovery(ctx context.Context) (changed bool, err error) {
	changed, err = s.Vault.MakeIdentitiesKey(ctx, string(s.Clinic.ID()))
	return changed, keyed(err)
}

// identitiesHold keeps a clinic from leaving recovery mode while names are on their way into its lake. One that holds
// nothing is fine to use, where no names are.
type identitiesHold struct {
	tenure *tenure
	lost   context.CancelCauseFunc
}

// holdIdentities takes the clinic's lease where an ingest brings names, and makes sure that the key is still there with
// which they will be sealed.
func (s *Site) holdIdentities(ctx context.Context, o IngestOptions) (identitiesHold, error) {
	if !o.Identities {
		return identitiesHold{}, nil
	}
	working, lost := context.WithCancelCause(ctx)
	held, err := s.take(working, s.tenantDoing("an import"), lost)
	if err != nil {
		lost(nil)
		return identitiesHold{}, err
	}
	hold := identitiesHold{held, lost}
	key, err := s.Vault.IdentitiesKey(ctx, string(s.Clinic.ID()))
	key.Wipe()
	if errors.Is(err, vault.ErrNoIdentitiesKey) || errors.Is(err, vault.ErrNoKeys) {
		err = refused("", errors.New("the clinic has left recovery mode meanwhile: import again, without first names"))
	}
	if err != nil {
		hold.release(ctx)
		return identitiesHold{}, keyed(err)
	}
	return hold, nil
}

func (h identitiesHold) still(ctx context.Context) error {
	if h.tenure == nil {
		return nil
	}
	return h.tenure.check(ctx)
}

func (h identitiesHold) release(ctx context.Context) {
	if h.tenure != nil {
		h.tenure.release(ctx)
		h.lost(nil)
	}
}

// EnterPrivacy erases the clinic's identities for good: out of the newest commit, with their key, and every object of them in
// every snapshot. It says how many objects went. No run is at work meanwhile; what an unfinished run had staged goes too.
// Called again after a failure it goes on.
func (s *Site) EnterPrivacy(ctx context.Context) (erased int, err error) {
	working, lost := context.WithCancelCause(removing(ctx))
	defer lost(nil)
	held, err := s.take(working, s.tenantDoing("the erasure of identities"), lost)
	if err != nil {
		return 0, err
	}
	defer held.release(ctx)
	fail := func(err error) (int, error) { return erased, storage("erasing the identities", err) }
	head, err := s.Clinic.Head(working)
	if err != nil && !errors.Is(err, lake.ErrNoCommit) {
		return fail(err)
	}
	if head != nil {
		if _, err := s.Clinic.Update(working, Access, func(ctx context.Context, tx *lake.Tx) error {
			if err := held.check(ctx); err != nil {
				return err
			}
			if _, live := tx.Head().Datasets[contract.Identities]; !live {
				return lake.ErrUnchanged
			}
			tx.DropDataset(contract.Identities)
			return tx.SetSource(dataSource, dataCommit(tx.Head()))
		}); err != nil {
			return fail(err)
		}
	}
	if _, err := s.Vault.DestroyIdentitiesKey(working, string(s.Clinic.ID())); err != nil && !errors.Is(err, vault.ErrNoKeys) {
		return erased, keyed(err)
	}
	s.recovery = false
	if err := s.Clinic.Unstage(working, ""); err != nil {
		return fail(err)
	}
	if err := recordOf[extractionRecord](s, extractionRegister, "discarding an unfinished run").change(working, func(r *extractionRecord) error {
		if r.Run == "" {
			return errAsItIs
		}
		*r = extractionRecord{}
		return nil
	}); err != nil {
		return erased, err
	}
	if head != nil {
		if erased, err = s.Clinic.EraseDataset(working, contract.Identities); err != nil {
			return fail(err)
		}
	}
	left, err := s.Clinic.HoldsDataset(working, contract.Identities)
	if err == nil && left {
		err = errors.New("objects of identities are still there: somebody wrote them meanwhile. Run it again")
	}
	if err != nil {
		return fail(err)
	}
	return erased, nil
}
