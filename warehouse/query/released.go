package query

import (
	"context"
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/falloff-analytics/falloff/warehouse/disclosure"
)

// Released says how a query is answered to whoever may see aggregates and no rows: from released tables, in which cells of few
// patients are withheld. Such an answer has one column more, withheld, and the numbers of a withheld row are null, never zero.
type Released struct {
	// Tables are those that it may be answered from.
	Tables []string `json:"tables"`
	// Only are the values that a parameter is limited to: the other ones would tell more than is released.
	Only map[string][]string `json:"only,omitempty"`
	// Says is what is different from the answer that is given from rows, in a sentence.
	Says string `json:"says,omitempty"`

	text string
}

//go:embed sql/released/*.sql
var releasedTexts embed.FS

// withheldColumn says of a row that its numbers are withheld.
const withheldColumn = "withheld"

// withReleased gives a definition the SQL that asks the released tables.
func (d Definition) withReleased() Definition {
	if d.Released == nil {
		return d
	}
	name := d.Name
	if strings.HasPrefix(name, releasedPrefix) {
		name = "released"
	}
	text, err := releasedTexts.ReadFile("sql/released/" + name + ".sql")
	if err != nil {
		panic(fmt.Sprintf("query %s has no SQL over released tables: %v", d.Name, err))
	}
	released := *d.Released
	released.text = string(text)
	d.Released = &released
	return d
}

// releasedPrefix begins the names of the queries about the released tables themselves.
const releasedPrefix = "released_"

// releasedQueries ask the released tables of one kind of figures, whichever there are.
func releasedQueries() []Definition {
	kinds := []struct{ name, title string }{
		{"falloff", "Falloff, released"}, {"schedule", "Schedule, released"}, {"money", "Money and leaks, released"}, {"payers", "Payers, released"},
	}
	var all []Definition
	for _, kind := range kinds {
		var tables, names []string
		for _, g := range disclosure.Groups() {
			if kindOf(g) != kind.name {
				continue
			}
			for _, t := range g.Tables {
				tables = append(tables, t.Name)
				names = append(names, t.Title+" ("+t.Name+")")
			}
		}
		all = append(all, Definition{
			Name: releasedPrefix + kind.name, Title: kind.title,
			Description: "A table that is released to whoever may see aggregates and no rows: cells of few patients are withheld, and others with them, " +
				"so that none can be worked out.",
			Parameters: []Parameter{{
				Name: "table", Title: "Table", Type: ChoiceParameter, Default: tables[0], Allowed: tables, Description: strings.Join(names, ", "),
			}},
			Columns: []Column{
				{Name: "dimension_1", Title: "By", Type: Text},
				{Name: "value_1", Title: "Value", Type: Text},
				{Name: "dimension_2", Title: "And by", Type: Text},
				{Name: "value_2", Title: "Second value", Type: Text},
				{Name: "measure", Title: "Measure", Type: Text},
				{Name: "value", Title: "Number", Type: Number, Description: "In the unit beside it"},
				{Name: "unit", Title: "Unit", Type: Text},
			},
			Marts:    []string{},
			Released: &Released{Tables: tables},
			order:    "value_1, value_2, place",
		}.withReleased())
	}
	return all
}

// kindOf says what kind of figures a group is of, as permissions tell them apart.
func kindOf(g disclosure.Group) string {
	switch g.Name {
	case "care", "episodes", "retention":
		return "falloff"
	case "appointments":
		return "schedule"
	case "claims":
		return "payers"
	default:
		return "money"
	}
}

// IsReleasedOnly says that the query is about the released tables themselves.
func (d Definition) IsReleasedOnly() bool { return d.text == "" }

// asReleased is the definition as it is answered from released tables.
func (d Definition) asReleased() Definition {
	d.text = d.Released.text
	d.Marts = nil
	d.Columns = append(slices.Clone(d.Columns), withheldFlag())
	return d
}

// withheldFlag is the column that says of a row that its numbers are withheld.
func withheldFlag() Column {
	return Column{
		Name: withheldColumn, Title: "Withheld", Type: Flag,
		Description: fmt.Sprintf("Whether the numbers are withheld: they are of fewer than %d patients, or would tell of ones that are", disclosure.MinThreshold),
	}
}

// BindReleased is Bind for an answer from released tables.
func (d Definition) BindReleased(params map[string]any) (map[string]any, error) {
	bound, err := d.Bind(params)
	if err != nil {
		return nil, err
	}
	for _, p := range d.Parameters {
		only, limited := d.Released.Only[p.Name]
		if !limited || slices.Contains(only, fmt.Sprint(bound[p.Name])) {
			continue
		}
		return nil, &ParameterError{
			Query: d.Name, Parameter: p.Name, Reason: "it would tell of single patients, whose rows you may not see",
			hint: "send one of: " + strings.Join(only, ", ") + "; or ask whoever keeps the access policy",
		}
	}
	return bound, nil
}

// loadReleased makes the tables of the schema released, those that are asked for and no other, and released.cells, which has all of
// them in one: a row a cell and measure.
func (e *Engine) loadReleased(ctx context.Context, files Files) error {
	if files.Released == nil {
		return nil
	}
	shown := files.Released.Only(files.ReleasedTables)
	if err := shown.Load(ctx, e.db, disclosure.MinThreshold); err != nil {
		return err
	}
	e.releasedOn = map[string]string{}
	for _, t := range shown.Tables() {
		e.releasedOn[t.Table.Name] = t.AsOf.String()
		for place, dimension := range t.Table.Dimensions {
			if !slices.Contains(lists, dimension) {
				continue
			}
			statement := fmt.Sprintf(`insert into list_value select distinct '%s', "%s" from released."%s"`, dimension, dimension, t.Table.Name) //nolint:gosec // the names are the program's own
			if _, err := e.db.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("listing the values of dimension %d of released table %s: %w", place+1, t.Table.Name, err)
			}
		}
	}
	return nil
}

// note says in words what an answer from released tables withholds, and of which day it is where that is not the snapshot's.
func (e *Engine) note(d Definition, bound map[string]any, withheld int64) string {
	var said []string
	if d.Released.Says != "" {
		said = append(said, d.Released.Says)
	}
	switch {
	case withheld == 1:
		said = append(said, fmt.Sprintf("1 row is withheld: it is of fewer than %d patients, or would tell of one that is.", disclosure.MinThreshold))
	case withheld > 1:
		said = append(said, fmt.Sprintf("%d rows are withheld: they are of fewer than %d patients, or would tell of ones that are.", withheld, disclosure.MinThreshold))
	}
	tables := d.Released.Tables
	if name, ok := bound["table"].(string); ok && d.IsReleasedOnly() {
		tables = []string{name}
	}
	for _, table := range tables {
		if on, ok := e.releasedOn[table]; ok && on != e.meta.AsOf.String() {
			said = append(said, fmt.Sprintf("As of %s: newer numbers would tell what is withheld.", on))
			break
		}
	}
	return strings.Join(said, " ")
}

// withheldIn counts the rows whose numbers are withheld.
func withheldIn(batch arrow.RecordBatch) int64 {
	at := batch.Schema().FieldIndices(withheldColumn)
	if len(at) != 1 {
		return 0
	}
	flags, ok := batch.Column(at[0]).(*array.Boolean)
	if !ok {
		return 0
	}
	var n int64
	for i := range flags.Len() {
		if flags.IsValid(i) && flags.Value(i) {
			n++
		}
	}
	return n
}
