// Command release puts together what is given to others, from programs and a plugin that were built before:
//
//	release --version 0.1.0 --binary bin/falloff --plugin grafana-plugin/dist --out dist
//
// It writes an archive of the program for this platform, the plugin in the layout that signing it takes, the list of parts (SBOM) as
// CycloneDX, the licences of all parts, and SHA256SUMS over these. The same input gives the same bytes. A part whose licence is not
// known, or asks for more than keeping its text, ends it: nobody should find that out afterwards.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// release is what goes into one.
type release struct {
	// root is the repository, version what the archives are named after.
	root, version string
	// binary is the program, plugin the folder that the plugin was built into; goos and goarch what the program was built for.
	binary, plugin string
	goos, goarch   string
	out            string
	// at dates everything in archives, so that they can be made again.
	at time.Time
}

func main() {
	var r release
	flag.StringVar(&r.root, "root", ".", "`folder` of the repository")
	flag.StringVar(&r.version, "version", "", "`version`, such as 0.1.0")
	flag.StringVar(&r.binary, "binary", "bin/falloff", "the built program")
	flag.StringVar(&r.plugin, "plugin", "grafana-plugin/dist", "`folder` of the built plugin")
	flag.StringVar(&r.out, "out", "dist", "`folder` to write to")
	flag.Parse()
	r.at = time.Unix(0, 0).UTC()
	if epoch, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		r.at = time.Unix(epoch, 0).UTC()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := r.make(ctx)
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

var versions = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$`)

// make writes everything. What was in the folder from an earlier release of the same version is replaced.
func (r *release) make(ctx context.Context) error {
	if !versions.MatchString(r.version) {
		return fmt.Errorf("--version %q: write it like 0.1.0", r.version)
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return fmt.Errorf("making the folder: %w", err)
	}
	pluginFiles, executables, err := r.pluginFiles()
	if err != nil {
		return err
	}
	programs := append([]string{r.binary}, executables...)
	parts, err := r.parts(ctx, programs)
	if err != nil {
		return err
	}
	written := map[string][]byte{}
	if written[r.name("licenses.txt")], err = licences(parts); err != nil {
		return err
	}
	if written[r.name("sbom.cdx.json")], err = r.billOfMaterials(parts); err != nil {
		return err
	}
	programFiles, err := r.programFiles(written)
	if err != nil {
		return err
	}
	if written[r.name(r.goos+"_"+r.goarch+".tar.gz")], err = tarball(r.name(r.goos+"_"+r.goarch), programFiles, r.at); err != nil {
		return err
	}
	pluginFiles = append(pluginFiles, packed{"THIRD-PARTY-LICENSES.txt", written[r.name("licenses.txt")], 0o644})
	if written[pluginID+"-"+r.version+".zip"], err = zipped(pluginID, pluginFiles, r.at); err != nil {
		return err
	}
	written["SHA256SUMS"] = checksums(written)
	var failed []error
	for name, body := range written {
		failed = append(failed, os.WriteFile(filepath.Join(r.out, name), body, 0o644)) //nolint:gosec // they are for everybody
	}
	return errors.Join(failed...)
}

func (r *release) name(what string) string { return "falloff_" + r.version + "_" + what }
