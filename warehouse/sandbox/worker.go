package sandbox

import (
	"bufio"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/falloff-analytics/falloff/transforms/secret"
	"github.com/falloff-analytics/falloff/warehouse/parquetkeys"
)

// RunWorker is the life of a worker: it takes requests from in and answers on out, until in ends. A Pool starts it as a process
// of its own, on whose descriptors it counts. When in ends exit is called at once, whatever is being computed: then the server is gone.
func RunWorker(ctx context.Context, in io.Reader, out io.Writer, exit func(code int)) error {
	debug.SetTraceback("none") // a crash tells its name, and nothing of what was in memory
	onProcessorLimit(func() { exit(exitProcessorTime) })
	w := &worker{out: bufio.NewWriterSize(out, largestPart)}
	requests := make(chan request)
	go func() { // ends with the process
		reader := bufio.NewReader(in)
		for {
			kind, body, err := readFrame(reader)
			if err != nil {
				exit(0)
				close(requests)
				return
			}
			if kind == sayCancel {
				w.interrupt()
				continue
			}
			requests <- request{ctx: w.begin(ctx), kind: kind, body: body}
		}
	}()
	for r := range requests {
		if err := w.serve(r); err != nil {
			return err
		}
	}
	return nil
}

// exitProcessorTime is how a worker ends that has used up its processor's time.
const exitProcessorTime = 24

// Answers is where a worker's answers go, in the process that a Pool started; an error anywhere else.
func Answers() (*os.File, error) {
	file := os.NewFile(answersFD, "answers")
	if about, err := file.Stat(); err != nil || about.Mode()&os.ModeNamedPipe == 0 {
		return nil, errors.New("this is a part of falloff serve, which starts it by itself")
	}
	return file, nil
}

type request struct {
	ctx  context.Context
	kind byte
	body []byte
}

type worker struct {
	out *bufio.Writer
	db  *sql.DB

	mu     sync.Mutex
	cancel context.CancelFunc
}

// begin gives a request its context. It is made where requests are read, so that a later word about it finds it.
func (w *worker) begin(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cancel != nil {
		w.cancel()
	}
	w.cancel = cancel
	return ctx
}

func (w *worker) interrupt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cancel != nil {
		w.cancel()
	}
}

// serve answers one request. Its error is the end of the worker.
func (w *worker) serve(r request) error {
	err := w.answer(r)
	refusal, refused := errors.AsType[*Error](err)
	switch {
	case err == nil:
		return w.out.Flush()
	case !refused && r.ctx.Err() != nil:
		refusal = refuse(Cancelled, "", "the statement was interrupted")
	case !refused:
		refusal = fromDuckDB(err)
	}
	if r.kind == sayOpen && refusal.code == Failed {
		refusal.text, refusal.hint = "the tables could not be loaded", "the log of the server's last build may say more"
	}
	if err := errors.Join(writeMessage(w.out, tellFailed, failureOf(refusal)), w.out.Flush()); err != nil {
		return err
	}
	if refusal.code == Died || r.kind == sayOpen {
		return fmt.Errorf("the worker cannot go on: %s", refusal.text)
	}
	return nil
}

func (w *worker) answer(r request) error {
	switch r.kind {
	case sayOpen:
		var open openRequest
		if err := json.Unmarshal(r.body, &open); err != nil {
			return fmt.Errorf("reading what to open: %w", err)
		}
		clear(r.body) // the keys
		answer, err := w.open(r.ctx, open)
		if err != nil {
			return err
		}
		return writeMessage(w.out, tellOpen, answer)
	case sayCheck:
		var check checkRequest
		if err := json.Unmarshal(r.body, &check); err != nil {
			return fmt.Errorf("reading what to check: %w", err)
		}
		reads, err := Check(r.ctx, w.db, check.SQL, check.Tables)
		if err != nil {
			return err
		}
		return writeMessage(w.out, tellReads, checkAnswer{Reads: reads})
	case sayQuery:
		var query queryRequest
		if err := json.Unmarshal(r.body, &query); err != nil {
			return fmt.Errorf("reading what to answer: %w", err)
		}
		return w.query(r.ctx, query)
	default:
		return fmt.Errorf("a request of kind %q is not known", r.kind)
	}
}

// open loads the tables, shuts the door, and lets go of all that it could be opened with.
func (w *worker) open(ctx context.Context, request openRequest) (openAnswer, error) {
	if w.db != nil {
		return openAnswer{}, errors.New("it is open already")
	}
	db, err := openParser()
	if err != nil {
		return openAnswer{}, err
	}
	w.db = db
	db.SetMaxOpenConns(1)
	settings := append(slices.Clone(limited), fmt.Sprintf("set memory_limit = '%dMB'", request.MemoryMB), fmt.Sprintf("set threads = %d", request.Threads))
	if err := w.exec(ctx, settings...); err != nil {
		return openAnswer{}, fmt.Errorf("preparing DuckDB: %w", err)
	}
	if err := w.load(ctx, request); err != nil {
		return openAnswer{}, err
	}
	if err := w.exec(ctx, lockdown...); err != nil {
		return openAnswer{}, fmt.Errorf("closing DuckDB off: %w", err)
	}
	missing, err := shutIn(request.MemoryMB)
	if err != nil {
		return openAnswer{}, fmt.Errorf("shutting the worker in: %w", err)
	}
	return openAnswer{Missing: missing}, nil
}

// limited is what is set before anything is loaded. Nothing may spill: a table on disk would be a copy outside the lake.
var limited = []string{
	"set global TimeZone = 'UTC'",
	"set temp_directory = ''",
	"set enable_external_file_cache = false",
	"set max_expression_depth = 300",
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

func (w *worker) exec(ctx context.Context, statements ...string) error {
	for _, statement := range statements {
		if _, err := w.db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

var identifier = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

func (w *worker) load(ctx context.Context, request openRequest) error {
	keys := &parquetkeys.Keys{}
	byName := map[string]secret.Bytes{}
	for _, key := range request.Keys {
		byName[key.Name] = secret.Own(key.Key)
	}
	var path []string
	for _, table := range request.Tables {
		for _, file := range table.Files {
			if file.Key != "" {
				keys.Add(descriptor(file.FD), file.Key, byName[file.Key])
			}
		}
		if !slices.Contains(path, table.Schema) {
			path = append(path, table.Schema)
		}
	}
	if err := keys.Unlock(ctx, func(ctx context.Context, statement string) error { return w.exec(ctx, statement) }); err != nil {
		return err
	}
	for _, table := range request.Tables {
		if err := w.loadTable(ctx, table, keys); err != nil {
			return err
		}
	}
	for _, key := range byName {
		key.Wipe()
	}
	if len(path) == 0 {
		return nil
	}
	slices.Sort(path)
	return w.exec(ctx, "set search_path = '"+strings.Join(path, ",")+"'") // the schemas' names are checked
}

func (w *worker) loadTable(ctx context.Context, table loadTable, keys *parquetkeys.Keys) error {
	statement, err := table.statement(keys)
	if err != nil {
		return err
	}
	if err := w.exec(ctx, `create schema if not exists "`+table.Schema+`"`, statement); err != nil {
		return fmt.Errorf("loading table %s: %w", table.TableName, err)
	}
	for _, file := range table.Files { // DuckDB has let go of it; what is closed cannot be read again
		if err := os.NewFile(uintptr(file.FD), "").Close(); err != nil {
			return fmt.Errorf("closing a file of table %s: %w", table.TableName, err)
		}
	}
	return nil
}

// statement makes the table of its files: of the columns and rows that may be seen, and of no others.
func (t loadTable) statement(keys *parquetkeys.Keys) (string, error) {
	for _, name := range append([]string{t.Schema, t.Name}, t.Columns...) {
		if !identifier.MatchString(name) {
			return "", fmt.Errorf("loading table %s: %s is no name", t.TableName, named(name))
		}
	}
	paths := make([]string, len(t.Files))
	for i, file := range t.Files {
		paths[i] = descriptor(file.FD)
	}
	columns := "*"
	if t.Columns != nil {
		quoted := make([]string, len(t.Columns))
		for i, name := range t.Columns {
			quoted[i] = `"` + name + `"`
		}
		columns = strings.Join(quoted, ", ")
	}
	var conditions []string
	for _, only := range t.Only {
		if !identifier.MatchString(only.Column) {
			return "", fmt.Errorf("loading table %s: %s is no name", t.TableName, named(only.Column))
		}
		values := make([]string, len(only.Values))
		for i, value := range only.Values {
			values[i] = parquetkeys.Quoted(value)
		}
		// A condition with IN becomes a join, and a join with an encrypted file fails: see parquetkeys.
		conditions = append(conditions, "list_contains(["+strings.Join(values, ", ")+`]::varchar[], "`+only.Column+`"::varchar)`)
	}
	statement := fmt.Sprintf(`create table "%s"."%s" as select %s from %s`, t.Schema, t.Name, columns, keys.Scan(paths, parquetkeys.UnionByName))
	if len(conditions) > 0 {
		statement += " where " + strings.Join(conditions, " and ")
	}
	return statement, nil
}

// query answers a statement. It goes through the gate once more: the worker trusts nobody's word for what it runs.
func (w *worker) query(ctx context.Context, request queryRequest) error {
	if err := limitProcessor(request.Seconds); err != nil {
		return fmt.Errorf("limiting the processor's time: %w", err)
	}
	if _, err := Check(ctx, w.db, request.SQL, request.Tables); err != nil {
		return err
	}
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	// What DuckDB says that it reads must be what the gate saw: two looks at one text, of which one understands names by itself.
	names, err := duckdb.GetTableNames(conn, request.SQL, false)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !slices.ContainsFunc(request.Tables, func(t TableName) bool { return lower(t.Name) == lower(name) }) {
			return refuse(NotAllowed, "docs/schema.md has the tables", "there is no table %s for you", named(name))
		}
	}
	return conn.Raw(func(raw any) error {
		plain, ok := raw.(driver.Conn)
		if !ok {
			return fmt.Errorf("DuckDB's connection is a %T", raw)
		}
		arrow, err := duckdb.NewArrowFromConn(plain)
		if err != nil {
			return err
		}
		reader, err := arrow.QueryContext(ctx, request.SQL)
		if err != nil {
			return err
		}
		defer reader.Release()
		return send(ctx, w.out, reader, request)
	})
}

// fromDuckDB says what an error of DuckDB means for who asked.
func fromDuckDB(err error) *Error {
	detail, _, _ := strings.Cut(err.Error(), "\n")
	if len(detail) > 500 {
		detail = strings.ToValidUTF8(detail[:500], "") + "…"
	}
	kind := duckdb.ErrorTypeInvalid
	if of, ok := errors.AsType[*duckdb.Error](err); ok {
		kind = of.Type
	}
	switch {
	case kind == duckdb.ErrorTypeOutOfMemory || strings.Contains(detail, "bad_alloc") || strings.Contains(detail, "bad allocation"):
		return tooMuchMemory()
	case kind == duckdb.ErrorTypeInternal || kind == duckdb.ErrorTypeFatal || strings.Contains(detail, "INTERNAL Error") || strings.Contains(detail, "FATAL Error"):
		return refuse(Died, "write it in another way", "the statement met an error inside DuckDB")
	default:
		e := refuse(Failed, "", "the statement failed")
		e.Detail = detail
		return e
	}
}

func tooMuchMemory() *Error {
	return refuse(TooMuchMemory, "group or filter earlier, or join on more columns", "the statement used too much memory")
}
