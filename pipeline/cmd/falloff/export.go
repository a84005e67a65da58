package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/warehouse/export"
)

func (a *app) exportCommand() *cobra.Command {
	var o pipeline.ExportOptions
	var form string
	var keys keptKeys
	cmd := &cobra.Command{
		Use:   "export --lake DIR --clinic NAME --out DIR [--format csv|json|parquet] [--commit N] [--keys DIR]",
		Short: "write everything of a clinic into a folder that needs no falloff to be read",
		Example: `  falloff export --lake lake --clinic harbour-street --out harbour-street-2026-01
  falloff export --lake lake --clinic harbour-street --out everything --format parquet --commit 12
  falloff export --lake lake --clinic harbour-street --out everything --keys keys-of-everything`,
		Args: cobra.NoArgs,
		Long: `Writes every dataset and mart of the newest commit, or of --commit N, with the clinic's settings, a data dictionary and a
manifest of digests. The folder must not be there yet, or be empty; it appears as a whole or not at all. docs/analysts.md says
what lies in it.

falloff import of that folder makes the same lake again, where the clinic's keys are. falloff delete destroys them, and another
installation never had them: --keys DIR keeps them in a folder of their own, sealed by a passphrase, for falloff import --keys DIR.
Whoever has it and the passphrase can tell whose pseudonym a known patient's is: keep the two apart.

What the folder of --out holds is under pseudonyms and in the open: it is not encrypted. First names go with it only with
--identities, in recovery mode. Each export is one audit record. What an export left that was killed, the next one beside it removes.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if o.Form = export.Form(form); !slices.Contains(export.Forms(), o.Form) {
				return usagef("--format %q is not known: use csv, json or parquet", form)
			}
			if o.Out == "" {
				return usagef("no folder: say where to write with --out, a folder that is not there yet")
			}
			if err := keys.check(); err != nil {
				return err
			}
			k, err := a.kept(ctx)
			if err != nil {
				return err
			}
			site, err := pipeline.OpenExistingSite(ctx, k.options)
			if err != nil {
				return err
			}
			var kept *vault.Vault
			if keys.dir != "" {
				if kept, err = keys.open(ctx, a, true); err != nil {
					return err
				}
				defer kept.Close()
			}
			if err := k.record(ctx, audit.ClinicExported, "export", nil, audit.Fields{
				"format": form, "commit": o.Commit, "identities": o.Identities, "keys": kept != nil,
			}); err != nil {
				return err
			}
			progress, stop := a.progress()
			o.Progress = progress
			o.Swept = func(folder string) { a.tellf("removed %s, which an export left that was ended", folder) }
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
			if err := a.tellKept(ctx, site, kept, o); err != nil {
				return err
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
	keys.register(flags, "keep the clinic's keys too, sealed by a passphrase: a `folder` that is not there yet")
	flags.BoolVar(&o.Identities, "identities", false, "first names too, of a clinic in recovery mode")
	return cmd
}

// tellKept keeps the clinic's keys where that was asked for, and says what an import will need.
func (a *app) tellKept(ctx context.Context, site *pipeline.Site, kept *vault.Vault, o pipeline.ExportOptions) error {
	if kept == nil {
		a.tellf("To import it again needs the clinic's keys, which falloff delete destroys: keep a copy of the vault, or export with --keys.")
		return nil
	}
	if err := site.KeepKeys(ctx, kept, o.Identities); err != nil {
		return fmt.Errorf("the export is in %s, but its keys were not kept: %w", o.Out, err)
	}
	a.tellf("The clinic's keys are in %s too, sealed by the passphrase: keep it apart from %s.", kept.Paths().Vault, o.Out)
	return nil
}

// importExport takes in a folder that falloff export wrote.
func (a *app) importExport(cmd *cobra.Command, folder string, keys keptKeys) error {
	for _, flag := range []string{"settings", "covers", "observed-on"} {
		if cmd.Flags().Changed(flag) {
			return usagef("--%s is for report files, and %s is an export, which says by itself what it holds", flag, folder)
		}
	}
	options, err := a.siteOptions()
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	if options.Vault, err = pipeline.OpenVault(ctx, options); err != nil {
		return err
	}
	if err := a.returnKeys(ctx, options, folder, keys); err != nil {
		return err
	}
	site, err := pipeline.OpenSite(ctx, options)
	if err != nil {
		return err
	}
	a.tellKey(site)
	progress, stop := a.progress()
	in, err := site.ImportExport(ctx, folder, progress)
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

// returnKeys sees to it that the vault has the export's keys, before a lake is made. A clinic that may not be opened says so first.
func (a *app) returnKeys(ctx context.Context, o pipeline.SiteOptions, folder string, keys keptKeys) error {
	if err := keys.check(); err != nil {
		return err
	}
	if err := pipeline.MayOpen(ctx, o); err != nil {
		return err
	}
	var kept *vault.Vault
	if keys.dir != "" {
		var err error
		if kept, err = keys.open(ctx, a, false); err != nil {
			return err
		}
		defer kept.Close()
	}
	return pipeline.ReturnKeys(ctx, o, folder, kept)
}
