package pipeline

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/backup"
	"github.com/falloff-analytics/falloff/pipeline/deletion"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// DeleteOptions say what to delete, beside what SiteOptions say.
type DeleteOptions struct {
	// Backups are the stores of backups, by the location that names them.
	Backups map[string]lake.Store
	// By asks for it; Record makes the audit records of the beginning and the end.
	By     string
	Record func(ctx context.Context, id string, ended *deletion.Certificate, sha256 string) error
	// KMS schedules the deletion of the clinic's key in AWS KMS; nil for none.
	KMS      deletion.KMS
	Progress Progress
}

// Delete deletes a clinic from its lake, its backups, this machine and the vault, and gives the certificate. It refuses with a
// *BusyError while a run or a backup is at work. Cut short anywhere, it is gone on with by calling again.
func Delete(ctx context.Context, o SiteOptions, store lake.Store, d DeleteOptions) (*deletion.Signed, error) {
	id, err := lake.ParseClinicID(o.Clinic)
	if err != nil {
		return nil, err
	}
	v, err := OpenVault(ctx, o)
	if err != nil {
		return nil, err
	}
	job := &deletion.Job{
		Clinic: id, Lake: store, Backups: d.Backups, Local: localFiles(v, id), Keys: clinicKeys{v, string(id)}, KMS: d.KMS, By: d.By, Now: o.Now,
		Record: d.Record, Wait: func(ctx context.Context) error { return pauseFor(ctx, time.Second) }, Progress: d.Progress.Counted("delete"),
	}
	if o.Cache != nil {
		job.ForgetCached = func() (int, int64, error) {
			gone, err := o.Cache.Forget(o.Clinic)
			return gone.Entries, gone.Bytes, err
		}
	}
	if job.Now == nil {
		job.Now = time.Now
	}
	if done, err := deletion.Ended(ctx, store, id); err != nil {
		return nil, storage("deleting clinic "+o.Clinic, err)
	} else if done == nil {
		if err := idle(ctx, store, id, job.Now); err != nil {
			return nil, err
		}
		begun, err := job.Bar(ctx)
		if errors.Is(err, deletion.ErrNothing) {
			return nil, refused("deleting", err)
		}
		if err != nil {
			return nil, storage("deleting clinic "+o.Clinic, err)
		}
		// A run that began between is seen now, and none begins any more.
		if err := idle(ctx, store, id, job.Now); err != nil {
			if begun {
				err = errors.Join(err, job.Unbar(ctx))
			}
			return nil, err
		}
	}
	certificate, err := job.Run(ctx)
	return certificate, storage("deleting clinic "+o.Clinic, err)
}

// pauseFor waits, or until the context ends.
func pauseFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// idle returns a *BusyError if a run or a backup holds the clinic. A lease that has expired, or whose process has ended on this
// machine, is nobody's.
func idle(ctx context.Context, store lake.Store, id lake.ClinicID, now func() time.Time) error {
	clinic, err := lake.Open(store, id, lake.Options{})
	if err != nil {
		return err
	}
	for _, register := range []string{leaseRegister, backupRegister} {
		rec := recordOf[Lease](&Site{Clinic: clinic}, register, "looking whether anybody is at work on the clinic")
		held, version, err := rec.read(ctx)
		if err != nil {
			return err
		}
		t := thisProcess(now)
		if held.Holder == "" || t.machine != "" && held.Machine == t.machine && held.PID != t.pid && t.gone(held.PID) {
			continue
		}
		if err := outlived(ctx, rec, held, version, now()); err != nil {
			return err
		}
	}
	return nil
}

// localFiles are what this machine keeps of a clinic beside the vault.
func localFiles(v *vault.Vault, id lake.ClinicID) []string {
	return []string{filepath.Join(filepath.Dir(v.Paths().Vault), "profiles", string(id)+".sealed")}
}

// clinicKeys are the vault as a deletion needs it.
type clinicKeys struct {
	vault  *vault.Vault
	clinic string
}

// samplePurpose is what a deletion's sample is sealed for.
const samplePurpose = "deletion-sample"

func (k clinicKeys) Sample(ctx context.Context) ([]byte, error) {
	seal, err := k.vault.AEAD(ctx, k.clinic, samplePurpose)
	if err != nil {
		return nil, err
	}
	return seal.Encrypt([]byte("it opened before the deletion"), nil)
}

func (k clinicKeys) Opens(ctx context.Context, sealed []byte) (bool, error) {
	return k.vault.Opens(ctx, k.clinic, samplePurpose, sealed, nil)
}

func (k clinicKeys) OpensBackup(ctx context.Context, name string, sealed []byte) (bool, error) {
	return k.vault.Opens(ctx, k.clinic, "", sealed, backup.About(name))
}

func (k clinicKeys) OpensCommit(ctx context.Context, number int64, sealed []byte) (bool, error) {
	left, err := k.vault.AllLakeKeys(ctx)
	if err != nil {
		return false, err
	}
	keys, err := lake.NewKeys(left...)
	if err != nil {
		return false, err
	}
	return lake.OpensCommit(keys, lake.ClinicID(k.clinic), number, sealed), nil
}

func (k clinicKeys) Known(ctx context.Context) (bool, error) { return k.vault.Knows(ctx, k.clinic) }

func (k clinicKeys) Destroy(ctx context.Context) error {
	_, err := k.vault.DestroyClinic(ctx, k.clinic)
	return err
}

func (k clinicKeys) Sign(ctx context.Context, text []byte) (signature, public []byte, err error) {
	signer, public, err := k.vault.Signer(ctx)
	if err != nil {
		return nil, nil, err
	}
	signature, err = signer.Sign(text)
	return signature, public, err
}

// VerifyCertificate says whether a stored certificate is as it was signed; against says by which key, as Tink JSON or its
// fingerprint, empty for the one that came with it; and where the lake is given, that nothing has come back.
func VerifyCertificate(ctx context.Context, body []byte, against string, store lake.Store) (*deletion.Signed, error) {
	signed, err := deletion.Parse(body)
	if err != nil {
		return nil, refused("verifying the certificate", err)
	}
	is := deletion.Fingerprint(signed.PublicKey)
	if against != "" && against != is && deletion.Fingerprint([]byte(against)) != is {
		return nil, refused("verifying the certificate", fmt.Errorf("%w by that key, but by the one with the fingerprint %s", deletion.ErrNotGenuine, is))
	}
	if store == nil {
		return signed, nil
	}
	for t, err := range lake.Everything(ctx, store, lake.Prefix(signed.Clinic)) {
		if err != nil {
			return nil, storage("looking whether anything has come back", err)
		}
		return nil, refused("verifying the certificate", fmt.Errorf("it is genuine, but %s lies in %s now: something has written there since", t.Name, store))
	}
	return signed, nil
}
