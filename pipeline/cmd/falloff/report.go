package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/extractors/browser"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/notify"
	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/report"
)

// reportFlags say what a report is of, for whom, and where it goes.
type reportFlags struct {
	month, format, language, paper string
	person, policy                 string
	out                            string
	force, mail                    bool
	server                         remoteFlags
}

func (a *app) reportCommand() *cobra.Command {
	var o reportFlags
	cmd := &cobra.Command{
		Use:   "report --lake DIR --clinic NAME --month YYYY-MM [--format html|pdf]",
		Short: "a month of a clinic in one file, for people who open no dashboard",
		Example: `  falloff report --lake lake --clinic harbour-street --month 2026-09
  falloff report --lake lake --clinic harbour-street --month 2026-09 --format pdf --language fr
  falloff report --lake lake --clinic harbour-street --month 2026-09 --for robin --out robin.html
  falloff report --lake lake --clinic harbour-street --month last --format pdf --mail
  falloff report --server https://falloff.example:8750 --clinic harbour-street --month 2026-09`,
		Args: cobra.NoArgs,
		Long: `Writes what leaked in a month and where, what to do first, how patients stay and fall off, what is owed, what was recovered, how
fresh the data is, what is withheld, and what every figure means: one file of HTML that needs nothing from anywhere, or a PDF of it,
which takes Chromium.

It shows what the named queries of the dashboards show to the person whom it is for: the lake's owner, or with --for a person of the
access policy, a practitioner their own caseload and no money. With --server it asks a query server as whom the token names. It holds sums
and counts, no row about a single patient. Each report is one audit record, made before the file is there.

--mail sends it, instead, to the addresses of falloff.yaml's channels for e-mail (notify), as falloff notify send does.

The file has mode 0600, appears whole or not at all, and replaces none unless --force says so; --out - is standard output.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.report(cmd.Context(), o) },
	}
	a.lakeFlags(cmd)
	o.server.register(cmd)
	policyFlag(cmd, &o.policy)
	flags := cmd.Flags()
	flags.StringVar(&o.month, "month", "", "the `month`, YYYY-MM, or last for the one before this")
	flags.StringVar(&o.format, "format", string(report.HTML), "`form`: html, pdf")
	flags.StringVar(&o.language, "language", "", "`language`: en, fr (default that of the clinic's region: fr in Quebec)")
	flags.StringVar(&o.paper, "paper", "", "`paper`: a4, letter (default that of the clinic's country)")
	flags.StringVar(&o.person, "for", "", "`login` of the person whom it is for, as in the access policy (default the lake's owner)")
	flags.StringVar(&o.out, "out", "", "`file` to write, - for standard output (default CLINIC-MONTH.FORMAT)")
	flags.BoolVar(&o.mail, "mail", false, "send it by e-mail instead of writing a file")
	flags.BoolVar(&o.force, "force", false, "replace the file if it is there")
	return cmd
}

// check says what is wrong with the flags, before anything is opened.
func (o *reportFlags) check() (report.Options, error) {
	options := report.Options{Format: report.Format(o.format), Language: report.Language(o.language), Paper: report.Paper(o.paper)}
	var err error
	switch {
	case o.month == "":
		return options, usagef("which month? Say it with --month, such as --month 2026-09")
	case !slices.Contains([]report.Format{report.HTML, report.PDF}, options.Format):
		return options, usagef("--format %q is not known: use html or pdf", o.format)
	case !slices.Contains([]report.Language{"", report.English, report.French}, options.Language):
		return options, usagef("--language %q is not known: use en or fr", o.language)
	case !slices.Contains([]report.Paper{"", report.A4, report.Letter}, options.Paper):
		return options, usagef("--paper %q is not known: use a4 or letter", o.paper)
	case o.mail && (o.out != "" || o.force || o.server.server != ""):
		return options, usagef("--mail sends a report of a lake, and writes no file: leave --out, --force and --server out")
	case o.server.server != "" && (o.person != "" || o.policy != ""):
		return options, usagef("--for and --policy go with a lake: a server knows by the token who asks")
	}
	if options.Month, err = report.ParseMonth(o.month); err != nil {
		return options, usagef("--month: %v", err)
	}
	return options, nil
}

// lastMonth is the one before the one that the clinic's calendar shows; without a lake at hand, this machine's.
func (a *app) lastMonth(ctx context.Context, remote bool) (string, error) {
	now := a.now()
	if !remote {
		site, err := a.existingSite(ctx)
		if err != nil {
			return "", err
		}
		settings, err := site.Settings(ctx)
		if err != nil {
			return "", err
		}
		zone, err := settings.Zone()
		if err != nil {
			return "", err
		}
		now = now.In(zone)
	}
	return time.Date(now.Year(), now.Month()-1, 1, 0, 0, 0, 0, time.UTC).Format("2006-01"), nil
}

func (a *app) report(ctx context.Context, o reportFlags) (err error) {
	if o.month == "last" {
		if o.month, err = a.lastMonth(ctx, o.server.server != ""); err != nil {
			return err
		}
	}
	options, err := o.check()
	if err != nil {
		return err
	}
	if options.Clinic, err = need("clinic", "harbour-street", a.flags.Clinic, a.file.Clinic); err != nil {
		return err
	}
	out := firstOf(o.out, options.Clinic+"-"+o.month+"."+o.format)
	if _, err := os.Lstat(out); out != "-" && err == nil && !o.force && !o.mail {
		return usagef("%s is there already: name another file with --out, or replace it with --force", out)
	}
	var post *messages
	if o.mail { // before anything is computed: whether there is somebody to send it to
		if post, err = a.openMessages(ctx); err != nil {
			return err
		}
	}
	options.Now = a.now()
	options.Print = printed
	record := func(*report.Made, []byte) error { return nil } // a query server records what it is asked
	if o.server.server != "" {
		var at *remote
		if at, err = a.remote(o.server); err == nil {
			options.Ask = at.ask
		}
	} else {
		options.Ask, record, err = a.reportOf(ctx, o, &options)
	}
	if err != nil {
		return err
	}
	page, made, err := report.Make(ctx, options)
	switch {
	case errors.Is(err, report.ErrNoFigures):
		return usagef("%v: falloff status shows which days have landed", err)
	case err != nil:
		return err
	}
	if err := record(made, page); err != nil {
		return err
	}
	if o.mail {
		e := notify.Event{Kind: notify.Report, Clinic: options.Clinic, Month: o.month}
		return post.sendNow(ctx, e, &notify.File{Name: filepath.Base(out), Type: fileType(out), Body: page})
	}
	if out == "-" {
		_, err := a.stdout.Write(page)
		return err
	}
	if err := writeWhole(out, page, o.force); err != nil {
		return err
	}
	if a.json {
		return json.NewEncoder(a.stdout).Encode(map[string]any{
			"file": out, "snapshot": made.Snapshot, "as_of": made.AsOf.String(), "queries": made.Queries, "withheld": made.Withheld, "bytes": len(page),
		})
	}
	_, err = fmt.Fprintln(a.stdout, out)
	return err
}

// reportOf asks a lake at hand, as its owner or as a person of the access policy, and gives what records the report.
func (a *app) reportOf(ctx context.Context, o reportFlags, options *report.Options) (report.Ask, func(*report.Made, []byte) error, error) {
	k, err := a.kept(ctx)
	if err != nil {
		return nil, nil, err
	}
	site, err := pipeline.OpenExistingSite(ctx, k.options)
	if err != nil {
		return nil, nil, err
	}
	settings, err := site.Settings(ctx)
	if err != nil {
		return nil, nil, err
	}
	options.Country = settings.Country
	if options.Language == "" && settings.Country == "CA" && slices.Contains([]string{"QC", "Quebec", "Québec"}, settings.Region) {
		options.Language = report.French
	}
	who, policy, err := pipeline.Owner(k.actor.Person)
	if err != nil {
		return nil, nil, err
	}
	fields := audit.Fields{"month": o.month, "format": string(options.Format)}
	if o.person != "" {
		if policy, _, err = a.policy(o.policy); err != nil {
			return nil, nil, err
		}
		who = access.Principal{Person: o.person, Issuer: access.Grafana, Subject: o.person, SecondFactor: true}
		if why := policy.Visible(who, a.now()).Refused(); why != "" {
			return nil, nil, usagef("nothing can be shown to %s: %s. falloff access explain says more", o.person, why)
		}
		options.For = o.person
		fields["for_sha256"] = audit.Sum(o.person)
	}
	snapshots, err := pipeline.NewSnapshots(ctx, k.options, query.Limits{})
	if err != nil {
		return nil, nil, err
	}
	within, err := pipeline.PrivateServer(snapshots, who, policy, a.now, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, nil, err
	}
	at := &remote{base: &url.URL{Scheme: "http", Host: "within"}, client: &http.Client{Transport: within}}
	return at.ask, func(made *report.Made, page []byte) error {
		snapshot, err := strconv.ParseInt(made.Snapshot, 10, 64)
		if err != nil {
			return fmt.Errorf("recording the report: snapshot %q has no number", made.Snapshot)
		}
		fields["language"] = string(options.Language)
		if options.Language == "" {
			fields["language"] = string(report.English)
		}
		fields["snapshot"], fields["queries"], fields["suppressed"], fields["sha256"] = snapshot, made.Queries, made.Withheld, audit.Sum(string(page))
		return k.record(ctx, audit.ReportMade, "report", nil, fields)
	}, nil
}

// printed has Chromium print a report.
func printed(ctx context.Context, page []byte, paper report.Paper, footer string) ([]byte, error) {
	sheet := browser.Sheet{Width: 210 / 25.4, Height: 297 / 25.4}
	if paper == report.Letter {
		sheet = browser.Sheet{Width: 8.5, Height: 11}
	}
	return browser.Print(ctx, browser.Config{}, page, sheet, footer)
}

// writeWhole writes a file that appears whole or not at all, for its owner alone. One that is there is replaced only where that is wanted.
func writeWhole(path string, body []byte, replace bool) (err error) {
	next, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return usagef("writing %s: %v", path, err)
	}
	defer func() {
		if gone := os.Remove(next.Name()); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}()
	_, err = next.Write(body)
	if err = errors.Join(err, next.Sync(), next.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if replace {
		return os.Rename(next.Name(), path)
	}
	if err := os.Link(next.Name(), path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return usagef("%s is there already: name another file with --out, or replace it with --force", path)
		}
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
