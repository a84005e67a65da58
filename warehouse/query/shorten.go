package query

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// manyRows is from how many rows on a table gains by it. mostWords is up to how many different texts a column may have: DuckDB takes
// them all in hand for each question, some milliseconds for ten thousand.
const (
	manyRows  = 5000
	mostWords = 1000
)

// firstRows are the tables of which people see the first rows of a list, with the list's order. Rows that stand in it are passed over
// fast once the first are found.
var firstRows = map[string][]string{
	LedgerMart:  {"amount_cents desc", "occurred_on", "category", "source_id"},
	OutlookMart: {"list_rank"},
}

// shorten keeps the texts of columns that repeat few of them as numbers, in the order of the texts, and the rows of lists in the list's
// order: of a large table, grouping and comparing texts is most of what a question costs. No answer is another one for it.
func (e *Engine) shorten(ctx context.Context) error {
	columns, err := e.longColumns(ctx)
	if err != nil {
		return fmt.Errorf("looking for columns of few words: %w", err)
	}
	for table, texts := range columns {
		if err := e.shortenTable(ctx, table, texts); err != nil {
			return fmt.Errorf("shortening %s: %w", table, err)
		}
	}
	return nil
}

// longColumns gives the columns of text of each table that has many rows.
func (e *Engine) longColumns(ctx context.Context) (map[string][]string, error) {
	rows, err := e.db.QueryContext(ctx, `
		select columns.table_name, columns.column_name
		from duckdb_columns() as columns
		inner join duckdb_tables() as tables using (schema_name, table_name)
		where tables.estimated_size >= $1 and columns.data_type = 'VARCHAR'`, e.limits.shortenFrom)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	columns := map[string][]string{}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			return nil, err
		}
		columns[table] = append(columns[table], column)
	}
	return columns, rows.Err()
}

func (e *Engine) shortenTable(ctx context.Context, table string, texts []string) error {
	var replaced []string
	for _, column := range texts {
		var words int64
		if err := e.db.QueryRowContext(ctx, "select count(*) from ("+wordsOf(table, column)+")").Scan(&words); err != nil {
			return err
		}
		if words == 0 || words > mostWords {
			continue
		}
		kind := fmt.Sprintf(`"%s of %s"`, column, table)
		if _, err := e.db.ExecContext(ctx, fmt.Sprintf("create type %s as enum (%s)", kind, wordsOf(table, column))); err != nil {
			return err
		}
		replaced = append(replaced, fmt.Sprintf(`"%s"::%s as "%s"`, column, kind, column))
	}
	order, err := e.orderOf(ctx, table)
	if err != nil || len(replaced) == 0 && order == "" {
		return err
	}
	chosen := "*"
	if len(replaced) > 0 {
		chosen += " replace (" + strings.Join(replaced, ", ") + ")"
	}
	_, err = e.db.ExecContext(ctx, fmt.Sprintf(`create or replace table "%s" as select %s from "%s"%s`, table, chosen, table, order))
	return err
}

// wordsOf selects the texts of a column, sorted, so that comparing their numbers is comparing them.
func wordsOf(table, column string) string {
	words := fmt.Sprintf(`select "%s" as word from "%s" where "%s" is not null`, column, table, column)
	if table == LedgerMart && column == "state" {
		// People and money bring leaks into states that no leak of the snapshot is in yet.
		words += " union select unnest(['" + strings.Join(contract.AllLeakStates(), "', '") + "'])"
	}
	return "select distinct word from (" + words + ") order by word"
}

// orderOf is the clause for the order that a table's rows are kept in, empty where it is the mart's own.
func (e *Engine) orderOf(ctx context.Context, table string) (string, error) {
	order := firstRows[table]
	if len(order) == 0 {
		return "", nil
	}
	columns, err := e.columnsOf(ctx, `"`+table+`"`)
	if err != nil {
		return "", err
	}
	for _, by := range order {
		if name, _, _ := strings.Cut(by, " "); !slices.Contains(columns, name) {
			return "", nil // a mart of another version; the queries that need the column say so
		}
	}
	return " order by " + strings.Join(order, ", "), nil
}
