package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"cloud.google.com/go/civil"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/browser"
	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// requests counts what the browser sent and what it was kept from sending.
type requests struct {
	Allowed int            `json:"allowed"`
	Refused int            `json:"refused"`
	Named   []namedRequest `json:"refused_by_name,omitempty"`
}

// namedRequest is one kind of refused request.
type namedRequest struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

func countRequests(ledger *browser.Ledger) requests {
	out := requests{Allowed: ledger.Allowed(), Refused: ledger.Refused()}
	for _, e := range ledger.Entries() {
		if !e.Allowed {
			out.Named = append(out.Named, namedRequest{
				Name: strings.TrimSpace(fmt.Sprintf("%s %s%s %s", e.Method, e.Host, e.Path, e.Kind)) + ": " + string(e.Reason), Count: e.Count,
			})
		}
	}
	return out
}

// journey is what run and demo share: the whole way from the portal to the marts.
type journey struct {
	kept     *keeping
	site     *pipeline.Site
	settings *settings.Clinic
	plan     pipeline.PlanOptions
	format   string
	budget   int
}

// extracted says what a run did.
type extracted struct {
	*pipeline.Extracted
	Built    *pipeline.Built `json:"built"`
	Requests requests        `json:"requests"`
}

// extract signs in with what the vault has, extracts, lands and builds. Nobody signs in without an agreement.
func (a *app) extract(ctx context.Context, j journey, progress pipeline.Progress) (*extracted, error) {
	out := &extracted{}
	signed, err := a.entry(ctx, j.kept)
	if err != nil {
		return out, err
	}
	defer signed.credentials.Wipe()
	staging, err := j.kept.vault.AEAD(ctx, j.kept.options.Clinic, "staging")
	if err != nil {
		return out, &pipeline.KeyError{Err: err}
	}
	signed.config.Format, signed.config.Progress = j.format, showExtraction(progress)
	if err := j.kept.record(ctx, audit.RunStarted, "run", nil, audit.Fields{"to": j.plan.Day.String()}); err != nil {
		return out, err
	}
	// A run that was cut short when it had read everything is finished without a browser, which would have done this.
	if swept := browser.Sweep(signed.config.Browser.ScratchParent); swept > 0 {
		a.tellf("Removed what %d dead browser session(s) had left behind.", swept)
	}
	portal := &orders{config: signed.config, profile: signed.profile}
	// Files are read as they come out of the portal, so reading has no time of its own to show.
	shown := func(s pipeline.Step) {
		if s.Name == "read" {
			if !s.Ended {
				return
			}
			out.Requests = portal.requests()
			progress(pipeline.Step{Name: "portal", Ended: true, Note: fmt.Sprintf("%d requests sent, %d refused in the browser", out.Requests.Allowed, out.Requests.Refused)})
		}
		progress(s)
	}
	out.Extracted, err = j.site.Extract(ctx, pipeline.ExtractOptions{
		Portal: portal, Credentials: signed.credentials.ID, Account: signed.credentials.Account, Settings: j.settings, Plan: j.plan,
		Seal: staging, Budget: j.budget, Progress: shown,
		SigningIn: func(ctx context.Context) error {
			return j.kept.record(ctx, audit.SignedIn, "portal", nil, audit.Fields{"outcome": "begun", "credentials": signed.credentials.ID})
		},
	})
	out.Requests = portal.requests()
	recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordingTime)
	defer cancel()
	rows := 0
	for _, f := range out.Files {
		rows += f.Rows
	}
	if noting := j.kept.record(recording, audit.RunEnded, "run", nil, audit.Fields{
		"id": firstOf(out.Run, "none"), "outcome": outcomeWord(err), "commit": out.Commit, "reports": len(out.Files), "rows": rows,
	}); err == nil {
		err = noting
	}
	if err != nil {
		return out, err
	}
	out.Built, err = j.site.Build(ctx, pipeline.BuildOptions{Progress: progress})
	return out, err
}

// recordingTime bounds the noting of how a run ended, also after it was interrupted.
const recordingTime = 10 * time.Second

// outcomeWord is how something ended, for the audit log.
func outcomeWord(err error) string {
	var failure *extractors.Failure
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &failure):
		return string(failure.Cause)
	case errors.Is(err, context.Canceled):
		return "interrupted"
	default:
		return "failed"
	}
}

// orders is the clinic's portal as a run orders from it.
type orders struct {
	config  jane.Config
	profile *jane.Profile
	source  *jane.Portal
}

// Kinds implements pipeline.Portal.
func (o *orders) Kinds() []extractors.ReportKind { return o.profile.Kinds() }

// Visit implements pipeline.Portal.
func (o *orders) Visit(wanted []extractors.Order, w pipeline.Watch) (extractors.Source, error) {
	config := o.config
	config.Orders, config.ObservedOn, config.Pause, config.Budget, config.Access = wanted, w.ObservedOn, w.Before, w.Budget, w.Access
	source, err := jane.New(config)
	if err != nil {
		return nil, usagef("%v", err)
	}
	o.source = source
	return source, nil
}

func (o *orders) requests() requests {
	if o.source == nil || o.source.Ledger() == nil {
		return requests{}
	}
	return countRequests(o.source.Ledger())
}

// showExtraction turns the portal's events into the step `portal`.
func showExtraction(progress pipeline.Progress) func(jane.Event) {
	return func(e jane.Event) {
		step := pipeline.Step{Name: "portal", Note: string(e.Step), Done: int64(e.Number), Total: int64(e.Total)}
		if e.Report != "" {
			step.Note = fmt.Sprintf("%s %s", e.Report, e.Range)
			if e.Step != jane.Downloaded && e.Number > 0 {
				step.Done--
			}
		}
		if e.Step == jane.Remark {
			step.Note = e.Note
		}
		progress(step)
	}
}

func (a *app) runCommand() *cobra.Command {
	var from, to, settingsFile, format string
	var trailing, budget int
	var dry bool
	cmd := &cobra.Command{
		Use:   "run --lake DIR --clinic NAME [--from DATE] [--to DATE]",
		Short: "sign in to the portal, extract, land and build",
		Example: `  falloff connect --lake lake --clinic harbour-street --portal-url https://harbour-street.janeapp.com   # once
  falloff run --lake lake --clinic harbour-street --settings clinic.yaml --from 2025-01-01             # with its history
  falloff run --lake lake --clinic harbour-street                                                     # every night`,
		Args: cobra.NoArgs,
		Long: `Signs in through a real browser as the clinic's billing clerk, exports what is due, lands it under pseudonyms in one commit,
and builds the models. The browser can send only what the profile allows; everything else is refused before it leaves, and
counted.

What is due: the last 90 days, since invoices change for weeks; every older month in which money is open; and of the other
months the one that was read longest ago. --from reads everything from that day on; --dry-run prints the plan and signs in
to nothing. A run that was cut short goes on where it stopped.

Account and password come from the vault: falloff connect puts them there, and records the agreement without which nobody
signs in. Reports are exported as CSV, which is read several times faster than XLSX and says the same.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			window, err := givenWindow(from, to)
			if err != nil {
				return err
			}
			options, err := a.siteOptions()
			if err != nil {
				return err
			}
			clinic, err := readSettings(settingsFile)
			if err != nil {
				return err
			}
			switch {
			case format != "xlsx" && format != "csv":
				return usagef("--format %q is not known: use xlsx or csv", format)
			case trailing < 1 || trailing > 3660:
				return usagef("--trailing %d: give a number of days from 1 to 3660", trailing)
			}
			kept, err := a.keep(ctx, options, nil)
			if err != nil {
				return err
			}
			if !dry {
				// Whoever may not sign in makes no lake.
				signed, err := a.entry(ctx, kept)
				if err != nil {
					return err
				}
				signed.credentials.Wipe()
			}
			site, err := pipeline.OpenSite(ctx, kept.options)
			if err != nil {
				return err
			}
			a.tellKey(site)
			if window, err = a.usualWindow(ctx, window, site, clinic); err != nil {
				return err
			}
			plan := pipeline.PlanOptions{Day: window.To, From: window.From, Trailing: trailing}
			if dry {
				return a.printPlan(ctx, site, plan)
			}
			progress, stop := a.progress()
			out, err := a.extract(ctx, journey{kept: kept, site: site, settings: clinic, plan: plan, format: format, budget: budget}, progress)
			stop()
			a.tellRefused(out)
			if err != nil {
				return err
			}
			if a.json {
				return json.NewEncoder(a.stdout).Encode(out)
			}
			return nil
		},
	}
	a.lakeFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&settingsFile, "settings", "", "clinic.yaml `file` (default: the one in the lake)")
	flags.StringVar(&from, "from", "", "first `date` to read (default: what is due)")
	flags.StringVar(&to, "to", "", "last `date` to read, whose end the reports show (default: the clinic's yesterday)")
	flags.StringVar(&format, "format", "csv", "`form` to export: csv or xlsx")
	flags.IntVar(&trailing, "trailing", pipeline.TrailingDays, "how many `days` are read again every time")
	flags.IntVar(&budget, "budget", pipeline.DefaultBudget, "how many `requests` a day the portal is asked at most; -1 for any number")
	flags.BoolVar(&dry, "dry-run", false, "print what would be exported, and why; sign in to nothing")
	a.profileFlag(cmd)
	return cmd
}

// printPlan prints what a run would export.
func (a *app) printPlan(ctx context.Context, site *pipeline.Site, options pipeline.PlanOptions) error {
	profile, _, err := a.profileFor(firstOf(a.flags.Clinic, a.file.Clinic), a.profilePath)
	if err != nil {
		return err
	}
	plan, err := site.Plan(ctx, profile.Kinds(), options)
	if err != nil {
		return err
	}
	if a.json {
		return json.NewEncoder(a.stdout).Encode(struct {
			pipeline.Plan
			Requests int `json:"requests_about"`
		}{plan, plan.Requests()})
	}
	_, err = fmt.Fprint(a.stdout, plan)
	return err
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

// readHidden reads a line from a terminal that does not show it, and stops waiting when the context ends: by Ctrl-C,
// after which the terminal shows again what is typed.
func readHidden(ctx context.Context, terminal int) ([]byte, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return nil, err
	}
	type line struct {
		text []byte
		err  error
	}
	typed := make(chan line, 1)
	go func() { // ends with the process at the latest: nothing can interrupt a read from a terminal
		text, err := term.ReadPassword(terminal)
		typed <- line{text, err}
	}()
	select {
	case l := <-typed:
		return l.text, l.err
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), term.Restore(terminal, before))
	}
}

// tellKey says, once a lake, where the key lies and what that protects.
func (a *app) tellKey(site *pipeline.Site) {
	a.tellOrigin(site)
}

// tellRefused names what the browser was kept from sending.
func (a *app) tellRefused(out *extracted) {
	if out == nil || out.Requests.Refused == 0 {
		return
	}
	a.tellf("\nRefused in the browser, before it left (%d):", out.Requests.Refused)
	for _, line := range out.Requests.Named {
		a.tellf("  %5d × %s", line.Count, line.Name)
	}
}
