package lake_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// closeMonth publishes a month in one commit.
func closeMonth(t *testing.T, clinic *lake.Clinic, month, figures string) error {
	t.Helper()
	_, err := clinic.Update(t.Context(), lake.Close, func(ctx context.Context, tx *lake.Tx) error {
		return tx.CloseMonth(ctx, month, []byte(figures), lake.Closing{AsOf: date("2026-03-31"), Input: 1, Built: 1, By: "owner", At: noon()})
	})
	return err
}

func TestAClosedMonthSurvives(t *testing.T) {
	store, pass := aging()
	clinic := openClinic(t, store)
	mustUpsert(t, clinic, appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01")})
	if err := closeMonth(t, clinic, "2026-01", `{"visits":1}`); err != nil {
		t.Fatal(err)
	}
	if err := closeMonth(t, clinic, "2026-01", `{"visits":2}`); err == nil {
		t.Error("a month was closed twice")
	}
	for _, month := range []string{"", "2026-13", "undated", "2026-01/x"} {
		if err := closeMonth(t, clinic, month, "{}"); err == nil {
			t.Errorf("%q was taken for a month", month)
		}
	}
	restate := func(body []byte, compared string) {
		t.Helper()
		if _, err := clinic.Update(t.Context(), lake.Build, func(ctx context.Context, tx *lake.Tx) error {
			return tx.Restate(ctx, "2026-01", body, compared)
		}); err != nil {
			t.Fatal(err)
		}
	}
	restate([]byte(`["first"]`), "a")
	restate(nil, "b")
	// Whatever comes after, and whoever clears up, the month stands in the newest commit as it was closed.
	mustUpsert(t, clinic, appointments{Rows: visits("1/0 2026-01-05 arrived @2026-01-06")})
	pass(72 * time.Hour)
	mustUpsert(t, clinic, appointments{Rows: visits("2/0 2026-02-05 booked @2026-01-06")})
	clearUp(t, store, lake.GCOptions{Keep: &lake.Retention{Daily: 1, Monthly: 1}})
	newest := head(t, clinic)
	closing, ok := newest.Closed["2026-01"]
	if !ok || closing.By != "owner" || !closing.At.Equal(noon()) || closing.Compared != "b" || newest.Format != 3 {
		t.Errorf("%+v of a commit of format %d", closing, newest.Format)
	}
	snapshot := clinic.Snapshot(newest)
	if body, err := snapshot.Published(t.Context(), "2026-01"); err != nil || string(body) != `{"visits":1}` {
		t.Errorf("published %s, %v", body, err)
	}
	if body, err := snapshot.Restated(t.Context(), "2026-01"); err != nil || string(body) != `["first"]` {
		t.Errorf("restated %s, %v", body, err)
	}
	if _, err := snapshot.Published(t.Context(), "2026-02"); err == nil {
		t.Error("a month that is open has published figures")
	}
	if found, err := clinic.Verify(t.Context(), lake.VerifyOptions{All: true}); err != nil || len(found.Findings) > 0 {
		t.Errorf("%+v, %v", found, err)
	}
	replace(t, store, "clinic=harbour-street/"+closing.Path, []byte(`{"visits":9}`))
	if found, err := clinic.Verify(t.Context(), lake.VerifyOptions{}); err != nil || len(found.Findings) != 1 || found.Findings[0].Object != closing.Path {
		t.Errorf("changed figures were not found: %+v, %v", found, err)
	}
}

func TestCommitsCannotLeadClosingsElsewhere(t *testing.T) {
	clinic := newMemoryClinic(t)
	mustUpsert(t, clinic, appointments{Rows: visits("1/0 2026-01-05 booked @2026-01-01")})
	if err := closeMonth(t, clinic, "2026-01", "{}"); err != nil {
		t.Fatal(err)
	}
	good := *head(t, clinic)
	for name, change := range map[string]func(c *lake.Closing){
		"another folder": func(c *lake.Closing) { c.Path = strings.Replace(c.Path, "closings/", "keys/", 1) },
		"another month":  func(c *lake.Closing) { c.Path = strings.Replace(c.Path, "2026-01", "2026-02", 1) },
		"restatements elsewhere": func(c *lake.Closing) {
			c.Restated = &lake.Object{Path: "settings/" + strings.Repeat("a", 52)}
		},
		"data of later":  func(c *lake.Closing) { c.Input = 7 },
		"no day":         func(c *lake.Closing) { c.AsOf.Month = 0 },
		"built by later": func(c *lake.Closing) { c.Built = 7 },
	} {
		c := good.Closed["2026-01"]
		change(&c)
		bad := good
		bad.Closed = map[string]lake.Closing{"2026-01": c}
		if _, err := lake.EncodeCommit(&bad); err == nil {
			t.Errorf("%s was let through", name)
		}
	}
}

func TestRetiredMonthsAreGoneFromTheNextCommit(t *testing.T) {
	store := new(storetest.Memory)
	clinic := openClinic(t, store)
	mustUpsert(t, clinic, appointments{
		Rows:   visits("1/0 2026-01-05 arrived @2026-03-01", "2/0 2026-01-09 arrived @2026-03-01", "3/0 2026-02-05 arrived @2026-03-01", "4/0 2026-02-06 arrived @2026-03-01"),
		Covers: []lake.Cover{cover("2026-01-01", "2026-02-28", "2026-03-01")},
	})
	// One of each month is gone from a later report: both are remembered as removed.
	mustUpsert(t, clinic, appointments{
		Rows:   visits("1/0 2026-01-05 arrived @2026-03-02", "3/0 2026-02-05 arrived @2026-03-02"),
		Covers: []lake.Cover{cover("2026-01-01", "2026-02-28", "2026-03-02")},
	})
	before := head(t, clinic)
	if removed := before.Datasets["appointments"].Removed; removed == nil || removed.Rows != 2 {
		t.Fatalf("removed %+v", removed)
	}
	retire := func(day string) ([]lake.Object, error) {
		var gone []lake.Object
		_, err := clinic.Update(t.Context(), lake.Retire, func(ctx context.Context, tx *lake.Tx) (err error) {
			gone, err = tx.RetireMonths(ctx, "appointments", date(day))
			return err
		})
		return gone, err
	}
	if _, err := retire("2026-02-02"); err == nil {
		t.Error("a month was cut in two")
	}
	gone, err := retire("2026-02-01")
	if err != nil || len(gone) != 1 || gone[0].Month != "2026-01" || gone[0].Rows != 1 {
		t.Fatalf("%+v, %v", gone, err)
	}
	after := head(t, clinic).Datasets["appointments"]
	if got := show(stored(t, clinic)); !slices.Equal(got, show(visits("3/0 2026-02-05 arrived @2026-03-01"))) {
		t.Errorf("left: %v", got)
	}
	if len(after.Covers) != 1 || after.Covers[0].From != date("2026-02-01") || after.Covers[0].To != date("2026-02-28") {
		t.Errorf("covers %+v", after.Covers)
	}
	if after.Removed == nil || after.Removed.Rows != 1 {
		t.Errorf("of January's removed units something is remembered: %+v", after.Removed)
	}
	if _, err := retire("2026-04-01"); err != nil {
		t.Fatal(err)
	}
	if d := head(t, clinic).Datasets["appointments"]; len(d.Objects)+len(d.Covers) > 0 || d.Removed != nil {
		t.Errorf("after all months: %+v", d)
	}
	if n := clinic.Snapshot(before).Commit().Datasets["appointments"].Rows(); n != 2 {
		t.Errorf("the snapshot before has %d rows", n)
	}
	if found, err := clinic.Verify(t.Context(), lake.VerifyOptions{All: true}); err != nil || len(found.Findings) > 0 {
		t.Errorf("%+v, %v", found, err)
	}
}
