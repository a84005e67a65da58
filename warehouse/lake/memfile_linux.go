package lake

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// memoryFile is bytes as a file that lies in memory alone and can no longer be changed. It has a path in this process only, is gone
// with it however it ends, and no child process inherits it.
func memoryFile(body []byte) (path string, file io.Closer, err error) {
	fd, err := unix.MemfdCreate("falloff", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return "", nil, fmt.Errorf("make a file in memory: %w (every fetched object needs an open file: raise the limit, ulimit -n)", err)
	}
	f := os.NewFile(uintptr(fd), "falloff")
	if _, err := f.Write(body); err != nil {
		_ = f.Close()
		return "", nil, fmt.Errorf("fill a file in memory: %w", err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL); err != nil {
		_ = f.Close()
		return "", nil, fmt.Errorf("close a file in memory to writers: %w", err)
	}
	return fmt.Sprintf("/proc/self/fd/%d", fd), f, nil
}

// filesInMemory says that fetched objects need no folder.
const filesInMemory = true
