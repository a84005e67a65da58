package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/server"
)

// ServerSupport grants and ends support access through a query server, knows what is granted, and notices when its time is over.
type ServerSupport struct {
	snapshots *Snapshots
	audit     *ServerAuditLog
	now       func() time.Time
	log       *slog.Logger

	// turn is held while grants are read and noted, so that what was read before a change is not noted after it.
	turn chan struct{}

	mu     sync.Mutex
	grants map[string][]SupportGrant
}

// NewServerSupport is a server's support desk. It knows of no grant before Watch has looked.
func NewServerSupport(snapshots *Snapshots, auditLog *ServerAuditLog, now func() time.Time, log *slog.Logger) *ServerSupport {
	return &ServerSupport{snapshots: snapshots, audit: auditLog, now: now, log: log, turn: make(chan struct{}, 1), grants: map[string][]SupportGrant{}}
}

// supportEvery is how often the lake is asked for support access that others granted or ended.
const supportEvery = 5 * time.Second

// Watch looks after what is granted until ctx ends, at first at once.
func (s *ServerSupport) Watch(ctx context.Context) {
	tick := time.NewTicker(supportEvery)
	defer tick.Stop()
	for {
		s.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look reads every clinic's grants, and settles those whose time is over. What cannot be read stays as it was known: a grant ends by
// its time whatever happens.
func (s *ServerSupport) look(ctx context.Context) {
	clinics, err := s.snapshots.Clinics(ctx)
	for _, clinic := range clinics {
		var site *Site
		if site, err = s.snapshots.open(ctx, clinic); err == nil {
			err = s.lookAt(ctx, clinic, site)
		}
		if err != nil && ctx.Err() == nil {
			s.log.Warn("support access cannot be looked after", "clinic", clinic, "error", err)
		}
	}
	if err != nil && len(clinics) == 0 && ctx.Err() == nil {
		s.log.Warn("support access cannot be looked after", "error", err)
	}
}

// itself acts where nobody does.
var itself = server.Asker{Person: audit.ServicePrefix + "falloff-serve"}

func (s *ServerSupport) lookAt(ctx context.Context, clinic string, site *Site) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return fmt.Errorf("waiting for the grants of support access: %w", ctx.Err())
	}
	if _, err := site.SettleSupport(ctx, s.uses(ctx, clinic), s.record(ctx, itself, clinic)); err != nil {
		return err
	}
	grants, err := site.SupportGrants(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grants[clinic] = grants
	return nil
}

// uses counts what was asked of a clinic with a grant.
func (s *ServerSupport) uses(ctx context.Context, clinic string) func(SupportGrant) (int, error) {
	return func(g SupportGrant) (int, error) {
		records, err := s.audit.find(ctx, usedIn(clinic, g))
		return usesOf(records, g.Reason), err
	}
}

func (s *ServerSupport) record(ctx context.Context, by server.Asker, clinic string) func(audit.Entry) error {
	return func(e audit.Entry) error {
		by.Session = "" // the record's session is that of the support access
		return noteFor(ctx, s.audit.chain, by, clinic, e)
	}
}

// Active lists the grants that hold at this moment, for the access policy.
func (s *ServerSupport) Active() []access.Support {
	at := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []access.Support
	for clinic, grants := range s.grants {
		for _, g := range grants {
			if g.Active(at) {
				out = append(out, g.grant(clinic))
			}
		}
	}
	slices.SortFunc(out, func(a, b access.Support) int {
		return strings.Compare(a.From.Format(time.RFC3339)+a.Reason+a.Subject, b.From.Format(time.RFC3339)+b.Reason+b.Subject)
	})
	return out
}

// List gives the grants of a clinic, the newest first.
func (s *ServerSupport) List(ctx context.Context, clinic string) ([]server.SupportGrant, error) {
	site, err := s.snapshots.open(ctx, clinic)
	if err != nil {
		return nil, err
	}
	if err := s.lookAt(ctx, clinic, site); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []server.SupportGrant{}
	for _, g := range s.grants[clinic] {
		out = append(out, s.told(g))
	}
	return out, nil
}

func (s *ServerSupport) told(g SupportGrant) server.SupportGrant {
	out := server.SupportGrant{
		Session: g.Session, Login: g.Login, Issuer: g.Issuer, Reason: g.Reason, GrantedBy: g.GrantedBy, From: g.From, Until: g.Until,
		Active: g.Active(s.now()), EndedBy: g.EndedBy, Uses: g.Uses,
	}
	if !g.Ended.IsZero() {
		out.Ended = &g.Ended
	}
	return out
}

// Grant gives support access, which this server knows of at once.
func (s *ServerSupport) Grant(ctx context.Context, by server.Asker, clinic string, r server.SupportRequest) (*server.SupportGrant, error) {
	return s.change(ctx, clinic, func(site *Site) (*SupportGrant, error) {
		g := SupportGrant{Issuer: r.Issuer, Login: r.Login, Reason: r.Reason, GrantedBy: by.Person}
		if g.Issuer == "" {
			g.Issuer = access.Grafana
		}
		return site.GrantSupport(ctx, g, r.For, s.record(ctx, by, clinic))
	})
}

// End ends support access at once.
func (s *ServerSupport) End(ctx context.Context, by server.Asker, clinic, session string) (*server.SupportGrant, error) {
	return s.change(ctx, clinic, func(site *Site) (*SupportGrant, error) {
		return site.EndSupport(ctx, session, by.Person, s.uses(ctx, clinic), s.record(ctx, by, clinic))
	})
}

func (s *ServerSupport) change(ctx context.Context, clinic string, do func(*Site) (*SupportGrant, error)) (*server.SupportGrant, error) {
	site, err := s.snapshots.open(ctx, clinic)
	if err != nil {
		return nil, err
	}
	g, err := do(site)
	if refusal, ok := errors.AsType[*RefusedError](err); ok {
		if errors.Is(err, ErrNoSuchSupport) {
			return nil, server.Refuse(http.StatusNotFound, "not_found", "no support access of that session goes on", "GET /v1/support lists those that do")
		}
		problem, hint, _ := strings.Cut(refusal.Err.Error(), ": ")
		return nil, server.Refuse(http.StatusBadRequest, "bad_request", problem, hint)
	}
	if err != nil {
		return nil, err
	}
	if err := s.lookAt(ctx, clinic, site); err != nil {
		return nil, err
	}
	out := s.told(*g)
	return &out, nil
}
