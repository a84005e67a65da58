package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/CycloneDX/cyclonedx-go"
)

// part is something that a program is made of.
type part struct {
	path, version string
	// licence is its SPDX name, texts its licence's and notice's files.
	licence string
	texts   []string
}

// parts are the modules that the programs were really linked from, with the platform of the first program; the Go library and DuckDB,
// which no module names, come last, and the fonts after them.
func (r *release) parts(ctx context.Context, programs []string) ([]part, error) {
	found := map[string]string{}
	goVersion := ""
	for i, program := range programs {
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			return nil, fmt.Errorf("reading what %s is made of: %w", program, err)
		}
		goVersion = strings.TrimPrefix(info.GoVersion, "go")
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			found[m.Path] = m.Version
		}
		for _, s := range info.Settings {
			switch {
			case i == 0 && s.Key == "GOOS":
				r.goos = s.Value
			case i == 0 && s.Key == "GOARCH":
				r.goarch = s.Value
			}
		}
	}
	dirs, err := r.folders(ctx, found)
	if err != nil {
		return nil, err
	}
	var out []part
	for _, path := range slices.Sorted(maps.Keys(found)) {
		p := part{path: path, version: found[path]}
		if err := p.read(dirs[path]); err != nil {
			return nil, err
		}
		out = append(out, p)
		// The driver's number holds the number of the DuckDB that is linked in with it: v2.10506.0 is 1.5.6.
		if number := regexp.MustCompile(`^v2\.(\d+)(\d\d)(\d\d)\.`).FindStringSubmatch(p.version); path == "github.com/duckdb/duckdb-go/v2" && number != nil {
			version := strings.Join([]string{number[1], strings.TrimLeft(number[2], "0"), strings.TrimLeft(number[3], "0")}, ".")
			out = append(out, part{path: "duckdb", version: version, licence: "MIT", texts: p.texts})
		}
	}
	library := part{path: "std", version: goVersion}
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("asking where Go is: %w", err)
	}
	if err := library.read(strings.TrimSpace(string(root))); err != nil {
		return nil, err
	}
	fonts, err := r.fonts()
	if err != nil {
		return nil, err
	}
	return append(append(out, library), fonts...), nil
}

// folders asks Go where the modules lie.
func (r *release) folders(ctx context.Context, modules map[string]string) (map[string]string, error) {
	args := []string{"mod", "download", "-json"}
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		args = append(args, path+"@"+modules[path])
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Stderr = r.root, os.Stderr
	listed, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("looking for the modules' sources: %w", err)
	}
	out := map[string]string{}
	for decoder := json.NewDecoder(bytes.NewReader(listed)); ; {
		var m struct{ Path, Dir string }
		err := decoder.Decode(&m)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading where the modules' sources lie: %w", err)
		}
		out[m.Path] = m.Dir
	}
}

var licenceFile = regexp.MustCompile(`(?i)^(un)?licen[cs]e|^copying|^notice|^patents`)

// read finds the part's licence.
func (p *part) read(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("looking for the licence of %s: %w", p.path, err)
	}
	for _, e := range entries {
		if e.IsDir() || !licenceFile.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return fmt.Errorf("reading the licence of %s: %w", p.path, err)
		}
		p.texts = append(p.texts, strings.TrimSpace(string(text)))
		if p.licence == "" {
			p.licence = recognised(string(text))
		}
	}
	if p.licence == "" {
		return fmt.Errorf("the licence of %s %s is not known: read it, and have recognised know it, or do without the module", p.path, p.version)
	}
	return nil
}

// recognised is the SPDX name of a licence by its words; "" for one that asks for more than keeping its text, and for one not known.
func recognised(text string) string {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	has := func(words ...string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
	}
	switch {
	case has("sil open font license", "version 1.1"):
		return "OFL-1.1"
	case has("gnu") && has("general public license") && !has("mozilla public license"):
		return ""
	case has("apache license", "version 2.0"):
		return "Apache-2.0"
	case has("mozilla public license") && has("2.0"):
		return "MPL-2.0"
	case has("permission is hereby granted, free of charge", "the above copyright notice and this permission notice"):
		return "MIT"
	case has("permission to use, copy, modify, and/or distribute this software") || has("permission to use, copy, modify, and distribute this software for any purpose"):
		return "ISC"
	case has("redistribution and use in source and binary forms", "neither the name"), has("redistribution and use in source and binary forms", "may not be used to endorse"):
		return "BSD-3-Clause"
	case has("redistribution and use in source and binary forms"):
		return "BSD-2-Clause"
	case has("this is free and unencumbered software released into the public domain"):
		return "Unlicense"
	case has("cc0 1.0 universal"):
		return "CC0-1.0"
	case has("altered source versions must be plainly marked"):
		return "Zlib"
	case has("boost software license"):
		return "BSL-1.0"
	case has("creative commons attribution 4.0 international"):
		return "CC-BY-4.0" // the attribution is its line in the list of licences, beside its text
	}
	return ""
}

// licences is one text with all of them, each once, with the parts that it is of.
func licences(parts []part) ([]byte, error) {
	of := map[string][]string{}
	var order []string
	var out bytes.Buffer
	out.WriteString("What falloff is made of, and under which licences. falloff's own is in LICENSE.\n\n")
	for _, p := range parts {
		if len(p.texts) == 0 {
			return nil, fmt.Errorf("%s has no licence text", p.path)
		}
		fmt.Fprintf(&out, "%-60s %-45s %s\n", p.path, p.version, p.licence)
		for _, text := range p.texts {
			if of[text] == nil {
				order = append(order, text)
			}
			of[text] = append(of[text], p.path)
		}
	}
	for _, text := range order {
		fmt.Fprintf(&out, "\n%s\n%s\n\n%s\n", strings.Repeat("-", 80), strings.Join(of[text], "\n"), text)
	}
	return out.Bytes(), nil
}

// billOfMaterials is the list of parts, as CycloneDX has it.
func (r *release) billOfMaterials(parts []part) ([]byte, error) {
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{
		Timestamp: r.at.Format("2006-01-02T15:04:05Z"),
		Component: &cyclonedx.Component{
			Type: cyclonedx.ComponentTypeApplication, BOMRef: "falloff", Name: "falloff", Version: r.version,
			Licenses: &cyclonedx.Licenses{{License: &cyclonedx.License{ID: "Apache-2.0"}}},
		},
	}
	components := []cyclonedx.Component{}
	refs := []string{}
	for _, p := range parts {
		address := "pkg:golang/" + p.path + "@" + p.version
		switch {
		case p.path == "duckdb":
			address = "pkg:github/duckdb/duckdb@v" + p.version
		case p.licence == "OFL-1.1":
			address = "pkg:generic/" + p.path + "@" + p.version
		}
		components = append(components, cyclonedx.Component{
			Type: cyclonedx.ComponentTypeLibrary, BOMRef: address, Name: p.path, Version: p.version, PackageURL: address,
			Licenses: &cyclonedx.Licenses{{License: &cyclonedx.License{ID: p.licence}}},
		})
		refs = append(refs, address)
	}
	bom.Components = &components
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: "falloff", Dependencies: &refs}}
	var out bytes.Buffer
	if err := cyclonedx.NewBOMEncoder(&out, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(bom); err != nil {
		return nil, fmt.Errorf("writing the list of parts: %w", err)
	}
	return out.Bytes(), nil
}
