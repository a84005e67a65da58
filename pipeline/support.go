package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/warehouse/access"
)

// SupportGrant is support access to one clinic: a person of the vendor, for a reason and a time. It lies in the lake, so that what one
// machine grants every server knows.
type SupportGrant struct {
	// Session names it. Issuer and Login say who gets it, as access.Principal does.
	Session string `json:"session"`
	Issuer  string `json:"issuer"`
	Login   string `json:"login"`
	// Reason is a word, such as ticket/4711.
	Reason    string    `json:"reason"`
	GrantedBy string    `json:"granted_by"`
	From      time.Time `json:"from"`
	Until     time.Time `json:"until"`
	// Ended is when it did, zero before; EndedBy is empty where its time was over. Uses counts what was asked in it.
	Ended   time.Time `json:"ended,omitzero"`
	EndedBy string    `json:"ended_by,omitempty"`
	Uses    int       `json:"uses"`
}

// Active says whether it holds at a moment.
func (g SupportGrant) Active(at time.Time) bool {
	return g.Ended.IsZero() && !at.Before(g.From) && at.Before(g.Until)
}

// duration is how long it lasted.
func (g SupportGrant) duration(ended time.Time) time.Duration {
	if ended.After(g.Until) {
		ended = g.Until
	}
	return max(ended.Sub(g.From), 0)
}

// supportRecord is the register of a clinic's support access.
type supportRecord struct {
	Grants []SupportGrant `json:"grants"`
}

const (
	supportRegister = "support"
	// keptGrants is how many grants are remembered that have ended; the audit log remembers all.
	keptGrants = 100
)

func (s *Site) support() record[supportRecord] {
	return recordOf[supportRecord](s, supportRegister, "keeping support access")
}

// ErrNoSuchSupport says that no support access of the name goes on.
var ErrNoSuchSupport = errors.New("no support access of that session goes on: falloff support list says which do")

// SupportGrants lists a clinic's support access, the newest first, that which has ended among it.
func (s *Site) SupportGrants(ctx context.Context) ([]SupportGrant, error) {
	r, _, err := s.support().read(ctx)
	slices.Reverse(r.Grants)
	return r.Grants, err
}

// GrantSupport gives support access from now on, to a login that issuer vouches for. Record is called with the audit record before it
// holds, and keeps it from that with an error.
func (s *Site) GrantSupport(ctx context.Context, g SupportGrant, length time.Duration, record func(audit.Entry) error) (*SupportGrant, error) {
	var err error
	if g.Session, err = randomName(s.random); err != nil {
		return nil, err
	}
	g.From = s.clock().UTC().Truncate(time.Second)
	g.Until = g.From.Add(length)
	if err := g.grant(string(s.Clinic.ID())).Check(); err != nil {
		return nil, refused("", err)
	}
	if err := record(audit.Entry{Action: audit.SupportGranted, Entity: "support", After: audit.Fields{
		"session": g.Session, "until": g.Until.Format(time.RFC3339), "minutes": int(length.Minutes()), "reason": g.Reason,
	}}); err != nil {
		return nil, err
	}
	return &g, s.support().change(ctx, func(r *supportRecord) error {
		r.Grants = append(r.Grants, g)
		for i := 0; len(r.Grants) > keptGrants && i < len(r.Grants); {
			if r.Grants[i].Ended.IsZero() {
				i++
				continue
			}
			r.Grants = slices.Delete(r.Grants, i, i+1)
		}
		return nil
	})
}

// grant is it as the access policy has it.
func (g SupportGrant) grant(clinic string) access.Support {
	return access.Support{Issuer: g.Issuer, Subject: g.Login, Clinics: []string{clinic}, From: g.From, Until: g.Until, Reason: g.Reason}
}

// EndSupport ends support access at once. Uses counts what was asked in it; record is called with the audit record, of session and
// duration, before it ends.
func (s *Site) EndSupport(ctx context.Context, session, by string, uses func(SupportGrant) (int, error), record func(audit.Entry) error) (*SupportGrant, error) {
	grants, err := s.SupportGrants(ctx)
	if err != nil {
		return nil, err
	}
	for _, g := range grants {
		if g.Session == session && g.Ended.IsZero() {
			return s.endSupport(ctx, g, by, uses, record)
		}
	}
	return nil, refused("", ErrNoSuchSupport)
}

// SettleSupport records the end of support access whose time is over, and says how much of it there was.
func (s *Site) SettleSupport(ctx context.Context, uses func(SupportGrant) (int, error), record func(audit.Entry) error) (settled int, err error) {
	grants, err := s.SupportGrants(ctx)
	if err != nil {
		return 0, err
	}
	for _, g := range grants {
		if !g.Ended.IsZero() || s.clock().Before(g.Until) {
			continue
		}
		if _, err := s.endSupport(ctx, g, "", uses, record); err != nil {
			return settled, err
		}
		settled++
	}
	return settled, nil
}

// endSupport records the end of a grant, then ends it. Where two do so at once there are two records of one end, never none.
func (s *Site) endSupport(ctx context.Context, g SupportGrant, by string, uses func(SupportGrant) (int, error), record func(audit.Entry) error) (*SupportGrant, error) {
	var err error
	g.Ended, g.EndedBy = s.clock().UTC().Truncate(time.Second), by
	if by == "" {
		g.Ended = g.Until
	}
	if g.Uses, err = uses(g); err != nil {
		return nil, fmt.Errorf("counting what was asked with support access: %w", err)
	}
	reason := "expired"
	if by != "" {
		reason = "revoked"
	}
	if err := record(audit.Entry{Action: audit.SupportEnded, Entity: "support", After: audit.Fields{
		"session": g.Session, "reason": reason, "seconds": int64(g.duration(g.Ended).Seconds()), "uses": g.Uses,
	}}); err != nil {
		return nil, err
	}
	return &g, s.support().change(ctx, func(r *supportRecord) error {
		at := slices.IndexFunc(r.Grants, func(o SupportGrant) bool { return o.Session == g.Session })
		if at < 0 || !r.Grants[at].Ended.IsZero() {
			return errAsItIs
		}
		r.Grants[at] = g
		return nil
	})
}
