package models

import (
	"context"
	stdsql "database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// resolve fills in what each model reads. The tree comes from DuckDB's json_serialize_sql, so a model means here what it
// means where it runs.
func (p *Project) resolve(ctx context.Context, found []*Model) error {
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return fmt.Errorf("opening DuckDB to parse the models: %w", err)
	}
	db := stdsql.OpenDB(connector)
	defer db.Close()

	known := map[string]bool{}
	for _, m := range found {
		if known[m.Name()] {
			return fmt.Errorf("model %s occurs twice: rename one of the files", m.Name())
		}
		known[m.Name()] = true
	}
	for _, name := range inputTables() {
		known[name] = true
	}
	macros := map[string]bool{}
	for _, m := range p.macros {
		macros[m.name] = true
	}
	readers := slices.Clone(found)
	for _, c := range p.Checks {
		readers = append(readers, c.model)
	}
	for _, m := range readers {
		references, err := references(ctx, db, m, macros)
		if err != nil {
			return err
		}
		m.references = map[string]int{}
		for _, r := range references {
			if !known[r.table] {
				return fmt.Errorf("model %s (%s:%d) reads %s, which is no model and no input: %s",
					m.Name(), m.File, r.line, r.table, similar(r.table, known))
			}
			m.references[r.table] += r.times
		}
		m.Reads = slices.Sorted(maps.Keys(m.references))
	}
	for _, c := range p.Checks {
		if err := c.mayRead(); err != nil {
			return err
		}
	}
	for _, m := range found {
		if err := m.mayDeclare(ctx, db, known); err != nil {
			return err
		}
	}
	return nil
}

// reference is one mention of a table in a model.
type reference struct {
	table string
	line  int
	times int
}

// serialised is what json_serialize_sql answers.
type serialised struct {
	Error      bool   `json:"error"`
	Message    string `json:"error_message"`
	Position   string `json:"position"`
	Statements []struct {
		Node any `json:"node"`
	} `json:"statements"`
}

func references(ctx context.Context, db *stdsql.DB, m *Model, macros map[string]bool) ([]reference, error) {
	var text string
	if err := db.QueryRowContext(ctx, "select json_serialize_sql(?::varchar)::varchar", m.Text).Scan(&text); err != nil {
		return nil, fmt.Errorf("parsing model %s: %w", m.File, err)
	}
	var parsed serialised
	if err := json.Unmarshal([]byte(text), &parsed); err != nil {
		return nil, fmt.Errorf("parsing model %s: reading DuckDB's tree: %w", m.File, err)
	}
	if parsed.Error {
		position, err := strconv.Atoi(parsed.Position)
		if err != nil {
			return nil, fmt.Errorf("model %s: %s: a model is one select statement", m.File, parsed.Message)
		}
		return nil, fmt.Errorf("model %s:%d: %s", m.File, lineAt(m.Text, position), parsed.Message)
	}
	if len(parsed.Statements) != 1 {
		return nil, fmt.Errorf("model %s has %d statements: a model is one select statement", m.File, len(parsed.Statements))
	}
	w := walker{model: m, macros: macros}
	w.walk(parsed.Statements[0].Node, nil)
	return w.found, errors.Join(w.errs...)
}

// walker goes through a statement's tree and notes every table that is read.
type walker struct {
	model  *Model
	macros map[string]bool
	found  []reference
	errs   []error
}

func (w *walker) walk(node any, ctes []string) {
	switch node := node.(type) {
	case []any:
		for _, child := range node {
			w.walk(child, ctes)
		}
	case map[string]any:
		ctes = append(slices.Clip(ctes), cteNames(node)...)
		switch node["type"] {
		case "BASE_TABLE":
			w.table(node, ctes)
		case "TABLE_FUNCTION":
			w.tableFunction(node)
		}
		// Sorted, so that errors and counts come in the same order every time.
		for _, key := range slices.Sorted(maps.Keys(node)) {
			w.walk(node[key], ctes)
		}
	}
}

// cteNames lists the named queries that a select node introduces.
func cteNames(node map[string]any) []string {
	wrapper, _ := node["cte_map"].(map[string]any)
	entries, _ := wrapper["map"].([]any)
	var names []string
	for _, entry := range entries {
		if entry, isMap := entry.(map[string]any); isMap {
			if name, isText := entry["key"].(string); isText {
				names = append(names, name)
			}
		}
	}
	return names
}

func (w *walker) table(node map[string]any, ctes []string) {
	schema, _ := node["schema_name"].(string)
	table, _ := node["table_name"].(string)
	if schema == "" {
		if !slices.Contains(ctes, table) {
			w.errs = append(w.errs, fmt.Errorf("model %s (%s:%d) reads %s, which is no named query of it: write models with their schema, such as staging.%s",
				w.model.Name(), w.model.File, w.lineOf(node), table, table))
		}
		return
	}
	w.found = append(w.found, reference{table: schema + "." + table, line: w.lineOf(node), times: 1})
}

// tableFunction notes the tables whose names are handed to one of the project's macros. A macro may read its table more
// than once, so each counts twice.
func (w *walker) tableFunction(node map[string]any) {
	function, _ := node["function"].(map[string]any)
	name, _ := function["function_name"].(string)
	if !w.macros[name] {
		return
	}
	children, _ := function["children"].([]any)
	for _, child := range children {
		child, _ := child.(map[string]any)
		value, _ := child["value"].(map[string]any)
		if text, isText := value["value"].(string); isText && child["type"] == "VALUE_CONSTANT" && strings.Contains(text, ".") {
			w.found = append(w.found, reference{table: text, line: w.lineOf(child), times: 2})
		}
	}
}

func (w *walker) lineOf(node map[string]any) int {
	position, isNumber := node["query_location"].(float64)
	if !isNumber || position > float64(len(w.model.Text)) {
		return 1
	}
	return lineAt(w.model.Text, int(position))
}

func lineAt(text string, position int) int {
	return 1 + strings.Count(text[:min(position, len(text))], "\n")
}

// similar says what a reader may have meant: the tables of the same schema, or of the same name.
func similar(table string, known map[string]bool) string {
	schema, name, _ := strings.Cut(table, ".")
	var near []string
	for candidate := range known {
		candidateSchema, candidateName, _ := strings.Cut(candidate, ".")
		if candidateName == name {
			return "did you mean " + candidate + "?"
		}
		if candidateSchema == schema {
			near = append(near, candidate)
		}
	}
	if len(near) == 0 {
		return "schemas are staging, intermediate, fitted, marts, lake, settings, closed and work"
	}
	slices.Sort(near)
	return "there are " + strings.Join(near, ", ")
}
