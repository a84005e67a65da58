package lake

import (
	"context"
	"errors"
)

// probeName is the one object that the probe leaves in a bucket. Its dot keeps it out of every listing.
const probeName = ".falloff/create-only"

// ErrUnconditional is returned for a store that takes the condition of a create-only write and ignores it.
var ErrUnconditional = errors.New("it overwrites an object that it was asked to create only if there is none (If-None-Match: * is ignored)")

// probeOutcome is what a bucket was found to be: nil where it does as it is asked.
type probeOutcome struct{ err error }

// probed finds out, once for this S3, whether the bucket keeps the condition that commits rest on. Where it is ignored, two
// writers could both believe that they had made the same commit, and one's work would be lost without a word: such a bucket
// is refused. A bucket that was asked before answers with one refused request; a new one keeps the object that proves it.
func (s *S3) probed(ctx context.Context) error {
	s.probing.Lock()
	defer s.probing.Unlock()
	if s.probe != nil {
		return s.probe.err
	}
	// Where the object is there already the first write must fail, and elsewhere the second.
	for attempt := 1; ; attempt++ {
		err := s.put(ctx, probeName, []byte("This object proves that the bucket refuses to write an object twice.\n"), true)
		switch {
		case err == nil && attempt == 1:
			continue
		case err == nil:
			s.probe = &probeOutcome{&StoreError{Op: opCreate, Name: probeName, Store: s.String(), Err: ErrUnconditional,
				Hint: "a lake needs a server that keeps the condition, such as Amazon S3, MinIO or versitygw; if there is a proxy or gateway before it, let it pass If-None-Match on"}}
		case code(err) == "PreconditionFailed":
			if err := s.provesEncryption(ctx); errors.Is(err, ErrUnencrypted) {
				s.probe = &probeOutcome{err}
			} else if err != nil {
				return err // it is asked again the next time
			} else {
				s.probe = &probeOutcome{}
			}
		case code(err) == "ConditionalRequestConflict" && attempt < 20: // somebody else asks at this moment
			continue
		default:
			return s.fail(opCreate, probeName, err) // it is asked again the next time
		}
		return s.probe.err
	}
}
