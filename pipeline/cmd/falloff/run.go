package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"cloud.google.com/go/civil"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/browser"
	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// extraction is what run and demo share: the whole way from the portal to the marts.
type extraction struct {
	site     *pipeline.Site
	portal   jane.Config
	settings *settings.Clinic
}

// extracted says what a run did.
type extracted struct {
	Ingested *pipeline.Ingested `json:"ingested"`
	Built    *pipeline.Built    `json:"built"`
	Requests requests           `json:"requests"`
}

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

func (a *app) extract(ctx context.Context, e extraction, progress pipeline.Progress) (*extracted, error) {
	e.portal.Progress = showExtraction(progress)
	source, err := jane.New(e.portal)
	if err != nil {
		return nil, usagef("%v", err)
	}
	out := &extracted{}
	count := func() {
		if ledger := source.Ledger(); ledger != nil {
			out.Requests = countRequests(ledger)
		}
	}
	// Files are read as they come out of the portal, so reading has no time of its own to show.
	shown := func(s pipeline.Step) {
		if s.Name == "read" {
			if !s.Ended {
				return
			}
			count()
			progress(pipeline.Step{Name: "portal", Ended: true, Note: fmt.Sprintf("%d requests sent, %d refused in the browser", out.Requests.Allowed, out.Requests.Refused)})
		}
		progress(s)
	}
	out.Ingested, err = e.site.Ingest(ctx, source, pipeline.IngestOptions{Source: "portal", Settings: e.settings, Progress: shown})
	count()
	if err != nil {
		return out, err
	}
	out.Built, err = e.site.Build(ctx, pipeline.BuildOptions{Progress: progress})
	return out, err
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
	var from, to, settingsFile, passwordFile, format, profileFile string
	cmd := &cobra.Command{
		Use:   "run --lake DIR --clinic NAME --portal-url URL --username NAME [--from DATE --to DATE]",
		Short: "sign in to the portal, extract, land and build",
		Example: `  falloff simclinic serve        # in another terminal: it prints address, account and password
  falloff run --lake lake --clinic harbour-street --portal-url http://127.0.0.1:8760 --username clerk \
      --settings clinic.yaml --from 2025-01-01 --to 2025-12-31`,
		Args: cobra.NoArgs,
		Long: `Signs in through a real browser as the clinic's billing clerk, exports the reports of the range, lands them under
pseudonyms in one commit, and builds the models. The browser can send only what the profile allows; everything else is
refused before it leaves, and counted.

The password is asked for on a terminal, or read from standard input, or from --password-file (which only you may read);
it is never a flag. A sign-in to a clinic's real portal needs an agreement that the clinic's owner accepted on record;
this version cannot record one yet, so it signs in to portals on this machine only (falloff simclinic serve). For a
real clinic's data use falloff import.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			url, err := need("portal-url", "https://harbour-street.janeapp.com", a.flags.PortalURL, a.file.PortalURL)
			if err != nil {
				return err
			}
			username, err := need("username", "falloff-clerk", a.flags.Username, a.file.Username)
			if err != nil {
				return err
			}
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
			if format != "xlsx" && format != "csv" {
				return usagef("--format %q is not known: use xlsx or csv", format)
			}
			profile, _, err := a.profileFor(options.Clinic, profileFile)
			if err != nil {
				return err
			}
			if err := signInAllowed(url); err != nil {
				return err
			}
			password, err := a.password(ctx, passwordFile)
			if err != nil {
				return err
			}
			site, err := pipeline.OpenSite(ctx, options)
			if err != nil {
				return err
			}
			a.tellKey(site)
			if window, err = a.usualWindow(ctx, window, site, clinic); err != nil {
				return err
			}
			progress, stop := a.progress()
			out, err := a.extract(ctx, extraction{site: site, settings: clinic, portal: jane.Config{
				BaseURL: url, Account: jane.NewCredentials(username, password), Window: window, Format: format, Profile: profile,
			}}, progress)
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
	flags.StringVar(&a.flags.PortalURL, "portal-url", "", "the portal's `address`: https://<clinic>.janeapp.com, or loopback")
	flags.StringVar(&a.flags.Username, "username", "", "the clerk's account `name`")
	flags.StringVar(&passwordFile, "password-file", "", "`file` with the password, mode 0600")
	flags.StringVar(&settingsFile, "settings", "", "clinic.yaml `file` (default: the one in the lake)")
	flags.StringVar(&profileFile, "profile", "", "`file` with what is different in this portal's pages (see falloff profile)")
	flags.StringVar(&from, "from", "", "first `date` to read (default: 90 days before --to)")
	flags.StringVar(&to, "to", "", "last `date` to read, whose end the reports show (default: yesterday)")
	flags.StringVar(&format, "format", "xlsx", "`form` to export: xlsx or csv")
	return cmd
}

// signInAllowed refuses a wrong address, and a real portal: the agreement that must come first cannot be recorded yet.
func signInAllowed(url string) error {
	origin, err := jane.ParseAddress(url)
	if err != nil {
		return usagef("%v", err)
	}
	if strings.HasPrefix(origin, "https://") && strings.HasSuffix(origin, ".janeapp.com") {
		return &extractors.Failure{
			Cause: extractors.AgreementMissing, Doing: "signing in to " + origin,
			Hint: "This version cannot record the agreement that must come before a sign-in; export the reports by hand and use falloff import",
		}
	}
	return nil
}

// trailingDays is how much of the recent past a run reads when it is not told: invoices change for weeks.
const trailingDays = 90

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
	if !w.From.IsValid() {
		w.From = w.To.AddDays(-trailingDays)
	}
	if w.To.Before(w.From) {
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

// password reads the portal's password from a file, a terminal, or standard input.
func (a *app) password(ctx context.Context, path string) (string, error) {
	var text []byte
	var err error
	stdin, isFile := a.stdin.(*os.File)
	switch {
	case path != "":
		st, statErr := os.Stat(path)
		if statErr != nil {
			return "", usagef("reading the password: %v", statErr)
		}
		if st.Mode().Perm()&0o077 != 0 {
			return "", usagef("the password file %s can be read by others (mode %04o): run chmod 600 on it", path, st.Mode().Perm())
		}
		text, err = os.ReadFile(path)
	case isFile && term.IsTerminal(int(stdin.Fd())):
		_, _ = fmt.Fprint(a.stderr, "Password: ")
		text, err = readHidden(ctx, int(stdin.Fd()))
		_, _ = fmt.Fprintln(a.stderr)
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
	default:
		text, err = io.ReadAll(io.LimitReader(a.stdin, 4096))
	}
	if err != nil {
		return "", usagef("reading the password: %v", err)
	}
	password := strings.TrimRight(string(text), "\r\n")
	if password == "" {
		return "", usagef("no password: type it when asked, pipe it in, or name a file with --password-file")
	}
	return password, nil
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
	if site.KeyMade {
		a.tellf("A key was made for clinic %s. It lies in the lake, sealed by this machine's key %s:\n"+
			"whoever gets the lake alone learns no identity from it; whoever is you, or root, on this machine can.\n"+
			"Keep a copy of the machine key apart from the lake: without it new data cannot join the old.", site.Clinic.ID(), site.KeyFile)
	}
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
