package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// memory is a register.
type memory struct {
	mu      sync.Mutex
	body    []byte
	version int64
}

func (m *memory) Read(context.Context) ([]byte, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.body), m.version, nil
}

func (m *memory) Swap(_ context.Context, version int64, body []byte) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if version != m.version {
		return 0, lake.ErrOvertaken
	}
	m.body, m.version = slices.Clone(body), version+1
	return m.version, nil
}

// script answers each attempt with the next outcome, the last one for good.
type script struct {
	mu       sync.Mutex
	attempts []Attempt
	got      []string // ids
	at       []time.Time
}

func (s *script) Send(_ context.Context, m Message) Attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.attempts[min(len(s.got), len(s.attempts)-1)]
	s.got, s.at = append(s.got, m.ID), append(s.at, time.Now())
	return a
}

var (
	arrives = Attempt{Outcome: Delivered}
	later   = Attempt{Outcome: Later, Reason: "unreachable"}
	unknown = Attempt{Outcome: Unknown, Reason: "no_answer"}
	refuses = Attempt{Outcome: Refused, Reason: "http_404"}
)

// desk is an outbox with one channel.
type desk struct {
	*Outbox
	recorded []Delivery
	failing  error
}

func newDesk(t *testing.T, names ...string) *desk {
	t.Helper()
	settings := &Settings{}
	for _, name := range names {
		settings.Channels = append(settings.Channels, Channel{Name: name, AtMost: 3, Webhook: &Webhook{URL: "https://hooks.example/x", SecretFile: "s"}})
	}
	if err := settings.Check(); err != nil {
		t.Fatal(err)
	}
	d := &desk{}
	d.Outbox = &Outbox{Register: &memory{}, Settings: settings, Record: func(_ context.Context, e Delivery) error {
		if d.failing != nil {
			return d.failing
		}
		d.recorded = append(d.recorded, e)
		return nil
	}}
	return d
}

func (d *desk) tell(t *testing.T, events ...Event) []Event {
	t.Helper()
	said, err := d.Tell(t.Context(), events, nil)
	if err != nil {
		t.Fatal(err)
	}
	return said
}

func (d *desk) deliver(t *testing.T, senders map[string]Sender, patience time.Duration) []Delivery {
	t.Helper()
	ended, err := d.Deliver(t.Context(), senders, patience)
	if err != nil {
		t.Fatal(err)
	}
	return ended
}

func (d *desk) waiting(t *testing.T) []Waiting {
	t.Helper()
	state, err := d.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return state.Waiting
}

func stale(day int) Event {
	date := civil.Date{Year: 2026, Month: 11, Day: day}
	return Event{Kind: StaleData, Clinic: "c", AsOf: date, About: date.String()}
}

func alarm(day int) Event {
	date := civil.Date{Year: 2026, Month: 11, Day: day}
	return FalloffEvent("c", date, date, date, 20, 20, 9)
}

func TestAnEventIsSaidOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "office", "team")
		said := func(want int, why string, events ...Event) {
			t.Helper()
			if got := d.tell(t, events...); len(got) != want {
				t.Errorf("%s: %d events are said, want %d", why, len(got), want)
			}
		}
		said(1, "new", stale(2))
		if got := d.waiting(t); len(got) != 2 || got[0].Channel != "office" || got[1].Channel != "team" || got[0].ID == got[1].ID {
			t.Fatalf("waiting %+v", got)
		}
		said(0, "again", stale(2))
		said(1, "changed", stale(3))
		time.Sleep(7*24*time.Hour - time.Second)
		said(0, "within the days", stale(3))
		time.Sleep(time.Second)
		said(1, "still so after the days", stale(3))
		said(0, "over")
		said(1, "back", stale(3))

		person := Event{Kind: NeedsPerson, Clinic: "c", State: "needs a person", Cause: "wrong_password", About: "needs a person/wrong_password"}
		said(1, "another kind", stale(3), person)
		said(0, "both again", stale(3), person)

		said(1, "an alarm", alarm(8))
		said(0, "an alarm of the next week is the same news", alarm(15))
		time.Sleep(28 * 24 * time.Hour)
		said(0, "an old alarm is said once", alarm(8))
		said(1, "an alarm after four weeks", alarm(29))
	})
}

func TestAMessageIsTriedUntilItArrives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "office")
		began := time.Now()
		d.tell(t, stale(1))
		s := &script{attempts: []Attempt{later, unknown, {Outcome: Later, Reason: "http_429", After: 10 * time.Minute}, arrives}}
		senders := map[string]Sender{"office": s}
		if ended := d.deliver(t, senders, 30*time.Second); len(ended) != 0 || len(s.got) != 2 {
			t.Fatalf("%d attempts in half a minute, ended %+v", len(s.got), ended)
		}
		if w := d.waiting(t); len(w) != 1 || w[0].Last != "no_answer" {
			t.Fatalf("waiting %+v", w)
		}
		ended := d.deliver(t, senders, time.Hour)
		var after []time.Duration
		for _, at := range s.at {
			after = append(after, at.Sub(began))
		}
		// 15 s, then 60 s, then what the other side asked for.
		if want := []time.Duration{0, 15 * time.Second, 75 * time.Second, 675 * time.Second}; !slices.Equal(after, want) {
			t.Errorf("tried after %v, want %v", after, want)
		}
		if ids := slices.Compact(slices.Clone(s.got)); len(ids) != 1 {
			t.Errorf("ids %v: a message keeps its own", s.got)
		}
		if len(ended) != 1 || ended[0].Outcome != Delivered || ended[0].Tries != 4 || ended[0].ID != s.got[0] {
			t.Errorf("ended %+v", ended)
		}
		if len(d.recorded) != 1 || d.recorded[0] != ended[0] || len(d.waiting(t)) != 0 {
			t.Errorf("recorded %+v, waiting %+v", d.recorded, d.waiting(t))
		}
		if d.deliver(t, senders, time.Hour); len(s.got) != 4 {
			t.Error("what has arrived was sent again")
		}
	})
}

func TestARefusedMessageIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "office")
		d.tell(t, stale(1))
		s := &script{attempts: []Attempt{refuses}}
		ended := d.deliver(t, map[string]Sender{"office": s}, time.Hour)
		if len(s.got) != 1 || len(ended) != 1 || ended[0].Outcome != Refused || ended[0].Reason != "http_404" || len(d.recorded) != 1 {
			t.Errorf("%d attempts, ended %+v, recorded %+v", len(s.got), ended, d.recorded)
		}
	})
}

func TestAMessageIsGivenUpAfterADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "office")
		d.tell(t, stale(1))
		s := &script{attempts: []Attempt{later}}
		began := time.Now()
		ended := d.deliver(t, map[string]Sender{"office": s}, 100*time.Hour)
		if len(ended) != 1 || ended[0].Outcome != GivenUp || ended[0].Tries != len(s.got) || ended[0].Reason != "unreachable" || len(d.waiting(t)) != 0 {
			t.Errorf("ended %+v after %d attempts", ended, len(s.got))
		}
		if took := time.Since(began); took < 24*time.Hour || took > 28*time.Hour || len(s.got) > 12 {
			t.Errorf("given up after %v and %d attempts", took, len(s.got))
		}
	})
}

func TestAChannelThatIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "office", "team")
		d.tell(t, stale(1))
		d.Settings.Channels = d.Settings.Channels[:1]
		ended := d.deliver(t, map[string]Sender{"office": &script{attempts: []Attempt{arrives}}}, 0)
		if len(ended) != 2 || ended[0].Outcome != Delivered || ended[1].Outcome != Gone || ended[1].Channel != "team" || ended[1].Tries != 0 {
			t.Errorf("ended %+v", ended)
		}
	})
}

func TestAChannelSendsSoManyADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "office")
		for day := range 5 {
			d.tell(t, stale(day+1))
			time.Sleep(time.Hour)
		}
		s := &script{attempts: []Attempt{arrives}}
		senders := map[string]Sender{"office": s}
		if d.deliver(t, senders, time.Minute); len(s.got) != 3 || len(d.waiting(t)) != 2 {
			t.Fatalf("%d of 5 went out, at most 3 a day", len(s.got))
		}
		time.Sleep(18 * time.Hour)
		if d.deliver(t, senders, time.Hour); len(s.got) != 3 {
			t.Error("more went out within the day")
		}
		if ended := d.deliver(t, senders, 24*time.Hour); len(d.waiting(t)) != 0 || len(ended) != 2 {
			t.Errorf("after the day %+v, waiting %+v", ended, d.waiting(t))
		}
	})
}

// What goes out and cannot be recorded goes out again, under its own id.
func TestADeathBetweenSendingAndRecording(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "office")
		d.tell(t, stale(1))
		s := &script{attempts: []Attempt{arrives}}
		senders := map[string]Sender{"office": s}
		d.failing = errors.New("the lake is gone")
		if _, err := d.Deliver(t.Context(), senders, time.Hour); !errors.Is(err, d.failing) {
			t.Fatalf("error %v", err)
		}
		d.failing = nil
		if d.deliver(t, senders, 0); len(s.got) != 1 {
			t.Error("sent again at once: another process may still be at it")
		}
		ended := d.deliver(t, senders, time.Hour)
		if len(s.got) != 2 || s.got[0] != s.got[1] || len(ended) != 1 || ended[0].Tries != 2 || len(d.recorded) != 1 {
			t.Errorf("sent %v, ended %+v, recorded %+v", s.got, ended, d.recorded)
		}
	})
}

func TestTwoProcessesSendEachMessageOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "office")
		d.Settings.Channels[0].AtMost = 100
		for day := range 25 {
			d.tell(t, stale(day+1))
		}
		var mu sync.Mutex
		record := d.Record
		d.Record = func(ctx context.Context, e Delivery) error {
			mu.Lock()
			defer mu.Unlock()
			return record(ctx, e)
		}
		s := &script{attempts: []Attempt{arrives}}
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				if _, err := d.Deliver(t.Context(), map[string]Sender{"office": s}, time.Minute); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		slices.Sort(s.got)
		if len(s.got) != 25 || len(slices.Compact(s.got)) != 25 || len(d.recorded) != 25 {
			t.Errorf("%d messages sent, %d recorded", len(s.got), len(d.recorded))
		}
	})
}

func TestSendingNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, "office")
		s := &script{attempts: []Attempt{later, later, later, arrives}}
		ended, err := d.SendNow(t.Context(), map[string]Sender{"office": s}, TestEvent("c"), nil)
		if err != nil || len(ended) != 1 || ended[0].Outcome != GivenUp || ended[0].Tries != 3 || len(d.recorded) != 1 {
			t.Errorf("%+v, %v", ended, err)
		}
		// A webhook takes no file.
		if ended, err := d.SendNow(t.Context(), map[string]Sender{"office": s}, TestEvent("c"), &File{}); err != nil || len(ended) != 0 {
			t.Errorf("%+v, %v", ended, err)
		}
		if d.tell(t, TestEvent("c")); len(d.waiting(t)) != 1 {
			t.Error("what was sent at once counts as told")
		}
	})
}

func TestAnEventHoldsNoText(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "office")
	for name, e := range map[string]Event{
		"name":      {Kind: NeedsPerson, Clinic: "c", State: "Maryam Vale"},
		"pseudonym": {Kind: NeedsPerson, Clinic: "c", Cause: "p1_abcdefghijklmnopqrstuvwxyz"},
		"address":   {Kind: NeedsPerson, Clinic: "c", About: "x@y.example"},
		"lines":     {Kind: NeedsPerson, Clinic: "c", State: "a\r\nbcc: x"},
		"category":  {Kind: NewLeaks, Clinic: "c", Categories: []CategoryLine{{Category: "Maryam's"}}},
		"clinic":    {Kind: Test, Clinic: "c\nsubject: x"},
		"currency":  {Kind: NewLeaks, Clinic: "c", Currency: "dollars"},
		"month":     {Kind: Report, Clinic: "c", Month: "2026-10\r\n"},
		"kind":      {Kind: "gossip", Clinic: "c"},
	} {
		if _, err := d.Tell(t.Context(), []Event{e}, nil); err == nil {
			t.Errorf("%s: it was told", name)
		}
		if _, err := d.SendNow(t.Context(), nil, e, nil); err == nil {
			t.Errorf("%s: it was sent", name)
		}
	}
}

func TestFewPatientsAreNotCounted(t *testing.T) {
	t.Parallel()
	day := civil.Date{Year: 2026, Month: 11, Day: 25}
	count := func(category string, patients, leaks, cents int64) CategoryCount {
		return CategoryCount{category, patients, LeakCount{leaks, cents}}
	}
	for _, c := range []struct {
		patients   int64
		categories []CategoryCount
		want       string
	}{
		{10, []CategoryCount{count("copay_missed", 10, 40, 80000)}, "<nil> []"},
		{11, []CategoryCount{count("copay_missed", 11, 40, 80000)}, "&{40 80000} [{copay_missed {40 80000}}]"},
		// 10 of one category would follow from the total and the other one.
		{21, []CategoryCount{count("copay_missed", 11, 40, 80000), count("claim_rejected", 10, 10, 5000)}, "&{50 85000} []"},
		{60, []CategoryCount{count("write_off", 3, 3, 900), count("copay_missed", 20, 40, 80000), count("claim_rejected", 30, 30, 70000)}, "&{73 150900} [{copay_missed {40 80000}} {other {33 70900}}]"},
	} {
		e := LeaksEvent("c", "commit/7", day, 50000, "CAD", c.patients, c.categories)
		if got := fmt.Sprint(e.Leaks, " ", e.Categories); got != c.want {
			t.Errorf("%d patients: %s, want %s", c.patients, got, c.want)
		}
	}
	if e := FalloffEvent("c", day, day, day, 10, 20, 9); e.Lapses != nil {
		t.Error("lapses of 10 patients are counted")
	}
	if e := FalloffEvent("c", day, day, day, 11, 20, 9); e.Lapses == nil || e.Lapses.Count != 20 {
		t.Error("lapses of 11 patients are not")
	}
}
