package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/warehouse/access"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

func (a *app) accessCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "access",
		Short: "who may see what, and why",
		Args:  cobra.NoArgs,
		Long: `People come in through Grafana, or with a token of an identity provider or a service; what each may see and do is said in one
file, access.yaml, in roles by clinic. docs/permissions.md has the permissions, the role templates, and a sample.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.accessCheckCommand(), a.accessExplainCommand(), a.accessPermissionsCommand(), a.accessRolesCommand())
	return cmd
}

const defaultPolicy = "access.yaml"

func policyFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "policy", "", "the access policy `file` (default "+defaultPolicy+" in --config-dir)")
}

// configFolder is where this machine keeps what is its own.
func (a *app) configFolder() (string, error) {
	file, err := loadConfig(a.configFile) // also for commands that have nothing to do with a lake
	if err != nil {
		return "", err
	}
	places, err := vault.DefaultPaths(firstOf(a.flags.ConfigDir, file.ConfigDir), "")
	if err != nil {
		return "", err
	}
	return filepath.Dir(places.Vault), nil
}

// policy reads the access policy.
func (a *app) policy(path string) (*access.Policy, string, error) {
	if path == "" {
		folder, err := a.configFolder()
		if err != nil {
			return nil, "", err
		}
		path = filepath.Join(folder, defaultPolicy)
	}
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, path, usagef("reading the access policy: %v. Name one with --policy; docs/permissions.md has a sample", err)
	}
	p, err := access.Parse(body, path)
	if err != nil {
		return nil, path, usagef("%v", err)
	}
	return p, path, nil
}

func (a *app) accessCheckCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check [--policy FILE] [--lake DIR]",
		Short: "find mistakes in the access policy",
		Args:  cobra.NoArgs,
		Long: `Reads the policy and says what is wrong with it, in which line, and what to write instead. With --lake it compares the clinics
of the policy with those of the lake as well.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, path, err := a.policy(path)
			if err != nil {
				return err
			}
			missing := []string{}
			if a.flags.Lake != "" || a.file.Lake != "" {
				options, err := a.lakeOptions()
				if err != nil {
					return err
				}
				store, err := a.openStore(cmd.Context(), options)
				if err != nil {
					return err
				}
				there, err := lake.Clinics(cmd.Context(), store)
				if err != nil {
					return err
				}
				for _, clinic := range p.Clinics() {
					if !slices.Contains(there, lake.ClinicID(clinic)) {
						missing = append(missing, clinic)
					}
				}
			}
			if !p.RequiresSecondFactor() {
				a.tellf("It lets people in without a second factor.")
			}
			if p.MockUsers() {
				a.tellf("It lets anybody on the server's machine ask as anybody (mock_users), where the server listens on that machine alone.")
			}
			for _, clinic := range missing {
				a.tellf("The lake holds no clinic %s yet.", clinic)
			}
			if a.json {
				return json.NewEncoder(a.stdout).Encode(map[string]any{
					"file": path, "clinics": p.Clinics(), "not_in_lake": missing, "require_second_factor": p.RequiresSecondFactor(),
				})
			}
			_, err = fmt.Fprintf(a.stdout, "%s holds: %d clinics, %d roles\n", path, len(p.Clinics()), len(p.Roles()))
			return err
		},
	}
	policyFlag(cmd, &path)
	a.lakeFlags(cmd)
	return cmd
}

// askedAs is whom access explain asks about.
type askedAs struct {
	user, issuer, subject string
	teams, roles, claims  []string
	oneFactor             bool
}

// principal is the one whom a token would speak for.
func (q askedAs) principal() (access.Principal, error) {
	who := access.Principal{
		Person: q.user, Issuer: access.Grafana, Subject: q.user, Teams: q.teams, Roles: q.roles, SecondFactor: !q.oneFactor,
	}
	if q.issuer != "" {
		who.Issuer, who.Subject, who.Claims = q.issuer, firstOf(q.subject, q.user), map[string][]string{}
	}
	for _, claim := range q.claims {
		name, value, ok := strings.Cut(claim, "=")
		if !ok || q.issuer == "" {
			return who, usagef("--claim %q: write NAME=VALUE, and the --issuer that says so", claim)
		}
		who.Claims[name] = append(who.Claims[name], value)
	}
	if err := audit.CheckPerson(q.user); err != nil {
		return who, usagef("--user: the audit log names people, and would not take %q: give each person a login of their own", q.user)
	}
	return who, nil
}

func (a *app) accessExplainCommand() *cobra.Command {
	var path, thing string
	var q askedAs
	cmd := &cobra.Command{
		Use:   "explain --user LOGIN --query NAME --clinic ID [--policy FILE]",
		Short: "say why somebody may or may not see something",
		Example: `  falloff access explain --user ben --query worst_open_leaks --clinic harbour-street
  falloff access explain --user zoe --team "Front desk" --query marts.patient_status --clinic harbour-street
  falloff access explain --user kim --issuer https://id.example --claim groups=managers --query sql.run --clinic harbour-street`,
		Args: cobra.NoArgs,
		Long: `Says whether somebody who signed in as LOGIN may see a named query, a metric, a mart's aggregates (NAME) or rows (marts.NAME), or
holds a permission (group.action), which role gives it, and where it is refused what would change that. Teams, Grafana's role
and claims are those that the sign-in would bring.`,
		RunE: func(*cobra.Command, []string) error {
			p, _, err := a.policy(path)
			if err != nil {
				return err
			}
			if q.user == "" || thing == "" {
				return usagef("whom and what it is about is missing: --user LOGIN --query NAME")
			}
			who, err := q.principal()
			if err != nil {
				return err
			}
			clinic, err := need("clinic", "harbour-street", a.flags.Clinic, a.file.Clinic)
			if err != nil {
				return err
			}
			if _, err := lake.ParseClinicID(clinic); err != nil {
				return usagef("--clinic: %v", err)
			}
			d, err := p.Visible(who, a.now()).Explain(clinic, thing)
			if unknown, ok := errors.AsType[*access.UnknownError](err); ok {
				return usagef("--query: %v docs/permissions.md lists them", unknown)
			}
			if err != nil {
				return err
			}
			if a.json {
				return json.NewEncoder(a.stdout).Encode(d)
			}
			return a.printDecision(d)
		},
	}
	policyFlag(cmd, &path)
	a.lakeFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&q.user, "user", "", "the `login` in Grafana, or whom the token is about")
	flags.StringVar(&thing, "query", "", "`name` of a query, metric, mart or permission")
	flags.StringArrayVar(&q.teams, "team", nil, "a `team` in Grafana; may be repeated")
	flags.StringArrayVar(&q.roles, "grafana-role", nil, "`role` in Grafana's organisation: Viewer, Editor or Admin")
	flags.StringVar(&q.issuer, "issuer", "", "`address` of the identity provider, for somebody who does not come through Grafana")
	flags.StringVar(&q.subject, "subject", "", "the identity provider's `id` of the person (default LOGIN)")
	flags.StringArrayVar(&q.claims, "claim", nil, "`NAME=VALUE` that the token says; may be repeated")
	flags.BoolVar(&q.oneFactor, "one-factor", false, "as if the sign-in had used no second factor")
	return cmd
}

func (a *app) printDecision(d access.Decision) error {
	answer := "no"
	switch {
	case d.Allowed && d.Kind == "permission" && len(d.Staff) == 0:
		answer = "yes"
	case d.Allowed:
		answer = "yes: " + d.Reach
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s, %s at %s: %s\n", d.Person, d.Asked, d.Clinic, answer)
	for _, because := range d.Because {
		text.WriteString("  " + because + "\n")
	}
	if d.Hint != "" {
		text.WriteString(d.Hint + ".\n")
	}
	_, err := fmt.Fprint(a.stdout, text.String())
	return err
}

func (a *app) accessPermissionsCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "permissions [--write FILE]",
		Short: "list what can be permitted",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if path != "" {
				if err := os.WriteFile(path, []byte(access.Markdown()), 0o644); err != nil { //nolint:gosec // documentation, for everybody to read
					return usagef("--write: %v. Name a file that can be written to", err)
				}
				return nil
			}
			var rows [][]any
			list := []map[string]any{}
			for _, g := range access.Groups() {
				for _, e := range g.Entries {
					rows = append(rows, []any{string(e.Permission), e.Says})
					list = append(list, map[string]any{
						"permission": e.Permission, "group": g.Name, "says": e.Says, "read": e.Read, "caseload": e.Narrows, "lake_wide": e.LakeWide,
						"implies": slices.Concat([]access.Permission{}, e.Permission.Implied()),
					})
				}
			}
			if a.json {
				return json.NewEncoder(a.stdout).Encode(list)
			}
			return printTable(a.stdout, []string{"permission", "who holds it may"}, rows)
		},
	}
	cmd.Flags().StringVar(&path, "write", "", "`file` to write docs/permissions.md to, instead of printing")
	return cmd
}

func (a *app) accessRolesCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "roles [--policy FILE]",
		Short: "list roles and what they hold",
		Args:  cobra.NoArgs,
		Long:  "Lists the role templates, and with --policy the roles that the policy adds.",
		RunE: func(*cobra.Command, []string) error {
			roles := access.Templates()
			if path != "" {
				p, _, err := a.policy(path)
				if err != nil {
					return err
				}
				roles = p.Roles()
			}
			var rows [][]any
			list := []map[string]any{}
			for _, r := range roles {
				rows = append(rows, []any{r.Name, len(r.Permissions()), r.Says})
				list = append(list, map[string]any{
					"role": r.Name, "says": r.Says, "permissions": r.Permissions(), "view_assigned_only": r.Narrowed, "by_support": r.BySupport,
				})
			}
			if a.json {
				return json.NewEncoder(a.stdout).Encode(list)
			}
			return printTable(a.stdout, []string{"role", "permissions", "for"}, rows)
		},
	}
	policyFlag(cmd, &path)
	return cmd
}
