package analysis

import (
	"context"
	stdsql "database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/duckdb/duckdb-go/v2"

	"github.com/falloff-analytics/falloff/warehouse/models"
)

// database is one DuckDB in memory that reaches nothing outside.
type database struct {
	db   *stdsql.DB
	conn *stdsql.Conn
}

// open starts one that has the macros of a tree.
func open(ctx context.Context, macros fs.FS) (_ *database, err error) {
	d := &database{}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, fmt.Errorf("opening DuckDB: %w", err)
	}
	d.db = stdsql.OpenDB(connector)
	if d.conn, err = d.db.Conn(ctx); err != nil {
		return nil, fmt.Errorf("opening DuckDB: %w", err)
	}
	for _, statement := range []string{
		"set TimeZone = 'UTC'",
		"set temp_directory = ''",
		"set autoinstall_known_extensions = false",
		"set autoload_known_extensions = false",
		"set allow_persistent_secrets = false",
		"set enable_external_access = false",
	} {
		if err := d.exec(ctx, statement); err != nil {
			return nil, fmt.Errorf("configuring DuckDB (%s): %w", statement, err)
		}
	}
	return d, models.DefineMacros(ctx, macros, d.exec)
}

func (db *database) close() {
	if db.conn != nil {
		db.conn.Close()
	}
	if db.db != nil {
		db.db.Close()
	}
}

func (db *database) exec(ctx context.Context, statement string) error {
	_, err := db.conn.ExecContext(ctx, statement)
	return err
}

// execAll runs statements that make views and tables.
func (db *database) execAll(ctx context.Context, statements ...string) error {
	for _, statement := range statements {
		if err := db.exec(ctx, statement); err != nil {
			return fmt.Errorf("preparing the analysis: %w", err)
		}
	}
	return nil
}

// fill makes a table of what the reader gives.
func (db *database) fill(ctx context.Context, name string, from array.RecordReader) error {
	return db.conn.Raw(func(c any) error {
		conn, isConn := c.(driver.Conn)
		if !isConn {
			return errors.New("the DuckDB driver has another kind of connection than expected")
		}
		ar, err := duckdb.NewArrowFromConn(conn)
		if err != nil {
			return err
		}
		release, err := ar.RegisterView(from, "incoming")
		if err != nil {
			return err
		}
		defer release()
		run, isExecer := c.(driver.ExecerContext)
		if !isExecer {
			return errors.New("the DuckDB driver cannot run statements as expected")
		}
		_, err = run.ExecContext(ctx, "create table "+name+" as from incoming", nil)
		return err
	})
}

// answer gives out the rows of a query.
func (db *database) answer(ctx context.Context, to Answer, query string) error {
	rows, err := db.conn.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("computing: %w", err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return fmt.Errorf("computing: %w", err)
	}
	values, places := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		places[i] = &values[i]
	}
	isFirst := true
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return fmt.Errorf("computing: %w", err)
		}
		if isFirst {
			if err := to.Header(columns); err != nil {
				return err
			}
			isFirst = false
		}
		if err := to.Row(values); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("computing: %w", err)
	}
	if isFirst {
		return to.Header(columns)
	}
	return nil
}
