package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/warehouse/query"
)

func (a *app) queryCommand() *cobra.Command {
	var server remoteFlags
	var params []string
	var from, to, format string
	cmd := &cobra.Command{
		Use:   "query --server URL --clinic NAME [QUERY]",
		Short: "ask a query server, as whom a token names",
		Example: `  falloff query --server https://falloff.example:8750 --clinic harbour-street
  falloff query --server https://falloff.example:8750 --clinic harbour-street worst_open_leaks --param limit=5 --param state=unsettled
  falloff query --server http://127.0.0.1:8750 --clinic harbour-street --as robin leak_total`,
		Args: cobra.MaximumNArgs(1),
		Long: `Asks a named query of a falloff serve, or lists those that may be asked where none is named. Who asks is said by the token in
FALLOFF_TOKEN or --token-file: a service token (falloff token issue), or an access token of an OIDC issuer. The answer is what they may see,
and in the server's audit log.

With --as LOGIN it asks as that person without their token, to try a policy out: of a server on this machine alone, whose policy says
mock_users: true. The audit log has them as mock/LOGIN.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if server.server == "" {
				return usagef("which server? Say it with --server; for a lake at hand there is falloff sql")
			}
			at, err := a.remote(server)
			if err != nil {
				return err
			}
			clinic, err := need("clinic", "harbour-street", a.flags.Clinic, a.file.Clinic)
			if err != nil {
				return err
			}
			if a.json {
				format = formatJSON
			}
			if len(args) == 0 {
				body, err := at.ask(cmd.Context(), http.MethodGet, "/v1/queries", url.Values{"clinic": {clinic}}, nil)
				if err != nil {
					return err
				}
				return a.printQueries(format, body)
			}
			asked := map[string]any{}
			for _, p := range params {
				name, value, ok := strings.Cut(p, "=")
				if !ok {
					return usagef("--param %q: write NAME=VALUE", p)
				}
				asked[name] = value
			}
			columns, rows, err := at.query(cmd.Context(), map[string]any{"clinic": clinic, "query": args[0], "params": asked, "from": from, "to": to})
			if err != nil {
				return err
			}
			return printRows(a.stdout, format, columns, rows)
		},
	}
	server.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&a.flags.Clinic, "clinic", "", "the clinic's `id`")
	flags.StringArrayVar(&params, "param", nil, "`NAME=VALUE` of a parameter; may be repeated")
	flags.StringVar(&from, "from", "", "first `day`, YYYY-MM-DD")
	flags.StringVar(&to, "to", "", "last `day`, included")
	flags.StringVar(&format, "format", formatTable, "`form`: table, csv, json")
	return cmd
}

func (a *app) printQueries(format string, body []byte) error {
	var list struct {
		Queries []query.Definition `json:"queries"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	rows := make([][]any, len(list.Queries))
	for i, d := range list.Queries {
		var parameters []string
		for _, p := range d.Parameters {
			parameters = append(parameters, p.Name)
		}
		rows[i] = []any{d.Name, d.Title, strings.Join(parameters, ", ")}
	}
	return printRows(a.stdout, format, []string{"query", "title", "parameters"}, rows)
}
