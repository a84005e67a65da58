package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/parquetkeys"
)

// Table is a table as one person sees it.
type Table struct {
	TableName
	// Columns are those that may be seen, nil where all may.
	Columns []string `json:"columns"`
	// Only leaves the rows alone whose columns hold one of the values, as text; all conditions must hold.
	Only []Only `json:"only"`
}

// Only is a condition on a table's rows. Of no values none is visible.
type Only struct {
	Column string   `json:"column"`
	Values []string `json:"values"`
}

// Files are the Parquet files of tables, by the tables' names in full ("marts.visits"), and the keys that they are encrypted under. Close,
// where there is one, lets go of them.
type Files struct {
	Paths map[string][]string
	Keys  *parquetkeys.Keys
	Close func() error
}

// Request is a statement of one person over one snapshot of one clinic.
type Request struct {
	// Clinic, Snapshot and Visible say whose rows of which commit are visible: requests with the same three have the same Tables, and
	// may be answered by the same worker.
	Clinic, Snapshot, Visible string
	Tables                    []Table
	// Load gives the files of some of the tables. It is called where a worker has to be started, after the gate has let the statement
	// pass: for what is refused no file is opened.
	Load func(ctx context.Context, tables []TableName) (Files, error)
	SQL  string
	// Limits are those of this statement, at most those of the pool; zero takes the pool's.
	Limits Limits
	// Metadata goes into the schema of the answer.
	Metadata map[string]string
}

// Limits bound one statement.
type Limits struct {
	Time        time.Duration
	Rows, Bytes int64
}

// Answer is the answer to a statement.
type Answer struct {
	// IPC is a stream of Arrow IPC, compressed by zstd, whose columns are text, 64-bit integers and floats, booleans and UTC timestamps.
	IPC  []byte
	Rows int64
	// Reads are the tables that it was computed from.
	Reads []TableName
}

// Options are how a pool works. What is zero takes the default that stands beside it.
type Options struct {
	// Command starts a worker: a program that calls RunWorker, and its arguments.
	Command []string
	// Workers is how many may hold tables at a time (4).
	Workers int
	// MemoryMB (1024) and Threads (2) are of each worker.
	MemoryMB, Threads int
	// Limits are 30 seconds, 100 000 rows and 64 MB.
	Limits Limits
	// Idle is how long a worker is kept that nobody asks (5 minutes), Grace how long one that was told to stop may take (1 second).
	Idle, Grace time.Duration
	Log         *slog.Logger
}

func (o Options) orDefault() Options {
	if o.Workers == 0 {
		o.Workers = 4
	}
	if o.MemoryMB == 0 {
		o.MemoryMB = 1024
	}
	if o.Threads == 0 {
		o.Threads = 2
	}
	if o.Idle == 0 {
		o.Idle = 5 * time.Minute
	}
	if o.Grace == 0 {
		o.Grace = time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Limits = o.Limits.within(Limits{Time: 30 * time.Second, Rows: 100_000, Bytes: 64 << 20}, false)
	return o
}

// within fills in what is zero, and where capped takes no more than the other.
func (l Limits) within(most Limits, capped bool) Limits {
	if l.Time <= 0 || (capped && l.Time > most.Time) {
		l.Time = most.Time
	}
	if l.Rows <= 0 || (capped && l.Rows > most.Rows) {
		l.Rows = most.Rows
	}
	if l.Bytes <= 0 || (capped && l.Bytes > most.Bytes) {
		l.Bytes = most.Bytes
	}
	return l
}

// longestLoad bounds how long a worker may take to load tables.
const longestLoad = 2 * time.Minute

// checkTime bounds how long the gate may look at a statement.
const checkTime = 5 * time.Second

// Pool runs workers: one that holds no rows, for the gate, and one for each visible set that somebody asks, loaded when it is asked and
// ended when nobody does any more. A worker has one statement at a time. It is safe for concurrent use.
type Pool struct {
	options Options
	gate    *place
	// free has a token for each worker that may be started, idle one when a worker has become idle since somebody looked.
	free, idle chan struct{}
	closing    chan struct{}
	sweeping   sync.WaitGroup

	mu     sync.Mutex
	places map[placeName]*place
	closed bool
	stats  Stats
}

// Stats count what a pool did since it was made.
type Stats struct {
	// Workers hold tables now; Started counts them all, and those of the gate.
	Workers int
	Started int64
	// Answered are statements that were, Refused those that were not, by the reason.
	Answered int64
	Refused  map[Code]int64
}

type placeName struct{ clinic, snapshot, visible string }

// place is where one visible set's worker stands. Who holds its turn may use and change it.
type place struct {
	turn chan struct{}
	// ctx ends when nothing is to be answered here any more.
	ctx    context.Context
	end    context.CancelCauseFunc
	worker *process
	loaded map[TableName]bool
	used   time.Time
}

func newPlace() *place {
	ctx, end := context.WithCancelCause(context.Background())
	return &place{turn: make(chan struct{}, 1), ctx: ctx, end: end}
}

// NewPool makes a pool. No process is started before somebody asks.
func NewPool(options Options) (*Pool, error) {
	if len(options.Command) == 0 {
		return nil, errors.New("a pool needs the command that starts a worker")
	}
	p := &Pool{
		options: options.orDefault(), gate: newPlace(), idle: make(chan struct{}, 1), closing: make(chan struct{}),
		places: map[placeName]*place{}, stats: Stats{Refused: map[Code]int64{}},
	}
	p.free = make(chan struct{}, p.options.Workers)
	for range p.options.Workers {
		p.free <- struct{}{}
	}
	p.sweeping.Go(p.sweepUntilClosed)
	return p, nil
}

// Check says which tables a statement reads, or why it is not let pass. It is parsed in a worker that holds no rows.
func (p *Pool) Check(ctx context.Context, text string, allowed Tables) ([]TableName, error) {
	reads, err := p.check(ctx, text, allowed)
	return reads, p.counted(err)
}

func (p *Pool) check(ctx context.Context, text string, allowed Tables) ([]TableName, error) {
	if err := readable(text); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, checkTime, refuse(TooComplex, "ask in parts", "the statement took too long to look at"))
	defer cancel()
	if err := p.gate.take(ctx); err != nil {
		return nil, given(err)
	}
	defer p.gate.leave()
	if p.isClosed() {
		return nil, errPoolClosed
	}
	if p.gate.worker == nil || !p.gate.worker.alive() {
		p.gate.stop()
		worker, err := p.start(ctx, openRequest{MemoryMB: gateMemoryMB, Threads: 1}, nil)
		if err != nil {
			return nil, given(err)
		}
		p.gate.worker = worker
	}
	last, err := p.gate.worker.ask(ctx, sayCheck, checkRequest{SQL: text, Tables: allowed}, p.options.Grace, nil)
	if err != nil {
		return nil, given(err)
	}
	var answer checkAnswer
	if err := expect(last, tellReads, &answer); err != nil {
		p.gate.stop()
		return nil, err
	}
	return answer.Reads, nil
}

// gateMemoryMB is what the process that parses may use: a tree of the longest text is far below.
const gateMemoryMB = 256

// Query answers a statement, or says why not: an *Error, the error of Load, or one of the system.
func (p *Pool) Query(ctx context.Context, request Request) (*Answer, error) {
	answer, err := p.query(ctx, request)
	return answer, p.counted(err)
}

func (p *Pool) query(ctx context.Context, request Request) (*Answer, error) {
	allowed := make(Tables, len(request.Tables))
	for i, table := range request.Tables {
		allowed[i] = table.TableName
	}
	reads, err := p.check(ctx, request.SQL, allowed)
	if err != nil {
		return nil, err
	}
	at, err := p.takePlace(ctx, placeName{request.Clinic, request.Snapshot, request.Visible})
	if err != nil {
		return nil, given(err)
	}
	defer p.leavePlace(at)
	ctx, cancelWithPlace := context.WithCancelCause(ctx)
	defer cancelWithPlace(nil)
	defer context.AfterFunc(at.ctx, func() { cancelWithPlace(context.Cause(at.ctx)) })()
	if err := p.ready(ctx, at, request, reads); err != nil {
		return nil, given(err)
	}
	limits := request.Limits.within(p.options.Limits, true)
	ctx, cancel := context.WithTimeoutCause(ctx, limits.Time,
		refuse(TooSlow, "group or filter earlier, or ask for fewer days", "the statement was stopped after %s", limits.Time))
	defer cancel()
	answer := &Answer{Reads: reads}
	last, err := at.worker.ask(ctx, sayQuery, queryRequest{
		checkRequest: checkRequest{SQL: request.SQL, Tables: loadedOf(at, allowed)}, Rows: limits.Rows, Bytes: limits.Bytes,
		Seconds: int(limits.Time/time.Second)*p.options.Threads + 5, Metadata: request.Metadata,
	}, p.options.Grace, func(part []byte) error {
		if int64(len(answer.IPC)+len(part)) > limits.Bytes {
			return refuse(TooLarge, "group, filter, or name fewer columns", "the answer has too many bytes")
		}
		answer.IPC = append(answer.IPC, part...)
		return nil
	})
	if err != nil {
		return nil, given(err)
	}
	var end endAnswer
	if err := expect(last, tellEnd, &end); err != nil {
		p.stop(at)
		return nil, err
	}
	answer.Rows = end.Rows
	return answer, nil
}

// loadedOf are those of the allowed tables that the place's worker holds.
func loadedOf(at *place, allowed Tables) Tables {
	return slices.DeleteFunc(slices.Clone(allowed), func(t TableName) bool { return !at.loaded[t] })
}

// ready sees to it that the place has a worker with the tables that are read. One that lacks some is ended: what is shut in takes
// no more. The next one has those of both.
func (p *Pool) ready(ctx context.Context, at *place, request Request, reads []TableName) error {
	if at.worker != nil && at.worker.alive() && !slices.ContainsFunc(reads, func(t TableName) bool { return !at.loaded[t] }) {
		return nil
	}
	wanted := slices.Clone(reads)
	for _, table := range request.Tables {
		if at.loaded[table.TableName] && !slices.Contains(wanted, table.TableName) {
			wanted = append(wanted, table.TableName)
		}
	}
	p.stop(at)
	if err := p.allowance(ctx); err != nil {
		return err
	}
	worker, err := p.load(ctx, request, wanted)
	if err != nil {
		p.free <- struct{}{}
		return err
	}
	at.worker, at.loaded = worker, map[TableName]bool{}
	for _, table := range wanted {
		at.loaded[table] = true
	}
	return nil
}

// load starts a worker that holds the wanted tables.
func (p *Pool) load(ctx context.Context, request Request, wanted []TableName) (_ *process, err error) {
	open := openRequest{MemoryMB: p.options.MemoryMB, Threads: p.options.Threads}
	var handles []*os.File
	if len(wanted) > 0 {
		files, err := request.Load(ctx, wanted)
		if err != nil {
			return nil, err
		}
		if files.Close != nil {
			defer func() { err = errors.Join(err, files.Close()) }()
		}
		defer func() {
			for _, file := range handles {
				file.Close()
			}
		}()
		if handles, err = open.take(request.Tables, wanted, files); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, longestLoad, refuse(TooSlow, "ask again later", "the tables took longer than %s to load", longestLoad))
	defer cancel()
	return p.start(ctx, open, handles)
}

// take opens the files of the wanted tables and notes by which descriptors a worker finds them, and under which keys.
func (r *openRequest) take(tables []Table, wanted []TableName, files Files) (handles []*os.File, err error) {
	defer func() {
		if err != nil {
			for _, file := range handles {
				file.Close()
			}
			handles = nil
		}
	}()
	known := map[string]bool{}
	for _, table := range tables {
		if !slices.Contains(wanted, table.TableName) {
			continue
		}
		paths := files.Paths[table.String()]
		if len(paths) == 0 {
			return handles, refuse(Failed, "it may come with the next build", "the newest snapshot has no table %s", table.TableName)
		}
		load := loadTable{Table: table}
		for _, path := range paths {
			file, err := os.Open(path)
			if err != nil {
				return handles, fmt.Errorf("opening a file of table %s: %w", table.TableName, err)
			}
			handles = append(handles, file)
			key, content := files.Keys.Of(path)
			load.Files = append(load.Files, loadFile{FD: answersFD + len(handles), Key: key})
			if key != "" && !known[key] {
				known[key] = true
				r.Keys = append(r.Keys, loadKey{Name: key, Key: content.Expose()})
			}
		}
		r.Tables = append(r.Tables, load)
	}
	return handles, nil
}

// start starts a process and has it open what it is to hold.
func (p *Pool) start(ctx context.Context, open openRequest, files []*os.File) (*process, error) {
	defer func() {
		for _, key := range open.Keys {
			clear(key.Key)
		}
	}()
	worker, err := startProcess(p.options.Command, files)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.stats.Started++
	p.mu.Unlock()
	last, err := worker.ask(ctx, sayOpen, open, 0, nil)
	if err != nil {
		worker.kill()
		return nil, err
	}
	var answer openAnswer
	if err := expect(last, tellOpen, &answer); err != nil {
		worker.kill()
		return nil, err
	}
	for _, missing := range answer.Missing {
		p.options.Log.Warn("a worker for analysts' SQL runs without a protection that this system does not give", "missing", missing)
	}
	return worker, nil
}

// expect reads the last frame of an answer.
func expect(last frame, kind byte, into any) error {
	if last.kind != kind || json.Unmarshal(last.body, into) != nil {
		return refuse(Died, "ask again", "the worker's answer is damaged")
	}
	return nil
}

// given tells an end of the caller's context from other errors.
func given(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return &Error{code: Cancelled, text: "the request was given up", Cause: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{code: TooSlow, text: "the request's time is over", hint: "group or filter earlier, or ask for fewer days", Cause: err}
	default:
		return err
	}
}

// counted notes what became of a statement.
func (p *Pool) counted(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if refusal, ok := errors.AsType[*Error](err); ok {
		p.stats.Refused[refusal.code]++
	} else if err == nil {
		p.stats.Answered++
	}
	return err
}
