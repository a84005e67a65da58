//go:build !linux

package browser

// isTmpfs reports whether a path lies in memory, which is only known on Linux.
func isTmpfs(string) bool { return false }
