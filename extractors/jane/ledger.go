package jane

import (
	"sync"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/extractors/browser"
)

// accesses makes the lines of the access ledger out of what the proxy saw and what the screens showed. A line waits for
// its turn until what it lacks is known, so that they come in the order of what was done.
type accesses struct {
	tell func(extractors.Access)

	mu    sync.Mutex
	order extractors.Order
	// rows is what the screen said last.
	rows    int
	pending []*pendingAccess
	// ran and downloaded count the lines of these actions, from 1.
	ran, downloaded int
	seen            map[int]sightOfReport
	pages           map[int]bool
}

type pendingAccess struct {
	line extractors.Access
	// ran and downloaded are the line's number among those of its action, 0 if it is of another.
	ran, downloaded int
}

// sightOfReport is what a screen showed when it had settled.
type sightOfReport struct {
	window extractors.Window
	rows   int
}

// statusAskedForCode is how a right password is answered that is not enough.
const statusAskedForCode = 202

// begin says which order is worked at.
func (a *accesses) begin(order extractors.Order) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.order = order
}

// note takes a line from the proxy.
func (a *accesses) note(seen browser.Access) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := &pendingAccess{line: extractors.Access{
		At: seen.At, Action: seen.Action, Subject: seen.Subject, Route: seen.Method + " " + seen.Path, Rows: -1,
		Bytes: int(seen.Bytes), Status: seen.Status, Outcome: extractors.AccessRefused,
	}}
	switch {
	case seen.Status == 0:
		p.line.Outcome, p.line.Bytes = extractors.AccessUnanswered, -1
	case seen.Status/100 == 2:
		p.line.Outcome = extractors.AccessDone
	}
	switch p.line.Action {
	case extractors.ActionSignedIn:
		switch {
		case seen.Status == statusAskedForCode:
			p.line.Action = extractors.ActionCodeAsked
		case p.line.Outcome == extractors.AccessRefused:
			p.line.Action = extractors.ActionRefused
		}
	case extractors.ActionRan:
		a.ran++
		p.ran = a.ran
		if page := seen.Query["page"]; len(page) > 0 && page[0] != "1" {
			// Of a report that it has run the portal says that its next page was opened.
			p.line.Action = extractors.ActionOpened
		}
	case extractors.ActionDownloaded:
		a.downloaded++
		p.downloaded = a.downloaded
		p.line.Subject, p.line.Window = a.order.Report, a.order.Window
	case extractors.ActionPreviewed:
		p.line.Subject, p.line.Window = a.order.Report, a.order.Window
	case extractors.ActionExported:
		p.line.Window, p.line.Rows = a.order.Window, a.rows
	}
	a.pending = append(a.pending, p)
}

// shown says what the screen showed after the nth run of a report. The nth answer that the page got is that of the nth
// line, since a page runs one report at a time.
func (a *accesses) shown(nth int, window extractors.Window, rows int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == nil {
		a.seen = map[int]sightOfReport{}
	}
	a.seen[nth], a.rows = sightOfReport{window, rows}, rows
}

// noFile says that what came in the nth download was a page.
func (a *accesses) noFile(nth int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pages == nil {
		a.pages = map[int]bool{}
	}
	a.pages[nth] = true
}

// flush tells what is complete. A line may come a moment after the page has shown what it is about; then it is told with
// the next ones.
func (a *accesses) flush() { a.out(false) }

// end tells the rest. Nothing is noted after it.
func (a *accesses) end() { a.out(true) }

func (a *accesses) out(all bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.pending) > 0 {
		p := a.pending[0]
		sight, known := a.seen[p.ran]
		if p.ran > 0 && known {
			p.line.Window, p.line.Rows = sight.window, sight.rows
		}
		if p.ran > a.latest() && p.line.Outcome == extractors.AccessDone && !all {
			return
		}
		if a.pages[p.downloaded] {
			p.line.Outcome = extractors.AccessRefused
		}
		a.pending = a.pending[1:]
		a.tell(p.line)
	}
}

// latest is the number of the last run that a screen has shown.
func (a *accesses) latest() (n int) {
	for nth := range a.seen {
		n = max(n, nth)
	}
	return n
}
