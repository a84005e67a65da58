package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline/agreement"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

func (a *app) agreementCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "agreement",
		Short: "the agreement that comes before a sign-in",
		Args:  cobra.NoArgs,
		Long: `A sign-in to a clinic's portal needs an agreement that somebody who may bind the clinic has accepted. Acceptances are kept
in the lake with their exact text, for ever; nothing here changes or removes one.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	show := &cobra.Command{
		Use:   "show",
		Short: "print the current text",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return json.NewEncoder(a.stdout).Encode(shownAgreement{agreement.Version, agreement.TextHash(), agreement.Text()})
			}
			_, err := fmt.Fprint(a.stdout, agreement.Text())
			return err
		},
	}
	cmd.AddCommand(show, a.agreementAcceptCommand(), a.agreementStatusCommand())
	return cmd
}

// shownAgreement is the current text, as --json prints it.
type shownAgreement struct {
	Version int    `json:"version"`
	SHA256  string `json:"text_sha256"`
	Text    string `json:"text"`
}

func (a *app) agreementAcceptCommand() *cobra.Command {
	var signer agreement.Signer
	var hash string
	cmd := &cobra.Command{
		Use:   "accept --lake DIR --clinic NAME --signer NAME --title TITLE --address ADDRESS --text-sha256 HASH",
		Short: "record that a clinic accepts the current text",
		Example: `  falloff agreement show
  falloff agreement accept --lake lake --clinic harbour-street --signer "Ada Vale" --title Owner \
      --address "12 Harbour Street, Halifax" --text-sha256 $(falloff agreement show | sha256sum | cut -c-64)`,
		Args: cobra.NoArgs,
		Long: `Records who accepts the agreement for the clinic: name, title, address, the exact text and its version. --text-sha256 is the
SHA-256 of the text that the signer read, which falloff agreement show prints; without it the clinic's id must be typed after the
text was shown.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			options, err := a.siteOptions()
			if err != nil {
				return err
			}
			if signer.Name == "" || signer.Title == "" || signer.Address == "" {
				return usagef("say who accepts: --signer, --title and --address are needed")
			}
			k, err := a.keep(ctx, options)
			if err != nil {
				return err
			}
			if hash == "" {
				_, _ = fmt.Fprint(a.stderr, agreement.Text()+"\n")
				if err := a.confirm(fmt.Sprintf("%s, %s, accepts this for clinic %s", signer.Name, signer.Title, options.Clinic), options.Clinic); err != nil {
					return err
				}
				hash = agreement.TextHash()
			}
			accepted, err := agreement.Accept(ctx, k.store, k.log, lake.ClinicID(options.Clinic), signer, agreement.Version, hash, k.actor, a.now())
			if err != nil {
				return agreementFailed(err)
			}
			a.tellf("Recorded: %s, %s, accepts version %d of the agreement for clinic %s.", signer.Name, signer.Title, accepted.Version, accepted.Clinic)
			return nil
		},
	}
	a.lakeFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&signer.Name, "signer", "", "`name` of the person who accepts")
	flags.StringVar(&signer.Title, "title", "", "`title` in which that person may bind the clinic")
	flags.StringVar(&signer.Address, "address", "", "`address` of that person")
	flags.StringVar(&hash, "text-sha256", "", "`hash` of the text that was read")
	return cmd
}

func (a *app) agreementStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status --lake DIR --clinic NAME",
		Short: "say whether a clinic accepted the current text",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			options, err := a.siteOptions()
			if err != nil {
				return err
			}
			store, err := a.openStore(ctx, options)
			if err != nil {
				return err
			}
			status, err := agreement.Current(ctx, store, lake.ClinicID(options.Clinic))
			if err != nil {
				return agreementFailed(err)
			}
			if a.json {
				return json.NewEncoder(a.stdout).Encode(status)
			}
			_, err = fmt.Fprintln(a.stdout, agreementInWords(options.Clinic, status))
			return err
		},
	}
	a.lakeFlags(cmd)
	return cmd
}

func agreementInWords(clinic string, s agreement.Status) string {
	switch {
	case s.Latest == nil:
		return fmt.Sprintf("clinic %s has accepted no agreement: falloff agreement accept", clinic)
	case !s.Accepted:
		return fmt.Sprintf("clinic %s has accepted version %d, and version %d is the current one: falloff agreement accept", clinic, s.Latest.Version, s.Version)
	default:
		return fmt.Sprintf("clinic %s accepted version %d, the current one, on %s: %s, %s",
			clinic, s.Latest.Version, s.Latest.AcceptedAt.Format("2006-01-02"), s.Latest.Signer.Name, s.Latest.Signer.Title)
	}
}
