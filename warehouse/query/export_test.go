package query

import (
	"context"
	"math"
)

// Short are limits under which every table is kept short, Long some under which none is.
var (
	Short = Limits{shortenFrom: 1}
	Long  = Limits{shortenFrom: math.MaxInt64}
)

// Written is a definition's text with those parameters in it that are written into a statement.
func Written(d Definition, bound map[string]any) string { return d.withOwnWords(bound) }

// Asking is a definition that declares no parameter, as a metric's is.
func Asking(text string) Definition { return Definition{text: text} }

// RunText answers a statement of one column, n bigint, as Run answers a named query.
func (e *Engine) RunText(ctx context.Context, text string) (*Answer, error) {
	d := Definition{Name: "tried", Columns: []Column{{Name: "n", Type: Integer}}, text: text, order: "n"}
	return e.answer(ctx, d, nil)
}

// Pairs are the rows of a statement with two columns of text.
func (e *Engine) Pairs(ctx context.Context, text string) ([][2]string, error) {
	rows, err := e.db.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var pairs [][2]string
	for rows.Next() {
		var pair [2]string
		if err := rows.Scan(&pair[0], &pair[1]); err != nil {
			return nil, err
		}
		pairs = append(pairs, pair)
	}
	return pairs, rows.Err()
}
