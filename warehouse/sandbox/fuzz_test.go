package sandbox

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/duckdb/duckdb-go/v2"
)

// FuzzGate holds what passes the gate against what DuckDB itself says of it: one SELECT, over allowed tables alone.
func FuzzGate(f *testing.F) {
	for i, s := range append(corpus(f, "harmless.txt", ""), corpus(f, "hostile.txt", "/tmp/canary.csv")...) {
		if i%3 == 0 && len(s.text) < 1000 && !strings.HasSuffix(s.section, ": runs") {
			f.Add(s.text)
		}
	}
	parser := parserDB(f)
	tables := parserDB(f)
	makeTables(f, tables)
	f.Fuzz(func(t *testing.T, text string) {
		reads, err := Check(t.Context(), parser, text, visible)
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("neither passed nor refused: %v", err)
			}
			return
		}
		for _, table := range reads {
			if !slices.Contains(visible, table) {
				t.Errorf("it passes, and reads %s", table)
			}
		}
		conn, err := tables.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		names, err := duckdb.GetTableNames(conn, text, true)
		if err != nil {
			t.Fatalf("DuckDB cannot say what it reads: %v", err)
		}
		for _, name := range names {
			name, _, _ = strings.Cut(name, " AS ")
			if !slices.ContainsFunc(visible, func(v TableName) bool { return strings.EqualFold(name, v.String()) || strings.EqualFold(name, v.Name) }) {
				t.Errorf("it passes, and DuckDB says that it reads %q", name)
			}
		}
		if kind, prepared := statementType(t.Context(), conn, text); prepared && kind != duckdb.STATEMENT_TYPE_SELECT {
			t.Errorf("it passes, and is a statement of type %d", kind)
		}
	})
}

func makeTables(t testing.TB, db *sql.DB) {
	t.Helper()
	for _, statement := range []string{
		"create schema marts", "create schema lake",
		`create table marts.visits (patient varchar, visited_at timestamptz, visit_number bigint, discipline varchar, practitioner varchar,
			fee_cents bigint, tags varchar[])`,
		"create table lake.referrals (patient varchar, referrer varchar, referred_on date)",
		"create table marts.payer_money (category varchar, amount_cents bigint)",
		"set search_path = 'marts,lake'",
		"pragma disable_optimizer", // it computes what is constant: that is for workers
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
}

func statementType(ctx context.Context, conn *sql.Conn, text string) (kind duckdb.StmtType, prepared bool) {
	_ = conn.Raw(func(raw any) error {
		statement, err := raw.(*duckdb.Conn).PrepareContext(ctx, text)
		if err != nil {
			return err
		}
		defer statement.Close()
		kind, err = statement.(*duckdb.Stmt).StatementType()
		prepared = err == nil
		return err
	})
	return kind, prepared
}
