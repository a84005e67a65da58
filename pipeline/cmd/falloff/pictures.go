package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/falloff-analytics/falloff/extractors/browser"
	"github.com/falloff-analytics/falloff/extractors/jane"
)

// pictures keeps how pages looked that were not as the profile describes them, in shapes: every letter an x, every digit a 9.
type pictures struct {
	dir   string
	begun string
	count int
}

func snapshotsFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "snapshots", "", "`folder` for pictures of pages that are not as they should be, letters and digits replaced by their shapes (default: none are taken)")
}

// picturesIn gives nil, which keeps nothing, where no folder is named.
func (a *app) picturesIn(dir string) (*pictures, error) {
	if dir == "" {
		return nil, nil //nolint:nilnil // no folder named: no picture is taken
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, usagef("--snapshots: %v. Name a folder that can be written to", err)
	}
	return &pictures{dir: dir, begun: a.now().UTC().Format("20060102T150405Z")}, nil
}

// taking has a configuration's pictures kept.
func (p *pictures) taking(config *jane.Config) {
	if p != nil {
		config.Snapshot = p.keep
	}
}

// keep writes one, and says where: for nobody else to read, in files that were not there before.
func (p *pictures) keep(s browser.Snapshot) (string, error) {
	for {
		p.count++
		name := filepath.Join(p.dir, fmt.Sprintf("falloff-%s-%02d", p.begun, p.count))
		err := writeNew(name+".png", s.PNG)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err == nil {
			err = writeNew(name+".txt", s.Skeleton)
		}
		return name + ".png, its elements in " + filepath.Base(name) + ".txt", err
	}
}

func writeNew(path string, body []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(body)
	return errors.Join(err, file.Close())
}
