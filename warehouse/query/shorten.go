package query

import (
	"context"
	"fmt"
	"strings"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// manyRows is from how many rows on a table gains by it. mostWords is up to how many different texts a column may have: DuckDB takes
// them all in hand for each question, some milliseconds for ten thousand.
const (
	manyRows  = 5000
	mostWords = 1000
)

// shorten keeps the texts of columns that repeat few of them as numbers, in the order of the texts: of a large table, grouping and
// comparing texts is most of what a question costs. No answer is another one for it.
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
	if len(replaced) == 0 {
		return nil
	}
	_, err := e.db.ExecContext(ctx, fmt.Sprintf(`create or replace table "%s" as select * replace (%s) from "%s"`, table, strings.Join(replaced, ", "), table))
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
