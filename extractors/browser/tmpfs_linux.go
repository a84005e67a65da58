package browser

import "golang.org/x/sys/unix"

// isTmpfs reports whether a path lies in memory.
func isTmpfs(path string) bool {
	var s unix.Statfs_t
	return unix.Statfs(path, &s) == nil && s.Type == unix.TMPFS_MAGIC
}
