// Package unittest runs tests of models that are written in YAML: small clinics, and what the models must say about them.
// sql/tests/README.md says how one is written; no Go is needed for it.
package unittest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/civil"
	"github.com/goccy/go-yaml"

	"github.com/falloff-analytics/falloff/warehouse/models"
	"github.com/falloff-analytics/falloff/warehouse/models/given"
)

// file is one file of tests.
type file struct {
	AsOf   string       `yaml:"as_of"`
	Clinic given.Clinic `yaml:"clinic"`
	Tests  []test       `yaml:"tests"`
}

type test struct {
	Name        string            `yaml:"name"`
	Why         string            `yaml:"why"`
	AsOf        string            `yaml:"as_of"`
	HistoryFrom string            `yaml:"history_from"`
	Covered     map[string]string `yaml:"covered"`
	Clinic      *given.Clinic     `yaml:"clinic"`
	Given       map[string]string `yaml:"given"`
	Expect      map[string]string `yaml:"expect"`
}

// Options say what to run.
type Options struct {
	Project *models.Project
	// Tree holds the tests: every .yaml file in its folder `tests`.
	Tree fs.FS
	// Select limits the run to tests that expect something of these models; none is all of them.
	Select []string
	// Workers is how many tests run at once, one for each processor where it is zero.
	Workers int
}

// Result is how one test came out.
type Result struct {
	// File is its file's path in the tree, Name its name there, Why its author's reason.
	File string `json:"file"`
	Name string `json:"name"`
	Why  string `json:"why,omitempty"`
	// Problem says why it could not be run, empty where it was.
	Problem string `json:"problem,omitempty"`
	// Differences are the expectations that were not met.
	Differences []Difference `json:"differences,omitempty"`
	Passed      bool         `json:"passed"`

	place int // of the test in its file
}

const folder = "tests"

// Run runs the tests, and gives their results in the order of files and tests. An error means that the tests could not be read; a test
// that fails is a result.
func Run(ctx context.Context, o Options) ([]Result, error) {
	names, err := fs.Glob(o.Tree, folder+"/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("listing tests: %w", err)
	}
	var results []Result
	var runs []func(r *Result)
	for _, name := range names {
		suite, err := read(o.Tree, name)
		if err != nil {
			return nil, err
		}
		for i, one := range suite.Tests {
			if !one.isSelected(o.Select) {
				continue
			}
			results = append(results, Result{File: name, Name: one.Name, Why: one.Why, place: i})
			runs = append(runs, func(r *Result) { runOne(ctx, o.Project, suite, one, r) })
		}
	}
	each(o.Workers, len(runs), func(i int) { runs[i](&results[i]) })
	return results, ctx.Err()
}

// each does every piece of work, some at once, and returns when all are done.
func each(workers, pieces int, do func(i int)) {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	next := make(chan int)
	var group sync.WaitGroup
	for range min(workers, pieces) {
		group.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range pieces {
		next <- i
	}
	close(next)
	group.Wait()
}

func read(tree fs.FS, name string) (*file, error) {
	text, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, fmt.Errorf("reading tests %s: %w", name, err)
	}
	var suite file
	if err := yaml.UnmarshalWithOptions(text, &suite, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %s", name, yaml.FormatError(err, false, true))
	}
	seen := map[string]bool{}
	for i, one := range suite.Tests {
		if one.Name == "" || seen[one.Name] {
			return nil, fmt.Errorf("%s: test %d (%s) needs a name of its own", name, i+1, one.Name)
		}
		seen[one.Name] = true
	}
	return &suite, nil
}

// isSelected says that the test expects something of one of the models.
func (t test) isSelected(selected []string) bool {
	return len(selected) == 0 || slices.ContainsFunc(slices.Sorted(maps.Keys(t.Expect)), func(expected string) bool {
		model, _, _ := parts(expected)
		return slices.Contains(selected, model)
	})
}

// runOne runs a test, and writes down how it came out.
func runOne(ctx context.Context, project *models.Project, suite *file, one test, r *Result) {
	differences, err := one.run(ctx, project, suite)
	if err != nil {
		r.Problem = err.Error()
		return
	}
	r.Differences, r.Passed = differences, len(differences) == 0
}

func (t test) run(ctx context.Context, project *models.Project, suite *file) ([]Difference, error) {
	w, done, err := t.open(ctx, project, suite)
	if err != nil {
		return nil, err
	}
	defer done()
	var differences []Difference
	for _, name := range slices.Sorted(maps.Keys(t.Expect)) {
		d, err := compare(ctx, w, name, t.Expect[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if d != nil {
			differences = append(differences, *d)
		}
	}
	return differences, nil
}

// open runs the models that the test expects something of, and those that they need, over the given tables.
func (t test) open(ctx context.Context, project *models.Project, suite *file) (w *models.Workspace, done func(), err error) {
	if len(t.Expect) == 0 {
		return nil, nil, errors.New("the test expects nothing: name a model under `expect`")
	}
	dir, err := os.MkdirTemp("", "falloff-test-")
	if err != nil {
		return nil, nil, fmt.Errorf("making a folder for the given tables: %w", err)
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	in, err := t.inputs(suite, dir)
	if err != nil {
		return nil, nil, err
	}
	w, err = project.Run(ctx, in, t.models()...)
	if err != nil {
		return nil, nil, err
	}
	return w, func() {
		w.Close()
		os.RemoveAll(dir)
	}, nil
}

// models are those that the test expects something of.
func (t test) models() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(t.Expect)) {
		model, _, _ := parts(name)
		names = append(names, model)
	}
	return names
}

// inputs writes the given tables and says where they are, for the test's day.
func (t test) inputs(suite *file, dir string) (models.Inputs, error) {
	clinic := suite.Clinic
	if t.Clinic != nil {
		clinic = clinic.With(*t.Clinic)
	}
	in := models.Inputs{Threads: 1, ScratchDir: dir}
	var err error
	if in.Settings, err = clinic.Settings(); err != nil {
		return in, fmt.Errorf("clinic: %w", err)
	}
	if in.AsOf, err = given.Day(cmp.Or(t.AsOf, suite.AsOf, "2026-03-31")); err != nil {
		return in, fmt.Errorf("as_of: %w", err)
	}
	if t.HistoryFrom != "" {
		if in.HistoryFrom, err = given.Day(t.HistoryFrom); err != nil {
			return in, fmt.Errorf("history_from: %w", err)
		}
	}
	for dataset, first := range t.Covered {
		day, err := given.Day(first)
		if err != nil {
			return in, fmt.Errorf("covered %s: %w", dataset, err)
		}
		if in.Covered == nil {
			in.Covered = map[string]civil.Date{}
		}
		in.Covered[dataset] = day
	}
	zone, err := time.LoadLocation(in.Settings.TimeZone)
	if err != nil {
		return in, fmt.Errorf("time_zone: %w", err)
	}
	tables := maps.Clone(t.Given)
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		if !strings.HasPrefix(table, string(models.Fitted)+".") {
			continue
		}
		columns, cells, err := given.Table(tables[table])
		if err != nil {
			return in, fmt.Errorf("given %s: %w", table, err)
		}
		rows, err := models.FittedRows(table, columns, cells)
		if err != nil {
			return in, fmt.Errorf("given %s: %w", table, err)
		}
		in.Fitted = map[string][][]any{table: rows}
		delete(tables, table)
	}
	in.Tables, err = given.Files(dir, zone, in.AsOf, tables)
	return in, err
}

// title is the test as people call it.
func (r Result) title() string { return strings.TrimSuffix(path.Base(r.File), ".yaml") + "/" + r.Name }
