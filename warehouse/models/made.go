package models

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"cloud.google.com/go/civil"
)

// Made says what a mart is made of. Equal hashes mean that making it again gives the same bytes.
type Made struct {
	// Hash is that of everything: the parts below, and nothing else.
	Hash string
	// Parts has a short hash of each thing that the mart is made from, by name: inputs (`lake.claims`, `settings.prices`,
	// `closed.figures`), and `models`, the statements on the way and the program that runs them. The day D is there as it is, under
	// `as_of`, and so is `history_from`. They tell what has changed; Hash decides.
	Parts map[string]string
}

// Parts of a mart that are no table.
const (
	PartAsOf        = "as_of"
	PartHistoryFrom = "history_from"
	PartModels      = "models"
)

// WhatMakes says of each of the project's own marts what a build over these inputs would make it of. It reads no file: the content of a
// dataset is what in.Contents says.
func WhatMakes(in Inputs) (map[string]Made, error) {
	project, err := own()
	if err != nil {
		return nil, err
	}
	return project.WhatMakes(in), nil
}

// WhatMakes says of each mart what a build over these inputs would make it of.
func (p *Project) WhatMakes(in Inputs) map[string]Made {
	inputs := in.hashes()
	// A mart is also made of the rules that it was held to: whoever changes a rule wants it asked again.
	rules := map[string][]*Model{}
	for _, c := range p.Checks {
		for _, name := range c.model.Reads {
			rules[name] = append(rules[name], c.model)
		}
	}
	made := map[string]Made{}
	for _, m := range p.Models {
		if m.Layer != Marts {
			continue
		}
		names, texts := map[string]bool{}, map[string]string{"program": Program()}
		p.closure(m, names, texts)
		for _, rule := range rules[m.Name()] {
			texts[rule.File] = rule.Text
			for _, name := range rule.Reads {
				if !strings.HasPrefix(name, string(Marts)+".") {
					names[name] = true
				}
			}
		}
		parts := map[string]string{PartModels: digest(texts)[:shortHash]}
		full := map[string]string{PartModels: digest(texts)}
		for name := range names {
			if hash, isInput := inputs[name]; isInput {
				parts[name], full[name] = hash[:shortHash], hash
			}
		}
		if names["settings.clinic"] {
			for name, day := range map[string]string{PartAsOf: in.AsOf.String(), PartHistoryFrom: in.HistoryFrom.String()} {
				parts[name], full[name] = day, day
			}
		}
		made[m.table] = Made{Hash: digest(full), Parts: parts}
	}
	return made
}

// shortHash is how many digits of a hash are kept where it only tells what changed.
const shortHash = 12

// closure notes all that a model is made from: the names of tables, and the texts of statements by file.
func (p *Project) closure(m *Model, names map[string]bool, texts map[string]string) {
	if _, seen := texts[m.File]; seen {
		return
	}
	texts[m.File] = m.Text
	if m.declared != nil { // a mart is tested where it is made
		texts[m.declared.file] = m.declared.text
	}
	if m.Version != "" {
		texts[m.File+" in Go"] = m.Version
	}
	for _, macro := range p.macros {
		// Macros call macros, and a name in a comment costs nothing but a build.
		if _, seen := texts[macro.file]; !seen && strings.Contains(m.Text, macro.name) {
			p.macroClosure(macro, texts)
		}
	}
	for _, name := range m.Reads {
		names[name] = true
		if read, isModel := p.Model(name); isModel {
			p.closure(read, names, texts)
		}
	}
}

func (p *Project) macroClosure(of macro, texts map[string]string) {
	texts[of.file] = of.text
	for _, other := range p.macros {
		if _, seen := texts[other.file]; !seen && strings.Contains(of.text, other.name) {
			p.macroClosure(other, texts)
		}
	}
}

// hashes gives the hash of each input table's content.
func (in Inputs) hashes() map[string]string {
	out := map[string]string{}
	for dataset := range datasetRows() {
		contents := slices.Sorted(slices.Values(in.Contents[dataset]))
		out["lake."+dataset] = digestOf(contents)
	}
	// The two dates are told apart from the rest of the clinic's settings.
	undated := in
	undated.AsOf, undated.HistoryFrom = civil.Date{}, civil.Date{}
	for _, t := range settingsTables(undated) {
		out["settings."+t.name] = t.hash()
	}
	for _, t := range closedTables(in) {
		out[closedSchema+"."+t.name] = t.hash()
	}
	return out
}

// hash is that of the columns and the rows, in their order.
func (t settingsTable) hash() string {
	rows := []string{fmt.Sprintf("%q", t.columns)}
	for _, row := range t.rows {
		rows = append(rows, fmt.Sprintf("%#v", row))
	}
	return digestOf(rows)
}

// Program names the program and the engine that run the models: another one may make other marts of the same.
var Program = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	name := []string{info.Main.Version}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" || s.Key == "vcs.modified" {
			name = append(name, s.Value)
		}
	}
	for _, module := range info.Deps {
		if strings.HasPrefix(module.Path, "github.com/duckdb/") {
			name = append(name, module.Path+"@"+module.Version)
		}
	}
	return strings.Join(name, " ")
})

func digest(texts map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		all = append(all, name, texts[name])
	}
	return digestOf(all)
}

func digestOf(texts []string) string {
	sum := sha256.New()
	for _, text := range texts {
		_, _ = fmt.Fprintf(sum, "%d\n%s", len(text), text)
	}
	return hex.EncodeToString(sum.Sum(nil))
}
