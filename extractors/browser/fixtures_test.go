package browser

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-rod/rod"
)

// TestMain lets the test binary stand in for a program that is killed while its browser runs, and more tests run at once
// than there are processors: they wait for pages more than they compute.
func TestMain(m *testing.M) {
	if os.Getenv(victimEnv) != "" {
		victim()
		return
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// serve runs a server on loopback; onConnect is told of every connection, before any request.
func serve(t testing.TB, h http.Handler, onConnect func()) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, ConnState: func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew && onConnect != nil {
			onConnect()
		}
	}}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() { server.Close(); serving.Wait() })
	return "http://" + listener.Addr().String()
}

// serveTLS is serve over TLS 1.3, with a certificate that authority, and pin in Chromium's form, vouch for.
func serveTLS(t testing.TB, h http.Handler, onConnect func()) (address string, authority *x509.CertPool, pin string) {
	t.Helper()
	return serveTLSOf(t, h, onConnect, &tls.Config{MinVersion: tls.VersionTLS13})
}

func serveTLSOf(t testing.TB, h http.Handler, onConnect func(), cfg *tls.Config) (address string, authority *x509.CertPool, pin string) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew && onConnect != nil {
			onConnect()
		}
	}
	server.TLS = cfg
	server.StartTLS()
	t.Cleanup(server.Close)
	authority = x509.NewCertPool()
	authority.AddCert(server.Certificate())
	digest := sha256.Sum256(server.Certificate().RawSubjectPublicKeyInfo)
	return server.URL, authority, base64.StdEncoding.EncodeToString(digest[:])
}

func mustOrigin(t testing.TB, address string) Origin {
	t.Helper()
	o, err := ParseOrigin(address)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func startSession(t testing.TB, cfg Config) *Session {
	t.Helper()
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// open opens a tab at an address and bounds everything done with it.
func open(t testing.TB, s *Session, address string) *rod.Page {
	t.Helper()
	page, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
	t.Cleanup(cancel)
	page = page.Context(ctx)
	if err := page.Navigate(address); err != nil {
		t.Fatalf("opening %s: %v", address, err)
	}
	return page
}

// eval runs a function in a page and gives its result as text.
func eval(t testing.TB, page *rod.Page, js string) string {
	t.Helper()
	result, err := page.Eval(js)
	if err != nil {
		t.Fatalf("%s: %v", js, err)
	}
	return result.Value.Str()
}

// waitFor looks for a condition until it holds or the time is over.
func waitFor(limit time.Duration, holds func() bool) bool {
	deadline := time.After(limit)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			return false
		case <-tick.C:
		}
	}
	return true
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	if !waitFor(30*time.Second, holds) {
		t.Errorf("%s: not within 30 seconds", what)
	}
}

// processesOf lists the living processes that run in a directory or have it in their command line. A browser's
// children have the former only.
func processesOf(t testing.TB, dir string) []string {
	t.Helper()
	var found []string
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(paths) == 0 {
		t.Fatal("this test looks for processes in /proc, which is not there")
	}
	for _, path := range paths {
		line, _ := os.ReadFile(path)
		at, _ := os.Readlink(filepath.Join(filepath.Dir(path), "cwd"))
		if bytes.Contains(line, []byte(dir)) || strings.HasPrefix(at, dir) {
			found = append(found, filepath.Base(filepath.Dir(path)))
		}
	}
	return found
}

// filesWith lists the files below directories that hold a text, as it is or as UTF-16.
func filesWith(t testing.TB, text string, dirs ...string) []string {
	t.Helper()
	wide := strings.Join(strings.Split(text, ""), "\x00")
	var found []string
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				// A running browser's files come and go.
				return nil
			}
			content, err := os.ReadFile(path)
			if err == nil && (bytes.Contains(content, []byte(text)) || bytes.Contains(content, []byte(wide))) {
				found = append(found, path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// html answers with a page.
func htmlf(w http.ResponseWriter, format string, args ...any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!doctype html><title>t</title>"+format, args...)
}

// shortDir is a directory for the test with a name short enough for Chromium's sockets, which t.TempDir's is not.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
