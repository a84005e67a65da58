package models

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// run makes the tables of the given models, which must come in an order in which they can run. A model that is read in
// one place only is a view, so that DuckDB plans it together with its reader; a table goes when its last reader has run,
// unless keep says that somebody wants to look at it; then there are no views.
//
// Models that do not wait for each other run beside each other, as many as the session is wide. What they make does not depend on it.
func (s *session) run(ctx context.Context, p *Project, wanted []*Model, keep bool) ([]Timing, error) {
	if err := defineMacros(ctx, p.macros, s.exec); err != nil {
		return nil, err
	}
	s.made = madeBy(wanted)
	r := newRunning(wanted, keep)
	var workers sync.WaitGroup
	for range min(max(s.wide, 1), len(wanted)) {
		w, err := s.beside(ctx)
		if err != nil {
			r.fail(len(wanted), err)
			break
		}
		workers.Go(func() {
			defer w.conn.Close()
			r.work(ctx, w)
		})
	}
	workers.Wait()
	if r.err != nil {
		return nil, r.err
	}
	for i := range wanted {
		s.warnings = append(s.warnings, r.warnings[i]...)
	}
	return r.timings, nil
}

// fewRows is below how many rows of a dataset DuckDB has too little to do to use more than one thread for a statement: it gives a
// thread whole row groups. Above, models that run beside each other would share the threads, and only need more memory.
const fewRows = 500_000

// mostHeldPlain is how many bytes tables may take before they are compressed.
const mostHeldPlain = 5 << 28

// compress makes the tables small, to a tenth as a rule, where they take much memory by now: DuckDB keeps rows as they came until a
// checkpoint, which takes time that tables which soon go are not worth. Where models run beside each other tables are small, and a
// checkpoint would have to wait for the others.
func (s *session) compress(ctx context.Context) error {
	if s.wide > 1 {
		return nil
	}
	var held int64
	err := s.conn.QueryRowContext(ctx, "select coalesce(sum(memory_usage_bytes), 0)::bigint from duckdb_memory() where tag = 'IN_MEMORY_TABLE'").Scan(&held)
	if err != nil {
		return fmt.Errorf("looking how much memory tables take: %w", err)
	}
	if held < s.heldPlain {
		return nil
	}
	if err := s.exec(ctx, "checkpoint"); err != nil {
		return fmt.Errorf("compressing tables: %w", err)
	}
	return nil
}

// widthOf is how many models over the loaded datasets run at once.
func (s *session) widthOf(ctx context.Context) (int, error) {
	var threads, rows int64
	err := s.conn.QueryRowContext(ctx, "select current_setting('threads')::bigint, greatest((select count(*) from lake.appointments), "+
		"(select count(*) from lake.invoice_lines))").Scan(&threads, &rows)
	if err != nil {
		return 0, fmt.Errorf("looking at how much there is to build: %w", err)
	}
	if rows > fewRows {
		return 1, nil
	}
	return int(max(threads, 1)), nil
}

// each does something with each of n things, several at a time, with a session for each worker. The error is that of the first thing
// that failed, whatever was done first.
func (s *session) each(ctx context.Context, n, workers int, do func(w *session, i int) error) error {
	warnings, failed := make([][]*Broken, n), make([]error, n)
	var next atomic.Int64
	work := func(w *session) {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			w.warnings = nil
			failed[i] = do(w, i)
			warnings[i] = w.warnings
		}
	}
	var all sync.WaitGroup
	for range min(max(workers, 1), n) {
		w, err := s.beside(ctx)
		if err != nil {
			next.Store(int64(n))
			all.Wait()
			return err
		}
		all.Go(func() {
			defer w.conn.Close()
			work(w)
		})
	}
	all.Wait()
	for i := range n {
		if failed[i] != nil {
			return failed[i]
		}
		s.warnings = append(s.warnings, warnings[i]...)
	}
	return nil
}

// beside is the session with a connection and warnings of its own. Its connection is for the caller to close.
func (s *session) beside(ctx context.Context) (*session, error) {
	w := *s
	w.warnings = nil
	var err error
	if w.conn, err = s.db.Conn(ctx); err != nil {
		return nil, fmt.Errorf("opening DuckDB: %w", err)
	}
	return &w, nil
}

// running is a run of models by several workers.
type running struct {
	wanted []*Model
	keep   bool
	// turns are the places of the models in the order in which they are taken, of those that wait for nothing.
	turns []int

	mu      sync.Mutex
	changed *sync.Cond
	leases  *leases
	// waits are how many models each still waits for, by its place; begun says which were taken, and left counts those that are not done.
	waits []int
	begun []bool
	left  int
	// readers are the places of the models that read a model.
	readers  map[string][]int
	timings  []Timing
	warnings [][]*Broken
	// err is that of the first of the models, in their order, that could not be made.
	err     error
	errFrom int
}

func newRunning(wanted []*Model, keep bool) *running {
	r := &running{
		wanted: wanted, keep: keep, turns: turnsOf(wanted), leases: newLeases(wanted), waits: make([]int, len(wanted)), begun: make([]bool, len(wanted)), left: len(wanted),
		readers: map[string][]int{}, timings: make([]Timing, len(wanted)), warnings: make([][]*Broken, len(wanted)),
	}
	r.changed = sync.NewCond(&r.mu)
	made := map[string]bool{}
	for _, m := range wanted {
		made[m.Name()] = true
	}
	for i, m := range wanted {
		for _, name := range m.Reads {
			if made[name] {
				r.waits[i]++
				r.readers[name] = append(r.readers[name], i)
			}
		}
	}
	return r
}

// work makes models until none is left, or one could not be made.
func (r *running) work(ctx context.Context, w *session) {
	for {
		i, ok := r.take()
		if !ok {
			return
		}
		m := r.wanted[i]
		took, err := r.makeOne(ctx, w, m)
		var free []string
		if err == nil {
			free = r.done(i, took, w.warnings)
			w.warnings = nil
		}
		for _, name := range free {
			if err == nil {
				if err = w.exec(ctx, "drop table "+name); err != nil {
					err = fmt.Errorf("freeing %s: %w", name, err)
				}
			}
		}
		if err != nil {
			r.fail(i, err)
			return
		}
	}
}

// turnsOf orders models so that few tables are held at a time: what nobody reads, marts above all, comes as soon as what it is made from
// is there, whichever needs the fewest more models first.
func turnsOf(wanted []*Model) []int {
	at, read := map[string]int{}, map[string]bool{}
	for i, m := range wanted {
		at[m.Name()] = i
		for _, name := range m.Reads {
			read[name] = true
		}
	}
	taken := make([]bool, len(wanted))
	// needed gives the models that a model is made from and that are not taken, itself last.
	var needed func(i int, seen map[int]bool) []int
	needed = func(i int, seen map[int]bool) []int {
		if taken[i] || seen[i] {
			return nil
		}
		seen[i] = true
		var all []int
		for _, name := range wanted[i].Reads {
			if from, isModel := at[name]; isModel {
				all = append(all, needed(from, seen)...)
			}
		}
		return append(all, i)
	}
	var turns []int
	for len(turns) < len(wanted) {
		var next []int
		for i, m := range wanted {
			if taken[i] || read[m.Name()] {
				continue
			}
			if way := needed(i, map[int]bool{}); next == nil || len(way) < len(next) {
				next = way
			}
		}
		for _, i := range next {
			taken[i] = true
		}
		turns = append(turns, next...)
	}
	return turns
}

// take gives the first model that waits for nothing, when there is one; false where nothing is left to do.
func (r *running) take() (int, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if r.err != nil || r.left == 0 {
			return 0, false
		}
		for _, i := range r.turns {
			if !r.begun[i] && r.waits[i] == 0 {
				r.begun[i] = true
				return i, true
			}
		}
		if !slices.Contains(r.begun, false) {
			return 0, false // the others make what is left
		}
		r.changed.Wait()
	}
}

// makeOne makes the table or view of a model, and holds it to what is declared of it.
func (r *running) makeOne(ctx context.Context, w *session, m *Model) (Timing, error) {
	kind := "table"
	if r.leases.views[m.Name()] && !r.keep {
		kind = "view"
	}
	started := time.Now()
	create := func() error {
		// On the first line with the statement, so that DuckDB's line numbers are the file's.
		return w.exec(ctx, fmt.Sprintf("create %s %s as %s", kind, m.Name(), m.Text))
	}
	if m.Layer == Fitted {
		create = func() error { return w.fit(ctx, m) }
	}
	if err := create(); err != nil {
		return Timing{}, w.withColumns(ctx, m, describe(err, "model "+m.Name(), m.File))
	}
	if kind == "table" {
		if err := w.compress(ctx); err != nil {
			return Timing{}, err
		}
	}
	took := Timing{Model: m.Name(), Duration: time.Since(started), IsView: kind == "view"}
	return took, w.testMade(ctx, m)
}

// done notes that a model is made, lets those go on that waited for it, and lists the tables that nobody will read any more.
func (r *running) done(i int, took Timing, warnings []*Broken) (free []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timings[i], r.warnings[i] = took, warnings
	r.left--
	for _, reader := range r.readers[r.wanted[i].Name()] {
		r.waits[reader]--
	}
	r.changed.Broadcast()
	if r.keep {
		return nil
	}
	return r.leases.returned(r.wanted[i])
}

// fail ends the run. Where several models could not be made, the first in their order is told.
func (r *running) fail(i int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil || i < r.errFrom {
		r.err, r.errFrom = err, i
	}
	r.changed.Broadcast()
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
