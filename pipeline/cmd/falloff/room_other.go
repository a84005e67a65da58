//go:build !linux

package main

// memoryFolder is where Linux has files in memory; other systems have none.
const memoryFolder = "/dev/shm"

// freeIn is how many bytes may be written to a folder, and whether they stay in memory; it is known on Linux alone.
func freeIn(string) (free int64, memory bool) { return -1, false }

// memoryOfMachine is how much memory the machine has; it is known on Linux alone.
func memoryOfMachine() int64 { return -1 }
