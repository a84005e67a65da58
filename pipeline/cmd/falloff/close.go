package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
)

func (a *app) closeCommand() *cobra.Command {
	var month string
	var list bool
	cmd := &cobra.Command{
		Use:   "close --lake DIR --clinic NAME (--month YYYY-MM | --list)",
		Short: "fix a month's figures for good, or list the months that are",
		Example: `  falloff close --lake lake --clinic harbour-street --month 2026-01
  falloff close --lake lake --clinic harbour-street --list`,
		Args: cobra.NoArgs,
		Long: `Publishes the figures of a month as the last build has them: leaks, charges, balances, adjustments, appointments, new episodes and
hours, each by what it is split by. They never change again, and cannot be taken back. Every later build computes the month anew for the
same day; what comes out differently is a restatement, shown beside what was published: with --list, in falloff leaks and status,
in the marts published_figures and restatements, and in the query of that name.

A month can be closed once it is complete: over, with a complete report about every day of it, and by so long that its
falloff is known (42 days, or the longest falloff_days of clinic.yaml), in a build of the newest data.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if list == (month != "") {
				return usagef("close takes --month YYYY-MM or --list. See `falloff close --help`")
			}
			if list {
				return a.listClosed(cmd.Context())
			}
			return a.closeMonth(cmd.Context(), month)
		},
	}
	a.lakeFlags(cmd)
	cmd.Flags().StringVar(&month, "month", "", "the `month`, YYYY-MM")
	cmd.Flags().BoolVar(&list, "list", false, "list the closed months: what was published, and what it is now")
	return cmd
}

func (a *app) closeMonth(ctx context.Context, month string) error {
	k, err := a.kept(ctx)
	if err != nil {
		return err
	}
	site, err := pipeline.OpenExistingSite(ctx, k.options)
	if err != nil {
		return err
	}
	progress, stop := a.progress()
	closed, err := site.CloseMonth(ctx, pipeline.CloseOptions{
		Month: month, By: k.actor.Person, Progress: progress,
		Confirmed: func(ctx context.Context, m pipeline.ClosedMonth) error {
			return k.record(ctx, audit.MonthClosed, "months/"+m.Month, nil,
				audit.Fields{"month": m.Month, "as_of": m.AsOf.String(), "commit": m.Built})
		},
	})
	stop()
	if err != nil {
		return err
	}
	if a.json {
		return a.printValue(closed)
	}
	if err := printClosed(a.stdout, []pipeline.ClosedMonth{*closed}); err != nil {
		return err
	}
	a.tellf("%s is closed as of %s: these figures stay as they are.", closed.Month, closed.AsOf)
	return nil
}

func (a *app) listClosed(ctx context.Context) error {
	site, err := a.existingSite(ctx)
	if err != nil {
		return err
	}
	months, err := site.ClosedMonths(ctx)
	if err != nil {
		return err
	}
	if a.json {
		return a.printValue(months)
	}
	if len(months) == 0 {
		_, err := fmt.Fprintln(a.stdout, "no month is closed")
		return err
	}
	return printClosed(a.stdout, months)
}

// printClosed prints every sum of closed months.
func printClosed(w io.Writer, months []pipeline.ClosedMonth) error {
	var rows [][]any
	for _, m := range months {
		for _, s := range m.Sums {
			rows = append(rows, []any{
				m.Month, s.Figure, inUnit(s, s.Published), inUnit(s, s.Restated), inUnit(s, s.Restated-s.Published),
				m.ClosedAt.Format("2006-01-02"), dash(m.By), m.AsOf.String(),
			})
		}
	}
	return printTable(w, []string{"month", "figure", "published", "now", "restated by", "closed on", "by", "as of"}, rows)
}

// printClosedLeaks prints what closed months leak, as it was published.
func printClosedLeaks(w io.Writer, months []pipeline.ClosedMonth) error {
	if len(months) == 0 {
		return nil
	}
	var rows [][]any
	for _, m := range months {
		s := m.Money("leaked")
		rows = append(rows, []any{m.Month, inUnit(s, s.Published), inUnit(s, s.Restated-s.Published), m.Restatements, m.ClosedAt.Format("2006-01-02")})
	}
	if _, err := fmt.Fprint(w, "\nClosed months, as published\n\n"); err != nil {
		return err
	}
	return printTable(w, []string{"month", "owed", "restated by", "restatements", "closed on"}, rows)
}

// inUnit is an amount in the unit of its figure.
func inUnit(s pipeline.FigureSum, amount int64) money {
	switch s.Unit {
	case "cents":
		return asMoney(amount, s.Currency)
	case "minutes":
		sign := ""
		if amount < 0 {
			sign, amount = "-", -amount
		}
		return money(fmt.Sprintf("%s%d:%02d h", sign, amount/60, amount%60))
	default:
		return money(fmt.Sprint(amount))
	}
}
