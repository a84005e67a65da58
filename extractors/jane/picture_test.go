package jane_test

import (
	"bytes"
	"image/png"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/browser"
	"github.com/falloff-analytics/falloff/extractors/simclinic/canary"
	"github.com/falloff-analytics/falloff/extractors/simclinic/portal"
)

// mutated serves the clinic through the mutation of that name.
func mutated(t *testing.T, name string) (*portal.Portal, string) {
	t.Helper()
	for _, m := range portal.Mutations() {
		if m.Name == name {
			return startPortal(t, portal.Options{Wrap: func(next http.Handler) http.Handler {
				handler, _ := m.Wrap(next)
				return handler
			}})
		}
	}
	t.Fatalf("there is no mutation %q", name)
	return nil, ""
}

// TestPictures takes a picture of a page that has changed, and of one that hangs: in shapes, with nobody on it.
func TestPictures(t *testing.T) {
	t.Parallel()
	search, err := canary.New([]string{canaryName})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		start func(t *testing.T) (*portal.Portal, string)
		cause extractors.Cause
		shows string
	}{
		{"changed", func(t *testing.T) (*portal.Portal, string) { return mutated(t, "labels of the dates swapped") }, extractors.PageChanged, "[data-role="},
		{"hangs", func(t *testing.T) (*portal.Portal, string) {
			p, url := startPortal(t, portal.Options{})
			p.HangPages(1000)
			return p, url
		}, extractors.BrowserCrashed, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, url := test.start(t)
			cfg := config(url)
			cfg.Orders = orders("claims")
			cfg.Timeouts.Answer, cfg.Timeouts.Element = 6*time.Second, 15*time.Second
			var taken []browser.Snapshot
			cfg.Snapshot = func(s browser.Snapshot) (string, error) {
				taken = append(taken, s)
				return "pictures/one.png", nil
			}
			_, _, err := read(t, cfg)
			failure := wantCause(t, err, test.cause)
			if len(taken) == 0 || !strings.Contains(failure.Hint, "pictures/one.png") {
				t.Fatalf("%d pictures were taken, and the failure says %v", len(taken), failure)
			}
			for _, s := range taken {
				picture, err := png.Decode(bytes.NewReader(s.PNG))
				if err != nil || picture.Bounds().Empty() {
					t.Errorf("no picture: %v", err)
				}
				if len(s.Skeleton) == 0 || !bytes.Contains(s.Skeleton, []byte(test.shows)) {
					t.Errorf("the skeleton lacks %q:\n%s", test.shows, s.Skeleton)
				}
				if hits := search.Bytes(append(bytes.Clone(s.PNG), s.Skeleton...)); len(hits) > 0 {
					t.Errorf("the picture holds %v", hits)
				}
			}
		})
	}
}
