package access

import (
	"fmt"
	"slices"
	"strings"

	"github.com/falloff-analytics/falloff/transforms/spelling"
)

// Decision explains what Visible says about one thing at one clinic.
type Decision struct {
	Person string `json:"person"`
	Clinic string `json:"clinic"`
	// Asked is what was asked about, Kind whether it is a permission, a query, a metric, or a mart's rows or aggregates.
	Asked string `json:"asked"`
	Kind  string `json:"kind"`
	// Allowed says the answer, and Reach whose patients it is about.
	Allowed bool     `json:"allowed"`
	Reach   string   `json:"reach"`
	Staff   []string `json:"staff,omitempty"`
	// Needs are the permissions that it takes, Missing those that are not held.
	Needs   []Permission `json:"needs"`
	Missing []Permission `json:"missing,omitempty"`
	// Because says which role gives each, and why the role is held; where it is refused, what stands in the way.
	Because []string `json:"because"`
	// Hint says what would change it; empty where it is allowed.
	Hint string `json:"hint,omitempty"`
}

// UnknownError says that there is no such thing to ask about.
type UnknownError struct{ Name, Near string }

// Error names the thing, and the one that was probably meant.
func (e *UnknownError) Error() string {
	text := fmt.Sprintf("there is no query, metric, mart or permission %q.", clip(e.Name))
	if e.Near != "" {
		text += fmt.Sprintf(" Did you mean %s?", e.Near)
	}
	return text
}

// Explain says what the principal may see of a thing at a clinic, and why. The thing is a named query, a metric, a mart (its
// aggregates), `marts.` and a mart (its rows), or a permission; where a name is both, it is the query. Its error is an *UnknownError.
func (v Visible) Explain(clinic, thing string) (Decision, error) {
	d := Decision{Person: v.person, Clinic: clinic, Asked: thing}
	by := ByPatient
	if q, ok := queryNamed(thing); ok {
		d.Kind = "query"
		d.Needs, by = q.needs()
	} else if m, ok := metricNamed(thing); ok {
		d.Kind, d.Needs, by = "metric", []Permission{m.Permission}, m.By
	} else if m, ok := martNamed(thing); ok {
		d.Kind, d.Needs, by = "aggregates", m.Aggregates, m.By
	} else if m, ok := martNamed(strings.TrimPrefix(thing, "marts.")); ok {
		d.Kind, d.Needs, by = "rows", m.Rows, m.By
	} else if p := Permission(thing); p.Known() {
		d.Kind, d.Needs = "permission", []Permission{p}
	} else {
		return d, &UnknownError{Name: thing, Near: spelling.Nearest(thing, things())}
	}
	reach := v.reach(clinic, d.Needs, by)
	d.Allowed, d.Reach, d.Staff = !reach.None(), reach.String(), reach.Staff()
	if d.Kind == "permission" && !d.Allowed && v.Allows(clinic, d.Needs[0]) {
		d.Allowed, d.Reach = true, "no practitioner's caseload: they stand for nobody"
	}
	v.explainHeld(&d, clinic)
	if !d.Allowed {
		v.explainRefused(&d, clinic, by)
	}
	return d, nil
}

// things are the names that can be asked about.
func things() []string {
	var out []string
	for _, q := range queries {
		out = append(out, q.Name)
	}
	for _, m := range metrics {
		out = append(out, m.Name)
	}
	for _, m := range marts {
		out = append(out, m.Name, "marts."+m.Name)
	}
	for _, p := range order {
		out = append(out, string(p))
	}
	return out
}

// explainHeld says of every permission that is needed where it comes from, or that it is missing.
func (v Visible) explainHeld(d *Decision, clinic string) {
	whole, narrowed := v.at(clinic)
	d.Because = []string{}
	for _, need := range d.Needs {
		if !whole.with(narrowed).has(need) {
			d.Missing = append(d.Missing, need)
			continue
		}
		for _, at := range []string{clinic, everywhere} {
			for _, s := range v.grants[at].from {
				given := s.holds
				if at != everywhere || v.bound != "" {
					given = given.without(lakeWide)
				}
				if !given.has(need) {
					continue
				}
				where, scope := "at "+at, ""
				if at == everywhere {
					where = "at all clinics"
				}
				if s.role.Narrowed {
					scope = " for the own caseload"
				}
				d.Because = append(d.Because, fmt.Sprintf("%s%s by the role %s %s, which %s has", need, scope, s.role.Name, where, s.by))
			}
		}
	}
}

// explainRefused says what stands in the way.
func (v Visible) explainRefused(d *Decision, clinic string, by Caseload) {
	whole, narrowed := v.at(clinic)
	switch {
	case v.Refused() != "":
		d.Because = append(d.Because, v.Refused())
		d.Hint = "Give them a role in the access policy, have them sign in with a second factor, or grant support access"
	case v.bound != "" && clinic != v.bound:
		d.Because = append(d.Because, "the token is for the clinic "+v.bound+" alone")
		d.Hint = "Ask by a data source of that clinic"
	case whole.empty() && narrowed.empty():
		d.Because = append(d.Because, "no role is held at the clinic "+clinic)
		d.Hint = "Give them a role there in the access policy"
	case len(d.Missing) > 0:
		d.Because = append(d.Because, fmt.Sprintf("no role that is held at the clinic %s gives %s", clinic, strings.Join(texts(d.Missing), ", ")))
		d.Hint = "Roles that give it: " + strings.Join(givers(d.Needs), ", ")
		if wide := d.Missing[0]; entries[wide].LakeWide {
			d.Because = append(d.Because, string(wide)+" reaches beyond a clinic, and no role that gives it is held at all clinics")
		}
	case by == Whole:
		d.Because = append(d.Because, d.Asked+" is of the whole clinic, and cannot be narrowed to a caseload")
		d.Hint = "Roles that give it: " + strings.Join(givers(d.Needs), ", ")
	default:
		d.Because = append(d.Because, "they stand for no practitioner at the clinic "+clinic)
		d.Hint = "Name the practitioner under `staff` of the person in the access policy"
	}
}

// givers are the templates that give all of some permissions for everyone's patients.
func givers(needs []Permission) []string {
	var out []string
	for _, t := range Templates() {
		if !t.Narrowed && !slices.ContainsFunc(needs, func(p Permission) bool { return !t.Gives(p) }) {
			out = append(out, t.Name)
		}
	}
	return out
}
