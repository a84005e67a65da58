package chain

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/audit"
)

// request is a record that somebody waits for.
type request struct {
	entry  audit.Entry
	record audit.Record
	err    error
	// done is closed when record and err are there to be read.
	done chan struct{}
}

// mostBatch is how many records one flush to the disk can be for.
const mostBatch = 512

// commitAll writes what is asked for, until the chain is left.
func (c *Chain) commitAll() {
	batch := make([]*request, 0, mostBatch)
	for {
		batch = batch[:0]
		select {
		case r := <-c.requests:
			batch = append(batch, r)
		case done := <-c.rotate:
			c.seal()
			close(done)
			continue
		case <-c.leave:
			return
		}
		// Whoever came while the last flush went on goes with this one, and so does who was answered by it and asks again at once.
		runtime.Gosched()
		for more := true; more && len(batch) < mostBatch; {
			select {
			case r := <-c.requests:
				batch = append(batch, r)
			default:
				more = false
			}
		}
		c.commit(batch)
	}
}

// commit makes a batch durable and answers it.
func (c *Chain) commit(batch []*request) {
	err := c.stoppedWith()
	if err == nil {
		err = c.write(batch)
	} else {
		err = fmt.Errorf("%w: %w", ErrStopped, err)
	}
	for _, r := range batch {
		if r.err == nil {
			r.err = err
		}
		close(r.done)
	}
}

// write numbers a batch, writes it and flushes it to the disk.
func (c *Chain) write(batch []*request) error {
	if c.current != nil && (c.current.size >= c.o.SegmentBytes || c.current.records() >= mostRecords-mostBatch) {
		c.seal()
		signal(c.full)
	}
	tip, buf := c.tip, c.buf[:0]
	for _, r := range batch {
		record, line, err := audit.Record{
			Number: tip.Number + 1, At: c.stamp(), Chain: c.o.Server, Entry: r.entry, Previous: tip.Hash,
		}.Seal()
		if err == nil {
			buf, err = c.frames.append(buf, record.Number, line)
		}
		if err != nil {
			r.err = err
			continue
		}
		r.record, tip = record, audit.Tip{Number: record.Number, Hash: record.Hash}
	}
	c.buf = buf
	if len(buf) == 0 {
		return nil
	}
	if c.current == nil {
		path := walName(c.dir, c.tip.Number+1)
		out, err := c.create(path)
		if err != nil {
			return fmt.Errorf("keeping audit records on this machine: %w", err)
		}
		c.out, c.current = out, &walFile{path: path, first: c.tip.Number + 1}
		signal(c.dirty)
	}
	if _, err := c.out.Write(buf); err != nil {
		// A full disk leaves half of it. Nobody was promised anything, so it goes again.
		if failed := c.out.Truncate(c.current.size); failed != nil {
			c.stop(failed)
		}
		return fmt.Errorf("keeping audit records on this machine: %w", err)
	}
	if err := c.out.Sync(); err != nil {
		// After a flush that failed the disk may hold anything, and asking again would not tell.
		c.stop(err)
		return fmt.Errorf("keeping audit records on this machine: %w", err)
	}
	if err := c.mark.write(tip, c.checkpoint.Load()); err != nil {
		c.stop(err)
		return fmt.Errorf("keeping audit records on this machine: %w", err)
	}
	if c.current.size == 0 {
		c.mu.Lock()
		c.begun = c.stamp()
		c.mu.Unlock()
	}
	c.tip = tip
	c.current.size += int64(len(buf))
	c.current.last = audit.Record{Number: tip.Number, Hash: tip.Hash}
	c.count(int64(len(buf)))
	return nil
}

// records is how many records a file has that is being written.
func (w *walFile) records() int64 { return w.last.Number - w.first + 1 }

// count counts bytes that wait.
func (c *Chain) count(bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting += bytes
}

// seal ends the file that is being written, so that it can be sent.
func (c *Chain) seal() {
	if c.current == nil {
		return
	}
	// What was promised is on the disk already, and the mark with it now: a power cut later would leave an older one.
	err := errors.Join(c.out.Close(), c.mark.sync())
	if c.current.size == 0 { // no write to it came to a good end
		err = errors.Join(err, remove(c.current.path))
	}
	if err != nil {
		c.stop(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current.size > 0 {
		c.current.begun = c.begun
		c.sealed = append(c.sealed, *c.current)
	}
	c.out, c.current, c.begun = nil, nil, time.Time{}
}

func signal(to chan<- struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}
