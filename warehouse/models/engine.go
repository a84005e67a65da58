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

	"cloud.google.com/go/civil"
	"github.com/duckdb/duckdb-go/v2"
)

// session is one in-memory DuckDB with a connection, and the private directory that marts leave through.
type session struct {
	db      *stdsql.DB
	conn    *stdsql.Conn
	scratch string
	// asOf is the day D; made says whether a run makes a table.
	asOf civil.Date
	made func(table string) bool
	// wide is how many models run at once, at least one.
	wide int
	// heldPlain is how many bytes tables may take before they are compressed.
	heldPlain int64
	// isTested says that tables are held to what is declared of them, and warnings are the rules that were broken and only warn.
	isTested bool
	warnings []*Broken
	// fitted is that of the inputs.
	fitted map[string][][]any
}

// open starts a DuckDB that can read the input files and write to its scratch directory, and nothing else outside.
func open(ctx context.Context, in Inputs) (_ *session, err error) {
	s := &session{asOf: in.AsOf, fitted: in.Fitted, heldPlain: mostHeldPlain}
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
		"set global TimeZone = 'UTC'",
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
	if err := s.loadDatasets(ctx, in.Tables, in.Keys); err != nil {
		return err
	}
	var err error
	s.wide, err = s.widthOf(ctx)
	return err
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
		if kind == "table" {
			if err := s.compress(ctx); err != nil {
				return err
			}
		}
	}
	return nil
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
