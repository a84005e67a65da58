//go:build unix

package pipeline

import (
	"errors"
	"syscall"
)

// processGone says that no process of this number is left. One that is not ours to signal is there.
func processGone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
