package pipeline

import (
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/pipeline/notify"
)

// What is told of a clinic follows from how it stands, by the rules that are on, and holds words and days.
func TestNoticesFollowTheState(t *testing.T) {
	t.Parallel()
	n := newNights(t, 3)
	var err error
	if n.clinic.Vault, err = OpenVault(t.Context(), SiteOptions{ConfigDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	told := func(rules notify.Rules) map[notify.Kind]notify.Event {
		t.Helper()
		events, _, err := n.clinic.Notices(t.Context(), rules, &notify.State{})
		if err != nil {
			t.Fatal(err)
		}
		out := map[notify.Kind]notify.Event{}
		for _, e := range events {
			out[e.Kind] = e
		}
		return out
	}
	everything := notify.Rules{NeedsPerson: true, StaleAfter: 36 * time.Hour, Falloff: true}
	n.read(t, simFirst)
	day := n.portal.day

	// The day that is shown ends at the clinic's midnight, and 36 hours later it is old.
	head, err := n.clinic.Clinic.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	zone, err := n.clinic.zoneOf(t.Context(), head)
	if err != nil {
		t.Fatal(err)
	}
	ends := day.AddDays(1).In(zone)
	at := ends.Add(36 * time.Hour)
	n.clinic.now = func() time.Time { return at }
	if events := told(everything); len(events) > 0 {
		t.Errorf("36 hours after it ended: %+v", events)
	}
	at = at.Add(time.Second)
	if e := told(everything)[notify.StaleData]; e.AsOf != day || !e.Since.Equal(ends) {
		t.Errorf("a second later: %+v", e)
	}
	if _, ok := told(notify.Rules{NeedsPerson: true})[notify.StaleData]; ok {
		t.Error("it is told though nobody asked for it")
	}

	// What needs a person is told by its cause; what is to be tried again is nobody's.
	for cause, want := range map[extractors.Cause]string{extractors.PageChanged: "needs a person/page_changed", extractors.Network: ""} {
		setHold(t, n.clinic, func(h *Hold) {
			h.Last = &Outcome{Cause: cause, Day: day, Began: at, At: at, Hint: "Wilhelmina Vandenberg, page 3"}
		})
		e, ok := told(everything)[notify.NeedsPerson]
		if ok != (want != "") || e.About != want {
			t.Errorf("%s: %+v", cause, e)
		}
	}
	setHold(t, n.clinic, func(h *Hold) {
		h.Last, h.BuildFailed = nil, &BuildFailure{At: at, Message: "a check finds Wilhelmina Vandenberg"}
	})
	if e := told(everything)[notify.NeedsPerson]; e.About != "needs a person/build_failed" {
		t.Errorf("a failed build: %+v", e)
	}
	setHold(t, n.clinic, func(h *Hold) {
		h.BuildFailed, h.Rejected = nil, &Rejection{Cause: extractors.AccountDeactivated, Credentials: "x", At: at}
	})
	if e := told(everything)[notify.NeedsPerson]; e.About != "revoked/account_deactivated" {
		t.Errorf("a revoked account: %+v", e)
	}
	if events := told(notify.Rules{}); len(events) > 0 {
		t.Errorf("without rules: %+v", events)
	}
}

func setHold(t *testing.T, s *Site, to func(*Hold)) {
	t.Helper()
	if err := s.hold().change(t.Context(), func(h *Hold) error {
		to(h)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
