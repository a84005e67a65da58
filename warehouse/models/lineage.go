package models

import (
	"fmt"
	"slices"
	"strings"
)

// Node is one table on the way from the lake to the marts: a model, or an input that models start from.
type Node struct {
	// Name has its schema, such as `marts.leak_ledger` or `lake.claims`.
	Name string `json:"name"`
	// Layer is staging, intermediate, fitted or marts; of an input lake, settings or closed.
	Layer string `json:"layer"`
	// File is the model's, below sql/; Grain and Description are from its header. Inputs have none.
	File        string `json:"file,omitempty"`
	Grain       string `json:"grain,omitempty"`
	Description string `json:"description,omitempty"`
	// Reads are the tables it is made from, ReadBy those that are made from it, both in order.
	Reads  []string `json:"reads"`
	ReadBy []string `json:"read_by"`
}

// Lineage gives the project's own models and what they start from. Each comes after all that it reads.
func Lineage() ([]Node, error) {
	project, err := own()
	if err != nil {
		return nil, err
	}
	return project.Lineage(), nil
}

// Lineage gives the models of the project and what they start from. Each comes after all that it reads.
func (p *Project) Lineage() []Node {
	readBy := map[string][]string{}
	for _, m := range p.Models {
		for _, name := range m.Reads {
			readBy[name] = append(readBy[name], m.Name())
		}
	}
	sorted := func(names []string) []string {
		out := slices.Sorted(slices.Values(names))
		if out == nil {
			return []string{}
		}
		return out
	}
	var inputs, models []Node
	for _, name := range inputTables() {
		if len(readBy[name]) > 0 {
			layer, _, _ := strings.Cut(name, ".")
			inputs = append(inputs, Node{Name: name, Layer: layer, Reads: []string{}, ReadBy: sorted(readBy[name])})
		}
	}
	for _, m := range p.Models {
		models = append(models, Node{
			Name: m.Name(), Layer: string(m.Layer), File: m.File, Grain: m.Grain, Description: m.Description,
			Reads: sorted(m.Reads), ReadBy: sorted(readBy[m.Name()]),
		})
	}
	slices.SortFunc(inputs, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
	return append(inputs, models...)
}

// Around cuts a lineage down to some tables and all that they are made from and that is made from them. A name without a schema
// is a mart's.
func Around(nodes []Node, names []string) ([]Node, error) {
	byName := map[string]Node{}
	known := map[string]bool{}
	for _, n := range nodes {
		byName[n.Name], known[n.Name] = n, true
	}
	keep := map[string]bool{}
	var follow func(name string, next func(Node) []string, seen map[string]bool)
	follow = func(name string, next func(Node) []string, seen map[string]bool) {
		if seen[name] {
			return
		}
		seen[name], keep[name] = true, true
		for _, other := range next(byName[name]) {
			follow(other, next, seen)
		}
	}
	for _, name := range names {
		if !strings.Contains(name, ".") {
			name = string(Marts) + "." + name
		}
		if !known[name] {
			return nil, fmt.Errorf("there is no table %s: %s", name, similar(name, known))
		}
		follow(name, func(n Node) []string { return n.Reads }, map[string]bool{})
		follow(name, func(n Node) []string { return n.ReadBy }, map[string]bool{})
	}
	var out []Node
	for _, n := range nodes {
		if keep[n.Name] {
			out = append(out, n)
		}
	}
	return out, nil
}

// Picture draws a lineage as a Mermaid flowchart, a box for each layer.
func Picture(nodes []Node) string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	drawn := map[string]bool{}
	for _, n := range nodes {
		drawn[n.Name] = true
	}
	for _, layer := range []string{"lake", "settings", closedSchema, string(Staging), string(Intermediate), string(Fitted), string(Marts)} {
		var lines []string
		for _, n := range nodes {
			if n.Layer == layer {
				_, table, _ := strings.Cut(n.Name, ".")
				lines = append(lines, fmt.Sprintf("    %s[%s]\n", boxName(n.Name), table))
			}
		}
		if len(lines) > 0 {
			fmt.Fprintf(&b, "  subgraph %s\n%s  end\n", layer, strings.Join(lines, ""))
		}
	}
	for _, n := range nodes {
		for _, from := range n.Reads {
			if drawn[from] {
				fmt.Fprintf(&b, "  %s --> %s\n", boxName(from), boxName(n.Name))
			}
		}
	}
	return b.String()
}

// boxName is a table's name as Mermaid takes names of boxes.
func boxName(name string) string { return strings.ReplaceAll(name, ".", "_") }
