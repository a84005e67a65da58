package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

func (a *app) lakeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lake",
		Short: "look at a lake's history, verify it, and clear it up",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.lakeLogCommand(), a.lakeShowCommand(), a.lakeVerifyCommand(), a.lakeGCCommand(), a.lakeCompactCommand(), a.lakeIcebergCommand(), a.lakeEncryptCommand())
	return cmd
}

// loggedCommit is a commit as the log shows it.
type loggedCommit struct {
	Number    int64     `json:"number"`
	CreatedAt time.Time `json:"created_at"`
	Kind      lake.Kind `json:"kind"`
	AsOf      string    `json:"as_of,omitempty"`
	// Changed are the datasets and marts that differ from the commit before.
	Changed []string `json:"changed"`
	// Rows and Bytes are those that it names in all, RowsChange the difference in rows of datasets to the commit before, NewBytes
	// those of objects that the commit before does not name.
	Rows       int64 `json:"rows"`
	RowsChange int64 `json:"rows_change"`
	Bytes      int64 `json:"bytes"`
	NewBytes   int64 `json:"new_bytes"`
	// Dropped says that its objects were let go.
	Dropped bool `json:"dropped,omitempty"`
}

func (a *app) lakeLogCommand() *cobra.Command {
	var most int
	cmd := &cobra.Command{
		Use:     "log --lake DIR --clinic NAME [--most N]",
		Short:   "list the commits, the newest first",
		Example: "  falloff lake log --lake lake --clinic harbour-street",
		Args:    cobra.NoArgs,
		Long: `Lists the clinic's commits, the newest first: when each was made, what made it, which datasets and marts it changed, and how many
rows and bytes it brought. The rows are those of datasets; the new bytes are of objects that the commit before does not name.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if most < 1 {
				return usagef("--most %d: at least one commit", most)
			}
			ctx := cmd.Context()
			site, err := a.existingSite(ctx)
			if err != nil {
				return err
			}
			entries, err := logOf(ctx, site.Clinic, most)
			if err != nil {
				return &pipeline.StorageError{Doing: "reading the lake's history", Err: err}
			}
			if a.json {
				return a.printValue(entries)
			}
			rows := make([][]any, len(entries))
			for i, e := range entries {
				what := strings.Join(e.Changed, ", ")
				if len(e.Changed) > 4 {
					what = fmt.Sprintf("%s and %d more", strings.Join(e.Changed[:3], ", "), len(e.Changed)-3)
				}
				if e.Dropped {
					what = "(its objects were let go)"
				}
				rows[i] = []any{e.Number, e.CreatedAt.Format("2006-01-02 15:04 MST"), string(e.Kind), dash(e.AsOf), e.Rows, signed(e.RowsChange), size(e.NewBytes), dash(what)}
			}
			return printTable(a.stdout, []string{"commit", "made", "kind", "reports show", "rows", "change", "new bytes", "changed"}, rows)
		},
	}
	a.lakeFlags(cmd)
	cmd.Flags().IntVar(&most, "most", 20, "how many `commits` to list")
	return cmd
}

// logOf reads the newest commits, the newest first.
func logOf(ctx context.Context, clinic *lake.Clinic, most int) ([]loggedCommit, error) {
	is, err := clinic.Head(ctx)
	if err != nil {
		return nil, err
	}
	dropped, err := clinic.Dropped(ctx)
	if err != nil {
		return nil, err
	}
	var entries []loggedCommit
	for is != nil && len(entries) < most {
		was := &lake.Commit{}
		if is.Parent > 0 {
			if was, err = clinic.At(ctx, is.Parent); err != nil {
				return nil, err
			}
		}
		entry := compareCommits(was, is)
		entry.Dropped = slices.Contains(dropped, is.Number)
		entries = append(entries, entry)
		if is = was; was.Number == 0 {
			is = nil
		}
	}
	return entries, nil
}

func compareCommits(was, is *lake.Commit) loggedCommit {
	e := loggedCommit{Number: is.Number, CreatedAt: is.CreatedAt.UTC(), Kind: is.Kind, Changed: []string{}}
	if is.AsOf.IsValid() {
		e.AsOf = is.AsOf.String()
	}
	before := map[string]bool{}
	for _, o := range named(was) {
		before[o.Path] = true
	}
	for _, o := range named(is) {
		e.Bytes += o.Bytes
		if !before[o.Path] {
			e.NewBytes += o.Bytes
		}
	}
	names := map[string]bool{}
	for name, d := range is.Datasets {
		e.Rows += d.Rows()
		e.RowsChange += d.Rows() - was.Datasets[name].Rows()
		names[name] = !slices.EqualFunc(d.Objects, was.Datasets[name].Objects, samePath)
	}
	for name, d := range was.Datasets {
		if _, stays := is.Datasets[name]; !stays {
			e.RowsChange -= d.Rows()
			names[name] = true
		}
	}
	for name, m := range is.Marts {
		names["marts."+name] = m.Path != was.Marts[name].Path
	}
	for name := range was.Marts {
		if _, stays := is.Marts[name]; !stays {
			names["marts."+name] = true
		}
	}
	for month, c := range is.Closed {
		before, closed := was.Closed[month]
		names["closed "+month] = !closed || (c.Restated == nil) != (before.Restated == nil) || c.Restated != nil && !samePath(*c.Restated, *before.Restated)
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if names[name] {
			e.Changed = append(e.Changed, name)
		}
	}
	return e
}

func samePath(a, b lake.Object) bool { return a.Path == b.Path }

// named are all objects that a commit names.
func named(c *lake.Commit) (all []lake.Object) {
	for _, name := range slices.Sorted(maps.Keys(c.Datasets)) {
		d := c.Datasets[name]
		all = append(all, d.Objects...)
		if d.Removed != nil {
			all = append(all, *d.Removed)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Marts)) {
		all = append(all, c.Marts[name].Object)
	}
	for _, month := range slices.Sorted(maps.Keys(c.Closed)) {
		all = append(all, c.Closed[month].Object)
		if restated := c.Closed[month].Restated; restated != nil {
			all = append(all, *restated)
		}
	}
	if c.Settings != nil {
		all = append(all, *c.Settings)
	}
	return all
}

func (a *app) lakeShowCommand() *cobra.Command {
	var number int64
	cmd := &cobra.Command{
		Use:     "show --lake DIR --clinic NAME [--commit N]",
		Short:   "show what a commit names",
		Example: "  falloff lake show --lake lake --clinic harbour-street --commit 12",
		Args:    cobra.NoArgs,
		Long:    `Shows every dataset and mart of a commit with its objects; with --json the commit as it is stored. Without --commit it is the newest.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			site, err := a.existingSite(ctx)
			if err != nil {
				return err
			}
			commit, err := commitOf(ctx, site.Clinic, number)
			if err != nil {
				return err
			}
			if a.json {
				return a.printValue(commit)
			}
			return a.printCommit(commit)
		},
	}
	a.lakeFlags(cmd)
	cmd.Flags().Int64Var(&number, "commit", 0, "`number` of the commit (default the newest)")
	return cmd
}

// commitOf is the commit of a number, the newest for 0.
func commitOf(ctx context.Context, clinic *lake.Clinic, number int64) (commit *lake.Commit, err error) {
	switch {
	case number < 0:
		return nil, usagef("--commit %d: commits count from 1", number)
	case number == 0:
		commit, err = clinic.Head(ctx)
	default:
		commit, err = clinic.At(ctx, number)
	}
	if number > 0 && errors.Is(err, lake.ErrNoCommit) {
		return nil, usagef("%v. falloff lake log lists those there are", err)
	}
	if err != nil {
		return nil, &pipeline.StorageError{Doing: "reading the lake's history", Err: err}
	}
	return commit, nil
}

func (a *app) printCommit(c *lake.Commit) error {
	_, err := fmt.Fprintf(a.stdout, "commit    %d, kind %s, made %s\nreports   show %s\nkeys      version %d\n\n",
		c.Number, c.Kind, c.CreatedAt.UTC().Format("2006-01-02 15:04 MST"), orDash(c.AsOf), c.PseudonymVersion())
	if err != nil {
		return err
	}
	var rows [][]any
	for _, name := range slices.Sorted(maps.Keys(c.Datasets)) {
		d := c.Datasets[name]
		for _, o := range d.Objects {
			rows = append(rows, []any{name, o.Month, o.Rows, o.Bytes, o.Path})
		}
		if d.Removed != nil {
			rows = append(rows, []any{name, "removed", d.Removed.Rows, d.Removed.Bytes, d.Removed.Path})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Marts)) {
		m := c.Marts[name]
		rows = append(rows, []any{"marts." + name, fmt.Sprintf("of commit %d", m.Input), m.Rows, m.Bytes, m.Path})
	}
	for _, month := range slices.Sorted(maps.Keys(c.Closed)) {
		closing := c.Closed[month]
		rows = append(rows, []any{"closed " + month, fmt.Sprintf("as of %s", closing.AsOf), "", closing.Bytes, closing.Path})
		if closing.Restated != nil {
			rows = append(rows, []any{"restated " + month, "", "", closing.Restated.Bytes, closing.Restated.Path})
		}
	}
	if c.Settings != nil {
		rows = append(rows, []any{"settings", "", "", c.Settings.Bytes, c.Settings.Path})
	}
	return printTable(a.stdout, []string{"of", "month", "rows", "bytes", "object"}, rows)
}

// printValue prints a value as JSON for a program.
func (a *app) printValue(v any) error {
	encoder := json.NewEncoder(a.stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// signed is a difference with its sign, aligned like a number.
func signed(n int64) money {
	if n == 0 {
		return "0"
	}
	return money(fmt.Sprintf("%+d", n))
}

// size is a number of bytes as people say it, aligned like a number.
func size(n int64) money {
	const k = 1000
	switch {
	case n < k:
		return money(fmt.Sprintf("%d B", n))
	case n < k*k:
		return money(fmt.Sprintf("%.1f kB", float64(n)/k))
	case n < k*k*k:
		return money(fmt.Sprintf("%.1f MB", float64(n)/k/k))
	default:
		return money(fmt.Sprintf("%.1f GB", float64(n)/k/k/k))
	}
}
