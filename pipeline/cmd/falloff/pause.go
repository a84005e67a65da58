package main

import (
	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
)

func (a *app) pauseCommand() *cobra.Command {
	var note string
	cmd := &cobra.Command{
		Use:   "pause --lake DIR --clinic NAME [--note TEXT]",
		Short: "stop extraction of a clinic, on every machine",
		Args:  cobra.NoArgs,
		Long: `Stops extraction of a clinic until falloff resume. A run that is at work, on whichever machine, ends within seconds; what it
has read is kept, sealed, for the run that goes on. What has landed stays, and can be queried.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			k, err := a.kept(ctx)
			if err != nil {
				return err
			}
			site, err := pipeline.OpenExistingSite(ctx, k.options)
			if err != nil {
				return err
			}
			// What changes nothing is no entry in the log.
			hold, err := site.Hold(ctx)
			if err != nil {
				return err
			}
			if hold.Paused != nil {
				a.tellf("Clinic %s is paused already.", k.options.Clinic)
				return nil
			}
			if err := k.record(ctx, audit.Paused, "extraction", nil, nil); err != nil {
				return err
			}
			if _, err := site.Pause(ctx, k.actor.Person, note); err != nil {
				return err
			}
			a.tellf("Clinic %s is paused. A run at work ends within seconds; falloff resume goes on.", k.options.Clinic)
			return nil
		},
	}
	a.lakeFlags(cmd)
	cmd.Flags().StringVar(&note, "note", "", "why, for whoever looks at the status; a `text` without names")
	return cmd
}

func (a *app) resumeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resume --lake DIR --clinic NAME",
		Short: "let extraction of a clinic go on",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			k, err := a.kept(ctx)
			if err != nil {
				return err
			}
			site, err := pipeline.OpenExistingSite(ctx, k.options)
			if err != nil {
				return err
			}
			hold, err := site.Hold(ctx)
			if err != nil {
				return err
			}
			if hold.Paused == nil {
				a.tellf("Clinic %s was not paused.", k.options.Clinic)
				return nil
			}
			if err := k.record(ctx, audit.Resumed, "extraction", nil, nil); err != nil {
				return err
			}
			if _, err := site.Resume(ctx); err != nil {
				return err
			}
			a.tellf("Clinic %s goes on with its next falloff run.", k.options.Clinic)
			return nil
		},
	}
	a.lakeFlags(cmd)
	return cmd
}
