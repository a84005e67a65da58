package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/warehouse/dictionary"
)

func (a *app) metricsCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "metrics [NAME...] [--write FILE]",
		Short: "explain every figure",
		Example: `  falloff metrics
  falloff metrics days_in_receivables --json`,
		Long: `Prints the metrics with their units; of each NAME its meaning, the source of its formula, what it can be split by, and the
query over marts that gives it, as falloff sql takes it. docs/metrics.md is made of it.`,
		RunE: func(_ *cobra.Command, names []string) error {
			metrics, err := dictionary.Metrics()
			if err != nil {
				return err
			}
			if path != "" {
				if err := os.WriteFile(path, []byte(dictionary.MetricsMarkdown(metrics)), 0o644); err != nil { //nolint:gosec // documentation, for everybody to read
					return usagef("--write: %v. Name a file that can be written to", err)
				}
				return nil
			}
			for _, name := range names {
				if !slices.ContainsFunc(metrics, func(m dictionary.Metric) bool { return m.Name == name }) {
					return usagef("there is no metric %q: falloff metrics lists them", name)
				}
			}
			if len(names) > 0 {
				metrics = slices.DeleteFunc(metrics, func(m dictionary.Metric) bool { return !slices.Contains(names, m.Name) })
			}
			switch {
			case a.json:
				return json.NewEncoder(a.stdout).Encode(metrics)
			case len(names) > 0:
				return a.printMetrics(metrics)
			}
			var rows [][]any
			for _, m := range metrics {
				rows = append(rows, []any{m.Name, m.Title, m.Unit})
			}
			return printTable(a.stdout, []string{"metric", "title", "unit"}, rows)
		},
	}
	cmd.Flags().StringVar(&path, "write", "", "`file` to write the whole dictionary to as Markdown, instead of printing")
	return cmd
}

func (a *app) printMetrics(metrics []dictionary.Metric) error {
	for i, m := range metrics {
		if i > 0 {
			_, _ = fmt.Fprintln(a.stdout)
		}
		text := fmt.Sprintf("%s, in %s\n%s\n", m.Title, m.Unit, m.Definition)
		if m.Source != "" {
			text += "Source: " + m.Source + "\n"
		}
		if _, err := fmt.Fprintf(a.stdout, "%sOne row is %s.\n\n%s;\n", text, m.Grain, m.Query); err != nil {
			return err
		}
	}
	return nil
}
