package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
)

func (a *app) retainCommand() *cobra.Command {
	var apply bool
	var confirm string
	cmd := &cobra.Command{
		Use:   "retain --lake DIR --clinic NAME [--apply --confirm NAME]",
		Short: "list what is past its retention period, and remove it when told to",
		Example: `  falloff retain --lake lake --clinic harbour-street
  falloff retain --lake lake --clinic harbour-street --apply --confirm harbour-street`,
		Args: cobra.NoArgs,
		Long: `Lists the months that are past the periods of clinic.yaml (retention: {appointments: 7y}), by dataset, with their rows and their money.
Periods count back from the newest day that the reports show, and months go whole. Nothing is removed by itself, ever: neither by
a run, nor by pausing, nor by the end of a subscription.

With --apply and the clinic's name in --confirm exactly these months are removed in one commit. Later runs and imports leave out
what is older (falloff status counts it as quarantined, reason "retired"), until clinic.yaml keeps it for longer. Closed months keep
their published figures. Snapshots before that commit still hold the rows, and falloff lake gc lets them go; backups do too, and
falloff backup prune --retired lets those go.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if confirm != "" && !apply {
				return usagef("--confirm goes with --apply: without it nothing is removed")
			}
			return a.retain(cmd.Context(), apply, confirm)
		},
	}
	a.lakeFlags(cmd)
	cmd.Flags().BoolVar(&apply, "apply", false, "remove what is listed")
	cmd.Flags().StringVar(&confirm, "confirm", "", "the clinic's `name` once more: it is meant")
	return cmd
}

func (a *app) retain(ctx context.Context, apply bool, confirm string) error {
	if !apply {
		site, err := a.existingSite(ctx)
		if err != nil {
			return err
		}
		listed, err := site.Retirable(ctx)
		if err != nil {
			return err
		}
		return a.printRetirement(listed)
	}
	options, err := a.siteOptions()
	if err != nil {
		return err
	}
	if confirm != options.Clinic {
		return usagef("what is removed cannot be brought back: run falloff retain without --apply to see it, then give --confirm %s", options.Clinic)
	}
	k, err := a.keep(ctx, options)
	if err != nil {
		return err
	}
	site, err := pipeline.OpenExistingSite(ctx, k.options)
	if err != nil {
		return err
	}
	listed, err := site.Retirable(ctx)
	if err != nil {
		return err
	}
	if len(listed.Months) == 0 {
		return a.printRetirement(listed)
	}
	oldest := slices.MinFunc(listed.Datasets, func(x, y pipeline.RetainedDataset) int { return x.KeptFrom.Compare(y.KeptFrom) })
	if err := k.record(ctx, audit.MonthsRetired, "retention", nil, audit.Fields{
		"before": oldest.KeptFrom.String(), "months": len(listed.Months), "rows": listed.Rows,
	}); err != nil {
		return err
	}
	done, err := site.Retire(ctx, listed)
	if errors.Is(err, pipeline.ErrOtherMonths) {
		return &pipeline.RefusedError{Err: err}
	}
	if err != nil {
		return err
	}
	return a.printRetirement(done)
}

func (a *app) printRetirement(r *pipeline.Retirement) error {
	if a.json {
		return a.printValue(r)
	}
	switch {
	case len(r.Datasets) == 0:
		_, err := fmt.Fprintln(a.stdout, "clinic.yaml sets no retention period: everything is kept")
		return err
	case len(r.Months) == 0:
		_, err := fmt.Fprintf(a.stdout, "nothing is past its retention period on %s\n", r.AsOf)
		return err
	}
	var rows [][]any
	for _, m := range r.Months {
		rows = append(rows, []any{m.Dataset, m.Month, m.Rows, totals(m.Totals)})
	}
	if err := printTable(a.stdout, []string{"dataset", "month", "rows", "money"}, rows); err != nil {
		return err
	}
	if r.Commit == 0 {
		_, err := fmt.Fprintf(a.stdout, "\n%d rows are past their retention period on %s. Nothing was removed: --apply --confirm NAME does that\n", r.Rows, r.AsOf)
		return err
	}
	_, err := fmt.Fprintf(a.stdout, `
removed %d rows: commit %d is without them. Run falloff build next.
Snapshots up to commit %d still hold them. To let those go, once a day has passed:
  falloff lake gc --lake LAKE --clinic NAME --keep-daily 1 --keep-monthly 0
Backups up to now hold them too. After that, and after the next backup:
  falloff backup prune --lake LAKE --clinic NAME --to STORE --retired
`, r.Rows, r.Commit, r.Before)
	return err
}

// totals are the sums of the columns of cents that are not zero, in order.
func totals(sums map[string]int64) string {
	var parts []string
	for _, column := range slices.Sorted(maps.Keys(sums)) {
		if cents := sums[column]; cents != 0 {
			parts = append(parts, strings.TrimSuffix(column, "_cents")+" "+strings.TrimSpace(string(asMoney(cents, ""))))
		}
	}
	return strings.Join(parts, ", ")
}
