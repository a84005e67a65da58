package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/warehouse/lake/iceberg"
)

func (a *app) lakeIcebergCommand() *cobra.Command {
	var rebuild bool
	var catalog string
	cmd := &cobra.Command{
		Use:   "iceberg --lake DIR --clinic NAME [--rebuild] [--catalog NAME]",
		Short: "describe the lake to Spark, Trino, Athena and others, as Apache Iceberg tables",
		Example: `  falloff lake iceberg --lake s3://bucket/lake --clinic harbour-street
  falloff lake iceberg --lake lake --clinic harbour-street --rebuild   # after the folder was moved`,
		Args: cobra.NoArgs,
		Long: `Writes Apache Iceberg metadata (format 2) beside the objects: a table for each dataset and mart, over the same Parquet files,
with a snapshot for every commit that changed it, tagged commit-<number>. It repairs what is missing or damaged, and removes
what no commit stands for any more. It needs no server: the tables form a Hadoop catalog, whose warehouse is printed.

In S3 the tables follow every commit by themselves; those of a lake in a folder do once this command has made them. A table holds
absolute locations, so after a folder was moved they are made anew with --rebuild. Each table names its files only: whoever reads
it needs the right to read the lake's objects.

Not for a lake that falloff encrypts, whose keys no other engine has: falloff export gives the rows to another engine.

--catalog registers the tables in an Iceberg REST catalog as well (AWS Glue offers one): the entry of that name in .iceberg-go.yaml
(in this user's home or in GOICEBERG_HOME) has its address and credentials. They are registered again whenever this command is run,
and not by a commit.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			site, err := a.existingSite(cmd.Context())
			if err != nil {
				return err
			}
			report, failed := site.Describe(cmd.Context(), iceberg.Options{Thorough: true, Rebuild: rebuild})
			if report == nil {
				return failed
			}
			if failed == nil && catalog != "" {
				failed = iceberg.Register(cmd.Context(), catalog, report)
			}
			if a.json {
				return errors.Join(json.NewEncoder(a.stdout).Encode(report), failed)
			}
			return errors.Join(a.printTables(iceberg.Warehouse(site.Clinic), report), failed)
		},
	}
	a.lakeFlags(cmd)
	cmd.Flags().BoolVar(&rebuild, "rebuild", false, "make every table anew from the commits, whatever is there")
	cmd.Flags().StringVar(&catalog, "catalog", "", "register the tables in the REST catalog of that `name` in .iceberg-go.yaml too")
	return cmd
}

// printTables prints where each table is, and how engines come to them.
func (a *app) printTables(warehouse string, report *iceberg.Report) error {
	var rows [][]any
	for _, t := range report.Tables {
		if t.Metadata == "" {
			continue
		}
		rows = append(rows, []any{t.Name, t.Commit, t.Snapshot, strings.TrimPrefix(t.Metadata, warehouse+"/")})
		if t.Anew != "" {
			a.tellf("made %s anew: %s", t.Name, t.Anew)
		}
	}
	if _, err := fmt.Fprintf(a.stdout, "warehouse  %s\ncommit     %d\n\n", warehouse, report.Commit); err != nil {
		return err
	}
	if err := printTable(a.stdout, []string{"table", "commit", "snapshot", "metadata, in the warehouse"}, rows); err != nil {
		return err
	}
	if len(rows) > 0 {
		a.tellf("%s", readers(warehouse, fmt.Sprint(rows[0][3])))
	}
	return nil
}

// readers says how engines read the tables.
func readers(warehouse, metadata string) string {
	return fmt.Sprintf(`
Spark      spark.sql.catalog.clinic=org.apache.iceberg.spark.SparkCatalog, …clinic.type=hadoop, …clinic.warehouse=%[1]s
           then: select count(*) from clinic.lake.appointments version as of 'commit-1'
Trino      call iceberg.system.register_table(schema_name => 'lake', table_name => '…', table_location => '%[1]s/lake/…')
Athena     register the tables in AWS Glue: falloff lake iceberg --catalog NAME
PyIceberg  StaticTable.from_metadata('%[1]s/%[2]s')
DuckDB     install iceberg; from iceberg_scan('%[1]s/%[2]s')
More, with S3 settings and what was tried: docs/analysts.md`, warehouse, metadata)
}

// follow brings the Iceberg tables up to the newest commit where they follow commits. A failure is a warning: what landed has
// landed, and the next commit makes up for it.
func (a *app) follow(ctx context.Context, site *pipeline.Site) *followed {
	report, err := site.Follow(ctx)
	out := &followed{Report: report}
	if err != nil {
		out.Warning = fmt.Sprintf("%v. What landed is not touched by this; the next commit tries again, and so does falloff lake iceberg", err)
		a.tellf("warning: %s", out.Warning)
	}
	if report == nil && err == nil {
		return nil
	}
	return out
}

// followed says what became of the Iceberg tables, as --json prints it.
type followed struct {
	*iceberg.Report

	Warning string `json:"warning,omitempty"`
}
