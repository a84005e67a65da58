package query

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
)

var martName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// caseload is the mart that says who has seen whom.
const caseload = "caseload"

// loadMarts makes a table of each mart, narrowed where the files say so.
func (e *Engine) loadMarts(ctx context.Context, files Files) error {
	if files.AssignedTo != nil {
		if err := e.loadAssigned(ctx, files); err != nil {
			return err
		}
	}
	for _, mart := range slices.Sorted(maps.Keys(files.Marts)) {
		if err := e.loadMart(ctx, mart, files); err != nil {
			return err
		}
	}
	if files.AssignedTo != nil {
		if _, err := e.db.ExecContext(ctx, "drop table assigned_to; drop table assigned_patient"); err != nil {
			return fmt.Errorf("narrowing to a caseload: %w", err)
		}
	}
	return nil
}

// loadAssigned notes the staff members whose rows may be loaded, and the patients whom they have seen.
func (e *Engine) loadAssigned(ctx context.Context, files Files) error {
	if len(files.Marts[caseload]) == 0 {
		return errors.New("narrowing to a caseload: the snapshot has no mart caseload. Build the models again: falloff build")
	}
	if _, err := e.db.ExecContext(ctx, "create table assigned_to (staff_member varchar)"); err != nil {
		return fmt.Errorf("narrowing to a caseload: %w", err)
	}
	for _, staff := range files.AssignedTo {
		if _, err := e.db.ExecContext(ctx, "insert into assigned_to values ($1)", staff); err != nil {
			return fmt.Errorf("narrowing to a caseload: %w", err)
		}
	}
	for _, statement := range []string{
		"create table not_narrowed as select * from " + files.scan(caseload),
		"create table assigned_patient as select distinct patient from not_narrowed where staff_member in (select staff_member from assigned_to)",
		"drop table not_narrowed",
	} {
		if _, err := e.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("narrowing to a caseload: %w", err)
		}
	}
	return nil
}

// scan is the SQL relation of a mart's rows.
func (f Files) scan(mart string) string {
	var options []string
	if f.Keys == nil { // DuckDB loses the key of an encrypted file where it unites columns by name
		options = append(options, "union_by_name = true")
	}
	return f.Keys.Scan(f.Marts[mart], options...)
}

func (e *Engine) loadMart(ctx context.Context, mart string, files Files) error {
	if !martName.MatchString(mart) || slices.Contains(ownTables, mart) {
		return fmt.Errorf("loading mart %q: that is no mart's name", mart)
	}
	if len(files.Marts[mart]) == 0 {
		return nil
	}
	if files.AssignedTo == nil {
		if _, err := e.db.ExecContext(ctx, fmt.Sprintf(`create table "%s" as select * from %s`, mart, files.scan(mart))); err != nil {
			return fmt.Errorf("loading mart %s: %w", mart, err)
		}
		return nil
	}
	if err := e.loadNarrowed(ctx, mart, files); err != nil {
		return fmt.Errorf("loading mart %s: %w", mart, err)
	}
	return nil
}

// loadNarrowed makes a table of those rows of a mart that are about the caseload. It goes by way of the whole table, since a filter
// that gets into the reading of an encrypted file makes it look damaged (see parquetkeys.Scan).
func (e *Engine) loadNarrowed(ctx context.Context, mart string, files Files) error {
	columns, err := e.columnsOf(ctx, files.scan(mart))
	if err != nil {
		return err
	}
	var narrowed string
	switch {
	case slices.Contains(columns, "staff_member"):
		narrowed = "staff_member in (select staff_member from assigned_to)"
	case slices.Contains(columns, "patient"):
		narrowed = "patient in (select patient from assigned_patient)"
	case slices.Contains(columns, "dimension") && slices.Contains(columns, "value"):
		narrowed = "dimension = 'staff_member' and value in (select staff_member from assigned_to)"
	default:
		return nil // it is of the whole clinic
	}
	for _, statement := range []string{
		"create table not_narrowed as select * from " + files.scan(mart),
		fmt.Sprintf(`create table "%s" as select * from not_narrowed where %s`, mart, narrowed),
		"drop table not_narrowed",
	} {
		if _, err := e.db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// noteLastSeen has the patients who may be won back say who saw them last, as far as the caseload that is loaded tells.
func (e *Engine) noteLastSeen(ctx context.Context) error {
	for table, columns := range map[string][]string{
		OutlookMart: {"patient", "discipline"},
		caseload:    {"patient", "discipline", "staff_member", "is_latest"},
	} {
		if has, err := e.has(ctx, table, columns...); err != nil || !has {
			return err // without them the queries that show it say so
		}
	}
	for _, statement := range []string{
		"alter table " + OutlookMart + " add column last_seen_by varchar",
		`update ` + OutlookMart + ` as outlook
		set last_seen_by = seen.staff_member
		from (
			select patient, discipline, min(staff_member) as staff_member
			from ` + caseload + `
			where is_latest
			group by patient, discipline
		) as seen
		where outlook.patient = seen.patient and outlook.discipline = seen.discipline`,
	} {
		if _, err := e.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("noting who saw patients last: %w", err)
		}
	}
	return nil
}

// lists are the columns whose values a dashboard offers to choose from. They name no patient.
var lists = []string{"discipline", "staff_member", "location", "payer"}

// loadLists notes the values of those columns in the marts that are loaded.
func (e *Engine) loadLists(ctx context.Context) error {
	if _, err := e.db.ExecContext(ctx, "create table list_value (list varchar, value varchar)"); err != nil {
		return fmt.Errorf("making the table of lists: %w", err)
	}
	statements, err := e.listed(ctx)
	if err != nil {
		return fmt.Errorf("looking for lists: %w", err)
	}
	for _, statement := range statements {
		if _, err := e.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("filling the table of lists: %w", err)
		}
	}
	return nil
}

// listed gives the statements that note the values of lists.
func (e *Engine) listed(ctx context.Context) ([]string, error) {
	rows, err := e.db.QueryContext(ctx, "select table_name, column_name from duckdb_columns() where table_name not in ('snapshot', 'list_value')")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var statements []string
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			return nil, err
		}
		if slices.Contains(lists, column) {
			statements = append(statements, fmt.Sprintf(`insert into list_value select distinct '%s', "%s" from "%s" where "%s" is not null`, column, column, table, column))
		}
	}
	return statements, rows.Err()
}

// has says whether a table is loaded and has all of some columns: a mart of another version may not.
func (e *Engine) has(ctx context.Context, table string, columns ...string) (bool, error) {
	present, err := e.tables(ctx)
	if err != nil || !present[table] {
		return false, err
	}
	all, err := e.columnsOf(ctx, table)
	if err != nil {
		return false, fmt.Errorf("looking at the columns of %s: %w", table, err)
	}
	return !slices.ContainsFunc(columns, func(c string) bool { return !slices.Contains(all, c) }), nil
}

// columnsOf names the columns of a relation.
func (e *Engine) columnsOf(ctx context.Context, relation string) ([]string, error) {
	rows, err := e.db.QueryContext(ctx, "select * from "+relation+" limit 0")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	return columns, rows.Err()
}

// nameMarts lets the marts be asked as marts.NAME, which is how the metric dictionary and analysts call them.
func (e *Engine) nameMarts(ctx context.Context, files Files) error {
	present, err := e.tables(ctx)
	if err != nil {
		return err
	}
	statements := []string{"create schema marts"}
	for _, mart := range slices.Sorted(maps.Keys(files.Marts)) {
		if present[mart] {
			statements = append(statements, fmt.Sprintf(`create view marts."%s" as from main."%s"`, mart, mart))
		}
	}
	for _, statement := range statements {
		if _, err := e.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("naming the marts: %w", err)
		}
	}
	return nil
}
