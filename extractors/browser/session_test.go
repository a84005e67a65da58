package browser

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-rod/rod/lib/proto"
)

var pageRules = []Rule{{Purpose: "open a page", Method: "GET", Path: "/page"}}

func servePage(t *testing.T) (address string) {
	return serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { htmlf(w, "<h1>here</h1>") }), nil)
}

// demandNothingLeft fails unless the session's processes and directory are gone.
func demandNothingLeft(t *testing.T, dir string) {
	t.Helper()
	if left := processesOf(t, dir); len(left) > 0 {
		t.Errorf("processes %v are left", left)
	}
	for _, path := range []string{dir, dir + lockSuffix} {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left", path)
		}
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	address := servePage(t)
	s := startSession(t, Config{Origin: mustOrigin(t, address), Rules: pageRules})
	if got := eval(t, open(t, s, address+"/page"), `() => document.querySelector('h1').textContent`); got != "here" {
		t.Errorf("the page shows %q", got)
	}
	dir := s.Directory()
	if len(processesOf(t, dir)) < 3 {
		t.Fatal("the processes of the running browser were not found, so the check below would prove nothing")
	}
	var closing sync.WaitGroup
	for range 3 {
		closing.Go(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	closing.Wait()
	demandNothingLeft(t, dir)
	if err := s.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if _, err := s.Open(context.Background()); err == nil {
		t.Error("a closed session opens a tab")
	}
}

func TestSessionKeepsToItsDirectory(t *testing.T) {
	address := servePage(t)
	parent := shortDir(t)
	s := startSession(t, Config{Origin: mustOrigin(t, address), Rules: pageRules, ScratchParent: parent})
	if filepath.Dir(s.Directory()) != parent {
		t.Errorf("the browser writes to %s", s.Directory())
	}
	info, err := os.Stat(s.Directory())
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the directory's mode is %v", info.Mode())
	}
	if !isTmpfs(parent) && !strings.Contains(strings.Join(s.Notes(), "\n"), "on disk") {
		t.Errorf("nothing says that the profile lies on disk: %q", s.Notes())
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

func TestBrowsingLeavesNoTrace(t *testing.T) {
	address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: "CanaryCookie", MaxAge: 100_000})
		w.Header().Set("Cache-Control", "max-age=100000")
		htmlf(w, `CanaryPage<script>
			localStorage.x = 'CanaryStored';
			const opening = indexedDB.open('CanaryBase');
			opening.onupgradeneeded = () => opening.result.createObjectStore('s').put('CanaryRecord', 1);
			opening.onsuccess = () => document.title = 'stored';
		</script>`)
	}), nil)
	parent, tmp := shortDir(t), t.TempDir()
	t.Setenv("TMPDIR", tmp)
	s := startSession(t, Config{Origin: mustOrigin(t, address), Rules: pageRules, ScratchParent: parent})
	page := open(t, s, address+"/page")
	eventually(t, "the page stores something", func() bool { return eval(t, page, `() => document.title`) == "stored" })
	if err := page.Navigate(address + "/page"); err != nil {
		t.Fatal(err)
	}
	if found := filesWith(t, "Canary", parent, tmp); len(found) > 0 {
		t.Errorf("what was browsed lies in %v", found)
	}
}

func TestKilledBrowser(t *testing.T) {
	address := servePage(t)
	s := startSession(t, Config{Origin: mustOrigin(t, address), Rules: pageRules})
	page := open(t, s, address+"/page")
	if err := syscall.Kill(s.process.cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.Context().Done()
	if cause := context.Cause(s.Context()); !errors.Is(cause, ErrCrashed) {
		t.Errorf("the session's end has the cause %v", cause)
	}
	if _, err := page.Eval(`() => 1`); err == nil {
		t.Error("a page of a dead browser answers")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	demandNothingLeft(t, s.Directory())
}

func TestCrashedTab(t *testing.T) {
	address := servePage(t)
	s := startSession(t, Config{Origin: mustOrigin(t, address), Rules: pageRules})
	page := open(t, s, address+"/page")
	// The crash takes the answer to the call with it.
	go func() { _ = proto.PageCrash{}.Call(page) }()
	select {
	case <-s.Context().Done():
	case <-time.After(30 * time.Second):
		t.Fatal("the session goes on with a crashed tab")
	}
	if cause := context.Cause(s.Context()); !errors.Is(cause, ErrCrashed) {
		t.Errorf("the session's end has the cause %v", cause)
	}
}

func TestCancelIsQuick(t *testing.T) {
	address := servePage(t)
	ctx, cancel := context.WithCancel(t.Context())
	s, err := Start(ctx, Config{Origin: mustOrigin(t, address), Rules: pageRules})
	if err != nil {
		t.Fatal(err)
	}
	page := open(t, s, address+"/page")
	stuck := make(chan error, 1)
	go func() {
		_, err := page.Eval(`() => new Promise(() => {})`)
		stuck <- err
	}()
	begun := time.Now()
	cancel()
	if err := <-stuck; err == nil {
		t.Error("an evaluation without end ended without an error")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("it took %v to end after the context was cancelled", took)
	}
	demandNothingLeft(t, s.Directory())
}

func TestStartFailures(t *testing.T) {
	origin := Origin{Scheme: "http", Host: "127.0.0.1", Port: "1"}
	broken := filepath.Join(t.TempDir(), "broken-chromium")
	if err := os.WriteFile(broken, []byte("#!/bin/sh\necho 'error while loading shared libraries: libnss3.so' >&2\nexit 127\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	mute := filepath.Join(t.TempDir(), "mute-chromium")
	if err := os.WriteFile(mute, []byte("#!/bin/sh\nexec sleep 600\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		name string
		ctx  context.Context
		cfg  Config
		want error
		text string
	}{
		{"missing", t.Context(), Config{Origin: origin, Executable: "/nowhere/chromium"}, ErrNoBrowser, EnvExecutable},
		{"broken", t.Context(), Config{Origin: origin, Executable: broken}, nil, "libnss3.so"},
		{"mute", t.Context(), Config{Origin: origin, Executable: mute, StartTimeout: 300 * time.Millisecond}, context.DeadlineExceeded, mute},
		{"cancelled", cancelled, Config{Origin: origin}, context.Canceled, ""},
		{"bad rule", t.Context(), Config{Origin: origin, Rules: []Rule{{Purpose: "x", Method: "BREW", Path: "/"}}}, nil, "BREW"},
	} {
		t.Run(test.name, func(t *testing.T) {
			parent := shortDir(t)
			test.cfg.ScratchParent = parent
			s, err := Start(test.ctx, test.cfg)
			if err == nil {
				s.Close()
				t.Fatal("it started")
			}
			if test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if !strings.Contains(err.Error(), test.text) {
				t.Errorf("%q does not name %q", err, test.text)
			}
			if left, _ := os.ReadDir(parent); len(left) > 0 {
				t.Errorf("%v is left", left)
			}
			if left := processesOf(t, parent); len(left) > 0 {
				t.Errorf("processes %v are left", left)
			}
		})
	}
}

// TestKilledProgram kills the program that owns a browser, which then can't clean up: the browser must end by itself,
// and the next session must remove what it left.
func TestKilledProgram(t *testing.T) {
	address := servePage(t)
	parent := shortDir(t)
	cmd, said := startVictim(t, "hang", address, parent, "")
	dir := <-said
	if filepath.Dir(dir) != parent {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("the program says %q", dir)
	}
	if len(processesOf(t, dir)) < 3 {
		t.Error("the browser's processes were not found, so their absence would prove nothing")
	}
	if swept := sweep(parent); swept != 0 {
		t.Error("the directory of a living session was swept")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	eventually(t, "the browser ends", func() bool { return len(processesOf(t, dir)) == 0 })
	if _, err := os.Stat(dir); err != nil {
		t.Fatalf("the directory of the killed program should still be there: %v", err)
	}
	s := startSession(t, Config{Origin: mustOrigin(t, address), Rules: pageRules, ScratchParent: parent})
	demandNothingLeft(t, dir)
	if !strings.Contains(strings.Join(s.Notes(), "\n"), "1 dead browser session") {
		t.Errorf("nothing says that a dead session was removed: %q", s.Notes())
	}
}

func TestEnvironmentHoldsNoCredentials(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "canary-key")
	t.Setenv("HTTPS_PROXY", "http://canary-proxy")
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nenv > %s/seen\nexit 1\n", dir)
	if err := os.WriteFile(dir+"/chromium", []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Config{Origin: Origin{Scheme: "http", Host: "127.0.0.1", Port: "1"}, Executable: dir + "/chromium"}); err == nil {
		t.Fatal("a script passes for a browser")
	}
	seen, err := os.ReadFile(dir + "/seen")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(seen), "canary") || !strings.Contains(string(seen), "HOME=/") {
		t.Errorf("the browser's environment is %s", seen)
	}
}

func TestDialogsDoNotHoldUp(t *testing.T) {
	address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		htmlf(w, `<script>alert('x'); document.title = confirm('really?') ? 'confirmed' : 'not confirmed'</script>`)
	}), nil)
	s := startSession(t, Config{Origin: mustOrigin(t, address), Rules: pageRules})
	page := open(t, s, address+"/page")
	eventually(t, "the dialogs are answered", func() bool { return eval(t, page, `() => document.title`) == "not confirmed" })
}

func TestTabs(t *testing.T) {
	address := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		htmlf(w, `<h1>%s</h1><a href=/page?second target=_blank rel=noopener>x</a>`, r.URL.RawQuery)
	}), nil)
	s := startSession(t, Config{Origin: mustOrigin(t, address), Rules: []Rule{{Purpose: "open a page", Method: "GET", Path: "/page", Query: []string{"first", "second"}}}})
	first := open(t, s, address+"/page?first")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	wait := s.NextTab(ctx)
	eval(t, first, `() => document.querySelector('a').click()`)
	second, err := wait()
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new tab shows its page", func() bool {
		return eval(t, second, `() => document.querySelector('h1')?.textContent ?? ''`) == "second"
	})
	if err := s.CloseTabs(ctx, first); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second tab is closed and the first is not", func() bool {
		all, err := proto.TargetGetTargets{}.Call(s.rod)
		if err != nil {
			return false
		}
		var left []proto.TargetTargetID
		for _, info := range all.TargetInfos {
			if s.isTab(info) {
				left = append(left, info.TargetID)
			}
		}
		return len(left) == 1 && left[0] == first.TargetID
	})
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.NextTab(short)(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for a tab that nobody opens: %v", err)
	}
}
