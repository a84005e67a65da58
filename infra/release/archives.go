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
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// pluginID is what Grafana calls the plugin: the one folder of its archive.
const pluginID = "falloff-falloff-datasource"

// packed is a file of an archive.
type packed struct {
	name string
	body []byte
	mode fs.FileMode
}

// programFiles are what lies in the program's archive.
func (r *release) programFiles(beside map[string][]byte) ([]packed, error) {
	out := []packed{
		{"THIRD-PARTY-LICENSES.txt", beside[r.name("licenses.txt")], 0o644},
		{"sbom.cdx.json", beside[r.name("sbom.cdx.json")], 0o644},
	}
	for _, f := range []struct {
		from, name string
		mode       fs.FileMode
	}{{r.binary, "falloff", 0o755}, {filepath.Join(r.root, "LICENSE"), "LICENSE", 0o644}, {filepath.Join(r.root, "README.md"), "README.md", 0o644}} {
		body, err := os.ReadFile(f.from)
		if err != nil {
			return nil, fmt.Errorf("reading what goes into the archive: %w", err)
		}
		out = append(out, packed{f.name, body, f.mode})
	}
	for _, folder := range []string{"docs", "infra/systemd"} {
		err := filepath.WalkDir(filepath.Join(r.root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) == ".go" {
				return err
			}
			body, err := os.ReadFile(path)
			name, _ := filepath.Rel(r.root, path)
			out = append(out, packed{filepath.ToSlash(name), body, 0o644})
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("reading what goes into the archive: %w", err)
		}
	}
	return out, nil
}

// pluginFiles are the plugin's, and the paths of its executables. A plugin that could not be signed is refused.
func (r *release) pluginFiles() (files []packed, executables []string, err error) {
	err = filepath.WalkDir(r.plugin, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(r.plugin, path)
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(filepath.Base(path), "gpx_") {
			mode = 0o755
			executables = append(executables, path)
		}
		files = append(files, packed{filepath.ToSlash(name), body, mode})
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("reading the plugin, which make plugin builds: %w", err)
	}
	has := func(name string) []byte {
		if i := slices.IndexFunc(files, func(f packed) bool { return f.name == name }); i >= 0 {
			return files[i].body
		}
		return nil
	}
	var says struct {
		ID, Executable string
		Backend        bool
		Info           struct{ Version, Updated string }
	}
	if err := json.Unmarshal(has("plugin.json"), &says); err != nil {
		return nil, nil, fmt.Errorf("reading the plugin's plugin.json: %w", err)
	}
	switch {
	case says.ID != pluginID:
		err = fmt.Errorf("the plugin is called %q", says.ID)
	case says.Info.Version != r.version:
		err = fmt.Errorf("the plugin's version is %s, the release's %s: grafana-plugin/package.json says it", says.Info.Version, r.version)
	case strings.Contains(says.Info.Updated, "%") || says.Info.Updated == "":
		err = errors.New("the plugin's plugin.json was not filled in: npm run build does it")
	case len(executables) == 0:
		err = errors.New("the plugin has no backend: infra/setup/build-plugin-backend.sh builds it")
	case has("MANIFEST.txt") != nil:
		err = errors.New("the plugin has a signature already, which would not fit the archive")
	}
	for _, name := range []string{"module.js", "README.md", "CHANGELOG.md", "LICENSE"} {
		if has(name) == nil && err == nil {
			err = fmt.Errorf("the plugin has no %s, without which it cannot be signed", name)
		}
	}
	return files, executables, err
}

func sorted(files []packed) []packed {
	return slices.SortedFunc(slices.Values(files), func(a, b packed) int { return strings.Compare(a.name, b.name) })
}

func tarball(folder string, files []packed, at time.Time) ([]byte, error) {
	var out bytes.Buffer
	gz, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(gz)
	for _, f := range sorted(files) {
		h := &tar.Header{Name: folder + "/" + f.name, Mode: int64(f.mode), Size: int64(len(f.body)), ModTime: at, Format: tar.FormatPAX}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("packing %s: %w", f.name, err)
		}
		if _, err := w.Write(f.body); err != nil {
			return nil, fmt.Errorf("packing %s: %w", f.name, err)
		}
	}
	if err := errors.Join(w.Close(), gz.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func zipped(folder string, files []packed, at time.Time) ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range sorted(files) {
		h := &zip.FileHeader{Name: folder + "/" + f.name, Method: zip.Deflate, Modified: at}
		h.SetMode(f.mode)
		file, err := w.CreateHeader(h)
		if err == nil {
			_, err = file.Write(f.body)
		}
		if err != nil {
			return nil, fmt.Errorf("packing %s: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// checksums are as sha256sum --check reads them.
func checksums(files map[string][]byte) []byte {
	var out bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&out, "%x  %s\n", sha256.Sum256(files[name]), name)
	}
	return out.Bytes()
}
