package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
)

// visited is how much has been done in the portal.
func (s *simulation) visited() int {
	s.portal.mu.Lock()
	defer s.portal.mu.Unlock()
	return len(s.portal.log)
}

// leftAlone runs processes on two machines that must end for that reason, without anything being done in the portal.
func (s *simulation) leftAlone(cause extractors.Cause) {
	before := s.visited()
	for _, host := range []string{"a", "b"} {
		_, _, err := s.process(host, trouble{})
		if failure := new(extractors.Failure); !errors.As(err, &failure) || failure.Cause != cause {
			s.failf("after %s another process ended with %v", cause, err)
		}
	}
	if now := s.visited(); now != before {
		s.failf("after %s something was done in the portal: %+v", cause, s.portal.log[before:])
	}
}

// givesOthers is a person who gives falloff the credentials that the portal takes.
func (s *simulation) givesOthers() {
	s.given++
	s.credentials = fmt.Sprintf("right, for the %d. time", s.given+1)
	s.portal.mu.Lock()
	s.portal.password = s.credentials
	s.portal.mu.Unlock()
	s.sayf("a person gives other credentials")
}

// refused has the clinic change the password. One process tries the old one, or two if the first was killed before it could note
// that it was refused.
func (s *simulation) refused(host string, at int) error {
	s.portal.mu.Lock()
	s.portal.password = "another"
	s.portal.mu.Unlock()
	tries, tr := 1, trouble{}
	if s.r.IntN(2) == 0 {
		s.interrupted++
		tries, tr = 2, trouble{min(at, 5+s.r.IntN(30)), s.r.IntN(2) == 0, killed}
	}
	_, m, err := s.process(host, tr)
	if err != nil && m.killed() {
		_, _, err = s.process(host, trouble{})
	}
	if n := s.portal.refused[s.credentials]; n > tries {
		s.failf("a wrong password was tried %d times", n)
	}
	if failure := new(extractors.Failure); errors.As(err, &failure) && failure.Cause == extractors.WrongPassword {
		s.leftAlone(extractors.WrongPassword)
		s.givesOthers()
		return errors.New("the password was refused")
	}
	s.givesOthers()
	return err
}

// deactivated has the clinic end the access while a run is at work: what was read under it is given up.
func (s *simulation) deactivated(host string) error {
	s.portal.mu.Lock()
	s.portal.failing, s.portal.failAt = extractors.AccountDeactivated, s.portal.served+1+s.r.IntN(9)
	s.portal.mu.Unlock()
	s.interrupted++
	_, _, err := s.process(host, trouble{})
	s.portal.failing = ""
	failure := new(extractors.Failure)
	if !errors.As(err, &failure) || failure.Cause != extractors.AccountDeactivated {
		return err
	}
	s.discarded = s.portal.served
	for name, err := range s.store.List(context.Background(), "clinic=simulated/staging/", "") {
		s.failf("kept although the access has ended: %s %v", name, err)
	}
	s.leftAlone(extractors.AccountDeactivated)
	s.givesOthers()
	return err
}

// overspent gives a day fewer requests than a run needs. Nobody asks the portal anything more until the next day.
func (s *simulation) overspent(host string) error {
	site := s.site(&machine{}, "checker")
	spent, _, err := recordOf[budgetRecord](site, budgetRegister, "").read(context.Background())
	if err != nil {
		s.failf("%v", err)
		return err
	}
	zone, err := s.typed.Zone()
	if err != nil {
		s.failf("%v", err)
		return err
	}
	reports := s.r.IntN(6)
	s.budget = 9 * (reports + 1)
	if spent.Day == civil.DateOf(time.Now().In(zone)) {
		s.budget += spent.Spent
	}
	before := s.portal.served
	_, _, err = s.process(host, trouble{})
	failure := new(extractors.Failure)
	if errors.As(err, &failure) && failure.Cause == extractors.RateLimited {
		if now := s.portal.served; now > before+reports {
			s.failf("%d reports were read, and the budget is for %d", now-before, reports)
		}
		s.leftAlone(extractors.RateLimited)
		time.Sleep(24 * time.Hour)
	}
	s.budget = -1
	return err
}

// closeHistory reads all of a history in whose nights the portal's data changed under the runs: however it was mixed up, it is
// now what an import of the portal's last state gives.
func (s *simulation) closeHistory(worldSeed uint64) {
	s.closing = true
	s.begin(simNights, worldSeed)
	_, _, err := s.process("a", trouble{})
	for busy := new(BusyError); errors.As(err, &busy); _, _, err = s.process("a", trouble{}) {
		time.Sleep(20 * time.Second) // the night's last process may have died, or lost its store, before it gave the lease back
	}
	if err != nil {
		s.failf("reading all again: %v", err)
		return
	}
	ours := &nights{simulation: s, clinic: s.site(&machine{}, "checker")}
	whole := &nights{simulation: newSimulation(s.t, 1, worldSeed), portal: stillPortal{world: s.portal.world, day: s.portal.day}}
	whole.clinic = whole.site(&machine{}, "a")
	whole.read(s.t, simFirst)
	covered := whole.head(s.t).Datasets
	got, want := ours.rows(s.t, covered, s.portal.day), whole.rows(s.t, covered, s.portal.day)
	if !slices.Equal(got, want) {
		compareRows(s.t, simNights, got, want)
	}
}
