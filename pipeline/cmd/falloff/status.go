package main

import (
	"encoding/json"
	"fmt"
	"time"

	"cloud.google.com/go/civil"
	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
)

func (a *app) statusCommand() *cobra.Command {
	var o overview
	cmd := &cobra.Command{
		Use:   "status --lake DIR [--clinic NAME]",
		Short: "show how clinics stand: what has landed, how fresh it is, what is next, what to do",
		Example: `  falloff status --lake lake                           # every clinic, a line each
  falloff status --lake lake --watch                   # drawn anew every five seconds
  falloff status --lake lake --check > /dev/null       # code 4 where a person must act
  falloff status --lake lake --clinic harbour-street   # all there is to say of one`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case a.flags.Clinic == "" && (a.file.Clinic == "" || o != overview{interval: o.interval}):
				if o.interval < time.Second {
					return usagef("--interval %s: give a second or more", o.interval)
				}
				return a.statusOfAll(cmd.Context(), o)
			case o.datasets || o.watch || o.check:
				return usagef("--datasets, --watch and --check are about all clinics: leave --clinic out")
			}
			site, err := a.existingSite(cmd.Context())
			if err != nil {
				return err
			}
			status, err := site.Status(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				encoder := json.NewEncoder(a.stdout)
				encoder.SetIndent("", "  ")
				return encoder.Encode(status)
			}
			return a.printStatus(status)
		},
	}
	a.lakeFlags(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&o.datasets, "datasets", false, "of every clinic, up to which day each dataset is good")
	flags.BoolVar(&o.watch, "watch", false, "draw it anew until Ctrl-C")
	flags.DurationVar(&o.interval, "interval", 5*time.Second, "`time` between two drawings")
	flags.BoolVar(&o.check, "check", false, "end with code 4 where a person must act")
	return cmd
}

func (a *app) printStatus(s *pipeline.Status) error {
	built := "not built yet: run falloff build"
	if s.BuiltAsOf.IsValid() {
		built = fmt.Sprintf("as of %s, from commit %d", s.BuiltAsOf, s.BuiltFrom)
		if s.Stale {
			built += "; newer data has landed since: run falloff build"
		}
	}
	state := string(s.State)
	if s.Todo != "" {
		state += ": " + s.Todo
	}
	if s.Erasing {
		state = pipeline.UnfinishedErasureError{}.Error()
	}
	if s.Running != nil {
		state = fmt.Sprintf("running since %s, process %d on %s", s.Running.Since.Format("2006-01-02 15:04 MST"), s.Running.PID, s.Running.Host)
	}
	_, err := fmt.Fprintf(a.stdout, "clinic    %s\nlake      %s\nstate     %s\ncommit    %d, made %s\nreports   show %s\nmodels    %s\n\n",
		s.Clinic, s.Lake, state, s.Commit, s.CommittedAt.Format("2006-01-02 15:04 MST"), orDash(s.AsOf), built)
	if err != nil {
		return err
	}
	if n := s.Unsent; n.Waiting+n.Lost > 0 {
		if _, err := fmt.Fprintf(a.stdout, "messages  %d wait, %d did not arrive in the last week: falloff notify log says why\n\n", n.Waiting, n.Lost); err != nil {
			return err
		}
	}
	var rows [][]any
	for _, f := range s.Datasets {
		rows = append(rows, []any{f.Dataset, f.Rows, f.Objects, f.Bytes, orDash(f.From), orDash(f.To), orDash(f.ObservedOn), s.Quarantined(f.Dataset)})
	}
	if err := printTable(a.stdout, []string{"dataset", "rows", "objects", "bytes", "reports from", "to", "show", "quarantined"}, rows); err != nil {
		return err
	}
	return printClosedLeaks(a.stdout, s.Closed)
}

func orDash(d civil.Date) string {
	if !d.IsValid() {
		return "-"
	}
	return d.String()
}
