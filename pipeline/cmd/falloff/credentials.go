package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/transforms/secret"
)

func (a *app) credentialsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "credentials",
		Short: "keep a clinic's portal credentials and keys",
		Args:  cobra.NoArgs,
		Long: `The vault, vault.json in --config-dir, keeps what a sign-in to a clinic's portal needs and the keys behind its
pseudonyms. It is sealed by a passphrase, a key in AWS KMS, or this machine's key file. docs/running.md says what that
protects. Every change is a record in the lake's audit log, made before the change.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.credentialsSetCommand(), a.credentialsShowCommand(), a.credentialsRotateCommand(), a.credentialsRekeyCommand(),
		a.credentialsForgetCommand())
	return cmd
}

const entityCredentials = "credentials"

func (a *app) credentialsSetCommand() *cobra.Command {
	var given givenCredentials
	cmd := &cobra.Command{
		Use:   "set --lake DIR --clinic NAME [--portal-url URL]",
		Short: "store account, password and TOTP secret of a clinic's portal",
		Example: `  falloff credentials set --lake lake --clinic harbour-street --portal-url https://harbour-street.janeapp.com
  falloff credentials set --lake lake --clinic harbour-street --password-fd 3 3< new-password`,
		Args: cobra.NoArgs,
		Long: `Asks for account, password and TOTP secret on a terminal, which shows none of them; elsewhere reads them from standard
input, a line each in this order. --account-fd, --password-fd and --totp-fd read one from an open file descriptor each, and
then standard input is left alone. None of them can be a flag or come from the environment, where others could see them.

What is left empty stays as it is stored, so that a changed password is one command. The TOTP secret is given in base32, as the
portal shows it, or as an otpauth:// address; --no-totp takes a stored one away.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			k, err := a.kept(ctx)
			if err != nil {
				return err
			}
			return a.setCredentials(ctx, k, &given)
		},
	}
	a.lakeFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&a.flags.PortalURL, "portal-url", "", "the portal's `address`: https://<clinic>.janeapp.com, or loopback")
	flags.IntVar(&given.accountFD, "account-fd", noFD, "read the account's name from this open file descriptor, a `number`")
	flags.IntVar(&given.passwordFD, "password-fd", noFD, "read the password from this open file descriptor, a `number`")
	flags.IntVar(&given.totpFD, "totp-fd", noFD, "read the TOTP secret from this open file descriptor, a `number`")
	flags.BoolVar(&given.noTOTP, "no-totp", false, "the account has no second factor any more")
	return cmd
}

// givenCredentials is what a person hands over, empty where nothing was.
type givenCredentials struct {
	accountFD, passwordFD, totpFD int
	noTOTP                        bool

	account, password, totp secret.Bytes
}

func (g *givenCredentials) wipe() {
	for _, s := range []secret.Bytes{g.account, g.password, g.totp} {
		s.Wipe()
	}
}

// readCredentials takes them from file descriptors, a terminal or standard input. stored says that empty ones may stay.
func (a *app) readCredentials(ctx context.Context, g *givenCredentials, stored bool) error {
	fds := []struct {
		flag string
		fd   int
		into *secret.Bytes
	}{{"--account-fd", g.accountFD, &g.account}, {"--password-fd", g.passwordFD, &g.password}, {"--totp-fd", g.totpFD, &g.totp}}
	byFD := false
	for _, f := range fds {
		if f.fd == noFD {
			continue
		}
		byFD = true
		var err error
		if *f.into, err = secretFD(f.flag, f.fd); err != nil {
			return err
		}
	}
	if byFD {
		return nil
	}
	terminal, ok := a.terminal()
	if !ok {
		lines, err := a.secretLines(len(fds))
		if err != nil {
			return err
		}
		g.account, g.password, g.totp = lines[0], lines[1], lines[2]
		return nil
	}
	hint := ""
	if stored {
		hint = " (empty keeps the stored one)"
	}
	var err error
	if g.account, err = a.ask(ctx, terminal, "Account"+hint+": "); err != nil {
		return err
	}
	if g.password, err = a.ask(ctx, terminal, "Password"+hint+": "); err != nil {
		return err
	}
	if !g.noTOTP {
		if hint == "" {
			hint = " (empty if the account has none)"
		}
		g.totp, err = a.ask(ctx, terminal, "TOTP secret"+hint+": ")
	}
	return err
}

func (a *app) setCredentials(ctx context.Context, k *keeping, given *givenCredentials) error {
	before, err := k.vault.Credentials(ctx, k.options.Clinic)
	if err != nil && !errors.Is(err, vault.ErrNoCredentials) {
		return &pipeline.KeyError{Err: err}
	}
	defer before.Wipe()
	stored := err == nil
	url := firstOf(a.flags.PortalURL, before.Address, a.file.PortalURL)
	if url == "" {
		_, err := need("portal-url", "https://harbour-street.janeapp.com")
		return err
	}
	if url, err = jane.ParseAddress(url); err != nil {
		return usagef("%v", err)
	}
	defer given.wipe()
	if err := a.readCredentials(ctx, given, stored); err != nil {
		return err
	}
	next := vault.Credentials{Address: url, Account: orStored(given.account, before.Account), Password: orStored(given.password, before.Password)}
	switch {
	case next.Account.IsZero():
		return usagef("no account: type it when asked, or give it as the first line of standard input")
	case next.Password.IsZero():
		return usagef("no password: type it when asked, give it as the second line of standard input, or name a file descriptor with --password-fd")
	case given.noTOTP && !given.totp.IsZero():
		return usagef("--no-totp and a TOTP secret contradict each other")
	case !given.noTOTP:
		next.TOTP = orStored(given.totp, before.TOTP)
	}
	if !next.TOTP.IsZero() {
		if next.TOTP, err = vault.ParseTOTP(next.TOTP); err != nil {
			return usagef("%v", err)
		}
	}
	var was audit.Fields
	if stored {
		was = audit.Fields{"id": before.ID, "address": before.Address, "second_factor": !before.TOTP.IsZero()}
	}
	if err := k.record(ctx, audit.CredentialsSet, entityCredentials, was, audit.Fields{
		"address": url, "second_factor": !next.TOTP.IsZero(),
		"account_changed": !next.Account.Equal(before.Account), "password_changed": !next.Password.Equal(before.Password),
	}); err != nil {
		return err
	}
	if _, err := k.vault.SetCredentials(ctx, k.options.Clinic, next); err != nil {
		return &pipeline.KeyError{Err: err}
	}
	a.tellf("The credentials of clinic %s are in the vault %s.", k.options.Clinic, k.vault.Paths().Vault)
	return nil
}

func orStored(given, stored secret.Bytes) secret.Bytes {
	if given.IsZero() {
		return stored
	}
	return given
}

// shownCredentials says what is stored, and nothing of what it is.
type shownCredentials struct {
	Clinic       string     `json:"clinic"`
	Vault        string     `json:"vault"`
	SealedBy     vault.Kind `json:"sealed_by"`
	Stored       bool       `json:"stored"`
	Address      string     `json:"address,omitempty"`
	SetAt        time.Time  `json:"set_at,omitzero"`
	ID           string     `json:"id,omitempty"`
	SecondFactor bool       `json:"second_factor"`
	KeyVersion   int        `json:"key_version"`
	Recovery     bool       `json:"identities_key"`
}

func (a *app) credentialsShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show --lake DIR --clinic NAME",
		Short: "say what is stored, without any of it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			k, err := a.kept(ctx)
			if err != nil {
				return err
			}
			if err := k.record(ctx, audit.CredentialsShown, entityCredentials, nil, nil); err != nil {
				return err
			}
			shown, err := k.show(ctx)
			if err != nil {
				return &pipeline.KeyError{Err: err}
			}
			if a.json {
				return json.NewEncoder(a.stdout).Encode(shown)
			}
			return a.printCredentials(shown)
		},
	}
	a.lakeFlags(cmd)
	return cmd
}

func (k *keeping) show(ctx context.Context) (shownCredentials, error) {
	clinic := k.options.Clinic
	out := shownCredentials{Clinic: clinic, Vault: k.vault.Paths().Vault}
	var err error
	if out.SealedBy, err = k.vault.Kind(); err != nil {
		return out, err
	}
	c, err := k.vault.Credentials(ctx, clinic)
	defer c.Wipe()
	switch {
	case err == nil:
		out.Stored, out.Address, out.SetAt, out.ID, out.SecondFactor = true, c.Address, c.SetAt, c.ID, !c.TOTP.IsZero()
	case !errors.Is(err, vault.ErrNoCredentials):
		return out, err
	}
	chain, err := k.vault.Chain(ctx, clinic)
	if err != nil && !errors.Is(err, vault.ErrNoKeys) {
		return out, err
	}
	out.KeyVersion = chain.Live
	_, err = k.vault.IdentitiesKey(ctx, clinic)
	out.Recovery = err == nil
	if errors.Is(err, vault.ErrNoIdentitiesKey) {
		err = nil
	}
	return out, err
}

func (a *app) printCredentials(s shownCredentials) error {
	_, err := fmt.Fprintf(a.stdout, "clinic      %s\nvault       %s\nsealed by   %s\n", s.Clinic, s.Vault, s.SealedBy.String())
	if err != nil {
		return err
	}
	if !s.Stored {
		_, err = fmt.Fprintln(a.stdout, "credentials none: store them with falloff credentials set")
		return err
	}
	factor := "no second factor"
	if s.SecondFactor {
		factor = "TOTP secret"
	}
	version := "none yet"
	if s.KeyVersion > 0 {
		version = fmt.Sprintf("version %d", s.KeyVersion)
	}
	_, err = fmt.Fprintf(a.stdout, "credentials account, password, %s; set %s\nportal      %s\nkeys        %s\n",
		factor, s.SetAt.Format("2006-01-02 15:04 MST"), s.Address, version)
	return err
}

func (a *app) credentialsForgetCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "forget --lake DIR --clinic NAME [--yes]",
		Short: "destroy the stored credentials of a clinic's portal",
		Args:  cobra.NoArgs,
		Long: `Destroys account, password and TOTP secret of a clinic, and the keys of what runs left on this machine, the browser's
profile with its signed-in sessions among it. Nothing here can sign in to that portal any more, until somebody stores
credentials again. What has landed in the lake stays, and so do the keys that it is read with.

Asks for the clinic's name, unless --yes is given. Copies of the vault that were made before still hold what it held.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			k, err := a.kept(ctx)
			if err != nil {
				return err
			}
			before, err := k.vault.Credentials(ctx, k.options.Clinic)
			if err != nil && !errors.Is(err, vault.ErrNoCredentials) {
				return &pipeline.KeyError{Err: err}
			}
			before.Wipe()
			if !yes {
				if err := a.confirm("This destroys the stored credentials of clinic "+k.options.Clinic, k.options.Clinic); err != nil {
					return err
				}
			}
			var was audit.Fields
			if before.ID != "" {
				was = audit.Fields{"id": before.ID}
			}
			if err := k.record(ctx, audit.CredentialsForgotten, entityCredentials, was, nil); err != nil {
				return err
			}
			forgotten, err := k.vault.Forget(ctx, k.options.Clinic)
			if err != nil {
				return &pipeline.KeyError{Err: err}
			}
			if !forgotten {
				a.tellf("There was nothing stored for clinic %s.", k.options.Clinic)
				return nil
			}
			a.tellf("The credentials of clinic %s are destroyed.", k.options.Clinic)
			return nil
		},
	}
	a.lakeFlags(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// confirm asks a person to type a word, on the terminal or in a line of standard input.
func (a *app) confirm(what, word string) error {
	_, _ = fmt.Fprintf(a.stderr, "%s. Type %s to go on: ", what, word)
	lines, err := a.secretLines(1)
	if _, typed := a.terminal(); !typed {
		_, _ = fmt.Fprintln(a.stderr)
	}
	if err != nil {
		return err
	}
	if lines[0].Text() != word {
		return usagef("nothing was done: it was not confirmed by typing %s", word)
	}
	return nil
}
