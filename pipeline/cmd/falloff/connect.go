package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/pipeline/agreement"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// signing is who accepts the agreement for the clinic, and which version they have read.
type signing struct {
	signer   agreement.Signer
	accepted string
}

func (a *app) connectCommand() *cobra.Command {
	var given givenCredentials
	var s signing
	cmd := &cobra.Command{
		Use:   "connect --lake DIR --clinic NAME [--portal-url URL]",
		Short: "connect a clinic's portal: agreement, credentials, preflight",
		Example: `  falloff connect --lake lake --clinic harbour-street
  falloff connect --lake lake --clinic harbour-street --portal-url https://harbour-street.janeapp.com \
      --accept-agreement 1 --signer "Ada Vale" --title Owner --address "12 Harbour Street, Halifax" < credentials`,
		Args: cobra.NoArgs,
		Long: `Asks for the portal's address and puts a mistyped one right, shows the agreement without which nobody signs in and records who
accepts it, stores account, password and TOTP secret in the vault, and signs in once to see that the account works and may do no
more than it must (falloff preflight).

Without a terminal the secrets are read from standard input, a line each: account, password, TOTP secret; or from file
descriptors. --accept-agreement names the version that the signer has read (falloff agreement show).`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			k, err := a.kept(ctx)
			if err != nil {
				return err
			}
			if err := a.askAddress(ctx, k); err != nil {
				return err
			}
			if err := a.sign(ctx, k, s); err != nil {
				return err
			}
			if err := a.setCredentials(ctx, k, &given); err != nil {
				return err
			}
			if err := k.record(ctx, audit.ClinicConnected, "portal", nil, audit.Fields{"address": a.flags.PortalURL}); err != nil {
				return err
			}
			if err := a.preflight(ctx, k, nil); err != nil {
				return err
			}
			a.tellf("\nClinic %s is connected. Bring its history home with\n  %s --settings clinic.yaml --from DATE\nand from then on every night with the same command without --settings and --from.",
				k.options.Clinic, a.again("run"))
			return nil
		},
	}
	a.lakeFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&a.flags.PortalURL, "portal-url", "", "the portal's `address`: https://<clinic>.janeapp.com, or loopback")
	flags.IntVar(&given.accountFD, "account-fd", noFD, "read the account's name from this open file descriptor, a `number`")
	flags.IntVar(&given.passwordFD, "password-fd", noFD, "read the password from this open file descriptor, a `number`")
	flags.IntVar(&given.totpFD, "totp-fd", noFD, "read the TOTP secret from this open file descriptor, a `number`")
	flags.StringVar(&s.accepted, "accept-agreement", "", "accept this `version` of the agreement, which the signer has read")
	flags.StringVar(&s.signer.Name, "signer", "", "`name` of the person who accepts")
	flags.StringVar(&s.signer.Title, "title", "", "`title` in which that person may bind the clinic")
	flags.StringVar(&s.signer.Address, "address", "", "`address` of that person")
	return cmd
}

// askAddress finds the portal's address, asking on a terminal until it is one.
func (a *app) askAddress(ctx context.Context, k *keeping) error {
	url := firstOf(a.flags.PortalURL, a.file.PortalURL)
	if url == "" {
		if stored, err := k.vault.Credentials(ctx, k.options.Clinic); err == nil {
			url = stored.Address
			stored.Wipe()
		}
	}
	_, onTerminal := a.terminal()
	for {
		if url == "" && !onTerminal {
			_, err := need("portal-url", "https://harbour-street.janeapp.com")
			return err
		}
		var err error
		if url == "" {
			if url, err = a.askLine(ctx, "Address of the portal (https://<clinic>.janeapp.com): "); err != nil {
				return err
			}
		}
		address, err := jane.ParseAddress(url)
		if err == nil {
			if address != strings.TrimSpace(url) {
				a.tellf("The portal's address is %s.", address)
			}
			a.flags.PortalURL = address
			return nil
		}
		if !onTerminal {
			return usagef("%v", err)
		}
		a.tellf("%v", err)
		url = ""
	}
}

// askLine asks for something that may be seen.
func (a *app) askLine(ctx context.Context, question string) (string, error) {
	_, _ = fmt.Fprint(a.stderr, question)
	line, err := awaitTyped(ctx, a.readLine)
	if ctx.Err() != nil {
		_, _ = fmt.Fprintln(a.stderr)
		return "", ctx.Err()
	}
	return line, err
}

func (a *app) readLine() (string, error) {
	var line []byte
	one := make([]byte, 1)
	for len(line) < maxSecret {
		// Byte by byte: what follows the line is for who asks next.
		n, err := a.stdin.Read(one)
		if n == 1 && one[0] == '\n' {
			break
		}
		line = append(line, one[:n]...)
		if err != nil {
			if errors.Is(err, io.EOF) && len(line) > 0 {
				break
			}
			return "", usagef("nothing was typed")
		}
	}
	return strings.TrimSpace(string(line)), nil
}

// sign records who accepts the agreement, unless it is accepted already.
func (a *app) sign(ctx context.Context, k *keeping, s signing) error {
	if agreed(ctx, k) == nil {
		return nil
	}
	current := strconv.Itoa(agreement.Version)
	if _, onTerminal := a.terminal(); s.accepted == "" && onTerminal {
		_, _ = fmt.Fprint(a.stderr, agreement.Text()+"\n")
		for _, ask := range []struct {
			question string
			into     *string
		}{
			{"Name of the person who accepts for the clinic: ", &s.signer.Name},
			{"Title in which that person may bind the clinic: ", &s.signer.Title},
			{"Address of that person: ", &s.signer.Address},
		} {
			var err error
			if *ask.into == "" {
				if *ask.into, err = a.askLine(ctx, ask.question); err != nil {
					return err
				}
			}
		}
		typed, err := a.askLine(ctx, "Type `I accept` to accept the agreement above: ")
		if err != nil {
			return err
		}
		if typed != "I accept" {
			return usagef("the agreement was not accepted, so nothing was stored")
		}
		s.accepted = current
	}
	switch {
	case s.accepted == "":
		return agreed(ctx, k)
	case s.accepted != current:
		return usagef("--accept-agreement %s: version %s is the current one. Read it with falloff agreement show, and accept that", s.accepted, current)
	case s.signer.Name == "" || s.signer.Title == "" || s.signer.Address == "":
		return usagef("say who accepts the agreement: --signer, --title and --address are needed")
	}
	_, err := agreement.Accept(ctx, k.store, k.log, lake.ClinicID(k.options.Clinic), s.signer, agreement.Version, agreement.TextHash(), k.actor, a.now())
	if err != nil {
		return agreementFailed(err)
	}
	a.tellf("Recorded: %s, %s, accepts version %s of the agreement for clinic %s.", s.signer.Name, s.signer.Title, current, k.options.Clinic)
	return nil
}
