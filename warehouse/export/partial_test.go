package export

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// TestMain runs the tests, or is an export that gets stuck in the middle.
func TestMain(m *testing.M) {
	if os.Getenv("FALLOFF_TEST_STUCK_EXPORT") != "" {
		folder, _, err := Create("stuck")
		if err == nil {
			_, err = folder.WriteSettings([]byte("half\n"))
		}
		_, _ = fmt.Println(filepath.Base(folder.at), err)
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
		return
	}
	os.Exit(m.Run())
}

// An export that is killed leaves a hidden folder. The next one beside it, of whatever name, removes it and says so; that of an
// export at work it leaves alone.
func TestKilledExportIsSwept(t *testing.T) {
	beside := t.TempDir()
	var stuck []*exec.Cmd
	var names []string
	for range 2 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Dir, cmd.Env = beside, append(os.Environ(), "FALLOFF_TEST_STUCK_EXPORT=yes")
		if _, err := cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		stuck = append(stuck, cmd)
		var name, failed string
		if _, err := fmt.Fscan(bufio.NewReader(out), &name, &failed); err != nil || failed != "<nil>" {
			t.Fatal(name, failed, err)
		}
		names = append(names, name)
	}
	t.Cleanup(func() {
		_ = stuck[1].Process.Kill()
		_ = stuck[1].Wait()
	})
	if err := stuck[0].Process.Kill(); err != nil { // SIGKILL
		t.Fatal(err)
	}
	_ = stuck[0].Wait()

	folder, swept, err := Create(filepath.Join(beside, "three"))
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Discard()
	if !slices.Equal(swept, names[:1]) {
		t.Errorf("swept %v, want %v", swept, names[:1])
	}
	entries, err := os.ReadDir(beside)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{names[1], filepath.Base(folder.at)}; !slices.Equal(left, slices.Sorted(slices.Values(want))) {
		t.Errorf("there are %v, want %v", left, want)
	}
}
