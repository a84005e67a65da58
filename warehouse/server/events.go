package server

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/warehouse/access"
)

// EventKind is what sort of thing happened at a clinic.
type EventKind string

// The kinds of events.
const (
	SyncEvent    EventKind = "sync"    // data landed
	SettingEvent EventKind = "setting" // a setting was changed, extraction paused or resumed
	PriceEvent   EventKind = "price"   // prices, fees or limits changed, or a new price began
	SupportEvent EventKind = "support" // support access
)

// eventKind is a kind with the permission that it takes to see it.
type eventKind struct {
	kind  EventKind
	needs access.Permission
}

// eventKinds are all of them.
var eventKinds = []eventKind{
	{SyncEvent, access.FreshnessView}, {SettingEvent, access.SettingsView}, {PriceEvent, access.SettingsView}, {SupportEvent, access.SupportView},
}

// History knows what happened at a clinic, for charts to mark.
type History interface {
	// Events are those of one kind that lie in some days, both included, or reach into them; a zero day is open. The oldest come first.
	Events(ctx context.Context, clinic string, kind EventKind, from, to civil.Date) ([]ClinicEvent, error)
}

// ClinicEvent is something that happened. Its texts name no patient, and nobody but whom support access was granted to.
type ClinicEvent struct {
	At time.Time `json:"at"`
	// Until is the end of what lasted, nil for a moment.
	Until *time.Time `json:"until,omitempty"`
	Kind  EventKind  `json:"kind"`
	Title string     `json:"title"`
	Text  string     `json:"text"`
}

// mostEvents is how many an answer has: more marks than that hide a chart. The newest stay.
const mostEvents = 500

// history gives what knows of a kind of events, to those who may see that kind.
func (v *visit) history(clinic string, needs access.Permission) (History, error) {
	return desk(v, v.server.options.History, v.server.options.History != nil, "history of events", clinic, needs)
}

// listEvents is GET /v1/events. Kinds that the caller may not see are left out.
func (v *visit) listEvents() (*reply, error) {
	asked := v.http.URL.Query()
	clinic := asked.Get("clinic")
	from, err := readDay(asked.Get("from"))
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, codeBadRequest, "from is neither a day nor an instant", "send YYYY-MM-DD, or RFC 3339"}
	}
	to, err := readDay(asked.Get("to"))
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, codeBadRequest, "to is neither a day nor an instant", "send YYYY-MM-DD, or RFC 3339"}
	}
	var wanted []string
	if text := asked.Get("kinds"); text != "" {
		wanted = strings.Split(text, ",")
	}
	for _, w := range wanted {
		if !slices.ContainsFunc(eventKinds, func(k eventKind) bool { return string(k.kind) == w }) {
			return nil, &refusal{http.StatusBadRequest, codeBadParameter, "there is no such kind of events", "send sync, setting, price or support, with commas between"}
		}
	}
	events := []ClinicEvent{}
	for _, k := range eventKinds {
		if wanted != nil && !slices.Contains(wanted, string(k.kind)) || !v.sees.Allows(clinic, k.needs) {
			continue
		}
		history, err := v.history(clinic, k.needs)
		if err != nil {
			return nil, err
		}
		found, err := history.Events(v.http.Context(), clinic, k.kind, from, to)
		if err != nil {
			return nil, err
		}
		events = append(events, found...)
	}
	slices.SortStableFunc(events, func(a, b ClinicEvent) int { return a.At.Compare(b.At) })
	if len(events) > mostEvents {
		events = events[len(events)-mostEvents:]
	}
	v.event.Rows = int64(len(events))
	return asJSON(map[string]any{"events": events})
}
