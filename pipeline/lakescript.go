package pipeline

import (
	"context"
	"fmt"
	"strings"

	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/parquetkeys"
)

// Script is the SQL that makes any DuckDB show the newest commit as Open does: a view of the schema lake for each dataset, one of
// marts for each mart, over the exact files of that commit. It holds no credential, and a key only where the lake is encrypted and
// withKey says so. It shows the commit for as long as its objects are kept, whatever is committed meanwhile.
func (s *Site) Script(ctx context.Context, withKey bool) (string, error) {
	head, err := s.Clinic.Head(ctx)
	if err != nil {
		return "", storage("opening the lake", err)
	}
	lies, ok := lake.Places(s.Clinic)
	if !ok {
		return "", refused("", fmt.Errorf("%s is no place that DuckDB reads from", s.Clinic.Store()))
	}
	redirects, err := s.Clinic.Redirects(ctx)
	if err != nil {
		return "", storage("opening the lake", err)
	}
	place := func(o lake.Object) string {
		o, _ = redirects.Resolve(o)
		return lies(o)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "-- Clinic %s in %s, commit %d of %s, reports show %s.\n", s.Clinic.ID(), s.Clinic.Store(), head.Number, head.CreatedAt.UTC().Format("2006-01-02 15:04 MST"), head.AsOf)
	out.WriteString("-- Run it in any DuckDB: duckdb -init THIS_FILE. Make it anew to see newer commits. docs/schema.md explains the tables.\n")
	if strings.HasPrefix(s.Clinic.Store().String(), "s3://") {
		out.WriteString("-- The files lie in S3. DuckDB's httpfs extension reads them, with the credentials of your environment; this file holds none.\n" +
			"install httpfs; load httpfs; install aws; load aws;\n")
		fmt.Fprintf(&out, "create or replace secret falloff (type s3, provider credential_chain%s);\n", endpoint(s.Clinic.Store()))
	}
	keys, err := s.Clinic.Snapshot(head).Keys(place)
	if err != nil {
		return "", storage("opening the lake", err)
	}
	switch {
	case keys != nil && withKey:
		out.WriteString("-- THIS FILE HOLDS THE KEY of the clinic's lake: whoever has both can read all of it. Keep it to yourself, and remove it after use.\n")
		if err := keys.Unlock(ctx, func(_ context.Context, statement string) error {
			out.WriteString(statement + ";\n")
			return nil
		}); err != nil {
			return "", err
		}
	case keys != nil:
		out.WriteString("-- The files are encrypted, and this script holds no key: falloff sql --init --with-key writes one that does, or falloff export the rows.\n")
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
			writeRelation(&out, "lake."+name, files, keys)
		}
	}
	for _, name := range sortedKeys(head.Marts) {
		writeRelation(&out, "marts."+name, []string{place(head.Marts[name].Object)}, keys)
	}
	return out.String(), nil
}

// endpoint says in DuckDB's words where a bucket is asked that is not Amazon's.
func endpoint(store lake.Store) string {
	at, ok := store.(interface {
		Endpoint() (host string, tls bool)
	})
	if !ok {
		return ""
	}
	host, tls := at.Endpoint()
	if host == "" {
		return ""
	}
	return fmt.Sprintf(", endpoint %s, url_style 'path', use_ssl %t", parquetkeys.Quoted(host), tls)
}

// writeRelation writes a view; of encrypted files a table, in the memory of whoever runs it, since DuckDB cannot filter while it
// reads them (see parquetkeys).
func writeRelation(out *strings.Builder, name string, files []string, keys *parquetkeys.Keys) {
	kind := "view"
	if keys != nil {
		kind = "table"
	}
	fmt.Fprintf(out, "create or replace %s %s as from %s;\n", kind, name, keys.Scan(files, "hive_partitioning = false", parquetkeys.UnionByName))
}
