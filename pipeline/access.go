package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Access marks a commit that landed lines of the access ledger and nothing else, after a run that failed.
const Access lake.Kind = "access"

// dataSource is the checkpoint with which an Access commit carries on which commit brought data last.
const dataSource = "data_commit"

// accessLine is one line of the access ledger, numbered within the process that did it.
type accessLine struct {
	Run    string
	Line   int64
	Access extractors.Access
}

// accessLedger gathers what a run does in the portal.
type accessLedger struct {
	site *Site
	zone *time.Location
	day  civil.Date
	// run names this process's part of the run.
	run string

	mu sync.Mutex
	// lines are all, pending those that are not kept with a staged report yet.
	lines, pending []accessLine
	next           int64
	done           bool
}

func newAccessLedger(s *Site, zone *time.Location, day civil.Date) (*accessLedger, error) {
	run, err := randomName(s.random)
	return &accessLedger{site: s, zone: zone, day: day, run: run}, err
}

// note takes a line.
func (l *accessLedger) note(a extractors.Access) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	line := accessLine{Run: l.run, Line: l.next, Access: a}
	l.lines, l.pending = append(l.lines, line), append(l.pending, line)
}

// restore takes the lines that came with a staged report.
func (l *accessLedger) restore(lines []accessLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, lines...)
}

// toStage gives the lines that are not staged yet, and giveBack takes those back that could not be.
func (l *accessLedger) toStage() []accessLine {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.pending
	l.pending = nil
	return out
}

func (l *accessLedger) giveBack(lines []accessLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = append(slices.Clip(lines), l.pending...)
}

func (l *accessLedger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lines)
}

func (l *accessLedger) landed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = true
}

// rows are the lines as the lake keeps them.
func (l *accessLedger) rows() []contract.Access {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows := make([]contract.Access, len(l.lines))
	for i, line := range l.lines {
		a := line.Access
		on := contract.DayOf(civil.DateOf(a.At.In(l.zone)))
		rows[i] = contract.Access{
			RunID: line.Run, Line: line.Line, At: a.At.UnixMicro(), OccurredOn: on, Action: a.Action, Subject: a.Subject,
			Route: a.Route, Outcome: a.Outcome, ObservedOn: on,
		}
		if !a.Window.IsZero() {
			from, to := contract.DayOf(a.Window.From), contract.DayOf(a.Window.To)
			rows[i].RangeFrom, rows[i].RangeTo = &from, &to
		}
		if n := int64(a.Rows); n >= 0 {
			rows[i].Rows = &n
		}
		if n := int64(a.Bytes); n >= 0 {
			rows[i].Bytes = &n
		}
		if s := int32(a.Status); s != 0 {
			rows[i].Status = &s
		}
	}
	return rows
}

// land adds the lines to a commit in the making. A line that is there already stays as it is.
func (l *accessLedger) land(ctx context.Context, tx *lake.Tx) error {
	rows := l.rows()
	if len(rows) == 0 {
		return nil
	}
	_, err := lake.Upsert(ctx, tx, lake.AccessLedger, lake.Batch[contract.Access]{Rows: rows})
	return err
}

// logTaken is when the run had the portal show its activity log last, zero if it did not.
func (l *accessLedger) logTaken() (at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		a := line.Access
		if a.Action == contract.Ran && a.Subject == contract.ActivityReport && a.Outcome == extractors.AccessDone && a.At.After(at) {
			at = a.At.Truncate(time.Microsecond) // as lines are kept
		}
	}
	return at
}

// commit lands the lines alone, after a run that brought nothing, and says how many.
func (l *accessLedger) commit(ctx context.Context, held *tenure) (int, error) {
	l.mu.Lock()
	n, done := len(l.lines), l.done
	l.mu.Unlock()
	if n == 0 || done {
		return 0, nil
	}
	_, err := l.site.Clinic.Update(ctx, Access, func(ctx context.Context, tx *lake.Tx) error {
		if err := held.check(ctx); err != nil {
			return err
		}
		if err := l.land(ctx, tx); err != nil {
			return err
		}
		data := int64(0)
		if head := tx.Head(); head != nil {
			data = dataCommit(head)
		}
		if err := tx.SetSource(dataSource, data); err != nil {
			return err
		}
		if tx.SameAsHead() {
			return lake.ErrUnchanged
		}
		return nil
	})
	if _, busy := errors.AsType[*BusyError](err); busy {
		return 0, err
	}
	return n, storage("landing the access ledger", err)
}

// landedRun says whether a checkpoint is that of a run.
func landedRun(checkpoint json.RawMessage, run string) bool {
	return run != "" && checkpointIn(checkpoint).Run == run
}

// carriedData reads the checkpoint of an Access commit.
func carriedData(head *lake.Commit) int64 {
	n, err := strconv.ParseInt(string(head.Sources[dataSource]), 10, 64)
	if err != nil {
		return head.Number
	}
	return n
}

// changed says whether a commit in the making names other data than the head does.
func changed(tx *lake.Tx) bool {
	if tx.Head() == nil {
		return true
	}
	return !bytes.Equal(dataOf(tx.Head().Datasets), dataOf(tx.Snapshot().Commit().Datasets))
}

// dataOf names the rows of all datasets but the access ledger.
func dataOf(datasets map[string]lake.Dataset) []byte {
	paths := map[string][]string{}
	for name, d := range datasets {
		if name == contract.AccessLedger {
			continue
		}
		for _, o := range d.Objects {
			paths[name] = append(paths[name], o.Path)
		}
	}
	body, err := json.Marshal(paths)
	if err != nil {
		return nil
	}
	return body
}
