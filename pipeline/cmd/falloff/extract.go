package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

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
	// writes are those that could have changed something at the portal.
	writes []browser.Entry
}

// namedRequest is one kind of refused request.
type namedRequest struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

func countRequests(ledger *browser.Ledger) requests {
	out := requests{Allowed: ledger.Allowed(), Refused: ledger.Refused()}
	for _, e := range ledger.Entries() {
		if e.RefusedWrite() {
			out.writes = append(out.writes, e)
		}
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
	// once says that a day which has landed is not read again.
	once     bool
	format   string
	manners  manners
	pictures *pictures
}

// extracted says what a run did.
type extracted struct {
	*pipeline.Extracted
	// Attempts counts what was tried, one for the run and one for everything that was tried again; Retried says why.
	Attempts int                      `json:"attempts"`
	Retried  map[extractors.Cause]int `json:"retried,omitempty"`
	Built    *pipeline.Built          `json:"built"`
	Requests requests                 `json:"requests"`
	// Iceberg is what became of the Iceberg tables, nil where they do not follow commits.
	Iceberg *followed `json:"iceberg,omitempty"`
	// State is what extraction of the clinic is in afterwards, Todo what a person should do about it.
	State pipeline.State `json:"state,omitempty"`
	Todo  string         `json:"todo,omitempty"`
	// Error is how it ended, nil where it did not fail.
	Error *namedError `json:"error,omitempty"`
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
	if err := a.behave(ctx, j, &signed.config); err != nil {
		return out, err
	}
	signed.config.Format, signed.config.Progress = j.format, counting(out, showExtraction(progress))
	j.pictures.taking(&signed.config)
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
		Portal: portal, Credentials: signed.credentials.ID, Account: signed.credentials.Account, Settings: j.settings, Plan: j.plan, Once: j.once,
		Seal: staging, Budget: j.manners.budget, Progress: shown,
		Begun: func(ctx context.Context, run string) error {
			return j.kept.record(ctx, audit.RunStarted, "run", nil, audit.Fields{"id": run, "to": j.plan.Day.String()})
		},
		SigningIn: func(ctx context.Context) error {
			return j.kept.record(ctx, audit.SignedIn, "portal", nil, audit.Fields{"outcome": "begun", "credentials": signed.credentials.ID})
		},
	})
	out.Requests = portal.requests()
	if err = a.ended(ctx, j, out, err); err != nil {
		return out, err
	}
	out.Built, err = j.site.Build(ctx, pipeline.BuildOptions{Progress: progress})
	out.Iceberg = a.follow(ctx, j.site)
	return out, err
}

// behave has the portal treated as the settings say, and refuses to begin in the clinic's quiet hours.
func (a *app) behave(ctx context.Context, j journey, config *jane.Config) error {
	manners, err := j.manners.chosen(ctx, j.site)
	if err != nil {
		return err
	}
	config.Politeness, config.Browser.UserAgent = manners.Politeness, manners.userAgent
	if config.Politeness.QuietFrom == config.Politeness.QuietTo {
		return nil
	}
	clinic := j.settings
	if clinic == nil {
		stored, err := j.site.Settings(ctx)
		if err != nil {
			return err
		}
		clinic = &stored
	}
	zone, err := clinic.Zone()
	if err != nil {
		return err
	}
	config.Politeness.Zone = zone
	return config.Politeness.Quiet(a.now())
}

// counting counts what is tried again.
func counting(out *extracted, show func(jane.Event)) func(jane.Event) {
	out.Attempts = 1
	return func(e jane.Event) {
		if e.Again != "" {
			if out.Retried == nil {
				out.Retried = map[extractors.Cause]int{}
			}
			out.Retried[e.Again]++
			out.Attempts++
		}
		show(e)
	}
}

// ended writes down how a run ended, also after it was interrupted, and finds what state that leaves the clinic in. It
// returns the run's own error before any of its own.
func (a *app) ended(ctx context.Context, j journey, out *extracted, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordingTime)
	defer cancel()
	if hold, failed := j.site.Hold(ctx); failed == nil {
		out.State, out.Todo = hold.State()
	}
	run := firstOf(out.Run, "none")
	for _, w := range out.Requests.writes {
		path := strings.TrimLeft(w.Path, "/")
		if noting := j.kept.record(ctx, audit.WriteRefused, "portal", nil, audit.Fields{
			"id": run, "method": firstOf(strings.Trim(w.Method, "*"), "other"), "path": firstOf(strings.Trim(path, "*"), "other"), "count": w.Count,
		}); err == nil {
			err = noting
		}
	}
	rows := 0
	for _, f := range out.Files {
		rows += f.Rows
	}
	if noting := j.kept.record(ctx, audit.RunEnded, "run", nil, audit.Fields{
		"id": run, "outcome": outcomeWord(err), "commit": out.Commit, "reports": len(out.Files), "rows": rows,
	}); err == nil {
		err = noting
	}
	return err
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
	config.Orders, config.ObservedOn, config.Check, config.Pause, config.Budget, config.Access = wanted, w.ObservedOn, w.Check, w.Before, w.Budget, w.Access
	source, err := jane.New(config)
	if err != nil {
		return nil, usagef("%v", err)
	}
	o.source = source
	return source, nil
}

func (o *orders) requests() requests {
	if o.source == nil {
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
