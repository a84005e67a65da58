package lake

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"strconv"
	"strings"
)

// A Register is one small value of a clinic that changes, beside the commits that never do: whether extraction is paused,
// who runs it just now, how far it has come. It is a sequence of immutable objects, of which the highest number counts:
//
//	clinic=<id>/state/<name>/<number>
//
// A change is the creation of the next number, so that of two who change the same value one wins and the other reads
// again. A value that stopped counting is removed later. What lies in a register is neither sealed nor pseudonymous: it
// holds no identity, no credential, and nothing of a report.
type Register struct {
	clinic *Clinic
	name   string
}

// ErrOvertaken is returned for a change of a register that somebody else has changed meanwhile.
var ErrOvertaken = errors.New("somebody else has changed it meanwhile")

var registerName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// Register is a clinic's register of that name. It does no request. The name is a program's own; a wrong one panics.
func (c *Clinic) Register(name string) Register {
	if !registerName.MatchString(name) {
		panic("lake: register " + name)
	}
	return Register{clinic: c, name: name}
}

const (
	registerDigits = 12
	// keptValues is how many values that no longer count stay: whoever changes the register after so many changes by others
	// cannot tell any more whether its own counted.
	keptValues = 64
)

func (r Register) folder() string { return r.clinic.name("state/" + r.name + "/") }

func (r Register) object(version int64) string {
	return r.folder() + fmt.Sprintf("%0*d", registerDigits, version)
}

// versions lists the numbers that are there, in order.
func (r Register) versions(ctx context.Context) iter.Seq2[int64, error] {
	return func(yield func(int64, error) bool) {
		for name, err := range r.clinic.store.List(ctx, r.folder(), "") {
			if err != nil {
				yield(0, err)
				return
			}
			digits := strings.TrimPrefix(name, r.folder())
			n, err := strconv.ParseInt(digits, 10, 64)
			if err != nil || n < 1 || len(digits) != registerDigits {
				continue
			}
			if !yield(n, nil) {
				return
			}
		}
	}
}

func (r Register) newest(ctx context.Context) (version int64, all []int64, err error) {
	for n, err := range r.versions(ctx) {
		if err != nil {
			return 0, nil, err
		}
		all = append(all, n)
		version = n
	}
	return version, all, nil
}

// Version is the version of the value that counts, 0 where none was ever set. It is one listing, where Read is a listing and a read.
func (r Register) Version(ctx context.Context) (int64, error) {
	version, _, err := r.newest(ctx)
	if err != nil {
		return 0, fmt.Errorf("read state %s of clinic %s: %w", r.name, r.clinic.id, err)
	}
	return version, nil
}

// Read gives the value and its version; version 0 and no value where none was ever set.
func (r Register) Read(ctx context.Context) (value []byte, version int64, err error) {
	for {
		version, _, err := r.newest(ctx)
		if err != nil {
			return nil, 0, fmt.Errorf("read state %s of clinic %s: %w", r.name, r.clinic.id, err)
		}
		if version == 0 {
			return nil, 0, nil
		}
		value, err := r.clinic.store.Get(ctx, r.object(version))
		if errors.Is(err, ErrNotFound) {
			// It was overtaken and removed between the two requests; the one that overtook it is there.
			if err := ctx.Err(); err != nil {
				return nil, 0, err
			}
			continue
		}
		if err != nil {
			return nil, 0, fmt.Errorf("read state %s of clinic %s: %w", r.name, r.clinic.id, err)
		}
		return value, version, nil
	}
}

// Swap replaces the value that has this version and gives the new version, or ErrOvertaken if another value counts by
// now. Any other error means that it is not known whether it was replaced: read, and decide again. Values of two callers
// are told apart by their bytes, so a caller whose values could equal another's puts something random in.
func (r Register) Swap(ctx context.Context, version int64, value []byte) (int64, error) {
	next := version + 1
	fail := func(err error) (int64, error) {
		return 0, fmt.Errorf("change state %s of clinic %s: %w", r.name, r.clinic.id, err)
	}
	failed := r.clinic.store.Create(ctx, r.object(next), value)
	if errors.Is(failed, ErrExists) {
		// Perhaps by our own first attempt, whose answer was lost.
		stored, err := r.clinic.awaited(ctx, r.object(next), true)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fail(err)
		}
		if err != nil || string(stored) != string(value) {
			return fail(ErrOvertaken)
		}
	} else if failed != nil {
		return fail(failed)
	}
	// A caller that slept between reading and writing may have filled a number that was used, overtaken and removed before.
	// Nobody reads it, for it is not the highest; but the caller must not think that it counts.
	newest, all, err := r.newest(ctx)
	switch {
	case err != nil:
		return fail(err)
	case newest-next >= keptValues:
		return fail(fmt.Errorf("it is not known whether it counted: %d changes by others came since", newest-next))
	}
	for _, n := range all {
		if n <= newest-keptValues {
			// One that stays is removed the next time.
			_ = r.clinic.store.Delete(ctx, r.object(n))
		}
	}
	return next, nil
}
