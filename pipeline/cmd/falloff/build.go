package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/civil"
	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
)

// buildFlags say what to build; build and plan have them.
type buildFlags struct {
	asOf   string
	chosen []string
	full   bool
}

func (f *buildFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.asOf, "as-of", "", "the `date` D, YYYY-MM-DD (default: the newest day that the reports show)")
	flags.StringSliceVar(&f.chosen, "select", nil, "only these `marts`; lake.claims+ or leak_ledger+ are those that are made from it")
	flags.BoolVar(&f.full, "full", false, "make every mart, whether anything changed or not")
}

func (f *buildFlags) options() (pipeline.BuildOptions, error) {
	day, err := parseDay("--as-of", f.asOf)
	return pipeline.BuildOptions{AsOf: day, Select: f.chosen, Full: f.full}, err
}

func (a *app) buildCommand() *cobra.Command {
	var f buildFlags
	var knownAt, out string
	cmd := &cobra.Command{
		Use:   "build --lake DIR --clinic NAME [--as-of DATE] [--select MART,...] [--full] [--known-at TIME --out DIR]",
		Short: "build the models over what has landed",
		Example: `  falloff build --lake lake --clinic harbour-street
  falloff build --lake lake --clinic harbour-street --select leak_ledger+
  falloff build --lake lake --clinic harbour-street --as-of 2026-03-31 --known-at 2026-04-02 --out as-known-then`,
		Args: cobra.NoArgs,
		Long: `Builds the SQL models over the newest commit and commits the marts. Those that are made of the same things as the live
ones are kept: the same rows, settings, closed months, day and SQL (falloff plan says what would be made, and why).

The day D that they speak about is the newest day that the landed reports show, or --as-of: facts dated after it change
nothing. --known-at T leaves out the commits after T as well: the marts as they would have been then. They do not take the
place of the lake's, but are written to the folder of --out as Parquet, under pseudonyms and in the open; that is one audit record.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.options()
			if err != nil {
				return err
			}
			then, err := parseTime("--known-at", knownAt)
			if err != nil {
				return err
			}
			switch {
			case !then.IsZero() && out == "":
				return usagef("marts as they were known at another time do not take the place of the lake's: say with --out which folder to write them to")
			case out != "":
				return a.buildTo(cmd, o, then, out)
			}
			site, err := a.existingSite(cmd.Context())
			if err != nil {
				return err
			}
			progress, stop := a.progress()
			o.Progress = progress
			built, err := site.Build(cmd.Context(), o)
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
	f.register(cmd)
	cmd.Flags().StringVar(&knownAt, "known-at", "", "leave out commits after this `time`: a date (its end, UTC) or 2026-04-02T15:04:05Z")
	cmd.Flags().StringVar(&out, "out", "", "`folder` to write the marts to instead of committing them, not there yet or empty")
	return cmd
}

// buildTo writes marts into a folder.
func (a *app) buildTo(cmd *cobra.Command, o pipeline.BuildOptions, then time.Time, out string) error {
	ctx := cmd.Context()
	k, err := a.kept(ctx)
	if err != nil {
		return err
	}
	site, err := pipeline.OpenExistingSite(ctx, k.options)
	if err != nil {
		return err
	}
	progress, stop := a.progress()
	o.Progress = progress
	written, err := site.BuildTo(ctx, o, then, out, func(commit int64, asOf civil.Date) error {
		return k.record(ctx, audit.MartsWritten, "export", nil, audit.Fields{"commit": commit, "as_of": asOf.String()})
	})
	stop()
	if err != nil {
		return err
	}
	if a.json {
		return json.NewEncoder(a.stdout).Encode(written)
	}
	return nil
}

func (a *app) planCommand() *cobra.Command {
	var f buildFlags
	cmd := &cobra.Command{
		Use:   "plan --lake DIR --clinic NAME [--as-of DATE] [--select MART,...] [--full]",
		Short: "say what a build would make anew, and why",
		Example: `  falloff plan --lake lake --clinic harbour-street
  falloff plan --lake lake --clinic harbour-street --select lake.claims+`,
		Args: cobra.NoArgs,
		Long: `Says of each mart whether falloff build would make it anew, and what differs from what the live one was made of: months of
datasets, settings, the day, closed months, the SQL of a model on the way. Nothing is read but the newest commit, and nothing is
done.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := f.options()
			if err != nil {
				return err
			}
			site, err := a.existingSite(cmd.Context())
			if err != nil {
				return err
			}
			plan, err := site.PlanBuild(cmd.Context(), o)
			if err != nil {
				return err
			}
			if a.json {
				return json.NewEncoder(a.stdout).Encode(plan)
			}
			return a.printBuildPlan(plan)
		},
	}
	a.lakeFlags(cmd)
	f.register(cmd)
	return cmd
}

func (a *app) printBuildPlan(plan *pipeline.BuildPlan) error {
	var rows [][]any
	makes, behind := 0, 0
	for _, m := range plan.Marts {
		action := "keep"
		switch {
		case m.Make:
			action, makes = "make", makes+1
		case m.Behind:
			action, behind = "behind", behind+1
		}
		rows = append(rows, []any{m.Name, action, strings.Join(m.Why, "; ")})
	}
	for _, name := range plan.Dropped {
		rows = append(rows, []any{name, "drop", "no model makes it any more"})
	}
	if err := printTable(a.stdout, []string{"mart", "build would", "why"}, rows); err != nil {
		return err
	}
	text := fmt.Sprintf("\n%d of %d marts would be made anew, as of %s over the data of commit %d.\n", makes, len(plan.Marts), plan.AsOf, plan.Input)
	if makes == 0 {
		text = fmt.Sprintf("\nNothing to make: the marts are as of %s over the data of commit %d.\n", plan.AsOf, plan.Input)
	}
	if behind > 0 {
		text += fmt.Sprintf("%d were not selected and stay behind.\n", behind)
	}
	_, err := fmt.Fprint(a.stdout, text)
	return err
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

// parseTime reads a flag's moment: an instant, or a date, which stands for the end of that day in UTC. Empty is the zero time.
func parseTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	day, err := civil.ParseDate(text)
	if err != nil || !day.IsValid() {
		return time.Time{}, usagef("%s %q is no moment: write it as YYYY-MM-DD, or as 2026-04-02T15:04:05Z", flag, text)
	}
	return day.AddDays(1).In(time.UTC).Add(-time.Nanosecond), nil
}
