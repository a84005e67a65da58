package lake

import (
	"io/fs"
	"math/rand/v2"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

func TestCoverageIsTheNewestOfEachDay(t *testing.T) {
	const days = 20
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 9))
		var spans []span
		for range r.IntN(8) {
			from := int32(r.IntN(days))
			spans = append(spans, span{from: from, to: from + int32(r.IntN(days-int(from))), observed: int32(r.IntN(5))})
		}
		var got, other coverage
		for _, s := range spans {
			got = got.with(coverage{s})
		}
		for _, i := range r.Perm(len(spans)) {
			other = coverage{spans[i]}.with(other)
		}
		if !reflect.DeepEqual(got, other) {
			t.Fatalf("seed %d: %v in one order, %v in another", seed, got, other)
		}
		for day := int32(-1); day <= days; day++ {
			newest, covered := int32(0), false
			for _, s := range spans {
				if s.from <= day && day <= s.to {
					newest, covered = max(newest, s.observed), true
				}
			}
			if on, ok := got.at(day); ok != covered || on != newest {
				t.Fatalf("seed %d, day %d: %d %v, want %d %v", seed, day, on, ok, newest, covered)
			}
		}
		for i := 1; i < len(got); i++ {
			if got[i-1].to >= got[i].from || got[i-1].to+1 == got[i].from && got[i-1].observed == got[i].observed {
				t.Fatalf("seed %d: %v is not in its one form", seed, got)
			}
		}
	}
	undated := coverage{{from: noDay, to: noDay, observed: 3}}
	if got := undated.with(coverage{{from: noDay, to: noDay, observed: 5}}); len(got) != 1 || got[0].observed != 5 {
		t.Errorf("%v", got)
	}
}

func TestAFullOrReadOnlyDiskHasAHint(t *testing.T) {
	d := &Dir{root: "/lake"}
	for err, hint := range map[syscall.Errno]string{
		syscall.ENOSPC:  "disk is full",
		syscall.EDQUOT:  "disk is full",
		syscall.EROFS:   "read-only",
		syscall.ENOTSUP: "hard links",
	} {
		got := d.fail("create", "x", &fs.PathError{Op: "write", Path: "/lake/.tmp/x", Err: err})
		if !strings.Contains(got.Error(), hint) {
			t.Errorf("%v: %v", err, got)
		}
	}
}

func TestACoverReachesItsMonths(t *testing.T) {
	covers := coverage{{from: contract.DayOf(civil.Date{Year: 2025, Month: 11, Day: 30}), to: contract.DayOf(civil.Date{Year: 2026, Month: 2, Day: 1})}}
	for month, want := range map[string]bool{"2025-10": false, "2025-11": true, "2025-12": true, "2026-01": true, "2026-02": true, "2026-03": false, contract.Undated: false} {
		if got := covers.reaches(month); got != want {
			t.Errorf("%s: %v", month, got)
		}
	}
	if undated := (coverage{{from: noDay, to: noDay}}); !undated.reaches(contract.Undated) || undated.reaches("2026-01") {
		t.Error("a cover of rows without a day reaches those, and nothing else")
	}
}
