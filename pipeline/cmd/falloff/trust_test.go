package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/extractors/jane"
	"github.com/falloff-analytics/falloff/transforms/contract"
)

const moduleRoot = "../../.."

// TestTrustStatementIsFresh holds docs/trust.md against the program: what it says must be what the program's own lists
// say today.
func TestTrustStatementIsFresh(t *testing.T) {
	profile, err := jane.DefaultProfile()
	if err != nil {
		t.Fatal(err)
	}
	want, err := trustStatement(profile, false)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(moduleRoot, "docs/trust.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("docs/trust.md does not say what the program does: run make docs")
	}
}

// TestTrustStatementLeavesNothingOut looks for every entry of the lists in the statement.
func TestTrustStatementLeavesNothingOut(t *testing.T) {
	profile, err := jane.DefaultProfile()
	if err != nil {
		t.Fatal(err)
	}
	text, err := trustStatement(profile, false)
	if err != nil {
		t.Fatal(err)
	}
	var entries []string
	for _, r := range profile.Requests {
		entries = append(entries, "| "+r.Purpose+" | "+r.Method+" | `"+r.Path+"` |")
		for field := range r.Body {
			entries = append(entries, "`"+field+"`")
		}
	}
	for _, part := range profile.Forbidden {
		entries = append(entries, "`"+part+"`")
	}
	for _, r := range profile.Reports {
		entries = append(entries, "`"+profile.App+r.Route+"`")
	}
	for _, d := range contract.Datasets() {
		entries = append(entries, "### "+d.Name)
		for _, c := range d.Stored() {
			entries = append(entries, "| `"+c.Name+"` | ", c.Meaning)
		}
		for _, c := range d.Refused() {
			entries = append(entries, "| "+d.Report+" | "+strings.Join(c.Headers, ", ")+" | "+c.Meaning+" |")
		}
	}
	for _, entry := range entries {
		if !strings.Contains(string(text), entry) {
			t.Errorf("the statement lacks %s", entry)
		}
	}
}

// TestPromisesNameWhatExists keeps the statement from naming tests and commands that there are not.
func TestPromisesNameWhatExists(t *testing.T) {
	known := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(moduleRoot, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || strings.HasPrefix(entry.Name(), ".") && len(entry.Name()) > 2):
			return fs.SkipDir
		case strings.HasSuffix(path, "_test.go"):
			text, err := os.ReadFile(path)
			for _, found := range declared.FindAllSubmatch(text, -1) {
				known[string(found[1])] = true
			}
			return err
		case strings.HasSuffix(path, ".txtar"):
			known["TestScripts/"+strings.TrimSuffix(filepath.Base(path), ".txtar")] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	root := (&app{}).root()
	for _, p := range promises {
		for _, test := range p.tests {
			if !known[test] {
				t.Errorf("%s names the test %s, which there is not", p.id, test)
			}
		}
		for _, command := range p.commands {
			words := strings.Fields(strings.TrimPrefix(command, "falloff "))
			cmd, rest, err := root.Find(words)
			if err != nil || cmd == root {
				t.Errorf("%s names the command %q, which there is not", p.id, command)
				continue
			}
			for _, flag := range rest {
				if cmd.Flags().Lookup(strings.TrimPrefix(flag, "--")) == nil {
					t.Errorf("%s names the flag %s of %s, which there is not", p.id, flag, cmd.CommandPath())
				}
			}
		}
	}
}
