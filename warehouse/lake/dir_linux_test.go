package lake_test

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// A write that the system cuts short, as on a full disk. (A disk of its own to fill would need root.)
func TestAWriteThatIsCutShortLeavesNothing(t *testing.T) {
	root := t.TempDir()
	store, err := lake.OpenDir(root)
	if err != nil {
		t.Fatal(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	small := limit
	small.Cur = 4 << 20 // more than the log that go test keeps of opened files takes, which is written meanwhile
	if err := syscall.Setrlimit(unix.RLIMIT_FSIZE, &small); err != nil {
		t.Fatal(err)
	}
	err = store.Create(t.Context(), "a/large", make([]byte, 8<<20))
	if e := syscall.Setrlimit(unix.RLIMIT_FSIZE, &limit); e != nil {
		t.Fatal(e)
	}
	if !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), "nothing was half-written") || !strings.Contains(err.Error(), "create a/large in lake "+root) {
		t.Errorf("%v", err)
	}
	if got := files(t, root); len(got) > 0 {
		t.Errorf("it left %v", got)
	}
	if err := store.Create(t.Context(), "a/large", make([]byte, 8<<20)); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestALakeOfSomebodyElseSaysSo(t *testing.T) {
	root := t.TempDir()
	store, err := lake.OpenDir(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Create(t.Context(), "a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(root, 0o500); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(root+"/.tmp", 0o500); err != nil {
		t.Fatal(err)
	}
	create := func() error { return store.Create(t.Context(), "b", []byte("x")) }
	if os.Geteuid() == 0 {
		create = asNobody(create)
	}
	if err := create(); !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "may not write there") {
		t.Errorf("%v", err)
	}
	if got := storetest.Names(t, store, ""); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// asNobody runs a function with the file permissions of nobody, in a thread that ends with it.
func asNobody(run func() error) func() error {
	return func() error {
		done := make(chan error)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread goes, and its user with it
			const nobody = 65534
			if err := unix.Setfsuid(nobody); err != nil {
				done <- err
				return
			}
			done <- run()
		}()
		return <-done
	}
}
