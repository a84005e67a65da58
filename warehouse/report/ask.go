package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/warehouse/query"
)

// Ask sends a request to a query server as the person whom the report is for, and gives the body of its answer. A body that is not
// nil is sent as JSON. The server may be in the same process: what counts is that it alone decides what the person sees.
type Ask func(ctx context.Context, method, path string, parameters url.Values, body any) ([]byte, error)

// about is what a server says of a clinic's newest snapshot.
type about struct {
	Name        string    `json:"name"`
	Commit      string    `json:"commit"`
	AsOf        string    `json:"as_of"`
	CommittedAt time.Time `json:"committed_at"`
	Datasets    []landed  `json:"datasets"`

	asOf     civil.Date
	currency string
	zone     *time.Location
}

// landed is what has landed of one dataset.
type landed struct {
	Dataset     string `json:"dataset"`
	Rows        int64  `json:"rows"`
	CoveredFrom string `json:"covered_from"`
	CoveredTo   string `json:"covered_to"`
	DaysBehind  *int   `json:"days_behind"`
}

// answer is the answer to one named query, its rows in order.
type answer struct {
	rows []row
	// released says that it is of released tables, in which numbers of few patients are withheld; withheld is of how many rows.
	released bool
	withheld int
	// day is the day that it is of, where that is not the snapshot's.
	day string

	commit, currency, zone string
}

// row is one row of an answer, by column. Days are civil dates.
type row map[string]any

func (r row) text(column string) string { s, _ := r[column].(string); return s }
func (r row) count(column string) int64 { n, _ := r[column].(int64); return n }
func (r row) flag(column string) bool   { b, _ := r[column].(bool); return b }
func (r row) day(column string) civil.Date {
	d, _ := r[column].(civil.Date)
	return d
}

// number is a number, and whether there is one.
func (r row) number(column string) (float64, bool) {
	switch n := r[column].(type) {
	case float64:
		return n, true
	case int64:
		return float64(n), true
	default:
		return 0, false
	}
}

// ErrMoved says that the clinic's snapshot changed while a report was made of it.
var ErrMoved = errors.New("new data landed while the report was made: ask again")

// asker asks about one clinic, and notes what was asked and what was withheld.
type asker struct {
	ask    Ask
	clinic string
	about  about
	may    map[string]bool
	asked  []string
	// withheld counts rows whose numbers are withheld, by query; days are those of answers that are older than the snapshot.
	withheld map[string]int
	days     []string
	released bool
}

func newAsker(ctx context.Context, ask Ask, clinic string) (*asker, error) {
	a := &asker{ask: ask, clinic: clinic, may: map[string]bool{}, withheld: map[string]int{}}
	at := url.Values{"clinic": {clinic}}
	body, err := ask(ctx, "GET", "/v1/freshness", at, nil)
	if err != nil {
		return nil, fmt.Errorf("asking how fresh the data is: %w", err)
	}
	if err := json.Unmarshal(body, &a.about); err != nil {
		return nil, fmt.Errorf("reading how fresh the data is: %w", err)
	}
	if a.about.asOf, err = civil.ParseDate(a.about.AsOf); err != nil {
		return nil, errors.New("the clinic has no figures yet: build the models first, falloff build")
	}
	if body, err = ask(ctx, "GET", "/v1/queries", at, nil); err != nil {
		return nil, fmt.Errorf("asking what may be asked: %w", err)
	}
	var list struct{ Queries []struct{ Name string } }
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("reading what may be asked: %w", err)
	}
	for _, q := range list.Queries {
		a.may[q.Name] = true
	}
	// What every answer says of its snapshot, one that anybody may ask says too.
	choices, err := a.query(ctx, "disciplines", nil, civil.Date{}, civil.Date{})
	if err != nil {
		return nil, err
	}
	a.about.currency = choices.currency
	if a.about.zone, err = time.LoadLocation(choices.zone); err != nil {
		return nil, fmt.Errorf("the clinic's time zone: %w", err)
	}
	return a, nil
}

// errTellsTooMuch says that a parameter has a value that whoever sees no rows may not ask for.
var errTellsTooMuch = errors.New("it would tell of single patients")

// Refusal is an error of Ask that is an answer of the query server: its code is the server's.
type Refusal interface {
	error
	RefusalCode() string
}

func refusalOf(err error) string {
	if refusal, ok := errors.AsType[Refusal](err); ok {
		return refusal.RefusalCode()
	}
	return ""
}

// query asks a named query. One that the person may not ask, or that the snapshot cannot answer, is nil without an error.
func (a *asker) query(ctx context.Context, name string, params map[string]any, from, to civil.Date) (*answer, error) {
	if !a.may[name] {
		return nil, nil //nolint:nilnil // the absence of an answer is what the report then says
	}
	asked := map[string]any{"clinic": a.clinic, "query": name}
	if params != nil {
		asked["params"] = params
	}
	if !from.IsZero() {
		asked["from"], asked["to"] = from.String(), to.String()
	}
	body, err := a.ask(ctx, "POST", "/v1/query", nil, asked)
	switch refusalOf(err) {
	case "unavailable":
		return nil, nil //nolint:nilnil // a mart that this snapshot lacks
	case "bad_parameter":
		return nil, errTellsTooMuch
	}
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", name, err)
	}
	got, err := read(body)
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", name, err)
	}
	if got.commit != a.about.Commit {
		return nil, ErrMoved
	}
	a.asked = append(a.asked, name)
	if got.released {
		a.released = true
	}
	if got.withheld > 0 {
		a.withheld[name] += got.withheld
	}
	if got.day != "" {
		a.days = append(a.days, got.day)
	}
	return got, nil
}

// read decodes an answer.
func read(body []byte) (*answer, error) {
	schema, rows, err := query.Rows(body)
	if err != nil {
		return nil, err
	}
	about := schema.Metadata()
	got := &answer{released: len(schema.FieldIndices("withheld")) == 1}
	for key, into := range map[string]*string{query.MetaCommit: &got.commit, query.MetaCurrency: &got.currency, query.MetaTimeZone: &got.zone} {
		*into, _ = about.GetValue(key)
	}
	if note, ok := about.GetValue(query.MetaNote); ok {
		if _, rest, found := strings.Cut(note, "As of "); found {
			got.day, _, _ = strings.Cut(rest, ":")
		}
	}
	for _, values := range rows {
		r := row{}
		for c, v := range values {
			if v != nil {
				r[schema.Field(c).Name] = v
			}
		}
		if r.flag("withheld") {
			got.withheld++
		}
		got.rows = append(got.rows, r)
	}
	return got, nil
}
