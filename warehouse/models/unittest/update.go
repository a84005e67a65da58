package unittest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/falloff-analytics/falloff/warehouse/models/given"
)

// Update rewrites a file of tests so that it expects what was found: the tables of the results' differences, columns aligned. Rows
// that stay keep their place and their comment, new ones come at the end; everything else in the file stays as it is.
func Update(text []byte, results []Result) ([]byte, error) {
	parsed, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, fmt.Errorf("reading the tests: %w", err)
	}
	lines := strings.Split(string(text), "\n")
	type edit struct {
		from, to int // lines, the last one not among them
		with     []string
	}
	var edits []edit
	for _, r := range results {
		for _, d := range r.Differences {
			key, value, err := expectation(parsed, r.place, d.Expected)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.title(), err)
			}
			at := key.GetToken().Position
			begin := at.Line - 1
			end := blockEnd(lines, begin, at.Column-1)
			old := ""
			if literal, isLiteral := value.(*ast.LiteralNode); isLiteral {
				old = literal.Value.Value
			}
			table, err := rewrite(old, d)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.title(), err)
			}
			head := lines[begin][:at.Column-1] + strings.TrimSpace(key.String()) + ":"
			if table == nil {
				edits = append(edits, edit{begin, end, []string{head + " none"}})
				continue
			}
			with := []string{head + " |"}
			for _, line := range table {
				with = append(with, strings.TrimRight(strings.Repeat(" ", at.Column+1)+line, " "))
			}
			edits = append(edits, edit{begin, end, with})
		}
	}
	// From the end of the file, so that the lines before keep their numbers.
	slices.SortFunc(edits, func(a, b edit) int { return b.from - a.from })
	for _, e := range edits {
		lines = slices.Replace(lines, e.from, e.to, e.with...)
	}
	return []byte(strings.Join(lines, "\n")), nil
}

// expectation finds an expected table in the file: the node of its name, and its own.
func expectation(parsed *ast.File, place int, name string) (ast.MapKeyNode, ast.Node, error) {
	if len(parsed.Docs) == 1 {
		if _, tests := member(parsed.Docs[0].Body, "tests"); tests != nil {
			if sequence, isSequence := tests.(*ast.SequenceNode); isSequence && place < len(sequence.Values) {
				_, expect := member(sequence.Values[place], "expect")
				if key, value := member(expect, name); key != nil {
					return key, value, nil
				}
			}
		}
	}
	return nil, nil, fmt.Errorf("the expectation of %s is not where it was: write it as a block", name)
}

// member finds a key of a mapping, and its value.
func member(node ast.Node, name string) (ast.MapKeyNode, ast.Node) {
	var values []*ast.MappingValueNode
	switch node := node.(type) {
	case *ast.MappingNode:
		values = node.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{node}
	}
	for _, value := range values {
		if value.Key.GetToken().Value == name {
			return value.Key, value.Value
		}
	}
	return nil, nil
}

// blockEnd is the line after the value of a key: what is indented more than the key belongs to it. Empty lines after it do not.
func blockEnd(lines []string, begin, indent int) int {
	end := begin + 1
	for i := begin + 1; i < len(lines); i++ {
		line := lines[i]
		if strings.TrimSpace(line) == "" {
			continue
		}
		if len(line)-len(strings.TrimLeft(line, " ")) <= indent {
			break
		}
		end = i + 1
	}
	return end
}

// rewrite gives the lines of the table that was found; nil where no row was.
func rewrite(old string, d Difference) ([]string, error) {
	left := slices.Concat(d.Same, d.Surplus)
	if len(left) == 0 {
		return nil, nil
	}
	for _, row := range left {
		for _, cell := range row {
			if strings.ContainsAny(cell, "|#\n") {
				return nil, fmt.Errorf("%s has the cell %q, which a table cannot hold: expect other columns", d.Expected, cell)
			}
		}
	}
	table := [][]string{d.Columns}
	comments := []string{""}
	before := map[int][]string{} // comments that have a line of their own, by the row they come before
	seenHeader := false
	for text := range strings.Lines(old) {
		cells, comment, hasComment := strings.Cut(strings.TrimSpace(text), "#")
		if hasComment {
			comment = "# " + strings.TrimSpace(comment)
		}
		switch {
		case strings.TrimSpace(cells) == "" && hasComment:
			at := len(table)
			if !seenHeader {
				at = 0
			}
			before[at] = append(before[at], comment)
		case strings.TrimSpace(cells) == "" || strings.TrimSpace(cells) == "none":
		case !seenHeader:
			seenHeader, comments[0] = true, comment
		default:
			_, rows, err := given.Table(strings.Join(d.Columns, "|") + "\n" + cells)
			if err != nil || len(rows) != 1 {
				return nil, fmt.Errorf("the row %q cannot be read again: %w", cells, err)
			}
			at := slices.IndexFunc(d.Same, func(row []string) bool { return slices.Equal(row, rows[0]) })
			if at >= 0 {
				table, comments = append(table, rows[0]), append(comments, comment)
			}
		}
	}
	for _, row := range d.Surplus {
		table, comments = append(table, row), append(comments, "")
	}
	aligned := align(table)
	width := 0
	for _, l := range aligned {
		width = max(width, len([]rune(l)))
	}
	var out []string
	for i, l := range aligned {
		out = append(out, before[i]...)
		if comments[i] != "" {
			l += strings.Repeat(" ", width-len([]rune(l))+2) + comments[i]
		}
		out = append(out, l)
	}
	return append(out, before[len(table)]...), nil
}
