//go:build !linux

package unit

import (
	"os"
	"os/exec"
)

// endInOrder has a unit asked to end, not killed. Where this process is killed itself the unit goes on, under the clinic's lease.
func endInOrder(cmd *exec.Cmd) {
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
}
