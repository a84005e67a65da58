package chain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// What a caller decides on. Whatever Append returns, an answer that it was to be the record of must not go out.
var (
	// ErrBacklog says that too much waits to be sent to the lake. It goes away when the lake can be reached again.
	ErrBacklog = errors.New("too many audit records wait to be sent to the lake")
	// ErrStopped says that the chain can record nothing more until the server is started again.
	ErrStopped = errors.New("the audit chain has stopped")
	// ErrClosed says that the chain was closed.
	ErrClosed = errors.New("the audit chain is closed")
	// ErrBusy says that another process of this machine has the server's name.
	ErrBusy = errors.New("another process keeps the audit chain of this server")
	// ErrTaken says that the server's name belongs to another installation.
	ErrTaken = errors.New("the name is taken")
	// ErrForked says that the lake holds other records under the numbers of ours.
	ErrForked = errors.New("the lake holds other audit records under the same numbers")
	// ErrDamaged says that what was kept on this machine cannot be read.
	ErrDamaged = errors.New("the audit records on this machine are damaged")
)

// Options say how a server keeps its chain. Store, Dir, Mark, Server, Seal, Sign and Public are needed.
type Options struct {
	Store lake.Store
	// Server names the chain; see CheckServer. Two servers never have one name.
	Server string
	// Dir is a folder of this machine where records wait until they are in the lake. It may be shared by servers.
	Dir string
	// Mark is the file that remembers the newest record. It must not lie in Dir: whoever loses the one should keep the other.
	Mark string
	// Seal encrypts both. Sign signs checkpoints, Public is its public half as vault.Verifier takes it.
	Seal   tink.AEAD
	Sign   tink.Signer
	Public []byte
	// Remember is told of every checkpoint, so that it can be remembered outside of the lake; nil for nobody.
	Remember func(ctx context.Context, server string, seen Seen) error
	// Now dates records; nil is time.Now.
	Now func() time.Time
	// Log is told what the server's people should know; nil is nobody.
	Log *slog.Logger

	// SendAfter is how long a record waits before it is sent: 5 seconds where it is 0.
	SendAfter time.Duration
	// CheckpointEvery is the least time between two checkpoints, but for those of Flush and Close: a minute where it is 0.
	CheckpointEvery time.Duration
	// SegmentBytes is how big a segment grows: 1 MiB where it is 0.
	SegmentBytes int64
	// Backlog is how many bytes may wait on this machine before Append refuses: 64 MiB where it is 0.
	Backlog int64
}

// mostRecords bounds a segment, so that the newest one is found without listing all.
const mostRecords = 10_000

func (o *Options) defaults() error {
	if o.Store == nil || o.Seal == nil || o.Sign == nil || len(o.Public) == 0 || o.Dir == "" || o.Mark == "" {
		return errors.New("a chain needs a store, two places of this machine and its keys")
	}
	if err := CheckServer(o.Server); err != nil {
		return err
	}
	if verifierOf(o.Public) == nil {
		return errors.New("the public key of its checkpoints is none")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		of *time.Duration
		is time.Duration
	}{{&o.SendAfter, 5 * time.Second}, {&o.CheckpointEvery, time.Minute}} {
		if *d.of <= 0 {
			*d.of = d.is
		}
	}
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = 1 << 20
	}
	if o.Backlog <= 0 {
		o.Backlog = 64 << 20
	}
	return nil
}

// Seen is what somebody remembers of a chain.
type Seen struct {
	// Key is the fingerprint of the key of its checkpoints.
	Key string `json:"key"`
	// Tip is the newest record in the lake, Checkpoint the record that the newest checkpoint is about.
	Tip        audit.Tip `json:"tip"`
	Checkpoint int64     `json:"checkpoint"`
}

// Chain is a server's chain, open for writing. Its methods may be called from several goroutines at once.
type Chain struct {
	o      Options
	dir    string
	key    string
	frames frames
	lock   *os.File

	// These are the committer's: see commit.go.
	tip     audit.Tip
	current *walFile
	out     disk
	create  func(path string) (disk, error)
	mark    *markFile
	buf     []byte

	requests chan *request
	rotate   chan chan struct{}
	closing  chan struct{} // closed when no more is taken
	leave    chan struct{} // closed when the committer is to end

	// dirty says that a file was begun, full that one was sealed; both are signals, and lost where one is pending.
	dirty, full chan struct{}
	flushes     chan chan error
	cancel      context.CancelFunc
	committer   sync.WaitGroup
	sender      sync.WaitGroup
	checkpoint  atomic.Int64
	// These are the sender's: see send.go.
	sentTip     audit.Tip
	checkpoints struct {
		of time.Time // when the newest was made, zero for none by this process
	}

	mu      sync.Mutex
	sealed  []walFile // the lines are read again when they are sent
	waiting int64     // bytes on this machine
	begun   time.Time // when the first record of the file that is being written was made
	failing error     // what the last try to send failed with
	stopped error
	closed  bool
}

// Open takes up a server's chain, or begins it: it locks the server's name, cuts off what was torn, and records what it found. What
// waits to be sent is sent in the background until Close.
func Open(ctx context.Context, o Options) (*Chain, error) {
	if err := o.defaults(); err != nil {
		return nil, fmt.Errorf("opening the audit chain: %w", err)
	}
	c := &Chain{
		o: o, dir: filepath.Join(o.Dir, o.Server), key: Fingerprint(o.Public), frames: frames{o.Seal, o.Server}, create: newFile,
		requests: make(chan *request, mostBatch), rotate: make(chan chan struct{}), closing: make(chan struct{}), leave: make(chan struct{}),
		dirty: make(chan struct{}, 1), full: make(chan struct{}, 1), flushes: make(chan chan error),
	}
	err := c.take()
	if err == nil {
		err = c.open(ctx)
	}
	if err != nil {
		c.release()
		return nil, fmt.Errorf("opening the audit chain of server %s: %w", o.Server, err)
	}
	return c, nil
}

// take locks the server's folder on this machine. The lock falls with the process.
func (c *Chain) take() error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(c.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return errors.Join(fmt.Errorf("%w: end it, or give this one another name", ErrBusy), lock.Close())
	}
	c.lock = lock
	return nil
}

func (c *Chain) release() {
	if c.out != nil {
		_ = c.out.Close()
		c.out = nil
	}
	if c.mark != nil {
		_ = c.mark.close()
		c.mark = nil
	}
	if c.lock != nil {
		_ = c.lock.Close()
		c.lock = nil
	}
}

// start begins the two goroutines that Close ends.
func (c *Chain) start(ctx context.Context) {
	ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.committer.Go(c.commitAll)
	c.sender.Go(func() { c.send(ctx) })
}

// stamp is the time for a record, without the part that JSON would not give back.
func (c *Chain) stamp() time.Time { return c.o.Now().UTC().Round(time.Microsecond) }

// Server is the chain's name.
func (c *Chain) Server() string { return c.o.Server }

// Append adds a record and returns it when it is durable on this machine: a power cut does not take it. It is called before what it
// speaks of is done, or its answer sent; after an error that must not happen, and the record may exist all the same.
func (c *Chain) Append(ctx context.Context, e audit.Entry) (audit.Record, error) {
	err := e.Check()
	if err == nil {
		err = c.takes()
	}
	var r audit.Record
	if err == nil {
		r, err = c.append(ctx, e)
	}
	if err != nil {
		return audit.Record{}, fmt.Errorf("recording %s: %w", e.Action, err)
	}
	return r, nil
}

func (c *Chain) append(ctx context.Context, e audit.Entry) (audit.Record, error) {
	r := &request{entry: e, done: make(chan struct{})}
	select {
	case c.requests <- r:
	case <-c.closing:
		return audit.Record{}, ErrClosed
	case <-ctx.Done():
		return audit.Record{}, ctx.Err()
	}
	select {
	case <-r.done:
		return r.record, r.err
	case <-c.leave: // the committer may have ended before it came to this one
		return audit.Record{}, ErrClosed
	case <-ctx.Done():
		return audit.Record{}, ctx.Err()
	}
}

// takes says why nothing more is taken.
func (c *Chain) takes() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.stopped != nil:
		return fmt.Errorf("%w: %w", ErrStopped, c.stopped)
	case c.closed:
		return ErrClosed
	case c.waiting > c.o.Backlog:
		return ErrBacklog
	}
	return nil
}

// Health is how the chain is doing, for readiness and metrics.
type Health struct {
	// Waiting is how many bytes are on this machine and not in the lake, Oldest when the first of them was recorded.
	Waiting int64
	Oldest  time.Time
	// Failing is what the last try to send failed with, nil where it did not. Refusing is what Append would refuse with.
	Failing, Refusing error
	// Checkpoint is the record that the newest checkpoint is about.
	Checkpoint int64
}

// Health says how the chain is doing.
func (c *Chain) Health() Health {
	h := Health{Refusing: c.takes(), Checkpoint: c.checkpoint.Load()}
	c.mu.Lock()
	defer c.mu.Unlock()
	h.Waiting, h.Failing, h.Oldest = c.waiting, c.failing, c.begun
	if len(c.sealed) > 0 {
		h.Oldest = c.sealed[0].begun
	}
	return h
}

// stop has nothing more recorded: what is on the disk, or in the lake, is not known to be what was written.
func (c *Chain) stop(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped == nil {
		c.stopped = err
		c.o.Log.Error("the audit chain has stopped, and with it every answer", "server", c.o.Server, "error", err.Error())
	}
}

// Flush returns when every record that was promised before is in the lake, under a checkpoint.
func (c *Chain) Flush(ctx context.Context) error {
	reply := make(chan error, 1)
	select {
	case c.flushes <- reply:
	case <-c.closing:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("sending audit records: %w", ctx.Err())
	}
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return fmt.Errorf("sending audit records: %w", ctx.Err())
	}
}

// Close records that the chain was closed and sends what waits, until ctx ends; what is left then is sent when it is opened again.
// What is asked of it meanwhile is refused.
func (c *Chain) Close(ctx context.Context) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	c.closed = true
	c.mu.Unlock()
	_, closing := c.append(ctx, c.own(audit.ChainClosed, nil))
	close(c.closing)
	c.cancel()
	c.sender.Wait()
	close(c.leave)
	c.committer.Wait()
	// Both have ended: what is theirs is ours.
	c.seal()
	err := c.sendAll(ctx, true)
	err = errors.Join(err, c.mark.write(c.mark.last.Tip, c.checkpoint.Load()))
	c.release()
	if err = errors.Join(closing, err); err != nil {
		return fmt.Errorf("closing the audit chain of server %s: %w", c.o.Server, err)
	}
	return nil
}

// own is an entry about the chain itself.
func (c *Chain) own(action audit.Action, after audit.Fields) audit.Entry {
	return audit.Entry{Person: c.person(), Address: here, Action: action, Entity: entityOf(c.o.Server), After: after}
}
