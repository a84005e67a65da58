package browser

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-rod/rod"
)

// victimEnv makes the test binary a program that owns a browser and is killed. It holds what the program does.
const victimEnv = "FALLOFF_TEST_VICTIM"

// startVictim starts the test binary as such a program, in a directory of its own where one is given. What it says comes
// line by line.
func startVictim(t *testing.T, does, address, parent, home string) (*exec.Cmd, <-chan string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^$")
	cmd.Env = append(os.Environ(), victimEnv+"="+does, victimEnv+"_AT="+address, victimEnv+"_DIR="+parent)
	if home != "" {
		cmd.Dir = home
		cmd.Env = append(cmd.Env, "HOME="+home, "TMPDIR="+home, "XDG_CACHE_HOME="+home)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 16)
	go func() {
		defer close(said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			said <- strings.TrimSpace(lines.Text())
		}
	}()
	return cmd, said
}

// victim is that program. It says where its browser writes as soon as a page is open.
func victim() {
	address := os.Getenv(victimEnv + "_AT")
	origin, err := ParseOrigin(address)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	s, err := Start(ctx, Config{Origin: origin, Rules: exportRules, ScratchParent: os.Getenv(victimEnv + "_DIR")})
	if err != nil {
		fmt.Println(err)
		return
	}
	page, err := s.Open(ctx)
	if err == nil {
		err = page.Navigate(address + "/page")
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	if os.Getenv(victimEnv) == "hang" {
		go func() { _, _ = page.Eval(`() => { for (;;); }`) }()
		fmt.Println(s.Directory())
		select {}
	}
	for first := true; ; first = false {
		if err := browse(ctx, s, page, address); err != nil {
			fmt.Println(err)
			return
		}
		if first {
			fmt.Println(s.Directory())
		}
	}
}

// browse opens a page and takes the export that it links to.
func browse(ctx context.Context, s *Session, page *rod.Page, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	page = page.Context(ctx)
	if err := page.Navigate(address + "/page"); err != nil {
		return err
	}
	if err := page.WaitLoad(); err != nil {
		return err
	}
	waiting, err := s.Capture()
	if err != nil {
		return err
	}
	if _, err := page.Eval(`() => { document.querySelector('a').click() }`); err != nil {
		waiting.Cancel()
		return err
	}
	export, err := waiting.Wait(ctx)
	if err == nil && export.Status != 200 {
		err = fmt.Errorf("the export has the status %d", export.Status)
	}
	return err
}

// browsable serves a page that stores all it can, and an export, both full of the given texts.
func browsable(texts []string, rows int) http.Handler {
	all := strings.Join(texts, " ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/downloads/") {
			w.Header().Set("Content-Type", "text/csv")
			w.Header().Set("Content-Disposition", `attachment; filename="x.csv"`)
			fmt.Fprint(w, strings.Repeat(all+"\n", rows))
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "device", Value: strings.ReplaceAll(texts[0], " ", "-"), MaxAge: 100_000})
		w.Header().Set("Cache-Control", "max-age=100000")
		htmlf(w, `<h1>%[1]s</h1><a href=/downloads/x.csv>x</a><input value="%[1]s"><script>
			localStorage.x = sessionStorage.x = '%[1]s';
			document.title = '%[1]s';
			history.pushState('%[1]s', '', '/page#%[2]s');
			const opening = indexedDB.open('%[2]s');
			opening.onupgradeneeded = () => opening.result.createObjectStore('s').put('%[1]s', 1);
			caches.open('c').then(c => c.put('/x', new Response('%[1]s'))).catch(() => {});
			console.error('%[1]s');
		</script>`, all, texts[0])
	})
}

// memoryDir is a directory for the test in memory, where the system has a place for that.
func memoryDir(t *testing.T) string {
	t.Helper()
	if !isTmpfs("/dev/shm") {
		return shortDir(t)
	}
	dir, err := os.MkdirTemp("/dev/shm", "fo")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// leftIn lists what a directory holds of sessions.
func leftIn(t *testing.T, parent string) []string {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(parent, scratchPrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return left
}
