package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"cloud.google.com/go/civil"
	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// asked is what the flags of a run say.
type asked struct {
	from, to, settingsFile, format string
	pause, quietHours, snapshots   string
	trailing, budget               int
	deadline                       time.Duration
	dry, once                      bool
}

func (a *app) runCommand() *cobra.Command {
	var o asked
	cmd := &cobra.Command{
		Use:   "run --lake DIR --clinic NAME [--from DATE] [--to DATE]",
		Short: "sign in to the portal, extract, land and build",
		Example: `  falloff connect --lake lake --clinic harbour-street --portal-url https://harbour-street.janeapp.com   # once
  falloff run --lake lake --clinic harbour-street --settings clinic.yaml --from 2025-01-01             # with its history
  falloff run --lake lake --clinic harbour-street                                                     # every night
  falloff run --lake lake --clinic harbour-street --from 2019-01-01 --dry-run                          # what its history would ask`,
		Args: cobra.NoArgs,
		Long: `Signs in through a real browser as the clinic's billing clerk, exports what is due, lands it under pseudonyms in one commit,
and builds the models. The browser can send only what the profile allows; everything else is refused before it leaves, and
counted.

What is due: the last 90 days, since invoices change for weeks; every older month in which money is open; and of the other
months the one that was read longest ago. --from reads everything from that day on; --dry-run prints the plan, with about how
many requests it takes, and signs in to nothing. A run that was cut short goes on where it stopped. One that reads history and has
spent the day's requests, or its --deadline, is gone on with by the next, also on another day, until it has landed.

Account and password come from the vault: falloff connect puts them there, and records the agreement without which nobody
signs in. Reports are exported as CSV, which is read several times faster than XLSX and says the same.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var budget *int
			if cmd.Flags().Changed("budget") {
				budget = &o.budget
			}
			manners, err := a.file.Politeness.over(o.pause, o.quietHours, budget)
			if err != nil {
				return a.inJSON(&extracted{}, err)
			}
			ctx := cmd.Context()
			switch {
			case o.deadline < 0:
				return a.inJSON(&extracted{}, usagef("--deadline %s: give a time above 0, such as 3h", o.deadline))
			case o.deadline > 0:
				var stop context.CancelFunc
				ctx, stop = pipeline.WithDeadline(ctx, o.deadline)
				defer stop()
			}
			out, err := a.runOnce(ctx, o, manners)
			a.counted(cmd.Context(), firstOf(a.flags.Clinic, a.file.Clinic), out)
			err = pipeline.StoppedFor(ctx, err)
			if o.dry && err == nil {
				return nil
			}
			return a.inJSON(out, err)
		},
	}
	a.lakeFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.settingsFile, "settings", "", "clinic.yaml `file` (default: the one in the lake)")
	flags.StringVar(&o.from, "from", "", "first `date` to read (default: what is due)")
	flags.StringVar(&o.to, "to", "", "last `date` to read, whose end the reports show (default: the clinic's yesterday)")
	flags.StringVar(&o.format, "format", "csv", "`form` to export: csv or xlsx")
	flags.IntVar(&o.trailing, "trailing", pipeline.TrailingDays, "how many `days` are read again every time")
	flags.IntVar(&o.budget, "budget", pipeline.DefaultBudget, "how many `requests` a day the portal is asked at most; -1 for any number")
	flags.StringVar(&o.pause, "pause", "", "`range` of the pause between two exports (default 3s-20s; none at an address of this machine)")
	flags.StringVar(&o.quietHours, "quiet-hours", "", "`hours` in the clinic's zone in which nothing is read, such as 08:00-18:00 (default none)")
	flags.BoolVar(&o.once, "once", false, "read nothing where that last day, or with --from that history, has landed already; build what is missing")
	flags.DurationVar(&o.deadline, "deadline", 0, "`time` after which the run ends in order, such as 3h; what it has read stays (default none)")
	flags.BoolVar(&o.dry, "dry-run", false, "print what would be exported, why, and in about how many requests; sign in to nothing")
	a.profileFlag(cmd)
	snapshotsFlag(cmd, &o.snapshots)
	return cmd
}

// inJSON prints what a run did, and how it failed, where that was asked for. The error stays the command's.
func (a *app) inJSON(out *extracted, err error) error {
	if !a.json {
		return err
	}
	out.Error = nameError(err)
	if failed := json.NewEncoder(a.stdout).Encode(out); err == nil {
		err = failed
	}
	return err
}

// runOnce is a run, or the plan of one. What is returned beside an error says how far it came.
func (a *app) runOnce(ctx context.Context, o asked, manners manners) (*extracted, error) {
	nothing := &extracted{}
	window, err := givenWindow(o.from, o.to)
	if err != nil {
		return nothing, err
	}
	options, err := a.siteOptions()
	if err != nil {
		return nothing, err
	}
	clinic, err := readSettings(o.settingsFile)
	if err != nil {
		return nothing, err
	}
	switch {
	case o.format != "xlsx" && o.format != "csv":
		return nothing, usagef("--format %q is not known: use xlsx or csv", o.format)
	case o.trailing < 1 || o.trailing > 3660:
		return nothing, usagef("--trailing %d: give a number of days from 1 to 3660", o.trailing)
	}
	pictures, err := a.picturesIn(o.snapshots)
	if err != nil {
		return nothing, err
	}
	kept, err := a.keep(ctx, options)
	if err != nil {
		return nothing, err
	}
	if !o.dry {
		// Whoever may not sign in makes no lake.
		signed, err := a.entry(ctx, kept)
		if err != nil {
			return nothing, err
		}
		signed.credentials.Wipe()
	}
	site, err := pipeline.OpenSite(ctx, kept.options)
	if err != nil {
		return nothing, err
	}
	a.tellKey(site)
	if window, err = a.usualWindow(ctx, window, site, clinic); err != nil {
		return nothing, err
	}
	plan := pipeline.PlanOptions{Day: window.To, From: window.From, Trailing: o.trailing}
	var unfinished *pipeline.Unfinished
	if o.to == "" || o.once {
		if plan, unfinished, err = site.GoOn(ctx, plan); err != nil {
			return nothing, err
		}
	}
	if o.dry {
		return nothing, a.printPlan(ctx, site, plan, unfinished, manners.budget)
	}
	if unfinished != nil {
		a.tellf("%s", goingOn(unfinished))
	} else if err := a.tellEstimate(ctx, site, plan, manners.budget); err != nil {
		return nothing, err
	}
	progress, stop := a.progress()
	out, err := a.extract(ctx, journey{
		kept: kept, site: site, settings: clinic, plan: plan, once: o.once, format: o.format, manners: manners, pictures: pictures,
	}, progress)
	stop()
	a.tellRefused(out)
	return out, err
}

// givenWindow is the range as far as the flags say it.
func givenWindow(from, to string) (extractors.Window, error) {
	var w extractors.Window
	var err error
	if w.To, err = parseDay("--to", to); err != nil {
		return w, err
	}
	if w.From, err = parseDay("--from", from); err != nil {
		return w, err
	}
	if w.From.IsValid() && w.To.IsValid() && w.To.Before(w.From) {
		return w, usagef("--from %s is after --to %s: swap them", w.From, w.To)
	}
	return w, nil
}

// usualWindow fills in what the flags leave out. The last day is the clinic's yesterday, not this machine's: a day that is
// still going on there would be taken for one that is over.
func (a *app) usualWindow(ctx context.Context, w extractors.Window, site *pipeline.Site, clinic *settings.Clinic) (extractors.Window, error) {
	if !w.To.IsValid() {
		if clinic == nil {
			stored, err := site.Settings(ctx)
			if err != nil {
				return w, err
			}
			clinic = &stored
		}
		zone, err := clinic.Zone()
		if err != nil {
			return w, err
		}
		w.To = civil.DateOf(a.now().In(zone)).AddDays(-1)
	}
	if w.From.IsValid() && w.To.Before(w.From) {
		return w, usagef("--from %s is after the clinic's yesterday, %s: give --to as well", w.From, w.To)
	}
	return w, nil
}

// readSettings reads a clinic.yaml; an empty path gives nil.
func readSettings(path string) (*settings.Clinic, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // no file named: the lake's settings are used
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("reading the clinic's settings: %v", err)
	}
	clinic, err := settings.Parse(text, path)
	if err != nil {
		return nil, &pipeline.RefusedError{Err: err}
	}
	return &clinic, nil
}
