package export

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// partialEnding is in the name of the folder that an export is written in until it is whole; random digits follow. The whole
// name begins with a dot.
const partialEnding = ".falloff-partial-"

// hold takes the lock on an export's folder, which falls with the process that holds it; nil where another has it, or where it is
// gone. Close what it gives.
func hold(at string) *os.File {
	folder, err := os.Open(at)
	if err != nil {
		return nil
	}
	if syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		mine, err := folder.Stat()
		if there, gone := os.Stat(at); err == nil && gone == nil && os.SameFile(mine, there) {
			return folder
		}
	}
	_ = folder.Close()
	return nil
}

// sweep removes the folders of exports whose process was ended, and names them.
func sweep(beside string) (swept []string, err error) {
	entries, err := os.ReadDir(beside)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), ".") || !strings.Contains(e.Name(), partialEnding) {
			continue
		}
		at := filepath.Join(beside, e.Name())
		held := hold(at)
		if held == nil {
			continue // an export is at work in it, or it is another user's
		}
		if err := errors.Join(os.RemoveAll(at), held.Close()); err != nil {
			return swept, err
		}
		swept = append(swept, e.Name())
	}
	return swept, nil
}

// release gives the lock back.
func (f *Folder) release() {
	if f.held != nil {
		_ = f.held.Close()
		f.held = nil
	}
}
