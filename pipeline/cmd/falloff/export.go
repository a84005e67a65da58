package main

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/warehouse/export"
)

func (a *app) exportCommand() *cobra.Command {
	var o pipeline.ExportOptions
	var form string
	cmd := &cobra.Command{
		Use:   "export --lake DIR --clinic NAME --out DIR [--format csv|json|parquet] [--commit N]",
		Short: "write everything of a clinic into a folder that needs no falloff to be read",
		Example: `  falloff export --lake lake --clinic harbour-street --out harbour-street-2026-01
  falloff export --lake lake --clinic harbour-street --out everything --format parquet --commit 12`,
		Args: cobra.NoArgs,
		Long: `Writes every dataset and mart of the newest commit, or of --commit N, with the clinic's settings, a data dictionary and a
manifest of digests. The folder must not be there yet, or be empty; it appears as a whole or not at all. docs/analysts.md says
what lies in it.

falloff import of that folder makes the same lake again, where the clinic's keys are. What the folder holds is under pseudonyms
and in the open: it is not encrypted. First names go with it only with --identities, in recovery mode. Each export is one audit
record.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if o.Form = export.Form(form); !slices.Contains(export.Forms(), o.Form) {
				return usagef("--format %q is not known: use csv, json or parquet", form)
			}
			if o.Out == "" {
				return usagef("no folder: say where to write with --out, a folder that is not there yet")
			}
			k, err := a.kept(ctx)
			if err != nil {
				return err
			}
			site, err := pipeline.OpenExistingSite(ctx, k.options)
			if err != nil {
				return err
			}
			if err := k.record(ctx, audit.ClinicExported, "export", nil, audit.Fields{"format": form, "commit": o.Commit, "identities": o.Identities}); err != nil {
				return err
			}
			progress, stop := a.progress()
			o.Progress = progress
			m, err := site.Export(ctx, o)
			stop()
			if errors.Is(err, export.ErrTaken) {
				return usagef("--out %v", err)
			}
			if err != nil {
				return err
			}
			for _, name := range slices.Sorted(maps.Keys(m.LeftOut)) {
				a.tellf("left out %s: %s", name, m.LeftOut[name])
			}
			if a.json {
				rows, files := m.Rows()
				return json.NewEncoder(a.stdout).Encode(struct {
					Out    string      `json:"out"`
					Format export.Form `json:"format"`
					Commit int64       `json:"commit"`
					Rows   int64       `json:"rows"`
					Files  int         `json:"files"`
				}{o.Out, o.Form, m.Commit, rows, files})
			}
			return nil
		},
	}
	a.lakeFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.Out, "out", "", "`folder` to write, not there yet or empty")
	flags.StringVar(&form, "format", string(export.CSV), "`form` of the files: csv, json (one object a line) or parquet")
	flags.Int64Var(&o.Commit, "commit", 0, "`number` of the commit to export (default: the newest)")
	flags.BoolVar(&o.Identities, "identities", false, "first names too, of a clinic in recovery mode")
	return cmd
}

// importExport takes in a folder that falloff export wrote.
func (a *app) importExport(cmd *cobra.Command, folder string) error {
	for _, flag := range []string{"settings", "covers", "observed-on"} {
		if cmd.Flags().Changed(flag) {
			return usagef("--%s is for report files, and %s is an export, which says by itself what it holds", flag, folder)
		}
	}
	options, err := a.siteOptions()
	if err != nil {
		return err
	}
	site, err := pipeline.OpenSite(cmd.Context(), options)
	if err != nil {
		return err
	}
	a.tellKey(site)
	progress, stop := a.progress()
	in, err := site.ImportExport(cmd.Context(), folder, progress)
	stop()
	if err != nil {
		return err
	}
	if a.json {
		return json.NewEncoder(a.stdout).Encode(in)
	}
	for _, name := range slices.Sorted(maps.Keys(in.LeftOut)) {
		a.tellf("not in the export: %s: %s", name, in.LeftOut[name])
	}
	return nil
}
