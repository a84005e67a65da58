package query

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// listOrder are the tables of which people see the first rows of a list, with the list's order. Their rows lie in it, so that a question
// for the first few reads on until it has them, and no further: DuckDB gives rows in the order in which they lie.
var listOrder = map[string][]string{
	LedgerMart:  {"amount_cents desc", "occurred_on", "category", "source_id"},
	OutlookMart: {"list_rank"},
}

// layInOrder lays the rows of lists in the list's order.
func (e *Engine) layInOrder(ctx context.Context) error {
	for _, table := range slices.Sorted(maps.Keys(listOrder)) {
		var columns []string
		for _, by := range listOrder[table] {
			name, _, _ := strings.Cut(by, " ")
			columns = append(columns, name)
		}
		has, err := e.has(ctx, table, columns...)
		if err != nil {
			return err
		}
		if !has {
			continue // the queries that need the columns say so
		}
		if _, err := e.db.ExecContext(ctx, "create or replace table "+table+" as select * from "+table+" order by "+strings.Join(listOrder[table], ", ")); err != nil {
			return fmt.Errorf("laying %s in order: %w", table, err)
		}
	}
	return nil
}
