package pipeline

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms/identity"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// siteOn is a clinic in a store, without anything in it yet.
func siteOn(t *testing.T, store lake.Store) *Site {
	t.Helper()
	secret, err := identity.NewSecret(make([]byte, identity.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := identity.Derive(secret)
	if err != nil {
		t.Fatal(err)
	}
	clinic, err := lake.Open(store, "leased", lake.Options{NamingKey: keys.ObjectNames().Expose()})
	if err != nil {
		t.Fatal(err)
	}
	return &Site{Clinic: clinic, Keys: keys}
}

// tenantOn is a process of a machine, whose clock is that much ahead.
func tenantOn(machine string, pid int, ahead time.Duration) tenant {
	return tenant{
		host: "host-" + machine, pid: pid, machine: machine, now: func() time.Time { return time.Now().Add(ahead) },
		gone: func(int) bool { return false },
	}
}

// alone runs a test in simulated time in a process of its own: libraries pool what they made in a bubble of simulated time, and
// nothing outside of it may use that.
func alone(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	if os.Getenv("FALLOFF_ALONE") == t.Name() {
		synctest.Test(t, test)
		return
	}
	pattern := "^" + strings.ReplaceAll(t.Name(), "/", "$/^") + "$"
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+pattern, "-test.v")
	cmd.Env = append(os.Environ(), "FALLOFF_ALONE="+t.Name())
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("%v\n%s", err, out)
	}
}

func mustTake(t *testing.T, s *Site, who tenant) (*tenure, func() error) {
	t.Helper()
	ctx, lost := context.WithCancelCause(t.Context())
	held, err := s.take(t.Context(), who, lost)
	if err != nil {
		t.Fatalf("%s cannot take the lease: %v", who.host, err)
	}
	return held, func() error { return context.Cause(ctx) }
}

// mustBeRefused tries to take the lease, and gives what the refusal says.
func mustBeRefused(t *testing.T, s *Site, who tenant) string {
	t.Helper()
	held, err := s.take(t.Context(), who, func(error) {})
	_, refused := errors.AsType[*BusyError](err)
	if !refused {
		if err == nil {
			held.release(t.Context())
		}
		t.Fatalf("%s was not refused: %v", who.host, err)
	}
	return err.Error()
}

// die has a process end without giving anything back.
func die(held *tenure) {
	held.stop()
	<-held.done
}

func TestLeaseIsOneHoldersAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := siteOn(t, &storetest.Memory{})
		held, lost := mustTake(t, s, tenantOn("a", 7, 0))
		if says := mustBeRefused(t, s, tenantOn("b", 8, 0)); !strings.Contains(says, "process 7 on host-a") {
			t.Errorf("the refusal does not say who: %s", says)
		}
		mustBeRefused(t, s, tenantOn("a", 9, 0)) // the same machine, where that process lives
		// It is renewed for as long as it is held.
		time.Sleep(10 * time.Minute)
		mustBeRefused(t, s, tenantOn("b", 8, 0))
		if err := held.check(t.Context()); err != nil || lost() != nil {
			t.Errorf("after ten minutes its holder has lost it: %v, %v", err, lost())
		}
		held.release(t.Context())
		next, _ := mustTake(t, s, tenantOn("b", 8, 0))
		if err := held.check(t.Context()); err == nil {
			t.Error("who gave it back holds it still")
		}
		next.release(t.Context())
	})
}

func TestLeaseOfTheDeadIsTakenOver(t *testing.T) {
	t.Run("on this machine at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := siteOn(t, &storetest.Memory{})
			held, _ := mustTake(t, s, tenantOn("a", 7, 0))
			die(held)
			next := tenantOn("a", 9, 0)
			next.gone = func(pid int) bool { return pid == 7 }
			began := time.Now()
			taken, _ := mustTake(t, s, next)
			if waited := time.Since(began); waited > time.Second {
				t.Errorf("it took %v to take over from a process that has ended", waited)
			}
			taken.release(t.Context())
		})
	})
	t.Run("on another once it has expired", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := siteOn(t, &storetest.Memory{})
			held, _ := mustTake(t, s, tenantOn("a", 7, 0))
			die(held)
			other := tenantOn("b", 7, 0)
			other.gone = func(int) bool { return true } // of another machine nobody can say that
			mustBeRefused(t, s, other)
			time.Sleep(leaseTTL)
			began := time.Now()
			taken, _ := mustTake(t, s, other)
			if waited := time.Since(began); waited > leaseTTL {
				t.Errorf("it took %v more", waited)
			}
			if err := held.check(t.Context()); err == nil {
				t.Error("the dead holds it still")
			}
			taken.release(t.Context())
		})
	})
}

// TestLeaseUnderClocksThatDiffer: a clock that is wrong takes nothing from a holder that lives, nor keeps anybody from what a
// dead one held.
func TestLeaseUnderClocksThatDiffer(t *testing.T) {
	for _, ahead := range []time.Duration{-time.Hour, -2 * time.Minute, 2 * time.Minute, time.Hour, 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			s := siteOn(t, &storetest.Memory{})
			held, lost := mustTake(t, s, tenantOn("a", 7, 0))
			mustBeRefused(t, s, tenantOn("b", 8, ahead))
			if err := held.check(t.Context()); err != nil || lost() != nil {
				t.Errorf("a clock %v ahead took the lease from who held it", ahead)
			}
			die(held)
			began := time.Now()
			taken, _ := mustTake(t, s, tenantOn("b", 8, ahead))
			if waited := time.Since(began); waited > 2*leaseTTL {
				t.Errorf("with a clock %v ahead it took %v to take over from the dead", ahead, waited)
			}
			taken.release(t.Context())
		})
	}
}

// TestLeaseLostIsNoticed: who stood still until another took over is told, and changes nothing any more.
func TestLeaseLostIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := siteOn(t, &storetest.Memory{})
		held, lost := mustTake(t, s, tenantOn("a", 7, 0))
		// Another took it over, which it does only of one that stands still: here by hand.
		rec := recordOf[Lease](s, leaseRegister, "test")
		_, version, err := rec.read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		theirs := Lease{Holder: "another", Host: "host-b", PID: 8, Until: time.Now().Add(leaseTTL)}
		if _, err := rec.swap(t.Context(), version, theirs); err != nil {
			t.Fatal(err)
		}
		time.Sleep(leaseTTL)
		var busy *BusyError
		if !errors.As(lost(), &busy) || busy.Lease.Host != "host-b" {
			t.Errorf("it was told %v", lost())
		}
		held.release(t.Context())
		if now, _, err := rec.read(t.Context()); err != nil || now.Holder != "another" {
			t.Errorf("giving back what is another's made it %+v, %v", now, err)
		}
	})
}

// TestLeaseFencesTheCommit takes the lease from a run that is about to land: nothing of it may.
func TestLeaseFencesTheCommit(t *testing.T) {
	alone(t, func(t *testing.T) {
		s := newSimulation(t, 1, 1)
		s.begin(0, 1)
		thief := s.site(&machine{}, "thief")
		rec := recordOf[Lease](thief, leaseRegister, "test")
		ctx := context.Background()
		orders := 0
		s.portal.onServe = func(served int) {
			plan, _, err := recordOf[extractionRecord](thief, extractionRegister, "test").read(ctx)
			if err != nil {
				t.Error(err)
			}
			if orders = len(plan.Plan.Orders); served < orders {
				return
			}
			_, version, err := rec.read(ctx)
			if err == nil {
				_, err = rec.swap(ctx, version, Lease{Holder: "thief", Until: time.Now().Add(time.Hour)})
			}
			if err != nil {
				t.Error(err)
			}
		}
		_, _, err := s.processAs("a", trouble{}, "right")
		var busy *BusyError
		if !errors.As(err, &busy) || orders == 0 {
			t.Errorf("after its lease was taken the run of %d orders ended with %v", orders, err)
		}
		if _, err := thief.Clinic.Head(ctx); !errors.Is(err, lake.ErrNoCommit) {
			t.Errorf("it landed all the same: %v", err)
		}
	})
}

// TestFileThatBreaksOff is exported again within the run, once; what is read when it is looked into is what lands.
func TestFileThatBreaksOff(t *testing.T) {
	for _, test := range []struct {
		name  string
		cut   map[int]bool
		cause extractors.Cause
		more  int
	}{
		{"once", map[int]bool{2: true}, "", 1},
		{"twice", map[int]bool{2: true, 3: true}, extractors.ExportIncomplete, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			alone(t, func(t *testing.T) {
				s := newSimulation(t, 1, 1)
				s.begin(0, 1)
				s.portal.cut = test.cut
				out, _, err := s.processAs("a", trouble{}, "right")
				cause, _, hint := outcomeOf(err)
				if cause != test.cause || err != nil && hint == "" {
					t.Fatalf("it ended with %v, want %q", err, test.cause)
				}
				if err != nil {
					if s.portal.served != 3 {
						t.Errorf("the portal gave %d files, want the first, and the second twice", s.portal.served)
					}
					return
				}
				if want := out.Orders + test.more; s.portal.served != want {
					t.Errorf("the portal gave %d files for %d orders, want %d", s.portal.served, out.Orders, want)
				}
				undisturbed := newSimulation(t, 1, 1)
				undisturbed.begin(0, 1)
				if _, _, err := undisturbed.processAs("a", trouble{}, "right"); err != nil {
					t.Fatal(err)
				}
				var heads []string
				for _, each := range []*simulation{s, undisturbed} {
					head, err := each.site(&machine{}, "checker").Clinic.Head(context.Background())
					if err != nil {
						t.Fatal(err)
					}
					heads = append(heads, describeData(head))
				}
				if heads[0] != heads[1] {
					t.Error("what landed is not what lands without a broken file")
				}
			})
		})
	}
}

// TestCheckedReportIsReadOnce: what was read to look into a report is what is taken.
func TestCheckedReportIsReadOnce(t *testing.T) {
	s := newSimulation(t, 1, 1)
	s.begin(0, 1)
	x := &extraction{site: s.site(&machine{}, "a"), o: ExtractOptions{Settings: &s.typed, Plan: PlanOptions{Day: s.portal.day}}, out: &Extracted{}}
	if err := x.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	order := extractors.Order{Report: "shift", Dataset: "shifts", Window: extractors.Window{From: simFirst, To: simFirst.AddDays(9)}}
	report := s.portal.world.report(order, s.portal.day)
	if err := x.check(t.Context(), report); err != nil {
		t.Fatal(err)
	}
	checked := x.checked.batch
	if got, err := x.read(t.Context(), report); err != nil || got != checked || checked == nil {
		t.Errorf("it was read again: %v", err)
	}
	if got, err := x.read(t.Context(), report); err != nil || got == checked {
		t.Errorf("what was taken was given again: %v", err)
	}
}

// s3Site is a clinic on a real S3 server, in a bucket of its own.
func s3Site(t *testing.T) *Site {
	t.Helper()
	config, bucket := storetest.Gateway(t)
	t.Setenv("AWS_ENDPOINT_URL", *config.BaseEndpoint)
	t.Setenv("AWS_REGION", storetest.Region)
	t.Setenv("AWS_ACCESS_KEY_ID", storetest.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", storetest.SecretKey)
	store, err := lake.OpenStore(t.Context(), "s3://"+bucket+"/leases")
	if err != nil {
		t.Fatal(err)
	}
	return siteOn(t, store)
}

// TestLeaseAndHoldOnS3: of many that ask a real S3 server at once one gets the lease, and a pause reaches who holds it.
func TestLeaseAndHoldOnS3(t *testing.T) {
	s := s3Site(t)
	const many = 6
	var got atomic.Pointer[tenure]
	answers := make(chan error, many)
	for i := range many {
		go func() {
			held, err := s.take(t.Context(), tenantOn("abcdef"[i:i+1], 10+i, 0), func(error) {})
			if err == nil && !got.CompareAndSwap(nil, held) {
				err = errors.New("a second one got it")
			}
			answers <- err
		}()
	}
	refused := 0
	for range many {
		err := <-answers
		var busy *BusyError
		switch {
		case errors.As(err, &busy):
			refused++
		case err != nil:
			t.Error(err)
		}
	}
	if refused != many-1 || got.Load() == nil {
		t.Fatalf("%d of %d were refused", refused, many)
	}
	working, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		s.watchHold(working, stop)
	}()
	if changed, err := s.Pause(t.Context(), "Ada Vale", "inventory"); err != nil || !changed {
		t.Fatalf("pausing: %t, %v", changed, err)
	}
	select {
	case <-watched:
	case <-time.After(time.Minute):
		t.Fatal("the pause does not reach who is at work")
	}
	var failure *extractors.Failure
	if !errors.As(context.Cause(working), &failure) || failure.Cause != extractors.Paused {
		t.Errorf("who is at work is told %v", context.Cause(working))
	}
	got.Load().release(t.Context())
	if changed, err := s.Resume(t.Context()); err != nil || !changed {
		t.Errorf("resuming: %t, %v", changed, err)
	}
	next, _ := mustTake(t, s, tenantOn("z", 1, 0))
	next.release(t.Context())
}
