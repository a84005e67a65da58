package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// process is a worker as the server sees it.
type process struct {
	cmd    *exec.Cmd
	in     *os.File
	frames chan frame // closed when the worker's answers end
	// prints is what else it says, on standard output and error.
	prints *tail
	// ended is closed when the process has been reaped, dropped when nobody will ask it again.
	ended, dropped chan struct{}
	drop           sync.Once
}

type frame struct {
	kind byte
	body []byte
}

// startProcess starts a worker that may read the given open files, and nothing else of this process: an empty environment, no
// other descriptor, a folder that is not ours.
func startProcess(command []string, files []*os.File) (_ *process, err error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("starting a worker for SQL: %w", err)
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		_, _ = theirIn.Close(), in.Close()
		return nil, fmt.Errorf("starting a worker for SQL: %w", err)
	}
	p := &process{in: in, frames: make(chan frame), prints: &tail{}, ended: make(chan struct{}), dropped: make(chan struct{})}
	p.cmd = exec.Command(command[0], command[1:]...) //nolint:noctx // it lives longer than a request; stop ends it
	p.cmd.Env, p.cmd.Dir = []string{}, "/"
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = theirIn, p.prints, p.prints
	p.cmd.ExtraFiles = append([]*os.File{theirOut}, files...)
	p.cmd.WaitDelay = time.Second
	p.cmd.SysProcAttr = apart()
	started := make(chan error, 1)
	go p.own(started)
	err = <-started
	_, _ = theirIn.Close(), theirOut.Close()
	if err != nil {
		_, _ = in.Close(), out.Close()
		return nil, fmt.Errorf("starting a worker for SQL: %w", err)
	}
	go p.read(out)
	return p, nil
}

// own starts the process and waits for its end. Where the kernel kills a child when its parent dies it means the parent's thread,
// so the thread is held as long.
func (p *process) own(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.ended)
	err := p.cmd.Start()
	started <- err
	if err == nil {
		_ = p.cmd.Wait() // how it ended is in the process's state
	}
}

// read hands on what the worker answers, to whoever asks, its last words too; what nobody asks for any more is dropped.
func (p *process) read(out *os.File) {
	defer out.Close()
	defer close(p.frames)
	reader := bufio.NewReaderSize(out, largestPart)
	for {
		kind, body, err := readFrame(reader)
		if err != nil {
			return
		}
		select {
		case p.frames <- frame{kind, body}:
		case <-p.dropped:
			return
		}
	}
}

// kill ends the worker and waits until it is gone.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // its group; it may be gone already
	_ = p.in.Close()
	p.drop.Do(func() { close(p.dropped) })
	<-p.ended
}

// alive says that the worker can be asked.
func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// ask sends a request and gives the last frame of the answer; the parts before it go to part. When the context ends the worker is
// told, and killed where it has not answered after the grace: its error is the context's cause then.
func (p *process) ask(ctx context.Context, kind byte, message any, grace time.Duration, part func([]byte) error) (frame, error) {
	body, err := json.Marshal(message)
	if err != nil {
		return frame{}, err
	}
	written := make(chan error, 1)
	go func() { // ends with the worker at the latest, since that closes the pipe
		written <- writeFrame(p.in, kind, body)
		clear(body) // the keys
	}()
	over := ctx.Done()
	var late <-chan time.Time
	for {
		select {
		case f, more := <-p.frames:
			if !more {
				<-p.ended
				if ctx.Err() != nil {
					return frame{}, context.Cause(ctx)
				}
				return frame{}, p.death()
			}
			if f.kind != tellPart {
				return p.last(ctx, f)
			}
			if err := part(f.body); err != nil {
				p.kill()
				return frame{}, err
			}
		case err := <-written:
			if err != nil {
				p.kill()
				return frame{}, p.death()
			}
			written = nil
		case <-over:
			over = nil
			go func() { _ = writeFrame(p.in, sayCancel, nil) }() // ends with the worker at the latest, as the first
			timer := time.NewTimer(grace)
			defer timer.Stop()
			late = timer.C
		case <-late:
			p.kill()
			return frame{}, context.Cause(ctx)
		}
	}
}

// last judges the last frame of an answer.
func (p *process) last(ctx context.Context, f frame) (frame, error) {
	if f.kind != tellFailed {
		return f, nil
	}
	var failed failure
	if err := json.Unmarshal(f.body, &failed); err != nil {
		p.kill()
		return frame{}, refuse(Died, "ask again", "the worker's answer is damaged")
	}
	switch {
	case failed.Code == Cancelled && ctx.Err() != nil:
		return frame{}, context.Cause(ctx)
	case failed.Code == Died, failed.Code == TooMuchMemory:
		p.kill() // what it goes on with cannot be trusted, nor what it holds be got back
	}
	return frame{}, failed.err()
}

// death says what a worker died of.
func (p *process) death() *Error {
	if p.prints.saysMemory() {
		return tooMuchMemory()
	}
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signaled() && status.Signal() == syscall.SIGKILL:
		// Nobody here did it: the system, short of memory, did.
		return tooMuchMemory()
	case p.cmd.ProcessState.ExitCode() == exitProcessorTime:
		return refuse(TooSlow, "group or filter earlier, or ask for fewer days", "the statement used up the processor's time that it may have")
	default:
		return refuse(Died, "write it in another way, and tell us of it", "the worker that computed the statement died (%s)", p.cmd.ProcessState)
	}
}

// tail keeps the end of what a worker prints. It may hold anything that the worker held, so it is asked for marks and shown to nobody.
type tail struct {
	mu   sync.Mutex
	held []byte
}

const longestTail = 8 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held = append(t.held, b...)
	if over := len(t.held) - longestTail; over > 0 {
		t.held = append(t.held[:0], t.held[over:]...)
	}
	return len(b), nil
}

func (t *tail) saysMemory() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, mark := range []string{"bad_alloc", "out of memory", "cannot allocate memory", "Cannot allocate memory", "failed to allocate", "failed to create new OS thread"} {
		if bytes.Contains(t.held, []byte(mark)) {
			return true
		}
	}
	return false
}

var (
	errPoolClosed = errors.New("the server is shutting down")
	errForgotten  = refuse(Cancelled, "ask again", "the clinic's tables were put away")
)
