package models

import (
	"context"
	"io/fs"
	"runtime"
	"slices"
	"testing"

	"github.com/falloff-analytics/falloff/sql"
)

// RandomCase is a random clinic on which mistakes in the models are tried: does a declared rule or key notice, or the second
// implementation? The tests of the package's users see it.
type RandomCase struct {
	t         *testing.T
	clinic    *randomClinic
	workspace *Workspace
	want      *falloffReference
}

// OpenRandomCase makes the clinic and runs all models over it. One with a reference is also held to the second implementation.
func OpenRandomCase(t *testing.T, seed uint64, patients, daysBack int, hasReference bool) *RandomCase {
	t.Helper()
	project, err := Load(t.Context(), sql.Files())
	if err != nil {
		t.Fatal(err)
	}
	c := &RandomCase{t: t, clinic: newRandomClinic(t, seed, patients)}
	c.clinic.asOf = c.clinic.asOf.AddDays(-daysBack)
	in := c.clinic.inputs(t, 1, nil)
	in.Threads = 1
	var names []string
	for _, m := range project.Models {
		names = append(names, m.Name())
	}
	if c.workspace, err = project.Run(t.Context(), in, names...); err != nil {
		t.Fatal(err)
	}
	if hasReference {
		c.want = newReference(c.clinic)
		c.want.openings(c.clinic)
		all := Remade{}
		for _, name := range names {
			all[name] = true
		}
		if mart, err := c.differing(t.Context(), c.workspace, all); err != nil || mart != "" {
			t.Fatalf("%s differs from the second implementation without any mistake: %v", mart, err)
		}
	}
	return c
}

// Close frees it.
func (c *RandomCase) Close() { c.workspace.Close() }

// Try says which rule a variation breaks, else which mart is not what the second implementation says; neither where nobody notices.
func (c *RandomCase) Try(ctx context.Context, v *Variation) (rule, mart string, made Remade, err error) {
	err = c.workspace.Try(ctx, v, func(varied *Workspace, remade Remade) error {
		made = remade
		for _, m := range varied.project.Models {
			if !made[m.Name()] {
				continue
			}
			_, err := varied.session.test(ctx, m, func(string) bool { return true })
			if broken, isBroken := IsBroken(err); isBroken {
				rule = broken.Said()
				return nil
			}
			if err != nil {
				return err
			}
		}
		if c.want != nil {
			mart, err = c.differing(ctx, varied, made)
		}
		return err
	})
	return rule, mart, made, err
}

// differing finds a changed mart that is not what the second implementation says.
func (c *RandomCase) differing(ctx context.Context, varied *Workspace, made Remade) (string, error) {
	for _, comparison := range []struct {
		marts   []string
		compare func(t testing.TB, result *Result, want *falloffReference)
	}{
		{[]string{"patient_status", "episode_status"}, compareStatuses},
		{[]string{"falloff_by_days"}, compareCurves},
		{[]string{"falloff_by_visit"}, compareByVisit},
		{[]string{"falloff_summary"}, compareSummary},
		{[]string{"falloff_watch"}, compareWatch},
		{[]string{"falloff_outcomes"}, c.with(compareOutcomes)},
		{[]string{"show_rates"}, c.with(compareShowRates)},
		{[]string{"missed_recovery"}, c.with(compareRecovery)},
		{[]string{"cohort_retention"}, c.with(compareRetention)},
	} {
		if !slices.ContainsFunc(comparison.marts, func(mart string) bool { return made[string(Marts)+"."+mart] }) {
			continue
		}
		result := &Result{}
		for _, name := range comparison.marts {
			m, _ := varied.project.Model(string(Marts) + "." + name)
			mart, err := varied.session.export(ctx, m)
			if err != nil {
				return "", err
			}
			result.Marts = append(result.Marts, mart)
		}
		if fails(c.t, func(t testing.TB) { comparison.compare(t, result, c.want) }) {
			return comparison.marts[0], nil
		}
	}
	return "", nil
}

func (c *RandomCase) with(compare func(testing.TB, *Result, *falloffReference, *randomClinic)) func(testing.TB, *Result, *falloffReference) {
	return func(t testing.TB, result *Result, want *falloffReference) { compare(t, result, want, c.clinic) }
}

// macroTests are the tests of single macros, by the macro's name.
func macroTests() map[string]func(t testing.TB, s *session) {
	return map[string]func(t testing.TB, s *session){
		"engagement_gaps": engagementGaps, "first_lapse": firstLapse, "last_visit": lastVisit,
		"kaplan_meier": severalCurves, "retention": severalRetentions, "aging": agedInvoices,
	}
}

// HasMacroTest says that a macro has a test of its own.
func HasMacroTest(name string) bool { return macroTests()[name] != nil }

// FailsMacroTest says that a macro's own test fails over a tree.
func FailsMacroTest(t *testing.T, tree fs.FS, name string) bool {
	t.Helper()
	return fails(t, func(t testing.TB) { macroTests()[name](t, openMacrosOf(t, tree)) })
}

// fails runs part of a test, and says whether it would have failed.
func fails(t testing.TB, part func(t testing.TB)) bool {
	s := &silent{TB: t}
	done := make(chan struct{})
	go func() { // since Fatal ends its goroutine
		defer close(done)
		part(s)
	}()
	<-done
	for _, do := range slices.Backward(s.cleanups) {
		do()
	}
	return s.failed
}

// silent is a test whose failures are counted only.
type silent struct {
	testing.TB

	failed   bool
	cleanups []func()
}

// Cleanup is done when the part is over, which is long before the test is.
func (s *silent) Cleanup(do func()) { s.cleanups = append(s.cleanups, do) }

func (s *silent) Error(...any)          { s.failed = true }
func (s *silent) Errorf(string, ...any) { s.failed = true }
func (s *silent) Fatal(...any)          { s.failed = true; runtime.Goexit() }
func (s *silent) Fatalf(string, ...any) { s.failed = true; runtime.Goexit() }
