package models

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"slices"
	"strings"
)

// Fitted is the layer of tables whose rows Go makes of the rows that the model selects: what SQL cannot say, such as a search
// for parameters. They are read as models are.
const Fitted Layer = "fitted"

// fitter makes the table of one model of the layer.
type fitter struct {
	// version is another one whenever the same rows may give another table.
	version string
	columns []Column
	// fit makes the table's rows of those selected, in the order of the columns. It uses as many processors as it is told.
	fit func(ctx context.Context, rows *stdsql.Rows, threads int) ([][]any, error)
}

// fitters are by their model's table.
func fitters() map[string]fitter {
	return map[string]fitter{"outlook": outlookFitter()}
}

// readFitter finds the Go part of a fitted model.
func (m *Model) readFitter() error {
	if m.Layer != Fitted {
		return nil
	}
	made, isKnown := fitters()[m.table]
	if !isKnown {
		return fmt.Errorf("model %s: nothing in package models fits %s: a model whose rows are its select's belongs into %s", m.File, m.table, Intermediate)
	}
	m.Version = made.version
	return nil
}

// fit makes the table of a fitted model.
func (s *session) fit(ctx context.Context, m *Model) error {
	made := fitters()[m.table]
	if table, isGiven := s.fitted[m.Name()]; isGiven {
		return s.fillFitted(ctx, m.Name(), made.columns, table)
	}
	var threads int
	if err := s.conn.QueryRowContext(ctx, "select current_setting('threads')::bigint").Scan(&threads); err != nil {
		return err
	}
	rows, err := s.conn.QueryContext(ctx, m.Text)
	if err != nil {
		return err
	}
	defer rows.Close()
	table, err := made.fit(ctx, rows, threads)
	if err == nil {
		err = rows.Err()
	}
	if err != nil {
		return err
	}
	return s.fillFitted(ctx, m.Name(), made.columns, table)
}

// FittedRows are rows of a fitted table as Inputs take them, for tests of what reads it: texts of the named columns, of which `-`
// and the empty one are null, as all columns are that have no name here.
func FittedRows(table string, columns []string, cells [][]string) ([][]any, error) {
	made, isKnown := fitters()[strings.TrimPrefix(table, string(Fitted)+".")]
	if !isKnown {
		return nil, fmt.Errorf("there is no table %s that is fitted", table)
	}
	place := map[string]int{}
	for i, c := range made.columns {
		place[c.Name] = i
	}
	var rows [][]any
	for _, texts := range cells {
		row := make([]any, len(made.columns))
		for i, name := range columns {
			at, isColumn := place[name]
			if !isColumn {
				return nil, fmt.Errorf("%s has no column %s", table, name)
			}
			if text := strings.TrimSpace(texts[i]); text != "" && text != "-" {
				row[at] = text
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// fillFitted makes a table of these rows, numbers as they are to the last digit.
func (s *session) fillFitted(ctx context.Context, name string, columns []Column, rows [][]any) error {
	if err := s.exec(ctx, "create table "+name+" "+columnList(columns)); err != nil {
		return err
	}
	places := strings.Join(slices.Repeat([]string{"?"}, len(columns)), ", ")
	for _, row := range rows {
		if _, err := s.conn.ExecContext(ctx, "insert into "+name+" values ("+places+")", row...); err != nil {
			return err
		}
	}
	return nil
}
