package pipeline

import (
	"context"
	"errors"

	"github.com/falloff-analytics/falloff/transforms/identity"
)

// erasedReason counts rows that were left out because their patient was erased; nothing is wrong with them.
const erasedReason = "erased"

// refusals say whom nobody may bring any more.
type refusals struct {
	keys   identity.Keys
	hashes map[string]bool
	known  map[string]bool // by pseudonym
}

// refusals reads them; nil where there are none.
func (s *Site) refusals(ctx context.Context) (*refusals, error) {
	hashes, err := s.Clinic.Refused(ctx)
	if err != nil || len(hashes) == 0 {
		return nil, storage("looking who was erased", err)
	}
	return &refusals{s.Keys, hashes, map[string]bool{}}, nil
}

// one says whether a pseudonym is of somebody who was erased.
func (r *refusals) one(pseudonym string) bool {
	refused, known := r.known[pseudonym]
	if !known {
		refused = r.hashes[r.keys.Refusal(pseudonym)]
		r.known[pseudonym] = refused
	}
	return refused
}

// any is one of the pseudonyms of all versions: what a refusal was made of may be of an earlier one.
func (r *refusals) any(pseudonyms []string) bool {
	for _, p := range pseudonyms {
		if r.hashes[r.keys.Refusal(p)] {
			return true
		}
	}
	return false
}

// erasedBefore is what a transformer asks; nil where nobody was erased.
func (s *Site) erasedBefore(ctx context.Context) (func(pseudonyms []string) bool, error) {
	if err := s.noErasureBegun(ctx); err != nil {
		return nil, err
	}
	r, err := s.refusals(ctx)
	if r == nil || err != nil {
		return nil, err
	}
	return r.any, nil
}

// leaveOutErased takes those out of what is about to land who were erased since it was read. A commit is planned anew when somebody
// else commits first, as every erasure does; so this sees each refusal that it must.
func (in *landing) leaveOutErased(ctx context.Context) error {
	r, err := in.site.refusals(ctx)
	if r == nil || err != nil {
		return err
	}
	for _, b := range in.batches {
		b.Erased += b.LeaveOut(r.one)
	}
	return nil
}

// UnfinishedErasureError says that an erasure was begun and has not ended. Nothing is brought home until it has.
type UnfinishedErasureError struct{}

func (UnfinishedErasureError) Error() string {
	return "the erasure of a patient was begun and has not ended: run the same falloff delete --patient again, which goes on where it stopped"
}

// noErasureBegun returns an error that says UnfinishedErasureError where one was begun and has not ended.
func (s *Site) noErasureBegun(ctx context.Context) error {
	begun, err := s.erasureBegun(ctx)
	if err == nil && begun != nil {
		err = refused("", UnfinishedErasureError{})
	}
	return err
}

// erasureBegun is the erasure that was begun and has not ended, nil for none.
func (s *Site) erasureBegun(ctx context.Context) (*erasureRecord, error) {
	r, _, err := s.erasureRecord().read(ctx)
	if err != nil || r.Patient == "" {
		return nil, err
	}
	return &r, nil
}

func (s *Site) erasureRecord() record[erasureRecord] {
	return recordOf[erasureRecord](s, erasureRegister, "keeping how far an erasure has come")
}

// errOtherErasure says that another patient's erasure has not ended.
var errOtherErasure = errors.New("the erasure of another patient was begun and has not ended: run that one again first")
