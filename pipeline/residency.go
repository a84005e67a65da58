package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// A ResidencyError says that a clinic's data would lie in another region than it must.
type ResidencyError struct {
	Clinic lake.ClinicID
	// Where is the store, Region where it lies.
	Where, Region string
	Must          settings.Place
}

func (e *ResidencyError) Error() string {
	must := e.Must.Region
	if e.Must.City != must {
		must = fmt.Sprintf("%s (%s)", e.Must.Region, e.Must.City)
	}
	return fmt.Sprintf("the data of clinic %s must lie in %s, and %s lies in %s. Name a store there; or, if the clinic has agreed to that place, write `region: %s` into its clinic.yaml and import it",
		e.Clinic, must, e.Where, e.Region, e.Region)
}

// regional is a store that can be asked where it lies.
type regional interface {
	Region(ctx context.Context) (string, error)
	OnThisMachine() bool
}

// Reside returns a *ResidencyError for a store that lies elsewhere than the clinic's data must. A bucket is asked. A folder, and a
// server on this machine, lie where machine says, which is falloff.yaml's region; checked is false where it says nothing, or the
// settings do not say where the data belong.
func Reside(ctx context.Context, clinic lake.ClinicID, typed settings.Clinic, store lake.Store, machine string) (checked bool, err error) {
	must, known := typed.Residence()
	if !known {
		return false, nil
	}
	region := machine
	if at, ok := store.(regional); ok && !at.OnThisMachine() {
		if region, err = at.Region(ctx); err != nil {
			return false, storage(fmt.Sprintf("asking %s in which region it lies", store), err)
		}
	}
	switch {
	case region == "":
		return false, nil
	case region != must.Region && !strings.EqualFold(region, must.City):
		return false, &ResidencyError{clinic, store.String(), region, must}
	}
	return true, nil
}

// resides checks the lake, once.
func (s *Site) resides(ctx context.Context, typed settings.Clinic) error {
	if s.resident.Load() {
		return nil
	}
	if _, err := Reside(ctx, s.Clinic.ID(), typed, s.Clinic.Store(), s.machine); err != nil {
		return err
	}
	s.resident.Store(true)
	return nil
}

// mayCache returns a *ResidencyError where what is read would lie in a cache elsewhere than the clinic's data must.
func (s *Site) mayCache(ctx context.Context, snapshot *lake.Snapshot) error {
	if s.cache == nil || s.machine == "" || snapshot.Commit().Settings == nil {
		return nil
	}
	typed, err := s.settings(ctx, snapshot)
	if err != nil {
		return err
	}
	must, known := typed.Residence()
	if known && s.machine != must.Region && !strings.EqualFold(s.machine, must.City) {
		return &ResidencyError{s.Clinic.ID(), "the cache of what is read, which --cache-size 0 turns off,", s.machine, must}
	}
	return nil
}

// mayWrite is asked before each attempt at a commit, of whichever command: the clinic may be barred, or lie where it must not.
func (s *Site) mayWrite(ctx context.Context) error {
	if err := barred(ctx, s.Clinic.Store(), s.Clinic.ID()); err != nil {
		return err
	}
	if s.resident.Load() || ctx.Value(removal{}) != nil {
		return nil
	}
	head, err := s.Clinic.Head(ctx)
	if errors.Is(err, lake.ErrNoCommit) || err == nil && head.Settings == nil {
		return nil // settings that come with the commit are looked at before
	}
	if err != nil {
		return storage("reading the lake", err)
	}
	typed, err := s.settings(ctx, s.Clinic.Snapshot(head))
	if err != nil {
		return err
	}
	return s.resides(ctx, typed)
}

// removal marks a context in which commits only take something away: that is allowed wherever the clinic lies.
type removal struct{}

func removing(ctx context.Context) context.Context { return context.WithValue(ctx, removal{}, true) }

// Resides checks another store for the clinic: one that it is to be backed up to.
func (s *Site) Resides(ctx context.Context, in lake.Store) (checked bool, err error) {
	head, err := s.Clinic.Head(ctx)
	if err != nil {
		return false, storage("reading the lake", err)
	}
	if head.Settings == nil {
		return false, nil
	}
	typed, err := s.settings(ctx, s.Clinic.Snapshot(head))
	if err != nil {
		return false, err
	}
	checked, err = Reside(ctx, s.Clinic.ID(), typed, in, s.machine)
	if elsewhere, ok := errors.AsType[*ResidencyError](err); ok {
		return false, fmt.Errorf("backing up: %w", elsewhere)
	}
	return checked, err
}
