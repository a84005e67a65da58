package sandbox

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Every statement of the corpus, in a pool as the server has it: refused, answered, or ended within its limits; afterwards the next
// harmless statement is answered, no file has come or gone, and no process is left.
func TestNothingHostileGetsOut(t *testing.T) {
	c := newClinic(t)
	canary := filepath.Join(c.dir, "canary.csv")
	if err := os.WriteFile(canary, []byte("secret\n4d7a90b1-canary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := fingerprint(t, c.dir)
	var log strings.Builder
	options := Options{
		Limits: Limits{Time: 250 * time.Millisecond, Rows: 2000, Bytes: 1 << 20}, MemoryMB: 200, Threads: 1, Grace: 50 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	}
	long := os.Getenv("FALLOFF_LONG") != ""
	if long { // time enough to fill what there is
		options.Limits.Time, options.MemoryMB, options.Threads = 2*time.Second, 500, 2
	}
	p := newPool(t, options)
	for i, s := range corpus(t, "hostile.txt", canary) {
		runs := strings.HasSuffix(s.section, ": runs")
		if !long && i%4 != 0 {
			continue // the gate's own test has them all; make long has all at work
		}
		began := time.Now()
		answer, err := p.Query(t.Context(), c.request(s.text))
		switch {
		case err != nil && code(err) == "":
			t.Errorf("line %d: %s: not told in words of ours: %v", s.line, clipped(s.text), err)
		case err != nil && strings.Contains(err.Error(), "4d7a90b1"):
			t.Errorf("line %d: the error tells of the canary: %v", s.line, err)
		case err == nil && !runs:
			t.Errorf("line %d: %s: answered", s.line, clipped(s.text))
		case err == nil:
			if _, got := rows(t, answer); strings.Contains(fmt.Sprint(got), "4d7a90b1") {
				t.Errorf("line %d: %s: it reads the canary", s.line, clipped(s.text))
			}
		}
		if runs {
			t.Logf("line %d: %v after %v: %s", s.line, err, time.Since(began).Round(time.Millisecond), clipped(s.text))
		}
		if i%10 == 0 || err != nil && code(err) != NotAllowed {
			if _, err := p.Query(t.Context(), c.request("select count(*) from visits")); err != nil {
				t.Errorf("after line %d, %s: the next statement: %v", s.line, clipped(s.text), err)
			}
		}
	}
	if after := fingerprint(t, c.dir); after != before {
		t.Errorf("files changed:\n%s\nwas\n%s", after, before)
	}
	if strings.Contains(log.String(), "missing") {
		t.Errorf("not all protections are here: %s", log.String())
	}
	t.Logf("%+v", p.Stats())
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if left := children(t); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}

func TestHarmlessStatementsAreAnswered(t *testing.T) {
	c, p := newClinic(t), newPool(t, Options{})
	for _, s := range corpus(t, "harmless.txt", "") {
		if _, err := p.Query(t.Context(), c.request(s.text)); err != nil {
			t.Errorf("line %d: %s: %v", s.line, s.text, err)
			if refusal, ok := err.(*Error); ok { //nolint:errorlint // what the pool gives is it itself
				t.Log(refusal.Detail)
			}
		}
	}
}

// The worker is looked at from outside: what it has open, and what the system still lets it do.
func TestAWorkerIsShutIn(t *testing.T) {
	c, p := newClinic(t), newPool(t, Options{})
	if _, err := p.Query(t.Context(), c.request("select count(*) from visits")); err != nil {
		t.Fatal(err)
	}
	workers := children(t)
	if len(workers) != 2 {
		t.Fatalf("%d workers, want the gate's and one with tables", len(workers))
	}
	for _, pid := range workers {
		of := func(name string) string {
			body, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), name))
			if err != nil {
				t.Fatal(err)
			}
			return string(body)
		}
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			// Go's runtime keeps its group's share of the processor in sight.
			if !strings.HasPrefix(target, "pipe:") && !strings.HasPrefix(target, "anon_inode:") && target != "/dev/null" && !strings.HasPrefix(target, "/sys/fs/cgroup/") {
				t.Errorf("worker %d has %s open", pid, target)
			}
		}
		for _, want := range []string{"NoNewPrivs:\t1", "Seccomp:\t2"} {
			if !strings.Contains(of("status"), want) {
				t.Errorf("worker %d: not %q", pid, want)
			}
		}
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks { // every thread, not the one that asked for it
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", pid, task.Name()))
			if err == nil && !strings.Contains(string(status), "Seccomp:\t2") {
				t.Errorf("thread %s of worker %d has no filter", task.Name(), pid)
			}
		}
		if environment := of("environ"); environment != "" {
			t.Errorf("worker %d has the environment %q", pid, environment)
		}
		if at, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err != nil || at != "/" {
			t.Errorf("worker %d is in %s (%v)", pid, at, err)
		}
		if strings.Contains(of("maps"), "parquet") {
			t.Errorf("worker %d has a file of the lake in its memory", pid)
		}
		t.Log(linesWith(of("limits"), "data size", "file size", "core file", "open files", "cpu time"))
		t.Log(linesWith(of("status"), "VmData", "VmRSS", "VmSize", "Threads"))
	}
}

func linesWith(text string, words ...string) string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		for _, word := range words {
			if strings.Contains(line, word) {
				out = append(out, line)
			}
		}
	}
	return strings.Join(out, "; ")
}

// children are the processes that this one has started and that have not ended.
func children(t *testing.T) []int {
	t.Helper()
	var out []int
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range tasks {
		body, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		for field := range strings.FieldsSeq(string(body)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, pid)
		}
	}
	return out
}

// fingerprint is what lies in a folder.
func fingerprint(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, entry := range entries {
		body, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s %x\n", entry.Name(), sha256.Sum256(body))
	}
	return out.String()
}
