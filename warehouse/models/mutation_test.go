package models_test

import (
	"context"
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/falloff-analytics/falloff/sql"
	"github.com/falloff-analytics/falloff/warehouse/models"
	"github.com/falloff-analytics/falloff/warehouse/models/mutation"
	"github.com/falloff-analytics/falloff/warehouse/models/unittest"
)

// randomCase is a random clinic: its declared rules and keys, and for the figures of falloff a second implementation.
type randomCase struct {
	t              *testing.T
	seed           uint64
	patients, back int
	isHeld         bool
}

func (c randomCase) Title() string { return fmt.Sprintf("the random clinic %d", c.seed) }

func (randomCase) Weight(_ mutation.Mutant, v *models.Variation) float64 {
	if v.ReachesAny() {
		return 1
	}
	return 0
}

func (c randomCase) Open(context.Context) (mutation.Opened, error) {
	return openedRandom{c.Title(), models.OpenRandomCase(c.t, c.seed, c.patients, c.back, c.isHeld)}, nil
}

type openedRandom struct {
	title string
	*models.RandomCase
}

func (o openedRandom) Try(ctx context.Context, _ mutation.Mutant, v *models.Variation) (mutation.Finding, error) {
	rule, mart, made, err := o.RandomCase.Try(ctx, v)
	found := mutation.Finding{IsChanged: made.Any(), IsSeen: made.Any()}
	switch {
	case rule != "":
		found.Noticed, found.By = mutation.Rule, o.title+": "+rule
	case mart != "":
		found.Noticed, found.By = mutation.Second, o.title+": "+mart
	}
	return found, err
}

// macroCase are the tests of macros that are written in Go, each of one macro.
type macroCase struct{ t *testing.T }

func (macroCase) Title() string { return "tests of macros" }

// macroOf is the macro whose file a mutant is in, empty in a model's.
func macroOf(m mutation.Mutant) string {
	if name, isMacro := strings.CutPrefix(m.File, "macros/"); isMacro {
		return strings.TrimSuffix(name, ".sql")
	}
	return ""
}

func (macroCase) Weight(m mutation.Mutant, _ *models.Variation) float64 {
	if models.HasMacroTest(macroOf(m)) {
		return 1
	}
	return 0
}

func (c macroCase) Open(context.Context) (mutation.Opened, error) { return c, nil }

func (macroCase) Close() {}

func (c macroCase) Try(_ context.Context, m mutation.Mutant, _ *models.Variation) (mutation.Finding, error) {
	if name := macroOf(m); models.FailsMacroTest(c.t, m.Tree(sql.Files()), name) {
		return mutation.Finding{Noticed: mutation.Unit, By: "the test of the macro " + name, IsChanged: true, IsSeen: true}, nil
	}
	return mutation.Finding{}, nil
}

// sampled is how many of a thousand mutants the short suite tries. Which, their names decide, so that a change elsewhere in the models
// leaves the others in the sample.
const sampled = 2

func isSampled(m mutation.Mutant) bool {
	h := fnv.New32a()
	_, _ = h.Write([]byte("seed 1 " + m.ID))
	return h.Sum32()%1000 < sampled
}

// Lists of mutants: those that change nothing and are not counted, and those that change something and that no test notices yet.
const (
	equivalentFile = "testdata/equivalent_mutants.yaml"
	unnoticedFile  = "testdata/unnoticed_mutants.yaml"
)

var mutantsOf = flag.String("mutants-of", "", "with FALLOFF_LONG=1, make only mistakes whose names begin so (a regular expression), such as marts/leak_ledger")

// TestMistakesInTheModelsAreNoticed makes small mistakes in the models, one at a time, and wants each noticed by some test, those aside
// that are listed. The long suite makes all of them, wants 95 of 100 noticed of those that change something, and the lists to be right;
// the short one makes a sample of those that are not listed.
func TestMistakesInTheModelsAreNoticed(t *testing.T) {
	isLong := os.Getenv("FALLOFF_LONG") != ""
	project, err := models.Load(t.Context(), sql.Files())
	if err != nil {
		t.Fatal(err)
	}
	mutants, err := mutation.Mutants(sql.Files())
	if err != nil {
		t.Fatal(err)
	}
	equivalent, unnoticed := listed(t, equivalentFile, mutants), listed(t, unnoticedFile, mutants)
	if !isLong {
		mutants = slices.DeleteFunc(mutants, func(m mutation.Mutant) bool {
			return !isSampled(m) || equivalent[m.ID] != "" || unnoticed[m.ID] != ""
		})
	} else if *mutantsOf != "" {
		isAsked := regexp.MustCompile("^(?:" + *mutantsOf + ")")
		mutants = slices.DeleteFunc(mutants, func(m mutation.Mutant) bool { return !isAsked.MatchString(m.ID) })
	}
	outcomes := tryMutants(t, project, mutants)
	counted, stillborn := 0, 0
	kinds := map[mutation.Kind]int{}
	var survivors []mutation.Outcome
	for _, o := range outcomes {
		isEquivalent, isKnown := equivalent[o.ID] != "", unnoticed[o.ID] != ""
		switch {
		case o.Fate == mutation.Stillborn:
			stillborn++
		case (isEquivalent || isKnown) && o.Fate == mutation.Killed:
			t.Errorf("%s: %s notices it: take it out of the list", o.ID, o.By)
		case isEquivalent:
		case o.Fate == mutation.Killed:
			counted++
			kinds[o.Kind]++
		default:
			counted++
			survivors = append(survivors, o)
			if !isKnown {
				t.Errorf("nobody notices sql/%s (line %d, %s; %s): write what is expected into sql/tests", o.ID, o.Line, o.Operator, seen(o))
			}
		}
	}
	t.Logf("%d mistakes: %d are no SQL, %d change nothing, %d count; of these %d are noticed, by %v",
		len(mutants), stillborn, len(mutants)-stillborn-counted, counted, counted-len(survivors), kinds)
	if isLong && 20*len(survivors) > counted {
		t.Errorf("%d of %d mistakes go unnoticed, which is more than 5 of 100", len(survivors), counted)
	}
}

// tryMutants runs the mutants through all that may notice them, the cheapest and the likeliest first.
func tryMutants(t *testing.T, project *models.Project, mutants []mutation.Mutant) []mutation.Outcome {
	t.Helper()
	tests, err := unittest.Tests(sql.Tests())
	if err != nil {
		t.Fatal(err)
	}
	var clinics []mutation.Case
	for seed := range 2 {
		clinics = append(clinics, randomCase{t, 100 + uint64(seed), 120, seed * 37, true})
	}
	clinics = append(clinics, randomCase{t, 6, 150, 0, false})
	watch := func(next mutation.Case, alive int) {
		t.Logf("%d mistakes that nobody noticed yet go through %s", alive, next.Title())
	}
	outcomes, err := mutation.Trials{Longest: time.Minute, Watch: watch}.Run(t.Context(), project, mutants,
		[]mutation.Case{goldenCase{t}}, mutation.UnitTests(project, tests), []mutation.Case{macroCase{t}}, clinics)
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

// seen says what kept a mistake from being noticed.
func seen(o mutation.Outcome) string {
	switch {
	case o.Seen > 0:
		return "a table is another one that a test looks at, and no column or row that it expects"
	case o.Changed > 0:
		return "a table is another one that no test looks at"
	default:
		return "no table is another one in any clinic"
	}
}

// mutantList are mutants by their ID, with the reason why they are in a list.
type mutantList struct {
	Why     string   `yaml:"why"`
	Mutants []string `yaml:"mutants"`
}

// listed reads a list, and gives the reasons by ID. Each mutant must be one that is still made.
func listed(t *testing.T, file string, mutants []mutation.Mutant) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var lists []mutantList
	if err := yaml.UnmarshalWithOptions(text, &lists, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	made := map[string]bool{}
	for _, m := range mutants {
		made[m.ID] = true
	}
	found := map[string]string{}
	for _, list := range lists {
		for _, id := range list.Mutants {
			if !made[id] || list.Why == "" || found[id] != "" {
				t.Errorf("%s: %q is no mistake that is made, has no reason, or is there twice: take it out", file, id)
			}
			found[id] = list.Why
		}
	}
	return found
}
