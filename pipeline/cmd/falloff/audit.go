package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/agreement"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/audit/chain"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

func (a *app) auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "the log of who did what",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.auditVerifyCommand(), a.auditSearchCommand(), a.auditExportCommand())
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

// verifiedAudit is what --json prints: the log of commands, and the chains of servers.
type verifiedAudit struct {
	audit.Verified

	Servers []chain.VerifiedChain `json:"servers"`
}

func (a *app) auditVerifyCommand() *cobra.Command {
	var explained []string
	cmd := &cobra.Command{
		Use:   "verify --lake DIR [--explained SERVER/NUMBER]",
		Short: "find records that were changed, removed or put in",
		Args:  cobra.NoArgs,
		Long: `Reads the whole log of commands and the chain of every server, and finds every record that was changed, removed, reordered or
put in, and every checkpoint that does not hold. That records were cut off the end shows where this machine's vault has seen them;
falloff remembers there the newest records that it wrote or verified.

Where records of a server are missing, it says so each time, until --explained names the gap: look into it first.`,
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
			known, err := pipeline.KnownAudit(ctx, v, store)
			if err != nil {
				return err
			}
			known.Explained = explained
			verified, err := chain.Verify(ctx, store, known)
			if errors.Is(err, audit.ErrTampered) {
				return &pipeline.RefusedError{Err: fmt.Errorf("%w\nKeep the lake as it is and find out who had access to it: docs/running.md, The audit log", err)}
			}
			if err != nil {
				return &pipeline.StorageError{Doing: "verifying the audit log", Err: err}
			}
			k := &keeping{options: options, vault: v, store: store}
			if verified.Log.Records > 0 && verified.Log.TipKnown {
				if err := k.remember(ctx, verified.Log.Tip); err != nil {
					return err
				}
			}
			for _, c := range verified.Chains {
				if !verified.Log.TipKnown && !c.Compared {
					continue // no vault is made for looking
				}
				if err := pipeline.SeeAuditChain(ctx, v, store, c.Server, c.Seen); err != nil {
					return err
				}
			}
			if a.json {
				return json.NewEncoder(a.stdout).Encode(verifiedAudit{verified.Log, verified.Chains})
			}
			return printVerified(a.stdout, verified)
		},
	}
	cmd.Flags().StringVar(&a.flags.Lake, "lake", "", "the lake: a `folder`, or s3://bucket/prefix")
	cmd.Flags().StringSliceVar(&explained, "explained", nil, "a `gap` that was looked into, as verify names it; may be said several times")
	return cmd
}

func printVerified(w io.Writer, verified chain.Verified) error {
	remark := ""
	if !verified.Log.TipKnown {
		remark = "; this machine has written none of them, so it cannot tell whether some were cut off the end"
	}
	if _, err := fmt.Fprintf(w, "%d records, each as it was written%s\n", verified.Log.Records, remark); err != nil {
		return err
	}
	for _, c := range verified.Chains {
		remark := fmt.Sprintf("; signed up to record %d of %d", c.Checkpoint, c.Tip.Number)
		if c.Checkpoint == c.Tip.Number {
			remark = "; signed up to the last"
		}
		if !c.Compared {
			remark += "; this machine has not seen them before, so it cannot tell whether some were cut off the end"
		}
		for _, g := range c.Gaps {
			remark += fmt.Sprintf("; explained: what is missing before record %d", g.Record)
		}
		if _, err := fmt.Fprintf(w, "server %s: %d records in %d segments, each as it was written%s\n", c.Server, c.Records, c.Segments, remark); err != nil {
			return err
		}
	}
	return nil
}

// auditQuery is which records a command is asked for.
type auditQuery struct {
	filter           audit.Filter
	from, to, action string
}

func (q *auditQuery) register(flags *pflag.FlagSet) {
	flags.StringVar(&q.filter.Person, "person", "", "who did it")
	flags.StringVar(&q.action, "action", "", "what was done, such as credentials.set")
	flags.StringVar(&q.filter.Entity, "entity", "", "what was acted on, such as credentials")
	flags.StringVar(&q.from, "from", "", "first `date`, YYYY-MM-DD")
	flags.StringVar(&q.to, "to", "", "last `date`, YYYY-MM-DD")
}

// find searches the log of commands and the chains of servers.
func (q *auditQuery) find(ctx context.Context, clinic string, store lake.Store) ([]audit.Record, error) {
	first, err := parseDay("--from", q.from)
	if err != nil {
		return nil, err
	}
	last, err := parseDay("--to", q.to)
	if err != nil {
		return nil, err
	}
	if first.IsValid() {
		q.filter.From = first.In(time.UTC)
	}
	if last.IsValid() {
		q.filter.To = last.AddDays(1).In(time.UTC)
	}
	q.filter.Action, q.filter.Clinic = audit.Action(q.action), clinic
	if q.action != "" && !q.filter.Action.Known() {
		return nil, usagef("--action %q is none that is recorded; it is written like credentials.set or query.answered", q.action)
	}
	records, err := chain.Search(ctx, store, q.filter)
	if errors.Is(err, audit.ErrTampered) {
		return nil, &pipeline.RefusedError{Err: fmt.Errorf("%w. falloff audit verify names all that is wrong", err)}
	}
	if err != nil {
		return nil, &pipeline.StorageError{Doing: "searching the audit log", Err: err}
	}
	return records, nil
}

// auditFilters are the flags of an auditQuery, as usage lines name them.
const auditFilters = "[--person NAME] [--action NAME] [--entity NAME] [--clinic NAME] [--from DATE] [--to DATE]"

func (a *app) auditSearchCommand() *cobra.Command {
	var query auditQuery
	cmd := &cobra.Command{
		Use:     "search --lake DIR " + auditFilters,
		Short:   "find records",
		Example: "  falloff audit search --lake lake --action credentials.set --from 2026-01-01",
		Args:    cobra.NoArgs,
		Long: `Prints the records that fit all that is given, of the log of commands and of every server, the oldest first. Dates are days in UTC,
both included. What a server answered in the last seconds may not be in the lake yet.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			options, err := a.lakeOptions()
			if err != nil {
				return err
			}
			store, err := a.openStore(ctx, options)
			if err != nil {
				return err
			}
			records, err := query.find(ctx, a.flags.Clinic, store)
			if err != nil {
				return err
			}
			if a.json {
				return writeAuditJSON(a.stdout, records)
			}
			rows := make([][]any, len(records))
			for i, r := range records {
				rows[i] = []any{r.Number, r.At.Format("2006-01-02 15:04:05"), r.Person, r.Address, string(r.Action), r.Clinic, r.Entity, r.Chain, difference(r)}
			}
			return printTable(a.stdout, []string{"number", "at (UTC)", "person", "from", "action", "clinic", "entity", "server", "difference"}, rows)
		},
	}
	a.lakeFlags(cmd)
	query.register(cmd.Flags())
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
