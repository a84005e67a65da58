package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

func (a *app) sqlCommand() *cobra.Command {
	var text, format, output string
	var clinics []string
	var script, withKey, forget bool
	cmd := &cobra.Command{
		Use:   "sql --lake DIR --clinic NAME [-c SQL] [--format table|csv|json|parquet] [--init]",
		Short: "run SQL over the lake, as its owner",
		Example: `  falloff sql --lake lake --clinic harbour-street -c "from marts.patient_status limit 10"
  falloff sql --lake lake --clinic harbour-street --format csv < question.sql
  falloff sql --lake lake --clinics harbour-street,elm-grove -c "select clinic, sum(amount_cents) from marts.leak_ledger group by clinic"
  falloff sql --lake lake --clinic harbour-street --init > lake.sql && duckdb -init lake.sql`,
		Args: cobra.NoArgs,
		Long: `Runs one statement in an in-memory DuckDB in which every dataset of the newest commit is a view of the schema
lake, and every mart one of the schema marts. "show all tables" lists them, docs/schema.md explains them. Without -c the
statement is read from standard input.

On a terminal, without -c, statements are typed one after the other: with history, and completion by Tab. What is typed may hold
pseudonyms; it is kept in sql_history of the folder with this machine's keys, for you alone to read, the newest thousand lines.
--no-history keeps nothing.

--clinics opens the marts of several clinics together, each with a column clinic in front; datasets are not among them. Nobody is the
same person in two clinics there: their pseudonyms are made under different keys.

--init prints a script that makes the same views in any other DuckDB, over the exact files of the newest commit. It holds no key
and no credential. docs/analysts.md has more.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(clinics) > 0 && (script || a.flags.Clinic != "") {
				return usagef("--clinics goes with neither --clinic nor --init")
			}
			if script {
				return a.printScript(cmd, text, withKey)
			}
			if text == "" {
				if f, ok := a.stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
					return a.sqlShell(cmd, clinics, forget)
				}
				body, err := io.ReadAll(a.stdin)
				if err != nil {
					return err
				}
				text = string(body)
			}
			if strings.TrimSpace(text) == "" {
				return usagef("no statement: give one with -c, or on standard input")
			}
			if a.json {
				format = formatJSON
			}
			if (format == formatParquet) != (output != "") {
				return usagef("--format parquet and --output FILE go together: Parquet is nothing to print")
			}
			view, _, err := a.openForSQL(cmd.Context(), clinics)
			if err != nil {
				return err
			}
			defer func() { _ = view.Close() }()
			if format == formatParquet {
				return answerParquet(cmd.Context(), view, text, output)
			}
			columns, rows, err := view.Query(cmd.Context(), text)
			var damaged *pipeline.StorageError
			switch {
			case cmd.Context().Err() != nil:
				return cmd.Context().Err()
			case errors.As(err, &damaged):
				return err
			case err != nil:
				return usagef("%v", err)
			}
			return printRows(a.stdout, format, columns, rows)
		},
	}
	a.lakeFlags(cmd)
	cmd.Flags().StringSliceVar(&clinics, "clinics", nil, "`ids` of clinics whose marts are opened together")
	cmd.Flags().StringVarP(&text, "command", "c", "", "the `SQL` statement")
	cmd.Flags().StringVar(&format, "format", formatTable, "`form`: table, csv, json, parquet")
	cmd.Flags().StringVar(&output, "output", "", "`file` to write with --format parquet, not there yet")
	cmd.Flags().BoolVar(&script, "init", false, "print a script for another DuckDB, and run nothing")
	cmd.Flags().BoolVar(&withKey, "with-key", false, "with --init: put the key of an encrypted lake into the script, which is then as secret as the lake")
	cmd.Flags().BoolVar(&forget, "no-history", false, "on a terminal: neither read nor keep what is typed")
	return cmd
}

// openForSQL opens a clinic whole, or the marts of several together, and gives the vault that has their keys.
func (a *app) openForSQL(ctx context.Context, clinics []string) (_ *pipeline.View, keys *vault.Vault, err error) {
	if len(clinics) == 0 {
		site, err := a.existingSite(ctx)
		if err != nil {
			return nil, nil, err
		}
		view, err := site.Open(ctx)
		return view, site.Vault, err
	}
	o, err := a.lakeOptions()
	if err != nil {
		return nil, nil, err
	}
	if o.Vault, err = pipeline.OpenVault(ctx, o); err != nil { // once: a passphrase may be readable only once
		return nil, nil, err
	}
	var sites []*pipeline.Site
	for i, name := range clinics {
		if _, err := lake.ParseClinicID(name); err != nil {
			return nil, nil, usagef("--clinics: %v", err)
		}
		if slices.Contains(clinics[:i], name) {
			return nil, nil, usagef("--clinics names %s twice", name)
		}
		o.Clinic = name
		site, err := pipeline.OpenExistingSite(ctx, o)
		if err != nil {
			return nil, nil, err
		}
		sites = append(sites, site)
	}
	view, err := pipeline.OpenTogether(ctx, sites)
	return view, o.Vault, err
}

// formatParquet goes into a file.
const formatParquet = "parquet"

// answerParquet writes a statement's answer into a file that is not there yet, for its owner alone to read.
func answerParquet(ctx context.Context, view *pipeline.View, text, output string) error {
	file, err := os.OpenFile(output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return usagef("--output: %v. Name a file that is not there yet", err)
	}
	if err := file.Close(); err != nil {
		return err
	}
	statement := "copy (" + strings.TrimRight(strings.TrimSpace(text), ";") + "\n) to '" + strings.ReplaceAll(output, "'", "''") +
		"' (format parquet, compression zstd, use_tmp_file false)"
	if _, _, err := view.Query(ctx, statement); err != nil {
		_ = os.Remove(output)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return usagef("%v", err)
	}
	return nil
}

// sqlShell has statements typed on the terminal.
func (a *app) sqlShell(cmd *cobra.Command, clinics []string, forget bool) error {
	view, keys, err := a.openForSQL(cmd.Context(), clinics)
	if err != nil {
		return err
	}
	defer func() { _ = view.Close() }()
	s := &shell{app: a, view: view}
	if !forget {
		s.history = filepath.Join(filepath.Dir(keys.Paths().Vault), "sql_history")
	}
	return s.run(cmd.Context())
}

// printScript prints what makes another DuckDB show the newest commit.
func (a *app) printScript(cmd *cobra.Command, text string, withKey bool) error {
	if text != "" {
		return usagef("--init prints a script and runs nothing: leave -c away")
	}
	if f, ok := a.stdout.(*os.File); ok && withKey && term.IsTerminal(int(f.Fd())) {
		return usagef("--with-key prints the key of the clinic's lake: send it into a file that only you can read (umask 077; … > lake.sql)")
	}
	site, err := a.existingSite(cmd.Context())
	if err != nil {
		return err
	}
	script, err := site.Script(cmd.Context(), withKey)
	if err != nil {
		return err
	}
	_, err = io.WriteString(a.stdout, script)
	return err
}
