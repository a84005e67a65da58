package models

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// martTypes are what every reader of marts understands: DuckDB's sums of integers (HUGEINT) and its decimals are not
// among them.
var martTypes = []string{"BIGINT", "DOUBLE", "VARCHAR", "DATE", "BOOLEAN"}

// exportAll gives the marts of the models, in their order.
func (s *session) exportAll(ctx context.Context, published []*Model) ([]Mart, error) {
	out := make([]Mart, len(published))
	// One thread for each, so that a file is the same on every machine.
	err := s.onOneThread(ctx, func(threads int) error {
		return s.each(ctx, len(published), threads, func(w *session, i int) (err error) {
			if out[i], err = w.export(ctx, published[i]); err != nil {
				return fmt.Errorf("exporting %s: %w", published[i].Name(), err)
			}
			return nil
		})
	})
	return out, err
}

// export checks a mart's types and reads it back as Parquet.
func (s *session) export(ctx context.Context, m *Model) (Mart, error) {
	mart := Mart{Name: m.table, Grain: m.Grain, Key: m.Key, Description: m.Description}
	var err error
	if mart.Columns, err = s.columns(ctx, "select * from "+m.Name()); err != nil {
		return Mart{}, err
	}
	for _, c := range mart.Columns {
		if !slices.Contains(martTypes, c.Type) {
			return Mart{}, fmt.Errorf("column %s is %s: cast it to one of %s in %s", c.Name, c.Type, strings.Join(martTypes, ", "), m.File)
		}
	}
	if err := s.conn.QueryRowContext(ctx, "select count(*) from "+m.Name()).Scan(&mart.Rows); err != nil {
		return Mart{}, err
	}
	path := filepath.Join(s.scratch, m.table+".parquet")
	err = s.exec(ctx, fmt.Sprintf("copy (select * from %s) to %s (format parquet, compression zstd)", m.Name(), quoted(path)))
	if err != nil {
		return Mart{}, err
	}
	if mart.Parquet, err = os.ReadFile(path); err != nil {
		return Mart{}, fmt.Errorf("reading back the mart: %w", err)
	}
	if err := os.Remove(path); err != nil {
		return Mart{}, fmt.Errorf("removing the mart's scratch file: %w", err)
	}
	return mart, nil
}

// onOneThread does something while DuckDB uses one thread for a statement, and says how many it used before.
func (s *session) onOneThread(ctx context.Context, do func(threads int) error) error {
	var threads int64
	if err := s.conn.QueryRowContext(ctx, "select current_setting('threads')::bigint").Scan(&threads); err != nil {
		return err
	}
	if err := s.exec(ctx, "set threads = 1"); err != nil {
		return err
	}
	if err := do(int(threads)); err != nil {
		return err
	}
	return s.exec(ctx, fmt.Sprintf("set threads = %d", threads))
}
