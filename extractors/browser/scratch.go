package browser

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// A scratch is a directory that holds everything Chromium writes: profile, caches, temporary files, its idea of a home.
// It lies in memory (tmpfs) where the system has such a place. Beside it lies a lock file, held as long as the owner
// lives; a directory whose lock is free belongs to nobody and is swept by the next session.
type scratch struct {
	dir  string
	lock *os.File
	// inMemory is false where the directory lies on a disk.
	inMemory bool
}

const (
	scratchPrefix = "falloff-web-"
	lockSuffix    = ".lock"
	// longestParent leaves room, in the 103 bytes that the shortest limit of a system allows the name of a socket, for
	// our directory and for `t/org.chromium.Chromium.123456/SingletonSocket`, which Chromium makes in it or ends.
	longestParent = 35
)

// newScratch makes a directory in parent, or where parent is empty in /dev/shm if that is a tmpfs, else in a directory
// for temporary files. It first sweeps what dead sessions left there, and says how many it found.
func newScratch(parent string) (s *scratch, swept int, err error) {
	if parent == "" {
		parent = defaultParent()
	}
	if len(parent) > longestParent {
		return nil, 0, fmt.Errorf("making a directory for the browser: the name of %s is longer than %d bytes, which Chromium's sockets do not allow; choose a shorter one", parent, longestParent)
	}
	swept = sweep(parent)
	for range 10 {
		path := filepath.Join(parent, scratchPrefix+strings.ToLower(rand.Text()[:8]))
		lock, err := os.OpenFile(path+lockSuffix, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, swept, fmt.Errorf("making a directory for the browser: %w", err)
		}
		if !tryLock(lock) {
			// Another session's sweep took the file for an orphan before it was locked; it is theirs to remove.
			lock.Close()
			continue
		}
		s := &scratch{dir: path, lock: lock, inMemory: isTmpfs(parent)}
		if err := s.fill(); err != nil {
			return nil, swept, errors.Join(fmt.Errorf("making a directory for the browser: %w", err), s.remove())
		}
		return s, swept, nil
	}
	return nil, swept, fmt.Errorf("making a directory for the browser in %s: no free name", parent)
}

func defaultParent() string {
	if memory := "/dev/shm"; isTmpfs(memory) && writable(memory) {
		return memory
	}
	// macOS gives each user a directory with a long name.
	if temp := os.TempDir(); len(temp) <= longestParent {
		return temp
	}
	return "/tmp"
}

func (s *scratch) fill() error {
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"profile", "home", "t"} {
		if err := os.Mkdir(s.path(name), 0o700); err != nil {
			return err
		}
	}
	return nil
}

func (s *scratch) path(name string) string { return filepath.Join(s.dir, name) }

// remove deletes directory and lock. It may be called again.
func (s *scratch) remove() error {
	err := removeAll(s.dir)
	if err == nil {
		err = os.Remove(s.lock.Name())
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	s.lock.Close()
	if err != nil {
		return fmt.Errorf("removing the browser's directory: %w", err)
	}
	return nil
}

// removeAll is os.RemoveAll, tried again where a dying process put a file into a directory just emptied.
func removeAll(dir string) (err error) {
	for range 10 {
		if err = os.RemoveAll(dir); !errors.Is(err, syscall.ENOTEMPTY) {
			return err
		}
	}
	return err
}

// Sweep removes what dead sessions left in the directory where sessions make their own, as Config.ScratchParent names it, and
// says how many there were. Every session begins with it; a program that needs no session this time calls it by itself.
func Sweep(parent string) (swept int) {
	if parent == "" {
		parent = defaultParent()
	}
	return sweep(parent)
}

// sweep removes the directories of sessions whose process has died without doing it.
func sweep(parent string) (swept int) {
	locks, err := filepath.Glob(filepath.Join(parent, scratchPrefix+"*"+lockSuffix))
	if err != nil {
		return 0
	}
	for _, path := range locks {
		lock, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			// Another user's, or gone in the meantime.
			continue
		}
		orphan := &scratch{dir: strings.TrimSuffix(path, lockSuffix), lock: lock}
		if tryLock(lock) && orphan.remove() == nil {
			swept++
		}
		lock.Close()
	}
	return swept
}

// tryLock takes the lock that is bound to the open file, and falls with the process that holds it.
func tryLock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

func writable(dir string) bool {
	f, err := os.CreateTemp(dir, scratchPrefix+"probe-*")
	if err != nil {
		return false
	}
	f.Close()
	return os.Remove(f.Name()) == nil
}
