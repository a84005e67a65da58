package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// newProgress shows a run's steps: as bars on a terminal, as a line at the end of each step elsewhere, not at all when
// quiet. The returned stop waits until everything is drawn.
func newProgress(w io.Writer, terminal, quiet bool, now func() time.Time) (pipeline.Progress, func()) {
	switch {
	case quiet:
		return func(pipeline.Step) {}, func() {}
	case terminal:
		b := &bars{group: mpb.New(mpb.WithOutput(w), mpb.WithWidth(34)), bar: map[string]*mpb.Bar{}}
		return b.show, b.stop
	default:
		l := &lines{w: w, now: now, started: map[string]time.Time{}}
		return l.show, func() {}
	}
}

// lines prints a line when a step ends.
type lines struct {
	mu      sync.Mutex
	w       io.Writer
	now     func() time.Time
	started map[string]time.Time
}

func (l *lines) show(s pipeline.Step) {
	l.mu.Lock()
	defer l.mu.Unlock()
	start, ok := l.started[s.Name]
	if !ok {
		start = l.now()
		l.started[s.Name] = start
	}
	if !s.Ended {
		return
	}
	delete(l.started, s.Name)
	note := ""
	if s.Note != "" {
		note = ": " + s.Note
	}
	_, _ = fmt.Fprintf(l.w, "%-10s %s (%s)\n", s.Name, trimColon(note), l.now().Sub(start).Round(10*time.Millisecond))
}

func trimColon(note string) string {
	if note == "" {
		return "done"
	}
	return note[2:]
}

// bars draws one bar a step.
type bars struct {
	mu    sync.Mutex
	group *mpb.Progress
	bar   map[string]*mpb.Bar
	note  sync.Map
}

func (b *bars) show(s pipeline.Step) {
	b.mu.Lock()
	defer b.mu.Unlock()
	bar, ok := b.bar[s.Name]
	if !ok {
		name := s.Name
		bar = b.group.New(max(s.Total, 1), mpb.BarStyle().Lbound("▕").Filler("█").Tip("█").Padding(" ").Rbound("▏"),
			mpb.PrependDecorators(decor.Name(fmt.Sprintf("%-10s", name))),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
				if n, ok := b.note.Load(name); ok {
					return n.(string) //nolint:forcetypeassert // only strings are stored
				}
				return ""
			}), decor.Elapsed(decor.ET_STYLE_GO, decor.WCSyncSpace)),
		)
		b.bar[s.Name] = bar
	}
	if s.Note != "" {
		b.note.Store(s.Name, s.Note)
	}
	if s.Total > 0 {
		bar.SetTotal(s.Total, false)
		bar.SetCurrent(s.Done)
	}
	if s.Ended {
		bar.SetTotal(max(s.Total, 1), false)
		bar.SetCurrent(max(s.Total, 1))
		bar.SetTotal(-1, true)
	}
}

func (b *bars) stop() {
	b.mu.Lock()
	for _, bar := range b.bar {
		if !bar.Completed() {
			bar.Abort(false)
		}
	}
	b.mu.Unlock()
	b.group.Wait()
}
