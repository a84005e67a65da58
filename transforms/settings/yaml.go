package settings

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/falloff-analytics/falloff/transforms/spelling"
)

// Error says what is wrong with a clinic.yaml.
type Error struct {
	File string
	// Line is 1 for the first line, 0 where the file as a whole is meant.
	Line int
	// Problem is what is wrong.
	Problem string
	// Hint is what to do.
	Hint string
}

// Error gives file, line, problem and hint in one line.
func (e *Error) Error() string {
	text := e.File
	if e.Line > 0 {
		text += fmt.Sprintf(", line %d", e.Line)
	}
	text += ": " + e.Problem
	if e.Hint != "" {
		text += ". " + e.Hint
	}
	return text
}

// Bounds of a file that a person typed.
const (
	maxBytes  = 1 << 20
	maxDepth  = 20
	maxScalar = 500
)

// document is a clinic.yaml being read.
type document struct {
	file string
}

// parse gives the root of the one document in body.
func (d document) parse(body []byte) (root ast.Node, err error) {
	switch {
	case len(body) > maxBytes:
		return nil, &Error{File: d.file, Problem: fmt.Sprintf("the file is larger than %d KB", maxBytes>>10), Hint: "This is not a clinic.yaml"}
	case bytes.IndexByte(body, 0) >= 0:
		return nil, &Error{File: d.file, Problem: "the file is not text", Hint: "Save it as UTF-8"}
	case nesting(body) > maxDepth: // the parser recurses, and a stack overflow cannot be caught
		return nil, &Error{File: d.file, Problem: "its brackets or indents are nested too deep", Hint: "This is not a clinic.yaml"}
	}
	defer func() {
		if recover() != nil { // the parser is young; a file that it trips over is a bad file
			root, err = nil, &Error{File: d.file, Problem: "it is not YAML that can be read", Hint: "Compare it with the sample in docs/import.md"}
		}
	}()
	tree, err := parser.ParseBytes(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), 0)
	if err != nil {
		problem := &Error{File: d.file, Problem: "it is not YAML", Hint: "Check the indents, quotes and brackets there"}
		if syntax, ok := errors.AsType[yaml.Error](err); ok {
			problem.Line = syntax.GetToken().Position.Line
			problem.Problem += ": " + strings.ReplaceAll(syntax.GetMessage(), "\n", " ")
		}
		return nil, problem
	}
	var roots []ast.Node
	for _, doc := range tree.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.NullType {
			roots = append(roots, doc.Body)
		}
	}
	if len(roots) != 1 {
		return nil, &Error{File: d.file, Problem: fmt.Sprintf("it holds %d documents", len(roots)), Hint: "Write one; docs/import.md has a sample"}
	}
	return roots[0], nil
}

// nesting bounds from above how deep the parser would have to go.
func nesting(body []byte) int {
	open, deepest := 0, 0
	for line := range bytes.Lines(body) {
		indent := len(line) - len(bytes.TrimLeft(line, " -?\t"))
		deepest = max(deepest, indent/2)
		for _, c := range line {
			switch c {
			case '[', '{':
				open++
				deepest = max(deepest, open)
			case ']', '}':
				open = max(0, open-1)
			}
		}
	}
	return deepest
}

// wrong is an error at a node.
func (d document) wrong(n ast.Node, hint, problem string, args ...any) error {
	return &Error{File: d.file, Line: lineOf(n), Problem: fmt.Sprintf(problem, args...), Hint: hint}
}

func lineOf(n ast.Node) int {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		n = m.Values[0].Key
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

// key is one key that a mapping may have.
type key struct {
	name     string
	required bool
	read     func(ast.Node) error
}

// mapping reads the keys of a mapping; what names it in errors.
func (d document) mapping(n ast.Node, what string, keys ...key) error {
	var entries []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		entries = m.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{m}
	default:
		return d.wrong(n, "docs/import.md has a sample", "%s is not written as `key: value` pairs", what)
	}
	var names, seen []string
	for _, k := range keys {
		names = append(names, k.name)
	}
	for _, entry := range entries {
		name := entry.Key.GetToken().Value
		at := slices.Index(names, name)
		if at < 0 {
			return d.wrong(entry.Key, suggest(name, names), "%s has no key `%.40s`", what, name)
		}
		if slices.Contains(seen, name) {
			return d.wrong(entry.Key, "Delete one of the two", "%s has the key `%s` twice", what, name)
		}
		seen = append(seen, name)
		if err := keys[at].read(entry.Value); err != nil {
			return err
		}
	}
	for _, k := range keys {
		if k.required && !slices.Contains(seen, k.name) {
			return d.wrong(n, "Add it; docs/import.md has a sample", "%s lacks the key `%s`", what, k.name)
		}
	}
	return nil
}

// list reads every entry of a sequence; an empty value is an empty list.
func (d document) list(what string, each func(ast.Node) error) func(ast.Node) error {
	return func(n ast.Node) error {
		if n.Type() == ast.NullType {
			return nil
		}
		sequence, ok := n.(*ast.SequenceNode)
		if !ok {
			return d.wrong(n, "Start every entry with a dash", "%s is not a list", what)
		}
		for _, entry := range sequence.Values {
			if err := each(entry); err != nil {
				return err
			}
		}
		return nil
	}
}

// scalar is the text of a plain value.
func (d document) scalar(n ast.Node, what string) (string, error) {
	switch n.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		if value := n.GetToken().Value; len(value) <= maxScalar {
			return value, nil
		}
		return "", d.wrong(n, "Write a short value", "%s is longer than %d bytes", what, maxScalar)
	}
	return "", d.wrong(n, "Write a plain value behind the colon", "%s has no plain value", what)
}

// suggest names the key that was probably meant, or all of them.
func suggest(name string, known []string) string {
	if best := spelling.Nearest(name, known); best != "" {
		return fmt.Sprintf("Did you mean `%s`?", best)
	}
	return "The keys are " + strings.Join(known, ", ")
}
