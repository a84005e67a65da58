package pipeline

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// TestPauseEndsARunAtWork pauses from another machine while reports are read: the run ends within seconds, and the next one
// goes on where it stopped.
func TestPauseEndsARunAtWork(t *testing.T) {
	alone(t, func(t *testing.T) {
		s := newSimulation(t, 1, 1)
		s.begin(0, 1)
		other := s.site(&machine{}, "elsewhere")
		ctx := context.Background()
		asking := make(chan struct{})
		s.portal.onServe = func(served int) {
			if served == 4 {
				close(asking)
			}
		}
		var asked, over time.Time
		var err error
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _, err = s.processAs("a", trouble{}, "right")
			over = time.Now()
		}()
		<-asking
		asked = time.Now()
		if changed, err := other.Pause(ctx, "Ada Vale", "inventory"); err != nil || !changed {
			t.Fatalf("pausing: %t, %v", changed, err)
		}
		<-ended
		var failure *extractors.Failure
		if !errors.As(err, &failure) || failure.Cause != extractors.Paused || !strings.Contains(failure.Hint, "paused by Ada Vale") || !strings.Contains(failure.Hint, "inventory") {
			t.Errorf("it ended with %v", err)
		}
		if took := over.Sub(asked); took > 10*time.Second {
			t.Errorf("the pause took %v", took)
		}
		hold, err := other.Hold(ctx)
		if state, _ := hold.State(); err != nil || state != StatePaused {
			t.Errorf("the state is %q, %v", state, err)
		}
		// Paused again changes nothing: it stays whose it was.
		if changed, err := other.Pause(ctx, "Bo Hill", ""); err != nil || changed {
			t.Errorf("paused twice: %t, %v", changed, err)
		}
		served := s.portal.served
		if _, _, err := s.processAs("b", trouble{}, "right"); !errors.As(err, &failure) || failure.Cause != extractors.Paused || s.portal.served != served {
			t.Errorf("while paused a run asked for %d reports and ended with %v", s.portal.served-served, err)
		}
		if changed, err := other.Resume(ctx); err != nil || !changed {
			t.Fatalf("resuming: %t, %v", changed, err)
		}
		if changed, err := other.Resume(ctx); err != nil || changed {
			t.Errorf("resumed twice: %t, %v", changed, err)
		}
		out, _, err := s.processAs("b", trouble{}, "right")
		if err != nil || out.Resumed < 3 || s.portal.served > out.Orders+1 {
			t.Errorf("the next run resumed %d of %d reports, %d were asked for in all: %v", out.Resumed, out.Orders, s.portal.served, err)
		}
	})
}

// TestRefusedCredentialsAreNeverTriedTwice: by no process on no machine, until others are given.
func TestRefusedCredentialsAreNeverTriedTwice(t *testing.T) {
	alone(t, func(t *testing.T) {
		s := newSimulation(t, 1, 1)
		s.begin(0, 1)
		s.portal.password = "the new one"
		for _, host := range []string{"a", "a", "b", "c"} {
			_, _, err := s.processAs(host, trouble{}, "the old one")
			if cause, _, _ := outcomeOf(err); cause != extractors.WrongPassword {
				t.Errorf("on %s it ended with %v", host, err)
			}
		}
		if n := s.portal.refused["the old one"]; n != 1 {
			t.Errorf("a refused password was sent %d times", n)
		}
		hold, err := s.site(&machine{}, "a").Hold(context.Background())
		if state, todo := hold.State(); err != nil || state != StatePerson || !strings.Contains(todo, "credentials set") {
			t.Errorf("the state is %q: %s, %v", state, todo, err)
		}
		if _, _, err := s.processAs("b", trouble{}, "the new one"); err != nil {
			t.Errorf("other credentials are not tried: %v", err)
		}
		hold, err = s.site(&machine{}, "a").Hold(context.Background())
		if state, _ := hold.State(); err != nil || state != StateOK || hold.Rejected != nil {
			t.Errorf("afterwards the state is %q, %v", state, err)
		}
	})
}

// TestHoldOfEachOutcome is what a run's end means for whoever comes next with the same credentials, and with others.
func TestHoldOfEachOutcome(t *testing.T) {
	rejecting := []extractors.Cause{
		extractors.WrongPassword, extractors.AccountLocked, extractors.AccountDeactivated, extractors.SecondFactorRequired, extractors.SecondFactorRejected,
	}
	for _, cause := range extractors.Causes() {
		s := siteOn(t, &storetest.Memory{})
		ctx := t.Context()
		if err := s.attempting(ctx, "old"); err != nil {
			t.Fatal(err)
		}
		if err := s.ended(ctx, Outcome{Cause: cause, Doing: "testing", Day: simLast, At: time.Now()}, "old", true); err != nil {
			t.Fatal(err)
		}
		hold, err := s.Hold(ctx)
		if err != nil {
			t.Fatal(err)
		}
		rejects := slices.Contains(rejecting, cause)
		// A time that was over in the middle of a sign-in leaves open what the portal said.
		if (hold.refusal("old") != nil) != (rejects || cause == extractors.Deadline) {
			t.Errorf("after %s the same credentials: %v", cause, hold.refusal("old"))
		}
		if err := hold.refusal("new"); err != nil {
			t.Errorf("after %s other credentials: %v", cause, err)
		}
		state, todo := hold.State()
		switch {
		case cause == extractors.AccountDeactivated:
			if state != StateRevoked || todo == "" {
				t.Errorf("after %s the state is %q (%s)", cause, state, todo)
			}
		case rejects && (state != StatePerson || !strings.Contains(todo, string(cause))):
			t.Errorf("after %s the state is %q (%s)", cause, state, todo)
		}
		if err := s.proven(ctx, "new"); err != nil {
			t.Fatal(err)
		}
		if hold, err = s.Hold(ctx); err != nil || hold.Rejected != nil {
			t.Errorf("credentials that the portal took leave %+v, %v", hold.Rejected, err)
		}
	}
}

// TestAttemptWithoutATrace: whether credentials were refused in a sign-in that ended without a trace nobody knows.
func TestAttemptWithoutATrace(t *testing.T) {
	s := siteOn(t, &storetest.Memory{})
	ctx := t.Context()
	refused := func(what string, want bool) {
		t.Helper()
		hold, err := s.Hold(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := hold.refusal("mine"); (err != nil) != want {
			t.Errorf("%s: %v", what, err)
		}
	}
	attempt := func() {
		t.Helper()
		if err := s.attempting(ctx, "mine"); err != nil {
			t.Fatal(err)
		}
	}
	attempt()
	refused("never proven, and cut off", true)
	if err := s.attempting(ctx, "mine"); err == nil {
		t.Error("they are tried a second time")
	}
	if err := s.proven(ctx, "mine"); err != nil {
		t.Fatal(err)
	}
	attempt()
	refused("proven once, and cut off", false)
	attempt()
	refused("proven, and cut off twice", true)
}
