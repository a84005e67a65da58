package unittest

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/falloff-analytics/falloff/warehouse/models"
)

// Test is one test of a tree, for those who want more of it than its result.
type Test struct {
	// File is its file's path in the tree, Name its name there.
	File, Name string

	suite *file
	one   test
}

// Tests reads the tests of a tree, in the order of files and tests.
func Tests(tree fs.FS) ([]Test, error) {
	names, err := fs.Glob(tree, folder+"/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("listing tests: %w", err)
	}
	var tests []Test
	for _, name := range names {
		suite, err := read(tree, name)
		if err != nil {
			return nil, err
		}
		for _, one := range suite.Tests {
			tests = append(tests, Test{File: name, Name: one.Name, suite: suite, one: one})
		}
	}
	return tests, nil
}

// Title is the test as people call it.
func (t Test) Title() string { return Result{File: t.File, Name: t.Name}.title() }

// Models are those that the test expects something of.
func (t Test) Models() []string { return t.one.models() }

// Rows counts the rows of its given tables.
func (t Test) Rows() int {
	rows := 0
	for _, table := range t.one.Given {
		rows += max(0, strings.Count(strings.TrimSpace(table), "\n"))
	}
	return rows
}

// Open runs the models that the test expects something of, and those that they need, over the given tables. The caller calls done.
func (t Test) Open(ctx context.Context, project *models.Project) (w *models.Workspace, done func(), err error) {
	return t.one.open(ctx, project, t.suite)
}

// Holds says whether a workspace says what the test expects of those models that concern picks; of a model, all its rows and its named
// queries are asked about one by one.
func (t Test) Holds(ctx context.Context, w *models.Workspace, concerns func(model string, isNamedQuery bool) bool) (bool, error) {
	for _, name := range slices.Sorted(maps.Keys(t.one.Expect)) {
		if model, query, _ := parts(name); !concerns(model, query != "") {
			continue
		}
		d, err := compare(ctx, w, name, t.one.Expect[name])
		if d != nil || err != nil {
			return false, err
		}
	}
	return true, nil
}
