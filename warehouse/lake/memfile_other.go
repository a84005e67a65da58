//go:build !linux

package lake

import (
	"errors"
	"io"
)

// memoryFile needs a system that has files without a folder.
func memoryFile([]byte) (path string, file io.Closer, err error) {
	return "", nil, errors.ErrUnsupported
}

// filesInMemory says that fetched objects need no folder.
//
// BUG(lake): on systems other than Linux fetched objects lie as plain files, in a folder that only this user can read, until the
// reader is closed.
const filesInMemory = false
