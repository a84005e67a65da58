//go:build !linux

package browser

import "syscall"

// processAttributes puts the browser into a group of its own. When we die, the end of the pipe ends it.
func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// groupAlive reports whether a process group has members.
func groupAlive(group int) bool { return syscall.Kill(-group, 0) == nil }
