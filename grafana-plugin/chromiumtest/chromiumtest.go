// Package chromiumtest starts a real Chromium for the plugin's tests.
package chromiumtest

import (
	"os"
	"os/exec"
	"testing"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/launcher"
)

// Start gives a browser that ends with the test. No Chromium is a failure, not a reason to skip.
func Start(t *testing.T) *rod.Browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Fatal("no Chromium on the PATH: install chromium-headless-shell or chromium")
	}
	l := launcher.New().Bin(path).Headless(true).NoSandbox(os.Geteuid() == 0).UserDataDir(t.TempDir()).Context(t.Context())
	address, err := l.Launch()
	if err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	browser := rod.New().ControlURL(address)
	if err := browser.Connect(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = browser.Close()
		l.Kill()
		l.Cleanup()
	})
	return browser
}
