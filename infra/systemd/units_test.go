package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const program = "/usr/local/bin/falloff"

// units copies the units to a folder, with a program that is there in the place of ours, and gives their paths. change may break them.
func units(t *testing.T, change func(name, text string) string) []string {
	t.Helper()
	var sources []string
	for _, pattern := range []string{"*.service", "*.timer"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, found...)
	}
	if len(sources) != 6 {
		t.Fatalf("the units are %v", sources)
	}
	dir := t.TempDir()
	stand := filepath.Join(dir, "falloff")
	if err := os.WriteFile(stand, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, name := range sources {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		// An instance: of a template systemd reads only half.
		path := filepath.Join(dir, strings.Replace(name, "@.", "@harbour-street.", 1))
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(change(name, string(text)), program+" ", stand+" ")), 0o644); err != nil {
			t.Fatal(err)
		}
		out = append(out, path)
	}
	return out
}

func same(_, text string) string { return text }

// analyze runs systemd-analyze, which is part of systemd and needs none that runs.
func analyze(t *testing.T, args ...string) (said string, ok bool) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Logf("NOT RUN: there is no systemd-analyze for %s", runtime.GOOS)
		return "", true
	}
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatal("systemd-analyze is missing: infra/setup/install.sh units installs it")
	}
	out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput()
	return string(out), err == nil
}

func TestSystemdReadsTheUnits(t *testing.T) {
	if said, ok := analyze(t, append([]string{"verify", "--man=no"}, units(t, same)...)...); !ok || said != "" {
		t.Errorf("systemd-analyze verify: %s", said)
	}
}

// systemd grades how much a unit can reach: 10 is all, and below 3 few services come.
func TestTheUnitsAreShutIn(t *testing.T) {
	for _, path := range units(t, same) {
		if strings.HasSuffix(path, ".service") {
			if said, ok := analyze(t, "security", "--offline=true", "--no-pager", "--threshold=26", path); !ok {
				t.Errorf("%s: %s", filepath.Base(path), said[max(0, len(said)-200):])
			}
		}
	}
}

func TestSystemdSeesMistakes(t *testing.T) {
	if runtime.GOOS != "linux" {
		return
	}
	for _, c := range []struct{ unit, old, new string }{
		{"falloff-run@.service", "ProtectSystem=strict", "ProtectSytem=strict"},
		{"falloff-run@.timer", "\nOnCalendar=*-*-* 03:15:00", "\nOnCalendar=every night"},
		{"falloff-backup.timer", "Persistent=yes", "Persistent=perhaps"},
	} {
		seen, ok := analyze(t, append([]string{"verify", "--man=no"}, units(t, func(name, text string) string {
			if name != c.unit {
				return text
			}
			if !strings.Contains(text, c.old) {
				t.Errorf("%s has no %q any more", name, c.old)
			}
			return strings.Replace(text, c.old, c.new, 1)
		})...)...)
		if ok && seen == "" {
			t.Errorf("%s: %q is not seen", c.unit, c.new)
		}
	}
}

// settings are a unit's lines by key.
func settings(text string) map[string][]string {
	out := map[string][]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			out[key] = append(out[key], value)
		}
	}
	return out
}

// What systemd has no opinion on.
func TestTheUnitsDoAsTheExitCodesSay(t *testing.T) {
	documented, err := os.ReadFile("../../docs/running.md")
	if err != nil {
		t.Fatal(err)
	}
	var retried []string // codes whose cure is another try
	for _, row := range regexp.MustCompile(`(?m)^\| ([0-9]+) \| .* \| (.*) \|$`).FindAllStringSubmatch(string(documented), -1) {
		if strings.HasPrefix(row[2], "run it again") || row[1] == "6" {
			retried = append(retried, row[1])
		}
	}
	if !slices.Equal(retried, []string{"5", "6", "130"}) {
		t.Fatalf("docs/running.md has %v tried again", retried)
	}
	for _, name := range []string{"falloff-run@.service", "falloff-backup.service", "falloff-serve.service", "falloff-schedule.service"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		unit := settings(string(text))
		for key, want := range map[string]string{"User": "falloff", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "UMask": "0077", "CapabilityBoundingSet": ""} {
			if !slices.Equal(unit[key], []string{want}) {
				t.Errorf("%s: %s is %q", name, key, unit[key])
			}
		}
		if memory := strings.Join(unit["TemporaryFileSystem"], " "); !strings.Contains(memory, "/tmp:") || !strings.Contains(memory, "/var/tmp:") {
			t.Errorf("%s: what is temporary lies on a disk: %q", name, memory)
		}
		if name == "falloff-serve.service" || name == "falloff-schedule.service" {
			continue
		}
		for _, code := range retried {
			if slices.Contains(strings.Fields(strings.Join(unit["RestartPreventExitStatus"], " ")), code) {
				t.Errorf("%s does not try code %s again", name, code)
			}
		}
		if !slices.Equal(unit["RestartPreventExitStatus"], []string{"1 2 3 4 7"}) {
			t.Errorf("%s would try again what a person must mend: %q", name, unit["RestartPreventExitStatus"])
		}
		if len(unit["TimeoutStartSec"]) == 0 || len(unit["StartLimitBurst"]) == 0 {
			t.Errorf("%s has no deadline, or no end of trying", name)
		}
	}
}
