package chain_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/pipeline/audit/chain"
	"github.com/falloff-analytics/falloff/warehouse/lake"
	"github.com/falloff-analytics/falloff/warehouse/lake/storetest"
)

// counted counts the objects that are opened.
type counted struct {
	lake.Store
	opened atomic.Int64
}

func (c *counted) Get(ctx context.Context, name string) ([]byte, error) {
	c.opened.Add(1)
	return c.Store.Get(ctx, name)
}

// begins is when the long log begins; it has a record every minute.
var begins = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

const (
	longLog, inSegment = 100_000, 25
	longCommands       = 200
)

// longStore holds 100,000 records of a server in 4,000 segments, over 69 days, and 200 of commands spread over them. Now and then a clock
// goes back by some minutes.
func longStore(t *testing.T) *counted {
	t.Helper()
	store := &storetest.Memory{}
	line := func(chainName string, number int64, at time.Time, person string) []byte {
		text, err := json.Marshal(audit.Record{Number: number, At: at, Chain: chainName, Entry: audit.Entry{Person: person, Action: audit.QueryAnswered, Clinic: "harbour"}})
		if err != nil {
			t.Fatal(err)
		}
		return append(text, '\n')
	}
	var segment bytes.Buffer
	first := int64(1)
	for n := int64(1); n <= longLog; n++ {
		at := begins.Add(time.Duration(n) * time.Minute)
		if n%997 == 0 {
			at = at.Add(-20 * time.Minute)
		}
		person := "ada"
		if n == 17 {
			person = "rare"
		}
		segment.Write(line("desk", n, at, person))
		if n%inSegment == 0 {
			if err := store.Create(t.Context(), fmt.Sprintf("audit/servers/desk/segments/%012d.jsonl", first), bytes.Clone(segment.Bytes())); err != nil {
				t.Fatal(err)
			}
			segment.Reset()
			first = n + 1
		}
	}
	for n := int64(1); n <= longCommands; n++ {
		at := begins.Add(time.Duration(n) * longLog / longCommands * time.Minute).Add(time.Second)
		if err := store.Create(t.Context(), fmt.Sprintf("audit/log/%012d.json", n), line("", n, at, "ben")); err != nil {
			t.Fatal(err)
		}
	}
	return &counted{Store: store}
}

func find(t *testing.T, store *counted, f audit.Filter, before string, limit int) (chain.Page, int64) {
	t.Helper()
	was := store.opened.Load()
	page, err := chain.Find(t.Context(), store, f, before, limit)
	if err != nil {
		t.Fatal(err)
	}
	return page, store.opened.Load() - was
}

// placesOf name records.
func placesOf(records []audit.Record) []string {
	var out []string
	for _, r := range records {
		out = append(out, fmt.Sprintf("%s/%d", r.Chain, r.Number))
	}
	return out
}

func TestASearchOpensWhatCanHoldItsRecords(t *testing.T) {
	store := longStore(t)
	day := func(n int) time.Time { return begins.AddDate(0, 0, n) }

	// The newest page: of 4,200 objects a few.
	page, opened := find(t, store, audit.Filter{}, "", 100)
	if got := placesOf(page.Records); len(got) != 100 || got[0] != "/200" || got[1] != "desk/100000" || page.Next == "" || !page.More {
		t.Errorf("the newest page: %v, next %q", got, page.Next)
	}
	if opened > 20 {
		t.Errorf("the newest page opened %d objects", opened)
	}

	// A day in the middle: 1,440 records of the server in 58 segments, 3 of commands; an hour about it is looked at, too.
	within := audit.Filter{From: day(30), To: day(31)}
	page, opened = find(t, store, within, "", 5000)
	want := 0
	for n := int64(1); n <= longLog; n++ {
		at := begins.Add(time.Duration(n) * time.Minute)
		if n%997 == 0 {
			at = at.Add(-20 * time.Minute)
		}
		if !at.Before(day(30)) && at.Before(day(31)) {
			want++
		}
	}
	byServer := slices.DeleteFunc(slices.Clone(page.Records), func(r audit.Record) bool { return r.Chain == "" })
	if len(byServer) != want || len(page.Records)-want < 2 || page.Next != "" || page.More {
		t.Errorf("%d records of a day, and %d of commands, and there are %d; next %q", len(byServer), len(page.Records)-len(byServer), want, page.Next)
	}
	if opened > 150 {
		t.Errorf("a day opened %d objects of 4,200", opened)
	}
	was := store.opened.Load()
	all, err := chain.Search(t.Context(), store, within)
	if err != nil || len(all) != len(page.Records) || store.opened.Load()-was > 150 {
		t.Errorf("Search finds %d by opening %d: %v", len(all), store.opened.Load()-was, err)
	}

	// In pages it is the same, whatever is recorded meanwhile.
	var paged []audit.Record
	before := ""
	for range 100 {
		part, opened := find(t, store, within, before, 97)
		if opened > 40 {
			t.Errorf("a page of 97 opened %d objects", opened)
		}
		paged = append(paged, part.Records...)
		if before == "" {
			if err := store.Create(t.Context(), "audit/servers/new/segments/000000000001.jsonl",
				[]byte(`{"number":1,"at":"2026-01-31T12:00:00Z","chain":"new","person":"eve","action":"query.answered"}`+"\n")); err != nil {
				t.Fatal(err)
			}
		}
		if before = part.Next; before == "" {
			break
		}
	}
	if got, want := placesOf(paged), placesOf(page.Records); !slices.Equal(got, want) {
		t.Errorf("in pages there are %d records, and in one %d", len(got), len(want))
	}
	if !slices.IsSortedFunc(byServer, func(a, b audit.Record) int { return int(b.Number - a.Number) }) {
		t.Error("the records of a server are not the newest first")
	}
}

func TestASearchForWhatIsRareIsBounded(t *testing.T) {
	store := longStore(t)
	rare := audit.Filter{Person: "rare"}
	var pages int
	var found []audit.Record
	before, back := "", begins.AddDate(1, 0, 0)
	for range 10 {
		page, opened := find(t, store, rare, before, 100)
		pages++
		if opened > 2_016 {
			t.Errorf("page %d opened %d objects", pages, opened)
		}
		if !page.Back.Before(back) {
			t.Errorf("page %d looked back to %s, and the one before to %s", pages, page.Back, back)
		}
		back = page.Back
		found = append(found, page.Records...)
		if before = page.Next; before == "" {
			break
		}
	}
	if got := placesOf(found); pages != 3 || !slices.Equal(got, []string{"desk/17"}) {
		t.Errorf("in %d pages: %v", pages, got)
	}
}

func TestACursorThatIsNone(t *testing.T) {
	store := &counted{Store: &storetest.Memory{}}
	for _, cursor := range []string{"desk/4", "!", "bnVsbA", strings.Repeat("A", 10_000)} {
		if _, err := chain.Find(t.Context(), store, audit.Filter{}, cursor, 10); !errors.Is(err, chain.ErrCursor) {
			t.Errorf("%.20s: %v", cursor, err)
		}
	}
}
