package unit

import (
	"os"
	"os/exec"
	"syscall"
)

// endInOrder has a unit asked to end, not killed, also where this process is killed itself.
func endInOrder(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Signal(syscall.SIGTERM)) }
}
