package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// CheckHealth is the "Save & test" button: it goes the whole way to the clinic's snapshot, and where that fails says
// which step did and what to do.
func (d *Datasource) CheckHealth(ctx context.Context, _ *backend.CheckHealthRequest) (*backend.CheckHealthResult, error) {
	message, err := d.health(ctx)
	if err != nil {
		p := problemOf(err)
		if p.cause != nil {
			backend.Logger.FromContext(ctx).Error("the health check failed", "category", string(p.Category), "error", p.cause)
		}
		return &backend.CheckHealthResult{
			Status: backend.HealthStatusError, Message: p.Error(),
			// Grafana shows the message as the title, and message of the details below it.
			JSONDetails: details(map[string]string{
				"category": string(p.Category), "hint": p.Hint,
				"message": "Category " + string(p.Category) + ": the plugin's README lists the categories, and what to do about each.",
			}),
		}, nil
	}
	return &backend.CheckHealthResult{Status: backend.HealthStatusOk, Message: message}, nil
}

func (d *Datasource) health(ctx context.Context) (string, error) {
	if d.broken != nil {
		return "", d.broken
	}
	var list clinicList
	if err := d.client.get(ctx, "/v1/clinics", &list); err != nil {
		return "", err
	}
	if len(list.Clinics) == 0 {
		return "", &problem{Category: categoryClinic, Message: "The query server's lake holds no clinic", Hint: "Import or extract one first: falloff import, falloff run"}
	}
	if d.settings.clinic == "" {
		var ids []string
		for _, c := range list.Clinics {
			ids = append(ids, c.ID)
		}
		return "Connected. Each query chooses one of these clinics: " + strings.Join(ids, ", "), nil
	}
	for _, c := range list.Clinics {
		if c.ID == d.settings.clinic && c.Commit == "" {
			return "", &problem{
				Category: categorySnapshot, Message: fmt.Sprintf("Clinic %s cannot be opened", c.ID),
				Hint: "The query server's log says why; the models may not be built yet: falloff build",
			}
		}
		if c.ID == d.settings.clinic {
			return fmt.Sprintf("Connected to %s: snapshot %s, as of %s", c.Name, c.Commit, c.AsOf), nil
		}
	}
	return "", &problem{
		Category: categoryClinic, Message: fmt.Sprintf("The query server has no clinic %q", d.settings.clinic),
		Hint: "Empty the field and test again to see those it has",
	}
}

func details(fields map[string]string) []byte {
	text, err := json.Marshal(fields)
	if err != nil {
		return nil
	}
	return text
}
