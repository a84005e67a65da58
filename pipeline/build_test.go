package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/warehouse/models"
)

func mustBuild(t *testing.T, s *Site, o BuildOptions) *Built {
	t.Helper()
	o.Threads = 1
	built, err := s.Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return built
}

// TestABuildOfChangesIsAFullBuild builds night after night over a clinic whose rows come late, are deleted, moved, renumbered, reversed
// and paid, whose months are closed, and which is looked at on other days and in parts. After each build, making every mart again must
// give the very same objects, and so no commit.
func TestABuildOfChangesIsAFullBuild(t *testing.T) {
	t.Parallel()
	seeds, nightsEach := uint64(1), 5
	if os.Getenv("FALLOFF_LONG") != "" {
		seeds, nightsEach = 40, 12
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			n := newNights(t, seed)
			n.read(t, simFirst)
			chance := rand.New(rand.NewPCG(seed, 7))
			names, err := models.Select(nil)
			if err != nil {
				t.Fatal(err)
			}
			kept := 0
			for night := range nightsEach {
				asOf := civil.Date{}
				switch chance.IntN(4) {
				case 0: // only the data changes
					asOf = simLast
				case 1:
					asOf = simLast.AddDays(-chance.IntN(60))
				}
				if chance.IntN(4) > 0 {
					n.portal.day = n.portal.day.AddDays(1)
					n.portal.world = n.portal.world.tomorrow(chance, n.portal.day)
					n.read(t, civil.Date{})
				}
				if chance.IntN(2) == 0 {
					mustBuild(t, n.clinic, BuildOptions{AsOf: asOf, Select: []string{names[chance.IntN(len(names))], names[chance.IntN(len(names))] + "+"}})
				}
				built := mustBuild(t, n.clinic, BuildOptions{AsOf: asOf})
				if len(built.Marts) != len(names) || len(built.Behind) > 0 {
					t.Fatalf("night %d: %d of %d marts are there, %v are behind", night, len(built.Marts), len(names), built.Behind)
				}
				kept += len(names) - len(built.Made)
				if again := mustBuild(t, n.clinic, BuildOptions{AsOf: asOf}); len(again.Made) > 0 || again.Commit != built.Commit {
					t.Errorf("night %d: building again made %v, commit %d after %d", night, again.Made, again.Commit, built.Commit)
				}
				full := mustBuild(t, n.clinic, BuildOptions{AsOf: asOf, Full: true})
				if !slices.Equal(full.Made, names) {
					t.Errorf("night %d: a full build made %v", night, full.Made)
				}
				if full.Commit != built.Commit {
					before, _ := n.clinic.Clinic.At(t.Context(), built.Commit)
					after, _ := n.clinic.Clinic.At(t.Context(), full.Commit)
					for name, m := range after.Marts {
						if was := before.Marts[name]; was.Path != m.Path {
							t.Errorf("night %d: the mart %s is another one in a full build; the build made %v", night, name, built.Made)
						}
					}
				}
				if chance.IntN(2) == 0 {
					n.closeAnyMonth(t)
				}
			}
			if kept == 0 {
				t.Error("no build kept a mart: nothing was shown")
			}
		})
	}
}

// closeAnyMonth closes the first month that can be.
func (n *nights) closeAnyMonth(t *testing.T) {
	t.Helper()
	for month := simFirst; month.Before(n.portal.day); month = month.AddDays(28) {
		if _, err := n.clinic.CloseMonth(t.Context(), CloseOptions{Month: monthOf(month), By: "Tess Tester"}); err == nil {
			return
		}
	}
}

// TestKnownAt builds marts as they were known at an earlier time: what was committed since changes no byte of them.
func TestKnownAt(t *testing.T) {
	t.Parallel()
	n := newNights(t, 3)
	n.read(t, simFirst)
	chance := rand.New(rand.NewPCG(3, 3))
	night := func() {
		n.portal.day = n.portal.day.AddDays(1)
		n.portal.world = n.portal.world.tomorrow(chance, n.portal.day)
		n.read(t, civil.Date{})
	}
	night()
	built := mustBuild(t, n.clinic, BuildOptions{AsOf: simLast})
	then := n.head(t)
	write := func(name string, at time.Time) string {
		out := filepath.Join(t.TempDir(), name)
		if _, err := n.clinic.BuildTo(t.Context(), BuildOptions{AsOf: simLast, Threads: 1}, at, out, func(int64, civil.Date) error { return nil }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	before := write("before", time.Time{})
	for range 4 {
		night()
	}
	if n.head(t).CreatedAt.Equal(then.CreatedAt) {
		t.Fatal("no time has passed: nothing is shown")
	}
	now, past := write("now", time.Time{}), write("past", then.CreatedAt)
	changed := 0
	for name := range built.Marts {
		read := func(folder string) []byte {
			body, err := os.ReadFile(filepath.Join(folder, "marts", name+".parquet"))
			if err != nil {
				t.Fatal(err)
			}
			return body
		}
		was := read(before)
		if !bytes.Equal(was, read(past)) {
			t.Errorf("%s as it was known then is not what it was", name)
		}
		if !bytes.Equal(was, read(now)) {
			changed++
		}
	}
	if changed == 0 {
		t.Error("what came since changed no mart: nothing is shown")
	}
	if head := n.head(t); head.Marts["leak_ledger"].Input != built.Input {
		t.Error("marts for a folder have taken the place of the lake's")
	}
	if _, err := n.clinic.knownAt(context.Background(), then.CreatedAt.Add(-24*365*time.Hour)); err == nil {
		t.Error("something was known before there was a commit")
	}
}
