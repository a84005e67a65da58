package models

import (
	"bytes"
	"context"
	stdsql "database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Workspace is a DuckDB in which models were run over some inputs, so that their rows can be looked at: what tests of models work in.
type Workspace struct {
	project *Project
	session *session
	// wanted are the models that were run, and prints what their tables held: see Try.
	wanted []*Model
	prints map[string]string
}

// Run runs the named models, and those that they need, over the inputs, and keeps all their tables. Close it.
func (p *Project) Run(ctx context.Context, in Inputs, names ...string) (*Workspace, error) {
	wanted, err := p.Needed(names...)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, in)
	if err != nil {
		return nil, err
	}
	w := &Workspace{project: p, session: s, wanted: wanted, prints: map[string]string{}}
	err = s.prepare(ctx, in)
	if err == nil {
		_, err = s.run(ctx, p, wanted, true)
	}
	if err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Needed lists the models that the named ones are made from, themselves included, in an order in which they can run.
func (p *Project) Needed(names ...string) ([]*Model, error) {
	known := map[string]bool{}
	for _, m := range p.Models {
		known[m.Name()] = true
	}
	needed := map[string]bool{}
	var need func(name string)
	need = func(name string) {
		if m, isModel := p.Model(name); isModel && !needed[name] {
			needed[name] = true
			for _, read := range m.Reads {
				need(read)
			}
		}
	}
	for _, name := range names {
		if !known[name] {
			return nil, fmt.Errorf("there is no model %s: %s", name, similar(name, known))
		}
		need(name)
	}
	return slices.DeleteFunc(slices.Clone(p.Models), func(m *Model) bool { return !needed[m.Name()] }), nil
}

// Close frees it.
func (w *Workspace) Close() { w.session.close() }

// Columns describes a table.
func (w *Workspace) Columns(ctx context.Context, table string) ([]Column, error) {
	return w.session.columns(ctx, "select * from "+table)
}

// Query asks the tables something. The caller closes the rows.
func (w *Workspace) Query(ctx context.Context, text string) (*stdsql.Rows, error) {
	return w.session.conn.QueryContext(ctx, text)
}

// NamedQuery makes a view of one of the named queries (`with … as`) of a model, and gives its name as SQL writes it.
func (w *Workspace) NamedQuery(ctx context.Context, model, query string) (view string, err error) {
	m, isModel := w.project.Model(model)
	if !isModel {
		return "", fmt.Errorf("there is no model %s", model)
	}
	tree, err := w.serialise(ctx, m.Text)
	if err != nil {
		return "", fmt.Errorf("parsing model %s: %w", m.File, err)
	}
	if names := cteNames(tree.node); !slices.Contains(names, query) {
		return "", fmt.Errorf("%s has no named query %s: there are %s", m.File, query, strings.Join(names, ", "))
	}
	// The model's named queries, in front of another question.
	asked, err := w.serialise(ctx, "select * from "+identifier(query))
	if err != nil {
		return "", err
	}
	asked.node["cte_map"] = tree.node["cte_map"]
	text, err := json.Marshal(asked.whole)
	if err != nil {
		return "", fmt.Errorf("asking for %s of %s: %w", query, m.File, err)
	}
	var statement string
	if err := w.session.conn.QueryRowContext(ctx, "select json_deserialize_sql(?::json)", string(text)).Scan(&statement); err != nil {
		return "", fmt.Errorf("asking for %s of %s: %w", query, m.File, err)
	}
	view = string(m.Layer) + "." + identifier(m.table+"#"+query)
	if err := w.session.exec(ctx, "create or replace view "+view+" as "+statement); err != nil {
		return "", fmt.Errorf("asking for %s of %s: %w", query, m.File, err)
	}
	return view, nil
}

// syntaxTree is a statement as DuckDB's parser has it.
type syntaxTree struct {
	whole, node map[string]any
}

func (w *Workspace) serialise(ctx context.Context, text string) (syntaxTree, error) {
	var serialised string
	if err := w.session.conn.QueryRowContext(ctx, "select json_serialize_sql(?::varchar)::varchar", text).Scan(&serialised); err != nil {
		return syntaxTree{}, err
	}
	var tree syntaxTree
	decoder := json.NewDecoder(bytes.NewReader([]byte(serialised)))
	decoder.UseNumber() // positions that are none are larger than a float can say
	if err := decoder.Decode(&tree.whole); err != nil {
		return syntaxTree{}, err
	}
	statements, _ := tree.whole["statements"].([]any)
	if len(statements) != 1 {
		return syntaxTree{}, errors.New("it is no single select")
	}
	statement, _ := statements[0].(map[string]any)
	tree.node, _ = statement["node"].(map[string]any)
	return tree, nil
}

// identifier writes a name as SQL writes one that may hold anything.
func identifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
