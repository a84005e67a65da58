package query

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	"cloud.google.com/go/civil"
	"github.com/duckdb/duckdb-go/v2"

	"github.com/falloff-analytics/falloff/warehouse/disclosure"
	"github.com/falloff-analytics/falloff/warehouse/parquetkeys"
)

// Meta says which snapshot an engine holds, and what every answer repeats of it.
type Meta struct {
	// Clinic is the clinic's id in the lake; Name is what people call it.
	Clinic, Name string
	// Commit names the lake's commit, AsOf the day whose state the marts describe.
	Commit string
	AsOf   civil.Date
	// TimeZone is the clinic's IANA zone, Currency its ISO 4217 code.
	TimeZone, Currency string
	// CommittedAt is when the commit was made.
	CommittedAt time.Time
	Freshness   []Freshness
}

// Freshness says what has landed of one dataset.
type Freshness struct {
	Dataset string
	// CoveredFrom and CoveredTo bound the days that the reports cover; zero where nothing is known of it.
	CoveredFrom, CoveredTo civil.Date
	// ObservedOn is the newest report date among the rows; zero where there is none.
	ObservedOn civil.Date
	Rows       int64
}

// DaysBehind is how many days the dataset ends before asOf: by the last day that is covered, or else by the newest
// report. Reports that cover bookings ahead are not behind.
func (f Freshness) DaysBehind(asOf civil.Date) (days int, known bool) {
	last := f.CoveredTo
	if last.IsZero() {
		last = f.ObservedOn
	}
	if last.IsZero() {
		return 0, false
	}
	return max(asOf.DaysSince(last), 0), true
}

// Limits bound what an engine may use.
type Limits struct {
	// MemoryMB is DuckDB's; Threads load the marts; Rows is the most rows of one answer. Zero takes the default.
	MemoryMB, Threads int
	Rows              int64
	// shortenFrom is from how many rows on a table is kept short (see shorten); zero takes the default.
	shortenFrom int64
}

func (l Limits) orDefault() Limits {
	if l.MemoryMB == 0 {
		l.MemoryMB = 1024
	}
	if l.Threads == 0 {
		l.Threads = 2
	}
	if l.Rows == 0 {
		l.Rows = 100_000
	}
	if l.shortenFrom == 0 {
		l.shortenFrom = manyRows
	}
	return l
}

// Engine answers named queries from one snapshot. It is safe for concurrent use.
type Engine struct {
	db          *sql.DB
	meta        Meta
	limits      Limits
	unavailable map[string]string
	// withoutReleased says of queries why they cannot be answered from released tables; releasedOn of which day those are.
	withoutReleased map[string]string
	releasedOn      map[string]string
	// present are the tables that are loaded; narrowed says that they are of a caseload alone.
	present  map[string]bool
	narrowed bool
	saying   saying
	// broken says that DuckDB met an error after which this database answers nothing any more.
	broken atomic.Bool
}

// Open loads the marts of one snapshot, given as local Parquet paths, into an in-memory DuckDB and shuts the door behind
// them: from then on it can open no file, no address and no extension, and none of that can be switched back on. The
// files are not needed afterwards. A mart that no definition knows is loaded too, and asked by nobody.
//
// Where a snapshot lacks a mart, or has it in another shape, the queries that need it answer UnavailableError and the
// others work.
func Open(ctx context.Context, marts map[string][]string, meta Meta, limits Limits) (*Engine, error) {
	return OpenFiles(ctx, Files{Marts: marts}, meta, limits)
}

// Files are the marts of one snapshot as local Parquet paths, by name, and the keys that they are encrypted under, nil where they
// are plain.
type Files struct {
	Marts map[string][]string
	Keys  *parquetkeys.Keys
	// AssignedTo narrows the engine to the caseload of these staff members; nil is everybody's. A mart about staff keeps their
	// rows, one about patients those of whom they have seen (the mart caseload says whom), and any other is left out.
	AssignedTo []string
	// Released are the released tables of the snapshot, nil where there are none, and ReleasedTables names those that are loaded.
	Released       *disclosure.Released
	ReleasedTables []string
}

// OpenFiles is Open of files that may be encrypted.
func OpenFiles(ctx context.Context, files Files, meta Meta, limits Limits) (*Engine, error) {
	limits = limits.orDefault()
	connector, err := duckdb.NewConnector(":memory:", nil)
	if err != nil {
		return nil, fmt.Errorf("starting DuckDB: %w", err)
	}
	e := &Engine{db: sql.OpenDB(connector), meta: meta, limits: limits, narrowed: files.AssignedTo != nil}
	e.db.SetMaxIdleConns(idleConns)
	if err := e.load(ctx, files); err != nil {
		return nil, errors.Join(fmt.Errorf("opening snapshot %s of clinic %s: %w", meta.Commit, meta.Clinic, err), e.db.Close())
	}
	return e, nil
}

// Meta says which snapshot this is.
func (e *Engine) Meta() Meta { return e.meta }

// Broken says that the engine's database has come to an end: another has to be opened in its place.
func (e *Engine) Broken() bool { return e.broken.Load() }

// Close frees the snapshot. Answers already given stay valid.
func (e *Engine) Close() error { return e.db.Close() }

// idleConns is how many connections are kept for the next questions: as many as a server asks at once, and some.
const idleConns = 16

func (e *Engine) load(ctx context.Context, files Files) error {
	settings := []string{
		fmt.Sprintf("set memory_limit = '%dMB'", e.limits.MemoryMB),
		fmt.Sprintf("set threads = %d", e.limits.Threads),
		"set global TimeZone = 'UTC'",
		// Nothing may spill: a mart on disk would be a copy outside the lake.
		"set temp_directory = ''",
		// Fetching a list's few rows by their place takes longer here than carrying them along.
		"set disabled_optimizers = 'late_materialization'",
	}
	for _, statement := range settings {
		if _, err := e.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("preparing DuckDB: %w", err)
		}
	}
	if err := files.Keys.Unlock(ctx, func(ctx context.Context, statement string) error {
		_, err := e.db.ExecContext(ctx, statement)
		return err
	}); err != nil {
		return err
	}
	if err := e.loadMarts(ctx, files); err != nil {
		return err
	}
	if err := e.noteLastSeen(ctx); err != nil {
		return err
	}
	if err := e.shorten(ctx); err != nil {
		return err
	}
	if err := e.layInOrder(ctx); err != nil {
		return err
	}
	if err := e.loadMacros(ctx); err != nil {
		return err
	}
	if err := e.loadSaid(ctx); err != nil {
		return err
	}
	if err := e.loadLists(ctx); err != nil {
		return err
	}
	if err := e.loadReleased(ctx, files); err != nil {
		return err
	}
	if err := e.loadFreshness(ctx); err != nil {
		return err
	}
	if err := e.loadSnapshot(ctx); err != nil {
		return err
	}
	if err := e.loadLeakCategories(ctx); err != nil {
		return err
	}
	if err := e.nameMarts(ctx, files); err != nil {
		return err
	}
	// Loading takes all threads; of questions several run at once, each on the thread that asks it. Spread over threads, a question of
	// some milliseconds takes half as much of the processor again.
	if _, err := e.db.ExecContext(ctx, "set threads = 1"); err != nil {
		return fmt.Errorf("preparing DuckDB: %w", err)
	}
	for _, statement := range lockdown {
		if _, err := e.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("closing DuckDB off: %w", err)
		}
	}
	return e.probe(ctx)
}

// lockdown shuts off everything outside the loaded tables. The last statement makes the others final.
var lockdown = []string{
	"set autoinstall_known_extensions = false",
	"set autoload_known_extensions = false",
	"set allow_community_extensions = false",
	"set allow_persistent_secrets = false",
	"set enable_external_access = false",
	"set lock_configuration = true",
}

// ownTables are those that the engine makes itself, beside the marts.
var ownTables = []string{"snapshot", "snapshot_freshness", "leak_category", "list_value", "assigned_to", "assigned_patient", "not_narrowed", "leak_said", "leak_counted", "leak_months", "leak_patients"}

// loadMacros defines what several queries say in the same way.
func (e *Engine) loadMacros(ctx context.Context) error {
	files, err := macros.ReadDir(macroFolder)
	if err != nil {
		return fmt.Errorf("listing macros: %w", err)
	}
	for _, file := range files {
		text, err := macros.ReadFile(macroFolder + "/" + file.Name())
		if err != nil {
			return fmt.Errorf("reading macros: %w", err)
		}
		if _, err := e.db.ExecContext(ctx, string(text)); err != nil {
			return fmt.Errorf("defining %s: %w", file.Name(), err)
		}
	}
	return nil
}

func (e *Engine) loadFreshness(ctx context.Context) error {
	if _, err := e.db.ExecContext(ctx, `create table snapshot_freshness (
		dataset varchar, covered_from date, covered_to date, observed_on date, row_count bigint)`); err != nil {
		return fmt.Errorf("making the freshness table: %w", err)
	}
	for _, f := range e.meta.Freshness {
		if _, err := e.db.ExecContext(ctx, `insert into snapshot_freshness
			values ($1, cast($2 as date), cast($3 as date), cast($4 as date), $5)`,
			f.Dataset, dayText(f.CoveredFrom), dayText(f.CoveredTo), dayText(f.ObservedOn), f.Rows); err != nil {
			return fmt.Errorf("filling the freshness table: %w", err)
		}
	}
	return nil
}

func (e *Engine) loadSnapshot(ctx context.Context) error {
	var committed any
	if !e.meta.CommittedAt.IsZero() {
		committed = e.meta.CommittedAt.UTC()
	}
	if _, err := e.db.ExecContext(ctx, `create table snapshot as
		select $1::varchar as clinic, $2::varchar as commit_name, cast($3 as date) as as_of, $4::timestamptz as committed_at`,
		e.meta.Clinic, e.meta.Commit, dayText(e.meta.AsOf), committed); err != nil {
		return fmt.Errorf("noting the snapshot: %w", err)
	}
	return nil
}

func (e *Engine) loadLeakCategories(ctx context.Context) error {
	if _, err := e.db.ExecContext(ctx, `create table leak_category (place bigint, category varchar, title varchar, remedy varchar)`); err != nil {
		return fmt.Errorf("making the table of leak categories: %w", err)
	}
	for place, c := range leakCategories {
		if _, err := e.db.ExecContext(ctx, `insert into leak_category values ($1, $2, $3, $4)`, place, c.slug, c.title, c.remedy); err != nil {
			return fmt.Errorf("filling the table of leak categories: %w", err)
		}
	}
	return nil
}

// dayText is a day as DuckDB casts it, or nil where there is none.
func dayText(d civil.Date) any {
	if d.IsZero() {
		return nil
	}
	return d.String()
}

// probe prepares every query once, so that a mart of another shape is known before anybody asks.
func (e *Engine) probe(ctx context.Context) error {
	present, err := e.tables(ctx)
	if err != nil {
		return err
	}
	e.present = present
	e.unavailable, e.withoutReleased = map[string]string{}, map[string]string{}
	for _, d := range catalogue {
		if d.Released != nil {
			if err := e.probeOne(ctx, d.asReleased(), e.lacking(d), e.withoutReleased); err != nil {
				return err
			}
		}
		if d.IsReleasedOnly() {
			continue
		}
		var missing []string
		for _, mart := range d.Marts {
			if !present[mart] {
				missing = append(missing, "mart "+mart)
			}
		}
		if err := e.probeOne(ctx, d, missing, e.unavailable); err != nil {
			return err
		}
	}
	return nil
}

// lacking are the released tables of a query that are not loaded. Of those that it may choose from, one is enough.
func (e *Engine) lacking(d Definition) []string {
	var missing []string
	for _, table := range d.Released.Tables {
		if _, ok := e.releasedOn[table]; !ok {
			missing = append(missing, "released table "+table)
		}
	}
	if d.IsReleasedOnly() && len(missing) < len(d.Released.Tables) {
		return nil
	}
	return missing
}

func (e *Engine) probeOne(ctx context.Context, d Definition, missing []string, unavailable map[string]string) error {
	if len(missing) > 0 {
		unavailable[d.Name] = "it has no " + strings.Join(missing, ", ")
		return nil
	}
	if err := e.prepare(ctx, d); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("preparing query %s: %w", d.Name, ctx.Err())
		}
		unavailable[d.Name] = "its marts have another shape: " + firstLine(err.Error())
	}
	return nil
}

// prepare has DuckDB plan a query as it is asked with its defaults: of what depends on a parameter that is not known yet it looks at no
// column.
func (e *Engine) prepare(ctx context.Context, d Definition) (err error) {
	bound, err := d.Bind(nil)
	if err != nil {
		return err
	}
	d.text = d.withOwnWords(bound)
	statement, err := e.db.PrepareContext(ctx, d.statement())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, statement.Close()) }()
	return nil
}

// Unavailable says which queries this snapshot cannot answer, and why.
func (e *Engine) Unavailable() map[string]string { return maps.Clone(e.unavailable) }

func (e *Engine) tables(ctx context.Context) (map[string]bool, error) {
	rows, err := e.db.QueryContext(ctx, "select table_name from duckdb_tables()")
	if err != nil {
		return nil, fmt.Errorf("listing the snapshot's tables: %w", err)
	}
	defer func() { _ = rows.Close() }()
	present := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("listing the snapshot's tables: %w", err)
		}
		present[name] = true
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("listing the snapshot's tables: %w", err)
	}
	return present, nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
