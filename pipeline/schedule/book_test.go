package schedule_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/schedule"
	"github.com/falloff-analytics/falloff/pipeline/unit"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

func TestBookInALake(t *testing.T) {
	t.Parallel()
	barred := errors.New("deleted")
	book := schedule.InLake(&storetest.Memory{}, func(_ context.Context, id lake.ClinicID) error {
		if id == "gone" {
			return barred
		}
		return nil
	})
	ctx := t.Context()
	s, version, err := book.Read(ctx, "a")
	if err != nil || version != 0 || s.Tasks != nil {
		t.Fatalf("of a new clinic: %+v, %d, %v", s, version, err)
	}
	due := time.Date(2026, 3, 1, 3, 15, 0, 0, time.UTC)
	s.Tasks = map[schedule.Task]schedule.Progress{schedule.Run: {Due: due, Attempts: 2, Last: &unit.Outcome{Exit: 5, Cause: "network"}}}
	if _, err = book.Swap(ctx, "a", version, s); err != nil {
		t.Fatal(err)
	}
	if _, err := book.Swap(ctx, "a", version, s); !errors.Is(err, lake.ErrOvertaken) {
		t.Errorf("a second one who writes the same: %v", err)
	}
	s, version, err = book.Read(ctx, "a")
	if p := s.Tasks[schedule.Run]; err != nil || version != 1 || !p.Due.Equal(due) || p.Attempts != 2 || p.Last.Cause != "network" {
		t.Errorf("%+v, %d, %v", s, version, err)
	}
	if _, err := book.Swap(ctx, "gone", 0, s); !errors.Is(err, barred) {
		t.Errorf("of a clinic that was deleted something is written: %v", err)
	}
	if _, _, err := book.Read(ctx, "../x"); err == nil {
		t.Error("no clinic's name is taken")
	}
}
