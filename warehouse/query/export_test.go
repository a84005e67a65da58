package query

import "context"

// RunText answers a statement of one column, n bigint, as Run answers a named query.
func (e *Engine) RunText(ctx context.Context, text string) (*Answer, error) {
	d := Definition{Name: "tried", Columns: []Column{{Name: "n", Type: Integer}}, text: text, order: "n"}
	return e.answer(ctx, d, nil)
}
