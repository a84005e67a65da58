package main

import (
	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
)

func (a *app) lakeEncryptCommand() *cobra.Command {
	var dropEarlier bool
	cmd := &cobra.Command{
		Use:     "encrypt --lake DIR --clinic NAME [--drop-earlier]",
		Short:   "encrypt a clinic that lies in a folder unencrypted, or write it anew under its newest key",
		Example: "  falloff lake encrypt --lake lake --clinic harbour-street",
		Args:    cobra.NoArgs,
		Long: `Writes everything that the newest commit names anew, encrypted under the newest key that the vault has for the clinic's lakes,
and shows it in one commit; from then on every commit is encrypted. Rows and totals are compared, and what was written is
read back. Where all of it is under that key already, nothing is written. After falloff credentials rotate it brings
the lake under the new key.

Earlier commits, and the objects that they alone name, stay as they lie, unencrypted or under an earlier key, until they are
cleared away. With --drop-earlier that is done at once: the snapshots before it can then not be opened any more, by those neither who
read one at that moment. What commits say of themselves stays in any case, without rows: names of datasets, their months, row counts
and sums. Copies that were made of the lake stay what they are, and an erased file's blocks are the disk's affair.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			k, err := a.kept(ctx)
			if err != nil {
				return err
			}
			if _, local := pipeline.LocalFolder(k.options.Lake); !local {
				return usagef("%s is not a folder: what lies in S3 is encrypted by the store, see docs/running.md", k.options.Lake)
			}
			site, err := pipeline.OpenExistingSite(ctx, k.options)
			if err != nil {
				return err
			}
			if err := k.record(ctx, audit.LakeEncrypted, "lake", nil, nil); err != nil {
				return err
			}
			progress, stop := a.progress()
			done, err := site.Encrypt(ctx, dropEarlier, progress)
			stop()
			if err != nil {
				return err
			}
			if a.json {
				return a.printValue(done)
			}
			a.tellEncrypted(k.options, done)
			return nil
		},
	}
	a.lakeFlags(cmd)
	cmd.Flags().BoolVar(&dropEarlier, "drop-earlier", false, "remove the snapshots before it at once, with what lies in them")
	return cmd
}

// tellEncrypted says what is encrypted, and what still is not.
func (a *app) tellEncrypted(o pipeline.SiteOptions, done *pipeline.Encrypted) {
	if done.Changed {
		a.tellf("Clinic %s is encrypted in commit %d.", o.Clinic, done.Commit)
	} else {
		a.tellf("Clinic %s was encrypted under its newest key already: nothing was written.", o.Clinic)
	}
	if done.Removed > 0 {
		a.tellf("%d objects of the %d commits before it were removed, as they lay.", done.Removed, done.Earlier)
	}
	if done.Left > 0 {
		a.tellf("NOT encrypted, or under an earlier key, are %d objects of the %d commits before it: whoever gets the folder can read what lies plain. To remove them, with the snapshots that name them:\n"+
			"  falloff lake encrypt --lake %s --clinic %s --drop-earlier", done.Left, done.Earlier, o.Lake, o.Clinic)
	}
}
