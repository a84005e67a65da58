package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"cloud.google.com/go/civil"
	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/transforms/contract"
)

func (a *app) reconcileCommand() *cobra.Command {
	var from, to string
	var fresh bool
	cmd := &cobra.Command{
		Use:   "reconcile --lake DIR --clinic NAME --from DATE --to DATE [--fresh]",
		Short: "hold what we did in the portal against the portal's own log",
		Args:  cobra.NoArgs,
		Long: `Matches the access ledger, which lists everything that falloff did in the portal, line by line with the portal's own activity
log about our account over the same days: matched, only ours, only theirs. The two clocks may differ; by how much is estimated.
A line only in the portal's log was not made by us: somebody else uses the account, and the exit code is 4. Lines of ours that
cannot be in its log yet, because they were made after it was taken, or that no answer came to, are counted as open.

What has landed of the activity log is used; --fresh reads it anew first, which signs in.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			window, err := givenWindow(from, to)
			if err != nil {
				return err
			}
			k, err := a.kept(ctx)
			if err != nil {
				return err
			}
			site, err := pipeline.OpenExistingSite(ctx, k.options)
			if err != nil {
				return err
			}
			if window, err = a.usualWindow(ctx, window, site, nil); err != nil {
				return err
			}
			if !window.From.IsValid() {
				window.From = window.To.AddDays(-6)
			}
			if err := a.tellOfTomorrow(ctx, site, window.To); err != nil {
				return err
			}
			if fresh {
				plan := pipeline.PlanOptions{Day: window.To, From: window.From}
				if err := a.freshLog(ctx, k, site, plan); err != nil {
					return err
				}
			}
			found, err := site.Reconcile(ctx, window)
			if err != nil {
				return err
			}
			if err := k.record(ctx, audit.Reconciled, "access", nil, audit.Fields{
				"from": window.From.String(), "to": window.To.String(), "matched": found.Matched, "only_ours": len(found.OnlyOurs), "only_theirs": len(found.OnlyTheirs),
			}); err != nil {
				return err
			}
			if a.json {
				if err := json.NewEncoder(a.stdout).Encode(found); err != nil {
					return err
				}
			} else if err := a.printReconciled(found); err != nil {
				return err
			}
			return found.Alarm()
		},
	}
	a.lakeFlags(cmd)
	cmd.Flags().StringVar(&from, "from", "", "first `date` (default: a week up to --to)")
	cmd.Flags().StringVar(&to, "to", "", "last `date` (default: the clinic's yesterday)")
	cmd.Flags().BoolVar(&fresh, "fresh", false, "read the portal's activity log first")
	return cmd
}

// tellOfTomorrow says so where a day has not begun at the clinic, whose clock may be hours behind this machine's: nothing can
// be in the portal's log of it.
func (a *app) tellOfTomorrow(ctx context.Context, site *pipeline.Site, last civil.Date) error {
	clinic, err := site.Settings(ctx)
	if err != nil {
		return err
	}
	zone, err := clinic.Zone()
	if err != nil {
		return err
	}
	if today := civil.DateOf(a.now().In(zone)); last.After(today) {
		a.tellf("Days are the clinic's (%s), where it is %s: %s has not begun there, and nothing of it can be in the portal's log.", zone, today, last)
	}
	return nil
}

// freshLog has the portal's activity log read, and nothing else.
func (a *app) freshLog(ctx context.Context, k *keeping, site *pipeline.Site, plan pipeline.PlanOptions) error {
	profile, _, err := a.profileFor(k.options.Clinic, a.profilePath)
	if err != nil {
		return err
	}
	for _, kind := range profile.Kinds() {
		if kind.Dataset == contract.PortalActivity {
			plan.Only = append(plan.Only, kind.Name)
		}
	}
	if len(plan.Only) == 0 {
		return usagef("the portal profile has no activity log")
	}
	manners, err := a.file.Politeness.parse()
	if err != nil {
		return err
	}
	progress, stop := a.progress()
	defer stop()
	_, err = a.extract(ctx, journey{kept: k, site: site, plan: plan, format: "csv", manners: manners}, progress)
	return err
}

func (a *app) printReconciled(r *pipeline.Reconciled) error {
	var rows [][]any
	add := func(whose string, things []pipeline.AccessedThing) {
		for _, t := range things {
			over := "-"
			if t.Window != nil {
				over = t.Window.String()
			}
			rows = append(rows, []any{whose, t.At.UTC().Format("2006-01-02 15:04:05"), t.Action, t.Subject, over})
		}
	}
	add("only theirs", r.OnlyTheirs)
	add("only ours", r.OnlyOurs)
	add("ours, unfinished (the run was killed)", r.Unfinished)
	if len(rows) > 0 {
		if err := printTable(a.stdout, []string{"line", "time (UTC)", "action", "subject", "range"}, rows); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(a.stdout, "%s to %s: %d matched, %d only ours, %d only theirs, %d open, %d of runs that were killed. The portal's clock is %s ahead of ours.\n",
		r.From, r.To, r.Matched, len(r.OnlyOurs), len(r.OnlyTheirs), r.Open, len(r.Unfinished), r.ClockDifference.Round(time.Second))
	return err
}
