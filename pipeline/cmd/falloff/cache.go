package main

import (
	"os"
	"path/filepath"
	"time"

	"github.com/docker/go-units"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/warehouse/lake/diskcache"
)

// defaultCacheSize holds some ten years of a large clinic.
const defaultCacheSize = "2GiB"

// cache is where this machine keeps what it reads of a distant lake. Of a lake that is a folder nothing is kept; the cache is there
// all the same, for deletion. Where nobody named a folder and the user has none for caches, there is none.
func (a *app) cache(lake string) (*diskcache.Cache, error) {
	text := firstOf(a.flags.CacheSize, a.file.CacheSize, defaultCacheSize)
	limit, err := units.RAMInBytes(text)
	if err != nil || limit < 0 {
		return nil, usagef("--cache-size %q is no number of bytes: say 500MB, 2GiB, or 0 to keep nothing", text)
	}
	folder := firstOf(a.flags.CacheDir, a.file.CacheDir)
	named := folder != ""
	if !named {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, nil //nolint:nilnil,nilerr // no cache
		}
		folder = filepath.Join(base, "falloff")
	}
	now := a.now
	if now == nil {
		now = time.Now
	}
	c := diskcache.New(folder, limit, now)
	if _, local := pipeline.LocalFolder(lake); named && !local && c.Keeps() {
		if err := c.Make(); err != nil {
			return nil, usagef("%v. Name one that can be written to with --cache-dir, or keep nothing with --cache-size 0", err)
		}
	}
	return c, nil
}
