package pipeline

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// A Lease says who works on a clinic just now. It lies in the lake, so that it holds between machines.
type Lease struct {
	// Holder is random; empty when nobody holds it.
	Holder string `json:"holder,omitempty"`
	Host   string `json:"host,omitempty"`
	PID    int    `json:"pid,omitempty"`
	// Machine tells whether a process of that number can be looked for here: a digest of this boot and process namespace.
	Machine string `json:"machine,omitempty"`
	// Doing is what the holder is at, such as "a backup"; empty for a run.
	Doing string    `json:"doing,omitempty"`
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// BusyError says that somebody else is at work on the clinic. Trying again later is right.
type BusyError struct{ Lease Lease }

func (e *BusyError) Error() string {
	if e.Lease.Holder == "" {
		return "this run was overtaken by another, which has ended by now: run it again if its data is still missing"
	}
	return fmt.Sprintf("%s is at work on this clinic: process %d on %s, since %s. Wait for it, or end it there; if that machine is gone, its hold ends by itself within %s",
		cmp.Or(e.Lease.Doing, "another run"), e.Lease.PID, e.Lease.Host, e.Lease.Since.UTC().Format("2006-01-02 15:04:05 MST"), leaseTTL)
}

// leaseTTL is how long a lease lasts without being renewed. A third of it is the time between renewals.
const leaseTTL = time.Minute

// tenant is who asks for a lease.
type tenant struct {
	host    string
	pid     int
	machine string
	// doing is what it wants to do, as a Lease says it.
	doing string
	now   func() time.Time
	// gone says whether a process of this machine has ended.
	gone func(pid int) bool
}

// thisProcess is the tenant that this process is.
func thisProcess(now func() time.Time) tenant {
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed machine"
	}
	return tenant{host: host, pid: os.Getpid(), machine: thisMachine(), now: now, gone: processGone}
}

// thisMachine is a digest of this boot and this process namespace, empty where the system does not tell.
func thisMachine() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(string(boot) + namespace))
	return hex.EncodeToString(sum[:8])
}

// tenure is a lease that is held. It is renewed until it is released or lost.
type tenure struct {
	record record[Lease]
	mine   Lease
	tenant tenant
	// before is what was there when it was taken: the lease of a process that has ended without giving it back.
	before Lease

	mu      sync.Mutex
	version int64

	stop context.CancelFunc
	done chan struct{}
}

// take acquires the clinic's lease, or returns a *BusyError. The context given to lost ends, with the reason as its
// cause, when the lease is lost.
func (s *Site) take(ctx context.Context, t tenant, lost context.CancelCauseFunc) (*tenure, error) {
	return s.takeIn(ctx, leaseRegister, t, lost)
}

// takeBackups acquires the lease of the clinic's backups as take does that of the clinic, unless the clinic is barred: a deletion
// bars it first and looks for leases then, so that one of both sees the other.
func (s *Site) takeBackups(ctx context.Context, t tenant, lost context.CancelCauseFunc) (*tenure, error) {
	held, err := s.takeIn(ctx, backupRegister, t, lost)
	if err != nil {
		return nil, err
	}
	if err := barred(ctx, s.Clinic.Store(), s.Clinic.ID()); err != nil {
		held.release(ctx)
		return nil, err
	}
	return held, nil
}

// takeIn acquires the lease that lies in a register.
func (s *Site) takeIn(ctx context.Context, register string, t tenant, lost context.CancelCauseFunc) (*tenure, error) {
	rec := recordOf[Lease](s, register, "taking the clinic's lease")
	holder, err := randomName(s.random)
	if err != nil {
		return nil, err
	}
	for {
		held, version, err := rec.read(ctx)
		if err != nil {
			return nil, err
		}
		if held.Holder != "" && (t.machine == "" || held.Machine != t.machine || held.PID == t.pid || !t.gone(held.PID)) {
			if err := outlived(ctx, rec, held, version, t.now()); err != nil {
				return nil, err
			}
		}
		now := t.now().UTC()
		mine := Lease{Holder: holder, Host: t.host, PID: t.pid, Machine: t.machine, Doing: t.doing, Since: now, Until: now.Add(leaseTTL)}
		version, err = rec.swap(ctx, version, mine)
		if errors.Is(err, lake.ErrOvertaken) {
			continue
		}
		if err != nil {
			return nil, err
		}
		life, stop := context.WithCancel(context.WithoutCancel(ctx))
		held2 := &tenure{record: rec, mine: mine, tenant: t, before: held, version: version, stop: stop, done: make(chan struct{})}
		go held2.renew(life, lost)
		return held2, nil
	}
}

// outlived returns nil once a lease that somebody holds may be taken over. Two machines' clocks can differ, so one that
// looks expired is first watched for as long as two renewals take.
func outlived(ctx context.Context, rec record[Lease], held Lease, version int64, now time.Time) error {
	if left := held.Until.Sub(now); left > 0 && left <= leaseTTL {
		return &BusyError{held}
	}
	watching, cancel := context.WithTimeout(ctx, leaseTTL)
	defer cancel()
	tick := time.NewTicker(leaseTTL / 12)
	defer tick.Stop()
	for {
		select {
		case <-watching.Done():
			return ctx.Err()
		case <-tick.C:
		}
		current, at, err := rec.read(ctx)
		switch {
		case err != nil:
			return err
		case at == version:
		case current.Holder == "": // it was given back meanwhile; swapping fails, and the next turn sees it free
			return nil
		default:
			return &BusyError{current}
		}
	}
}

// renew renews the lease until it is released. It is the only goroutine that changes it meanwhile.
func (t *tenure) renew(ctx context.Context, lost context.CancelCauseFunc) {
	defer close(t.done)
	tick := time.NewTicker(leaseTTL / 3)
	defer tick.Stop()
	renewed := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := t.extend(ctx)
		var busy *BusyError
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			renewed = time.Now()
		case errors.As(err, &busy), time.Since(renewed) >= leaseTTL:
			lost(err)
			return
		}
	}
}

// extend renews the lease once.
func (t *tenure) extend(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := t.mine
	next.Until = t.tenant.now().UTC().Add(leaseTTL)
	version, err := t.record.swap(ctx, t.version, next)
	if err == nil {
		t.version = version
		return nil
	}
	if !errors.Is(err, lake.ErrOvertaken) {
		return err
	}
	// Perhaps by our own renewal, whose answer was lost.
	held, version, err := t.record.read(ctx)
	if err != nil {
		return err
	}
	if held.Holder != t.mine.Holder {
		return &BusyError{held}
	}
	t.version = version
	return nil
}

// check returns a *BusyError if somebody else has taken over.
func (t *tenure) check(ctx context.Context) error {
	held, _, err := t.record.read(ctx)
	if err != nil {
		return err
	}
	if held.Holder != t.mine.Holder {
		return &BusyError{held}
	}
	return nil
}

// release gives the lease back and waits for its goroutine. One that cannot be given back expires.
func (t *tenure) release(ctx context.Context) {
	t.stop()
	<-t.done
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTTL/6)
	defer cancel()
	held, version, err := t.record.read(ctx)
	if err == nil && held.Holder == t.mine.Holder {
		_, _ = t.record.swap(ctx, version, Lease{})
	}
}
