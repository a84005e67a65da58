package access

import "time"

// Issuers that are not an identity provider's address.
const (
	// Grafana issues what its plugin and its ID tokens say about a signed-in user; the subject is the login.
	Grafana = "grafana"
	// ServiceTokens issues the tokens of batch jobs; the subject is the token's id.
	ServiceTokens = "service-tokens"
)

// ServicePrefix begins the Person of a service.
const ServicePrefix = "service/"

// Principal is whom a request speaks for, as a verified signature says. warehouse/identity makes it; tests make their own.
type Principal struct {
	// Person is the name that the audit log gets: one person's, or service/<name>.
	Person string
	// Service says that it is a batch job with a service token. Scope is then what the token opens.
	Service bool
	Scope   *Scope

	// Issuer is who vouches: Grafana, ServiceTokens, or the address of an OIDC issuer. Subject is its name for the person.
	Issuer, Subject string
	// Teams and Roles are Grafana's: the names of the teams, and the organisation's role, Viewer, Editor or Admin.
	Teams, Roles []string
	// Claims are further claims of an OIDC token, texts by name.
	Claims map[string][]string
	// SecondFactor says that the sign-in used a second factor, by what the issuer says.
	SecondFactor bool

	// Clinic is the one clinic that the token may be used for; empty for any.
	Clinic string
	// Address is where the request came from, Session what the issuer calls the session; both for the audit log alone.
	Address, Session string
}

// Scope is what a service token opens.
type Scope struct {
	// Role bounds it: what the role no longer gives, the token no longer opens.
	Role string
	// Clinics are ids, or "*" alone for all of the lake.
	Clinics []string
	// Permissions are some of the role's; empty for all of them.
	Permissions []Permission
}

// Support is a grant of support access: a person of the vendor at some clinics, for a reason and a time.
type Support struct {
	// Issuer and Subject say who gets it, as in Principal.
	Issuer, Subject string
	// Clinics are ids, or "*" alone.
	Clinics     []string
	From, Until time.Time
	// Reason is a word that stands in the banner and in the audit log, such as ticket/4711.
	Reason string
}

// LongestSupport bounds a grant of support access.
const LongestSupport = 72 * time.Hour

// Check says why a grant does not hold, and after a colon what to do.
func (s Support) Check() error { return s.check() }

// active says whether the grant holds at a moment.
func (s Support) active(at time.Time) bool { return !at.Before(s.From) && at.Before(s.Until) }
