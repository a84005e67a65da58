package main

import (
	"encoding/json"

	"cloud.google.com/go/civil"
	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
)

func (a *app) buildCommand() *cobra.Command {
	var asOf string
	cmd := &cobra.Command{
		Use:     "build --lake DIR --clinic NAME [--as-of DATE]",
		Short:   "build the models over what has landed",
		Example: "  falloff build --lake lake --clinic harbour-street --as-of 2026-03-31",
		Args:    cobra.NoArgs,
		Long: `Builds the SQL models over the newest commit and commits the marts. The day D that they speak about is the
newest day that the landed reports show, or --as-of: facts dated after it change nothing.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			day, err := parseDay("--as-of", asOf)
			if err != nil {
				return err
			}
			site, err := a.existingSite(cmd.Context())
			if err != nil {
				return err
			}
			progress, stop := a.progress()
			built, err := site.Build(cmd.Context(), pipeline.BuildOptions{AsOf: day, Progress: progress})
			stop()
			if err != nil {
				return err
			}
			iceberg := a.follow(cmd.Context(), site)
			if a.json {
				return json.NewEncoder(a.stdout).Encode(struct {
					*pipeline.Built
					Iceberg *followed `json:"iceberg,omitempty"`
				}{built, iceberg})
			}
			return nil
		},
	}
	a.lakeFlags(cmd)
	cmd.Flags().StringVar(&asOf, "as-of", "", "the `date` D, YYYY-MM-DD (default: the newest day that the reports show)")
	return cmd
}

// parseDay reads a flag's date; empty is the zero date.
func parseDay(flag, text string) (civil.Date, error) {
	if text == "" {
		return civil.Date{}, nil
	}
	day, err := civil.ParseDate(text)
	if err != nil || !day.IsValid() {
		return civil.Date{}, usagef("%s %q is not a date: write it as YYYY-MM-DD", flag, text)
	}
	return day, nil
}
