package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/files"
	"github.com/falloff-analytics/falloff/pipeline"
)

func (a *app) importCommand() *cobra.Command {
	var settingsFile, covers, observedOn string
	cmd := &cobra.Command{
		Use:   "import --lake DIR --clinic NAME PATH...",
		Short: "land report files that a person exported",
		Example: `  falloff import --lake lake --clinic harbour-street exports/
  falloff import --lake lake --clinic harbour-street --covers 2026-01-01..2026-03-31 q1/`,
		Args: cobra.MinimumNArgs(1),
		Long: `Reads CSV and XLSX files or folders of them. Which report a file is its header tells; other files are named and left
out. clinic.yaml is taken from the folder, or from --settings, or stays as it is in the lake. Names, contact data and
notes are not read; patients become pseudonyms. All of it lands in one commit, or nothing does.

Importing again changes nothing, and the order of imports does not matter: of two versions of a row the one from the
newer report stays. Rows are only ever deleted by --covers, which says that the files hold everything of a range.
docs/import.md lists the reports, with a sample of each.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			observed, err := parseDay("--observed-on", observedOn)
			if err != nil {
				return err
			}
			var window extractors.Window
			if covers != "" {
				if window, err = extractors.ParseWindow(covers); err != nil {
					return usagef("--covers: %v", err)
				}
			}
			options, err := a.siteOptions()
			if err != nil {
				return err
			}
			source, err := files.Open(args, files.Options{ObservedOn: observed})
			if err != nil {
				return &pipeline.RefusedError{Err: err}
			}
			if settingsFile == "" {
				if settingsFile, _, err = source.Settings(); err != nil {
					return &pipeline.RefusedError{Err: err}
				}
			}
			clinic, err := readSettings(settingsFile)
			if err != nil {
				return err
			}
			site, err := pipeline.OpenSite(ctx, options)
			if err != nil {
				return err
			}
			skipped := source.Skipped()
			progress, stop := a.progress()
			in, err := site.Ingest(ctx, source, pipeline.IngestOptions{
				Source: "files", Settings: clinic, Covers: window, Progress: progress,
				Skip: func(name, why string) { skipped = append(skipped, files.Skipped{Path: name, Reason: why}) },
			})
			stop()
			for _, s := range skipped {
				a.tell("left out   %s: %s", s.Path, s.Reason)
			}
			if err != nil {
				return err
			}
			a.tellKey(site)
			a.tellIngested(in)
			if a.json {
				return json.NewEncoder(a.stdout).Encode(in)
			}
			return nil
		},
	}
	a.lakeFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&settingsFile, "settings", "", "clinic.yaml `file` (default: the one in the folder, else the lake's)")
	flags.StringVar(&covers, "covers", "", "`FROM..TO`: the files hold every row of this range; what is missing in them is deleted")
	flags.StringVar(&observedOn, "observed-on", "", "`date` whose end the files show, where neither names nor rows tell")
	return cmd
}

// tellIngested says of each file what was taken, and what was not.
func (a *app) tellIngested(in *pipeline.Ingested) {
	for _, f := range in.Files {
		a.tell("%-13s  %8d rows  %s", f.Dataset, f.Rows, f.Name)
		if f.Quarantined > 0 {
			a.tell("               %8d of them quarantined, the first: %s", f.Quarantined, f.FirstQuarantined)
		}
	}
	if dropped := in.DroppedHeaders(); dropped != "" {
		a.tell("columns not taken, because nothing here needs them: %s", dropped)
	}
}
