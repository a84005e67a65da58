package access

import (
	"slices"
	"strings"
	"time"
)

// Policy says who holds which role where. Parse makes one; it does not change afterwards.
type Policy struct {
	requireSecondFactor bool
	mockUsers           bool
	clinics             []string
	roles               map[string]Role
	rules               []rule
	support             []Support
}

// rule gives roles to whom it fits.
type rule struct {
	fits   func(Principal) bool
	by     string
	grants []grant
	// staff are the practitioners whom the person stands for, by clinic.
	staff map[string][]string
}

// grant is a role at some clinics, or at everywhere alone.
type grant struct {
	role    Role
	clinics []string
}

// RequiresSecondFactor says whether people must have signed in with a second factor.
func (p *Policy) RequiresSecondFactor() bool { return p.requireSecondFactor }

// MockUsers says that whoever is on the server's own machine may ask as anybody, to try the policy out. It is for machines that hold no
// patient's data but made-up ones.
func (p *Policy) MockUsers() bool { return p.mockUsers }

// Clinics are those that the policy speaks of by name.
func (p *Policy) Clinics() []string { return slices.Clone(p.clinics) }

// Roles are the templates and the policy's own, templates first, each in its order.
func (p *Policy) Roles() []Role {
	var own []Role
	templates := Templates()
	for _, r := range p.roles {
		if !slices.ContainsFunc(templates, func(t Role) bool { return t.Name == r.Name }) {
			own = append(own, r)
		}
	}
	slices.SortFunc(own, func(a, b Role) int { return strings.Compare(a.Name, b.Name) })
	return append(templates, own...)
}

// Role finds a role of the policy.
func (p *Policy) Role(name string) (Role, bool) {
	r, ok := p.roles[name]
	return r, ok
}

// SupportAt lists the grants of support access that hold at a clinic at a moment.
func (p *Policy) SupportAt(clinic string, at time.Time) []Support {
	var out []Support
	for _, s := range p.support {
		if s.active(at) && len(meet([]string{clinic}, s.Clinics)) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// WithSupport gives a policy that has further grants of support access, such as those given while the server runs. What does not
// hold is refused: a grant must name people and clinics and a reason, and last at most LongestSupport.
func (p *Policy) WithSupport(grants ...Support) (*Policy, error) {
	out := *p
	out.support = slices.Clone(p.support)
	for _, s := range grants {
		if err := s.check(); err != nil {
			return nil, err
		}
		out.support = append(out.support, s)
	}
	return &out, nil
}
