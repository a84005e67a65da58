package iceberg

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/apache/iceberg-go/table"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// versionDigits makes the names of files that belong to a version sort by it.
const versionDigits = 8

const hintName = "version-hint.text"

func versionName(version int) string { return fmt.Sprintf("v%d.metadata.json", version) }

var (
	metadataName = regexp.MustCompile(`^v([1-9][0-9]{0,8})\.metadata\.json$`)
	ownFile      = regexp.MustCompile(`^([0-9]{8})-[a-z0-9]+-[0-9]+-(manifest|list)\.avro$`)
)

// stored is what lies in a table's folder.
type stored struct {
	versions []int    // of metadata, in no order
	others   []string // names of manifests and lists
	newest   int      // 0 where there is no metadata
	hinted   bool
}

// look lists a table's folder, by names relative to it.
func look(ctx context.Context, store lake.Store, at string) (stored, error) {
	var s stored
	prefix := at + "/metadata/"
	for name, err := range store.List(ctx, prefix, "") {
		if err != nil {
			return s, err
		}
		name = strings.TrimPrefix(name, prefix)
		if found := metadataName.FindStringSubmatch(name); found != nil {
			v, err := strconv.Atoi(found[1])
			if err != nil {
				continue
			}
			s.versions = append(s.versions, v)
			s.newest = max(s.newest, v)
			continue
		}
		s.hinted = s.hinted || name == hintName
		s.others = append(s.others, name)
	}
	return s, nil
}

// metadata reads one version of a table.
func metadata(ctx context.Context, store lake.Store, at string, version int) (table.Metadata, error) {
	body, err := store.Get(ctx, at+"/metadata/"+versionName(version))
	if err != nil {
		return nil, err
	}
	meta, err := table.ParseMetadataBytes(body)
	if err != nil {
		return nil, fmt.Errorf("version %d: %w", version, err)
	}
	return meta, nil
}

// hint says which version is recent. A reader that finds an older one looks for newer ones from there, and one that finds none
// lists the folder: so it may be replaced in two steps, and that may fail.
func hint(ctx context.Context, store lake.Store, at string, version int) error {
	name := at + "/metadata/" + hintName
	if err := store.Delete(ctx, name); err != nil {
		return err
	}
	if err := store.Create(ctx, name, []byte(strconv.Itoa(version))); err != nil && !errors.Is(err, lake.ErrExists) {
		return err
	}
	return nil
}

// prune removes versions that were overtaken long ago.
func prune(ctx context.Context, store lake.Store, at string, s stored, newest int) error {
	for _, v := range s.versions {
		if v <= newest-keptVersions {
			if err := store.Delete(ctx, at+"/metadata/"+versionName(v)); err != nil {
				return err
			}
		}
	}
	return nil
}
