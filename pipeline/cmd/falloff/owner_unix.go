//go:build unix

package main

import (
	"io/fs"
	"os"
	"syscall"
)

// ours says whether a file belongs to this user, or to root, who could read everything anyway.
func ours(st fs.FileInfo) bool {
	sys, ok := st.Sys().(*syscall.Stat_t)
	return ok && (int(sys.Uid) == os.Geteuid() || sys.Uid == 0)
}
