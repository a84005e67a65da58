package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/backup"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// pruneFlags are those of backup prune.
type pruneFlags struct {
	to      []string
	apply   bool
	confirm string
	pipeline.PruneOptions
}

// pruned is what --json prints of the backups in one store.
type pruned struct {
	Clinic  string               `json:"clinic"`
	To      string               `json:"to"`
	Kept    []int64              `json:"kept"`
	Dropped []int64              `json:"dropped"`
	Objects int                  `json:"objects"`
	Bytes   int64                `json:"bytes"`
	Unnamed int                  `json:"unnamed_objects"`
	Months  []pipeline.LostMonth `json:"months"`
	Held    []pipeline.LostMonth `json:"held,omitempty"`
	Applied bool                 `json:"applied"`
}

func (a *app) backupPruneCommand() *cobra.Command {
	f := pruneFlags{PruneOptions: pipeline.PruneOptions{Keep: lake.DefaultRetention}}
	cmd := &cobra.Command{
		Use:   "prune --lake DIR --clinic NAME --to STORE [--retired] [--apply --confirm NAME]",
		Short: "list old backups that can go, and remove them when told to",
		Example: `  falloff backup prune --lake lake --clinic harbour-street --to /mnt/backup
  falloff backup prune --lake lake --clinic harbour-street --to /mnt/backup --retired --apply --confirm harbour-street`,
		Args: cobra.NoArgs,
		Long: `Lists the backups that are not the newest, nor the last of one of the newest --keep-daily days or --keep-monthly months, and the
months of rows that no other backup has. With --apply and the clinic's name in --confirm exactly these go for good, every version of
their objects included, with what backups that were cut short have left.

A lake from which falloff retain has removed months still has them in its backups. With --retired every backup goes that holds such
a month, of whatever age. The newest stays in any case: where it holds them too, because snapshots of the lake did when it was made,
the list says so, and what to do first.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case f.confirm != "" && !f.apply:
				return usagef("--confirm goes with --apply: without it nothing is removed")
			case f.Keep.Daily < 0 || f.Keep.Monthly < 0:
				return usagef("--keep-daily %d, --keep-monthly %d: neither can be less than 0", f.Keep.Daily, f.Keep.Monthly)
			}
			return a.pruneBackups(cmd.Context(), f)
		},
	}
	a.lakeFlags(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&f.to, "to", nil, "the second `store`: a folder, or s3://bucket/prefix; may be said several times")
	flags.BoolVar(&f.Retired, "retired", false, "also those that hold months whose retention period is over")
	flags.BoolVar(&f.apply, "apply", false, "remove what is listed")
	flags.StringVar(&f.confirm, "confirm", "", "the clinic's `name` once more: it is meant")
	flags.IntVar(&f.Keep.Daily, "keep-daily", f.Keep.Daily, "keep the last backup of each of so many `days`")
	flags.IntVar(&f.Keep.Monthly, "keep-monthly", f.Keep.Monthly, "keep the last backup of each of so many `months`")
	return cmd
}

func (a *app) pruneBackups(ctx context.Context, f pruneFlags) error {
	options, err := a.siteOptions()
	if err != nil {
		return err
	}
	if f.apply && f.confirm != options.Clinic {
		return usagef("what is removed cannot be brought back: run falloff backup prune without --apply to see it, then give --confirm %s", options.Clinic)
	}
	stores, err := a.secondStores(ctx, f.to)
	if err != nil {
		return err
	}
	var k *keeping
	if f.apply {
		if k, err = a.keep(ctx, options); err != nil {
			return err
		}
		options = k.options
	} else if options.Vault, err = pipeline.OpenVault(ctx, options); err != nil {
		return err
	}
	for _, store := range stores {
		listed, err := pipeline.PrunableBackups(ctx, options, store, f.PruneOptions, a.now())
		if err != nil {
			return err
		}
		if f.apply && len(listed.Dropped)+listed.Unnamed > 0 {
			if err := k.record(ctx, audit.BackupsPruned, entityBackup, nil, audit.Fields{
				"backups": len(listed.Dropped), "objects": len(listed.Lost) + listed.Unnamed, "retired": f.Retired,
			}); err != nil {
				return err
			}
			err := listed.Prune(ctx)
			if errors.Is(err, backup.ErrMadeMeanwhile) {
				return &pipeline.RefusedError{Err: err}
			}
			if err != nil {
				return err
			}
		}
		if err := a.printPruned(listed, store, f.apply); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printPruned(p *pipeline.Prunable, store lake.Store, applied bool) error {
	if a.json {
		out := pruned{
			Clinic: string(p.Kept[0].Clinic), To: store.String(), Kept: []int64{}, Dropped: []int64{}, Objects: len(p.Lost), Bytes: p.Bytes(), Unnamed: p.Unnamed,
			Months: append([]pipeline.LostMonth{}, p.Months...), Held: p.Held, Applied: applied,
		}
		for _, m := range p.Kept {
			out.Kept = append(out.Kept, m.Number)
		}
		for _, m := range p.Dropped {
			out.Dropped = append(out.Dropped, m.Number)
		}
		return a.printValue(out)
	}
	var rows [][]any
	for _, m := range p.Dropped {
		rows = append(rows, []any{m.Number, m.CreatedAt.UTC().Format(time.DateTime), m.Head, len(m.Entries), size(m.Bytes())})
	}
	if len(rows) > 0 {
		if err := printTable(a.stdout, []string{"backup", "made (UTC)", "up to commit", "objects", "bytes"}, rows); err != nil {
			return err
		}
	}
	for _, m := range p.Months {
		if _, err := fmt.Fprintf(a.stdout, "%s %s is in no other backup\n", m.Dataset, m.Month); err != nil {
			return err
		}
	}
	goes, how := "can go", ". Nothing was removed: --apply --confirm NAME does that"
	if applied {
		goes, how = "were removed", ""
	}
	_, err := fmt.Fprintf(a.stdout, "%d backups, %d objects that no other has (%s) and %d that none has, %s from %s; %d backups stay%s\n",
		len(p.Dropped), len(p.Lost), size(p.Bytes()), p.Unnamed, goes, store, len(p.Kept), how)
	if err == nil && len(p.Held) > 0 {
		_, err = fmt.Fprintf(a.stdout, "The newest backup, %d, holds %d months still that are past their retention period, the first %s %s: its lake has snapshots with them.\n"+
			"Let those go (falloff lake gc, see falloff retain), back up again, and prune again\n", p.Kept[len(p.Kept)-1].Number, len(p.Held), p.Held[0].Dataset, p.Held[0].Month)
	}
	return err
}
