//go:build !linux

package sandbox

import (
	"fmt"
	"syscall"
)

// BUG(sandbox): on systems other than Linux a worker is held by DuckDB's own locks, by the gate and by being killed alone: no limit
// of memory but DuckDB's, and no filter of system calls. The server says so in its log.

// descriptor is the path of an open file of this process.
func descriptor(fd int) string { return fmt.Sprintf("/dev/fd/%d", fd) }

func shutIn(int) (missing []string, err error) {
	return []string{"limits of memory and files", "a filter of system calls"}, nil
}

func limitProcessor(int) error { return nil }

func onProcessorLimit(func()) {}

func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
