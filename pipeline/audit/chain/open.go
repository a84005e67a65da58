package chain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/falloff-analytics/falloff/pipeline/audit"
)

// What the first record of a server says that it found.
const (
	stateNew       = "new"       // there was no chain
	stateClosed    = "closed"    // it had been closed in order
	stateRecovered = "recovered" // it had not, and nothing is missing
	stateLost      = "lost"      // records that were promised are missing
	stateUnknown   = "unknown"   // nothing is left of what this machine knew; whether any is missing cannot be said
)

// open finds out where the chain ends, and begins to write behind that.
func (c *Chain) open(ctx context.Context) error {
	key, err := c.claim(ctx)
	if err != nil {
		return err
	}
	var marked bool
	if c.mark, marked, err = openMark(c.o.Mark, c.o.Seal, c.o.Server); err != nil {
		return err
	}
	known := c.mark.last
	sent, err := c.sent(ctx, known.Tip.Number)
	if err != nil {
		return err
	}
	kept, holes, err := c.frames.readAll(c.dir, sent.Number)
	if err != nil {
		return err
	}
	c.sentTip = audit.Tip{Number: sent.Number, Hash: sent.Hash}
	if err := c.newestCheckpoint(ctx, known.Checkpoint); err != nil {
		return err
	}

	// What is kept here goes on where the lake ends, or is there already.
	end := sent
	if end.Number == 0 {
		end.Hash = sumOf(key)
	}
	for _, w := range kept {
		if w.last.Number > end.Number {
			end = w.last
		}
	}
	found := audit.Fields{"follows": end.Number}
	c.tip = audit.Tip{Number: end.Number, Hash: end.Hash}
	switch {
	case known.Tip.Number > end.Number:
		found["state"], found["lost"] = stateLost, known.Tip.Number-end.Number
		c.tip = known.Tip
	case marked && known.Tip.Number == end.Number && end.Number > 0 && known.Tip.Hash != end.Hash:
		return fmt.Errorf("%w: record %d is another than this machine has written", ErrForked, end.Number)
	case end.Number == 0:
		found["state"] = stateNew
	case end.Action == audit.ChainClosed:
		found["state"] = stateClosed
	case marked || len(kept) > 0:
		found["state"] = stateRecovered
	default:
		found["state"] = stateUnknown
	}
	if found["state"] == stateNew {
		// From the mark on it is known that nothing was promised yet.
		if err := errors.Join(c.mark.write(c.tip, 0), c.mark.sync()); err != nil {
			return err
		}
		before, err := c.begin(ctx)
		if err != nil {
			return err
		}
		if before && !marked {
			found["state"] = stateUnknown
		}
	}
	for i, w := range kept {
		if i == len(kept)-1 {
			// What is torn was promised to nobody, unless something is lost: then somebody will want to look at it.
			if err := w.cut(found["state"] == stateLost); err != nil {
				return err
			}
			w.size = w.whole
		}
		if w.size == 0 {
			if err := remove(w.path); err != nil {
				return err
			}
			continue
		}
		w.begun, w.lines = w.last.At, nil
		c.sealed = append(c.sealed, w)
		c.waiting += w.size
	}
	first := &request{entry: c.own(audit.ChainOpened, found), done: make(chan struct{})}
	if err := first.entry.Check(); err != nil {
		return err
	}
	if c.commit([]*request{first}); first.err != nil {
		return first.err
	}
	if found["state"] == stateLost || found["state"] == stateUnknown || len(holes) > 0 {
		c.o.Log.Error("audit records of this server may be missing: falloff audit verify names them", "server", c.o.Server, "after", end.Number)
	}
	c.start(ctx)
	return nil
}

// sent is the newest record in the lake, zero where there is none. Segments up to near are not looked at one by one.
func (c *Chain) sent(ctx context.Context, near int64) (audit.Record, error) {
	newest := ""
	after := ""
	if near > mostRecords {
		after = segmentName(c.o.Server, near-mostRecords)
	}
	folder := folderOf(c.o.Server) + segments
	for _, after := range []string{after, ""} {
		for name, err := range c.o.Store.List(ctx, folder, after) {
			if err != nil {
				return audit.Record{}, err
			}
			if o := parseName(name); o.kind == segments {
				newest = name
			}
		}
		if newest != "" || after == "" {
			break
		}
	}
	if newest == "" {
		return audit.Record{}, nil
	}
	body, err := c.o.Store.Get(ctx, newest)
	if err != nil {
		return audit.Record{}, err
	}
	lines := bytes.Split(bytes.TrimSuffix(body, []byte("\n")), []byte("\n"))
	var r audit.Record
	if json.Unmarshal(lines[len(lines)-1], &r) != nil || r.Number < parseName(newest).number || r.Chain != c.o.Server || !r.Intact(append(lines[len(lines)-1], '\n')) {
		return r, fmt.Errorf("the newest segment of the chain, %s, is %w: falloff audit verify says more. To go on, give the server another name", newest, audit.ErrTampered)
	}
	return r, nil
}

// newestCheckpoint finds the newest checkpoint: one in the lake, or one that is known and was removed there.
func (c *Chain) newestCheckpoint(ctx context.Context, known int64) error {
	after := ""
	if known > 0 {
		after = checkpointName(c.o.Server, known)
	}
	newest := known
	for name, err := range c.o.Store.List(ctx, folderOf(c.o.Server)+checkpoints, after) {
		if err != nil {
			return err
		}
		if o := parseName(name); o.kind == checkpoints {
			newest = max(newest, o.number)
		}
	}
	c.checkpoint.Store(newest)
	return nil
}

func (c *Chain) String() string { return "audit chain of " + strconv.Quote(c.o.Server) }
