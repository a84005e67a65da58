package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/warehouse/export"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

func (a *app) auditExportCommand() *cobra.Command {
	var query auditQuery
	var format, path string
	cmd := &cobra.Command{
		Use:     "export --lake DIR --out FILE [--format csv|json] " + auditFilters,
		Short:   "write records into a file",
		Example: "  falloff audit export --lake lake --clinic harbour-street --from 2026-01-01 --to 2026-03-31 --out quarter.csv",
		Args:    cobra.NoArgs,
		Long: `Writes the records that falloff audit search finds into a file that is not there yet: CSV as of RFC 4180, in which no spreadsheet
finds a formula, or JSON, one record a line as it is stored. The export is a record itself, which is not in the file.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			write, known := map[string]func(io.Writer, []audit.Record) error{formatCSV: writeAuditCSV, formatJSON: writeAuditJSON}[format]
			if !known {
				return usagef("--format %q is not known: use csv or json", format)
			}
			if path == "" {
				return usagef("no file: say where to write with --out, a file that is not there yet")
			}
			if a.flags.Clinic != "" {
				if _, err := lake.ParseClinicID(a.flags.Clinic); err != nil {
					return usagef("--clinic: %v", err)
				}
			}
			options, err := a.lakeOptions()
			if err != nil {
				return err
			}
			k, err := a.keep(ctx, options)
			if err != nil {
				return err
			}
			records, err := query.find(ctx, a.flags.Clinic, k.store)
			if err != nil {
				return err
			}
			k.actor.Clinic = a.flags.Clinic
			after := audit.Fields{"records": len(records), "format": format, "by_person": query.filter.Person != "", "by_entity": query.filter.Entity != ""}
			for name, value := range map[string]string{"from": query.from, "to": query.to, "action": query.action} {
				if value != "" {
					after[name] = value
				}
			}
			out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if errors.Is(err, fs.ErrExist) {
				return usagef("--out %s is there already: name another file", path)
			}
			if err != nil {
				return usagef("--out: %v", err)
			}
			err = k.record(ctx, audit.AuditExported, "audit", nil, after)
			if err == nil {
				err = write(out, records)
			}
			if err = errors.Join(err, out.Close()); err != nil {
				if failed := os.Remove(path); failed != nil {
					err = errors.Join(err, failed)
				}
				return err
			}
			if a.json {
				return json.NewEncoder(a.stdout).Encode(struct {
					Out     string `json:"out"`
					Records int    `json:"records"`
				}{path, len(records)})
			}
			_, err = fmt.Fprintf(a.stdout, "%d records are in %s\n", len(records), path)
			return err
		},
	}
	a.lakeFlags(cmd)
	query.register(cmd.Flags())
	cmd.Flags().StringVar(&path, "out", "", "`file` to write, not there yet")
	cmd.Flags().StringVar(&format, "format", formatCSV, "`form` of the file: csv, or json (one object a line)")
	return cmd
}

// writeAuditJSON writes a record a line.
func writeAuditJSON(w io.Writer, records []audit.Record) error {
	encoder := json.NewEncoder(w)
	for _, r := range records {
		if err := encoder.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// writeAuditCSV writes a table as of RFC 4180. Before and after are JSON objects, empty where there is nothing.
func writeAuditCSV(w io.Writer, records []audit.Record) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	if err := out.Write([]string{"server", "number", "at", "person", "address", "action", "clinic", "entity", "before", "after", "previous", "hash"}); err != nil {
		return err
	}
	for _, r := range records {
		before, err := fieldsCell(r.Before)
		if err != nil {
			return err
		}
		after, err := fieldsCell(r.After)
		if err != nil {
			return err
		}
		row := []string{
			r.Chain, strconv.FormatInt(r.Number, 10), r.At.Format(time.RFC3339Nano), r.Person, r.Address, string(r.Action), r.Clinic, r.Entity,
			before, after, r.Previous, r.Hash,
		}
		for i := range row {
			row[i] = export.Inert(row[i])
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func fieldsCell(fields audit.Fields) (string, error) {
	if len(fields) == 0 {
		return "", nil
	}
	body, err := json.Marshal(fields)
	return string(body), err
}
