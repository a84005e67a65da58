package models

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ColumnNode is one column on the way from the lake to the marts. An input's column has no sources.
type ColumnNode struct {
	// Name has schema and table, such as `marts.leak_ledger.certainty`.
	Name string `json:"name"`
	// From are columns of what the model reads itself that its values are made from.
	From []string `json:"from"`
	// Values are the columns of inputs that its values are made from, through all models between.
	Values []string `json:"values"`
	// Rows are the columns of inputs that decide which rows its table has; `lake.claims.*` is the rows of lake.claims.
	Rows []string `json:"rows"`
}

// ColumnLineage says of every column of the project's own models what it is made from.
func ColumnLineage(ctx context.Context) ([]ColumnNode, error) {
	project, err := own()
	if err != nil {
		return nil, err
	}
	return project.ColumnLineage(ctx)
}

// ColumnLineage says of every column of the models what it is made from, in the order of models and columns.
func (p *Project) ColumnLineage(ctx context.Context) ([]ColumnNode, error) {
	t, db, err := newTracer(ctx, p)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	c := closure{relations: map[string]*relation{}, values: map[string]sources{}, rows: map[string]sources{}}
	var out []ColumnNode
	for _, m := range p.Models {
		r, err := t.model(ctx, db, m)
		if err != nil {
			return nil, err
		}
		c.relations[m.Name()] = r
		t.tables[m.Name()] = r.names
		rows := sorted(c.rowsOf(m.Name()))
		for _, name := range r.names {
			full := m.Name() + "." + name
			node := ColumnNode{Name: full, From: []string{}, Values: sorted(c.valuesOf(full)), Rows: rows}
			for from := range r.columns[name].all() {
				table, column := splitSource(from)
				column, _, _ = strings.Cut(column, ".")
				node.From = append(node.From, table+"."+column)
			}
			slices.Sort(node.From)
			node.From = slices.Compact(node.From)
			out = append(out, node)
		}
	}
	return out, nil
}

// model follows a model's statement.
func (t *tracer) model(ctx context.Context, db *stdsql.DB, m *Model) (*relation, error) {
	node, err := parsed(ctx, db, m.Text)
	if err != nil {
		return nil, fmt.Errorf("following the columns of %s: %w", m.File, err)
	}
	r, err := t.statement(node, nil)
	if err != nil {
		return nil, fmt.Errorf("following the columns of %s: %w", m.File, err)
	}
	if m.Layer == Fitted {
		return fittedFrom(r, fitters()[m.table].columns), nil
	}
	return r, nil
}

// fittedFrom says of what Go finds that all that was selected is in each of its columns.
func fittedFrom(selected *relation, columns []Column) *relation {
	everything := sources{}
	for _, c := range selected.columns {
		everything.add(c.all())
	}
	out := newRelation()
	out.rows.add(selected.rows, everything)
	for _, c := range columns {
		out.put(c.Name, column{from: everything})
	}
	return out
}

func sorted(s sources) []string {
	out := slices.Sorted(maps.Keys(s))
	if out == nil {
		return []string{}
	}
	return out
}

// splitSource parts schema.table.column.field into schema.table and column.field.
func splitSource(name string) (table, column string) {
	parts := strings.SplitN(name, ".", 3)
	return parts[0] + "." + parts[1], parts[2]
}

// closure goes from models back to inputs.
type closure struct {
	relations    map[string]*relation
	values, rows map[string]sources
}

// rowsOf is what decides the rows of a table, in columns of inputs.
func (c *closure) rowsOf(table string) sources {
	r, isModel := c.relations[table]
	if !isModel {
		return sources{table + ".*": true}
	}
	if known, isKnown := c.rows[table]; isKnown {
		return known
	}
	out := sources{}
	for name := range r.rows {
		out.add(c.valuesOf(name))
	}
	c.rows[table] = out
	return out
}

// valuesOf is what a column, a field of it, or `table.*` is made from, in columns of inputs.
func (c *closure) valuesOf(name string) sources {
	table, column := splitSource(name)
	if column == "*" {
		return c.rowsOf(table)
	}
	r, isModel := c.relations[table]
	if !isModel {
		column, _, _ = strings.Cut(column, ".")
		return sources{table + "." + column: true}
	}
	if known, isKnown := c.values[name]; isKnown {
		return known
	}
	path := strings.Split(column, ".")
	out := sources{}
	for from := range r.columns[path[0]].field(path[1:]).all() {
		out.add(c.valuesOf(from))
	}
	c.values[name] = out
	return out
}

// ColumnsOf picks columns by name: marts.leak_ledger.certainty, leak_ledger.certainty, or a table for all of its columns; no name
// is every mart's.
func ColumnsOf(nodes []ColumnNode, names []string) ([]ColumnNode, error) {
	if len(names) == 0 {
		return slices.DeleteFunc(slices.Clone(nodes), func(n ColumnNode) bool { return !strings.HasPrefix(n.Name, string(Marts)+".") }), nil
	}
	var out []ColumnNode
	for _, name := range names {
		var found []ColumnNode
		for _, n := range nodes {
			table, _ := splitSource(n.Name)
			if slices.Contains([]string{n.Name, table}, name) || slices.Contains([]string{n.Name, table}, string(Marts)+"."+name) {
				found = append(found, n)
			}
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("there is no column %s%s", name, nearColumns(nodes, name))
		}
		out = append(out, found...)
	}
	return out, nil
}

// nearColumns says which columns the table has that somebody named.
func nearColumns(nodes []ColumnNode, name string) string {
	table, _, _ := cutColumn(name)
	if table == "" {
		table, _, _ = strings.Cut(name, ".")
		table = string(Marts) + "." + table
	}
	var near []string
	for _, n := range nodes {
		if of, column := splitSource(n.Name); of == table {
			near = append(near, column)
		}
	}
	if len(near) == 0 {
		return ": name it as table.column, such as leak_ledger.certainty; a name without a schema is a mart's"
	}
	return ": " + table + " has " + strings.Join(near, ", ")
}

// ColumnPicture draws what columns' values are made from as a Mermaid flowchart, model by model.
func ColumnPicture(nodes, wanted []ColumnNode) string {
	byName := map[string]ColumnNode{}
	for _, n := range nodes {
		byName[n.Name] = n
	}
	var tables []string
	columns := map[string][]string{}
	var edges []string
	seen := map[string]bool{}
	var draw func(name string)
	draw = func(name string) {
		if seen[name] || strings.HasSuffix(name, ".*") {
			return
		}
		seen[name] = true
		for _, from := range byName[name].From {
			if !strings.HasSuffix(from, ".*") {
				draw(from)
				edges = append(edges, fmt.Sprintf("  %s --> %s\n", boxName(from), boxName(name)))
			}
		}
		table, column := splitSource(name)
		if columns[table] == nil {
			tables = append(tables, table)
		}
		columns[table] = append(columns[table], column)
	}
	for _, n := range wanted {
		draw(n.Name)
	}
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	for _, table := range tables {
		fmt.Fprintf(&b, "  subgraph %s\n", table)
		for _, column := range columns[table] {
			fmt.Fprintf(&b, "    %s[%s]\n", boxName(table+"."+column), column)
		}
		b.WriteString("  end\n")
	}
	b.WriteString(strings.Join(edges, ""))
	return b.String()
}

// drawnColumns are those that docs/lineage.md draws: what people ask about first.
var drawnColumns = []string{
	"leak_ledger.amount_cents", "leak_ledger.claim_folder", "patient_status.last_on", "staff_hours.utilisation",
}

// LineageMarkdown is docs/lineage.md: a lineage of tables, and some columns'.
func LineageMarkdown(ctx context.Context, nodes []Node) (string, error) {
	columns, err := ColumnLineage(ctx)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	out.WriteString("# From the lake to the marts\n\nMade by `make docs` from the models themselves (`falloff lineage --picture`).\n\n```mermaid\n" + Picture(nodes) + "```\n")
	out.WriteString("\n## Down to columns\n\nWhat the values of some columns are made from. `falloff lineage --column` says it of every column, and what decides the rows.\n")
	for _, name := range drawnColumns {
		wanted, err := ColumnsOf(columns, []string{name})
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "\n### %s\n\n```mermaid\n%s```\n", name, ColumnPicture(columns, wanted))
	}
	return out.String(), nil
}
