package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

func (a *app) lakeVerifyCommand() *cobra.Command {
	var o lake.VerifyOptions
	cmd := &cobra.Command{
		Use:     "verify --lake DIR --clinic NAME [--commit N | --all]",
		Short:   "read everything again and name what is wrong",
		Example: "  falloff lake verify --lake lake --clinic harbour-street --all",
		Args:    cobra.NoArgs,
		Long: `Reads every object that the newest commit names, or another one, or all of them, and compares each with its name, which is a keyed hash
of its bytes, and with what the commit says of its rows, columns and money. It also looks at what must be true of them
together: rows lie in their month and in order, none is there twice, commits follow each other without a gap. It changes
nothing, names what is wrong object by object, and then ends with code 6.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if o.All && o.Commit != 0 {
				return usagef("--commit names one and --all means every one: give one of them")
			}
			site, err := a.existingSite(ctx)
			if err != nil {
				return err
			}
			if _, err := commitOf(ctx, site.Clinic, o.Commit); err != nil && o.Commit != 0 {
				return err
			}
			o.KeyName = pipeline.KeyCheckName
			found, err := site.Clinic.Verify(ctx, o)
			if err != nil {
				return &pipeline.StorageError{Doing: "verifying the lake", Err: err}
			}
			if err := a.printVerified(found); err != nil {
				return err
			}
			if n := len(found.Findings); n > 0 {
				return &pipeline.StorageError{Doing: "verifying the lake", Err: fmt.Errorf(
					"%d findings. Restore the named objects from a backup; what earlier commits name can still be read", n)}
			}
			return nil
		},
	}
	a.lakeFlags(cmd)
	cmd.Flags().Int64Var(&o.Commit, "commit", 0, "`number` of the commit (default the newest)")
	cmd.Flags().BoolVar(&o.All, "all", false, "every commit that was not let go")
	return cmd
}

func (a *app) printVerified(found *lake.Verified) error {
	if a.json {
		return a.printValue(found)
	}
	commits := fmt.Sprintf("%d commits", found.Commits)
	if found.Commits == 1 {
		commits = "1 commit"
	}
	_, err := fmt.Fprintf(a.stdout, "%s, %d objects, %d rows, %s read\n", commits, found.Objects, found.Rows, size(found.Bytes))
	if err == nil && found.Sealed > 0 {
		_, err = fmt.Fprintf(a.stdout, "%d objects are sealed under a key that is not at hand, and were not judged\n", found.Sealed)
	}
	if err == nil && len(found.Erased) > 0 {
		_, err = fmt.Fprintf(a.stdout, "%d objects lost the erased rows of a patient: what took their place was read\n", len(found.Erased))
	}
	if err == nil && len(found.Dropped) > 0 {
		_, err = fmt.Fprintf(a.stdout, "the objects of %d commits were let go and not looked for\n", len(found.Dropped))
	}
	if err != nil {
		return err
	}
	if len(found.Findings) == 0 {
		_, err = fmt.Fprintln(a.stdout, "nothing is wrong")
		return err
	}
	rows := make([][]any, len(found.Findings))
	for i, f := range found.Findings {
		rows[i] = []any{f.Commit, f.Object, f.What}
	}
	return printTable(a.stdout, []string{"commit", "object", "what is wrong"}, rows)
}

func (a *app) lakeGCCommand() *cobra.Command {
	var o lake.GCOptions
	var every bool
	keep := lake.DefaultRetention
	cmd := &cobra.Command{
		Use:   "gc --lake DIR --clinic NAME [--dry-run] [--grace DURATION] [--keep-daily N] [--keep-monthly N]",
		Short: "remove what nothing can reach any more",
		Example: `  falloff lake gc --lake lake --clinic harbour-street --dry-run
  falloff lake gc --lake lake --clinic harbour-street --keep-daily 35 --keep-monthly 24`,
		Args: cobra.NoArgs,
		Long: `Removes objects that no commit names, what dead runs have staged, and half-written files of killed processes, all of
them only when they are older than --grace. Every commit stays readable, so nobody who reads one is disturbed.

With --keep-daily or --keep-monthly older snapshots are let go too: there stay the newest commit, the last of each of so many
days that have one, and the last of each of so many months (the one that is not given: 35 days, 24 months). Commits themselves
stay as history. A commit that was the newest within the grace is never let go: a reader has that long to take a newer one.

This machine's cache of a lake in S3 loses what no commit names that is kept.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			asked := cmd.Flags().Changed("keep-daily") || cmd.Flags().Changed("keep-monthly")
			switch {
			case o.Grace < time.Hour:
				return usagef("--grace %v: a writer may need an hour from its first object to its commit, so less is not possible", o.Grace)
			case keep.Daily < 0 || keep.Monthly < 0:
				return usagef("--keep-daily %d, --keep-monthly %d: neither can be less than 0", keep.Daily, keep.Monthly)
			case every && asked:
				return usagef("--all-snapshots keeps every snapshot, and --keep-daily and --keep-monthly some: give one or the others")
			case asked:
				o.Keep = &keep
			}
			site, err := a.existingSite(ctx)
			if err != nil {
				return err
			}
			out, err := site.Clinic.GC(ctx, o)
			if err != nil {
				return &pipeline.StorageError{Doing: "clearing up the lake", Err: err}
			}
			if a.json {
				return a.printValue(out)
			}
			return a.printCleared(out)
		},
	}
	a.lakeFlags(cmd)
	cmd.Flags().DurationVar(&o.Grace, "grace", lake.Grace, "how `old` something must be to go")
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "say what would go, and change nothing")
	cmd.Flags().IntVar(&keep.Daily, "keep-daily", keep.Daily, "let older snapshots go, but for the last of each of so many `days`")
	cmd.Flags().IntVar(&keep.Monthly, "keep-monthly", keep.Monthly, "let older snapshots go, but for the last of each of so many `months`")
	cmd.Flags().BoolVar(&every, "all-snapshots", false, "keep every snapshot, which is the default")
	return cmd
}

func (a *app) printCleared(out *lake.Cleared) error {
	done := "removed"
	if out.DryRun {
		done = "would remove"
	}
	_, err := fmt.Fprintf(a.stdout, "%s %d objects that no commit names, %d parts of dead runs, %d half-written files: %s\nsnapshots kept: %d of %d; unnamed and too young to go: %d\n",
		done, out.Objects, out.Staged, out.Scratch, size(out.Bytes), out.Kept, out.Commits, out.Young)
	if err == nil && out.Cached > 0 {
		_, err = fmt.Fprintf(a.stdout, "%s %d objects from this machine's cache: %s\n", done, out.Cached, size(out.CachedBytes))
	}
	return err
}

func (a *app) lakeCompactCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "compact --lake DIR --clinic NAME",
		Short: "write partitions anew that are not in the present layout",
		Args:  cobra.NoArgs,
		Long: `A partition is one object at any time, so there is nothing to gather. After a new version of falloff has changed how rows are
laid out, or added a column, this brings every partition to that form, in one commit. No row and no sum changes.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			site, err := a.existingSite(ctx)
			if err != nil {
				return err
			}
			done, commit, err := site.Clinic.Compact(ctx)
			switch {
			case errors.Is(err, lake.ErrOtherKeys):
				return err
			case err != nil:
				return &pipeline.StorageError{Doing: "writing partitions anew", Err: err}
			}
			if a.json {
				return a.printValue(struct {
					Commit   int64                  `json:"commit"`
					Datasets map[string]lake.Relaid `json:"datasets"`
				}{commit.Number, done})
			}
			written := 0
			var rows [][]any
			for _, name := range slices.Sorted(maps.Keys(done)) {
				d := done[name]
				written += d.Written
				rows = append(rows, []any{name, d.Objects, d.Written, d.Rows, size(d.Before), size(d.After)})
			}
			if err := printTable(a.stdout, []string{"dataset", "partitions", "written anew", "rows", "before", "after"}, rows); err != nil {
				return err
			}
			if written == 0 {
				_, err = fmt.Fprintf(a.stdout, "\nevery partition is as it should be: commit %d stays the newest\n", commit.Number)
			} else {
				_, err = fmt.Fprintf(a.stdout, "\ncommit %d names them\n", commit.Number)
			}
			return err
		},
	}
	a.lakeFlags(cmd)
	return cmd
}
