package main

import "golang.org/x/sys/unix"

// memoryFolder is where Linux has files in memory.
const memoryFolder = "/dev/shm"

// freeIn is how many bytes may be written to a folder, and whether they stay in memory; -1 where that cannot be found out.
func freeIn(folder string) (free int64, memory bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return -1, false
	}
	return int64(s.Bavail) * s.Bsize, s.Type == unix.TMPFS_MAGIC
}

// memoryOfMachine is how much memory the machine has, -1 where that cannot be found out.
func memoryOfMachine() int64 {
	var s unix.Sysinfo_t
	if err := unix.Sysinfo(&s); err != nil {
		return -1
	}
	return int64(s.Totalram) * int64(s.Unit)
}
