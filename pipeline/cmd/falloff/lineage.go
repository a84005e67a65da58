package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/warehouse/models"
)

func (a *app) lineageCommand() *cobra.Command {
	var picture bool
	var path string
	cmd := &cobra.Command{
		Use:   "lineage [TABLE...] [--picture] [--write FILE]",
		Short: "say what each table of the marts is made from",
		Example: `  falloff lineage
  falloff lineage leak_ledger
  falloff lineage lake.claims --picture`,
		Long: `Prints every model with what it reads, from the lake's datasets to the marts; with TABLE only what that is made from and
what is made from it. A name without a schema is a mart's. --picture draws it as a Mermaid flowchart, --json is for programs. The
reads are found in the models themselves, by DuckDB's own parser.`,
		RunE: func(_ *cobra.Command, tables []string) error {
			nodes, err := models.Lineage()
			if err != nil {
				return err
			}
			if len(tables) > 0 {
				if nodes, err = models.Around(nodes, tables); err != nil {
					return usagef("%v", err)
				}
			}
			if path != "" {
				text := "# From the lake to the marts\n\nMade by `make docs` from the models themselves (`falloff lineage --picture`).\n\n```mermaid\n" + models.Picture(nodes) + "```\n"
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // documentation, for everybody to read
					return usagef("--write: %v. Name a file that can be written to", err)
				}
				return nil
			}
			switch {
			case a.json:
				return json.NewEncoder(a.stdout).Encode(nodes)
			case picture:
				_, err := fmt.Fprint(a.stdout, models.Picture(nodes))
				return err
			}
			return printLineage(a.stdout, nodes)
		},
	}
	cmd.Flags().BoolVar(&picture, "picture", false, "draw it as a Mermaid flowchart")
	cmd.Flags().StringVar(&path, "write", "", "`file` to write the picture to as Markdown, instead of printing")
	return cmd
}

// printLineage prints the models in an order in which they can be made, each with what it reads below it.
func printLineage(w io.Writer, nodes []models.Node) error {
	var out strings.Builder
	for _, n := range nodes {
		if n.File == "" {
			continue // an input: it is among what others read
		}
		fmt.Fprintf(&out, "%s: %s\n", n.Name, n.Grain)
		line := "   "
		for i, name := range n.Reads {
			if i < len(n.Reads)-1 {
				name += ","
			}
			if len(line)+len(name) > lineageWidth {
				out.WriteString(line + "\n")
				line = "   "
			}
			line += " " + name
		}
		if len(n.Reads) > 0 {
			out.WriteString(line + "\n")
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

const lineageWidth = 100
