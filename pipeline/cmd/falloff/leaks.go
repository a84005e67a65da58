package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
)

func (a *app) leaksCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "leaks --lake DIR --clinic NAME [--format table|csv|json]",
		Short: "print the ledger of leaked revenue",
		Example: `  falloff leaks --lake lake --clinic harbour-street
  falloff leaks --lake lake --clinic harbour-street --format csv > leaks.csv`,
		Args: cobra.NoArgs,
		Long: `Prints every leak at the day the models were built for: its category, the appointment, invoice or episode it
was found on, its service day and amount, and the evidence. The CSV begins with the columns category, source_id, occurred_on and
amount_cents, sorted by the first two. Amounts are whole cents. Estimates, such as what patients who fell off would have
brought in 90 days, are listed and in no sum. The summary also shows what closed months leak as it was published, and what was
restated since.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			site, err := a.existingSite(cmd.Context())
			if err != nil {
				return err
			}
			view, err := site.OpenMarts(cmd.Context())
			if err != nil {
				return err
			}
			defer func() { _ = view.Close() }()
			if a.json {
				format = formatJSON
			}
			if format == formatTable {
				if err := a.printLedgerSummary(cmd.Context(), view); err != nil {
					return err
				}
				closed, err := view.ClosedMonths(cmd.Context())
				if err != nil {
					return err
				}
				return printClosedLeaks(a.stdout, closed)
			}
			columns, rows, err := view.Ledger(cmd.Context())
			if err != nil {
				return err
			}
			return printRows(a.stdout, format, columns, rows)
		},
	}
	a.lakeFlags(cmd)
	cmd.Flags().StringVar(&format, "format", formatTable, "`form`: table (a summary by category), csv, json")
	return cmd
}

// printLedgerSummary prints the ledger by category with its sum; estimates are listed and in no sum.
func (a *app) printLedgerSummary(ctx context.Context, view *pipeline.View) error {
	lines, err := view.LedgerSummary(ctx)
	if err != nil {
		return err
	}
	var rows [][]any
	var leaks, cents int64
	currency := ""
	for _, l := range lines {
		rows = append(rows, []any{l.Category, l.Certainty, l.Leaks, asMoney(l.AmountCents, l.Currency), l.Oldest.Format("2006-01-02")})
		if l.Certainty != "estimate" {
			leaks += l.Leaks
			cents += l.AmountCents
			currency = l.Currency
		}
	}
	rows = append(rows, []any{"owed in all", "", leaks, asMoney(cents, currency), ""})
	if _, err := fmt.Fprintf(a.stdout, "Leaked revenue as of %s\n\n", view.BuiltAsOf()); err != nil {
		return err
	}
	return printTable(a.stdout, []string{"category", "certainty", "leaks", "amount", "oldest"}, rows)
}
