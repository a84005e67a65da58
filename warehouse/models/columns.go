package models

import (
	"context"
	stdsql "database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// What columns are made from is found in the trees of DuckDB's own parser. Every statement is followed from its tables to its
// columns: for each column, the columns whose values are in it; for the table, the columns that decide which rows it has (filters,
// joins, groups, what is told apart by distinct). `table.*` stands for the rows of a table that is read.

// sources is a set of columns, each as schema.table.column, with `.field` after it where it is a field of a struct.
type sources map[string]bool

func (s sources) add(others ...sources) {
	for _, other := range others {
		maps.Copy(s, other)
	}
}

func union(all ...sources) sources {
	out := sources{}
	out.add(all...)
	return out
}

// column is what an expression is made from. A struct keeps its fields apart.
type column struct {
	from   sources
	fields map[string]column
}

// all is what the column and its fields are made from.
func (c column) all() sources {
	out := union(c.from)
	for _, field := range c.fields {
		out.add(field.all())
	}
	return out
}

// field goes into a struct.
func (c column) field(names []string) column {
	for i, name := range names {
		inner, known := c.fields[name]
		if !known {
			return column{from: suffixed(c.all(), names[i:])}
		}
		c = inner
	}
	return c
}

// suffixed names a field of columns of other tables, whose fields are known there.
func suffixed(from sources, names []string) sources {
	out := sources{}
	for name := range from {
		if strings.HasSuffix(name, ".*") {
			out[name] = true
			continue
		}
		out[name+"."+strings.Join(names, ".")] = true
	}
	return out
}

// relation is a table in the making.
type relation struct {
	names   []string
	columns map[string]column
	// rows decide which rows there are.
	rows sources
}

func newRelation() *relation { return &relation{columns: map[string]column{}, rows: sources{}} }

func (r *relation) put(name string, c column) {
	if _, known := r.columns[name]; !known {
		r.names = append(r.names, name)
	}
	r.columns[name] = c
}

// renamed gives the first columns other names.
func (r *relation) renamed(names []string) *relation {
	if len(names) == 0 {
		return r
	}
	out := newRelation()
	out.rows = r.rows
	for i, name := range r.names {
		as := name
		if i < len(names) {
			as = names[i]
		}
		out.put(as, r.columns[name])
	}
	return out
}

// scope is what names mean at a place: the tables of a `from`, in front of those of the query around it.
type scope struct {
	parent *scope
	tables []named
	// aliases are the columns that the select list has named so far.
	aliases map[string]column
	// parameters are a macro's.
	parameters map[string]argument
	queries    map[string]*relation
}

type named struct {
	alias string
	*relation
}

// argument is what a macro was given: what it is made from, and its text where it is a name in quotes.
type argument struct {
	column

	text string
}

func (s *scope) query(name string) (*relation, bool) {
	for ; s != nil; s = s.parent {
		if r, known := s.queries[name]; known {
			return r, true
		}
	}
	return nil, false
}

func (s *scope) parameter(name string) (argument, bool) {
	for ; s != nil; s = s.parent {
		if a, known := s.parameters[name]; known {
			return a, true
		}
	}
	return argument{}, false
}

// column finds what a reference means.
func (s *scope) column(names []string) (column, bool) {
	for at := s; at != nil; at = at.parent {
		if len(names) > 1 {
			for _, t := range at.tables {
				if c, known := t.columns[names[1]]; known && t.alias == names[0] {
					return c.field(names[2:]), true
				}
			}
		}
		for _, t := range at.tables {
			if c, known := t.columns[names[0]]; known {
				return c.field(names[1:]), true
			}
		}
		if c, known := at.aliases[names[0]]; known {
			return c.field(names[1:]), true
		}
		if a, known := at.parameters[names[0]]; known {
			return a.field(names[1:]), true
		}
	}
	return column{}, false
}

// tableMacro is a macro that gives a table.
type tableMacro struct {
	parameters []string
	node       syntax
}

// tracer follows statements.
type tracer struct {
	// tables gives the columns of models and inputs.
	tables     map[string][]string
	macros     map[string]tableMacro
	aggregates map[string]bool
}

// newTracer reads the macros of the project.
func newTracer(ctx context.Context, p *Project) (*tracer, *stdsql.DB, error) {
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, nil, fmt.Errorf("opening DuckDB to follow columns: %w", err)
	}
	db := stdsql.OpenDB(connector)
	t := &tracer{tables: map[string][]string{}, macros: map[string]tableMacro{}, aggregates: map[string]bool{}}
	if err := t.prepare(ctx, db, p); err != nil {
		db.Close()
		return nil, nil, err
	}
	return t, db, nil
}

func (t *tracer) prepare(ctx context.Context, db *stdsql.DB, p *Project) error {
	if err := defineMacros(ctx, p.macros, func(ctx context.Context, statement string) error {
		_, err := db.ExecContext(ctx, statement)
		return err
	}); err != nil {
		return err
	}
	for dataset, row := range datasetRows() {
		columns, err := schemaOf(row)
		if err != nil {
			return err
		}
		t.tables["lake."+dataset] = columnNames(columns)
	}
	for _, s := range settingsTables(Inputs{}) {
		t.tables["settings."+s.name] = columnNames(s.columns)
	}
	for _, s := range closedTables(Inputs{}) {
		t.tables[closedSchema+"."+s.name] = columnNames(s.columns)
	}
	rows, err := db.QueryContext(ctx, `
		select function_name, function_type, coalesce(macro_definition, ''), array_to_string(parameters, ' ')
		from duckdb_functions() where function_type = 'aggregate' or (function_type = 'table_macro' and not internal)`)
	if err != nil {
		return fmt.Errorf("reading DuckDB's functions: %w", err)
	}
	defer rows.Close()
	definitions, parameters := map[string]string{}, map[string][]string{}
	for rows.Next() {
		var name, kind, definition, given string
		if err := rows.Scan(&name, &kind, &definition, &given); err != nil {
			return fmt.Errorf("reading DuckDB's functions: %w", err)
		}
		if kind == "aggregate" {
			t.aggregates[name] = true
			continue
		}
		definitions[name], parameters[name] = definition, strings.Fields(given)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading DuckDB's functions: %w", err)
	}
	for name, definition := range definitions {
		node, err := parsed(ctx, db, definition)
		if err != nil {
			return fmt.Errorf("macro %s: %w", name, err)
		}
		t.macros[name] = tableMacro{parameters: parameters[name], node: node}
	}
	return nil
}

func columnNames(columns []Column) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}

// parsed is a statement's tree.
func parsed(ctx context.Context, db *stdsql.DB, text string) (syntax, error) {
	var serialised string
	if err := db.QueryRowContext(ctx, "select json_serialize_sql(?::varchar, skip_empty := true, skip_null := true)::varchar", text).Scan(&serialised); err != nil {
		return nil, err
	}
	var statement struct {
		Message    string `json:"error_message"`
		Statements []struct {
			Node syntax `json:"node"`
		} `json:"statements"`
	}
	if err := json.Unmarshal([]byte(serialised), &statement); err != nil {
		return nil, err
	}
	if len(statement.Statements) != 1 {
		return nil, fmt.Errorf("it is no single select: %s", statement.Message)
	}
	return statement.Statements[0].Node, nil
}

// syntax is a node of the parser's tree.
type syntax map[string]any

func (n syntax) text(key string) string { s, _ := n[key].(string); return s }
func (n syntax) node(key string) syntax { m, _ := n[key].(map[string]any); return m }

func (n syntax) nodes(key string) []syntax {
	list, _ := n[key].([]any)
	var out []syntax
	for _, item := range list {
		if m, isMap := item.(map[string]any); isMap {
			out = append(out, m)
		}
	}
	return out
}

func (n syntax) texts(key string) []string {
	list, _ := n[key].([]any)
	var out []string
	for _, item := range list {
		if s, isText := item.(string); isText {
			out = append(out, s)
		}
	}
	return out
}

// atom is a table that is read as it is: each column made of itself.
func (t *tracer) atom(name string) (*relation, error) {
	columns, known := t.tables[name]
	if !known {
		return nil, fmt.Errorf("the columns of %s are not known", name)
	}
	r := newRelation()
	for _, c := range columns {
		r.put(c, column{from: sources{name + "." + c: true}})
	}
	r.rows[name+".*"] = true
	return r, nil
}

// select_ follows a select, or several that are set together.
func (t *tracer) statement(n syntax, outer *scope) (*relation, error) {
	here := &scope{parent: outer, queries: map[string]*relation{}}
	for _, entry := range n.node("cte_map").nodes("map") {
		value := entry.node("value")
		r, err := t.statement(value.node("query").node("node"), here)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", entry.text("key"), err)
		}
		here.queries[entry.text("key")] = r.renamed(value.texts("aliases"))
	}
	var out *relation
	var err error
	switch kind := n.text("type"); kind {
	case "SELECT_NODE":
		return t.selection(n, here)
	case "SET_OPERATION_NODE":
		out, err = t.together(n, here)
	case "RECURSIVE_CTE_NODE":
		out, err = t.recursive(n, here)
	default:
		return nil, fmt.Errorf("what a %s is made from is not known", kind)
	}
	if err != nil {
		return nil, err
	}
	return out, t.modify(n, out, &scope{parent: here, tables: []named{{"", out}}})
}

// together follows union, except and intersect.
func (t *tracer) together(n syntax, here *scope) (*relation, error) {
	left, err := t.statement(n.node("left"), here)
	if err != nil {
		return nil, err
	}
	right, err := t.statement(n.node("right"), here)
	if err != nil {
		return nil, err
	}
	out := newRelation()
	out.rows.add(left.rows, right.rows)
	byName := n.text("setop_type") == "UNION_BY_NAME"
	for i, name := range left.names {
		other := name
		if !byName && i < len(right.names) {
			other = right.names[i]
		}
		out.put(name, merged(left.columns[name], right.columns[other]))
	}
	if byName {
		for _, name := range right.names {
			out.put(name, merged(left.columns[name], right.columns[name]))
		}
	}
	if all, _ := n["setop_all"].(bool); !all {
		for _, name := range out.names {
			out.rows.add(out.columns[name].all())
		}
	}
	return out, nil
}

// merged is one column that is made of either.
func merged(a, b column) column {
	out := column{from: union(a.from, b.from)}
	if len(a.fields)+len(b.fields) > 0 {
		out.fields = map[string]column{}
		for _, one := range []column{a, b} {
			for name, field := range one.fields {
				out.fields[name] = merged(out.fields[name], field)
			}
		}
	}
	return out
}

// recursive follows a query that reads itself, until nothing comes in any more.
func (t *tracer) recursive(n syntax, here *scope) (*relation, error) {
	out, err := t.statement(n.node("left"), here)
	if err != nil {
		return nil, err
	}
	for {
		again := &scope{parent: here, queries: map[string]*relation{n.text("cte_name"): out}}
		step, err := t.statement(n.node("right"), again)
		if err != nil {
			return nil, err
		}
		next := newRelation()
		next.rows.add(out.rows, step.rows)
		before, after := len(out.rows), 0
		for i, name := range out.names {
			c := merged(out.columns[name], step.columns[step.names[i]])
			before += len(out.columns[name].all())
			after += len(c.all())
			next.put(name, c)
		}
		if out = next; before == after+len(next.rows) {
			return out, nil
		}
	}
}

// selection follows one select.
func (t *tracer) selection(n syntax, here *scope) (*relation, error) {
	out := newRelation()
	here.aliases = map[string]column{}
	if err := t.from(n.node("from_table"), here, out.rows); err != nil {
		return nil, err
	}
	isGroupedByAll := n.text("aggregate_handling") == "FORCE_AGGREGATES"
	var items []column
	for _, item := range n.nodes("select_list") {
		if item.text("class") == "STAR" {
			t.star(item, here, out)
			continue
		}
		c, err := t.expression(item, here)
		if err != nil {
			return nil, err
		}
		name := item.text("alias")
		if name == "" {
			if names := item.texts("column_names"); len(names) > 0 {
				name = names[len(names)-1]
			} else {
				name = fmt.Sprintf("column_%d", len(out.names))
			}
		}
		out.put(name, c)
		items = append(items, c)
		if _, shadows := here.aliases[name]; !shadows {
			here.aliases[name] = c
		}
		if isGroupedByAll && !t.isAggregate(item) || item.text("function_name") == "unnest" {
			out.rows.add(c.all())
		}
	}
	for _, group := range n.nodes("group_expressions") {
		c, err := t.expression(group, here)
		if err != nil {
			return nil, err
		}
		if place, isNumber := group.node("value")["value"].(float64); isNumber && int(place) >= 1 && int(place) <= len(items) {
			c = items[int(place)-1]
		}
		out.rows.add(c.all())
	}
	for _, filter := range []string{"where_clause", "having", "qualify"} {
		if err := t.decides(n.node(filter), here, out.rows); err != nil {
			return nil, err
		}
	}
	return out, t.modify(n, out, here)
}

// decides notes what a filter is made from among what decides the rows.
func (t *tracer) decides(filter syntax, here *scope, rows sources) error {
	if filter == nil {
		return nil
	}
	c, err := t.expression(filter, here)
	if err != nil {
		return err
	}
	rows.add(c.all())
	return nil
}

// modify follows distinct and limit. An order alone changes no rows.
func (t *tracer) modify(n syntax, out *relation, here *scope) error {
	isLimited := slices.ContainsFunc(n.nodes("modifiers"), func(m syntax) bool { return strings.HasPrefix(m.text("type"), "LIMIT") })
	for _, m := range n.nodes("modifiers") {
		switch kind := m.text("type"); {
		case kind == "DISTINCT_MODIFIER":
			for _, name := range out.names {
				out.rows.add(out.columns[name].all())
			}
			for _, target := range m.nodes("distinct_on_targets") {
				if err := t.decides(target, here, out.rows); err != nil {
					return err
				}
			}
		case kind == "ORDER_MODIFIER" && isLimited:
			for _, order := range m.nodes("orders") {
				if err := t.decides(order.node("expression"), here, out.rows); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// star puts all columns of the tables, or of one, but those that are excluded.
func (t *tracer) star(item syntax, here *scope, out *relation) {
	excluded := item.texts("exclude_list")
	for _, table := range here.tables {
		if of := item.text("relation_name"); of != "" && of != table.alias {
			continue
		}
		for _, name := range table.names {
			if !slices.Contains(excluded, name) {
				out.put(name, table.columns[name])
			}
		}
	}
}
