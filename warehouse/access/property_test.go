package access_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/access"
)

// world is a policy made by chance, and its people.
type world struct {
	text    string
	clinics []string
	people  []access.Principal
	// held says by rule what is given: role and clinics.
	held map[string][]given
}

type given struct{ role, clinic string }

// chance makes a world. Every rule of it is kept with the probability share, so that two calls with one source and a share of 1
// and less give a policy and one with fewer roles.
func chance(seed uint64, share float64) world {
	r, dropped := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
	w := world{clinics: []string{"a", "b", "c"}, held: map[string][]given{}}
	roles := []string{
		access.ClinicOwner, access.Manager, access.Biller, access.FrontDesk, access.Practitioner, access.Practitioner, access.Analyst,
		access.RecoveryCoordinator, access.PrivacyOfficer, "own_some", "own_narrow",
	}
	permissions := access.Permissions()
	var with []string
	for range 1 + r.IntN(4) {
		with = append(with, string(permissions[r.IntN(len(permissions))]))
	}
	var text strings.Builder
	fmt.Fprintf(&text, "version: 1\nrequire_second_factor: %v\nclinics: [a, b, c]\nroles:\n  - {name: own_some, with: [%s]}\n"+
		"  - {name: own_narrow, of: [practitioner], with: [tasks.work], view_assigned_only: true}\n", r.IntN(2) == 0, strings.Join(with, ", "))
	grants := func(rule string) string {
		var out []string
		for range 1 + r.IntN(3) {
			role, clinic := roles[r.IntN(len(roles))], []string{"a", "b", "c", `"*"`}[r.IntN(4)]
			if dropped.Float64() >= share {
				continue
			}
			out = append(out, fmt.Sprintf("{role: %s, clinics: [%s]}", role, clinic))
			w.held[rule] = append(w.held[rule], given{role, strings.Trim(clinic, `"`)})
		}
		return "[" + strings.Join(out, ", ") + "]"
	}
	text.WriteString("people:\n")
	for i := range 4 {
		login := fmt.Sprintf("p%d", i)
		// Everybody stands for somebody at one clinic, so that the entry stays also without roles.
		fmt.Fprintf(&text, "  - {login: %s, roles: %s, staff: [{clinic: %s, names: [S%d]}]}\n", login, grants("login "+login), w.clinics[r.IntN(3)], r.IntN(3))
		w.people = append(w.people, access.Principal{
			Person: login, Issuer: access.Grafana, Subject: login, Teams: []string{fmt.Sprintf("t%d", r.IntN(3))}, SecondFactor: r.IntN(4) > 0,
		})
	}
	var teams strings.Builder
	for i := range 3 {
		team := fmt.Sprintf("t%d", i)
		if list := grants("team " + team); list != "[]" {
			fmt.Fprintf(&teams, "  - {team: %s, roles: %s}\n", team, list)
		}
	}
	if teams.Len() > 0 {
		text.WriteString("teams:\n" + teams.String())
	}
	w.text = text.String()
	return w
}

// within says that all of a may be seen in b.
func within(a, b access.Reach) bool {
	if b.Everyones() || a.None() {
		return true
	}
	return !a.Everyones() && !slices.ContainsFunc(a.Staff(), func(name string) bool { return !slices.Contains(b.Staff(), name) })
}

// reaches are all answers about a clinic.
func reaches(v access.Visible, clinic string) map[string]access.Reach {
	out := map[string]access.Reach{}
	for _, m := range access.Marts() {
		out["rows of "+m.Name], out["aggregates of "+m.Name] = v.Rows(clinic, m.Name), v.Aggregates(clinic, m.Name)
	}
	for _, m := range access.Metrics() {
		out["metric "+m.Name] = v.Metric(clinic, m.Name)
	}
	for _, q := range access.Queries() {
		out["query "+q.Name] = v.Query(clinic, q.Name)
	}
	for _, p := range access.Permissions() {
		out["permission "+string(p)] = v.Scope(clinic, p)
	}
	return out
}

// What must hold of every policy: further roles never show less; nothing is held without a role that gives it at the clinic;
// an action comes with the reads of its group; a narrowed role alone shows nobody's but the caseload.
func TestWhatHoldsOfEveryPolicy(t *testing.T) {
	for seed := range uint64(80) {
		more, fewer := chance(seed, 1), chance(seed, 0.6)
		all, some := parse(t, more.text), parse(t, fewer.text)
		for _, who := range more.people {
			v, less := all.Visible(who, noon), some.Visible(who, noon)
			for _, clinic := range append([]string{"d"}, more.clinics...) {
				wide := reaches(v, clinic)
				for what, reach := range reaches(less, clinic) {
					if !within(reach, wide[what]) {
						t.Fatalf("seed %d, %s at %s: %s is %v with more roles, and %v with fewer", seed, who.Person, clinic, what, wide[what], reach)
					}
				}
				held(t, all, v, more, who, clinic)
				if !slices.Equal(v.Permissions(clinic), all.Visible(who, noon).Permissions(clinic)) || v.Key(clinic) != all.Visible(who, noon).Key(clinic) {
					t.Fatalf("seed %d, %s at %s: asked twice, two answers", seed, who.Person, clinic)
				}
			}
		}
	}
}

// held compares what somebody holds at a clinic with what their rules give, role by role.
func held(t *testing.T, policy *access.Policy, v access.Visible, w world, who access.Principal, clinic string) {
	t.Helper()
	wide := map[access.Permission]bool{}
	for _, g := range access.Groups() {
		for _, e := range g.Entries {
			wide[e.Permission] = e.LakeWide
		}
	}
	for _, p := range access.Permissions() {
		want, everyones := false, false
		for _, rule := range append([]string{"login " + who.Subject}, "team "+who.Teams[0]) {
			for _, g := range w.held[rule] {
				role, _ := policy.Role(g.role)
				if (g.clinic == clinic || g.clinic == "*") && role.Gives(p) && (!wide[p] || g.clinic == "*") && (who.SecondFactor || !policy.RequiresSecondFactor()) {
					want, everyones = true, everyones || !role.Narrowed
				}
			}
		}
		if v.Allows(clinic, p) != want || v.Scope(clinic, p).Everyones() != everyones {
			t.Fatalf("%s at %s: %s is %v, everyone's %v; the roles give %v, %v", who.Person, clinic, p, v.Allows(clinic, p), v.Scope(clinic, p).Everyones(), want, everyones)
		}
		if !want {
			continue
		}
		for _, implied := range p.Implied() {
			if !v.Allows(clinic, implied) || !within(v.Scope(clinic, p), v.Scope(clinic, implied)) {
				t.Fatalf("%s at %s: %s is held, and not %s, which it implies", who.Person, clinic, p, implied)
			}
		}
	}
}

// Whatever is asked, the explanation says the same as the decision, and a refusal says what to do.
func TestExplanationsAgreeWithDecisions(t *testing.T) {
	for seed := range uint64(20) {
		w := chance(seed, 1)
		policy := parse(t, w.text)
		for _, who := range append(w.people, user("stranger")) {
			v := policy.Visible(who, noon)
			for _, clinic := range []string{"a", "d"} {
				for what, reach := range reaches(v, clinic) {
					thing := what[strings.LastIndex(what, " ")+1:]
					switch {
					case strings.HasPrefix(what, "rows"):
						thing = "marts." + thing
					case strings.HasPrefix(what, "aggregates"), strings.HasPrefix(what, "metric"):
						if what != "query "+thing && slices.ContainsFunc(access.Queries(), func(q access.Query) bool { return q.Name == thing }) {
							continue // the name means the query
						}
						if strings.HasPrefix(what, "aggregates") && slices.ContainsFunc(access.Metrics(), func(m access.Metric) bool { return m.Name == thing }) {
							continue
						}
					}
					d, err := v.Explain(clinic, thing)
					if err != nil {
						t.Fatal(err)
					}
					want := !reach.None() || strings.HasPrefix(what, "permission") && v.Allows(clinic, access.Permission(thing))
					if d.Allowed != want || len(d.Because) == 0 || (d.Hint == "") != want || len(d.Missing) > 0 && want {
						t.Fatalf("seed %d, %s at %s, %s: %v, and the explanation is %+v", seed, who.Person, clinic, what, reach, d)
					}
				}
			}
		}
	}
}
