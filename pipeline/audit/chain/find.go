package chain

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

const (
	// mostOpened and mostBytes bound what one page reads. A page that ends there says how far it came.
	mostOpened = 2_000
	mostBytes  = 64 << 20
	// clocks is how far a record's time may lie behind the one before it: clocks are set, and commands run on many machines.
	clocks = time.Hour
	// ahead is how many objects are read at once at most.
	ahead = 16
)

// ErrCursor is the error of a page that is asked to begin where none ended.
var ErrCursor = errors.New("no page of a search ended there")

// Page is some of the records that were searched for.
type Page struct {
	// Records are the newest first.
	Records []audit.Record
	// More says that another record fits, Next what to begin the next page with; empty where everything was looked at.
	More bool
	Next string
	// Back is the time of the oldest record that was looked at, zero for none.
	Back time.Time
}

// Find searches what Search does, a page at a time and the newest first, and opens only what can hold it: of a range of time the objects of
// that time, and of a page no more than it takes to fill it. before is the page before's Next, empty for the first.
func Find(ctx context.Context, store lake.Store, f audit.Filter, before string, limit int) (Page, error) {
	w, err := newWalk(ctx, store, f, before)
	if err != nil {
		return Page{}, err
	}
	w.mostOpened, w.mostBytes = mostOpened, mostBytes
	var page Page
	for {
		r, ok, err := w.next(ctx)
		switch {
		case err != nil:
			return Page{}, err
		case !ok && w.spent():
			page.Next = w.cursor()
			return page, nil
		case !ok:
			return page, nil
		}
		page.Back = r.At
		if !f.Passes(r) {
			continue
		}
		if len(page.Records) == limit {
			page.More = true
			return page, nil
		}
		page.Records = append(page.Records, r)
		if len(page.Records) == limit {
			page.Next = w.cursor()
		}
	}
}

// walk goes back in time through the chains of all servers and the log of commands.
type walk struct {
	of                   audit.Filter
	sources              []*source
	opened, mostOpened   int
	readBytes, mostBytes int64
}

// source is one chain, or the log of commands, which has no name.
type source struct {
	name string
	// objects are the numbers of their first records, in order; those from end on are done.
	objects []int64
	end     int
	read    func(ctx context.Context, first int64) (records []audit.Record, bytes int, err error)
	// kept are objects that were read, by their place in objects.
	kept map[int][]audit.Record
	// left are the records of the object at hand that are not given yet; from is the highest number that may be given.
	left  []audit.Record
	from  int64
	ahead int
}

func newWalk(ctx context.Context, store lake.Store, f audit.Filter, before string) (*walk, error) {
	var positions map[string]int64
	if before != "" {
		text, err := base64.RawURLEncoding.DecodeString(before)
		if err != nil || json.Unmarshal(text, &positions) != nil || positions == nil {
			return nil, ErrCursor
		}
	}
	all, err := sources(ctx, store)
	if err != nil {
		return nil, err
	}
	w := &walk{of: f}
	for _, s := range all {
		if before != "" {
			// A chain that began since is newer than all that is to come.
			if s.from = positions[s.name]; s.from == 0 {
				continue
			}
			s.end, _ = slices.BinarySearch(s.objects, s.from+1)
		}
		if s.end == 0 {
			continue
		}
		if err := w.begin(ctx, s); err != nil {
			return nil, err
		}
		w.sources = append(w.sources, s)
	}
	return w, nil
}

// sources lists what there is to be searched. It opens nothing.
func sources(ctx context.Context, store lake.Store) ([]*source, error) {
	log := audit.Open(store, nil)
	numbers, err := log.Numbers(ctx)
	if err != nil {
		return nil, err
	}
	out := []*source{{objects: numbers, read: func(ctx context.Context, number int64) ([]audit.Record, int, error) {
		r, bytes, err := log.Read(ctx, number)
		return []audit.Record{r}, bytes, err
	}}}
	servers, _, err := list(ctx, store)
	if err != nil {
		return nil, err
	}
	for _, l := range servers {
		out = append(out, &source{name: l.server, objects: l.segments, read: func(ctx context.Context, first int64) ([]audit.Record, int, error) {
			return readSegment(ctx, store, l.server, first)
		}})
	}
	for _, s := range out {
		s.end, s.from, s.kept, s.ahead = len(s.objects), 1<<62, map[int][]audit.Record{}, 1
	}
	return out, nil
}

// readSegment reads a segment's records. One that has vanished since it was listed has none.
func readSegment(ctx context.Context, store lake.Store, server string, first int64) ([]audit.Record, int, error) {
	name := segmentName(server, first)
	body, err := store.Get(ctx, name)
	if err != nil && !errors.Is(err, lake.ErrNotFound) {
		return nil, 0, fmt.Errorf("reading the servers' audit chains: %w", err)
	}
	var records []audit.Record
	for _, line := range linesOf(body) {
		var r audit.Record
		if err := json.Unmarshal(line, &r); err != nil || r.Chain != server {
			return nil, 0, fmt.Errorf("%s is %w: it cannot be read", name, audit.ErrTampered)
		}
		records = append(records, r)
	}
	return records, len(body), nil
}

// begin leaves out the objects of a source that are all after the time that is asked for, by halves.
func (w *walk) begin(ctx context.Context, s *source) error {
	if w.of.To.IsZero() {
		return nil
	}
	after := func(i int) (bool, error) {
		if err := w.readAll(ctx, s, i, i+1); err != nil {
			return false, err
		}
		return len(s.kept[i]) > 0 && !s.kept[i][0].At.Before(w.of.To.Add(clocks)), nil
	}
	// Mostly the newest is asked for.
	if late, err := after(s.end - 1); err != nil || !late {
		return err
	}
	low, high := 0, s.end-1 // high is after
	for low < high {
		middle := (low + high) / 2
		late, err := after(middle)
		if err != nil {
			return err
		}
		if late {
			high = middle
		} else {
			low = middle + 1
		}
	}
	s.end = high
	return nil
}

// readAll reads the objects from one place to another, several at once, but for those that were.
func (w *walk) readAll(ctx context.Context, s *source, from, to int) error {
	records, bytes := make([][]audit.Record, to-from), make([]int, to-from)
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(ahead)
	for i := from; i < to; i++ {
		if _, there := s.kept[i]; there {
			continue
		}
		w.opened++
		group.Go(func() (err error) {
			records[i-from], bytes[i-from], err = s.read(inner, s.objects[i])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i := from; i < to; i++ {
		if _, there := s.kept[i]; !there {
			s.kept[i] = records[i-from]
			w.readBytes += int64(bytes[i-from])
		}
	}
	return nil
}

// spent says that as much was read as may be.
func (w *walk) spent() bool {
	return w.mostOpened > 0 && (w.opened >= w.mostOpened || w.readBytes >= w.mostBytes)
}

// next gives the record before the one before, and false at the end, or when the walk is spent.
func (w *walk) next(ctx context.Context) (audit.Record, bool, error) {
	var newest *source
	for _, s := range w.sources {
		if ok, err := w.ready(ctx, s); err != nil {
			return audit.Record{}, false, err
		} else if !ok {
			if s.end > 0 { // it is spent: what others have may be older than what is unread here
				return audit.Record{}, false, nil
			}
			continue
		}
		if newest == nil || laterThan(s.head(), newest.head()) {
			newest = s
		}
	}
	if newest == nil {
		return audit.Record{}, false, nil
	}
	r := newest.head()
	newest.left, newest.from = newest.left[:len(newest.left)-1], r.Number-1
	if !w.of.From.IsZero() && r.At.Before(w.of.From.Add(-clocks)) {
		newest.left, newest.end, newest.from = nil, 0, 0 // all that is before it is too old
	}
	return r, true, nil
}

func (s *source) head() audit.Record { return s.left[len(s.left)-1] }

func laterThan(a, b audit.Record) bool {
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Chain, b.Chain)) > 0
}

// ready sees to it that a source has a record at hand, and says whether it has.
func (w *walk) ready(ctx context.Context, s *source) (bool, error) {
	for len(s.left) == 0 {
		if s.end == 0 {
			return false, nil
		}
		at := s.end - 1
		if _, there := s.kept[at]; !there {
			if w.spent() {
				return false, nil
			}
			if err := w.readAll(ctx, s, max(0, s.end-s.ahead), s.end); err != nil {
				return false, err
			}
			s.ahead = min(2*s.ahead, ahead)
		}
		s.left, s.end = s.kept[at], at
		delete(s.kept, at)
		for len(s.left) > 0 && s.head().Number > s.from {
			s.left = s.left[:len(s.left)-1]
		}
	}
	return true, nil
}

// cursor says where the walk is: the number of the next record of each source. It is no secret of anybody who may search.
func (w *walk) cursor() string {
	positions := map[string]int64{}
	for _, s := range w.sources {
		switch {
		case len(s.left) > 0:
			positions[s.name] = s.head().Number
		case s.end > 0 && s.end < len(s.objects):
			positions[s.name] = min(s.from, s.objects[s.end]-1)
		case s.end > 0:
			positions[s.name] = s.from
		}
	}
	if len(positions) == 0 {
		return ""
	}
	text, err := json.Marshal(positions)
	if err != nil {
		return "" // names and numbers always encode
	}
	return base64.RawURLEncoding.EncodeToString(text)
}
