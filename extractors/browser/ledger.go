package browser

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// A Wall is where a request was judged.
type Wall string

// The two walls: interception inside the browser, and the forward proxy behind it.
const (
	InBrowser Wall = "browser"
	InProxy   Wall = "proxy"
)

// An Entry is one kind of request and how often it occurred. It holds no query value, no body, and of the path only
// words that the portal's profile knows, so it can be shown and stored.
type Entry struct {
	Wall    Wall
	Allowed bool
	Method  string
	// Host is `portal`, or the registrable domain of another host.
	Host string
	// Path is the path with everything but known words replaced by :id, :file or :word.
	Path string
	// Kind is how the browser was going to use the answer, for example `Document`, `Fetch`, `Ping`, in its own words.
	Kind string
	// Purpose is that of the rule which allowed the request.
	Purpose string
	// Reason says why the request was refused.
	Reason Reason
	// Tolerated says that it was a write that the portal's application is known to try (Config.Tolerated).
	Tolerated bool
	Count     int
}

// RefusedWrite reports whether it was a request to the portal that could have changed something there, was stopped, and is
// not tolerated.
func (e Entry) RefusedWrite() bool {
	return !e.Allowed && !e.Tolerated && e.Host == portalHost && writes(e.Method)
}

// A Ledger counts the requests of a session, allowed and refused. It is safe for concurrent use.
//
// What the browser wall allows is counted there once. The proxy counts only what it refuses: requests that
// interception did not see.
type Ledger struct {
	mu     sync.Mutex
	counts map[Entry]int
}

func newLedger() *Ledger { return &Ledger{counts: map[Entry]int{}} }

// Together counts what several sessions have counted until now.
func Together(sessions ...*Ledger) *Ledger {
	all := newLedger()
	for _, l := range sessions {
		l.mu.Lock()
		for e, n := range l.counts {
			all.counts[e] += n
		}
		l.mu.Unlock()
	}
	return all
}

// maxKinds bounds what a page that makes up addresses can make us remember.
const maxKinds = 10_000

func (l *Ledger) add(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.counts[e]; !known && len(l.counts) >= maxKinds {
		e = Entry{Wall: e.Wall, Allowed: e.Allowed, Method: "*", Host: "*", Path: "*", Reason: e.Reason}
	}
	l.counts[e]++
}

// Entries lists what was counted, in the order of wall, verdict, host, path, method.
func (l *Ledger) Entries() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Entry, 0, len(l.counts))
	for e := range maps.Keys(l.counts) {
		count := l.counts[e]
		e.Count = count
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b Entry) int {
		allowed := map[bool]int{true: 0, false: 1}
		return cmp.Or(
			cmp.Compare(a.Wall, b.Wall), cmp.Compare(allowed[a.Allowed], allowed[b.Allowed]),
			cmp.Compare(a.Host, b.Host), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method),
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Purpose, b.Purpose), cmp.Compare(a.Reason, b.Reason),
			cmp.Compare(fmt.Sprint(a.Tolerated), fmt.Sprint(b.Tolerated)))
	})
	return list
}

// Allowed is the number of requests that left the browser.
func (l *Ledger) Allowed() int { return l.sum(func(e Entry) bool { return e.Allowed }) }

// Sent is the number of requests for a purpose that left the browser.
func (l *Ledger) Sent(purpose string) int {
	return l.sum(func(e Entry) bool { return e.Allowed && e.Purpose == purpose })
}

// Refused is the number of requests that were stopped, by either wall.
func (l *Ledger) Refused() int { return l.sum(func(e Entry) bool { return !e.Allowed }) }

// RefusedWrites is the number of requests to the portal that could have changed something there and were stopped, those
// aside that are tolerated.
func (l *Ledger) RefusedWrites() int {
	return l.sum(Entry.RefusedWrite)
}

func (l *Ledger) sum(counts func(Entry) bool) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	total := 0
	for e, n := range l.counts {
		if counts(e) {
			total += n
		}
	}
	return total
}
