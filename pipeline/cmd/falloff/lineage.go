package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/warehouse/models"
)

func (a *app) lineageCommand() *cobra.Command {
	var picture, columns bool
	var path string
	cmd := &cobra.Command{
		Use:   "lineage [TABLE...] [--column [TABLE.COLUMN...]] [--picture] [--write FILE]",
		Short: "say what each table and column of the marts is made from",
		Example: `  falloff lineage
  falloff lineage leak_ledger
  falloff lineage lake.claims --picture
  falloff lineage --column leak_ledger.certainty`,
		Long: `Prints every model with what it reads, from the lake's datasets to the marts; with TABLE only what that is made from and
what is made from it. A name without a schema is a mart's. --column goes down to columns: of those named, of a table's, or of all
marts', which columns of the lake and of clinic.yaml their values are made from, and which decide what rows there are (lake.claims.* is
the rows of lake.claims). --picture draws it as a Mermaid flowchart, --json is for programs. All of it is found in the models
themselves, by DuckDB's own parser.`,
		RunE: func(cmd *cobra.Command, tables []string) error {
			if columns {
				return a.columnLineage(cmd.Context(), tables, picture)
			}
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
				text, err := models.LineageMarkdown(cmd.Context(), nodes)
				if err != nil {
					return err
				}
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
	cmd.Flags().BoolVar(&columns, "column", false, "go down to columns")
	cmd.Flags().BoolVar(&picture, "picture", false, "draw it as a Mermaid flowchart")
	cmd.Flags().StringVar(&path, "write", "", "`file` to write the picture to as Markdown, instead of printing")
	return cmd
}

// columnLineage prints what columns are made from.
func (a *app) columnLineage(ctx context.Context, names []string, picture bool) error {
	nodes, err := models.ColumnLineage(ctx)
	if err != nil {
		return err
	}
	wanted, err := models.ColumnsOf(nodes, names)
	if err != nil {
		return usagef("%v", err)
	}
	switch {
	case a.json:
		return json.NewEncoder(a.stdout).Encode(wanted)
	case picture:
		_, err := io.WriteString(a.stdout, models.ColumnPicture(nodes, wanted))
		return err
	}
	_, err = io.WriteString(a.stdout, printedColumns(wanted))
	return err
}

// printedColumns writes what the values of each column are made from, and after the columns of a table what decides its rows.
func printedColumns(wanted []models.ColumnNode) string {
	var out strings.Builder
	for i, n := range wanted {
		fmt.Fprintf(&out, "%s\n", n.Name)
		printSources(&out, n.Values, "    no column: a constant, or a count of rows\n")
		table := n.Name[:strings.LastIndex(n.Name, ".")]
		if i == len(wanted)-1 || !strings.HasPrefix(wanted[i+1].Name, table+".") {
			fmt.Fprintf(&out, "rows of %s, decided by\n", table)
			printSources(&out, n.Rows, "    nothing\n")
		}
	}
	return out.String()
}

// printSources writes columns of inputs, a line or more for each table. That a table's rows count goes without saying where some of
// its columns do.
func printSources(out *strings.Builder, names []string, none string) {
	columns := map[string][]string{}
	var tables []string
	for _, name := range names {
		at := strings.LastIndex(name, ".")
		table, column := name[:at], name[at+1:]
		if _, known := columns[table]; !known {
			tables = append(tables, table)
			columns[table] = nil
		}
		if column != "*" {
			columns[table] = append(columns[table], column)
		}
	}
	for _, table := range tables {
		if len(columns[table]) == 0 {
			columns[table] = []string{"how many rows there are"}
		}
		wrap(out, fmt.Sprintf("    %-24s ", table), columns[table])
	}
	if len(tables) == 0 {
		out.WriteString(none)
	}
}

// wrap writes names after a label, in lines that fit.
func wrap(out *strings.Builder, label string, names []string) {
	line := label
	for i, name := range names {
		if i < len(names)-1 {
			name += ","
		}
		if len(line)+len(name) > lineageWidth {
			out.WriteString(strings.TrimRight(line, " ") + "\n")
			line = strings.Repeat(" ", len(label))
		}
		line += name + " "
	}
	out.WriteString(strings.TrimRight(line, " ") + "\n")
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
