package access

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// everywhere stands for all clinics of the lake.
const everywhere = "*"

// Visible is what a principal may see and do at one moment. The zero Visible is nothing at all. It does not change, and may be
// used by several goroutines.
type Visible struct {
	person string
	// refused says why there is nothing at all.
	refused string
	// bound is the one clinic it is about; empty for any.
	bound string
	// grants are by clinic, everywhere for all of them.
	grants  map[string]granted
	staff   map[string][]string
	support []Support
	until   time.Time
}

// granted is what is held at a clinic: for everyone's patients, and for the caseload alone.
type granted struct {
	whole, narrowed set
	// from says which role gave what, and why the role is held.
	from []source
}

type source struct {
	role  Role
	holds set
	by    string
}

// Visible decides what a principal may see and do at a moment. It is the only function that decides, and it is pure: the same
// policy, principal and moment give the same answer.
func (p *Policy) Visible(who Principal, at time.Time) Visible {
	v := Visible{person: who.Person, bound: who.Clinic, grants: map[string]granted{}, staff: map[string][]string{}}
	switch {
	case p == nil:
		return v.nothing("there is no access policy")
	case who.Person == "" || who.Issuer == "" || who.Subject == "":
		return v.nothing("nobody is signed in")
	case who.Service != (who.Issuer == ServiceTokens) || who.Service != (who.Scope != nil):
		return v.nothing("a service is one by its token alone")
	case who.Service:
		return p.visibleService(v, *who.Scope)
	case p.requireSecondFactor && !who.SecondFactor:
		return v.nothing("the sign-in used no second factor, and the policy demands one")
	}
	for _, r := range p.rules {
		if !r.fits(who) {
			continue
		}
		for _, g := range r.grants {
			if g.role.BySupport {
				v = v.supported(g, r.by, p.support, who, at)
				continue
			}
			for _, clinic := range g.clinics {
				v.add(clinic, g.role, g.role.holds, r.by)
			}
		}
		for clinic, names := range r.staff {
			v.staff[clinic] = append(v.staff[clinic], names...)
		}
	}
	for clinic, names := range v.staff {
		slices.Sort(names)
		v.staff[clinic] = slices.Compact(names)
	}
	if len(v.grants) == 0 {
		return v.nothing("no role is given to them, or only one that waits for support access")
	}
	return v
}

func (v Visible) nothing(why string) Visible { return Visible{person: v.person, refused: why} }

// visibleService is the token's scope, as far as its role still gives it.
func (p *Policy) visibleService(v Visible, s Scope) Visible {
	role, ok := p.roles[s.Role]
	if !ok || role.BySupport || role.Narrowed {
		return v.nothing("the token's role is not in the policy, or is no role for services")
	}
	holds := role.holds
	if len(s.Permissions) > 0 {
		holds = holds.and(closed(s.Permissions...))
	}
	for _, clinic := range s.Clinics {
		v.add(clinic, role, holds, "the token's scope")
	}
	if len(v.grants) == 0 {
		return v.nothing("the token opens no clinic")
	}
	return v
}

// add gives what a role holds at a clinic. What reaches beyond a clinic is given with all of them alone.
func (v Visible) add(clinic string, role Role, holds set, by string) {
	if clinic != everywhere || v.bound != "" {
		holds = holds.without(lakeWide)
	}
	if holds.empty() || clinic == "" {
		return
	}
	g := v.grants[clinic]
	if role.Narrowed {
		g.narrowed = g.narrowed.with(holds.and(narrows))
	} else {
		g.whole = g.whole.with(holds)
	}
	g.from = append(g.from, source{role, holds, by})
	v.grants[clinic] = g
}

// supported gives a role that waits for support access, where and while that is granted.
func (v Visible) supported(g grant, by string, all []Support, who Principal, at time.Time) Visible {
	for _, s := range all {
		if s.Issuer != who.Issuer || s.Subject != who.Subject || !s.active(at) {
			continue
		}
		for _, clinic := range meet(g.clinics, s.Clinics) {
			v.add(clinic, g.role, g.role.holds, fmt.Sprintf("%s, with support access for %s until %s", by, s.Reason, s.Until.UTC().Format(time.RFC3339)))
			if !slices.ContainsFunc(v.support, func(o Support) bool { return o.Reason == s.Reason && o.From.Equal(s.From) && o.Until.Equal(s.Until) }) {
				v.support = append(v.support, s)
			}
			if v.until.IsZero() || s.Until.Before(v.until) {
				v.until = s.Until
			}
		}
	}
	return v
}

// meet gives the clinics of both.
func meet(a, b []string) []string {
	switch {
	case slices.Contains(a, everywhere):
		return b
	case slices.Contains(b, everywhere):
		return a
	}
	var out []string
	for _, clinic := range a {
		if slices.Contains(b, clinic) {
			out = append(out, clinic)
		}
	}
	return out
}

// at joins what is held at a clinic with what is held at all.
func (v Visible) at(clinic string) (whole, narrowed set) {
	if clinic == "" || clinic == everywhere || v.bound != "" && clinic != v.bound {
		return set{}, set{}
	}
	here, all := v.grants[clinic], v.grants[everywhere]
	return here.whole.with(all.whole), here.narrowed.with(all.narrowed)
}

// Person is whom it is about.
func (v Visible) Person() string { return v.person }

// Refused says why there is nothing at all to see or do; empty where there is something.
func (v Visible) Refused() string {
	if v.refused == "" && len(v.grants) == 0 {
		return "nobody has decided yet"
	}
	return v.refused
}

// Until is when it ends by itself, with the first grant of support access in it; zero if it does not.
func (v Visible) Until() time.Time { return v.until }

// Support are the grants of support access that it rests on, for the banner and the audit log.
func (v Visible) Support() []Support { return slices.Clone(v.support) }

// Clinics gives those of the lake's clinics at which the principal holds anything.
func (v Visible) Clinics(all []string) []string {
	out := []string{}
	for _, clinic := range all {
		if whole, narrowed := v.at(clinic); !whole.empty() || !narrowed.empty() {
			out = append(out, clinic)
		}
	}
	return out
}

// Allows says whether a permission is held at a clinic, be it for the caseload alone: whoever shows or changes something about
// patients asks Scope, Rows, Aggregates, Metric or Query instead.
func (v Visible) Allows(clinic string, p Permission) bool {
	whole, narrowed := v.at(clinic)
	return whole.with(narrowed).has(p)
}

// AllowsLakeWide says whether a permission is held at all clinics of the lake.
func (v Visible) AllowsLakeWide(p Permission) bool {
	return v.bound == "" && v.grants[everywhere].whole.has(p)
}

// Permissions lists what is held at a clinic, in the catalogue's order.
func (v Visible) Permissions(clinic string) []Permission {
	whole, narrowed := v.at(clinic)
	return whole.with(narrowed).list()
}

// Reach says whose rows somebody may see. The zero Reach is nobody's.
type Reach struct {
	everyones bool
	staff     []string
}

// None says that nothing may be seen.
func (r Reach) None() bool { return !r.everyones && len(r.staff) == 0 }

// Everyones says that all rows may be seen.
func (r Reach) Everyones() bool { return r.everyones }

// Staff are the practitioners whose caseload may be seen; none where it is everyone's or nobody's.
func (r Reach) Staff() []string { return slices.Clone(r.staff) }

// String says it in words.
func (r Reach) String() string {
	switch {
	case r.everyones:
		return "everyone's"
	case r.None():
		return "nobody's"
	default:
		return "the caseload of " + strings.Join(r.staff, ", ")
	}
}

// reach is what is seen by all of some permissions together, where by says how it is narrowed.
func (v Visible) reach(clinic string, needs []Permission, by Caseload) Reach {
	whole, narrowed := v.at(clinic)
	all := set{}
	for _, p := range needs {
		all = all.with(only(p))
	}
	switch {
	case len(needs) == 0 || all.size() < len(needs): // nothing known is asked for
		return Reach{}
	case whole.holds(all):
		return Reach{everyones: true}
	case by == Whole || !whole.with(narrowed).holds(all):
		return Reach{}
	default:
		return Reach{staff: slices.Clone(v.staff[clinic])}
	}
}

// Scope says for whose patients a permission is held at a clinic.
func (v Visible) Scope(clinic string, p Permission) Reach {
	return v.reach(clinic, []Permission{p}, ByPatient)
}

// Rows says whose rows of a mart may be read at a clinic.
func (v Visible) Rows(clinic, mart string) Reach {
	m, ok := martNamed(mart)
	if !ok {
		return Reach{}
	}
	return v.reach(clinic, m.Rows, m.By)
}

// Aggregates says of whose rows released figures of a mart may be seen.
func (v Visible) Aggregates(clinic, mart string) Reach {
	m, ok := martNamed(mart)
	if !ok {
		return Reach{}
	}
	return v.reach(clinic, m.Aggregates, m.By)
}

// Metric says of whose rows a metric may be seen.
func (v Visible) Metric(clinic, metric string) Reach {
	m, ok := metricNamed(metric)
	if !ok {
		return Reach{}
	}
	return v.reach(clinic, []Permission{m.Permission}, m.By)
}

// Query says of whose rows a named query may be answered.
func (v Visible) Query(clinic, query string) Reach {
	q, ok := queryNamed(query)
	if !ok {
		return Reach{}
	}
	needs, by := q.needs()
	return v.reach(clinic, needs, by)
}

// needs joins what a query asks for itself and what its marts do.
func (q Query) needs() (needs []Permission, by Caseload) {
	needs, by = slices.Clone(q.Needs), ByPatient
	for _, name := range q.Marts {
		m, _ := martNamed(name)
		more := m.Aggregates
		if q.Rows {
			more = m.Rows
		}
		for _, p := range more {
			if !slices.Contains(needs, p) {
				needs = append(needs, p)
			}
		}
		if m.By == Whole {
			by = Whole
		}
	}
	return needs, by
}

// Marts lists the marts of which rows may be read at a clinic.
func (v Visible) Marts(clinic string) []string {
	out := []string{}
	for _, m := range marts {
		if !v.reach(clinic, m.Rows, m.By).None() {
			out = append(out, m.Name)
		}
	}
	return out
}

// AggregateMarts lists the marts of which released figures may be seen at a clinic.
func (v Visible) AggregateMarts(clinic string) []string {
	out := []string{}
	for _, m := range marts {
		if !v.reach(clinic, m.Aggregates, m.By).None() {
			out = append(out, m.Name)
		}
	}
	return out
}

// Metrics lists the metrics that may be seen at a clinic.
func (v Visible) Metrics(clinic string) []string {
	out := []string{}
	for _, m := range metrics {
		if !v.reach(clinic, []Permission{m.Permission}, m.By).None() {
			out = append(out, m.Name)
		}
	}
	return out
}

// Key names what is visible at a clinic: two that have the same key see the same rows and figures there, whoever they are. It is
// made for caches, and says nothing to whoever reads it.
func (v Visible) Key(clinic string) string {
	whole, narrowed := v.at(clinic)
	var text strings.Builder
	fmt.Fprintf(&text, "1\x00%s\x00%x\x00%x", clinic, whole, narrowed.without(whole))
	if !narrowed.without(whole).empty() {
		for _, name := range v.staff[clinic] {
			fmt.Fprintf(&text, "\x00%d:%s", len(name), name)
		}
	}
	sum := sha256.Sum256([]byte(text.String()))
	return hex.EncodeToString(sum[:16])
}
