package pipeline

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/civil"
	"github.com/duckdb/duckdb-go/v2"

	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/parquetkeys"
)

// View is a snapshot of a clinic opened in an in-memory DuckDB, for its owner: each dataset is a view in the schema lake, each mart
// one in the schema marts. One of several clinics (OpenTogether) has marts alone, and no commit.
type View struct {
	DB       *sql.DB
	Commit   *lake.Commit
	snapshot *lake.Snapshot
	local    *lake.Local
}

// Open opens the newest snapshot. Close it.
func (s *Site) Open(ctx context.Context) (*View, error) {
	return s.open(ctx, func(*lake.Commit) lake.Want { return lake.Want{} })
}

// OpenMarts opens the marts of the newest snapshot alone: of a lake in S3 nothing else is fetched. Close it.
func (s *Site) OpenMarts(ctx context.Context) (*View, error) {
	return s.open(ctx, func(head *lake.Commit) lake.Want {
		return lake.Want{Datasets: []string{}, Marts: sortedKeys(head.Marts)}
	})
}

func (s *Site) open(ctx context.Context, want func(*lake.Commit) lake.Want) (*View, error) {
	head, err := s.Clinic.Head(ctx)
	if err != nil {
		return nil, storage("opening the lake", err)
	}
	return s.openView(ctx, head, want(head))
}

// openView opens some of a commit.
func (s *Site) openView(ctx context.Context, commit *lake.Commit, want lake.Want) (*View, error) {
	snapshot := s.Clinic.Snapshot(commit)
	if err := s.mayCache(ctx, snapshot); err != nil {
		return nil, err
	}
	local, err := snapshot.Materialise(ctx, want)
	if err != nil {
		return nil, storage("reading the lake", err)
	}
	v := &View{Commit: commit, snapshot: snapshot, local: local}
	if err := v.attach(ctx); err != nil {
		if damaged := damage(ctx, snapshot, err); damaged != nil {
			err = damaged
		}
		_ = v.Close()
		return nil, err
	}
	return v, nil
}

// damage looks for damaged objects where DuckDB failed over a file, and says which they are; nil where all are sound.
func damage(ctx context.Context, snapshot *lake.Snapshot, failed error) error {
	if !strings.Contains(failed.Error(), ".parquet") {
		return nil
	}
	if err := snapshot.Verify(ctx); err != nil {
		return storage("reading the lake", fmt.Errorf("%w. Restore it from a backup, or import the reports of that month into a new lake", err))
	}
	return nil
}

func (v *View) attach(ctx context.Context) error {
	connector, err := duckdb.NewConnector(":memory:", nil)
	if err != nil {
		return fmt.Errorf("starting DuckDB: %w", err)
	}
	v.DB = sql.OpenDB(connector)
	if err := v.local.Keys.Unlock(ctx, func(ctx context.Context, statement string) error {
		_, err := v.DB.ExecContext(ctx, statement)
		return err
	}); err != nil {
		return fmt.Errorf("opening the snapshot: %w", err)
	}
	statements := []string{"set temp_directory = ''", "create schema lake", "create schema marts"}
	for schema, tables := range map[string]map[string][]string{"lake": v.local.Datasets, "marts": v.local.Marts} {
		for _, name := range sortedKeys(tables) {
			kind := "view"
			if v.local.Keys != nil {
				kind = "table" // DuckDB cannot filter while it reads encrypted files: see parquetkeys
			}
			statements = append(statements, fmt.Sprintf("create %s %s.%s as from %s",
				kind, schema, name, v.local.Keys.Scan(tables[name], "hive_partitioning = false", parquetkeys.UnionByName)))
		}
	}
	for _, statement := range statements {
		if _, err := v.DB.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("opening the snapshot in DuckDB: %w", err)
		}
	}
	return nil
}

// Close frees the snapshot.
func (v *View) Close() error {
	var err error
	if v.DB != nil {
		err = v.DB.Close()
	}
	if v.local != nil {
		err = errors.Join(err, v.local.Close())
	}
	return err
}

// ErrNotBuilt says that the marts are missing.
var ErrNotBuilt = errors.New("the models were not built yet: run falloff build")

// Query runs one statement and gives its column names and every row. Dates come as time.Time at midnight UTC; instants, times
// of day, intervals and UUIDs come as text, so that none is taken for another.
func (v *View) Query(ctx context.Context, text string, args ...any) (columns []string, rows [][]any, err error) {
	columns, rows, err = v.query(ctx, text, args...)
	if err != nil {
		if v.snapshot != nil {
			if damaged := damage(ctx, v.snapshot, err); damaged != nil {
				err = damaged
			}
		}
		return nil, nil, err
	}
	return columns, rows, nil
}

func (v *View) query(ctx context.Context, text string, args ...any) (columns []string, rows [][]any, err error) {
	result, err := v.DB.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = result.Close() }()
	columns, err = result.Columns()
	if err != nil {
		return nil, nil, err
	}
	types, err := result.ColumnTypes()
	if err != nil {
		return nil, nil, err
	}
	for result.Next() {
		row := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := result.Scan(into...); err != nil {
			return nil, nil, err
		}
		for i := range row {
			row[i] = readable(row[i], types[i].DatabaseTypeName())
		}
		rows = append(rows, row)
	}
	return columns, rows, result.Err()
}

// readable gives values whose Go type does not say what they are a text that does.
func readable(value any, column string) any {
	switch v := value.(type) {
	case time.Time:
		switch {
		case column == "DATE":
			return v
		case strings.HasPrefix(column, "TIMESTAMP"):
			return v.UTC().Format(time.RFC3339Nano)
		default:
			return v.Format("15:04:05.999999999")
		}
	case []byte:
		if len(v) == len(duckdb.UUID{}) && column == "UUID" {
			return fmt.Sprintf("%x-%x-%x-%x-%x", v[:4], v[4:6], v[6:8], v[8:10], v[10:])
		}
	case duckdb.Interval:
		return fmt.Sprintf("%d months %d days %s", v.Months, v.Days, time.Duration(v.Micros)*time.Microsecond)
	}
	return value
}

// Ledger gives the leak ledger, the four columns that identify a leak first. Dates come as time.Time at midnight UTC.
func (v *View) Ledger(ctx context.Context) (columns []string, rows [][]any, err error) {
	if _, built := v.Commit.Marts["leak_ledger"]; !built {
		return nil, nil, refused("reading the ledger", ErrNotBuilt)
	}
	return v.Query(ctx, `
		select category, source_id, occurred_on, amount_cents,
			columns(lambda c: c not in ('category', 'source_id', 'occurred_on', 'amount_cents'))
		from marts.leak_ledger
		order by category, source_id`)
}

// LedgerLine is one category of the ledger, added up.
type LedgerLine struct {
	Category, Certainty string
	Leaks, AmountCents  int64
	Oldest              time.Time
	Currency            string
}

// LedgerSummary adds the ledger up by category and certainty, dearest first.
func (v *View) LedgerSummary(ctx context.Context) ([]LedgerLine, error) {
	if _, built := v.Commit.Marts["leak_ledger"]; !built {
		return nil, refused("reading the ledger", ErrNotBuilt)
	}
	rows, err := v.DB.QueryContext(ctx, `
		select category, certainty, count(*), cast(sum(amount_cents) as bigint), min(occurred_on), max(currency)
		from marts.leak_ledger
		group by category, certainty
		order by sum(amount_cents) desc, category, certainty`)
	if err != nil {
		return nil, fmt.Errorf("adding the ledger up: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []LedgerLine
	for rows.Next() {
		var l LedgerLine
		if err := rows.Scan(&l.Category, &l.Certainty, &l.Leaks, &l.AmountCents, &l.Oldest, &l.Currency); err != nil {
			return nil, fmt.Errorf("adding the ledger up: %w", err)
		}
		out = append(out, l)
	}
	return out, rows.Err()
}

// BuiltAsOf is the day that the marts speak about, zero where there are none.
func (v *View) BuiltAsOf() civil.Date { return v.Commit.Marts["leak_ledger"].AsOf }
