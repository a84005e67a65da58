package browser

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A process is a running Chromium with all its children, which form one process group.
type process struct {
	cmd *exec.Cmd
	// ended is closed when the process has been reaped.
	ended  chan struct{}
	stderr *tail
}

// startProcess starts Chromium with two extra descriptors: 3, from which it reads, and 4, to which it writes.
func startProcess(path string, args, env []string, dir string, extra []*os.File) (*process, error) {
	p := &process{ended: make(chan struct{}), stderr: &tail{}}
	p.cmd = exec.Command(path, args...) //nolint:noctx // Close ends it, after it was asked to leave
	p.cmd.Env, p.cmd.Dir, p.cmd.ExtraFiles = env, dir, extra
	p.cmd.Stderr = p.stderr
	// A grandchild that outlives the browser must not keep Wait waiting for the end of stderr.
	p.cmd.WaitDelay = time.Second
	p.cmd.SysProcAttr = processAttributes()

	started := make(chan error, 1)
	go func() {
		// Where the kernel kills the child when its parent dies, it means the parent's thread: the thread is held
		// until the child has been reaped.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
			// What is left of the group ends now: later its number may be another's.
			_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		}
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting the browser: %w", err)
	}
	return p, nil
}

// kill ends the whole group at once and returns when the browser has been reaped and the group is empty.
func (p *process) kill() error {
	select {
	case <-p.ended:
	default:
		// EPERM is what macOS says of a group that has only zombies left.
		err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		if err != nil && !errors.Is(err, syscall.ESRCH) && !errors.Is(err, syscall.EPERM) {
			return fmt.Errorf("ending the browser: %w", err)
		}
		<-p.ended
	}
	for range 200 {
		if !groupAlive(p.cmd.Process.Pid) {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return fmt.Errorf("ending the browser: processes of group %d are still there after a second", p.cmd.Process.Pid)
}

// tail keeps the beginning of what a process writes before it is silenced: the reason why it did not start.
type tail struct {
	mu       sync.Mutex
	text     strings.Builder
	silenced bool
}

const tailLimit = 4 << 10

// Write keeps what fits and claims to have written all of it.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := tailLimit - t.text.Len(); !t.silenced && room > 0 {
		t.text.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}

// silence drops everything: once pages are open the browser's messages can name what is on them.
func (t *tail) silence() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.silenced = true
	t.text.Reset()
}

// lastLine is the last line that is not empty.
func (t *tail) lastLine() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(t.text.String()), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
