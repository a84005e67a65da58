package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/transforms/secret"
	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/identity/servicetoken"
)

func (a *app) tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "tokens of batch jobs, and the key of the Grafana plugin",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.tokenIssueCommand(), a.tokenListCommand(), a.tokenRevokeCommand(), a.tokenReissueCommand(), a.pluginKeyCommand())
	return cmd
}

const serviceTokens = "service-tokens.json"

// tokenEvents are the records of the steps.
var tokenEvents = map[servicetoken.Event]audit.Action{
	servicetoken.EventIssued: audit.TokenIssued, servicetoken.EventRevoked: audit.TokenRevoked,
	servicetoken.EventReissued: audit.TokenReissued, servicetoken.EventReissueRefused: audit.TokenReissueRefused,
}

// keptLake is keep without a clinic: what is done is about the machine, and recorded in the lake.
func (a *app) keptLake(ctx context.Context) (*keeping, error) {
	options, err := a.lakeOptions()
	if err != nil {
		return nil, err
	}
	return a.keep(ctx, options)
}

// tokenStore opens the service tokens of this machine. k is nil for whoever only looks.
func (a *app) tokenStore(k *keeping) (*servicetoken.Store, error) {
	folder, err := a.configFolder()
	if err != nil {
		return nil, err
	}
	o := servicetoken.Options{Path: filepath.Join(folder, serviceTokens), Now: a.now}
	if k != nil {
		o.Log = func(ctx context.Context, event servicetoken.Event, t servicetoken.Token) error {
			return k.record(ctx, tokenEvents[event], tokenEntity(t), nil, tokenFields(event, t))
		}
	}
	return servicetoken.Open(o), nil
}

func tokenEntity(t servicetoken.Token) string {
	if t.Name == "" {
		return "token"
	}
	return "token/" + t.Name
}

// tokenFields are what the log says of a step.
func tokenFields(event servicetoken.Event, t servicetoken.Token) audit.Fields {
	f := audit.Fields{}
	if t.ID == "" { // a code of no token
		return f
	}
	f["id"] = t.ID
	if event != servicetoken.EventReissueRefused {
		f["role"] = t.Role
	}
	if event == servicetoken.EventIssued || event == servicetoken.EventReissued {
		f["clinics"], f["permissions"], f["expires"] = len(t.Clinics), len(t.Permissions), t.Expires.Format(time.DateOnly)
	}
	if event == servicetoken.EventReissued {
		f["replaces"] = t.Replaces
	}
	return f
}

// tokenFailed tells mistakes of the person from what else went wrong.
func tokenFailed(err error) error {
	_, stored := errors.AsType[*pipeline.StorageError](err)
	_, sealed := errors.AsType[*pipeline.KeyError](err)
	switch {
	case err == nil || stored || sealed || errors.Is(err, context.Canceled), errors.Is(err, servicetoken.ErrTooMany):
		return err
	default:
		return usagef("%v", err)
	}
}

// lifetime reads how long a token is good for: a number of days, with a d, or of hours, with an h.
func lifetime(text string) (time.Duration, error) {
	unit := map[string]time.Duration{"d": 24 * time.Hour, "h": time.Hour}[text[max(0, len(text)-1):]]
	n, err := strconv.Atoi(text[:max(0, len(text)-1)])
	if err != nil || unit == 0 || n < 1 || n > 10_000 {
		return 0, usagef("--expires %q: write days or hours, such as 90d or 12h", text)
	}
	return time.Duration(n) * unit, nil
}

func (a *app) tokenIssueCommand() *cobra.Command {
	var name, role, expires, path string
	var clinics, permissions []string
	cmd := &cobra.Command{
		Use:     "issue --lake DIR --name NAME --role ROLE --clinics ID,… --expires 90d",
		Short:   "issue a token for a batch job",
		Example: `  falloff token issue --lake lake --name nightly --role batch_service --clinics harbour-street --permissions extraction.run,build.run --expires 90d`,
		Args:    cobra.NoArgs,
		Long: `Prints a token and the code that replaces it when it is lost, once. Whoever has the token can do at the clinics what the role allows,
or those of its permissions that are named; the audit log calls them service/NAME.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			life, err := lifetime(expires)
			if err != nil {
				return err
			}
			r := servicetoken.Request{Name: name, Clinics: clinics, Life: life}
			if r.Role, err = a.serviceRole(role, path); err != nil {
				return err
			}
			for _, p := range permissions {
				r.Permissions = append(r.Permissions, access.Permission(p))
			}
			k, err := a.keptLake(ctx)
			if err != nil {
				return err
			}
			store, err := a.tokenStore(k)
			if err != nil {
				return err
			}
			r.By = k.actor.Person
			issued, err := store.Issue(ctx, r)
			if err != nil {
				return tokenFailed(err)
			}
			return a.printIssued(issued)
		},
	}
	a.lakeFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&name, "name", "", "what the audit log calls the job: lower-case letters, digits, hyphens")
	flags.StringVar(&role, "role", access.BatchService, "`role` that bounds it")
	flags.StringSliceVar(&clinics, "clinics", nil, "`ids` of the clinics it opens, or * for all")
	flags.StringSliceVar(&permissions, "permissions", nil, "those of the role's permissions that it opens (default all of them)")
	flags.StringVar(&expires, "expires", "90d", "how long it is good for, in days or hours, at most a year")
	policyFlag(cmd, &path)
	return cmd
}

// serviceRole finds a template, or a role of the policy where one is named.
func (a *app) serviceRole(name, path string) (access.Role, error) {
	roles := access.Templates()
	if path != "" {
		p, _, err := a.policy(path)
		if err != nil {
			return access.Role{}, err
		}
		roles = p.Roles()
	}
	for _, r := range roles {
		if r.Name == name {
			return r, nil
		}
	}
	return access.Role{}, usagef("there is no role %q: falloff access roles lists them; --policy FILE adds those of a policy", name)
}

// printIssued shows a token for the one time.
func (a *app) printIssued(t servicetoken.Issued) error {
	defer t.Text.Wipe()
	defer t.Code.Wipe()
	if a.json {
		return json.NewEncoder(a.stdout).Encode(map[string]any{
			"id": t.ID, "name": t.Name, "token": t.Text.Text(), "code": t.Code.Text(), "expires": t.Expires,
		})
	}
	a.tellf("The token is shown this once. Keep the code apart from it: it replaces the token when that is lost.")
	_, err := fmt.Fprintf(a.stdout, "id       %s\ntoken    %s\ncode     %s\nexpires  %s\n", t.ID, t.Text.Text(), t.Code.Text(), t.Expires.Format(time.DateOnly))
	return err
}

func (a *app) tokenListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list the service tokens of this machine, without any of them",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			store, err := a.tokenStore(nil)
			if err != nil {
				return err
			}
			list, err := store.List()
			if err != nil {
				return &pipeline.KeyError{Err: err}
			}
			if a.json {
				return json.NewEncoder(a.stdout).Encode(list)
			}
			var rows [][]any
			for _, t := range list {
				state := "good"
				switch err := t.Good(a.now()); {
				case errors.Is(err, servicetoken.ErrRevoked):
					state = "revoked " + t.Revoked.Format(time.DateOnly)
				case err != nil:
					state = "expired"
				}
				rows = append(rows, []any{t.ID, t.Name, state, t.Role, strings.Join(t.Clinics, ", "), t.Expires.Format(time.DateOnly), t.IssuedBy})
			}
			return printTable(a.stdout, []string{"id", "name", "state", "role", "clinics", "expires", "issued by"}, rows)
		},
	}
}

func (a *app) tokenRevokeCommand() *cobra.Command {
	var id string
	cmd := &cobra.Command{
		Use:   "revoke --lake DIR --id ID",
		Short: "end a service token at once",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			k, err := a.keptLake(cmd.Context())
			if err != nil {
				return err
			}
			store, err := a.tokenStore(k)
			if err != nil {
				return err
			}
			t, err := store.Revoke(cmd.Context(), id)
			if err != nil {
				return tokenFailed(err)
			}
			a.tellf("The token %s of %s is revoked.", t.ID, t.Name)
			return nil
		},
	}
	a.lakeFlags(cmd)
	cmd.Flags().StringVar(&id, "id", "", "the token's `id`, as falloff token list shows it")
	return cmd
}

func (a *app) tokenReissueCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reissue --lake DIR",
		Short: "replace a lost service token by its code",
		Args:  cobra.NoArgs,
		Long: `Asks for the code that came with the token, or reads it from standard input. The lost token ends at once; the new one opens the
same until the same day, and has a code of its own. A code is good once. After five wrong ones in an hour none is looked at.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			k, err := a.keptLake(ctx)
			if err != nil {
				return err
			}
			store, err := a.tokenStore(k)
			if err != nil {
				return err
			}
			var code secret.Bytes
			if terminal, ok := a.terminal(); ok {
				code, err = a.ask(ctx, terminal, "Code of the lost token: ")
			} else {
				code, err = readSecret("the code on standard input", a.stdin)
			}
			if err != nil {
				return err
			}
			defer code.Wipe()
			issued, err := store.Reissue(ctx, code.Text(), k.actor.Person)
			if err != nil {
				return tokenFailed(err)
			}
			return a.printIssued(issued)
		},
	}
	a.lakeFlags(cmd)
	return cmd
}
