package disclosure

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
)

//go:embed sql/*.sql
var statements embed.FS

// Database is what Compute and Load need of a DuckDB with a snapshot's marts: *sql.DB and *sql.Conn have it.
type Database interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// UnavailableError says that the marts of a snapshot do not give a group.
type UnavailableError struct {
	Group  string
	Reason error
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("computing the released tables of %s: %v", e.Group, e.Reason)
}

func (e *UnavailableError) Unwrap() error { return e.Reason }

// Hint says what to do.
func (e *UnavailableError) Hint() string { return "build the models again: falloff build" }

// Compute counts the exact tables of a group from the marts. What it gives tells of single patients: it is for Release
// and for nothing else.
func Compute(ctx context.Context, db Database, group Group) (Exact, error) {
	exact := Exact{Group: group.Name, Cells: map[string]map[Label]Cell{}}
	for _, t := range group.Tables {
		exact.Cells[t.Name] = map[Label]Cell{}
	}
	statement, err := group.statement()
	if err != nil {
		return Exact{}, err
	}
	rows, err := db.QueryContext(ctx, statement)
	if err != nil {
		if ctx.Err() != nil {
			return Exact{}, fmt.Errorf("computing the released tables of %s: %w", group.Name, ctx.Err())
		}
		return Exact{}, &UnavailableError{Group: group.Name, Reason: err}
	}
	defer func() { _ = rows.Close() }()
	if err := errors.Join(exact.read(rows, group), rows.Err()); err != nil {
		return Exact{}, fmt.Errorf("computing the released tables of %s: %w", group.Name, err)
	}
	return exact, nil
}

func (e Exact) read(rows *sql.Rows, group Group) error {
	names := map[string]string{}
	for _, t := range group.Tables {
		names[t.cells], names[t.Name] = t.Name, t.Name
	}
	for rows.Next() {
		var name string
		var label Label
		cell := Cell{Measures: make([]int64, len(group.Measures))}
		into := []any{&name, &label[0], &label[1], &cell.Patients}
		for i := range cell.Measures {
			into = append(into, &cell.Measures[i])
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		known, ok := names[name]
		if !ok {
			return fmt.Errorf("table %q is not among the released ones", name)
		}
		if _, twice := e.Cells[known][label]; twice {
			return fmt.Errorf("table %s has a cell twice", known)
		}
		e.Cells[known][label] = cell
	}
	return nil
}

// statement counts all tables of a group: rows of table, two values, patients, measures. A file that gives facts is
// grouped by each table's dimensions; one that gives cells has them from the build.
func (g Group) statement() (string, error) {
	text, err := statements.ReadFile("sql/" + g.Name + ".sql")
	if err != nil {
		return "", fmt.Errorf("group %s has no SQL: %w", g.Name, err)
	}
	if !strings.HasPrefix(string(text), "-- facts:") {
		return string(text), nil
	}
	var sums, parts []string
	for _, m := range g.Measures {
		sums = append(sums, fmt.Sprintf("cast(sum(facts.%q) as bigint)", m.Name))
	}
	for _, t := range g.Tables {
		values := []string{"''", "''"}
		for i, d := range t.Dimensions {
			values[i] = fmt.Sprintf("facts.%q", d)
		}
		group := ""
		if len(t.Dimensions) > 0 {
			group = " group by " + strings.Join(values[:len(t.Dimensions)], ", ")
		}
		parts = append(parts, fmt.Sprintf(
			"select '%s', %s, cast(count(distinct facts.patient) + sum(facts.others) as bigint), %s from facts%s having count(*) > 0",
			t.Name, strings.Join(values, ", "), strings.Join(sums, ", "), group))
	}
	return "with facts as (\n" + string(text) + "\n)\n" + strings.Join(parts, "\nunion all\n"), nil
}

// has says whether a table shows a measure.
func (m Measure) has(t Table) bool { return len(m.Tables) == 0 || slices.Contains(m.Tables, t.Name) }
