package lake_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// TestEarlierCommitsAreUnderstoodWhole reads the commits that an earlier state of this program wrote: no field of them is passed over,
// as one that was given another name would be without a word.
func TestEarlierCommitsAreUnderstoodWhole(t *testing.T) {
	t.Parallel()
	file, err := os.Open("../../pipeline/cmd/falloff/testdata/earlier/lakes.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for archive := tar.NewReader(unpacked); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(h.Name, "open/clinic=open/commits/") || !strings.HasSuffix(h.Name, ".json") {
			continue
		}
		read++
		var commit lake.Commit
		d := json.NewDecoder(archive)
		d.DisallowUnknownFields()
		if err := d.Decode(&commit); err != nil {
			t.Errorf("%s: %v", h.Name, err)
		}
	}
	if read < 6 {
		t.Errorf("%d commits were read", read)
	}
}
