package models

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/civil"
	"github.com/duckdb/duckdb-go/v2"
)

// session is one in-memory DuckDB with one connection, and the private directory that marts leave through.
type session struct {
	db      *stdsql.DB
	conn    *stdsql.Conn
	scratch string
	// asOf is the day D; made says whether a run makes a table.
	asOf civil.Date
	made func(table string) bool
	// isTested says that tables are held to what is declared of them, and warnings are the rules that were broken and only warn.
	isTested bool
	warnings []*Broken
	// fitted is that of the inputs.
	fitted map[string][][]any
}

// open starts a DuckDB that can read the input files and write to its scratch directory, and nothing else outside.
func open(ctx context.Context, in Inputs) (_ *session, err error) {
	s := &session{asOf: in.AsOf, fitted: in.Fitted}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.scratch, err = makeScratch(in.ScratchDir); err != nil {
		return nil, err
	}
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, fmt.Errorf("opening DuckDB: %w", err)
	}
	s.db = stdsql.OpenDB(connector)
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return nil, fmt.Errorf("opening DuckDB: %w", err)
	}
	var paths []string
	for _, files := range in.Tables {
		paths = append(paths, files...)
	}
	paths = slices.AppendSeq(paths, maps.Values(in.Ready))
	slices.Sort(paths)
	statements := []string{
		"set TimeZone = 'UTC'",
		"set temp_directory = ''",
		"set autoinstall_known_extensions = false",
		"set autoload_known_extensions = false",
		"set allow_persistent_secrets = false",
		"set allowed_paths = " + textList(paths),
		"set allowed_directories = " + textList([]string{s.scratch}),
		"set enable_external_access = false",
	}
	if in.Threads > 0 {
		statements = append(statements, fmt.Sprintf("set threads = %d", in.Threads))
	}
	if in.MemoryLimit != "" {
		statements = append(statements, "set memory_limit = "+quoted(in.MemoryLimit))
	}
	for _, statement := range statements {
		if err := s.exec(ctx, statement); err != nil {
			return nil, fmt.Errorf("configuring DuckDB (%s): %w", statement, err)
		}
	}
	if err := in.Keys.Unlock(ctx, s.exec); err != nil {
		return nil, err
	}
	return s, nil
}

// makeScratch makes a directory that only this user can enter, in memory where the system has such a place.
func makeScratch(parent string) (string, error) {
	if parent == "" {
		parent = os.TempDir()
		if shm, err := os.Stat("/dev/shm"); err == nil && shm.IsDir() {
			parent = "/dev/shm"
		}
	}
	dir, err := os.MkdirTemp(parent, "falloff-marts-")
	if err != nil {
		return "", fmt.Errorf("making a scratch directory for the marts: %w: name a writable one", err)
	}
	return filepath.EvalSymlinks(dir)
}

func (s *session) close() {
	if s.conn != nil {
		s.conn.Close()
	}
	if s.db != nil {
		s.db.Close()
	}
	if s.scratch != "" {
		os.RemoveAll(s.scratch)
	}
}

func (s *session) exec(ctx context.Context, statement string) error {
	_, err := s.conn.ExecContext(ctx, statement)
	return err
}

// prepare makes the tables that models start from.
func (s *session) prepare(ctx context.Context, in Inputs) error {
	for _, schema := range []string{"lake", "settings", closedSchema, string(Staging), string(Intermediate), string(Fitted), string(Marts)} {
		if err := s.exec(ctx, "create schema "+schema); err != nil {
			return fmt.Errorf("preparing the build: %w", err)
		}
	}
	if err := s.loadSettings(ctx, in); err != nil {
		return err
	}
	if err := s.loadClosed(ctx, in); err != nil {
		return err
	}
	if err := s.loadReady(ctx, in); err != nil {
		return err
	}
	return s.loadDatasets(ctx, in.Tables, in.Keys)
}

// loadReady makes the marts that need not be made readable.
func (s *session) loadReady(ctx context.Context, in Inputs) error {
	for _, mart := range slices.Sorted(maps.Keys(in.Ready)) {
		kind := "view"
		if in.Keys != nil {
			kind = "table" // DuckDB cannot filter while it reads encrypted files: see parquetkeys
		}
		source := in.Keys.Scan([]string{in.Ready[mart]}, "hive_partitioning = false")
		if err := s.exec(ctx, fmt.Sprintf("create %s %s.%s as from %s", kind, Marts, mart, source)); err != nil {
			return fmt.Errorf("reading the mart %s: %w", mart, err)
		}
	}
	return nil
}

// run makes the tables of the given models, which must come in an order in which they can run. A model that is read in
// one place only is a view, so that DuckDB plans it together with its reader; a table goes when its last reader has run,
// unless keep says that somebody wants to look at it; then there are no views.
func (s *session) run(ctx context.Context, p *Project, wanted []*Model, keep bool) ([]Timing, error) {
	if err := defineMacros(ctx, p.macros, s.exec); err != nil {
		return nil, err
	}
	l := newLeases(wanted)
	s.made = madeBy(wanted)
	var timings []Timing
	for _, m := range wanted {
		kind := "table"
		if l.views[m.Name()] && !keep {
			kind = "view"
		}
		started := time.Now()
		create := func() error {
			// On the first line with the statement, so that DuckDB's line numbers are the file's.
			return s.exec(ctx, fmt.Sprintf("create %s %s as %s", kind, m.Name(), m.Text))
		}
		if m.Layer == Fitted {
			create = func() error { return s.fit(ctx, m) }
		}
		if err := create(); err != nil {
			return nil, s.withColumns(ctx, m, describe(err, "model "+m.Name(), m.File))
		}
		timings = append(timings, Timing{Model: m.Name(), Duration: time.Since(started), IsView: kind == "view"})
		if err := s.testMade(ctx, m); err != nil {
			return nil, err
		}
		for _, name := range l.returned(m) {
			if keep {
				break
			}
			if err := s.exec(ctx, "drop table "+name); err != nil {
				return nil, fmt.Errorf("freeing %s: %w", name, err)
			}
		}
	}
	return timings, nil
}

// leases says which models are views, and counts who still has to read each table, through views.
type leases struct {
	views   map[string]bool
	readers map[string]int
	tables  map[string][]string
}

func newLeases(wanted []*Model) *leases {
	l := &leases{views: map[string]bool{}, readers: map[string]int{}, tables: map[string][]string{}}
	uses := map[string]int{}
	for _, m := range wanted {
		for name, times := range m.references {
			uses[name] += times
		}
	}
	for _, m := range wanted {
		// A model of which something is declared is looked at besides.
		l.views[m.Name()] = m.Layer != Marts && m.Layer != Fitted && m.declared == nil && uses[m.Name()] == 1
		var tables []string
		for _, name := range m.Reads {
			isView, isModel := l.views[name]
			switch {
			case !isModel:
			case isView:
				tables = append(tables, l.tables[name]...)
			default:
				tables = append(tables, name)
			}
		}
		slices.Sort(tables)
		l.tables[m.Name()] = slices.Compact(tables)
		if !l.views[m.Name()] {
			for _, table := range l.tables[m.Name()] {
				l.readers[table]++
			}
		}
	}
	return l
}

// returned lists the tables that nobody will read after m has run. Marts stay.
func (l *leases) returned(m *Model) []string {
	if l.views[m.Name()] {
		return nil
	}
	var free []string
	for _, table := range l.tables[m.Name()] {
		l.readers[table]--
		if l.readers[table] == 0 && !strings.HasPrefix(table, string(Marts)+".") {
			free = append(free, table)
		}
	}
	return free
}

var linePattern = regexp.MustCompile(`(?m)^LINE (\d+):`)

// describe puts the file and line in front of what DuckDB says.
func describe(err error, what, file string) error {
	if failure, ok := errors.AsType[*duckdb.Error](err); ok {
		if match := linePattern.FindStringSubmatch(failure.Msg); match != nil {
			return fmt.Errorf("%s (%s:%s): %w", what, file, match[1], err)
		}
	}
	return fmt.Errorf("%s (%s): %w", what, file, err)
}

// quoted writes a string as an SQL literal.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func textList(items []string) string {
	literals := make([]string, len(items))
	for i, item := range items {
		literals[i] = quoted(item)
	}
	return "[" + strings.Join(literals, ", ") + "]"
}
