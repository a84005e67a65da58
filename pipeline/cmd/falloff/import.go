package main

import (
	"encoding/json"
	"errors"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/files"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/transforms/settings"
	"github.com/falloff-analytics/falloff/warehouse/export"
)

func (a *app) importCommand() *cobra.Command {
	var settingsFile, covers, observedOn string
	var keys keptKeys
	cmd := &cobra.Command{
		Use:   "import --lake DIR --clinic NAME PATH...",
		Short: "land report files that a person exported",
		Example: `  falloff import --lake lake --clinic harbour-street exports/
  falloff import --lake lake --clinic harbour-street --covers 2026-01-01..2026-03-31 q1/`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("name the files or folders to import")
			}
			return nil
		},
		Long: `Reads CSV and XLSX files or folders of them. Which report a file is its header tells; other files are named and left
out. clinic.yaml is taken from the folder, or from --settings, or stays as it is in the lake. Names, contact data and
notes are not read; patients become pseudonyms. All of it lands in one commit, or nothing does.

Importing again changes nothing, and the order of imports does not matter: of two versions of a row the one from the
newer report stays. Rows are only ever deleted by --covers, which says that the files hold everything of a range.
docs/import.md lists the reports, with a sample of each.

A folder that falloff export wrote is taken in as a whole, into a clinic that has no data yet. Where the vault lacks the clinic's
keys, because it is another machine's or the clinic was deleted, --keys names those that falloff export --keys kept. An id that was
deleted is not used again in its lake: give another --clinic, or another --lake.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && export.Is(args[0]) {
				return a.importExport(cmd, args[0], keys)
			}
			if keys.dir != "" {
				return usagef("--keys is for an export: a folder that falloff export wrote")
			}
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
			clinic, err := importSettings(source, settingsFile)
			if err != nil {
				return err
			}
			site, err := pipeline.OpenSite(ctx, options)
			if err != nil {
				return err
			}
			a.tellKey(site)
			out := imported{LeftOut: []leftOut{}}
			for _, s := range source.Skipped() {
				out.LeftOut = append(out.LeftOut, leftOut(s))
			}
			progress, stop := a.progress()
			out.Ingested, err = site.Ingest(ctx, source, pipeline.IngestOptions{
				Source: "files", Settings: clinic, Covers: window, ObservedOn: observed, Progress: progress,
				Identities: site.Mode() == pipeline.Recovery,
				Skip:       func(name, why string) { out.LeftOut = append(out.LeftOut, leftOut{name, why}) },
			})
			stop()
			for _, f := range out.LeftOut {
				a.tellf("left out %s: %s", f.Path, f.Reason)
			}
			if err != nil {
				return err
			}
			out.Iceberg = a.follow(cmd.Context(), site)
			if a.json {
				return json.NewEncoder(a.stdout).Encode(out)
			}
			return a.tellIngested(out.Ingested)
		},
	}
	a.lakeFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&settingsFile, "settings", "", "clinic.yaml `file` (default: the one in the folder, else the lake's)")
	keys.register(flags, "of an export: the `folder` of its keys, as falloff export --keys made it")
	flags.StringVar(&covers, "covers", "", "`FROM..TO`: the files hold every row of this range; what is missing in them is deleted")
	flags.StringVar(&observedOn, "observed-on", "", "`date` whose end all these files show (default: what each file tells)")
	return cmd
}

// imported says what an import did, as --json prints it.
type imported struct {
	*pipeline.Ingested
	LeftOut []leftOut `json:"left_out"`
	// Iceberg is what became of the Iceberg tables, nil where they do not follow commits.
	Iceberg *followed `json:"iceberg,omitempty"`
}

// leftOut is a file that was not read, and why.
type leftOut struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// importSettings reads the clinic.yaml that was named, else the one in the imported folders; nil where there is none.
func importSettings(source *files.Source, named string) (*settings.Clinic, error) {
	if named != "" {
		return readSettings(named)
	}
	path, text, err := source.Settings()
	if err != nil {
		return nil, &pipeline.RefusedError{Err: err}
	}
	if path == "" {
		return nil, nil //nolint:nilnil // none found: the lake's settings are used
	}
	clinic, err := settings.Parse(text, path)
	if err != nil {
		return nil, &pipeline.RefusedError{Err: err}
	}
	return &clinic, nil
}

// tellIngested says of each dataset what came in and what was new of it, and of each file what was not taken.
func (a *app) tellIngested(in *pipeline.Ingested) error {
	if a.quiet {
		return nil
	}
	type total struct{ files, rows, quarantined int }
	totals := map[string]total{}
	var order []string
	for _, f := range in.Files {
		t, seen := totals[f.Dataset]
		if !seen {
			order = append(order, f.Dataset)
		}
		totals[f.Dataset] = total{t.files + 1, t.rows + f.Rows, t.quarantined + f.Quarantined}
	}
	var rows [][]any
	for _, dataset := range order {
		t, m := totals[dataset], in.Merged[dataset]
		rows = append(rows, []any{dataset, t.files, t.rows, t.quarantined, m.Added, m.Changed, m.Unchanged, m.Outdated, m.Removed})
	}
	a.tellf("")
	if err := printTable(a.stderr, []string{"dataset", "files", "rows", "quarantined", "new", "changed", "unchanged", "outdated", "deleted"}, rows); err != nil {
		return err
	}
	for _, f := range in.Files {
		if f.Quarantined > 0 {
			a.tellf("quarantined %d of %d rows, the first: %s", f.Quarantined, f.Rows, f.FirstQuarantined)
		}
	}
	if dropped := in.DroppedHeaders(); dropped != "" {
		a.tellf("columns not taken, because nothing here needs them: %s", dropped)
	}
	return nil
}
