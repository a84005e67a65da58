package plugin

import (
	"context"
	"strings"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/falloff-analytics/falloff/warehouse/identity/plugintoken"
)

// errand is what is asked while nobody is signed in.
type errand string

const (
	forAlert  errand = "alert rules"
	forStream errand = "live freshness"
)

type errandKey struct{}

// onErrand marks what follows as asked by nobody in particular: the service token speaks for it.
func onErrand(ctx context.Context, e errand) context.Context {
	return context.WithValue(ctx, errandKey{}, e)
}

const (
	// scheduler is whom Grafana names where its alert rules are evaluated, as an Admin without a name of its own, for which Grafana gives
	// the login, and without an address, which every person has whom an identity provider vouches for under that login.
	scheduler = "grafana_scheduler"
	// alertHeader is set on what alert rules ask, and anybody may send it: alone it says nothing.
	alertHeader = "FromAlert"
)

// isScheduler says whether Grafana's own alert scheduler asks, and no person.
func isScheduler(user *backend.User) bool {
	return isGrafana(user) && user.Login == scheduler && user.Role == "Admin"
}

// isGrafana says whether one of Grafana's own background users asks.
func isGrafana(user *backend.User) bool {
	return user != nil && strings.HasPrefix(user.Login, "grafana_") && (user.Name == "" || user.Name == user.Login) && user.Email == ""
}

// askedByAlert says whether queries are those of an alert rule that runs by itself. One that somebody tries out while they write it is
// asked in their own name.
func askedByAlert(request *backend.QueryDataRequest) bool {
	return request.Headers[alertHeader] == "true" && isScheduler(request.PluginContext.User)
}

// token names to the query server, for one request, who is signed in to Grafana. What runs for nobody goes by the service token, where there
// is one. Whoever looks on without having signed in, such as through a public dashboard, goes by nothing.
func (s settings) token(ctx context.Context, method, path string) (string, error) {
	if e, ok := ctx.Value(errandKey{}).(errand); ok {
		if s.service == "" {
			return "", &problem{
				Category: categoryPerson, Message: "There is no service token, and " + string(e) + " are asked while nobody is signed in",
				Hint: "Issue one that opens what they need and no more, falloff token issue, and enter it in the data source's settings",
			}
		}
		return s.service, nil
	}
	user := backend.UserFromContext(ctx)
	if user == nil || user.Login == "" || isGrafana(user) {
		return "", &problem{
			Category: categoryPerson, Message: "Nobody is signed in",
			Hint: "Sign in to Grafana: public dashboards and anonymous viewers are shown nothing",
		}
	}
	person := plugintoken.Person{
		Login: user.Login, Role: user.Role, Clinic: plugintoken.AllClinics, SecondFactor: s.secondFactor, Request: plugintoken.RequestOf(method, path),
	}
	if s.clinic != "" {
		person.Clinic = s.clinic
	}
	signed, err := s.signer.Sign(person)
	if err != nil {
		return "", &problem{Category: categoryKey, Message: "The request cannot be signed", Hint: "Enter the plugin key again", cause: err}
	}
	return signed, nil
}
