package pipeline

import (
	"context"
	"fmt"
	"strings"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Script is the SQL that makes any DuckDB show the newest commit as Open does: a view of the schema lake for each dataset, one of
// marts for each mart, over the exact files of that commit. It holds no key and no credential, and shows the commit for as long
// as its objects are kept, whatever is committed meanwhile.
func (s *Site) Script(ctx context.Context) (string, error) {
	head, err := s.Clinic.Head(ctx)
	if err != nil {
		return "", storage("opening the lake", err)
	}
	place, ok := lake.Places(s.Clinic)
	if !ok {
		return "", refused("", fmt.Errorf("%s is no place that DuckDB reads from", s.Clinic.Store()))
	}
	var out strings.Builder
	fmt.Fprintf(&out, "-- Clinic %s in %s, commit %d of %s, reports show %s.\n", s.Clinic.ID(), s.Clinic.Store(), head.Number, head.CreatedAt.UTC().Format("2006-01-02 15:04 MST"), head.AsOf)
	out.WriteString("-- Run it in any DuckDB: duckdb -init THIS_FILE. Make it anew to see newer commits. docs/schema.md explains the tables.\n")
	if strings.HasPrefix(s.Clinic.Store().String(), "s3://") {
		out.WriteString("-- The files lie in S3. DuckDB's httpfs extension reads them, with the credentials of your environment; this file holds none.\n" +
			"-- Another endpoint than AWS's: add endpoint 'HOST:PORT', url_style 'path' and, without TLS, use_ssl false to the secret.\n" +
			"install httpfs; load httpfs; install aws; load aws;\ncreate or replace secret falloff (type s3, provider credential_chain);\n")
	}
	out.WriteString("create schema if not exists lake;\ncreate schema if not exists marts;\n")
	for _, name := range sortedKeys(head.Datasets) {
		var files []string
		for _, o := range head.Datasets[name].Objects {
			if o.Sealed {
				continue
			}
			files = append(files, place(o))
		}
		if len(files) > 0 {
			writeView(&out, "lake."+name, files)
		}
	}
	for _, name := range sortedKeys(head.Marts) {
		writeView(&out, "marts."+name, []string{place(head.Marts[name].Object)})
	}
	return out.String(), nil
}

func writeView(out *strings.Builder, name string, files []string) {
	fmt.Fprintf(out, "create or replace view %s as from read_parquet([\n", name)
	for i, file := range files {
		ending := ",\n"
		if i == len(files)-1 {
			ending = "\n"
		}
		out.WriteString("  " + quoteAll([]string{file}) + ending)
	}
	out.WriteString("], hive_partitioning = false);\n")
}
