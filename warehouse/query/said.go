package query

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"

	"cloud.google.com/go/civil"
	"github.com/duckdb/duckdb-go/v2"
)

// LeakSaid is how one leak stands by what people said of it.
type LeakSaid struct {
	LeakID, State string
	// Assignee has it as a task, Note is the last code that was noted; empty for none.
	Assignee, Note string
	// Since is the clinic's day on which the leak came into its state.
	Since civil.Date
}

// The marts whose rows show what people say: the ledger of leaks, and the patients who may be won back, of whom each is a leak once
// fallen off.
const (
	LedgerMart  = "leak_ledger"
	OutlookMart = "patient_outlook"
)

// saying is how far an engine has come with what people say.
type saying struct {
	mu      sync.Mutex
	version int64
	// shown says that the snapshot has what can show it, inLedger that the ledger does.
	shown, inLedger bool
	// sums are the statements that add the ledger up anew.
	sums []string
}

// saidColumns are what the engine's ledger has beside the mart's own columns, which say how a leak stood at the day that the models
// were built for.
var saidColumns = []string{"assignee varchar", "last_note varchar", "state_since date"}

// loadSaid makes room for what people say of leaks.
func (e *Engine) loadSaid(ctx context.Context) error {
	present, err := e.tables(ctx)
	if err != nil || !present[LedgerMart] && !present[OutlookMart] {
		return err
	}
	_, err = e.db.ExecContext(ctx, "create table leak_said (leak_id varchar, state varchar, assignee varchar, note varchar, since date)")
	if err != nil {
		return fmt.Errorf("making room for what is said of leaks: %w", err)
	}
	e.saying.shown = true
	has, err := e.has(ctx, LedgerMart, "leak_id", "state")
	if err != nil || !has {
		return err // a ledger of a version that knew no states; the queries that show them say so
	}
	for _, c := range saidColumns {
		if _, err := e.db.ExecContext(ctx, "alter table "+LedgerMart+" add column "+c); err != nil {
			return fmt.Errorf("making room for what is said of leaks: %w", err)
		}
	}
	e.saying.inLedger = true
	return e.loadSums(ctx)
}

// Say has the ledger's rows show how leaks stand by now, whatever day its models were built for: all leaks of which anybody said
// anything. Version grows with what was said; one that is not above what is shown already changes nothing. A question that runs
// meanwhile is answered from before or after it, whole.
func (e *Engine) Say(ctx context.Context, version int64, said []LeakSaid) error {
	e.saying.mu.Lock()
	defer e.saying.mu.Unlock()
	if !e.saying.shown || version <= e.saying.version {
		return nil
	}
	if len(said) > 0 {
		if err := e.say(ctx, said); err != nil {
			return fmt.Errorf("showing what was said of leaks: %w", err)
		}
	}
	e.saying.version = version
	return nil
}

// say puts what was said into the ledger's rows. What the portal wrote off stays so.
func (e *Engine) say(ctx context.Context, said []LeakSaid) (err error) {
	conn, err := e.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := conn.ExecContext(ctx, "delete from leak_said"); err != nil {
		return err
	}
	if err := conn.Raw(func(raw any) error {
		plain, ok := raw.(driver.Conn)
		if !ok {
			return fmt.Errorf("DuckDB's connection is a %T", raw)
		}
		return appendSaid(plain, said)
	}); err != nil {
		return err
	}
	if !e.saying.inLedger {
		return nil
	}
	statements := []string{"begin", `
		update ` + LedgerMart + ` as leak
		set state = case when leak.category = 'write_off' then leak.state else said.state end,
			assignee = said.assignee, last_note = said.note, state_since = said.since
		from leak_said as said
		where leak.leak_id = said.leak_id and (leak.state, leak.assignee, leak.last_note, leak.state_since)
			is distinct from (said.state, said.assignee, said.note, said.since)`}
	statements = append(statements, e.saying.sums...)
	for _, statement := range append(statements, "commit") {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			_, back := conn.ExecContext(context.WithoutCancel(ctx), "rollback")
			return errors.Join(err, back)
		}
	}
	return nil
}

func appendSaid(conn driver.Conn, said []LeakSaid) (err error) {
	rows, err := duckdb.NewAppenderFromConn(conn, "", "leak_said")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for _, s := range said {
		if err := rows.AppendRow(s.LeakID, s.State, orNull(s.Assignee), orNull(s.Note), dayOrNull(s.Since)); err != nil {
			return err
		}
	}
	return nil
}

func orNull(text string) driver.Value {
	if text == "" {
		return nil
	}
	return text
}

func dayOrNull(d civil.Date) driver.Value {
	if d.IsZero() {
		return nil
	}
	return d.In(time.UTC)
}
