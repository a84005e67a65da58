package browser

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// TestSurvivesManySessions starts sessions that end at random moments: in order, by the death of the browser or of one of
// its processes, or by the death of the program that owns it. Afterwards nothing may be left of any of them.
func TestSurvivesManySessions(t *testing.T) {
	const seed = 20260320
	sessions := 12
	if os.Getenv("FALLOFF_LONG") != "" {
		sessions = 200
	}
	chance := rand.New(rand.NewPCG(seed, 1))
	address := serve(t, browsable([]string{"Quill"}, 5_000), nil)
	parent := memoryDir(t)
	t.Logf("seed %d, %d sessions", seed, sessions)
	var heaps []uint64
	var routines, files []int
	for i := range sessions {
		moment := time.Duration(chance.IntN(900)) * time.Millisecond
		switch ending := chance.IntN(4); ending {
		case 0:
			killProgram(t, address, parent, moment)
		default:
			endSession(t, address, parent, ending, moment)
		}
		if i%4 == 3 {
			eventually(t, "the server's connections end", func() bool {
				runtime.GC()
				return len(routines) == 0 || runtime.NumGoroutine() <= slices.Max(routines)
			})
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			open, err := os.ReadDir("/proc/self/fd")
			if err != nil {
				t.Fatal(err)
			}
			heaps, routines, files = append(heaps, m.HeapAlloc), append(routines, runtime.NumGoroutine()), append(files, len(open))
		}
	}
	// The next session sweeps what the last killed program left.
	endSession(t, address, parent, 1, 0)
	eventually(t, "every process ends", func() bool { return len(processesOf(t, parent)) == 0 })
	if left := leftIn(t, parent); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	// Of what a session needs nothing adds up: what there is at the end was there early on, give or take a connection.
	early := max(1, len(heaps)/3)
	if first, last := slices.Max(heaps[:early]), slices.Min(heaps[len(heaps)-early:]); last > first+(4<<20) {
		t.Errorf("the heap has grown from %d to %d bytes: %v", first, last, heaps)
	}
	if first, last := slices.Max(routines[:early]), slices.Min(routines[len(routines)-early:]); last > first+3 {
		t.Errorf("goroutines have grown from %d to %d: %v", first, last, routines)
	}
	if first, last := slices.Max(files[:early]), slices.Min(files[len(files)-early:]); last > first+3 {
		t.Errorf("open files have grown from %d to %d: %v", first, last, files)
	}
}

func killProgram(t *testing.T, address, parent string, moment time.Duration) {
	t.Helper()
	cmd, said := startVictim(t, "browse", address, parent, "")
	<-time.After(moment)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for range said {
	}
}

func endSession(t *testing.T, address, parent string, ending int, moment time.Duration) {
	t.Helper()
	s, err := Start(t.Context(), Config{Origin: mustOrigin(t, address), Rules: exportRules, ScratchParent: parent})
	if err != nil {
		t.Fatal(err)
	}
	worked := make(chan error, 1)
	go func() {
		page, err := s.Open(s.Context())
		for err == nil {
			err = browse(s.Context(), s, page, address)
		}
		worked <- err
	}()
	<-time.After(moment)
	switch ending {
	case 2:
		err = syscall.Kill(s.process.cmd.Process.Pid, syscall.SIGKILL)
	case 3:
		// A child: the network service, a renderer or the one that starts them.
		children := processesOf(t, s.Directory())
		err = syscall.Kill(atoi(t, children[len(children)-1]), syscall.SIGKILL)
	}
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Error(err)
	}
	if ending == 2 {
		<-s.Context().Done()
		if cause := context.Cause(s.Context()); !errors.Is(cause, ErrCrashed) {
			t.Errorf("the session's end has the cause %v", cause)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-worked; err == nil {
		t.Error("work went on after the end")
	}
	demandNothingLeft(t, s.Directory())
}

func atoi(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
