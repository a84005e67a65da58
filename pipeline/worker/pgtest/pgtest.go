// Package pgtest starts a PostgreSQL of a test's own: the machine's binaries over a folder that goes with the test, reached through a
// socket in it, so that no port is taken and nobody else gets in.
package pgtest

import (
	"bytes"
	"context"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Server is a PostgreSQL that runs.
type Server struct {
	tb   testing.TB
	bin  string
	dir  string
	as   *syscall.Credential
	cmd  *exec.Cmd
	logs bytes.Buffer
}

// Start starts a server and ends it with the test. It keeps what is committed when it is killed, not when the machine is: nothing is
// synced to the disk.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{tb: tb, bin: binaries(tb), as: unprivileged(tb)}
	var err error
	// Not the test's own folder: other users cannot pass through that, and a socket's name is short.
	if s.dir, err = os.MkdirTemp("/tmp", "pg"); err != nil { //nolint:usetesting // see above
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(s.dir) })
	if s.as != nil {
		if err := os.Chown(s.dir, int(s.as.Uid), int(s.as.Gid)); err != nil {
			tb.Fatal(err)
		}
	}
	initdb := s.command("initdb", "--pgdata", s.data(), "--username", "falloff", "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")
	if out, err := initdb.CombinedOutput(); err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
	s.begin()
	tb.Cleanup(func() {
		s.end(syscall.SIGQUIT)
		if tb.Failed() {
			tb.Logf("PostgreSQL said:\n%s", &s.logs)
		}
	})
	return s
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// URL is the server's address, for a database on it; "" is one that is always there.
func (s *Server) URL(database string) string {
	if database == "" {
		database = "postgres"
	}
	at := url.URL{Scheme: "postgres", User: url.User("falloff"), Path: "/" + database, RawQuery: url.Values{"host": {s.dir}}.Encode()}
	return at.String()
}

// New makes a database on the server, and gives its address.
func (s *Server) New(name string) string {
	s.tb.Helper()
	if out, err := s.command("createdb", "--host", s.dir, "--username", "falloff", name).CombinedOutput(); err != nil {
		s.tb.Fatalf("%v\n%s", err, out)
	}
	return s.URL(name)
}

// Restart kills the server as a machine that loses power does its processes: connections break, and it recovers from its log.
func (s *Server) Restart() {
	s.tb.Helper()
	s.end(syscall.SIGQUIT)
	s.begin()
}

// Stop ends the server as Restart does, and Begin starts it again.
func (s *Server) Stop() { s.end(syscall.SIGQUIT) }

// Begin starts a server that was stopped.
func (s *Server) Begin() { s.begin() }

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	return cmd
}

func (s *Server) begin() {
	s.tb.Helper()
	s.cmd = s.command("postgres", "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off",
		"-c", "max_connections=200", "-c", "shared_buffers=32MB", "-c", "timezone=UTC")
	s.cmd.Stderr = &s.logs
	if err := s.cmd.Start(); err != nil {
		s.tb.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for s.command("pg_isready", "--quiet", "--host", s.dir, "--username", "falloff").Run() != nil {
		if time.Now().After(deadline) {
			s.tb.Fatalf("PostgreSQL does not answer:\n%s", &s.logs)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *Server) end(signal syscall.Signal) {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(signal)
	_ = s.cmd.Wait()
	s.cmd = nil
}

// binaries is the folder of PostgreSQL's programs, the newest where there are several.
func binaries(tb testing.TB) string {
	tb.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		tb.Fatal(err)
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	at, err := exec.LookPath("initdb")
	if err != nil {
		tb.Fatal("there is no PostgreSQL: infra/setup/install.sh postgres installs one")
	}
	return filepath.Dir(at)
}

func version(initdb string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	return n
}

// unprivileged is whom PostgreSQL runs as where the test runs as root, which it refuses; nil for the test's own user.
func unprivileged(tb testing.TB) *syscall.Credential {
	tb.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, err := strconv.ParseUint(u.Uid, 10, 32)
			gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
			if err == nil && err2 == nil {
				return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
			}
		}
	}
	tb.Fatal("PostgreSQL does not run as root, and there is no other user here")
	return nil
}
