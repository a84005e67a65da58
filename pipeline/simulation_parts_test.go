package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// trouble is what goes wrong on a simulated machine at one step of a run. Steps are its requests to the lake, what it does in
// the portal, and the reading of a report.
type trouble struct {
	at int
	// done says that the step at which it happens was carried out, and its answer lost.
	done bool
	// kind says what happens.
	kind troubleKind
}

type troubleKind int

const (
	_ troubleKind = iota // nothing
	// killed: nothing that the process does from here on has any effect.
	killed
	// failing: this one step fails.
	failing
	// frozen: the machine stands still for some minutes and then goes on as if nothing had been.
	frozen
)

var (
	errKilled  = errors.New("simulated: the process was killed")
	errFailing = errors.New("simulated: this step failed")
)

const frozenFor = 4 * time.Minute

// machine runs one process at a time.
type machine struct {
	trouble trouble

	mu    sync.Mutex
	steps int
	dead  bool
	until time.Time // frozen until
}

// step counts a step. It says whether the step has an effect and whether its answer arrives.
func (m *machine) step() (effect bool, err error) {
	m.mu.Lock()
	m.steps++
	happens := m.steps == m.trouble.at
	if happens && m.trouble.kind == frozen {
		m.until = time.Now().Add(frozenFor)
	}
	if happens && m.trouble.kind == killed {
		m.dead = true
		m.mu.Unlock()
		return m.trouble.done, errKilled
	}
	dead, wait := m.dead, time.Until(m.until)
	m.mu.Unlock()
	switch {
	case dead:
		return false, errKilled
	case happens && m.trouble.kind == failing:
		return m.trouble.done, errFailing
	}
	if wait > 0 {
		time.Sleep(wait)
	}
	return true, nil
}

func (m *machine) killed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

// simStore is the lake as a machine reaches it.
type simStore struct {
	lake.Store
	m *machine
}

func (s simStore) Get(ctx context.Context, name string) ([]byte, error) {
	if _, err := s.m.step(); err != nil {
		return nil, &lake.StoreError{Op: "get", Name: name, Store: "simulated", Err: err}
	}
	return s.Store.Get(ctx, name)
}

func (s simStore) GetRange(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	if _, err := s.m.step(); err != nil {
		return nil, &lake.StoreError{Op: "get", Name: name, Store: "simulated", Err: err}
	}
	return s.Store.GetRange(ctx, name, offset, length)
}

func (s simStore) Create(ctx context.Context, name string, body []byte) error {
	effect, err := s.m.step()
	if effect {
		if failed := s.Store.Create(ctx, name, body); err == nil {
			return failed
		}
	}
	if err != nil {
		return &lake.StoreError{Op: "create", Name: name, Store: "simulated", Err: err}
	}
	return nil
}

func (s simStore) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	if _, err := s.m.step(); err != nil {
		return func(yield func(string, error) bool) { yield("", err) }
	}
	return s.Store.List(ctx, prefix, after)
}

func (s simStore) Delete(ctx context.Context, name string) error {
	effect, err := s.m.step()
	if effect {
		if failed := s.Store.Delete(ctx, name); err == nil {
			return failed
		}
	}
	return err
}

// seen is what the portal has noted of what was done in it.
type seen struct {
	night   int
	action  string
	subject string
	at      time.Time
	// told says that the machine that did it learnt of it and was alive.
	told bool
}

// simPortal is the portal of a simulated clinic, whoever visits it.
type simPortal struct {
	mu       sync.Mutex
	night    int
	world    *world
	day      civil.Date
	log      []seen
	password string // the id of the credentials that it takes
	refused  map[string]int
	// fails is what the portal does instead of the export with that number of the night, counted from 1; 0 for nothing.
	failAt  int
	failing extractors.Cause
	served  int
	// next, if set, is what the portal shows from the report with the number changeAt of the night on.
	next     *world
	changeAt int
	// cut are the numbers of exports whose file breaks off, in whichever row it happens to.
	cut map[int]bool
	// onServe, if set, is called when a report is asked for.
	onServe func(served int)
}

func (p *simPortal) Kinds() []extractors.ReportKind { return simKinds() }

// note notes what was done, and gives the line for the ledger of who did it.
func (p *simPortal) note(action, subject string) extractors.Access {
	p.log = append(p.log, seen{night: p.night, action: action, subject: subject, at: time.Now()})
	return extractors.Access{At: time.Now(), Action: action, Subject: fmt.Sprintf("%s #%d", subject, len(p.log)), Rows: -1, Bytes: -1, Outcome: extractors.AccessDone}
}

// client is the portal as one process visits it.
type client struct {
	*simPortal
	m           *machine
	credentials string
}

func (c client) Visit(orders []extractors.Order, w Watch) (extractors.Source, error) {
	return &simSource{c, orders, w}, nil
}

type simSource struct {
	client
	orders []extractors.Order
	watch  Watch
}

// act does something in the portal: it may be done without us learning of it, or not at all.
func (s *simSource) act(do func() extractors.Access) error {
	effect, err := s.m.step()
	if effect {
		s.mu.Lock()
		line := do()
		if err == nil {
			s.log[len(s.log)-1].told = true
		}
		s.mu.Unlock()
		if err == nil {
			s.watch.Access(line)
		}
	}
	if errors.Is(err, errFailing) {
		return &extractors.Failure{Cause: extractors.Network, Doing: "asking the portal", Err: err}
	}
	return err
}

func (s *simSource) signIn() error {
	var refused error
	err := s.act(func() extractors.Access {
		if s.credentials == s.password {
			return s.note(extractors.ActionSignedIn, "")
		}
		s.refused[s.credentials]++
		refused = &extractors.Failure{Cause: extractors.WrongPassword, Doing: "signing in"}
		return s.note(extractors.ActionSignedIn, "refused")
	})
	if err != nil {
		return err
	}
	return refused
}

func (s *simSource) Reports(ctx context.Context, each func(extractors.Report) error) error {
	for i, o := range s.orders {
		if err := s.watch.Before(ctx); err != nil {
			return err
		}
		if err := s.watch.Budget(9); err != nil {
			return err
		}
		if i == 0 {
			if err := s.signIn(); err != nil {
				return err
			}
		}
		report, err := s.whole(ctx, o)
		if err != nil {
			return err
		}
		if _, err := s.m.step(); err != nil {
			return err
		}
		if err := each(report); err != nil {
			return err
		}
		select { // the polite pause
		case <-time.After(3 * time.Second):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err := s.act(func() extractors.Access { return s.note(extractors.ActionSignedOut, "") }); err != nil {
		return err
	}
	return nil
}

// whole exports a report, and once more where the file was not whole: as package jane does.
func (s *simSource) whole(ctx context.Context, o extractors.Order) (report extractors.Report, err error) {
	for range 2 {
		if report, err = s.export(ctx, o); err != nil {
			return report, err
		}
		var failure *extractors.Failure
		if err = s.watch.Check(ctx, report); !errors.As(err, &failure) || failure.Cause != extractors.ExportIncomplete {
			return report, err
		}
	}
	return report, err
}

func (s *simSource) export(ctx context.Context, o extractors.Order) (report extractors.Report, err error) {
	var failure error
	err = s.act(func() extractors.Access {
		s.served++
		if s.next != nil && s.served >= s.changeAt {
			s.world, s.next = s.next, nil
		}
		if s.onServe != nil {
			s.onServe(s.served)
		}
		if s.failing != "" && s.served == s.failAt {
			failure = &extractors.Failure{Cause: s.failing, Doing: "exporting " + o.ID()}
			return s.note(extractors.ActionOpened, "failed "+o.ID())
		}
		report = s.world.report(o, s.day)
		if s.cut[s.served] {
			report.Body = report.Body[:len(report.Body)/2]
		}
		return s.note(extractors.ActionRan, o.ID())
	})
	if err == nil {
		err = failure
	}
	if err != nil {
		return report, err
	}
	select { // the portal computes
	case <-time.After(2 * time.Second):
	case <-ctx.Done():
		return report, context.Cause(ctx)
	}
	return report, s.act(func() extractors.Access { return s.note(extractors.ActionDownloaded, o.ID()) })
}

// plainCipher binds bytes to what they are for and hides nothing: the simulation is not about secrecy.
type plainCipher struct{}

func (plainCipher) Encrypt(plain, associated []byte) ([]byte, error) {
	sum := sha256.Sum256(append(associated, plain...))
	return append(sum[:], plain...), nil
}

func (plainCipher) Decrypt(sealed, associated []byte) ([]byte, error) {
	if len(sealed) < sha256.Size {
		return nil, errors.New("too short")
	}
	sum := sha256.Sum256(append(associated, sealed[sha256.Size:]...))
	if hex.EncodeToString(sum[:]) != hex.EncodeToString(sealed[:sha256.Size]) {
		return nil, errors.New("other bytes, or another place")
	}
	return sealed[sha256.Size:], nil
}

// seededReader gives repeatable random bytes.
type seededReader struct {
	mu sync.Mutex
	r  *rand.Rand
}

func (s *seededReader) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range p {
		p[i] = byte(s.r.Uint32())
	}
	return len(p), nil
}
