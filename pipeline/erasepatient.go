package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/backup"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/transforms/normalise"
	"github.com/falloff-analytics/falloff/transforms/secret"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/iceberg"
)

// ErasePatientOptions say whom to erase: by a pseudonym, or by the source's own id of the patient.
type ErasePatientOptions struct {
	Pseudonym string
	SourceID  secret.Bytes
	// Backups are the stores of backups, by the location that names them.
	Backups map[string]lake.Store
	// Record makes the audit records: of the beginning, and of the end with what was done. Patient is a keyed hash.
	Record   func(ctx context.Context, patient string, ended *ErasedPatient) error
	Progress Progress
}

// ErasedPatient says what an erasure did. Nothing in it tells who it was.
type ErasedPatient struct {
	*lake.PatientErased

	// Staged says that an unfinished run was discarded with what it had read.
	Staged bool `json:"staged_discarded"`
	// Backups are by location.
	Backups map[string]*backup.Erased `json:"backups"`
	// Proven counts the objects that were read again at the end, those of backups among them.
	Proven  int     `json:"searched_again"`
	Seconds float64 `json:"seconds"`
}

// erasureRecord is kept while an erasure is under way.
type erasureRecord struct {
	// Patient is the refusal of the newest pseudonym; empty where no erasure is under way.
	Patient string    `json:"patient,omitempty"`
	Begun   time.Time `json:"begun,omitzero"`
	// Backups are the locations that were named.
	Backups []string `json:"backups,omitempty"`
	// Commit is the one that the erasure has made.
	Commit int64 `json:"commit,omitempty"`
}

// erasingPatient is what a lease says of an erasure.
const erasingPatient = "the erasure of a patient"

// ErasePatient erases one patient from the clinic: from every dataset and mart of every commit, from what runs have staged, from
// identities and backups, and for good: a refusal stays, so that no later run or import brings the patient again. It refuses
// with a *BusyError while a run or a backup is at work. Cut short anywhere, it is gone on with by calling again with the same patient.
func (s *Site) ErasePatient(ctx context.Context, o ErasePatientOptions) (*ErasedPatient, error) {
	begun := s.clock()
	working, lost := context.WithCancelCause(removing(ctx))
	defer lost(nil)
	held, err := s.take(working, s.tenantDoing(erasingPatient), lost)
	if err != nil {
		return nil, err
	}
	defer held.release(ctx)
	// A backup made meanwhile could have the patient from before, and be none of those that are looked into.
	backups, err := s.takeBackups(working, s.tenantDoing(erasingPatient), lost)
	if err != nil {
		return nil, err
	}
	defer backups.release(ctx)
	out := &ErasedPatient{Backups: map[string]*backup.Erased{}}
	if err := s.erasePatient(working, o, out); err != nil {
		if cause := context.Cause(working); cause != nil && ctx.Err() == nil {
			err = cause
		}
		return nil, err
	}
	out.Seconds = s.clock().Sub(begun).Seconds()
	return out, nil
}

func (s *Site) erasePatient(ctx context.Context, o ErasePatientOptions, out *ErasedPatient) error {
	places, err := s.backupPlaces(ctx, o.Backups)
	if err != nil {
		return err
	}
	texts, err := s.pseudonymsOf(ctx, o, places)
	if err != nil {
		return err
	}
	patient := s.Keys.Refusal(texts[len(texts)-1])
	noted, err := s.beginErasure(ctx, patient, o)
	if err != nil {
		return err
	}
	hashes := make([]string, len(texts))
	for i, text := range texts {
		hashes[i] = s.Keys.Refusal(text)
		if err := s.Clinic.Refuse(ctx, hashes[i]); err != nil {
			return storage("erasing a patient", err)
		}
	}
	if out.Staged, err = s.discardStaged(ctx); err != nil {
		return err
	}
	out.PatientErased, err = s.Clinic.ErasePatient(ctx, lake.PatientErasure{
		Texts: texts, Fence: noted.Commit, Progress: o.Progress.Counted("erase"),
		Fenced: func(ctx context.Context, commit int64) error {
			return s.erasureRecord().change(ctx, func(r *erasureRecord) error {
				r.Commit = commit
				return nil
			})
		},
	})
	if err != nil {
		return storage("erasing a patient", err)
	}
	if follows, err := iceberg.Follows(ctx, s.Clinic); err != nil {
		return storage("looking for Iceberg tables", err)
	} else if follows {
		if _, err := s.Describe(ctx, iceberg.Options{Rebuild: true}); err != nil {
			return err
		}
	}
	for _, at := range slices.Sorted(maps.Keys(places)) {
		done, err := places[at].ErasePatient(ctx, texts, hashes, s.over, o.Progress.Counted("erase backup"))
		if err != nil {
			return storage("erasing a patient from the backups in "+at, err)
		}
		out.Backups[at] = done
		out.Proven += done.Proven
	}
	if s.cache != nil {
		// Other machines' caches are not read any more, since their names count erasures, and are cleared by lake gc there.
		if _, _, err := s.cache.Retain(func(string) bool { return false }, false); err != nil {
			return storage("clearing this machine's cache", err)
		}
	}
	proven, err := s.Clinic.ProveErased(ctx, texts)
	if err != nil {
		return storage("proving that the patient is erased", err)
	}
	out.Proven += proven
	if err := o.Record(ctx, patient, out); err != nil {
		return err
	}
	return s.erasureRecord().change(ctx, func(r *erasureRecord) error {
		*r = erasureRecord{}
		return nil
	})
}

// over is the clinic over another store that has the same objects, for reading and for rewriting them.
func (s *Site) over(ctx context.Context, store lake.Store) (*lake.Clinic, error) {
	sealed, err := identitiesSealer(ctx, s.Vault, string(s.Clinic.ID()))
	if err != nil {
		return nil, err
	}
	return lake.Open(store, s.Clinic.ID(), lake.Options{
		NamingKey: s.Keys.ObjectNames().Expose(), KeyVersion: s.Keys.Version, Sealed: sealed, Keys: s.atRest, Now: s.now,
	})
}

// backupPlaces are the clinic's backups in stores.
func (s *Site) backupPlaces(ctx context.Context, stores map[string]lake.Store) (map[string]backup.Place, error) {
	out := map[string]backup.Place{}
	if len(stores) == 0 {
		return out, nil
	}
	keys, err := s.Vault.BackupKeys(ctx, string(s.Clinic.ID()))
	if errors.Is(err, vault.ErrNoBackupKeys) {
		for at, store := range stores {
			for name, err := range store.List(ctx, backup.Prefix(s.Clinic.ID()), "") {
				if err != nil {
					return nil, storage("looking for backups", err)
				}
				return nil, &KeyError{Err: fmt.Errorf("%s holds %s, and the vault has no keys of the clinic's backups: restore the vault that made them from your copy", at, name)}
			}
		}
		return out, nil
	}
	if err != nil {
		return nil, keyed(err)
	}
	for at, store := range stores {
		out[at] = backup.At(store, s.Clinic.ID(), backup.Keys(keys))
	}
	return out, nil
}

// pseudonymsOf are the patient's pseudonyms of all versions that are known, the newest last.
func (s *Site) pseudonymsOf(ctx context.Context, o ErasePatientOptions, places map[string]backup.Place) ([]string, error) {
	if o.Pseudonym == "" {
		id, reason := normalise.Identifier(o.SourceID.Expose())
		if reason != "" {
			return nil, refused("", fmt.Errorf("what was given is no identifier of a patient: %s", reason.Explain()))
		}
		return s.Keys.Lineage(identity.Patient, string(id)), nil
	}
	version := identity.VersionOf(o.Pseudonym)
	if version == 0 || version > s.Keys.Version {
		return nil, refused("", fmt.Errorf("that is not a pseudonym of this clinic, which looks like p%d_ and 26 letters and digits: `falloff sql` shows them, and --guid takes the portal's own id", s.Keys.Version))
	}
	texts, err := s.ancestors(ctx, o.Pseudonym, version, places)
	if err != nil {
		return nil, err
	}
	for texts = append(texts, o.Pseudonym); version < s.Keys.Version; version++ {
		next, err := s.Keys.Next(identity.Patient, texts[len(texts)-1])
		if err != nil {
			return nil, err
		}
		texts = append(texts, next)
	}
	return texts, nil
}

// ancestors finds the pseudonyms of earlier versions that one was made of, where commits from before a rekey still have them. They
// cannot be computed: so those that there are, are tried.
func (s *Site) ancestors(ctx context.Context, pseudonym string, version int, places map[string]backup.Place) ([]string, error) {
	if version == 1 {
		return nil, nil
	}
	clinics := []*lake.Clinic{s.Clinic}
	for _, place := range places {
		views, err := place.Views(ctx)
		if err != nil {
			return nil, kinded("reading backups", err)
		}
		for _, view := range views {
			clinic, err := s.over(ctx, view)
			if err != nil {
				return nil, err
			}
			clinics = append(clinics, clinic)
		}
	}
	tried := map[string]bool{}
	var found []string
	for _, clinic := range clinics {
		if err := clinic.EachText(ctx, version, func(text string) bool {
			from := identity.VersionOf(text)
			if from == 0 || from >= version || tried[text] {
				return found != nil
			}
			tried[text] = true
			chain := []string{text}
			for v := from; v < version; v++ {
				next, err := s.Keys.Next(identity.Patient, chain[len(chain)-1])
				if err != nil {
					return false
				}
				chain = append(chain, next)
			}
			if chain[len(chain)-1] == pseudonym && len(chain)-1 > len(found) {
				found = chain[:len(chain)-1]
			}
			return from == 1 && len(found) == version-1
		}); err != nil {
			return nil, storage("looking for earlier pseudonyms of the patient", err)
		}
	}
	return found, nil
}

// beginErasure notes that the erasure has begun, or finds that it was.
func (s *Site) beginErasure(ctx context.Context, patient string, o ErasePatientOptions) (noted erasureRecord, err error) {
	named := slices.Sorted(maps.Keys(o.Backups))
	begun, err := s.erasureBegun(ctx)
	switch {
	case err != nil:
		return noted, err
	case begun != nil && begun.Patient != patient:
		return noted, refused("", errOtherErasure)
	case begun != nil:
		for _, at := range begun.Backups {
			if !slices.Contains(named, at) {
				return noted, refused("", fmt.Errorf("the erasure that was begun names the backup %s: name it again with --backup", at))
			}
		}
		return *begun, nil
	}
	if err := o.Record(ctx, patient, nil); err != nil {
		return noted, err
	}
	noted = erasureRecord{Patient: patient, Begun: s.clock().UTC(), Backups: named}
	return noted, s.erasureRecord().change(ctx, func(r *erasureRecord) error {
		*r = noted
		return nil
	})
}

// discardStaged forgets an unfinished run: what it has read may be about anybody. It says whether there was one.
func (s *Site) discardStaged(ctx context.Context) (was bool, err error) {
	if err := s.Clinic.Unstage(ctx, ""); err != nil {
		return false, storage("removing what an unfinished run has read", err)
	}
	err = recordOf[extractionRecord](s, extractionRegister, "discarding an unfinished run").change(ctx, func(r *extractionRecord) error {
		if r.Run == "" {
			return errAsItIs
		}
		was = true
		*r = extractionRecord{}
		return nil
	})
	return was, err
}
