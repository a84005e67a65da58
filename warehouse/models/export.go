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
	// One thread, so that the file is the same on every machine.
	err = s.onOneThread(ctx, func() error {
		return s.exec(ctx, fmt.Sprintf("copy (select * from %s) to %s (format parquet, compression zstd)", m.Name(), quoted(path)))
	})
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

func (s *session) onOneThread(ctx context.Context, do func() error) error {
	var threads string
	if err := s.conn.QueryRowContext(ctx, "select current_setting('threads')::varchar").Scan(&threads); err != nil {
		return err
	}
	if err := s.exec(ctx, "set threads = 1"); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return s.exec(ctx, "set threads = "+threads)
}
