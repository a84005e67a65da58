package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/warehouse/dictionary"
)

func (a *app) schemaCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "schema [--write FILE]",
		Short: "explain every table and column",
		Args:  cobra.NoArgs,
		Long:  `Prints what docs/schema.md says: each table with its columns, their types, units and meaning, and an example query.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tables, err := dictionary.Tables(cmd.Context())
			if err != nil {
				return err
			}
			text := dictionary.Markdown(tables)
			if path == "" {
				_, err := fmt.Fprint(a.stdout, text)
				return err
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // documentation, for everybody to read
				return usagef("--write: %v. Name a file that can be written to", err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "write", "", "`file` to write, instead of printing")
	return cmd
}
