package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/image/font/sfnt"
)

// fontFiles are a file of each font that the program's reports have in them, which no module names: by the name that their owner gave
// them, and the file of the subset, which must not bear that name.
var fontFiles = []struct{ name, file string }{{"source-sans-3", "report-sans-400.ttf"}, {"source-serif-4", "report-serif-400.ttf"}}

// fonts are the parts that are fonts. The version, and whose they are, are in the files; the licence is beside them.
func (r *release) fonts() ([]part, error) {
	folder := filepath.Join(r.root, "warehouse", "report", "fonts")
	licence, err := os.ReadFile(filepath.Join(folder, "OFL.txt"))
	if err != nil {
		return nil, fmt.Errorf("reading the licence of the fonts: %w", err)
	}
	var out []part
	for _, f := range fontFiles {
		p := part{path: f.name, licence: recognised(string(licence))}
		if p.licence == "" {
			return nil, fmt.Errorf("the licence of the font %s is not known: read it, and have recognised know it, or do without the font", f.name)
		}
		body, err := os.ReadFile(filepath.Join(folder, f.file))
		if err != nil {
			return nil, fmt.Errorf("reading the font %s: %w", f.name, err)
		}
		parsed, err := sfnt.Parse(body)
		if err != nil {
			return nil, fmt.Errorf("reading the font %s: %w", f.name, err)
		}
		version, err := parsed.Name(nil, sfnt.NameIDVersion)
		if err != nil {
			return nil, fmt.Errorf("reading the version of the font %s: %w", f.name, err)
		}
		version, _, _ = strings.Cut(version, ";")
		p.version = strings.TrimPrefix(version, "Version ")
		whose, err := parsed.Name(nil, sfnt.NameIDCopyright)
		if err != nil {
			return nil, fmt.Errorf("reading whose the font %s is: %w", f.name, err)
		}
		p.texts = []string{whose, strings.TrimSpace(string(licence))}
		out = append(out, p)
	}
	return out, nil
}
