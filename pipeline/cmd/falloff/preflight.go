package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
)

func (a *app) preflightCommand() *cobra.Command {
	var snapshots string
	cmd := &cobra.Command{
		Use:   "preflight --lake DIR --clinic NAME",
		Short: "look whether the portal account works, sees what is needed, and no more",
		Args:  cobra.NoArgs,
		Long: `Signs in once and says, check by check, whether the account works, has the access that billing needs, and has no more:
an account that can open charts, manage shifts, see patients' contact data or holds full access is refused, with the
switches to turn off. Then it opens each report and says whether it is to be seen. Nothing is exported and nothing is
changed; forbidden screens are not opened to find out, it is enough that the way there is shown.

The clinic must be connected: falloff connect stores address, account and agreement, and ends with this look.
Exit code 0: all is well; 4: a person must change something in the portal; 5: try again later.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			pictures, err := a.picturesIn(snapshots)
			if err != nil {
				return err
			}
			k, err := a.kept(ctx)
			if err != nil {
				return err
			}
			return a.preflight(ctx, k, pictures)
		},
	}
	a.lakeFlags(cmd)
	a.profileFlag(cmd)
	snapshotsFlag(cmd, &snapshots)
	return cmd
}

// look signs in for something that lands no data, with what the vault has and under the rules of a run.
func (a *app) look(ctx context.Context, k *keeping, do func(ctx context.Context, config jane.Config) error) error {
	signed, err := a.entry(ctx, k)
	if err != nil {
		return err
	}
	defer signed.credentials.Wipe()
	site, err := pipeline.OpenSite(ctx, k.options)
	if err != nil {
		return err
	}
	a.tellKey(site)
	manners, err := a.file.Politeness.parse()
	if err != nil {
		return usagef("%v", err)
	}
	if manners, err = manners.chosen(ctx, site); err != nil {
		return err
	}
	// A clinic that nothing was ever read of has no settings yet that would say its zone.
	zone := a.now().Location()
	if clinic, err := site.Settings(ctx); err == nil {
		if at, err := clinic.Zone(); err == nil {
			zone = at
		}
	}
	manners.Zone = zone
	if err := manners.Quiet(a.now()); err != nil {
		return err
	}
	return site.Look(ctx, pipeline.LookOptions{Credentials: signed.credentials.ID, Zone: zone, Budget: manners.budget}, func(ctx context.Context, w pipeline.Watch) error {
		if err := k.record(ctx, audit.SignedIn, "portal", nil, audit.Fields{"outcome": "begun", "credentials": signed.credentials.ID}); err != nil {
			return err
		}
		config := signed.config
		config.Access, config.Budget, config.Pause = w.Access, w.Budget, w.Before
		config.Politeness, config.Browser.UserAgent = manners.Politeness, manners.userAgent
		return do(ctx, config)
	})
}

// preflight signs in once and prints what it found, also where that ends in an error.
func (a *app) preflight(ctx context.Context, k *keeping, pictures *pictures) error {
	var checks jane.Checks
	failed := a.look(ctx, k, func(ctx context.Context, config jane.Config) error {
		progress, stop := a.progress()
		defer stop()
		config.Progress = showPreflight(progress)
		pictures.taking(&config)
		var err error
		if checks, err = jane.Preflight(ctx, config); err == nil {
			progress(pipeline.Step{Name: "preflight", Ended: true, Note: fmt.Sprintf("%d checks, all as they must be", len(checks))})
		}
		return err
	})
	if len(checks) == 0 {
		return failed
	}
	wrong := 0
	rows := make([][]any, 0, len(checks))
	for _, c := range checks {
		if c.Verdict != jane.Fits {
			wrong++
		}
		rows = append(rows, []any{c.Name, string(c.Verdict), c.Found})
	}
	if err := k.record(ctx, audit.PreflightRun, "portal", nil, audit.Fields{"outcome": outcomeWord(failed), "checks": len(checks), "failed": wrong}); err != nil && failed == nil {
		failed = err
	}
	if a.json {
		encoder := json.NewEncoder(a.stdout)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(checks); err != nil {
			return err
		}
		return failed
	}
	if err := printTable(a.stdout, []string{"check", "verdict", "found"}, rows); err != nil {
		return err
	}
	for _, c := range checks {
		if c.Do != "" && (c.Verdict == jane.Lacks || c.Verdict == jane.Exceeds) {
			a.tellf("%s: %s", c.Name, c.Do)
		}
	}
	return failed
}

// showPreflight is showExtraction for a sign-in that reads nothing.
func showPreflight(progress pipeline.Progress) func(jane.Event) {
	return func(e jane.Event) {
		step := pipeline.Step{Name: "preflight", Note: string(e.Step)}
		switch {
		case e.Step == jane.Remark:
			step.Note = e.Note
		case e.Report != "":
			step.Note = "report " + e.Report
		}
		progress(step)
	}
}
