package disclosure

import (
	"context"
	"fmt"
	"strings"
)

// loadRows is how many rows one insert has.
const loadRows = 500

// Load puts the released tables into a DuckDB, as released.<table>: a column a dimension, a measure and a share, and
// suppressed. The measures and shares of a suppressed row are null; a cell that is not there is zero. The table
// released.notes says of each table what is withheld, and of which day it is; released.cells has all tables in one, a row a
// cell and measure or share, in the order of measures.
func (r *Released) Load(ctx context.Context, db Database, threshold int64) error {
	if _, err := db.ExecContext(ctx, "create schema if not exists released"); err != nil {
		return fmt.Errorf("making the schema of released tables: %w", err)
	}
	if _, err := db.ExecContext(ctx, "create or replace table released.notes (table_name varchar, as_of date, withheld bigint, note varchar)"); err != nil {
		return fmt.Errorf("making the table of notes: %w", err)
	}
	if _, err := db.ExecContext(ctx, `create or replace table released.cells (table_name varchar, place bigint, dimension_1 varchar,
		value_1 varchar, dimension_2 varchar, value_2 varchar, measure varchar, unit varchar, value double, withheld boolean)`); err != nil {
		return fmt.Errorf("making the table of cells: %w", err)
	}
	for _, t := range r.tables {
		if err := t.load(ctx, db); err != nil {
			return fmt.Errorf("loading released table %s: %w", t.Table.Name, err)
		}
		if err := t.loadCells(ctx, db); err != nil {
			return fmt.Errorf("loading the cells of released table %s: %w", t.Table.Name, err)
		}
		if _, err := db.ExecContext(ctx, "insert into released.notes values ($1, cast($2 as date), $3, $4)",
			t.Table.Name, t.AsOf.String(), t.Withheld, t.Note(threshold, r.AsOf)); err != nil {
			return fmt.Errorf("noting what is withheld of %s: %w", t.Table.Name, err)
		}
	}
	return nil
}

func (t ReleasedTable) load(ctx context.Context, db Database) error {
	var columns, shares []string
	for _, d := range t.Table.Dimensions {
		columns = append(columns, fmt.Sprintf("%q varchar", d))
	}
	shown := map[string]bool{}
	for _, m := range t.Group.Measures {
		if m.has(t.Table) {
			shown[m.Name] = true
			columns = append(columns, fmt.Sprintf("%q bigint", m.Name))
		}
	}
	columns = append(columns, "suppressed boolean")
	for _, s := range t.Group.Shares {
		if shown[s.Numerator] && shown[s.Denominator] {
			shares = append(shares, fmt.Sprintf("%q / nullif(cast(%q as double), 0) as %q", s.Numerator, s.Denominator, s.Name))
		}
	}
	name := fmt.Sprintf("released.%q", t.Table.Name)
	if _, err := db.ExecContext(ctx, fmt.Sprintf("create or replace table released.loading (%s)", strings.Join(columns, ", "))); err != nil {
		return err
	}
	for from := 0; from < len(t.Rows); from += loadRows {
		if err := t.insert(ctx, db, t.Rows[from:min(from+loadRows, len(t.Rows))], len(columns)); err != nil {
			return err
		}
	}
	statement := fmt.Sprintf("create or replace table %s as select %s from released.loading", name, strings.Join(append([]string{"*"}, shares...), ", "))
	if _, err := db.ExecContext(ctx, statement); err != nil {
		return err
	}
	_, err := db.ExecContext(ctx, "drop table released.loading")
	return err
}

// loadCells adds the table's rows to released.cells.
func (t ReleasedTable) loadCells(ctx context.Context, db Database) error {
	named := []string{"null", "null", "null", "null"}
	for i, d := range t.Table.Dimensions {
		named[2*i], named[2*i+1] = "'"+d+"'", fmt.Sprintf("%q", d)
	}
	units := map[string]string{}
	var measures []string
	for _, m := range t.Group.Measures {
		if m.has(t.Table) {
			units[m.Name] = m.Unit
			measures = append(measures, m.Name)
		}
	}
	for _, s := range t.Group.Shares {
		if units[s.Numerator] != "" && units[s.Denominator] != "" {
			units[s.Name] = s.unit(units)
			measures = append(measures, s.Name)
		}
	}
	for place, name := range measures {
		statement := fmt.Sprintf(`insert into released.cells select '%s', %d, %s, '%s', '%s', cast(%q as double), suppressed from released.%q`,
			t.Table.Name, place, strings.Join(named, ", "), name, units[name], name, t.Table.Name)
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// unit is that of a quotient: days or the like over a count are days, and anything over its own kind is a fraction.
func (s Share) unit(units map[string]string) string {
	if units[s.Numerator] == units[s.Denominator] {
		return "fraction"
	}
	return units[s.Numerator]
}

func (t ReleasedTable) insert(ctx context.Context, db Database, rows []Row, width int) error {
	var values []any
	var lines []string
	for _, row := range rows {
		for _, v := range row.Label {
			values = append(values, v)
		}
		for i, m := range t.Group.Measures {
			switch {
			case !m.has(t.Table):
			case row.Suppressed:
				values = append(values, nil)
			default:
				values = append(values, row.Values[i])
			}
		}
		values = append(values, row.Suppressed)
		lines = append(lines, "("+strings.TrimSuffix(strings.Repeat("?, ", width), ", ")+")")
	}
	_, err := db.ExecContext(ctx, "insert into released.loading values "+strings.Join(lines, ", "), values...)
	return err
}
