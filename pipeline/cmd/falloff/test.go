package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/sql"
	"github.com/falloff-analytics/falloff/warehouse/models"
	"github.com/falloff-analytics/falloff/warehouse/models/unittest"
)

// failedTests is the error of tests that ran and did not pass.
type failedTests struct{ text string }

func (e failedTests) Error() string { return e.text }

// testOptions are the flags of falloff test.
type testOptions struct {
	selected []string
	dir      string
	update   bool
}

func (a *app) testCommand() *cobra.Command {
	var o testOptions
	cmd := &cobra.Command{
		Use:   "test [--select MODEL]... [--dir DIR [--update]] [--lake DIR --clinic NAME]",
		Short: "test the models, or the marts of a lake",
		Example: `  falloff test --select leak_ledger
  falloff test --dir sql --update
  falloff test --lake lake --clinic harbour-street`,
		Args: cobra.NoArgs,
		Long: `Runs the models' tests: small clinics written in YAML, and what the models must say about them. --select takes those that
expect something of a model (a name without a schema is a mart's), --dir the models and tests of a folder (one with tests alone
tests the program's own models), --update rewrites in that folder what was expected to what was found. sql/tests/README.md says
how a test is written. With --lake it holds the marts of the newest build to the rules that are declared beside each model, and
to the checks. The exit code is 7 where something failed.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tree, project, err := o.project(cmd.Context())
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("lake") {
				if o.update || len(o.selected) > 0 {
					return usagef("--lake tests all marts that are there, and rewrites nothing: leave --select and --update out")
				}
				return a.testLake(cmd.Context(), project)
			}
			return a.testModels(cmd.Context(), o, tree, project)
		},
	}
	cmd.Flags().StringArrayVar(&o.selected, "select", nil, "only tests that expect something of this `model`")
	cmd.Flags().StringVar(&o.dir, "dir", "", "`folder` of models and tests, such as a copy of sql (default: the program's own)")
	cmd.Flags().BoolVar(&o.update, "update", false, "rewrite the tests in --dir to expect what was found")
	a.lakeFlags(cmd)
	return cmd
}

// project gives the tests' tree and the models that are tested.
func (o testOptions) project(ctx context.Context) (fs.FS, *models.Project, error) {
	if o.dir == "" {
		if o.update {
			return nil, nil, usagef("--update needs --dir: the program's own tests are part of it")
		}
		project, err := models.Own()
		return sql.Tests(), project, err
	}
	if folder, err := os.Stat(o.dir); err != nil || !folder.IsDir() {
		return nil, nil, usagef("--dir %s is no folder: name one with tests/*.yaml, and models if they are your own", o.dir)
	}
	tree := os.DirFS(o.dir)
	for _, layer := range []models.Layer{models.Staging, models.Intermediate, models.Marts} {
		if found, err := fs.Glob(tree, string(layer)+"/*.sql"); err == nil && len(found) > 0 {
			project, err := models.Load(ctx, tree)
			if err != nil {
				return nil, nil, failedTests{err.Error()}
			}
			return tree, project, nil
		}
	}
	project, err := models.Own()
	return tree, project, err
}

// testModels runs the tests in YAML.
func (a *app) testModels(ctx context.Context, o testOptions, tree fs.FS, project *models.Project) error {
	for i, name := range o.selected {
		if !strings.Contains(name, ".") {
			o.selected[i] = string(models.Marts) + "." + name
		}
	}
	if _, err := project.Needed(o.selected...); err != nil {
		return usagef("--select: %v", err)
	}
	started := a.now()
	results, err := unittest.Run(ctx, unittest.Options{Project: project, Tree: tree, Select: o.selected})
	if err != nil {
		return failedTests{err.Error()}
	}
	if len(results) == 0 {
		return usagef("there is no test to run: %s", "tests are *.yaml files in the folder tests of --dir, and --select takes those that name the model")
	}
	if o.update {
		if results, err = a.updateTests(o.dir, results); err != nil {
			return err
		}
	}
	failed := 0
	for _, r := range results {
		if !r.Passed {
			failed++
		}
		if !r.Passed && !a.json {
			if err := r.Print(a.stdout); err != nil {
				return err
			}
		}
	}
	if a.json {
		err = json.NewEncoder(a.stdout).Encode(struct {
			Tests  []unittest.Result `json:"tests"`
			Passed int               `json:"passed"`
			Failed int               `json:"failed"`
		}{results, len(results) - failed, failed})
	} else if !a.quiet {
		_, err = fmt.Fprintf(a.stdout, "%d tests passed, %d failed (%.1fs)\n", len(results)-failed, failed, a.now().Sub(started).Seconds())
	}
	if err == nil && failed > 0 {
		err = failedTests{fmt.Sprintf("%d of %d tests of the models failed", failed, len(results))}
	}
	return err
}

// updateTests rewrites the files whose tests differ, and counts those as passed.
func (a *app) updateTests(dir string, results []unittest.Result) ([]unittest.Result, error) {
	byFile := map[string][]unittest.Result{}
	for _, r := range results {
		if len(r.Differences) > 0 {
			byFile[r.File] = append(byFile[r.File], r)
		}
	}
	for _, name := range sortedNames(byFile) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, usagef("--update: %v", err)
		}
		updated, err := unittest.Update(text, byFile[name])
		if err != nil {
			return nil, failedTests{fmt.Sprintf("--update: %s: %v", name, err)}
		}
		if err := os.WriteFile(path, updated, 0o644); err != nil { //nolint:gosec // a person's own file, as it was
			return nil, usagef("--update: %v. Name a folder that can be written to", err)
		}
		a.tellf("rewrote %s: %d tests now expect what was found", path, len(byFile[name]))
	}
	for i := range results {
		if len(results[i].Differences) > 0 {
			results[i].Differences, results[i].Passed = nil, true
		}
	}
	return results, nil
}

func sortedNames[V any](m map[string]V) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// testLake holds the newest marts to their rules.
func (a *app) testLake(ctx context.Context, project *models.Project) error {
	site, err := a.existingSite(ctx)
	if err != nil {
		return err
	}
	tested, err := site.TestMarts(ctx, project)
	if err != nil {
		return err
	}
	blocking := 0
	for _, b := range tested.Broken {
		if b.Severity == models.Block {
			blocking++
		}
	}
	if a.json {
		err = json.NewEncoder(a.stdout).Encode(tested)
	} else {
		for _, b := range tested.Broken {
			_, _ = fmt.Fprintf(a.stdout, "%s: %s\n", b.Severity, b.Said())
		}
		_, err = fmt.Fprintf(a.stdout, "%d marts as of %s, commit %d: %d rules broken that block, %d that warn\n",
			tested.Marts, tested.AsOf, tested.Commit, blocking, len(tested.Broken)-blocking)
	}
	if err == nil && blocking > 0 {
		err = failedTests{fmt.Sprintf("the marts of commit %d break %d rules", tested.Commit, blocking)}
	}
	return err
}
