package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const manifest = `{"id": "falloff-falloff-datasource", "backend": true, "executable": "gpx_falloff", "info": {"version": "1.2.3", "updated": "2026-11-26"}}`

// newRelease has this test's own program in the place of falloff and of the plugin's backend.
func newRelease(t *testing.T) *release {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	plugin := t.TempDir()
	for name, body := range map[string][]byte{
		"plugin.json": []byte(manifest), "module.js": []byte("x"), "README.md": []byte("x"), "CHANGELOG.md": []byte("x"), "LICENSE": []byte("x"), "gpx_falloff_linux_amd64": program,
	} {
		if err := os.WriteFile(filepath.Join(plugin, name), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &release{root: "../..", version: "1.2.3", binary: self, plugin: plugin, out: t.TempDir(), at: time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)}
}

func get(t *testing.T, r *release, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(r.out, name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestARelease(t *testing.T) {
	r := newRelease(t)
	if err := r.make(t.Context()); err != nil {
		t.Fatal(err)
	}

	sums := string(get(t, r, "SHA256SUMS"))
	if strings.Count(sums, "\n") != 4 {
		t.Errorf("sums:\n%s", sums)
	}
	for line := range strings.Lines(sums) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if is := fmt.Sprintf("%x", sha256.Sum256(get(t, r, name))); is != sum {
			t.Errorf("%s has the sum %s, and SHA256SUMS says %s", name, is, sum)
		}
	}

	var bom struct {
		BomFormat, SpecVersion string
		Components             []struct {
			Name, Version, Purl string
			Licenses            []struct{ License struct{ ID string } }
		}
	}
	if err := json.Unmarshal(get(t, r, "falloff_1.2.3_sbom.cdx.json"), &bom); err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, c := range bom.Components {
		named[c.Name] = true
		if c.Version == "" || c.Purl == "" || len(c.Licenses) != 1 || c.Licenses[0].License.ID == "" {
			t.Errorf("the list of parts says little of %+v", c)
		}
	}
	// What this program is linked from, the library of Go, and the fonts of reports.
	if bom.BomFormat != "CycloneDX" || !named["github.com/CycloneDX/cyclonedx-go"] || !named["std"] || !named["source-sans-3"] {
		t.Errorf("the list of parts is %s %s of %v", bom.BomFormat, bom.SpecVersion, named)
	}
	licences := string(get(t, r, "falloff_1.2.3_licenses.txt"))
	if !strings.Contains(licences, "github.com/CycloneDX/cyclonedx-go") || !strings.Contains(licences, "Apache License") || !strings.Contains(licences, "The Go Authors") {
		t.Error("the licences are not whole")
	}
	for _, whole := range []string{"\nsource-serif-4 ", "\nsource-sans-3\nsource-serif-4\n\n", "Reserved Font Name ‘Source’", "SIL OPEN FONT LICENSE Version 1.1"} {
		if !strings.Contains(licences, whole) {
			t.Errorf("the licences of the fonts lack %q", whole)
		}
	}

	gz, err := gzip.NewReader(bytes.NewReader(get(t, r, "falloff_1.2.3_"+r.goos+"_"+r.goarch+".tar.gz")))
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]int64{}
	for archive := tar.NewReader(gz); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		modes[strings.TrimPrefix(h.Name, "falloff_1.2.3_"+r.goos+"_"+r.goarch+"/")] = h.Mode
		if h.Uid != 0 || h.Uname != "" || !h.ModTime.Equal(r.at) {
			t.Errorf("%s tells of this machine: %+v", h.Name, h)
		}
	}
	for name, mode := range map[string]int64{"falloff": 0o755, "LICENSE": 0o644, "README.md": 0o644, "docs/running.md": 0o644, "docs/not-claimed.md": 0o644, "THIRD-PARTY-LICENSES.txt": 0o644, "sbom.cdx.json": 0o644, "infra/systemd/falloff-run@.service": 0o644} {
		if modes[name] != mode {
			t.Errorf("%s has the mode %o in the archive", name, modes[name])
		}
	}

	body := get(t, r, "falloff-falloff-datasource-1.2.3.zip")
	archive, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	executable := false
	for _, f := range archive.File {
		if !strings.HasPrefix(f.Name, pluginID+"/") {
			t.Errorf("%s is not in the plugin's folder", f.Name)
		}
		executable = executable || strings.HasSuffix(f.Name, "/gpx_falloff_linux_amd64") && f.Mode().Perm() == 0o755
	}
	if !executable {
		t.Error("the plugin's backend cannot be executed")
	}

	// The same again is the same.
	again := newRelease(t)
	if err := again.make(t.Context()); err != nil {
		t.Fatal(err)
	}
	if string(get(t, again, "SHA256SUMS")) != sums {
		t.Error("the same release has other sums")
	}
}

func TestWhatCannotBeReleased(t *testing.T) {
	for name, breaks := range map[string]func(t *testing.T, r *release) error{
		"write it like 0.1.0": func(_ *testing.T, r *release) error { r.version = "next"; return nil },
		"the release's 2.0.0": func(_ *testing.T, r *release) error { r.version = "2.0.0"; return nil },
		"has no CHANGELOG.md": func(_ *testing.T, r *release) error { return os.Remove(filepath.Join(r.plugin, "CHANGELOG.md")) },
		"no backend": func(_ *testing.T, r *release) error {
			return os.Remove(filepath.Join(r.plugin, "gpx_falloff_linux_amd64"))
		},
		"a signature already": func(_ *testing.T, r *release) error {
			return os.WriteFile(filepath.Join(r.plugin, "MANIFEST.txt"), nil, 0o600)
		},
		"was not filled in": func(_ *testing.T, r *release) error {
			return os.WriteFile(filepath.Join(r.plugin, "plugin.json"), []byte(strings.Replace(manifest, "2026-11-26", "%TODAY%", 1)), 0o600)
		},
		"what LICENSE is made of": func(_ *testing.T, r *release) error { r.binary = "LICENSE"; return nil },
	} {
		r := newRelease(t)
		if err := breaks(t, r); err != nil {
			t.Fatal(err)
		}
		if err := r.make(t.Context()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: %v", name, err)
		}
		if left, _ := filepath.Glob(filepath.Join(r.out, "*")); len(left) > 0 {
			t.Errorf("%q: written was %v", name, left)
		}
	}
}

func TestLicencesAreRecognised(t *testing.T) {
	for text, want := range map[string]string{
		"Apache License\n  Version 2.0, January 2004": "Apache-2.0",
		"Permission is hereby granted, free of charge, to any person … The above copyright\nnotice and this permission notice shall be included": "MIT",
		"Redistribution and use in source and binary forms … Neither the name of":                                                                "BSD-3-Clause",
		"Redistribution and use in source and binary forms, with or without":                                                                     "BSD-2-Clause",
		"Mozilla Public License Version 2.0":                                                                                                     "MPL-2.0",
		"Creative Commons Attribution 4.0 International Public License":                                                                          "CC-BY-4.0",
		"Creative Commons Attribution-ShareAlike 4.0 International Public License":                                                               "",
		"This Font Software is licensed under the SIL Open Font License, Version 1.1.":                                                           "OFL-1.1",
		"GNU GENERAL PUBLIC LICENSE Version 3":                                                                                                   "",
		"GNU AFFERO GENERAL PUBLIC LICENSE":                                                                                                      "",
		"All rights reserved. You may not copy this.":                                                                                            "",
	} {
		if is := recognised(text); is != want {
			t.Errorf("%q is taken for %q", text, is)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "LICENSE"), []byte("GNU AFFERO GENERAL PUBLIC LICENSE"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&part{path: "example.com/module"}).read(dir); err == nil || !strings.Contains(err.Error(), "is not known") {
		t.Errorf("a licence that asks for more: %v", err)
	}
}
