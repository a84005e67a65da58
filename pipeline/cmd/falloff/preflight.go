package main

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/pipeline"
)

func (a *app) preflightCommand() *cobra.Command {
	var passwordFile, codesFile string
	cmd := &cobra.Command{
		Use:   "preflight --lake DIR --clinic NAME --portal-url URL --username NAME",
		Short: "look whether the portal account works, sees what is needed, and no more",
		Example: `  falloff simclinic serve        # in another terminal: it prints address, account and password
  falloff preflight --lake lake --clinic harbour-street --portal-url http://127.0.0.1:8760 --username clerk`,
		Args: cobra.NoArgs,
		Long: `Signs in once and says, check by check, whether the account works, has the access that billing needs, and has no more:
an account that can open charts, manage shifts, see patients' contact data or holds full access is refused, with the
switches to turn off. Then it opens each report and says whether it is to be seen. Nothing is exported and nothing is
changed; forbidden screens are not opened to find out, it is enough that the way there is shown.

The password is asked for on a terminal, or read from standard input, or from --password-file; the secret of the account's
authenticator app, where it has one, from --codes-file. Both files must be ones that only you may read.
Exit code 0: all is well; 4: a person must change something in the portal; 5: try again later.`,
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
			if _, err := a.siteOptions(); err != nil {
				return err
			}
			if err := signInAllowed(url); err != nil {
				return err
			}
			password, err := a.password(ctx, passwordFile)
			if err != nil {
				return err
			}
			account := jane.NewCredentials(username, password)
			if codesFile != "" {
				codes, err := a.password(ctx, codesFile)
				if err != nil {
					return err
				}
				if err := jane.CheckCodes(codes); err != nil {
					return usagef("%v", err)
				}
				account = account.WithCodes(codes)
			}
			return a.preflight(ctx, jane.Config{BaseURL: url, Account: account})
		},
	}
	a.lakeFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&a.flags.PortalURL, "portal-url", "", "the portal's `address`: https://<clinic>.janeapp.com, or loopback")
	flags.StringVar(&a.flags.Username, "username", "", "the clerk's account `name`")
	flags.StringVar(&passwordFile, "password-file", "", "`file` with the password, mode 0600")
	flags.StringVar(&codesFile, "codes-file", "", "`file` with the authenticator app's secret, mode 0600")
	return cmd
}

// preflight looks an account over and prints what it found, also where that ends in an error.
func (a *app) preflight(ctx context.Context, cfg jane.Config) error {
	progress, stop := a.progress()
	cfg.Progress = showPreflight(progress)
	checks, err := jane.Preflight(ctx, cfg)
	stop()
	if checks == nil {
		return usagef("%v", err)
	}
	if a.json {
		encoder := json.NewEncoder(a.stdout)
		encoder.SetIndent("", "  ")
		if failed := encoder.Encode(checks); failed != nil {
			return failed
		}
		return err
	}
	rows := make([][]any, len(checks))
	for i, c := range checks {
		rows[i] = []any{c.Name, string(c.Verdict), c.Found}
	}
	if failed := printTable(a.stdout, []string{"check", "verdict", "found"}, rows); failed != nil {
		return failed
	}
	for _, c := range checks {
		if c.Do != "" && (c.Verdict == jane.Lacks || c.Verdict == jane.Exceeds) {
			a.tellf("%s: %s", c.Name, c.Do)
		}
	}
	return err
}

// showPreflight is showExtraction for a sign-in that reads nothing.
func showPreflight(progress pipeline.Progress) func(jane.Event) {
	return func(e jane.Event) {
		step := pipeline.Step{Name: "preflight", Note: string(e.Step)}
		switch {
		case e.Step == jane.Remark:
			step.Note = e.Note
		case e.Report != "":
			step.Note = "report " + e.Report
		}
		progress(step)
	}
}
