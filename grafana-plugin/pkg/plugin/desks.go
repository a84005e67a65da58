package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// Desks are what the query server answers beside figures; FalloffQuery in src/types.ts names them.
const (
	deskAudit   = "audit"
	deskSupport = "support"
	deskEvents  = "events"
	deskBanner  = "banner"
)

// desk asks one of them, as a table. It gives no frame where there is nothing to show.
func (d *Datasource) desk(ctx context.Context, model queryModel, q backend.DataQuery, clinic string) (*data.Frame, error) {
	switch model.Desk {
	case deskAudit:
		return d.audit(ctx, model, q.TimeRange, clinic)
	case deskSupport:
		return d.support(ctx, clinic)
	case deskEvents:
		return d.events(ctx, model, q.TimeRange, clinic)
	case deskBanner:
		return d.banner(ctx, clinic)
	}
	return nil, &problem{Category: categoryQuery, Message: "The query cannot be read", Hint: "Choose it again in the query editor"}
}

// auditRows is how many records a panel shows.
const auditRows = 200

// audit searches the log of who did what, within the dashboard's time range. Whoever may not is told so in the table: a panel that
// everyone meets is no place for an alarm.
func (d *Datasource) audit(ctx context.Context, model queryModel, within backend.TimeRange, clinic string) (*data.Frame, error) {
	asked := url.Values{"clinic": {clinic}, "limit": {fmt.Sprint(auditRows)}}
	for _, name := range []string{"person", "entity", "action"} {
		if text, _ := model.Params[name].(string); strings.TrimSpace(text) != "" {
			asked.Set(name, strings.TrimSpace(text))
		}
	}
	asked.Set("from", within.From.UTC().Format(time.RFC3339))
	asked.Set("to", within.To.UTC().Format(time.RFC3339))
	var page struct {
		Records []struct {
			At      time.Time      `json:"at"`
			Person  string         `json:"person"`
			Action  string         `json:"action"`
			Entity  string         `json:"entity"`
			Address string         `json:"address"`
			Before  map[string]any `json:"before"`
			After   map[string]any `json:"after"`
		} `json:"records"`
		Found int `json:"found"`
	}
	if err := d.client.get(ctx, "/v1/audit?"+asked.Encode(), &page); err != nil {
		if p := problemOf(err); p.Category == categoryPermission {
			return sentence("Who looked", "Who looked at what is for those who may search the audit log: it needs audit.view at this clinic."), nil
		}
		return nil, err
	}
	if len(page.Records) == 0 {
		return nil, nil //nolint:nilnil // nothing to show is no error
	}
	table := newTable("at", "When", "person", "Who", "action", "What was done", "entity", "To what", "address", "From where", "before", "Before", "after", "After")
	for _, r := range page.Records {
		table.add(r.At, r.Person, r.Action, r.Entity, r.Address, facts(r.Before), facts(r.After))
	}
	frame := table.frame("Who did what")
	if page.Found > len(page.Records) {
		frame.AppendNotices(data.Notice{
			Severity: data.NoticeSeverityInfo,
			Text:     fmt.Sprintf("These are the newest %d of %d records: narrow the search or the time range, or use falloff audit search.", len(page.Records), page.Found),
		})
	}
	return frame, nil
}

// facts are a record's details in one line.
func facts(of map[string]any) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(of)) {
		parts = append(parts, fmt.Sprintf("%s %v", strings.ReplaceAll(key, "_", " "), of[key]))
	}
	return strings.Join(parts, ", ")
}

// support lists who has, and had, support access.
func (d *Datasource) support(ctx context.Context, clinic string) (*data.Frame, error) {
	var list struct {
		Grants []struct {
			Login     string     `json:"login"`
			Reason    string     `json:"reason"`
			GrantedBy string     `json:"granted_by"`
			From      time.Time  `json:"from"`
			Until     time.Time  `json:"until"`
			Active    bool       `json:"active"`
			Ended     *time.Time `json:"ended"`
			EndedBy   string     `json:"ended_by"`
			Uses      int        `json:"uses"`
		} `json:"grants"`
	}
	if err := d.client.get(ctx, "/v1/support?clinic="+url.QueryEscape(clinic), &list); err != nil {
		if p := problemOf(err); p.Category == categoryPermission {
			return sentence("Support access", "Who had support access is for those who may see it: it needs support.view at this clinic."), nil
		}
		return nil, err
	}
	if len(list.Grants) == 0 {
		return nil, nil //nolint:nilnil // nothing to show is no error
	}
	table := newTable("state", "State", "login", "Who", "reason", "Reason", "from", "From", "ended", "Until", "granted_by", "Granted by", "ended_by", "Ended by", "uses", "Requests")
	for _, g := range list.Grants {
		state, end, by := "over", g.Until, g.EndedBy
		if g.Active {
			state = "goes on"
		}
		if g.Ended != nil {
			end = *g.Ended
			if by == "" {
				by = "its time was over"
			}
		}
		var uses any = int64(g.Uses)
		if g.Ended == nil { // they are counted when it ends
			uses = nil
		}
		table.add(state, g.Login, g.Reason, g.From, end, g.GrantedBy, by, uses)
	}
	return table.frame("Support access"), nil
}

// events are what happened at the clinic, to be marked in charts.
func (d *Datasource) events(ctx context.Context, model queryModel, within backend.TimeRange, clinic string) (*data.Frame, error) {
	asked := url.Values{"clinic": {clinic}}
	asked.Set("from", within.From.UTC().Format(time.RFC3339))
	asked.Set("to", within.To.UTC().Format(time.RFC3339))
	if len(model.Kinds) > 0 {
		asked.Set("kinds", strings.Join(model.Kinds, ","))
	}
	var list struct {
		Events []struct {
			At    time.Time  `json:"at"`
			Until *time.Time `json:"until"`
			Kind  string     `json:"kind"`
			Title string     `json:"title"`
			Text  string     `json:"text"`
		} `json:"events"`
	}
	if err := d.client.get(ctx, "/v1/events?"+asked.Encode(), &list); err != nil {
		if p := problemOf(err); p.Category == categoryPermission {
			return nil, nil //nolint:nilnil // who may see none has charts without marks
		}
		return nil, err
	}
	if len(list.Events) == 0 {
		return nil, nil //nolint:nilnil // nothing to show is no error
	}
	times, ends := make([]time.Time, len(list.Events)), make([]*time.Time, len(list.Events))
	titles, texts, tags := make([]string, len(list.Events)), make([]string, len(list.Events)), make([]json.RawMessage, len(list.Events))
	for i, e := range list.Events {
		tag, err := json.Marshal([]string{e.Kind})
		if err != nil {
			return nil, &problem{Category: categoryServer, Message: "An event cannot be shown", cause: err}
		}
		times[i], ends[i], titles[i], texts[i], tags[i] = e.At.UTC(), e.Until, e.Title, e.Text, tag
	}
	return data.NewFrame("events",
		data.NewField("time", nil, times), data.NewField("timeEnd", nil, ends),
		data.NewField("title", nil, titles), data.NewField("text", nil, texts), data.NewField("tags", nil, tags)), nil
}

// banner is a sentence about support access that goes on, empty while none does, for a variable that pages show at their top.
func (d *Datasource) banner(ctx context.Context, clinic string) (*data.Frame, error) {
	var told struct {
		Support []struct {
			Reason string    `json:"reason"`
			Until  time.Time `json:"until"`
		} `json:"support"`
	}
	if err := d.client.get(ctx, freshnessPath(clinic), &told); err != nil {
		if p := problemOf(err); p.Category != categoryPermission && p.Category != categoryPerson {
			return nil, err
		}
		// Their panels say that they see nothing here.
	}
	var sentences []string
	for _, s := range told.Support {
		sentences = append(sentences, fmt.Sprintf("**⚠ Somebody of the vendor's support can see this clinic until %s UTC (%s).**", s.Until.UTC().Format("2 January, 15:04"), plain(s.Reason)))
	}
	text := strings.Join(sentences, " ")
	return data.NewFrame("banner", data.NewField("text", nil, []string{text}), data.NewField("value", nil, []string{text})), nil
}

// plain takes away what Markdown and HTML would read as theirs.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("*_`[]()<>#!|~\\&\"'", r) {
			return -1
		}
		return r
	}, text)
}

// sentence is a table that says one thing.
func sentence(title, text string) *data.Frame {
	table := newTable("said", title)
	table.add(text)
	return table.frame(title)
}

// table gathers rows of text, instants and counts.
type table struct {
	names, titles []string
	rows          [][]any
}

// newTable takes pairs of a column's name and its title.
func newTable(columns ...string) *table {
	t := &table{}
	for i := 0; i+1 < len(columns); i += 2 {
		t.names, t.titles = append(t.names, columns[i]), append(t.titles, columns[i+1])
	}
	return t
}

func (t *table) add(cells ...any) { t.rows = append(t.rows, cells) }

func (t *table) frame(title string) *data.Frame {
	frame := data.NewFrame(title)
	frame.Meta = &data.FrameMeta{PreferredVisualization: data.VisTypeTable}
	for i, name := range t.names {
		field := t.field(i)
		field.Name = name
		config := &data.FieldConfig{DisplayNameFromDS: t.titles[i]}
		if field.Type() == data.FieldTypeNullableTime {
			config.Unit = "time:YYYY-MM-DD HH:mm"
		}
		field.Config = config
		frame.Fields = append(frame.Fields, field)
	}
	return frame
}

// field is a column: of instants or counts where its cells are those, else of text.
func (t *table) field(column int) *data.Field {
	for _, row := range t.rows {
		switch row[column].(type) {
		case time.Time:
			return cells[time.Time](t, column)
		case int64:
			return cells[int64](t, column)
		case string:
			return cells[string](t, column)
		}
	}
	return cells[string](t, column)
}

func cells[V time.Time | int64 | string](t *table, column int) *data.Field {
	values := make([]*V, len(t.rows))
	for i, row := range t.rows {
		if value, ok := row[column].(V); ok && row[column] != "" {
			values[i] = &value
		}
	}
	return data.NewField("", nil, values)
}
