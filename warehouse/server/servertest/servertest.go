// Package servertest lets tests of whoever asks a query server in: people of every role, a way to be taken for one of them, and
// an audit log to look at.
package servertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/disclosure"
	"github.com/falloff-analytics/falloff/warehouse/identity"
	"github.com/falloff-analytics/falloff/warehouse/identity/plugintoken"
	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/query/martstest"
	"github.com/falloff-analytics/falloff/warehouse/server"
)

// Clinic is where the people of Policy work.
const Clinic = "harbour-street"

// Practitioner is the staff member whose caseload the practitioner sees.
const Practitioner = "Robin Mercer"

// Figures is the login of somebody who sees aggregates of everything, and no rows.
const Figures = "figures"

// People are the logins of Policy: each holds the role of the name, `everywhere` owns every clinic, `elsewhere` another one, and
// `nobody` has no role. Figures holds a role of the clinic's own.
func People() []string {
	people := []string{"everywhere", "elsewhere", "nobody", Figures}
	for _, role := range access.Templates() {
		people = append(people, role.Name)
	}
	return people
}

// Policy has one person for each role template.
func Policy(tb testing.TB) *access.Policy {
	tb.Helper()
	var text strings.Builder
	text.WriteString("version: 1\nclinics: [harbour-street, second-clinic]\npeople:\n")
	for _, role := range access.Templates() {
		if role.Name == access.BatchService {
			continue // its token says what it opens
		}
		fmt.Fprintf(&text, "  - login: %s\n    roles: [{role: %s, clinics: [%s]}]\n", role.Name, role.Name, Clinic)
		if role.Narrowed {
			fmt.Fprintf(&text, "    staff: [{clinic: %s, names: [%s]}]\n", Clinic, Practitioner)
		}
	}
	text.WriteString("  - login: everywhere\n    roles: [{role: clinic_owner, clinics: ['*']}]\n")
	text.WriteString("  - login: elsewhere\n    roles: [{role: clinic_owner, clinics: [second-clinic]}]\n")
	text.WriteString("  - login: figures\n    roles: [{role: onlooker, clinics: [" + Clinic + "]}]\n")
	text.WriteString("roles:\n  - name: onlooker\n    says: Looks at figures.\n" +
		"    with: [falloff.view, money.view, payers.view, schedule.view, metrics.view, freshness.view]\n")
	policy, err := access.Parse([]byte(text.String()), "access.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	return policy
}

// anonymous is the refusal of a request that names nobody.
type anonymous struct{}

func (anonymous) Error() string { return "nobody is named" }
func (anonymous) Code() string  { return "anonymous" }
func (anonymous) Hint() string  { return "send Authorization: Bearer LOGIN" }

// Identify takes the bearer token for the login, and the sign-in for one with a second factor. It is for tests alone.
func Identify(_ context.Context, r *http.Request) (access.Principal, error) {
	login, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || !slices.Contains(People(), login) {
		return access.Principal{}, anonymous{}
	}
	if login == access.BatchService {
		return access.Principal{
			Person: access.ServicePrefix + "nightly", Service: true, Scope: &access.Scope{Role: login, Clinics: []string{Clinic}},
			Issuer: access.ServiceTokens, Subject: "nightly",
		}, nil
	}
	return access.Principal{Person: login, Issuer: access.Grafana, Subject: login, SecondFactor: true}, nil
}

// SignedOptions let the people of Policy in whom Grafana's plugin signs for with a key, each by their login.
func SignedOptions(tb testing.TB, snapshots server.Snapshots, key plugintoken.Key) server.Options {
	tb.Helper()
	verifier, err := identity.New(identity.Options{PluginKeys: []plugintoken.Key{key}})
	if err != nil {
		tb.Fatal(err)
	}
	o := Options(tb, snapshots)
	o.Identify = verifier.Identify
	return o
}

// NewKey is a key of Grafana's plugin.
func NewKey(tb testing.TB) plugintoken.Key {
	tb.Helper()
	key, err := plugintoken.NewKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// Log is an audit log in memory.
type Log struct {
	mu     sync.Mutex
	events []server.Event
	full   bool
}

// Record keeps an event.
func (l *Log) Record(_ context.Context, e server.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full {
		return errors.New("the log takes no more")
	}
	l.events = append(l.events, e)
	return nil
}

// Fill makes the log refuse what comes, or take it again.
func (l *Log) Fill(full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.full = full
}

// Events are what was recorded.
func (l *Log) Events() []server.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

// Options let the people of Policy in.
func Options(tb testing.TB, snapshots server.Snapshots) server.Options {
	tb.Helper()
	policy := Policy(tb)
	return server.Options{Snapshots: snapshots, Identify: Identify, Policy: func() *access.Policy { return policy }, Audit: &Log{}}
}

// Open opens fixture marts, and released tables, as a view shows them.
func Open(
	ctx context.Context, marts map[string][]string, released *disclosure.Released, clinic, commit string, view server.View,
) (*query.Engine, error) {
	marts = maps.Clone(marts)
	maps.DeleteFunc(marts, func(name string, _ []string) bool { return !slices.Contains(view.Marts, name) })
	return query.OpenFiles(ctx, query.Files{Marts: marts, AssignedTo: view.AssignedTo, Released: released, ReleasedTables: view.Released}, martstest.Meta(clinic, commit), query.Limits{})
}
