package models

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Layer is the folder a model is in, and the schema of its table.
type Layer string

// The layers, in the order in which rows pass through them.
const (
	Staging      Layer = "staging"
	Intermediate Layer = "intermediate"
	Marts        Layer = "marts"
)

// Model is one .sql file: a select statement whose rows become a table.
type Model struct {
	Layer Layer
	// File is its path in the tree, such as `marts/leak_ledger.sql`.
	File string
	// Grain, Key and Description are from the comment at the top. Key is empty where the header says `none`.
	Grain       string
	Key         []string
	Description string
	// Text is the whole file.
	Text string
	// Version names the Go part of a Fitted model: with the texts it decides what the same inputs give. Others have none.
	Version string
	// Reads names what it reads: models, `lake.` and `settings.` tables, each once, in the order of their names.
	Reads []string

	table string
	// declared is what must hold of its rows, nil where nothing is declared.
	declared *Declared
	// references counts how often each of Reads is named.
	references map[string]int
}

// Name is the model's table, such as `marts.leak_ledger`.
func (m *Model) Name() string { return string(m.Layer) + "." + m.table }

// Project is a tree of models and macros, in an order in which they can run.
type Project struct {
	// Models come after everything they read.
	Models []*Model
	// Checks are the rules that the marts must keep.
	Checks []*Check
	macros []macro
}

type macro struct{ name, file, text string }

// Model finds a model by its table's name.
func (p *Project) Model(name string) (*Model, bool) {
	i := slices.IndexFunc(p.Models, func(m *Model) bool { return m.Name() == name })
	if i < 0 {
		return nil, false
	}
	return p.Models[i], true
}

// Load reads the tree, finds what each model reads with DuckDB's own parser, and orders the models. A syntax error, an
// unknown table, a cycle or a missing header is an error that names the file and, where there is one, the line.
func Load(ctx context.Context, tree fs.FS) (*Project, error) {
	p := &Project{}
	var err error
	if p.macros, err = readMacros(tree); err != nil {
		return nil, err
	}
	var found []*Model
	for _, folder := range []string{string(Staging), string(Intermediate), string(Fitted), string(Marts)} {
		files, err := fs.Glob(tree, folder+"/*.sql")
		if err != nil {
			return nil, fmt.Errorf("listing models in %s: %w", folder, err)
		}
		for _, file := range files {
			text, err := fs.ReadFile(tree, file)
			if err != nil {
				return nil, fmt.Errorf("reading model %s: %w", file, err)
			}
			m := &Model{Layer: Layer(folder), File: file, Text: string(text), table: strings.TrimSuffix(path.Base(file), ".sql")}
			if err := m.readHeader(); err != nil {
				return nil, err
			}
			if err := m.readFitter(); err != nil {
				return nil, err
			}
			found = append(found, m)
		}
	}
	if err := loadDeclared(tree, found); err != nil {
		return nil, err
	}
	if p.Checks, err = loadChecks(tree); err != nil {
		return nil, err
	}
	if err := p.resolve(ctx, found); err != nil {
		return nil, err
	}
	ordered, err := order(found)
	if err != nil {
		return nil, err
	}
	p.Models = ordered
	return p, nil
}

// readHeader takes grain, key and description from the comment lines at the top.
func (m *Model) readHeader() error {
	fields, err := headerFields("model "+m.File, m.Text, "grain", "key", "description")
	if err != nil {
		return err
	}
	m.Grain, m.Description = fields["grain"], fields["description"]
	if fields["key"] != "none" {
		for column := range strings.SplitSeq(fields["key"], ",") {
			m.Key = append(m.Key, strings.TrimSpace(column))
		}
	}
	return nil
}

// headerFields takes the named fields from the comment lines at the top of a text; each must be there. A line that begins with more
// than one space continues the one before.
func headerFields(what, text string, names ...string) (map[string]string, error) {
	fields := map[string]string{}
	last := ""
	for line := range strings.Lines(text) {
		comment, isComment := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "--")
		if !isComment {
			break
		}
		name, value, isField := strings.Cut(comment, ":")
		name = strings.TrimPrefix(name, " ")
		switch {
		case isField && slices.Contains(names, name):
			last = name
			fields[name] = strings.TrimSpace(value)
		case last != "" && strings.HasPrefix(comment, "  "):
			fields[last] += " " + strings.TrimSpace(comment)
		}
	}
	for _, name := range names {
		if fields[name] == "" {
			return nil, fmt.Errorf("%s: the header has no `-- %s:` line: add it at the top of the file", what, name)
		}
	}
	return fields, nil
}

// order sorts the models so that each comes after what it reads; among those that could be next, by name, so that the
// order is the same every time.
func order(found []*Model) ([]*Model, error) {
	byName := map[string]*Model{}
	for _, m := range found {
		byName[m.Name()] = m
	}
	const (
		unseen = iota
		open
		done
	)
	state := map[string]int{}
	var ordered []*Model
	var trail []string
	var visit func(m *Model) error
	visit = func(m *Model) error {
		switch state[m.Name()] {
		case done:
			return nil
		case open:
			loop := slices.Concat(trail[slices.Index(trail, m.Name()):], []string{m.Name()})
			return fmt.Errorf("models read each other in a circle: %s: take one of these reads out", strings.Join(loop, " reads "))
		}
		state[m.Name()] = open
		trail = append(trail, m.Name())
		for _, name := range m.Reads {
			if next, isModel := byName[name]; isModel {
				if err := visit(next); err != nil {
					return err
				}
			}
		}
		trail = trail[:len(trail)-1]
		state[m.Name()] = done
		ordered = append(ordered, m)
		return nil
	}
	slices.SortFunc(found, func(a, b *Model) int { return strings.Compare(a.Name(), b.Name()) })
	for _, m := range found {
		if err := visit(m); err != nil {
			return nil, err
		}
	}
	return ordered, nil
}
