// Package models turns one clinic's datasets into marts: it finds the order of the SQL models, runs them in an in-memory
// DuckDB, checks what they made, and hands back each mart as the bytes of one Parquet file.
//
// It knows no lake: its inputs are local Parquet files, its outputs are bytes. The same inputs give the same bytes,
// whatever the order of rows and files, the number of threads, or the machine's clock and zone. Nothing spills to disk;
// marts pass through a private directory in memory (see Inputs.ScratchDir) on their way out.
//
// BUG(models): a build that is killed, rather than cancelled, leaves that directory (falloff-marts-…, for this user only)
// behind until the machine restarts or somebody removes it.
package models

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/sql"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/parquetkeys"
)

// Inputs is what a build starts from.
type Inputs struct {
	// Tables lists the Parquet files of each dataset (contract.Appointments, …). A dataset without files is empty.
	Tables map[string][]string
	// Contents names what is in the files of each dataset: equal names, equal rows. Only WhatMakes looks at it.
	Contents map[string][]string
	// Ready has the Parquet file of each mart that is as a build would make it, by name: it is read where another is made from it or a
	// check looks at it, and not made.
	Ready map[string]string
	// Keys are those that the files are encrypted under; nil where they are plain.
	Keys *parquetkeys.Keys
	// Settings is the clinic's clinic.yaml.
	Settings settings.Clinic
	// AsOf is the day D: the marts show what had happened by its end, local time.
	AsOf civil.Date
	// HistoryFrom is the first day the datasets cover. Where it is zero, the day of the earliest appointment counts.
	HistoryFrom civil.Date
	// Covered is the first day that the complete reports of a dataset cover, where that is known.
	Covered map[string]civil.Date
	// Threads is how many threads DuckDB uses, all processors where it is zero.
	Threads int
	// MemoryLimit is DuckDB's memory limit, such as `4GB`; its own default where it is empty. Past it the build fails.
	MemoryLimit string
	// Fitted has rows of fitted tables, by name (`fitted.outlook`), that are taken as they are instead of being fitted: see FittedRows.
	Fitted map[string][][]any
	// Closed are the figures of closed months, Restatements how they changed since, for the marts that show them.
	Closed       []ClosedFigure
	Restatements []Restatement
	// Only limits the result to these marts, and the work to what they need; nil is all of them. A check is left out where a mart
	// that it looks at is neither made nor ready.
	Only []string
	// Then, where there is one, is called last, when the marts keep their checks, with a connection that has each mart that is made or
	// ready as a table or view of its name. Its error ends the build.
	Then func(ctx context.Context, marts *stdsql.Conn) error
	// ScratchDir is where a private directory for finished marts is made. Empty means /dev/shm where there is one, else
	// the system's temporary directory.
	ScratchDir string
}

// Result is what a build made.
type Result struct {
	// Marts are in the order of their names.
	Marts []Mart
	// Warnings are the declared rules and the checks that were broken and only warn.
	Warnings []*Broken
	// Timings are in the order in which the models ran.
	Timings []Timing
}

// Mart is one published table.
type Mart struct {
	// Name is the file's name without folder and ending, such as `leak_ledger`.
	Name string
	// Grain, Key and Description are from the model's header.
	Grain       string
	Key         []string
	Description string
	Columns     []Column
	Rows        int64
	// Parquet is the whole file: zstd, sorted as the model says.
	Parquet []byte
}

// Column is one column of a mart, with its type as DuckDB calls it.
type Column struct {
	Name, Type string
}

// Timing says how long one model took. A model that is read once is a view, and its time is part of its reader's.
type Timing struct {
	Model    string
	Duration time.Duration
	IsView   bool
}

// Mart finds a mart by its name.
func (r *Result) Mart(name string) (Mart, bool) {
	for _, m := range r.Marts {
		if m.Name == name {
			return m, true
		}
	}
	return Mart{}, false
}

// Build runs the project's own models. An error names the model, the line and what to do, and means that there is no
// result: marts are all of one build or none. A check that the marts do not keep is a *Broken.
func Build(ctx context.Context, in Inputs) (*Result, error) {
	project, err := own()
	if err != nil {
		return nil, err
	}
	return project.Build(ctx, in)
}

// Needs says what a build of these marts alone reads where others could be ready: the lake's datasets, and which of the others.
func Needs(marts, others []string) (datasets, ready []string, err error) {
	project, err := own()
	if err != nil {
		return nil, nil, err
	}
	return project.Needs(marts, others)
}

// Needs says what a build of these marts alone reads where others could be ready: the lake's datasets, and which of the others.
func (p *Project) Needs(marts, others []string) (datasets, ready []string, err error) {
	there := map[string]string{}
	for _, name := range others {
		there[name] = ""
	}
	wanted, err := p.only(append([]string{}, marts...), there)
	if err != nil {
		return nil, nil, err
	}
	reads := map[string]bool{}
	for _, m := range wanted {
		for _, name := range m.Reads {
			reads[name] = true
		}
	}
	for _, name := range p.related(wanted) {
		reads[name] = true
	}
	for _, c := range p.concerned(wanted, Inputs{Ready: there}) {
		for _, name := range c.model.Reads {
			reads[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(reads)) {
		schema, table, _ := strings.Cut(name, ".")
		_, isReady := there[table]
		switch {
		case schema == "lake":
			datasets = append(datasets, table)
		case schema == string(Marts) && isReady:
			ready = append(ready, table)
		}
	}
	return datasets, ready, nil
}

// concerned are the checks that look at a mart which is made, and only at marts that are there.
func (p *Project) concerned(wanted []*Model, in Inputs) []*Check {
	made := map[string]bool{}
	for _, m := range wanted {
		made[m.Name()] = true
	}
	var out []*Check
	for _, c := range p.Checks {
		anew, complete := false, true
		for _, name := range c.model.Reads {
			mart, isMart := strings.CutPrefix(name, string(Marts)+".")
			_, isReady := in.Ready[mart]
			anew = anew || made[name]
			complete = complete && (!isMart || made[name] || isReady)
		}
		if anew && complete {
			out = append(out, c)
		}
	}
	return out
}

// own are the project's own models, which are part of the program and so are read once.
var own = sync.OnceValues(func() (*Project, error) { return Load(context.Background(), sql.Files()) })

// Own are the project's own models.
func Own() (*Project, error) { return own() }

// Datasets are those of the lake's datasets that the project's own models read, in order.
func Datasets() ([]string, error) {
	project, err := own()
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, m := range project.Models {
		for _, name := range m.Reads {
			if dataset, ok := strings.CutPrefix(name, "lake."); ok {
				found[dataset] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// Build runs the models of the project over the inputs.
func (p *Project) Build(ctx context.Context, in Inputs) (*Result, error) {
	wanted, err := p.only(in.Only, in.Ready)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, in)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := s.prepare(ctx, in); err != nil {
		return nil, err
	}
	s.isTested = true
	timings, err := s.run(ctx, p, wanted, false)
	if err != nil {
		return nil, err
	}
	result := &Result{Timings: timings}
	if err := s.testMarts(ctx, p, wanted, in); err != nil {
		return nil, err
	}
	broken, err := s.check(ctx, p.concerned(wanted, in))
	if err != nil {
		return nil, err
	}
	result.Warnings = append(s.warnings, broken...) //nolint:gocritic // the session ends here
	published := slices.DeleteFunc(slices.Clone(wanted), func(m *Model) bool {
		return m.Layer != Marts || in.Only != nil && !slices.Contains(in.Only, m.table)
	})
	if result.Marts, err = s.exportAll(ctx, published); err != nil {
		return nil, err
	}
	slices.SortFunc(result.Marts, func(a, b Mart) int { return strings.Compare(a.Name, b.Name) })
	if in.Then != nil {
		if err := s.exec(ctx, "use "+string(Marts)); err != nil {
			return nil, fmt.Errorf("handing on the marts: %w", err)
		}
		if err := in.Then(ctx, s.conn); err != nil {
			return nil, err
		}
	}
	return result, nil
}
