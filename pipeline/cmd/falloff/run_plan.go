package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/falloff-analytics/falloff/pipeline"
)

// planned is what run --dry-run --json prints.
type planned struct {
	pipeline.Plan
	Requests int               `json:"requests_about"`
	Estimate pipeline.Estimate `json:"estimate"`
	// Basis says what the estimate rests on.
	Basis string `json:"basis"`
	// Unfinished is the run that would be gone on with, nil for none.
	Unfinished *pipeline.Unfinished `json:"unfinished,omitempty"`
}

// planOf is what a run would export.
func (a *app) planOf(ctx context.Context, site *pipeline.Site, options pipeline.PlanOptions) (pipeline.Plan, error) {
	profile, _, err := a.profileFor(firstOf(a.flags.Clinic, a.file.Clinic), a.profilePath)
	if err != nil {
		return pipeline.Plan{}, err
	}
	return site.Plan(ctx, profile.Kinds(), options)
}

// printPlan prints what a run would export, and what that asks of the portal.
func (a *app) printPlan(ctx context.Context, site *pipeline.Site, options pipeline.PlanOptions, unfinished *pipeline.Unfinished, budget int) error {
	plan, err := a.planOf(ctx, site, options)
	if err != nil {
		return err
	}
	e := plan.Estimate(budget)
	if a.json {
		return json.NewEncoder(a.stdout).Encode(planned{plan, e.Requests, e, e.Basis(), unfinished})
	}
	if _, err = fmt.Fprintf(a.stdout, "%s\n", plan); err != nil {
		return err
	}
	var rows [][]any
	for _, r := range e.Reports {
		rows = append(rows, []any{r.Report, r.Exports, r.From.String(), r.To.String(), r.Requests})
	}
	if err := printTable(a.stdout, []string{"report", "exports", "from", "to", "requests"}, rows); err != nil {
		return err
	}
	if _, err = fmt.Fprintf(a.stdout, "\n%s, up to %s\n%s\n", e, plan.Day, e.Basis()); err != nil {
		return err
	}
	if unfinished != nil {
		_, err = fmt.Fprintln(a.stdout, goingOn(unfinished))
	}
	return err
}

// tellEstimate says, before a run that reads history begins, what that will ask of the portal.
func (a *app) tellEstimate(ctx context.Context, site *pipeline.Site, options pipeline.PlanOptions, budget int) error {
	if !options.From.IsValid() || a.quiet {
		return nil
	}
	plan, err := a.planOf(ctx, site, options)
	if err != nil {
		return err
	}
	e := plan.Estimate(budget)
	a.tellf("Reading history from %s to %s: %s.", options.From, plan.Day, e)
	if e.Days > 1 {
		a.tellf("When the requests of a day are spent the run ends with code 5, and the next falloff run goes on with what was read.")
	}
	return nil
}

// goingOn says that history is being read, and how far it has come.
func goingOn(u *pipeline.Unfinished) string {
	return fmt.Sprintf("Going on with the history from %s to %s: %d of %d reports are read. The days since then are read by the next run.", u.From, u.Day, u.Done, u.Orders)
}
