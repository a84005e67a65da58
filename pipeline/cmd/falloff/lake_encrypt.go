package main

import (
	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
)

func (a *app) lakeEncryptCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "encrypt --lake DIR --clinic NAME",
		Short:   "encrypt a clinic that lies in a folder unencrypted, or write it anew under its newest key",
		Example: "  falloff lake encrypt --lake lake --clinic harbour-street",
		Args:    cobra.NoArgs,
		Long: `Writes everything that the newest commit names anew, encrypted under the newest key that the vault has for the clinic's lakes,
and shows it in one commit; from then on every commit is encrypted. Rows and totals are compared, and what was written is
read back. Where all of it is under that key already, nothing is written. After falloff credentials rotate it brings
the lake under the new key.

Earlier commits, and the objects that they alone name, stay as they lie, unencrypted or under an earlier key, until they are
cleared away: see falloff lake gc. Copies that were made of the lake stay what they are.`,
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
			done, err := site.Encrypt(ctx, progress)
			stop()
			if err != nil {
				return err
			}
			if a.json {
				return a.printValue(done)
			}
			switch {
			case !done.Changed:
				a.tellf("Clinic %s was encrypted under its newest key already: nothing was written.", k.options.Clinic)
			default:
				a.tellf("Clinic %s is encrypted in commit %d. The %d commits before it, and what they alone name, lie as they did: clear them away with falloff lake gc.",
					k.options.Clinic, done.Commit, done.Earlier)
			}
			return nil
		},
	}
	a.lakeFlags(cmd)
	return cmd
}
