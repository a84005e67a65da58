package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// visitedPortal is a portal without waits that numbers what is done in it.
type visitedPortal struct {
	stillPortal

	m *machine
	// dies is the number of the report at which the visitor's process is killed, 0 for none; done counts the portal's log.
	dies, done int
	watch      Watch
	// kept are the lines that a process was told of with each report, the sign-in with the first.
	kept [][]string
}

func (p *visitedPortal) Visit(orders []extractors.Order, w Watch) (extractors.Source, error) {
	p.ordered, p.watch = orders, w
	return p, nil
}

func (p *visitedPortal) note(action, subject string) string {
	p.done++
	line := fmt.Sprintf("%s #%d", subject, p.done)
	p.watch.Access(extractors.Access{At: time.Now(), Action: action, Subject: line, Rows: -1, Bytes: -1, Outcome: extractors.AccessDone})
	return line
}

func (p *visitedPortal) Reports(ctx context.Context, each func(extractors.Report) error) error {
	for i, o := range p.ordered {
		if err := p.watch.Before(ctx); err != nil {
			return err
		}
		var lines []string
		if i == 0 {
			lines = append(lines, p.note(extractors.ActionSignedIn, ""))
		}
		if p.dies == i+1 {
			p.m.mu.Lock()
			p.m.dead = true
			p.m.mu.Unlock()
			return errKilled
		}
		lines = append(lines, p.note(extractors.ActionRan, o.ID()), p.note(extractors.ActionDownloaded, o.ID()))
		p.kept = append(p.kept, lines)
		if err := each(p.world.report(o, p.day)); err != nil {
			return err
		}
	}
	return nil
}

// TestDiscardedRunsLedger: what a killed run did in the portal is in the access ledger, once, whether its reports can be used
// by the next run or not, and however that one ends.
func TestDiscardedRunsLedger(t *testing.T) {
	t.Parallel()
	const readBefore = 3 // reports of the killed run that were kept for good
	nextDay := func(s *simulation) { s.portal.day = s.portal.day.AddDays(1) }
	for name, test := range map[string]struct {
		meanwhile func(s *simulation)
		// spoil, if set, spoils the part of that number, whose lines go with it.
		spoil int
		why   string
		// next is how the next run's portal and options differ from those of an undisturbed one; one after it is undisturbed.
		next func(p *visitedPortal, o *ExtractOptions)
	}{
		"resumed":             {},
		"another day":         {meanwhile: nextDay, why: "it was about the days up to"},
		"other settings":      {meanwhile: func(s *simulation) { s.typed.Name = "Renamed" }, why: "settings have changed"},
		"a part is not ours":  {spoil: 2, why: "sealed under another key"},
		"and the next killed": {meanwhile: nextDay, why: "it was about", next: func(p *visitedPortal, _ *ExtractOptions) { p.dies = 1 }},
		"killed a report on":  {meanwhile: nextDay, why: "it was about", next: func(p *visitedPortal, _ *ExtractOptions) { p.dies = 2 }},
		"the next not let in": {meanwhile: nextDay, why: "it was about", next: func(_ *visitedPortal, o *ExtractOptions) { o.SigningIn = errorNow }},
		"the next not audited": {meanwhile: nextDay, why: "it was about", next: func(_ *visitedPortal, o *ExtractOptions) {
			o.Begun = func(context.Context, string) error { return errFailing }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSimulation(t, 3, 3)
			s.portal.day = simLast
			p := &visitedPortal{stillPortal: stillPortal{world: s.portal.world}}
			run := func(dies int, change func(p *visitedPortal, o *ExtractOptions)) (*Extracted, *Site, error) {
				p.m, p.dies, p.day = &machine{}, dies, s.portal.day
				site := s.site(p.m, "a")
				o := ExtractOptions{
					Portal: p, Credentials: "right", Settings: &s.typed, Seal: plainCipher{}, Budget: -1,
					Plan: PlanOptions{Day: s.portal.day, Trailing: 40, Ahead: 30, From: simFirst},
				}
				if change != nil {
					change(p, &o)
				}
				out, err := site.Extract(t.Context(), o)
				s.gone[site.asTenant.pid] = true
				return out, site, err
			}
			if _, _, err := run(readBefore+1, nil); !errors.Is(err, errKilled) {
				t.Fatalf("the run to be killed ended with %v", err)
			}
			var want []string
			for i, lines := range p.kept {
				if i+1 != test.spoil {
					want = append(want, lines...)
				}
			}
			if len(p.kept) != readBefore {
				t.Fatalf("%d reports were read before the kill", len(p.kept))
			}
			if test.spoil > 0 {
				s.spoilPart(t, test.spoil)
			}
			if test.meanwhile != nil {
				test.meanwhile(s)
			}
			p.kept = nil
			out, site, err := run(0, test.next)
			if test.why == "" && out.Discarded != "" || !strings.Contains(out.Discarded, test.why) {
				t.Errorf("discarded because %q", out.Discarded)
			}
			if test.next != nil {
				if err == nil {
					t.Fatal("the run that was to fail did not")
				}
				_, site, err = run(0, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, lines := range p.kept {
				want = append(want, lines...)
			}
			head, err := site.Clinic.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for row, err := range lake.Rows(t.Context(), site.Clinic.Snapshot(head), lake.AccessLedger) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, row.Subject)
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("the ledger has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func errorNow(context.Context) error { return errFailing }

// spoilPart puts other bytes in the place of a part of the run in progress.
func (s *simulation) spoilPart(t *testing.T, number int) {
	t.Helper()
	var parts []string
	for name, err := range s.store.List(t.Context(), "clinic=simulated/staging/", "") {
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, name)
	}
	slices.Sort(parts)
	if err := s.store.Delete(t.Context(), parts[number-1]); err != nil {
		t.Fatal(err)
	}
	if err := s.store.Create(t.Context(), parts[number-1], make([]byte, 64)); err != nil {
		t.Fatal(err)
	}
}
