package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/civil"
	"golang.org/x/term"

	"github.com/falloff-analytics/falloff/pipeline"
	"github.com/falloff-analytics/falloff/pipeline/schedule"
)

// clinicLine is one clinic of the table over all.
type clinicLine struct {
	Clinic string         `json:"clinic"`
	State  pipeline.State `json:"state"`
	// Running is since when a run is at work, zero for none.
	Running time.Time `json:"running,omitzero"`
	// AsOf is the newest day that the reports show; Oldest the dataset that is behind the others, and OldestDay up to when it is good.
	AsOf      civil.Date   `json:"as_of,omitzero"`
	Oldest    string       `json:"oldest_dataset,omitempty"`
	OldestDay civil.Date   `json:"oldest_day,omitzero"`
	Stale     bool         `json:"stale"`
	Datasets  []datasetDay `json:"datasets"`
	// Next is when the next night is, zero where no scheduler has one, and Again that it is another try of the last.
	Next  time.Time `json:"next_run,omitzero"`
	Again bool      `json:"again,omitempty"`
	Todo  string    `json:"todo,omitempty"`
	// History is how far the reading of history has come, nil where none is being read.
	History *pipeline.Unfinished `json:"history,omitempty"`
	zone    *time.Location
}

// datasetDay is up to which day a dataset is good.
type datasetDay struct {
	Dataset string     `json:"dataset"`
	Day     civil.Date `json:"day"`
}

// States that are not of extraction.
const (
	stateNew    pipeline.State = "not run yet"
	stateImport pipeline.State = "imported"
	stateStale  pipeline.State = "stale"
	stateClosed pipeline.State = "cannot be opened"
)

const todoNew = "falloff run --settings clinic.yaml --from DATE brings its history home"

// needsPerson says that nothing goes on by itself.
func (l *clinicLine) needsPerson() bool {
	switch l.State {
	case pipeline.StatePerson, pipeline.StateRevoked, stateClosed:
		return true
	default:
		return false
	}
}

// lines looks at every clinic.
func (a *app) clinicLines(ctx context.Context, s *scheduled) ([]clinicLine, error) {
	found, timed, err := s.clinics(ctx, "")
	if err != nil {
		return nil, err
	}
	book, now := pipeline.Schedules(s.store), a.now()
	out := make([]clinicLine, len(found))
	for i, c := range found {
		l := clinicLine{Clinic: c.ID, State: stateNew, zone: c.Zone, Datasets: []datasetDay{}}
		if state, _, err := book.Read(ctx, c.ID); err == nil {
			for _, t := range tasksOf(timed[i], state, now) {
				if t.Task == schedule.Run {
					l.Next, l.Again, l.zone = t.Next, t.Again, t.zone
				}
			}
		}
		switch {
		case c.Err != nil:
			l.State, l.Todo = stateClosed, c.Err.Error()
		case c.Site == nil:
			l.Todo = todoNew
		default:
			if err := l.fill(ctx, c, now); err != nil {
				return nil, err
			}
		}
		out[i] = l
	}
	return out, nil
}

// fill reads how a clinic stands.
func (l *clinicLine) fill(ctx context.Context, c pipeline.ScheduledClinic, now time.Time) error {
	hold, err := c.Site.Hold(ctx)
	if err != nil {
		return err
	}
	if !c.Landed && hold.Last == nil && hold.Paused == nil {
		l.Todo = todoNew
		return nil
	}
	st, err := c.Site.Status(ctx)
	if err != nil {
		return err
	}
	l.State, l.Todo, l.AsOf = st.State, st.Todo, st.AsOf
	unfinished, err := c.Site.Unfinished(ctx)
	if err != nil {
		return err
	}
	if unfinished != nil && unfinished.From.IsValid() {
		l.History = unfinished
	}
	switch {
	case !c.AsOf.IsValid() && l.State == pipeline.StateOK: // somebody has looked the account over
		l.State, l.Todo = stateNew, firstOf(l.Todo, todoNew)
	case !c.Connected && l.State == pipeline.StateOK:
		l.State = stateImport
	}
	if st.Running != nil {
		l.Running = st.Running.Since
	}
	for _, d := range st.Datasets {
		if !d.ObservedOn.IsValid() {
			continue
		}
		l.Datasets = append(l.Datasets, datasetDay{d.Dataset, d.ObservedOn})
	}
	slices.SortFunc(l.Datasets, func(a, b datasetDay) int { return cmp.Or(a.Day.Compare(b.Day), cmp.Compare(a.Dataset, b.Dataset)) })
	if len(l.Datasets) > 0 {
		l.Oldest, l.OldestDay = l.Datasets[0].Dataset, l.Datasets[0].Day
	}
	choices, err := c.Site.Choices(ctx)
	if err != nil {
		return err
	}
	zone := c.Zone
	if zone == nil {
		zone = time.UTC
	}
	if behind := civil.DateOf(now.In(zone)).DaysSince(l.AsOf) - 1; l.AsOf.IsValid() && behind > choices.StaleAfter() {
		l.Stale = true
		if l.State == pipeline.StateOK {
			l.State, l.Todo = stateStale, firstOf(l.Todo, fmt.Sprintf("nothing new for %d days: is falloff schedule at work?", behind))
		}
	}
	return nil
}

// overview are the flags of status over all clinics.
type overview struct {
	datasets, watch, check bool
	interval               time.Duration
}

// statusOfAll prints the table, again and again with watch.
func (a *app) statusOfAll(ctx context.Context, o overview) error {
	s, err := a.scheduled(ctx)
	if err != nil {
		return err
	}
	if !o.watch {
		lines, err := a.clinicLines(ctx, s)
		if err != nil {
			return err
		}
		if err := a.printLines(a.stdout, lines, o); err != nil {
			return err
		}
		return checked(lines, o)
	}
	if _, terminal := a.screen(); !terminal || a.json {
		return usagef("--watch draws on a terminal: without one, ask again with your own loop")
	}
	for {
		lines, err := a.clinicLines(ctx, s)
		if err != nil {
			return err
		}
		var page bytes.Buffer
		_, _ = fmt.Fprintf(&page, "%s  every %s, Ctrl-C ends\n\n", a.now().Format("Mon 2006-01-02 15:04:05 MST"), o.interval)
		if err := a.printLines(&page, lines, o); err != nil {
			return err
		}
		// Home, each line cleared to its end, and what is below: nothing flickers.
		text := "\x1b[H" + strings.ReplaceAll(page.String(), "\n", "\x1b[K\n") + "\x1b[J"
		if _, err := io.WriteString(a.stdout, text); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(o.interval):
		}
	}
}

// checked is an error where a person is needed, for whoever watches.
func checked(lines []clinicLine, o overview) error {
	if !o.check {
		return nil
	}
	var needing []string
	for _, l := range lines {
		if l.needsPerson() {
			needing = append(needing, l.Clinic)
		}
	}
	if len(needing) == 0 {
		return nil
	}
	return &pipeline.KeyError{Err: fmt.Errorf("a person must act: %s", strings.Join(needing, ", "))}
}

// screen is how wide the terminal is that results are printed on.
func (a *app) screen() (width int, terminal bool) {
	file, ok := a.stdout.(*os.File)
	if !ok {
		return 0, false
	}
	width, _, err := term.GetSize(int(file.Fd()))
	return width, err == nil
}

// Colours of states, on a terminal.
const (
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	red    = "\x1b[31m"
	dim    = "\x1b[2m"
	plain  = "\x1b[0m"
)

func colourOf(l *clinicLine) string {
	switch {
	case l.needsPerson():
		return red
	case !l.Running.IsZero(), l.State == pipeline.StateOK, l.State == stateImport:
		return green
	default:
		return yellow
	}
}

func (a *app) printLines(w io.Writer, lines []clinicLine, o overview) error {
	if a.json {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(lines)
	}
	if len(lines) == 0 {
		_, err := io.WriteString(w, "No clinic is in this lake yet: falloff connect connects one, falloff import takes its files.\n")
		return err
	}
	width, terminal := a.screen()
	coloured := terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if !terminal {
		width = 0
	}
	_, err := io.WriteString(w, statusTable(lines, o.datasets, a.now(), width, coloured))
	return err
}

// statusTable is a line for each clinic, and below it what to do where something is; width 0 is any.
func statusTable(lines []clinicLine, datasets bool, now time.Time, width int, coloured bool) string {
	header := []string{"clinic", "state", "data up to", "oldest", "next run"}
	cells := make([][]string, len(lines))
	wide := make([]int, len(header))
	for i, h := range header {
		wide[i] = len(h)
	}
	for r, l := range lines {
		cells[r] = []string{l.Clinic, l.stateText(now), orDash(l.AsOf), l.oldestText(), l.nextText(now)}
		for i, c := range cells[r] {
			wide[i] = max(wide[i], utf8.RuneCountInString(c))
		}
	}
	paint := func(colour, text string) string {
		if !coloured {
			return text
		}
		return colour + text + plain
	}
	var out strings.Builder
	row := func(values []string, colour string) {
		var text strings.Builder
		for i, v := range values {
			pad := strings.Repeat(" ", max(0, wide[i]-utf8.RuneCountInString(v)))
			if i == len(values)-1 {
				pad = ""
			} else {
				pad += "  "
			}
			if i == 1 && colour != "" {
				v = paint(colour, v)
			}
			text.WriteString(v + pad)
		}
		out.WriteString(strings.TrimRight(text.String(), " ") + "\n")
	}
	row(header, "")
	rules := make([]string, len(header))
	for i := range rules {
		rules[i] = strings.Repeat("─", wide[i])
	}
	row(rules, "")
	for r, l := range lines {
		row(cells[r], colourOf(&l))
		if datasets {
			for _, line := range wrapped(datasetText(l.Datasets), limit(width)-4) {
				out.WriteString("    " + paint(dim, line) + "\n")
			}
		}
		if h := l.History; h != nil {
			fmt.Fprintf(&out, "    history from %s: %d of %d reports are read\n", h.From, h.Done, h.Orders)
		}
		if l.Todo != "" {
			for i, line := range wrapped(strings.Map(printable, l.Todo), limit(width)-4) {
				mark := "  "
				if i == 0 {
					mark = "→ "
				}
				out.WriteString("  " + mark + line + "\n")
			}
		}
	}
	return out.String()
}

// limit is how wide text may be; of files and pipes somebody reads lines.
func limit(width int) int {
	if width < 40 {
		return 120
	}
	return width
}

func (l *clinicLine) stateText(now time.Time) string {
	if !l.Running.IsZero() {
		return "running, " + ago(now.Sub(l.Running))
	}
	return string(l.State)
}

func (l *clinicLine) oldestText() string {
	if !l.OldestDay.IsValid() || l.OldestDay == l.AsOf {
		return "-"
	}
	return fmt.Sprintf("%s, %s", l.Oldest, l.OldestDay)
}

func (l *clinicLine) nextText(now time.Time) string {
	switch {
	case l.Next.IsZero():
		return "-"
	case !l.Next.After(now):
		return "due"
	}
	text := l.Next.Format("01-02 15:04 MST")
	if l.zone != nil {
		text = l.Next.In(l.zone).Format("01-02 15:04 MST")
	}
	if l.Again {
		text += ", again"
	}
	return text
}

// datasetText joins datasets that are good up to the same day.
func datasetText(days []datasetDay) string {
	var parts []string
	for i := 0; i < len(days); {
		j := i
		var names []string
		for ; j < len(days) && days[j].Day == days[i].Day; j++ {
			names = append(names, days[j].Dataset)
		}
		parts = append(parts, fmt.Sprintf("%s: %s", days[i].Day, strings.Join(names, ", ")))
		i = j
	}
	return strings.Join(parts, "; ")
}

// ago is a time that has passed, as people say it.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// wrapped cuts a text into lines at spaces.
func wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
