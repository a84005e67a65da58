package models

import (
	"fmt"
	"slices"
	"strings"
)

// Select gives the project's own marts that some selectors stand for, in order; all of them where there is none. A selector is the name
// of a mart, or of any table with a `+` behind it, which stands for every mart that is made from it and, of a mart, for itself. A
// name without a schema is a mart's.
func Select(selectors []string) ([]string, error) {
	project, err := own()
	if err != nil {
		return nil, err
	}
	return project.Select(selectors)
}

// Select gives the marts that some selectors stand for, in order.
func (p *Project) Select(selectors []string) ([]string, error) {
	known, reads := map[string]bool{}, map[string][]string{}
	for _, name := range inputTables() {
		known[name] = true
	}
	for _, m := range p.Models {
		known[m.Name()], reads[m.Name()] = true, m.Reads
	}
	chosen := map[string]bool{}
	for _, selector := range selectors {
		name, andOn := strings.CutSuffix(strings.TrimSpace(selector), "+")
		if !strings.Contains(name, ".") {
			name = string(Marts) + "." + name
		}
		_, isMart := strings.CutPrefix(name, string(Marts)+".")
		switch {
		case !known[name]:
			return nil, fmt.Errorf("there is no table %s: %s", name, similar(name, known))
		case !isMart && !andOn:
			return nil, fmt.Errorf("%s is no mart: %s+ stands for the marts that are made from it", name, name)
		}
		for _, m := range p.Models {
			if m.Name() == name || andOn && madeFrom(m.Name(), name, reads, map[string]bool{}) {
				chosen[m.Name()] = true
			}
		}
	}
	var marts []string
	for _, m := range p.Models {
		if m.Layer == Marts && (len(selectors) == 0 || chosen[m.Name()]) {
			marts = append(marts, m.table)
		}
	}
	slices.Sort(marts)
	return marts, nil
}

// madeFrom says whether a table is made from another, through any others.
func madeFrom(table, from string, reads map[string][]string, seen map[string]bool) bool {
	if seen[table] {
		return false
	}
	seen[table] = true
	return slices.ContainsFunc(reads[table], func(read string) bool { return read == from || madeFrom(read, from, reads, seen) })
}
