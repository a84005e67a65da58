package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/transforms/contract"
)

func (a *app) leaksCommand() *cobra.Command {
	var format string
	var server remoteFlags
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
restated since.

state is how a leak stood at that day; the CSV's and JSON's last columns are how it stands by now, whose task it is, and the last note.
The commands below change it, by leak_id. With --server all of it is asked of a falloff serve, as whom the token in FALLOFF_TOKEN or
--token-file names: the table is then its sums by category, the rest its work list.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if server.server != "" {
				if a.json {
					format = formatJSON
				}
				return a.remoteLeaks(cmd.Context(), server, format)
			}
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
				if err := a.printStates(cmd.Context(), view); err != nil {
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
			if columns, err = addStates(cmd.Context(), view, columns, rows); err != nil {
				return err
			}
			return printRows(a.stdout, format, columns, rows)
		},
	}
	for _, v := range leakVerbs {
		cmd.AddCommand(a.leakVerbCommand(v))
	}
	cmd.AddCommand(a.leakHistoryCommand())
	a.lakeFlags(cmd)
	server.register(cmd)
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

// addStates puts behind each leak of the ledger how it stands by now, whose task it is, and the last note.
func addStates(ctx context.Context, view *pipeline.View, columns []string, rows [][]any) ([]string, error) {
	said, err := view.LeakStates(ctx)
	if err != nil {
		return nil, err
	}
	id, category, state := slices.Index(columns, "leak_id"), slices.Index(columns, "category"), slices.Index(columns, "state")
	for i, row := range rows {
		last, known := said[fmt.Sprint(row[id])]
		now := []any{row[state], nil, nil}
		if known {
			now[1], now[2] = orNothing(last.Assignee), orNothing(last.Note)
		}
		if known && row[category] != "write_off" { // the portal's word
			now[0] = last.State
		}
		rows[i] = append(row, now...)
	}
	return append(columns, "state_now", "assignee", "last_note"), nil
}

func orNothing(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// printStates prints how many leaks of the ledger are in each state by now, once somebody has said something of one.
func (a *app) printStates(ctx context.Context, view *pipeline.View) error {
	said, err := view.LeakStates(ctx)
	if err != nil || len(said) == 0 {
		return err
	}
	columns, rows, err := view.Ledger(ctx)
	if err != nil {
		return err
	}
	if columns, err = addStates(ctx, view, columns, rows); err != nil {
		return err
	}
	now, cents, currency := slices.Index(columns, "state_now"), slices.Index(columns, "amount_cents"), slices.Index(columns, "currency")
	leaks, sums, in := map[string]int{}, map[string]int64{}, ""
	for _, row := range rows {
		state := fmt.Sprint(row[now])
		leaks[state]++
		in = fmt.Sprint(row[currency])
		if amount, ok := row[cents].(int64); ok && row[slices.Index(columns, "certainty")] != "estimate" {
			sums[state] += amount
		}
	}
	var lines [][]any
	for _, state := range contract.AllLeakStates() {
		if leaks[state] > 0 {
			lines = append(lines, []any{state, leaks[state], asMoney(sums[state], in)})
		}
	}
	if _, err := fmt.Fprint(a.stdout, "\nBy now, without estimates in the amounts\n\n"); err != nil {
		return err
	}
	return printTable(a.stdout, []string{"state", "leaks", "amount"}, lines)
}
