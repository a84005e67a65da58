package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

func (a *app) backupRehearseCommand() *cobra.Command {
	var from []string
	var in string
	var all bool
	cmd := &cobra.Command{
		Use:   "rehearse --lake DIR (--clinic NAME|--all) [--from STORE] [--in DIR]",
		Short: "restore the newest backup on trial, compare, and remove it again",
		Example: `  falloff backup rehearse --lake lake --all --from s3://clinic-backups/falloff
  falloff backup rehearse --lake lake --clinic harbour-street`,
		Args: cobra.NoArgs,
		Long: `Restores a clinic's newest backup into a new folder, compares every byte with the backup, reads every row again, holds the commit
against the lake's, and removes the folder. A backup that nobody has restored is a hope. Each rehearsal is in the audit log.

The folder is made in memory (/dev/shm) where there is room for it twice, else where --in says, which should be an encrypted disk: a lake in a
bucket is encrypted by the bucket alone, and lies open in the folder meanwhile.

Without --from it rehearses with every store that falloff.yaml lists under backups.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			o, err := a.lakeOptions()
			if err != nil {
				return err
			}
			stores, err := a.secondStores(ctx, from)
			if err != nil {
				return err
			}
			return a.eachClinic(ctx, o, all, func(o *pipeline.SiteOptions) error { return a.rehearse(ctx, o, stores, in) })
		},
	}
	a.lakeFlags(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&from, "from", nil, "the `store` with the backup: a folder, or s3://bucket/prefix; may be said several times")
	flags.StringVar(&in, "in", "", "`folder` to restore in (default memory, where there is room)")
	flags.BoolVar(&all, "all", false, "every clinic of the lake")
	return cmd
}

func (a *app) rehearse(ctx context.Context, o *pipeline.SiteOptions, stores []lake.Store, in string) error {
	k, err := a.keep(ctx, *o)
	if err != nil {
		return err
	}
	o.Vault = k.vault
	for _, store := range stores {
		place, err := a.rehearsalPlace(ctx, k, store, in)
		if err != nil {
			return err
		}
		progress, stop := a.progress()
		done, err := pipeline.Rehearse(ctx, k.options, store, place, progress)
		stop()
		outcome := audit.Fields{"outcome": outcomeWord(err)}
		if done != nil {
			outcome["backup"], outcome["commit"], outcome["objects"], outcome["rows"] = done.Backup, done.Commit, done.Objects, done.Rows
		}
		if noting := k.record(context.WithoutCancel(ctx), audit.BackupRehearsed, entityBackup, nil, outcome); err == nil {
			err = noting
		}
		if err != nil {
			return err
		}
		if a.json {
			if err := json.NewEncoder(a.stdout).Encode(done); err != nil {
				return err
			}
			continue
		}
		lakes := "the lake says the same"
		if !done.Compared {
			lakes = "the lake could not be compared: it has no such commit any more"
		}
		if _, err := fmt.Fprintf(a.stdout, "clinic %s: backup %d of %s in %s comes back, at commit %d: %d objects (%s) compared, %d rows read; %s\n",
			done.Clinic, done.Backup, done.MadeAt.UTC().Format("2006-01-02 15:04 MST"), store, done.Commit, done.Objects, size(done.Bytes), done.Rows, lakes); err != nil {
			return err
		}
	}
	return nil
}

// rehearsalPlace is where there is room for what a backup holds.
func (a *app) rehearsalPlace(ctx context.Context, k *keeping, store lake.Store, in string) (string, error) {
	if in != "" {
		return in, nil
	}
	view, err := pipeline.OpenBackup(ctx, k.vault, store, lake.ClinicID(k.options.Clinic), 0)
	if err != nil {
		return "", err
	}
	need := 2 * view.Manifest.Bytes()
	if free, memory := freeIn(memoryFolder); memory && free > need {
		return memoryFolder, nil
	}
	if _, folder := pipeline.LocalFolder(k.options.Lake); !folder {
		return "", usagef("there is no room for %s in %s: name a folder on an encrypted disk with --in", size(need), memoryFolder)
	}
	return os.TempDir(), nil // as the lake is: sealed with the clinic's keys, unless it was begun without
}
