package plugin

import (
	"context"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/falloff-analytics/falloff/warehouse/identity/plugintoken"
)

// token names to the query server, for one request, who is signed in to Grafana. What runs for nobody, such as an alert rule, goes by the
// service token, where there is one.
func (s settings) token(ctx context.Context, method, path string) (string, error) {
	user := backend.UserFromContext(ctx)
	if user == nil || user.Login == "" {
		if s.service == "" {
			return "", &problem{
				Category: categoryPerson, Message: "Nobody is signed in",
				Hint: "Sign in to Grafana; for alert rules, give the data source a service token: falloff token issue",
			}
		}
		return s.service, nil
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
