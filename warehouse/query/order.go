package query

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// listed are the tables of which people see the first rows of a list, with the list's order. Their rows lie in it, so that a question
// for the first few reads on until it has them, and no further: DuckDB gives rows in the order in which they lie.
var listed = map[string][]string{
	LedgerMart:  {"amount_cents desc", "occurred_on", "category", "source_id"},
	OutlookMart: {"list_rank"},
}

// order lays the rows of lists in the list's order.
func (e *Engine) order(ctx context.Context) error {
	present, err := e.tables(ctx)
	if err != nil {
		return err
	}
	for _, table := range slices.Sorted(maps.Keys(listed)) {
		if !present[table] {
			continue
		}
		columns, err := e.columnsOf(ctx, table)
		if err != nil {
			return fmt.Errorf("looking at the order of %s: %w", table, err)
		}
		if slices.ContainsFunc(listed[table], func(by string) bool {
			name, _, _ := strings.Cut(by, " ")
			return !slices.Contains(columns, name)
		}) {
			continue // a mart of another version; the queries that need the column say so
		}
		if _, err := e.db.ExecContext(ctx, "create or replace table "+table+" as select * from "+table+" order by "+strings.Join(listed[table], ", ")); err != nil {
			return fmt.Errorf("laying %s in order: %w", table, err)
		}
	}
	return nil
}
