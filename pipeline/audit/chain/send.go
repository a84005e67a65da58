package chain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

const (
	firstPause = 200 * time.Millisecond
	mostPause  = 15 * time.Second
)

// send sends what was sealed, and has the committer seal what is old enough, until ctx ends.
func (c *Chain) send(ctx context.Context) {
	var upload, checkpoint <-chan time.Time
	signal(c.full) // what an earlier process left
	for {
		var reply chan error
		select {
		case <-ctx.Done():
			return
		case <-c.dirty:
			if upload == nil {
				upload = time.After(c.o.SendAfter)
			}
			continue
		case <-c.full:
		case <-upload:
			upload = nil
			if !c.sealNow(ctx) {
				return
			}
		case <-checkpoint:
			checkpoint = nil
		case reply = <-c.flushes:
			upload = nil
			if !c.sealNow(ctx) {
				reply <- ErrClosed
				return
			}
		}
		err := c.sendAll(ctx, reply != nil)
		if reply != nil {
			reply <- err
		}
		if c.sentTip.Number > c.checkpoint.Load() && checkpoint == nil {
			checkpoint = time.After(max(c.o.CheckpointEvery-time.Since(c.checkpoints.of), firstPause))
		}
	}
}

// sealNow has the committer seal the file that it writes.
func (c *Chain) sealNow(ctx context.Context) bool {
	done := make(chan struct{})
	select {
	case c.rotate <- done:
		<-done
		return true
	case <-ctx.Done():
		return false
	}
}

// sendAll sends every sealed file, the oldest first, trying again until it is done or ctx ends; then a checkpoint, where one is due or
// asked for.
func (c *Chain) sendAll(ctx context.Context, now bool) error {
	for {
		c.mu.Lock()
		var next *walFile
		if len(c.sealed) > 0 {
			next = &c.sealed[0]
		}
		c.mu.Unlock()
		if next == nil {
			break
		}
		if err := c.retry(ctx, "sending audit records to the lake", func() error { return c.sendOne(ctx, *next) }); err != nil {
			return err
		}
		c.mu.Lock()
		c.sealed = c.sealed[1:]
		c.mu.Unlock()
		c.count(-next.size)
	}
	due := c.checkpoints.of.IsZero() || time.Since(c.checkpoints.of) >= c.o.CheckpointEvery
	if c.sentTip.Number <= c.checkpoint.Load() || !due && !now {
		return nil
	}
	return c.retry(ctx, "writing a checkpoint of the audit chain", func() error { return c.checkpointOnce(ctx) })
}

// retry does something until it is done, ctx ends, or the chain has stopped.
func (c *Chain) retry(ctx context.Context, doing string, do func() error) error {
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		err := c.stoppedWith()
		if err == nil {
			err = do()
		}
		c.mu.Lock()
		c.failing = err
		stopped := c.stopped
		c.mu.Unlock()
		if err == nil {
			return nil
		}
		err = fmt.Errorf("%s: %w", doing, err)
		if stopped != nil || ctx.Err() != nil {
			return err
		}
		c.o.Log.Warn("audit records wait on this machine", "server", c.o.Server, "error", err.Error())
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

func (c *Chain) stoppedWith() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopped
}

// sendOne makes a segment of a file, or finds that an earlier try has done so, and removes the file.
func (c *Chain) sendOne(ctx context.Context, sealed walFile) error {
	w, err := c.frames.read(sealed.path, sealed.first)
	if err != nil {
		c.stop(err)
		return err
	}
	if w.whole != w.size || w.size != sealed.size {
		err := fmt.Errorf("%w: %s was changed", ErrDamaged, sealed.path)
		c.stop(err)
		return err
	}
	if err := c.createSame(ctx, segmentName(c.o.Server, w.first), w.segment()); err != nil {
		return err
	}
	c.sentTip = audit.Tip{Number: w.last.Number, Hash: w.last.Hash}
	return remove(w.path)
}

// createSame creates an object, or finds it there as it should be. Another one stops the chain.
func (c *Chain) createSame(ctx context.Context, name string, body []byte) error {
	err := c.o.Store.Create(ctx, name, body)
	if !errors.Is(err, lake.ErrExists) {
		return err
	}
	there, err := c.o.Store.Get(ctx, name)
	if err != nil {
		return err
	}
	if !bytes.Equal(there, body) {
		err := fmt.Errorf("%w: %s. Another server writes under the name %s, or this one was put back to an earlier state", ErrForked, name, c.o.Server)
		c.stop(err)
		return err
	}
	return nil
}

// checkpointOnce signs the newest record in the lake.
func (c *Chain) checkpointOnce(ctx context.Context) error {
	p := checkpoint{Server: c.o.Server, Number: c.sentTip.Number, Hash: c.sentTip.Hash, At: c.stamp(), Previous: c.checkpoint.Load(), Key: c.key}
	body, err := p.sign(c.o.Sign)
	if err != nil {
		return err
	}
	name := checkpointName(c.o.Server, p.Number)
	if err := c.o.Store.Create(ctx, name, body); errors.Is(err, lake.ErrExists) {
		// An earlier try, whose answer was lost, dated it otherwise.
		there, err := c.o.Store.Get(ctx, name)
		if err != nil {
			return err
		}
		if was, err := readCheckpoint(there, verifierOf(c.o.Public)); err != nil || was.Hash != p.Hash || was.Previous != p.Previous {
			err := fmt.Errorf("%w: %s", ErrForked, name)
			c.stop(err)
			return err
		}
	} else if err != nil {
		return err
	}
	c.checkpoint.Store(p.Number)
	c.checkpoints.of = time.Now()
	if c.o.Remember != nil {
		if err := c.o.Remember(ctx, c.o.Server, Seen{Key: c.key, Tip: c.sentTip, Checkpoint: p.Number}); err != nil {
			// It is in the lake; the next one is remembered instead.
			c.o.Log.Warn("the newest checkpoint of the audit chain is not remembered outside of the lake", "server", c.o.Server, "error", err.Error())
		}
	}
	return nil
}
