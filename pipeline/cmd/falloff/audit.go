package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/agreement"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

func (a *app) auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "the log of who did what",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.auditVerifyCommand(), a.auditSearchCommand())
	return cmd
}

// openStore opens a lake that may hold no clinic's data yet.
func (a *app) openStore(ctx context.Context, o pipeline.SiteOptions) (lake.Store, error) {
	store, err := lake.OpenStore(ctx, o.Lake)
	if err != nil {
		return nil, &pipeline.StorageError{Doing: "opening the lake", Err: err}
	}
	return store, nil
}

func (a *app) auditVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify --lake DIR",
		Short: "find records that were changed, removed or put in",
		Args:  cobra.NoArgs,
		Long: `Reads the whole log and finds every record that was changed, removed, reordered or put in. That records were cut off its end
shows where this machine's vault has seen them; falloff remembers there the newest record that it wrote or verified.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			options, err := a.lakeOptions()
			if err != nil {
				return err
			}
			v, err := pipeline.OpenVault(ctx, options)
			if err != nil {
				return err
			}
			store, err := a.openStore(ctx, options)
			if err != nil {
				return err
			}
			k := &keeping{options: options, vault: v, store: store, log: audit.Open(store, a.now)}
			known, err := v.AuditTip(ctx, store.String())
			if err != nil {
				return &pipeline.KeyError{Err: err}
			}
			verified, err := k.log.Verify(ctx, audit.Tip(known))
			if errors.Is(err, audit.ErrTampered) {
				return &pipeline.RefusedError{Err: fmt.Errorf("%w\nKeep the lake as it is and find out who had access to it: docs/running.md, The audit log", err)}
			}
			if err != nil {
				return &pipeline.StorageError{Doing: "verifying the audit log", Err: err}
			}
			if verified.Records > 0 && verified.TipKnown {
				if err := k.remember(ctx, verified.Tip); err != nil {
					return err
				}
			}
			if a.json {
				return json.NewEncoder(a.stdout).Encode(verified)
			}
			remark := ""
			if !verified.TipKnown {
				remark = "; this machine has written none of them, so it cannot tell whether some were cut off the end"
			}
			_, err = fmt.Fprintf(a.stdout, "%d records, each as it was written%s\n", verified.Records, remark)
			return err
		},
	}
	cmd.Flags().StringVar(&a.flags.Lake, "lake", "", "the lake: a `folder`, or s3://bucket/prefix")
	return cmd
}

func (a *app) auditSearchCommand() *cobra.Command {
	var filter audit.Filter
	var from, to, action string
	cmd := &cobra.Command{
		Use:     "search --lake DIR [--person NAME] [--action NAME] [--entity NAME] [--clinic NAME] [--from DATE] [--to DATE]",
		Short:   "find records",
		Example: "  falloff audit search --lake lake --action credentials.set --from 2026-01-01",
		Args:    cobra.NoArgs,
		Long:    `Prints the records that fit all that is given, the oldest first. Dates are days in UTC, both included.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			first, err := parseDay("--from", from)
			if err != nil {
				return err
			}
			last, err := parseDay("--to", to)
			if err != nil {
				return err
			}
			if first.IsValid() {
				filter.From = first.In(time.UTC)
			}
			if last.IsValid() {
				filter.To = last.AddDays(1).In(time.UTC)
			}
			options, err := a.lakeOptions()
			if err != nil {
				return err
			}
			store, err := a.openStore(ctx, options)
			if err != nil {
				return err
			}
			filter.Action, filter.Clinic = audit.Action(action), a.flags.Clinic
			records, err := audit.Open(store, a.now).Records(ctx, filter)
			if errors.Is(err, audit.ErrTampered) {
				return &pipeline.RefusedError{Err: fmt.Errorf("%w. falloff audit verify names all that is wrong", err)}
			}
			if err != nil {
				return &pipeline.StorageError{Doing: "searching the audit log", Err: err}
			}
			if a.json {
				encoder := json.NewEncoder(a.stdout)
				for _, r := range records {
					if err := encoder.Encode(r); err != nil {
						return err
					}
				}
				return nil
			}
			rows := make([][]any, len(records))
			for i, r := range records {
				rows[i] = []any{r.Number, r.At.Format("2006-01-02 15:04:05"), r.Person, r.Address, string(r.Action), r.Clinic, r.Entity, difference(r)}
			}
			return printTable(a.stdout, []string{"number", "at (UTC)", "person", "from", "action", "clinic", "entity", "difference"}, rows)
		},
	}
	a.lakeFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&filter.Person, "person", "", "who did it")
	flags.StringVar(&action, "action", "", "what was done, such as credentials.set")
	flags.StringVar(&filter.Entity, "entity", "", "what was acted on, such as credentials")
	flags.StringVar(&from, "from", "", "first `date`, YYYY-MM-DD")
	flags.StringVar(&to, "to", "", "last `date`, YYYY-MM-DD")
	return cmd
}

// difference says in a line how the entity changed.
func difference(r audit.Record) string {
	names := slices.Collect(maps.Keys(r.Before))
	names = slices.AppendSeq(names, maps.Keys(r.After))
	slices.Sort(names)
	var parts []string
	for _, name := range slices.Compact(names) {
		before, was := r.Before[name]
		after, is := r.After[name]
		switch {
		case was && is && before != after:
			parts = append(parts, fmt.Sprintf("%s %v→%v", name, before, after))
		case is:
			parts = append(parts, fmt.Sprintf("%s %v", name, after))
		default:
			parts = append(parts, fmt.Sprintf("%s %v→", name, before))
		}
	}
	return strings.Join(parts, ", ")
}

// agreementFailed sorts an error into exit codes.
func agreementFailed(err error) error {
	var store *lake.StoreError
	switch {
	case errors.Is(err, agreement.ErrAltered), errors.As(err, &store):
		return &pipeline.StorageError{Doing: "the agreement", Err: err}
	case exitCode(err) == exitInterrupted:
		return err
	default:
		return usagef("%v", err)
	}
}
