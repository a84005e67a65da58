package sandbox

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// walker goes through a statement's tree. It knows what may stand there; whatever it does not know is refused, so that a
// DuckDB with more forms than this one opens no door.
type walker struct {
	text    string
	allowed Tables
	read    map[TableName]bool
	nodes   int
}

func (w *walker) reads() []TableName {
	return slices.SortedFunc(maps.Keys(w.read), func(a, b TableName) int { return strings.Compare(a.String(), b.String()) })
}

// query goes through a SELECT or a set operation. A named query is in scope after it, not in itself: what it would read under
// its own name is a table.
func (w *walker) query(node map[string]any, scope []string, depth int) error {
	scope = slices.Clip(scope)
	ctes, _ := node["cte_map"].(map[string]any)
	entries, _ := ctes["map"].([]any)
	for _, entry := range entries {
		entry, _ := entry.(map[string]any)
		name, _ := entry["key"].(string)
		if !plainName.MatchString(name) || reservedName.MatchString(name) {
			return refuse(NotAllowed, "name it by letters, digits and _", "a query may not be named %s", named(name))
		}
		if err := w.walk(entry["value"], scope, depth+1); err != nil {
			return err
		}
		scope = append(scope, lower(name))
	}
	return w.children(node, scope, depth, "cte_map")
}

// plainName and reservedName keep names of queries away from those of files and of the catalogue, so that it cannot matter
// which of the two is meant.
var (
	plainName    = regexp.MustCompile(`^[\pL_][\pL\pN_]*$`)
	reservedName = regexp.MustCompile(`(?i)^(duckdb|pragma|sqlite|pg|information_schema)(_|$)`)
)

func (w *walker) walk(value any, scope []string, depth int) error {
	switch value := value.(type) {
	case []any:
		for _, child := range value {
			if err := w.walk(child, scope, depth); err != nil {
				return err
			}
		}
	case map[string]any:
		if w.nodes++; w.nodes > mostNodes {
			return refuse(TooComplex, "ask in parts", "the statement has more than %d parts", mostNodes)
		}
		if depth > deepestNode {
			return refuse(TooComplex, "split it by WITH", "the statement's parts are nested more than %d deep", deepestNode)
		}
		return w.node(value, scope, depth)
	}
	return nil
}

func (w *walker) children(node map[string]any, scope []string, depth int, but ...string) error {
	for _, key := range slices.Sorted(maps.Keys(node)) {
		if slices.Contains(but, key) {
			continue
		}
		if err := w.walk(node[key], scope, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) node(node map[string]any, scope []string, depth int) error {
	if id, ok := node["id"].(string); ok {
		return w.logicalType(node, id, scope, depth)
	}
	if class, ok := node["class"].(string); ok {
		return w.expression(node, class, scope, depth)
	}
	kind, ok := node["type"].(string)
	if !ok {
		return w.children(node, scope, depth)
	}
	switch kind {
	case "SELECT_NODE", "SET_OPERATION_NODE":
		return w.query(node, scope, depth)
	case "RECURSIVE_CTE_NODE":
		return refuse(NotAllowed, "a list of days or numbers comes from generate_series", "a query may not read itself")
	case "BASE_TABLE":
		return w.table(node, scope)
	case "TABLE_FUNCTION":
		return w.tableFunction(node, scope, depth)
	case "SHOW_REF":
		return refuse(NotAllowed, "the tables and their columns are in docs/schema.md", "SHOW, DESCRIBE and SUMMARIZE are not answered here")
	case "PIVOT":
		if enum, _ := node["pivot_enum"].(string); enum != "" {
			return w.at(node, refuse(NotAllowed, "write the values: FOR y IN ('a', 'b')", "a pivot over the type %s", named(enum)))
		}
		for _, pivot := range list(node["pivots"]) {
			if pivot, _ := pivot.(map[string]any); pivot != nil {
				if enum, _ := pivot["pivot_enum"].(string); enum != "" {
					return w.at(node, refuse(NotAllowed, "write the values: FOR y IN ('a', 'b')", "a pivot over the type %s", named(enum)))
				}
				if pivot["subquery"] != nil {
					return w.at(node, refuse(NotAllowed, "write the values: FOR y IN ('a', 'b')", "a pivot over a query"))
				}
			}
		}
	case "JOIN", "SUBQUERY", "EMPTY", "EXPRESSION_LIST",
		"ORDER_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "DISTINCT_MODIFIER",
		"ORDER_DEFAULT", "ASCENDING", "DESCENDING":
	default:
		return w.at(node, refuse(NotAllowed, "write it in another way", "the form %s is not allowed", named(kind)))
	}
	return w.children(node, scope, depth)
}

// table lets through a named query that is in scope, or an allowed table.
func (w *walker) table(node map[string]any, scope []string) error {
	catalog, _ := node["catalog_name"].(string)
	schema, _ := node["schema_name"].(string)
	name, _ := node["table_name"].(string)
	const hint = "docs/schema.md has the tables; which of them you may read is the clinic's decision"
	if catalog != "" {
		return w.at(node, refuse(NotAllowed, "write schema.table", "%s names a database", named(catalog+"."+schema+"."+name)))
	}
	if node["at_clause"] != nil {
		return w.at(node, refuse(NotAllowed, "there is one state of each table here", "AT is not allowed"))
	}
	if schema == "" && slices.Contains(scope, lower(name)) {
		return nil
	}
	var meant Tables
	for _, table := range w.allowed {
		if lower(name) == lower(table.Name) && (schema == "" || lower(schema) == lower(table.Schema)) {
			meant = append(meant, table)
		}
	}
	switch len(meant) {
	case 1:
		w.read[meant[0]] = true
		// Whatever stands beside it is the sample and the names of its columns.
		return w.walk(node["sample"], scope, 0)
	case 0:
		if schema != "" {
			name = schema + "." + name
		}
		return w.at(node, refuse(NotAllowed, hint, "there is no table %s for you", named(name)))
	default:
		return w.at(node, refuse(NotAllowed, "write "+meant[0].String()+" or "+meant[1].String(), "%s is the name of several tables", named(name)))
	}
}

func (w *walker) tableFunction(node map[string]any, scope []string, depth int) error {
	function, _ := node["function"].(map[string]any)
	name, _ := function["function_name"].(string)
	if err := w.function(function, tableFunctions, "as a table"); err != nil {
		return err
	}
	if lower(name) != "unnest" {
		for _, argument := range list(function["children"]) {
			if !literal(argument) {
				return w.at(function, refuse(NotAllowed, "write the bounds themselves, such as range(0, 12)", "the bounds of %s must be plain values", named(name)))
			}
		}
	}
	if err := w.children(function, scope, depth); err != nil {
		return err
	}
	return w.children(node, scope, depth, "function")
}

// literal says that an expression is a value that stands in the text: at most negated, cast, or made an interval of.
func literal(expression any) bool {
	node, _ := expression.(map[string]any)
	switch node["class"] {
	case "CONSTANT":
		return true
	case "CAST":
		return literal(node["child"])
	case "FUNCTION":
		name, _ := node["function_name"].(string)
		arguments := list(node["children"])
		return (name == "-" || name == "trunc" || strings.HasPrefix(name, "to_")) && len(arguments) == 1 && literal(arguments[0])
	}
	return false
}

func (w *walker) expression(node map[string]any, class string, scope []string, depth int) error {
	kind, _ := node["type"].(string)
	switch class {
	case "FUNCTION":
		if err := w.function(node, functions, ""); err != nil {
			return err
		}
	case "WINDOW":
		if err := w.function(node, windowFunctions, "over a window"); err != nil {
			return err
		}
	case "OPERATOR":
		if !operators[kind] {
			return w.at(node, refuse(NotAllowed, "write it in another way", "the operator %s is not allowed", named(kind)))
		}
	case "COLLATE":
		collation, _ := node["collation"].(string)
		for part := range strings.SplitSeq(lower(collation), ".") {
			if !collations[part] {
				return w.at(node, refuse(NotAllowed, "nocase, noaccent and nfc are", "the collation %s is not allowed", named(collation)))
			}
		}
	case "PARAMETER":
		return w.at(node, refuse(NotAllowed, "write the value itself", "the statement has parameters"))
	case "CONSTANT", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CAST", "CASE", "BETWEEN", "STAR", "SUBQUERY", "LAMBDA", "POSITIONAL_REFERENCE":
	default:
		return w.at(node, refuse(NotAllowed, "write it in another way", "the form %s is not allowed", named(class)))
	}
	return w.children(node, scope, depth)
}

// function lets through a call of a function that is on a list.
func (w *walker) function(node map[string]any, allowed map[string]bool, where string) error {
	name, _ := node["function_name"].(string)
	schema, _ := node["schema"].(string)
	catalog, _ := node["catalog"].(string)
	if catalog != "" || (schema != "" && schema != "main") {
		return w.at(node, refuse(NotAllowed, "write lower(name) rather than name.lower()", "%s is called with something before a point", named(name)))
	}
	if !allowed[lower(name)] {
		if where != "" {
			where = " " + where
		}
		return w.at(node, refuse(NotAllowed, "docs/analysts.md has the functions that are", "the function %s is not allowed%s", named(name), where))
	}
	if exported, _ := node["export_state"].(bool); exported {
		return w.at(node, refuse(NotAllowed, "leave it out", "EXPORT_STATE is not allowed"))
	}
	if makers[lower(name)] {
		for _, argument := range list(node["children"]) {
			if n, isNumber := number(argument); isNumber && (n > mostMade || n < -mostMade) {
				return w.at(node, refuse(NotAllowed, "ask for less at once", "%s may make at most %d", named(name), mostMade))
			}
		}
	}
	return nil
}

// number is the whole number that stands in the text as a function's argument.
func number(argument any) (int64, bool) {
	node, _ := argument.(map[string]any)
	switch node["class"] {
	case "CONSTANT":
		value, _ := node["value"].(map[string]any)
		var written json.Number
		switch value := value["value"].(type) {
		case json.Number:
			written = value
		case string: // a text that is cast
			written = json.Number(value)
		}
		if n, err := written.Int64(); err == nil {
			return n, true
		}
		f, err := written.Float64()
		return int64(min(max(f, -1e18), 1e18)), err == nil
	case "CAST":
		return number(node["child"])
	case "FUNCTION":
		if children := list(node["children"]); len(children) == 1 {
			return number(children[0])
		}
	}
	return 0, false
}

// logicalType lets through a type that is on a list.
func (w *walker) logicalType(node map[string]any, id string, scope []string, depth int) error {
	hint := "cast to integer, bigint, double, decimal, varchar, boolean, date, timestamp, interval or a list of one"
	about, _ := node["type_info"].(map[string]any)
	if id == "UNBOUND" {
		name, _ := about["name"].(string)
		schema, _ := about["schema"].(string)
		catalog, _ := about["catalog"].(string)
		if schema != "" || catalog != "" || !typeNames[lower(name)] {
			return refuse(NotAllowed, hint, "the type %s is not allowed", named(name))
		}
		return nil
	}
	if !typeIDs[id] {
		return refuse(NotAllowed, hint, "the type %s is not allowed", named(id))
	}
	if kind, ok := about["type"].(string); ok && !typeInfos[kind] {
		return refuse(NotAllowed, hint, "the type %s is not allowed", named(kind))
	}
	for _, key := range slices.Sorted(maps.Keys(about)) {
		if key == "type" {
			continue
		}
		if err := w.walk(about[key], scope, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// at adds where in the statement a node stands.
func (w *walker) at(node map[string]any, refusal *Error) *Error {
	written, _ := node["query_location"].(json.Number)
	offset, err := strconv.Atoi(written.String())
	if err != nil { // nothing is known of it
		return refusal
	}
	return refusal.at(w.text, offset)
}

func list(value any) []any {
	items, _ := value.([]any)
	return items
}

// lower folds ASCII alone, as DuckDB does for names: another letter that folds into one of ASCII is another name.
func lower(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}
