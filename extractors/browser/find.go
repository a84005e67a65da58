package browser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/go-rod/rod/lib/launcher"
)

// EnvExecutable is the environment variable that names the Chromium to use.
const EnvExecutable = "FALLOFF_CHROMIUM"

// ErrNoBrowser says that no Chromium was found.
var ErrNoBrowser = errors.New("no Chromium was found")

// onPath are the names under which a Chromium is looked for. The headless shell comes first: it starts faster and runs
// twice as fast under automation as the full browser.
var onPath = []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// fixedPaths are where macOS keeps its browsers.
var fixedPaths = []string{
	"/Applications/Chromium.app/Contents/MacOS/Chromium",
	"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
}

// Find returns the path of the Chromium that a session would start: executable if set, else the one the environment
// variable FALLOFF_CHROMIUM names, else the first found on PATH or in the usual places, else, if download is set, one
// that rod downloads into its cache in the home directory (about 150 MB, from Google's or Playwright's servers).
func Find(ctx context.Context, executable string, download bool) (string, error) {
	if executable == "" {
		executable = os.Getenv(EnvExecutable)
	}
	if executable != "" {
		path, err := exec.LookPath(executable)
		if err != nil {
			return "", fmt.Errorf("%w: %q can't be started; set %s to the path of a Chromium", ErrNoBrowser, executable, EnvExecutable)
		}
		return path, nil
	}
	for _, name := range onPath {
		if path, err := exec.LookPath(name); err == nil {
			return unwrapped(path), nil
		}
	}
	for _, path := range fixedPaths {
		if found, err := exec.LookPath(path); err == nil {
			return found, nil
		}
	}
	if !download {
		return "", fmt.Errorf("%w; install one (Debian and Ubuntu: apt-get install chromium-headless-shell or chromium; macOS: brew install --cask chromium), or set %s to the path of one", ErrNoBrowser, EnvExecutable)
	}
	b := launcher.NewBrowser()
	b.Context = ctx
	b.Logger = log.New(io.Discard, "", 0)
	path, err := b.Get()
	if err != nil {
		return "", fmt.Errorf("%w and none could be downloaded: %w; install one, or set %s to the path of one", ErrNoBrowser, err, EnvExecutable)
	}
	return path, nil
}

// unwrapped gives the binary behind Debian's start script for the headless shell. The script only passes its arguments
// on, but it stays between us and the browser as a process of its own.
func unwrapped(path string) string {
	if path != "/usr/bin/chromium-headless-shell" {
		return path
	}
	binary := filepath.Join("/usr/lib/chromium", filepath.Base(path))
	if found, err := exec.LookPath(binary); err == nil {
		return found
	}
	return path
}
