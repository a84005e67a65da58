package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/warehouse/access"
)

func (a *app) supportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "support",
		Short: "let the vendor's people in for a time",
		Args:  cobra.NoArgs,
		Long: `Support access is for a reason and a time, of one clinic. It gives the role vendor_support to whoever holds it in the access policy and is
named here, and to nobody else; while it lasts every answer to the clinic says so, and when it ends session and duration are recorded. It
ends by itself. Servers notice within seconds what is granted or ended here.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.supportOpenCommand(), a.supportEndCommand(), a.supportListCommand())
	return cmd
}

// supported opens what support access is kept in.
func (a *app) supported(ctx context.Context) (*keeping, *pipeline.Site, error) {
	k, err := a.kept(ctx)
	if err != nil {
		return nil, nil, err
	}
	site, err := pipeline.OpenExistingSite(ctx, k.options)
	return k, site, err
}

func (k *keeping) supportUses(ctx context.Context) func(pipeline.SupportGrant) (int, error) {
	return func(g pipeline.SupportGrant) (int, error) {
		return pipeline.SupportUses(ctx, k.store, k.options.Clinic, g)
	}
}

func (k *keeping) recordEntry(ctx context.Context) func(audit.Entry) error {
	return func(e audit.Entry) error { return k.record(ctx, e.Action, e.Entity, e.Before, e.After) }
}

func (a *app) supportOpenCommand() *cobra.Command {
	g := pipeline.SupportGrant{Issuer: access.Grafana}
	var length time.Duration
	cmd := &cobra.Command{
		Use:     "open --lake DIR --clinic NAME --login LOGIN --reason WORD [--for 2h]",
		Aliases: []string{"grant"},
		Short:   "let somebody in, for a reason and a time",
		Example: "  falloff support open --lake lake --clinic harbour-street --login sam@vendor.example --reason ticket/4711 --for 2h",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			k, site, err := a.supported(ctx)
			if err != nil {
				return err
			}
			g.GrantedBy = k.actor.Person
			granted, err := site.GrantSupport(ctx, g, length, k.recordEntry(ctx))
			if err != nil {
				return err
			}
			if a.json {
				return a.printValue(granted)
			}
			return a.printGrants([]pipeline.SupportGrant{*granted})
		},
	}
	a.lakeFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&g.Login, "login", "", "`who` gets it: the login in Grafana, or the subject that --issuer names them by")
	flags.StringVar(&g.Issuer, "issuer", access.Grafana, "`address` of the identity provider, for somebody who does not come through Grafana")
	flags.StringVar(&g.Reason, "reason", "", "`word` that says why, such as ticket/4711: it stands in the banner and in the audit log")
	flags.DurationVar(&length, "for", time.Hour, "how `long`, 72h at most")
	return cmd
}

func (a *app) supportEndCommand() *cobra.Command {
	var session string
	cmd := &cobra.Command{
		Use:   "end --lake DIR --clinic NAME --session ID",
		Short: "end support access at once",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if session == "" {
				return usagef("which is to end? Say it with --session; falloff support list prints them")
			}
			k, site, err := a.supported(ctx)
			if err != nil {
				return err
			}
			ended, err := site.EndSupport(ctx, session, k.actor.Person, k.supportUses(ctx), k.recordEntry(ctx))
			if err != nil {
				return err
			}
			if a.json {
				return a.printValue(ended)
			}
			return a.printGrants([]pipeline.SupportGrant{*ended})
		},
	}
	a.lakeFlags(cmd)
	cmd.Flags().StringVar(&session, "session", "", "`id` of the support access")
	return cmd
}

func (a *app) supportListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list --lake DIR --clinic NAME",
		Short: "list support access, that which has ended among it",
		Args:  cobra.NoArgs,
		Long:  "Lists support access, the newest first. What has ended by its time, and that no server has recorded yet, is recorded first.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			k, site, err := a.supported(ctx)
			if err != nil {
				return err
			}
			if _, err := site.SettleSupport(ctx, k.supportUses(ctx), k.recordEntry(ctx)); err != nil {
				return err
			}
			grants, err := site.SupportGrants(ctx)
			if err != nil {
				return err
			}
			if a.json {
				return a.printValue(append([]pipeline.SupportGrant{}, grants...))
			}
			return a.printGrants(grants)
		},
	}
	a.lakeFlags(cmd)
	return cmd
}

func (a *app) printGrants(grants []pipeline.SupportGrant) error {
	const minute = "2006-01-02 15:04 MST"
	rows := make([][]any, len(grants))
	for i, g := range grants {
		state := "until " + g.Until.Format(minute)
		switch {
		case !g.Ended.IsZero() && g.EndedBy == "":
			state = "over since " + g.Ended.Format(minute)
		case !g.Ended.IsZero():
			state = "ended by " + g.EndedBy + " " + g.Ended.Format(minute)
		}
		rows[i] = []any{g.Session, g.Login, g.Reason, g.GrantedBy, g.From.Format(minute), state, g.Uses}
	}
	return printTable(a.stdout, []string{"session", "login", "reason", "granted by", "from", "state", "uses"}, rows)
}
