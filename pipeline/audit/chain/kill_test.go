package chain_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/audit/chain"
	"github.com/falloff-analytics/falloff/pipeline/vault"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// victimDir is set where this program is the server that is to be killed.
const victimDir = "FALLOFF_TEST_CHAIN_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		if err := victim(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// victimOptions send all the time, so that a kill meets every step.
func victimOptions(dir string) (chain.Options, error) {
	v, err := vault.Open(context.Background(), vault.Options{ConfigDir: filepath.Join(dir, "config")})
	if err != nil {
		return chain.Options{}, err
	}
	keys, err := v.AuditKeys(context.Background())
	if err != nil {
		return chain.Options{}, err
	}
	store, err := lake.OpenDir(filepath.Join(dir, "lake"))
	m := machine{dir: dir, keys: keys}
	o := m.options(store, "desk")
	o.SendAfter, o.CheckpointEvery, o.SegmentBytes = 3*time.Millisecond, 5*time.Millisecond, 3_000
	return o, err
}

// victim records numbers from the one on that it is told, from many goroutines, and prints each that it was promised.
func victim(dir string) error {
	from, err := strconv.ParseInt(os.Getenv("FALLOFF_TEST_CHAIN_FROM"), 10, 64)
	if err != nil {
		return err
	}
	o, err := victimOptions(dir)
	if err != nil {
		return err
	}
	c, err := chain.Open(context.Background(), o)
	if err != nil {
		return err
	}
	fmt.Println("open")
	var next atomic.Int64
	next.Store(from)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for {
				n := next.Add(1)
				if _, err := c.Append(context.Background(), answered("ada", int(n))); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				_, _ = os.Stdout.WriteString(strconv.FormatInt(n, 10) + "\n") // one write, so whole lines
			}
		})
	}
	wait.Wait()
	return errors.New("the victim ended by itself")
}

// A server that is killed at any moment has lost nothing that it promised, doubled nothing, and its chain holds.
func TestKilled(t *testing.T) {
	rounds := 6
	if os.Getenv("FALLOFF_LONG") != "" {
		rounds = 100
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	promised := map[int]bool{}
	for round := range rounds {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), victimDir+"="+dir, "FALLOFF_TEST_CHAIN_FROM="+strconv.Itoa(1_000_000*round))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		// Some are killed while they begin, some after a number of records, each then at a moment of its own.
		for records := random.IntN(300) * (round % 3); records >= 0; records-- {
			if line, err := lines.ReadString('\n'); err == nil && line != "open\n" {
				n, _ := strconv.Atoi(line[:len(line)-1])
				promised[n] = true
			}
		}
		time.Sleep(time.Duration(random.IntN(10_000)) * time.Microsecond) // the moment of the kill
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		rest, _ := io.ReadAll(lines) // what was promised before the kill
		_ = cmd.Wait()
		for line := range bytesLines(rest) {
			if n, err := strconv.Atoi(line); err == nil {
				promised[n] = true
			}
		}
	}
	o, err := victimOptions(dir)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, open(t, o))
	v := verified(t, o.Store, chain.Known{})
	if len(v.Chains) != 1 || len(v.Chains[0].Gaps) > 0 || v.Chains[0].Segments < rounds {
		t.Errorf("%+v", v)
	}
	found := map[int]int{}
	for _, n := range rows(search(t, o.Store, audit.Filter{Action: audit.QueryAnswered})) {
		found[n]++
	}
	for n := range promised {
		if found[n] != 1 {
			t.Errorf("record %d was promised, and is there %d times", n, found[n])
		}
	}
	for n, times := range found {
		if times > 1 {
			t.Errorf("record %d is there %d times", n, times)
		}
	}
	t.Logf("%d records promised, %d there, in %d segments under %d checkpoints", len(promised), len(found), v.Chains[0].Segments, v.Chains[0].Checkpoints)
	if len(promised) < 50 {
		t.Errorf("only %d records were promised", len(promised))
	}
}

// bytesLines gives the whole lines of a text.
func bytesLines(text []byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		begin := 0
		for i, b := range text {
			if b == '\n' {
				if !yield(string(text[begin:i])) {
					return
				}
				begin = i + 1
			}
		}
	}
}

// A request to the lake that fails, at whichever step and whether or not it was carried out, is tried again; and where every
// later one fails too, the next start sends what waits.
func TestEveryStoreFault(t *testing.T) {
	m := newMachine(t)
	work := func(ctx context.Context, store lake.Store, first int) (promised []int) {
		c, err := chain.Open(ctx, m.options(store, "desk"))
		if err != nil {
			return nil
		}
		for n := first; n < first+4; n++ {
			if _, err := c.Append(ctx, answered("ada", n)); err == nil {
				promised = append(promised, n)
			}
			if n == first+1 {
				_ = c.Flush(ctx)
			}
		}
		_ = c.Close(ctx)
		return promised
	}
	count := &storetest.Faulty{Store: &storetest.Memory{}}
	work(t.Context(), count, 1)
	steps := count.Calls()
	if steps < 10 {
		t.Fatalf("%d steps", steps)
	}
	for _, dead := range []bool{false, true} {
		for _, fault := range []storetest.Fault{storetest.NotDone, storetest.Done} {
			for fail := 1; fail <= steps; fail++ {
				m.dir = t.TempDir()
				store := &storetest.Memory{}
				ctx, cancel := context.WithCancel(t.Context())
				faulty := &storetest.Faulty{Store: store, Fail: fail, Fault: fault, Dead: dead}
				if dead {
					// A lake that stays away: whoever waits for it gives up.
					var once sync.WaitGroup
					once.Go(func() {
						for ctx.Err() == nil && faulty.Calls() <= fail {
							time.Sleep(time.Millisecond)
						}
						cancel()
					})
					defer once.Wait()
				}
				promised := work(ctx, faulty, 1)
				cancel()
				promised = append(promised, work(t.Context(), store, 11)...)
				name := fmt.Sprintf("step %d, dead %v, done %v", fail, dead, fault == storetest.Done)
				v, err := chain.Verify(t.Context(), store, chain.Known{})
				if err != nil || len(v.Chains[0].Gaps) > 0 {
					t.Errorf("%s: %+v, %v", name, v, err)
				}
				found := rows(search(t, store, audit.Filter{Action: audit.QueryAnswered}))
				times := map[int]int{}
				for _, n := range found {
					times[n]++
				}
				for _, n := range promised {
					if times[n] != 1 {
						t.Errorf("%s: record %d is there %d times", name, n, times[n])
					}
				}
				if len(promised) < 4 || !dead && len(found) != len(promised) {
					t.Errorf("%s: promised %v, found %v", name, promised, found)
				}
			}
		}
	}
}
