package tabular

// OpenSlowly is Open with every cell of a sheet left to the tokens, none taken in one step.
func OpenSlowly(name string, body []byte, isHeader func([]string) bool, limits Limits) (*Table, error) {
	t := &Table{Name: name}
	grid, err := t.open(body, limits.orDefault())
	if err != nil {
		return nil, err
	}
	t.grid = grid
	if sheet, ok := grid.(*sheetGrid); ok {
		sheet.slow = true
	}
	return t.toHeader(isHeader)
}
