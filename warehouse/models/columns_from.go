package models

import (
	"fmt"
	"slices"
	"strings"
)

// from puts the tables of a `from` into the scope; what joins are made on decides rows.
func (t *tracer) from(n syntax, here *scope, rows sources) error {
	switch kind := n.text("type"); kind {
	case "", "EMPTY":
		return nil
	case "JOIN":
		for _, side := range []string{"left", "right"} {
			if err := t.from(n.node(side), here, rows); err != nil {
				return err
			}
		}
		for _, name := range n.texts("using_columns") {
			for _, table := range here.tables {
				if c, known := table.columns[name]; known {
					rows.add(c.all())
				}
			}
		}
		return t.decides(n.node("condition"), here, rows)
	}
	r, alias, err := t.source(n, here)
	if err != nil {
		return err
	}
	rows.add(r.rows)
	if as := n.text("alias"); as != "" {
		alias = as
	}
	here.tables = append(here.tables, named{alias, r.renamed(n.texts("column_name_alias"))})
	return nil
}

// source is one table of a `from`, with the name it has there.
func (t *tracer) source(n syntax, here *scope) (*relation, string, error) {
	switch kind := n.text("type"); kind {
	case "BASE_TABLE":
		schema, table := n.text("schema_name"), n.text("table_name")
		if schema == "" {
			if r, known := here.query(table); known {
				return r, table, nil
			}
			return nil, "", fmt.Errorf("there is no named query %s", table)
		}
		r, err := t.atom(schema + "." + table)
		return r, table, err
	case "SUBQUERY":
		r, err := t.statement(n.node("subquery").node("node"), here)
		return r, "", err
	case "EXPRESSION_LIST":
		return t.values(n, here)
	case "TABLE_FUNCTION":
		return t.tableFunction(n.node("function"), here)
	default:
		return nil, "", fmt.Errorf("what a %s is made from is not known", kind)
	}
}

// values follows `values (…), (…)`.
func (t *tracer) values(n syntax, here *scope) (*relation, string, error) {
	out := newRelation()
	lists, _ := n["values"].([]any)
	for _, list := range lists {
		for i, item := range (syntax{"row": list}).nodes("row") {
			c, err := t.expression(item, here)
			if err != nil {
				return nil, "", err
			}
			name := fmt.Sprintf("col%d", i)
			out.put(name, merged(out.columns[name], c))
		}
	}
	return out.renamed(n.texts("expected_names")), "", nil
}

// tableFunction follows a macro of the project, and query_table, which reads the table that a macro was given the name of.
func (t *tracer) tableFunction(function syntax, here *scope) (*relation, string, error) {
	name := function.text("function_name")
	var given []argument
	for _, child := range function.nodes("children") {
		c, err := t.expression(child, here)
		if err != nil {
			return nil, "", err
		}
		a := argument{column: c}
		a.text, _ = child.node("value")["value"].(string)
		if names := child.texts("column_names"); len(names) == 1 {
			if p, known := here.parameter(names[0]); known {
				a.text = p.text
			}
		}
		given = append(given, a)
	}
	if name == "query_table" && len(given) == 1 {
		r, err := t.atom(given[0].text)
		return r, name, err
	}
	if macro, known := t.macros[name]; known {
		inside := &scope{parameters: map[string]argument{}}
		for i, parameter := range macro.parameters {
			if i < len(given) {
				inside.parameters[parameter] = given[i]
			}
		}
		r, err := t.statement(macro.node, inside)
		if err != nil {
			return nil, "", fmt.Errorf("macro %s: %w", name, err)
		}
		return r, name, nil
	}
	// unnest, range and their like: one column, named after the function.
	out := newRelation()
	c := column{from: sources{}}
	for _, a := range given {
		c = merged(c, a.column)
		out.rows.add(a.all())
	}
	out.put(name, c)
	return out, name, nil
}

// expression is what an expression is made from.
func (t *tracer) expression(n syntax, here *scope) (column, error) {
	switch n.text("class") {
	case "COLUMN_REF":
		names := n.texts("column_names")
		if c, known := here.column(names); known {
			return c, nil
		}
		return column{}, fmt.Errorf("%s is no column of what is read here", strings.Join(names, "."))
	case "SUBQUERY":
		return t.subquery(n, here)
	case "LAMBDA":
		return t.lambda(n, here)
	case "CONSTANT":
		return column{from: sources{}}, nil
	case "FUNCTION":
		switch n.text("function_name") {
		case "struct_pack", "row":
			return t.structure(n, here)
		case "unnest", "list_value", "any_value", "first":
			// The elements of a list are what the list is made from, fields and all.
			out := column{from: sources{}}
			for _, child := range n.nodes("children") {
				c, err := t.expression(child, here)
				if err != nil {
					return column{}, err
				}
				out = merged(out, c)
			}
			return out, nil
		case "struct_extract":
			if children := n.nodes("children"); len(children) == 2 {
				c, err := t.expression(children[0], here)
				field, isText := children[1].node("value")["value"].(string)
				if err == nil && isText {
					return c.field([]string{field}), nil
				}
			}
		}
	}
	return t.parts(n, here)
}

// lambda is made from its body. Its parameters stand for elements of a list, which the call that it is in has beside it.
func (t *tracer) lambda(n syntax, here *scope) (column, error) {
	inner := &scope{parent: here, parameters: map[string]argument{}}
	names := n.node("lhs").texts("column_names")
	for _, child := range n.node("lhs").nodes("children") {
		names = append(names, child.texts("column_names")...)
	}
	for _, name := range names {
		inner.parameters[name] = argument{column: column{from: sources{}}}
	}
	return t.expression(n.node("expr"), inner)
}

// structure follows a struct, field by field.
func (t *tracer) structure(n syntax, here *scope) (column, error) {
	out := column{from: sources{}, fields: map[string]column{}}
	for i, child := range n.nodes("children") {
		c, err := t.expression(child, here)
		if err != nil {
			return column{}, err
		}
		name := child.text("alias")
		if name == "" {
			name = fmt.Sprintf("v%d", i+1)
		}
		out.fields[name] = c
	}
	return out, nil
}

// subquery is made from its columns, from what decides its rows, and from what it is compared with.
func (t *tracer) subquery(n syntax, here *scope) (column, error) {
	r, err := t.statement(n.node("subquery").node("node"), here)
	if err != nil {
		return column{}, err
	}
	out := column{from: union(r.rows)}
	if n.text("subquery_type") != "EXISTS" {
		for _, name := range r.names {
			out.from.add(r.columns[name].all())
		}
	}
	if child := n.node("child"); child != nil {
		c, err := t.expression(child, here)
		if err != nil {
			return column{}, err
		}
		out.from.add(c.all())
	}
	return out, nil
}

// parts is made from all expressions that a node holds, wherever it holds them.
func (t *tracer) parts(n syntax, here *scope) (column, error) {
	out := column{from: sources{}}
	var walk func(value any) error
	walk = func(value any) error {
		switch value := value.(type) {
		case []any:
			for _, item := range value {
				if err := walk(item); err != nil {
					return err
				}
			}
		case map[string]any:
			if class, _ := value["class"].(string); class != "" {
				c, err := t.expression(value, here)
				if err != nil {
					return err
				}
				out.from.add(c.all())
				return nil
			}
			for _, inner := range value {
				if err := walk(inner); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for key, value := range n {
		if slices.Contains([]string{"class", "type", "alias", "cast_type"}, key) {
			continue
		}
		if err := walk(value); err != nil {
			return column{}, err
		}
	}
	return out, nil
}

// isAggregate says that an expression adds rows up, outside of its subqueries.
func (t *tracer) isAggregate(n syntax) bool {
	found := false
	var walk func(value any)
	walk = func(value any) {
		switch value := value.(type) {
		case []any:
			for _, item := range value {
				walk(item)
			}
		case map[string]any:
			switch class, _ := value["class"].(string); class {
			case "SUBQUERY":
				return
			case "FUNCTION":
				name, _ := value["function_name"].(string)
				found = found || t.aggregates[name]
			}
			for _, inner := range value {
				walk(inner)
			}
		}
	}
	walk(map[string]any(n))
	return found
}
