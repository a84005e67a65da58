// Package mutation asks whether the tests of the models would notice a mistake: it makes small mistakes in the SQL, one at a time, and
// runs the tests until one fails. What no test notices is a place where the models could say something else tomorrow.
//
// A mistake is one that people make: a comparison that is off at its edge, a condition of a join that is missing, a day count that is
// off by one (see Mutants). It is caught by an expectation that somebody wrote down, never by comparing with what the models say
// without it; that comparison only tells which mistakes change nothing anywhere, and may be none.
package mutation

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Mutant is one mistake in one file.
type Mutant struct {
	// File is the model's or macro's path in the tree, Line where the mistake is.
	File string
	Line int
	// Operator says what kind of a mistake it is.
	Operator Operator
	// ID names it: the file and the line's text, with the mistake in braces. It stays when lines move.
	ID string
	// Text is the whole file with the mistake.
	Text string
}

// Tree is a tree in which the mutant's file says what the mutant says.
func (m Mutant) Tree(tree fs.FS) fs.FS { return overlaid{FS: tree, name: m.File, text: m.Text} }

// overlaid is a tree in which one file says something else. Globs and other files are the tree's.
type overlaid struct {
	fs.FS

	name, text string
}

// ReadFile gives what a file says; it is what fs.ReadFile asks.
func (o overlaid) ReadFile(name string) ([]byte, error) {
	if name == o.name {
		return []byte(o.text), nil
	}
	return fs.ReadFile(o.FS, name)
}

// Folders are those whose files are changed.
func Folders() []string { return []string{"staging", "intermediate", "fitted", "marts", "macros"} }

// Mutants lists every mistake in every model and macro of a tree, in the order of files and places.
func Mutants(tree fs.FS) ([]Mutant, error) {
	var all []Mutant
	for _, folder := range Folders() {
		files, err := fs.Glob(tree, folder+"/*.sql")
		if err != nil {
			return nil, fmt.Errorf("listing %s: %w", folder, err)
		}
		for _, file := range files {
			statement, err := fs.ReadFile(tree, file)
			if err != nil {
				return nil, fmt.Errorf("reading %s: %w", file, err)
			}
			all = append(all, MutantsOf(file, string(statement))...)
		}
	}
	return all, nil
}

// MutantsOf lists every mistake in one file, in the order of places.
func MutantsOf(file, statement string) []Mutant {
	edits := editsOf(statement)
	slices.SortStableFunc(edits, func(a, b edit) int { return a.from - b.from })
	var mutants []Mutant
	seen := map[string]int{}
	for _, e := range edits {
		m := Mutant{
			File: file, Line: 1 + strings.Count(statement[:e.from], "\n"), Operator: e.operator,
			Text: statement[:e.from] + e.with + statement[e.to:],
			ID:   file + ": " + e.in(statement),
		}
		isMadeBefore := slices.ContainsFunc(mutants, func(other Mutant) bool { return other.Text == m.Text })
		if isMadeBefore || m.Text == statement {
			continue // such as `on true` without its condition
		}
		seen[m.ID]++
		if n := seen[m.ID]; n > 1 {
			m.ID += fmt.Sprintf(" (%d)", n)
		}
		mutants = append(mutants, m)
	}
	return mutants
}

// in shows the edit in its line, `a {< → <=} b`; of what goes over lines, the first.
func (e edit) in(statement string) string {
	begin := strings.LastIndexByte(statement[:e.from], '\n') + 1
	end := len(statement)
	if n := strings.IndexByte(statement[e.to:], '\n'); n >= 0 {
		end = e.to + n
	}
	shown := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	return strings.TrimSpace(strings.TrimLeft(statement[begin:e.from], " \t") +
		"{" + strings.TrimSpace(shown(statement[e.from:e.to])+" → "+shown(e.with)) + "}" + strings.TrimRight(statement[e.to:end], " \t"))
}
