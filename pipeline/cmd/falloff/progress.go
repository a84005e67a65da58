package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/falloff-analytics/falloff/pipeline"
)

// newProgress shows a run's steps: drawn anew in place on a terminal, as a line at the end of each step elsewhere, not at
// all when quiet. The returned stop waits until everything is drawn; steps that had not ended are shown as stopped.
func newProgress(w io.Writer, terminal, quiet bool, now func() time.Time) (pipeline.Progress, func()) {
	switch {
	case quiet:
		return func(pipeline.Step) {}, func() {}
	case terminal:
		b := &bars{group: mpb.New(mpb.WithOutput(w), mpb.WithRefreshRate(spinnerTurn)), now: now, shown: map[string]*shownStep{}}
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
	took := ""
	if ok { // else nobody was told when it began
		took = " (" + elapsed(l.now().Sub(start)) + ")"
	}
	_, _ = fmt.Fprintf(l.w, "%-8s %s%s\n", s.Name, firstOf(s.Note, "done"), took)
}

// bars draws one line a step, in place.
type bars struct {
	group *mpb.Progress
	now   func() time.Time

	// telling makes calls of show and stop wait for each other. It is apart from mu, which mpb's goroutines take to draw
	// while show waits for mpb.
	telling sync.Mutex
	mu      sync.Mutex
	shown   map[string]*shownStep
}

// shownStep is a step with its line on the terminal.
type shownStep struct {
	pipeline.Step
	bar     *mpb.Bar
	stopped bool // the run ended before the step did
	from    time.Time
	took    time.Duration // once it has ended; negative where nobody was told when it began
}

func (b *bars) show(s pipeline.Step) {
	b.telling.Lock()
	defer b.telling.Unlock()
	step := b.update(s)
	if step.bar == nil {
		step.bar = b.group.MustAdd(0, mpb.BarFillerFunc(func(w io.Writer, at decor.Statistics) error {
			_, err := io.WriteString(w, b.draw(step, at))
			return err
		}), mpb.BarFillerTrim())
	}
	if s.Ended {
		step.bar.SetTotal(1, true)
	}
}

// update keeps what is told of a step; what is not told stays as it was.
func (b *bars) update(s pipeline.Step) *shownStep {
	b.mu.Lock()
	defer b.mu.Unlock()
	step, ok := b.shown[s.Name]
	if !ok {
		step = &shownStep{from: b.now()}
		b.shown[s.Name] = step
	}
	s.Note = firstOf(s.Note, step.Note)
	step.Step = s
	switch {
	case s.Ended && !ok:
		step.took = -1
	case s.Ended:
		step.took = b.now().Sub(step.from)
	}
	return step
}

func (b *bars) draw(step *shownStep, at decor.Statistics) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	took := step.took
	if !step.Ended {
		took = b.now().Sub(step.from)
	}
	return stepLine(step.Step, took, step.stopped, at.AvailableWidth)
}

func (b *bars) stop() {
	b.telling.Lock()
	defer b.telling.Unlock()
	b.mu.Lock()
	for _, step := range b.shown {
		step.stopped = !step.Ended
	}
	b.mu.Unlock()
	for _, step := range b.shown {
		if step.stopped {
			step.bar.Abort(false)
		}
	}
	b.group.Wait()
}

const (
	barWidth    = 20
	spinnerTurn = 100 * time.Millisecond
)

var spinner = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

// stepLine is a step in one line of at most width characters. What moves stands at fixed places.
func stepLine(s pipeline.Step, took time.Duration, stopped bool, width int) string {
	shownTime, note := "", s.Note
	if took >= 0 {
		shownTime = elapsed(took)
	}
	mark := spinner[int(max(took, 0)/spinnerTurn)%len(spinner)]
	switch {
	case s.Ended:
		mark = "✓"
	case stopped:
		mark, note = "✗", "stopped"
	case s.Total > 0:
		done := min(max(s.Done, 0), s.Total)
		full := int(done * barWidth / s.Total)
		digits := len(fmt.Sprint(s.Total))
		note = fmt.Sprintf("▕%s%s▏ %*d/%d  %s", strings.Repeat("█", full), strings.Repeat(" ", barWidth-full), digits, done, s.Total, note)
	}
	line := fmt.Sprintf("%s %-8s %6s  %s", mark, s.Name, shownTime, note)
	if width > 1 && utf8.RuneCountInString(line) > width {
		line = string([]rune(line)[:width-1]) + "…"
	}
	return strings.TrimRight(line, " ")
}

// elapsed is a duration as people say it.
func elapsed(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}
