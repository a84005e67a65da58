package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/falloff-analytics/falloff/warehouse/access"
)

// commandLines are the arguments of every falloff that the deployment starts, and of every one that its documents tell somebody to type,
// by where they stand.
func commandLines(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	add := func(where string, args []string) { out[where+": "+strings.Join(args, " ")] = args }

	services := 0
	for name, args := range composeCommands(t) {
		add("infra/compose.yaml, "+name, args)
		services++
	}
	units, err := filepath.Glob(filepath.Join(moduleRoot, "infra/systemd/*.service"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range units {
		for _, line := range regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/falloff (.*)$`).FindAllStringSubmatch(read(t, path), -1) {
			add(filepath.Base(path), strings.Fields(strings.ReplaceAll(line[1], "%i", "harbour-street")))
		}
	}
	dockerfile := read(t, filepath.Join(moduleRoot, "infra/Dockerfile"))
	for _, pattern := range []string{`(?m)^CMD \[(".*)\]$`, `HEALTHCHECK .* CMD \["/usr/local/bin/falloff", (.*)\]`} {
		found := regexp.MustCompile(pattern).FindAllStringSubmatch(dockerfile, -1)
		args := regexp.MustCompile(`"([^"]*)"`).FindAllStringSubmatch(found[len(found)-1][1], -1) // the last stage's is the image's
		var words []string
		for _, a := range args {
			words = append(words, a[1])
		}
		add("infra/Dockerfile", words)
	}
	rendered, err := filepath.Glob(filepath.Join(moduleRoot, "infra/helm/rendered/*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range rendered {
		for decoder := yaml.NewDecoder(strings.NewReader(read(t, path))); ; {
			var object any
			if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			for _, args := range containerArgs(object) {
				add(filepath.Base(path), args)
			}
		}
	}
	for _, path := range []string{
		"docs/not-claimed.md", "docs/breach.md", "docs/privacy-law.md", "docs/support-access.md", "docs/release.md",
		"infra/README.md", "infra/helm/README.md", "infra/systemd/README.md", "infra/terraform/README.md",
	} {
		for _, args := range typed(read(t, filepath.Join(moduleRoot, path))) {
			add(path, args)
		}
	}
	if len(units) != 4 || services != 5 || len(rendered) != 4 || len(out) < 40 {
		t.Fatalf("found %d units, %d services, %d renderings, %d command lines in all", len(units), services, len(rendered), len(out))
	}
	return out
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// composeCommands are those of compose.yaml's services that run falloff.
func composeCommands(t *testing.T) map[string][]string {
	t.Helper()
	var compose struct {
		Services map[string]struct {
			Image   string
			Command []string
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, filepath.Join(moduleRoot, "infra/compose.yaml"))), &compose); err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for name, s := range compose.Services {
		if strings.HasPrefix(s.Image, "falloff:") {
			for i := range s.Command {
				s.Command[i] = regexp.MustCompile(`\$\{\w+:?-([^}]*)\}`).ReplaceAllString(s.Command[i], "$1")
			}
			out[name] = s.Command
		}
	}
	return out
}

// containerArgs finds the arguments of falloff's containers anywhere in a Kubernetes object.
func containerArgs(of any) (out [][]string) {
	switch v := of.(type) {
	case map[string]any:
		if args, ok := v["args"].([]any); ok && v["name"] == "falloff" {
			var words []string
			for _, a := range args {
				words = append(words, a.(string))
			}
			out = append(out, words)
		}
		for _, inner := range v {
			out = append(out, containerArgs(inner)...)
		}
	case []any:
		for _, inner := range v {
			out = append(out, containerArgs(inner)...)
		}
	}
	return out
}

var (
	fenced     = regexp.MustCompile("(?s)```[a-z]*\n(.*?)```")
	quotedCode = regexp.MustCompile("`((?:bin/)?falloff [^`]*)`")
	// called is falloff in a line of a shell, up to what is no longer its own.
	called    = regexp.MustCompile(`(?:^|[\s($/])falloff ([a-z][^|<>#;&)]*)`)
	typedWord = regexp.MustCompile(`"[^"]*"|\S+`)
)

// typed are the command lines in a document: in code blocks, and between backquotes where flags or arguments show that it is meant to be
// typed.
func typed(text string) (out [][]string) {
	var lines []string
	for _, block := range fenced.FindAllStringSubmatch(text, -1) {
		lines = append(lines, strings.Split(strings.ReplaceAll(block[1], "\\\n", " "), "\n")...)
	}
	for _, code := range quotedCode.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		lines = append(lines, code[1])
	}
	for _, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		line = strings.ReplaceAll(line, "-n falloff ", "") // kubectl's namespace
		for _, match := range called.FindAllStringSubmatch(line, -1) {
			var words []string
			for _, word := range typedWord.FindAllString(match[1], -1) {
				words = append(words, strings.Trim(word, `"`))
			}
			out = append(out, words)
		}
	}
	return out
}

// parses asks the program whether it knows a command and its flags. Nothing is run.
func parses(args []string) error {
	root := (&app{stdin: &bytes.Buffer{}, stdout: io.Discard, stderr: io.Discard, now: time.Now}).root()
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if cmd == root && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		return errors.New("there is no such command")
	}
	if err := cmd.ParseFlags(rest); err != nil && !errors.Is(err, pflag.ErrHelp) {
		return err
	}
	return validArgs(cmd)
}

func validArgs(cmd *cobra.Command) error {
	if cmd.Args == nil {
		return nil
	}
	return cmd.Args(cmd, cmd.Flags().Args())
}

// Every command that the deployment starts, and that its documents name, is one that the program takes.
func TestTheDeploymentsCommandsAreThePrograms(t *testing.T) {
	for where, args := range commandLines(t) {
		if err := parses(args); err != nil {
			t.Errorf("%s: %v", where, err)
		}
	}
	for _, wrong := range []string{"run --clinik=x", "serve --tls", "backup --to", "rum", "access support open", "backup everything"} {
		if parses(strings.Fields(wrong)) == nil {
			t.Errorf("falloff %s is taken for a command", wrong)
		}
	}
}

// The settings that the deployment brings are settings that the program reads, and say what its commands rest on.
func TestTheDeploymentsSettingsAreThePrograms(t *testing.T) {
	folder := filepath.Join(moduleRoot, "infra/compose/settings")
	settings, err := loadConfig(filepath.Join(folder, "falloff.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if settings.ConfigDir != "/var/lib/falloff/config" || settings.Listen != defaultListen || settings.CacheDir != "/var/cache/falloff" {
		t.Errorf("compose's falloff.yaml says %+v", settings)
	}
	if _, err := access.Parse([]byte(read(t, filepath.Join(folder, "access.yaml"))), "access.yaml"); err != nil {
		t.Error(err)
	}
	rendered, err := filepath.Glob(filepath.Join(moduleRoot, "infra/helm/rendered/*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range rendered {
		found := 0
		for decoder := yaml.NewDecoder(strings.NewReader(read(t, path))); ; {
			var object struct {
				Kind string
				Data map[string]string
			}
			if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if object.Kind != "ConfigMap" {
				continue
			}
			found++
			at := filepath.Join(t.TempDir(), "falloff.yaml")
			if err := os.WriteFile(at, []byte(object.Data["falloff.yaml"]), 0o600); err != nil {
				t.Fatal(err)
			}
			settings, err := loadConfig(at)
			if err != nil {
				t.Errorf("%s: %v", filepath.Base(path), err)
			}
			if settings.S3Encryption != "demand" || settings.Lake == "" || settings.Region == "" || settings.ConfigDir != "/var/lib/falloff/config" {
				t.Errorf("%s: falloff.yaml says %+v", filepath.Base(path), settings)
			}
			if _, err := access.Parse([]byte(object.Data["access.yaml"]), "access.yaml"); err != nil {
				t.Errorf("%s: %v", filepath.Base(path), err)
			}
		}
		if found != 1 {
			t.Errorf("%s has %d falloff.yaml", filepath.Base(path), found)
		}
	}
}

// The ways in the image, and the place of secrets, are where the program looks for them.
func TestTheDeploymentNamesWhatTheProgramReads(t *testing.T) {
	for path, words := range map[string][]string{
		"infra/helm/rendered/minimal.yaml": {"key: " + systemdPassphrase, "CREDENTIALS_DIRECTORY", "mountPath: /dev/shm"},
		"infra/systemd/passphrase.conf":    {"LoadCredentialEncrypted=" + systemdPassphrase},
		"infra/Dockerfile":                 {"EXPOSE " + defaultListen[strings.Index(defaultListen, ":")+1:], "chromium-headless-shell"},
		"infra/compose.yaml":               {"http://" + defaultListen},
	} {
		text := read(t, filepath.Join(moduleRoot, path))
		for _, word := range words {
			if !strings.Contains(text, word) {
				t.Errorf("%s does not say %s", path, word)
			}
		}
	}
	// docs/trust.md sends its reader to the documents beside it.
	trust := read(t, filepath.Join(moduleRoot, "docs/trust.md"))
	for _, document := range []string{"not-claimed.md", "breach.md", "privacy-law.md", "support-access.md"} {
		if !strings.Contains(trust, "]("+document+")") {
			t.Errorf("docs/trust.md does not link %s", document)
		}
	}
	if !slices.Contains(strings.Fields(read(t, filepath.Join(moduleRoot, "infra/Dockerfile"))), "/usr/local/bin/falloff") {
		t.Error("the image has no falloff")
	}
}
