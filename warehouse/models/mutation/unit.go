package mutation

import (
	"context"
	"fmt"
	"slices"

	"github.com/falloff-analytics/falloff/warehouse/models"
	"github.com/falloff-analytics/falloff/warehouse/models/unittest"
)

// UnitTests are the tests of a project that are written in YAML, each a case.
func UnitTests(project *models.Project, tests []unittest.Test) []Case {
	cases := make([]Case, len(tests))
	for i, test := range tests {
		cases[i] = unitTest{project: project, test: test}
	}
	return cases
}

type unitTest struct {
	project *models.Project
	test    unittest.Test
}

func (u unitTest) Title() string { return u.test.Title() }

// Weight is more for a test that looks at the model itself than for one that looks at what is made from it, and for one with more rows.
func (u unitTest) Weight(_ Mutant, v *models.Variation) float64 {
	weight := 0.0
	for _, model := range u.test.Models() {
		if steps, isReached := v.Reaches(model); isReached {
			weight = max(weight, 1/float64((1+steps)*(1+steps)))
		}
	}
	return weight * float64(1+min(u.test.Rows(), 20))
}

// Open makes the test's clinic. A test that fails as things are says nothing about mistakes.
func (u unitTest) Open(ctx context.Context) (Opened, error) {
	w, done, err := u.test.Open(ctx, u.project)
	if err != nil {
		return nil, err
	}
	holds, err := u.test.Holds(ctx, w, func(string, bool) bool { return true })
	if err == nil && !holds {
		err = fmt.Errorf("the test fails without any mistake: see `falloff test`")
	}
	if err != nil {
		done()
		return nil, err
	}
	return &openedUnit{test: u.test, workspace: w, done: done}, nil
}

type openedUnit struct {
	test      unittest.Test
	workspace *models.Workspace
	done      func()
}

func (o *openedUnit) Close() { o.done() }

func (o *openedUnit) Try(ctx context.Context, _ Mutant, v *models.Variation) (found Finding, err error) {
	err = o.workspace.Try(ctx, v, func(varied *models.Workspace, made models.Remade) error {
		isChanged := func(model string) bool { return made[model] }
		found.IsChanged = made.Any()
		found.IsSeen = slices.ContainsFunc(o.test.Models(), isChanged)
		holds, err := o.test.Holds(ctx, varied, func(model string, isNamedQuery bool) bool {
			_, isMade := made[model]
			return made[model] || isMade && isNamedQuery
		})
		if err == nil && !holds {
			found.Noticed, found.By = Unit, o.test.Title()
		}
		return err
	})
	return found, err
}
