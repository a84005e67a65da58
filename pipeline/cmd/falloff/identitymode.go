package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
)

func (a *app) identityModeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:       "identity-mode --lake DIR --clinic NAME [show|privacy|recovery]",
		Short:     "choose whether first names are stored",
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: []string{"show", "privacy", "recovery"},
		Long: `In privacy mode, the default, nothing but pseudonyms is stored. In recovery mode the next runs and imports also store the first name and
the portal's identifier of each patient, apart from everything else and sealed under a key of their own, so that people who may
see them know whom to call.

Going back to privacy erases them: they leave the newest commit, their key is destroyed, and every object of them is removed, in
every snapshot. Copies of the vault that are older than this still have the key: destroy those too.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			k, err := a.kept(ctx)
			if err != nil {
				return err
			}
			site, err := pipeline.OpenExistingSite(ctx, k.options)
			if err != nil {
				return err
			}
			erased := 0
			wanted := "show"
			if len(args) > 0 {
				wanted = args[0]
			}
			switch wanted {
			case "show":
			case string(pipeline.Recovery):
				if err := k.record(ctx, audit.IdentityModeChanged, "identities", audit.Fields{"mode": string(site.Mode())}, audit.Fields{"mode": wanted}); err != nil {
					return err
				}
				if _, err := site.EnterRecovery(ctx); err != nil {
					return err
				}
				if site, err = pipeline.OpenExistingSite(ctx, k.options); err != nil {
					return err
				}
				a.tellf("Clinic %s is in recovery mode: first names come with the next run or import.", k.options.Clinic)
			case string(pipeline.Privacy):
				if err := k.record(ctx, audit.IdentityModeChanged, "identities", audit.Fields{"mode": string(site.Mode())}, audit.Fields{"mode": wanted}); err != nil {
					return err
				}
				if erased, err = site.EnterPrivacy(ctx); err != nil {
					return err
				}
				a.tellf("Clinic %s is in privacy mode: %d objects with first names were removed and their key destroyed; none is left.", k.options.Clinic, erased)
			default:
				return usagef("identity-mode takes show, privacy or recovery. See `falloff identity-mode --help`")
			}
			if a.json {
				return json.NewEncoder(a.stdout).Encode(struct {
					Mode   pipeline.IdentityMode `json:"mode"`
					Erased int                   `json:"objects_erased"`
				}{site.Mode(), erased})
			}
			_, err = fmt.Fprintln(a.stdout, site.Mode())
			return err
		},
	}
	a.lakeFlags(cmd)
	return cmd
}
