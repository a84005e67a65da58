package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/falloff-analytics/falloff/extractors/simclinic"
	"github.com/falloff-analytics/falloff/extractors/simclinic/canary"
	"github.com/falloff-analytics/falloff/extractors/simclinic/portal"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/agreement"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/transforms/secret"
	"github.com/falloff-analytics/falloff/transforms/settings"
)

// demonstration is what a demo found, as --json prints it.
type demonstration struct {
	*extracted
	Lake   string `json:"lake"`
	Clinic string `json:"clinic"`
	// Planted is what the simulated staff forgot, Missing and Unexpected how the ledger differs from it.
	Planted    int      `json:"planted"`
	Found      int      `json:"found"`
	Missing    []string `json:"missing"`
	Unexpected []string `json:"unexpected"`
	// Searched is how many planted identities were searched for in everything written; Leaked how many were found.
	Searched int `json:"identities_searched"`
	Leaked   int `json:"identities_found"`
	// Opened counts the objects of the lake that were searched with its keys.
	Opened  int     `json:"objects_opened"`
	Seconds float64 `json:"seconds"`

	configDir string
}

// where are the flags that name the demo's clinic to every command.
func (d *demonstration) where() string {
	return fmt.Sprintf("--lake %s --clinic %s --config-dir %s", d.Lake, d.Clinic, d.configDir)
}

func (a *app) demoCommand() *cobra.Command {
	var dials simDials
	var serve bool
	dir := "demo"
	cmd := &cobra.Command{
		Use:   "demo [--dir DIR] [--lake s3://bucket/prefix]",
		Short: "the whole way on a simulated clinic",
		Long: `Starts a simulated clinic with its staff portal, signs in through a real browser, exports its reports, lands them under
pseudonyms, builds the models, prints the ledger, and checks it against what the simulated staff really forgot. Then
everything that was written is searched for the names, phones and notes that were planted in the portal. In a terminal the query
server then runs over it until Ctrl-C, and says how to open Grafana.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			clinic, err := dials.clinic()
			if err != nil {
				return err
			}
			found, err := a.demo(cmd.Context(), clinic, dir)
			if err != nil {
				return err
			}
			if a.json {
				if err := json.NewEncoder(a.stdout).Encode(found); err != nil {
					return err
				}
			}
			if !cmd.Flags().Changed("serve") {
				serve = a.inTerminal() && !a.json
			}
			if !serve {
				a.tellf("  bin/falloff serve  %s\nwhich lets in whom %s names, and Grafana over it: infra/README.md", found.where(), filepath.Join(found.configDir, defaultPolicy))
				return nil
			}
			return a.demoServe(cmd.Context(), found)
		},
	}
	dials.register(cmd)
	cmd.Flags().BoolVar(&serve, "serve", false, "go on as the query server, until Ctrl-C (the default in a terminal; --serve=false ends there)")
	cmd.Flags().StringVar(&a.flags.Listen, "listen", "", "`address` for the query server (default "+defaultListen+")")
	cmd.Flags().StringVar(&dir, "dir", dir, "`folder` for the lake and its keys")
	cmd.Flags().StringVar(&a.flags.Lake, "lake", "", "put the lake elsewhere: a `folder`, or s3://bucket/prefix")
	return cmd
}

// demoClinic is the clinic's id in the demo's lake: `demo`, with the dials that were turned. Two clinics must not land on
// top of each other when somebody tries another seed.
func demoClinic(d simclinic.Dials) string {
	usual := simclinic.DefaultDials()
	id := "demo"
	if d.Seed != usual.Seed {
		id += fmt.Sprintf("-seed%d", d.Seed)
	}
	if d.Patients != usual.Patients {
		id += fmt.Sprintf("-%dpeople", d.Patients)
	}
	if d.Country != usual.Country {
		id += "-" + strings.ToLower(d.Country)
	}
	if d.From != usual.From || d.To != usual.To {
		id += "-" + strings.ReplaceAll(d.From.String(), "-", "") + "-" + strings.ReplaceAll(d.To.String(), "-", "")
	}
	return id
}

func (a *app) demo(ctx context.Context, clinic *simclinic.Clinic, dir string) (*demonstration, error) {
	start := a.now()
	dials := clinic.Dials()
	unlock, err := a.unlock()
	if err != nil {
		return nil, err
	}
	options := pipeline.SiteOptions{
		Lake: firstOf(a.flags.Lake, filepath.Join(dir, "lake")), Clinic: demoClinic(dials),
		ConfigDir: firstOf(a.flags.ConfigDir, filepath.Join(dir, "config")), KeyFile: a.flags.KeyFile, Unlock: unlock, Now: a.now,
	}
	a.tellf("%s is a simulated clinic: %d people, %s to %s, seed %d.\n", clinic.Name(), dials.Patients, dials.From, dials.To, dials.Seed)
	typed, err := settings.Parse(clinic.SettingsYAML(), "clinic.yaml")
	if err != nil {
		return nil, err
	}
	staff, err := portal.New(clinic, portal.Options{})
	if err != nil {
		return nil, err
	}
	defer staff.Close()
	url, stopPortal, err := staff.Start(ctx)
	if err != nil {
		return nil, err
	}
	defer stopPortal()
	kept, err := a.demoConnect(ctx, options, url)
	if err != nil {
		return nil, err
	}
	site, err := pipeline.OpenSite(ctx, kept.options)
	if err != nil {
		return nil, err
	}
	progress, stop := a.progress()
	out, err := a.extract(ctx, journey{
		kept: kept, site: site, settings: &typed, format: "csv", manners: manners{budget: -1}, plan: pipeline.PlanOptions{Day: dials.To, From: dials.From},
	}, progress)
	stop()
	if err != nil {
		return nil, err
	}
	a.tellRefused(out)
	found := &demonstration{extracted: out, Lake: options.Lake, Clinic: options.Clinic, configDir: options.ConfigDir}
	if err := a.demoLedger(ctx, site, clinic, found); err != nil {
		return nil, err
	}
	if err := a.demoSearch(ctx, site, clinic, dir, found); err != nil {
		return nil, err
	}
	if err := demoPolicy(options, clinic.StaffNames()[0]); err != nil {
		return nil, err
	}
	found.Seconds = a.now().Sub(start).Seconds()
	if err := found.verdict(); err != nil {
		return nil, err
	}
	a.demoNext(found, a.now().Sub(start))
	return found, nil
}

// demoConnect does what falloff connect does: a fictitious person accepts the agreement, and the vault gets the credentials.
func (a *app) demoConnect(ctx context.Context, options pipeline.SiteOptions, url string) (*keeping, error) {
	if _, err := a.acting(); err != nil {
		a.actor = audit.ServicePrefix + "demo" // whoever tries the demo need not be anybody
	}
	kept, err := a.keep(ctx, options)
	if err != nil {
		return nil, err
	}
	signer := agreement.Signer{Name: "Nobody Real", Title: "Owner of a simulated clinic", Address: "1 Simulated Street"}
	if err := a.sign(ctx, kept, signing{signer: signer, accepted: strconv.Itoa(agreement.Version)}); err != nil {
		return nil, err
	}
	clerk := portal.DefaultClerk()
	if _, err := kept.vault.SetCredentials(ctx, options.Clinic, vault.Credentials{
		Address: url, Account: secret.New([]byte(clerk.Username)), Password: secret.New([]byte(clerk.Password)),
	}); err != nil {
		return nil, &pipeline.KeyError{Err: err}
	}
	return kept, nil
}

// demoLedger prints the ledger by category and holds it against the truth.
func (a *app) demoLedger(ctx context.Context, site *pipeline.Site, clinic *simclinic.Clinic, found *demonstration) error {
	view, err := site.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = view.Close() }()
	if !a.json {
		if err := a.printSummary(ctx, view); err != nil {
			return err
		}
	}
	_, rows, err := view.Ledger(ctx)
	if err != nil {
		return err
	}
	ledger := map[string]bool{}
	for _, r := range rows {
		if r[0] == "falloff" || r[0] == "idle_capacity" {
			continue // estimates of what could have been, which nobody forgot
		}
		on, ok := r[2].(time.Time)
		if !ok {
			return fmt.Errorf("the ledger's occurred_on is %T, not a date", r[2])
		}
		ledger[fmt.Sprintf("%v %v %s %v", r[0], r[1], on.Format(time.DateOnly), r[3])] = true
	}
	found.Found = len(ledger)
	found.Missing, found.Unexpected = []string{}, []string{}
	for _, l := range clinic.Truth() {
		found.Planted++
		row := fmt.Sprintf("%s %s %s %d", l.Category, l.SourceID, l.OccurredOn, l.AmountCents)
		if !ledger[row] {
			found.Missing = append(found.Missing, row)
		}
		delete(ledger, row)
	}
	for row := range ledger {
		found.Unexpected = append(found.Unexpected, row)
	}
	slices.Sort(found.Missing)
	slices.Sort(found.Unexpected)
	a.tellf("\nThe simulated staff forgot %d things. The ledger holds %d: %d missing, %d that should not be there.",
		found.Planted, found.Found, len(found.Missing), len(found.Unexpected))
	for _, row := range found.Missing {
		a.tellf("  missing     %s", row)
	}
	for _, row := range found.Unexpected {
		a.tellf("  unexpected  %s", row)
	}
	return nil
}

// printSummary prints what leaked by category, and where the patients stand.
func (a *app) printSummary(ctx context.Context, view *pipeline.View) error {
	if err := a.printLedgerSummary(ctx, view); err != nil {
		return err
	}
	_, rows, err := view.Query(ctx, `
		select status, count(*) as patients
		from marts.patient_status
		group by status
		order by case status when 'active' then 1 when 'at_risk' then 2 when 'fallen_off' then 3 else 4 end`)
	if err != nil {
		return err
	}
	var parts []string
	for _, r := range rows {
		parts = append(parts, fmt.Sprintf("%v %s", r[1], strings.ReplaceAll(fmt.Sprint(r[0]), "_", " ")))
	}
	_, err = fmt.Fprintf(a.stdout, "\nPatients: %s.\n", strings.Join(parts, ", "))
	return err
}

// demoSearch searches everything below the demo's folder for every identity planted in the portal, and what the lake says to
// whoever has its keys: encrypted bytes show nothing, whatever lies in them.
func (a *app) demoSearch(ctx context.Context, site *pipeline.Site, clinic *simclinic.Clinic, dir string, found *demonstration) error {
	planted := clinic.Planted()
	for _, id := range clinic.Identifiers() { // these may be stored as pseudonyms only
		planted = append(planted, id.Value)
	}
	searcher, err := canary.New(planted)
	if err != nil {
		return err
	}
	hits, err := searcher.Tree(dir)
	if err != nil {
		return err
	}
	opened := 0
	if err := site.Said(ctx, func(name string, said []byte) error {
		opened++
		inside, err := searcher.Body(name+", opened", said)
		hits = append(hits, inside...)
		return err
	}); err != nil {
		return err
	}
	found.Searched, found.Opened, found.Leaked = len(planted), opened, len(hits)
	a.tellf("Searched every byte below %s, and %d objects of the lake opened with its keys, for %d planted names, numbers and notes: %d found.",
		dir, opened, len(planted), len(hits))
	for _, h := range hits {
		a.tellf("  in %s, written as %s", h.File, h.Form)
	}
	return nil
}

// verdict fails a demo whose ledger is wrong or whose bytes hold an identity.
func (d *demonstration) verdict() error {
	switch {
	case d.Leaked > 0:
		return fmt.Errorf("%d planted identities were found in what was written: this is a bug, please report it", d.Leaked)
	case len(d.Missing)+len(d.Unexpected) > 0:
		return errors.New("the ledger differs from the simulated truth: this is a bug, please report it")
	default:
		return nil
	}
}

func (a *app) demoNext(found *demonstration, took time.Duration) {
	where := found.where()
	a.tellf(`
Done in %s. To look at next:
  bin/falloff leaks  %s --format csv
  bin/falloff sql    %s -c "from marts.falloff_by_visit"
  bin/falloff status %s`, elapsed(took), where, where, where)
}

// demoServe goes on as the query server over the demo's lake, with a key for Grafana's plugin.
func (a *app) demoServe(ctx context.Context, found *demonstration) error {
	a.flags.Lake, a.flags.Clinic, a.flags.ConfigDir = found.Lake, found.Clinic, found.configDir
	if _, _, err := a.pluginKey(ctx, false); err != nil { // before the server, which reads it at its start
		return err
	}
	a.tellf("\nThe query server is here now; bin/falloff serve %s starts it again.", found.where())
	return a.serve(ctx, serveOptions{grafana: fmt.Sprintf(`in another terminal, with Docker:
            make plugin
            export FALLOFF_KEY=$(bin/falloff token plugin-key --lake %s --config-dir %s)
            FALLOFF_CLINIC=%s docker compose -f infra/compose.yaml up --no-deps grafana
          then open http://127.0.0.1:3000 as ada, password admin (without Docker: infra/README.md)`, found.Lake, found.configDir, found.Clinic)})
}

// inTerminal says whether a person sits before the command, at both of its ends.
func (a *app) inTerminal() bool {
	in, isFile := a.stdin.(*os.File)
	out, isFileToo := a.stdout.(*os.File)
	return isFile && isFileToo && term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd()))
}
