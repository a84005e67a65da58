package access

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// role makes a role of the policy's own of templates and permissions.
func (r *reading) role(at string, in filedRole) (Role, error) {
	out := Role{Name: in.Name, Says: in.Says}
	if !roleName.MatchString(in.Name) {
		return out, r.wrong(at+".name", "Write lower-case letters, digits and '_', a letter first", "%q is no role's name", clip(in.Name))
	}
	narrowed := ""
	for i, name := range in.Of {
		here := fmt.Sprintf("%s.of[%d]", at, i)
		t := slices.IndexFunc(Templates(), func(t Role) bool { return t.Name == name })
		if t < 0 {
			return out, r.wrong(here, nearest(name, templateNames(), "The templates are "+strings.Join(templateNames(), ", ")), "there is no template %q", clip(name))
		}
		template := Templates()[t]
		if template.BySupport {
			return out, r.wrong(here, "Give people the role "+name+" itself, and grant support access", "%s gives nothing without support access, and no other role may", name)
		}
		if template.Narrowed {
			narrowed = name
		}
		out.holds = out.holds.with(template.holds)
	}
	for i, name := range in.With {
		if err := r.known(fmt.Sprintf("%s.with[%d]", at, i), name); err != nil {
			return out, err
		}
		out.holds = out.holds.with(closed(Permission(name)))
	}
	for i, name := range in.Without {
		here := fmt.Sprintf("%s.without[%d]", at, i)
		if err := r.known(here, name); err != nil {
			return out, err
		}
		if !out.holds.has(Permission(name)) {
			return out, r.wrong(here, "Delete it", "the role does not hold %s anyway", name)
		}
		out.holds = out.holds.without(only(Permission(name)))
	}
	for _, p := range out.holds.list() {
		for _, implied := range p.Implied() {
			if !out.holds.has(implied) {
				return out, r.wrong(at+".without", "Take "+string(p)+" away as well", "it takes %s away, which %s implies", implied, p)
			}
		}
	}
	switch {
	case out.holds.empty():
		return out, r.wrong(at, "Compose it `of` templates, or `with` permissions", "the role %s holds nothing", in.Name)
	case in.ViewAssignedOnly == nil && narrowed != "":
		return out, r.wrong(at, "Say view_assigned_only: true or false", "it is composed of %s, which shows the own caseload alone", narrowed)
	}
	out.Narrowed = in.ViewAssignedOnly != nil && *in.ViewAssignedOnly
	if beyond := out.holds.without(narrows).list(); out.Narrowed && len(beyond) > 0 {
		return out, r.wrong(at+".view_assigned_only", "Take it away, or give it by another role", "%s cannot be narrowed to the own caseload", beyond[0])
	}
	return out, nil
}

func templateNames() []string {
	var out []string
	for _, t := range Templates() {
		out = append(out, t.Name)
	}
	return out
}

// known refuses a permission that the catalogue does not have.
func (r *reading) known(at, name string) error {
	if Permission(name).Known() {
		return nil
	}
	all := make([]string, 0, len(order))
	for _, p := range order {
		all = append(all, string(p))
	}
	return r.wrong(at, nearest(name, all, "falloff access permissions lists them"), "there is no permission %q", clip(name))
}

// rules reads who gets which role.
func (r *reading) rules(p *Policy, in filed) error {
	seen := map[string]bool{}
	for _, list := range []struct {
		name    string
		entries []filedRule
		// reads gives whom an entry fits, how errors and explanations name it, and the keys that it may have.
		reads func(at string, e filedRule) (func(Principal) bool, string, error)
	}{
		{"people", in.People, r.person},
		{"teams", in.Teams, r.team},
		{"grafana_roles", in.GrafanaRoles, r.grafanaRole},
		{"claims", in.Claims, r.claim},
	} {
		for i, e := range list.entries {
			at := fmt.Sprintf("$.%s[%d]", list.name, i)
			fits, by, err := list.reads(at, e)
			if err != nil {
				return err
			}
			if seen[by] {
				return r.wrong(at, "Join the two", "%s is there twice", by)
			}
			seen[by] = true
			out := rule{fits: fits, by: by}
			if len(e.Grants) == 0 && len(e.Staff) == 0 {
				return r.wrong(at, "Add `roles`, or delete the entry", "%s gets no role", by)
			}
			for j, g := range e.Grants {
				read, err := r.grant(p, fmt.Sprintf("%s.roles[%d]", at, j), g)
				if err != nil {
					return err
				}
				out.grants = append(out.grants, read)
			}
			if out.staff, err = r.staff(p, at, list.name, e.Staff); err != nil {
				return err
			}
			p.rules = append(p.rules, out)
		}
	}
	return nil
}

// keysOf refuses keys that an entry of such a list has not.
func (r *reading) keysOf(at string, e filedRule, allowed ...string) error {
	for key, value := range map[string]string{
		"login": e.Login, "issuer": e.Issuer, "subject": e.Subject, "team": e.Team, "grafana_role": e.Role, "claim": e.Claim, "value": e.Value,
	} {
		if value != "" && !slices.Contains(allowed, key) {
			return r.wrong(at+"."+key, "An entry has "+strings.Join(allowed, ", "), "the key `%s` does not belong there", key)
		}
		if value != strings.TrimSpace(value) || len(value) > longestName || strings.ContainsFunc(value, unicode.IsControl) {
			return r.wrong(at+"."+key, "Write it as the issuer does, in one line", "the %s is not one line of at most %d letters", key, longestName)
		}
	}
	return nil
}

func (r *reading) person(at string, e filedRule) (func(Principal) bool, string, error) {
	if err := r.keysOf(at, e, "login", "issuer", "subject"); err != nil {
		return nil, "", err
	}
	issuer, subject, err := r.who(at, e.Login, e.Issuer, e.Subject)
	if err != nil {
		return nil, "", err
	}
	by := "login " + subject
	if issuer != Grafana {
		by = fmt.Sprintf("subject %s of %s", subject, issuer)
	}
	return func(p Principal) bool { return p.Issuer == issuer && p.Subject == subject }, by, nil
}

// who reads whom an entry names: a Grafana login, or an issuer and its subject.
func (r *reading) who(at, login, issuer, subject string) (byIssuer, name string, err error) {
	switch {
	case login != "" && issuer == "" && subject == "":
		return Grafana, login, nil
	case login == "" && issuer != "" && subject != "":
		return issuer, subject, r.issuer(at, issuer)
	default:
		return "", "", r.wrong(at, "Write login: NAME for Grafana's user, or issuer: https://… and subject: ID for one of an identity provider", "it names nobody, or two")
	}
}

func (r *reading) issuer(at, text string) error {
	address, err := url.Parse(text)
	if err != nil || address.Host == "" || (address.Scheme != "https" && address.Scheme != "http") {
		return r.wrong(at+".issuer", "Write it as its tokens have it in iss, such as https://id.example", "%q is no issuer's address", clip(text))
	}
	return nil
}

func (r *reading) team(at string, e filedRule) (func(Principal) bool, string, error) {
	if err := r.keysOf(at, e, "team"); err != nil {
		return nil, "", err
	}
	if e.Team == "" {
		return nil, "", r.wrong(at, "Write team: NAME, as Grafana shows it", "no team is named")
	}
	return func(p Principal) bool { return p.Issuer == Grafana && slices.Contains(p.Teams, e.Team) }, "team " + e.Team, nil
}

// grafanaRoles are the roles of an organisation in Grafana.
var grafanaRoles = []string{"Viewer", "Editor", "Admin"}

func (r *reading) grafanaRole(at string, e filedRule) (func(Principal) bool, string, error) {
	if err := r.keysOf(at, e, "grafana_role"); err != nil {
		return nil, "", err
	}
	if !slices.Contains(grafanaRoles, e.Role) {
		return nil, "", r.wrong(at+".grafana_role", nearest(e.Role, grafanaRoles, "Write Viewer, Editor or Admin"), "there is no role %q in Grafana", clip(e.Role))
	}
	return func(p Principal) bool { return p.Issuer == Grafana && slices.Contains(p.Roles, e.Role) }, "Grafana's role " + e.Role, nil
}

func (r *reading) claim(at string, e filedRule) (func(Principal) bool, string, error) {
	if err := r.keysOf(at, e, "issuer", "claim", "value"); err != nil {
		return nil, "", err
	}
	if e.Issuer == "" || e.Claim == "" || e.Value == "" {
		return nil, "", r.wrong(at, "Write all three", "an entry of claims has issuer, claim and value")
	}
	if err := r.issuer(at, e.Issuer); err != nil {
		return nil, "", err
	}
	return func(p Principal) bool { return p.Issuer == e.Issuer && slices.Contains(p.Claims[e.Claim], e.Value) },
		fmt.Sprintf("claim %s %s of %s", e.Claim, e.Value, e.Issuer), nil
}

// grant reads a role and where it holds.
func (r *reading) grant(p *Policy, at string, in filedGrant) (grant, error) {
	role, ok := p.roles[in.Role]
	if !ok {
		var all []string
		for _, known := range p.Roles() {
			all = append(all, known.Name)
		}
		return grant{}, r.wrong(at+".role", nearest(in.Role, all, "The roles are "+strings.Join(all, ", ")), "there is no role %q", clip(in.Role))
	}
	if role.Name == BatchService {
		return grant{}, r.wrong(at+".role", "Issue a token: falloff token issue --role "+BatchService, "%s is for service tokens, and no person's", role.Name)
	}
	clinics, err := r.clinics(p, at, in.Clinics)
	return grant{role, clinics}, err
}

// clinics reads a list of clinics, or "*" alone for all of the lake: that must be said.
func (r *reading) clinics(p *Policy, at string, in []string) ([]string, error) {
	if len(in) == 0 {
		return nil, r.wrong(at, `Add clinics: [ID], or clinics: "*" for all of the lake`, "it says at no clinic")
	}
	for i, clinic := range in {
		here := fmt.Sprintf("%s.clinics[%d]", at, i)
		switch {
		case clinic == everywhere && len(in) > 1:
			return nil, r.wrong(here, `Write clinics: "*" alone`, `"*" is all clinics already`)
		case clinic == everywhere:
		case slices.Index(in, clinic) < i:
			return nil, r.wrong(here, "Delete one of the two", "the clinic %s is there twice", clip(clinic))
		default:
			if err := r.clinic(p, here, clinic); err != nil {
				return nil, err
			}
		}
	}
	return slices.Clone(in), nil
}

func (r *reading) clinic(p *Policy, at, id string) error {
	if slices.Contains(p.clinics, id) {
		return nil
	}
	return r.wrong(at, nearest(id, p.clinics, "Add it to the list `clinics` at the top"), "the policy has no clinic %q", clip(id))
}

// staff reads the practitioners whom a person stands for.
func (r *reading) staff(p *Policy, at, list string, in []filedStaff) (map[string][]string, error) {
	if len(in) > 0 && list != "people" {
		return nil, r.wrong(at+".staff", "Say of each person in `people` whom they stand for", "a caseload is a person's, and %s has no `staff`", list)
	}
	out := map[string][]string{}
	for i, s := range in {
		here := fmt.Sprintf("%s.staff[%d]", at, i)
		if err := r.clinic(p, here+".clinic", s.Clinic); err != nil {
			return nil, err
		}
		if len(s.Names) == 0 || slices.ContainsFunc(s.Names, func(name string) bool {
			return strings.TrimSpace(name) != name || name == "" || len(name) > longestName || strings.ContainsFunc(name, unicode.IsControl)
		}) {
			return nil, r.wrong(here+".names", "Write names: [NAME], as the schedule has them", "no practitioner is named, or not in one line")
		}
		out[s.Clinic] = append(out[s.Clinic], s.Names...)
	}
	return out, nil
}

var reasonText = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:/+-]{2,99}$`)

// check says why a grant does not hold, what to do after a colon.
func (s Support) check() error {
	switch {
	case s.Issuer == "" || s.Subject == "" || len(s.Clinics) == 0:
		return errors.New("support access names nobody or no clinic: say who gets it, and where")
	case !reasonText.MatchString(s.Reason):
		return errors.New("support access needs a reason: write a word that can stand in the log, such as ticket/4711")
	case !s.From.Before(s.Until):
		return errors.New("support access ends before it begins: correct from and until")
	case s.Until.Sub(s.From) > LongestSupport:
		return fmt.Errorf("support access lasts longer than %d hours: grant it again when it has ended", int(LongestSupport.Hours()))
	}
	return nil
}
