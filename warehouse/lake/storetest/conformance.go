// Package storetest holds every lake.Store to its contract, and gives tests what they need of stores: a real S3 server and
// a store that fails when told to.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Run holds a store to the contract of lake.Store. The function gives an empty store; each test asks for its own.
func Run(t *testing.T, open func(t *testing.T) lake.Store) {
	t.Helper()
	tests := []struct {
		name string
		run  func(t *testing.T, s lake.Store)
	}{
		{"what was created is read back", roundTrip},
		{"an object is created once", createOnce},
		{"of 32 racing writers one wins", race},
		{"an absent object is named as such", absent},
		{"a range is exact or an error", ranges},
		{"a list is ordered, complete and resumable", list},
		{"a list goes over more than one page", longList},
		{"an entry says how big an object is and how old", entries},
		{"an object is replaced whole", replaces},
		{"delete is final and repeatable", deletes},
		{"names that could leave the store are refused", names},
		{"an ended context ends every call", cancelled},
		{"creating and deleting neighbours do not disturb each other", neighbours},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// Names is all names of a store that begin with prefix.
func Names(tb testing.TB, s lake.Store, prefix string) []string {
	tb.Helper()
	return after(tb, s, prefix, "")
}

func after(tb testing.TB, s lake.Store, prefix, start string) []string {
	tb.Helper()
	var names []string
	for name, err := range s.List(context.Background(), prefix, start) {
		if err != nil {
			tb.Fatalf("list %q: %v", prefix, err)
		}
		names = append(names, name)
	}
	return names
}

func create(t *testing.T, s lake.Store, name string, body []byte) {
	t.Helper()
	if err := s.Create(t.Context(), name, body); err != nil {
		t.Fatalf("create %s: %v", name, err)
	}
}

func roundTrip(t *testing.T, s lake.Store) {
	t.Helper()
	large := bytes.Repeat([]byte("0123456789abcdef"), 400_000)
	for name, body := range map[string][]byte{
		"a":                            []byte("one byte's folder"),
		"clinic=x/data/a_b/m.parquet":  large,
		"clinic=x/commits/000001.json": []byte("{}"),
		"empty":                        {},
	} {
		create(t, s, name, body)
		got, err := s.Get(t.Context(), name)
		if err != nil {
			t.Fatalf("get %s: %v", name, err)
		}
		if !bytes.Equal(got, body) {
			t.Errorf("%s: %d bytes came back of %d, or other ones", name, len(got), len(body))
		}
	}
}

func createOnce(t *testing.T, s lake.Store) {
	t.Helper()
	create(t, s, "c/1", []byte("first"))
	if err := s.Create(t.Context(), "c/1", []byte("second")); !errors.Is(err, lake.ErrExists) {
		t.Fatalf("the second create returned %v, not ErrExists", err)
	}
	if got, err := s.Get(t.Context(), "c/1"); err != nil || string(got) != "first" {
		t.Fatalf("after a refused create the object reads %q, %v", got, err)
	}
	if got := Names(t, s, ""); !slices.Equal(got, []string{"c/1"}) {
		t.Fatalf("a refused create left %v", got)
	}
}

func race(t *testing.T, s lake.Store) {
	t.Helper()
	const writers = 32
	for round := range 5 {
		name := fmt.Sprintf("commits/%06d.json", round)
		errs := make([]error, writers)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				<-start
				errs[w] = s.Create(t.Context(), name, fmt.Appendf(nil, "writer %d", w))
			})
		}
		close(start)
		wg.Wait()
		winner := -1
		for w, err := range errs {
			switch {
			case err == nil && winner >= 0:
				t.Fatalf("round %d: writers %d and %d both won", round, winner, w)
			case err == nil:
				winner = w
			case !errors.Is(err, lake.ErrExists):
				t.Fatalf("round %d: a loser got %v, not ErrExists", round, err)
			}
		}
		if winner < 0 {
			t.Fatalf("round %d: nobody won", round)
		}
		if got, err := s.Get(t.Context(), name); err != nil || string(got) != fmt.Sprintf("writer %d", winner) {
			t.Fatalf("round %d: writer %d won, but the object reads %q, %v", round, winner, got, err)
		}
	}
}

func absent(t *testing.T, s lake.Store) {
	t.Helper()
	create(t, s, "folder/file", []byte("x"))
	for _, name := range []string{"nothing", "folder", "folder/other", "folder/file/below"} {
		if _, err := s.Get(t.Context(), name); !errors.Is(err, lake.ErrNotFound) {
			t.Errorf("get %s: %v, not ErrNotFound", name, err)
		}
		if _, err := s.GetRange(t.Context(), name, 0, 1); !errors.Is(err, lake.ErrNotFound) {
			t.Errorf("get range of %s: %v, not ErrNotFound", name, err)
		}
	}
	if got := Names(t, s, "nothing"); len(got) != 0 {
		t.Errorf("list of an absent prefix: %v", got)
	}
}

func ranges(t *testing.T, s lake.Store) {
	t.Helper()
	create(t, s, "o", []byte("0123456789"))
	for _, r := range []struct {
		offset, length int64
		want           string
	}{{0, 10, "0123456789"}, {0, 1, "0"}, {9, 1, "9"}, {3, 4, "3456"}, {4, 0, ""}} {
		got, err := s.GetRange(t.Context(), "o", r.offset, r.length)
		if err != nil || string(got) != r.want {
			t.Errorf("%d bytes from %d: %q, %v; want %q", r.length, r.offset, got, err, r.want)
		}
	}
	for _, r := range [][2]int64{{0, 11}, {9, 2}, {10, 1}, {11, 1}, {1 << 40, 1}, {0, 1 << 40}} {
		if got, err := s.GetRange(t.Context(), "o", r[0], r[1]); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes from %d of 10: %q, %v; want io.ErrUnexpectedEOF", r[1], r[0], got, err)
		}
	}
	for _, r := range [][2]int64{{-1, 1}, {0, -1}} {
		if _, err := s.GetRange(t.Context(), "o", r[0], r[1]); err == nil {
			t.Errorf("%d bytes from %d: no error", r[1], r[0])
		}
	}
}

func list(t *testing.T, s lake.Store) {
	t.Helper()
	// '-' and '.' sort before '/', so walking folder by folder would give another order than that of the bytes.
	all := []string{"a", "b-c/x", "b.c/x", "b/x", "b/x2/y", "b/x3", "b0/x", "c/1"}
	for _, name := range slices.Backward(all) {
		if name == "a" || name == "b/x" { //nolint:goconst // names are read against the list above
			continue
		}
		create(t, s, name, []byte(name))
	}
	create(t, s, "a", []byte("a"))
	create(t, s, "b/x", []byte("b/x"))
	for _, want := range []struct {
		prefix, after string
		names         []string
	}{
		{"", "", all},
		{"b", "", all[1:7]},
		{"b/", "", all[3:6]},
		{"b/x", "", all[3:6]},
		{"b/x2", "", all[4:5]},
		{"b/x2/", "", all[4:5]},
		{"", "b/x", all[4:]},
		{"", "b/x2", all[4:]},
		{"", "b/x2/y", all[5:]},
		{"", "b/x2/z", all[5:]},
		{"b", "b/", all[3:7]},
		{"b", "a", all[1:7]},
		{"b", "b0", all[6:7]},
		{"b", "c", nil},
		{"z", "", nil},
	} {
		if got := after(t, s, want.prefix, want.after); !slices.Equal(got, want.names) {
			t.Errorf("list %q after %q: %v, want %v", want.prefix, want.after, got, want.names)
		}
	}
	for name, err := range s.List(t.Context(), "b", "") {
		if err != nil || name != "b-c/x" {
			t.Fatalf("the first name is %q, %v", name, err)
		}
		break // a caller may stop early
	}
}

func longList(t *testing.T, s lake.Store) {
	t.Helper()
	const objects = 1100 // S3 gives at most 1000 names at once
	want := make([]string, 0, objects)
	var wg sync.WaitGroup
	gate := make(chan struct{}, 16)
	errs := make([]error, objects)
	for i := range objects {
		name := fmt.Sprintf("commits/%06d.json", i)
		want = append(want, name)
		wg.Go(func() {
			gate <- struct{}{}
			errs[i] = s.Create(t.Context(), name, []byte("{}"))
			<-gate
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if got := Names(t, s, "commits/"); !slices.Equal(got, want) {
		t.Errorf("%d names, want %d in order", len(got), objects)
	}
}

func entries(t *testing.T, s lake.Store) {
	t.Helper()
	create(t, s, "e/first", bytes.Repeat([]byte("x"), 1234))
	create(t, s, "e/second", nil)
	var got []lake.Entry
	for e, err := range s.Entries(t.Context(), "e/", "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	if len(got) != 2 || got[0].Name != "e/first" || got[0].Bytes != 1234 || got[1].Name != "e/second" || got[1].Bytes != 0 {
		t.Fatalf("%+v", got)
	}
	for _, e := range got {
		if age := time.Since(e.Modified); age < -time.Minute || age > 10*time.Minute {
			t.Errorf("%s is said to be %v old", e.Name, age)
		}
	}
	for e, err := range s.Entries(t.Context(), "e/", "e/first") {
		if err != nil || e.Name != "e/second" {
			t.Errorf("after the first: %+v, %v", e, err)
		}
	}
}

func replaces(t *testing.T, s lake.Store) {
	t.Helper()
	short, long := []byte("short"), bytes.Repeat([]byte("long"), 50_000)
	for _, body := range [][]byte{short, long, {}, short} {
		if err := s.Replace(t.Context(), "r/x", body); err != nil {
			t.Fatalf("replace: %v", err)
		}
		if got, err := s.Get(t.Context(), "r/x"); err != nil || !bytes.Equal(got, body) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	if err := s.Create(t.Context(), "r/x", nil); !errors.Is(err, lake.ErrExists) {
		t.Errorf("create over it: %v", err)
	}
	// A reader beside writers sees one of theirs.
	var wg sync.WaitGroup
	errs := make([]error, 5)
	for w := range 4 {
		wg.Go(func() {
			for range 10 {
				errs[w] = errors.Join(errs[w], s.Replace(t.Context(), "r/x", [][]byte{short, long}[w%2]))
			}
		})
	}
	wg.Go(func() {
		for range 40 {
			got, err := s.Get(t.Context(), "r/x")
			if err == nil && !bytes.Equal(got, short) && !bytes.Equal(got, long) {
				err = fmt.Errorf("a reader got %d bytes", len(got))
			}
			errs[4] = errors.Join(errs[4], err)
		}
	})
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

func deletes(t *testing.T, s lake.Store) {
	t.Helper()
	create(t, s, "d/e/f", []byte("1"))
	create(t, s, "d/g", []byte("2"))
	for range 2 {
		if err := s.Delete(t.Context(), "d/e/f"); err != nil {
			t.Fatalf("delete: %v", err)
		}
	}
	if _, err := s.Get(t.Context(), "d/e/f"); !errors.Is(err, lake.ErrNotFound) {
		t.Errorf("a deleted object: %v", err)
	}
	if got := Names(t, s, ""); !slices.Equal(got, []string{"d/g"}) {
		t.Errorf("after the deletion: %v", got)
	}
	create(t, s, "d/e/f", []byte("again"))
	if got, err := s.Get(t.Context(), "d/e/f"); err != nil || string(got) != "again" {
		t.Errorf("created again: %q, %v", got, err)
	}
}

func names(t *testing.T, s lake.Store) {
	t.Helper()
	for _, name := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", "./a", ".tmp/x", "a/.b", "-a", "a\x00b", "a b", "A", `a\b`, "ä",
		string(bytes.Repeat([]byte("a/"), 600)) + "a",
	} {
		if err := s.Create(t.Context(), name, []byte("x")); err == nil || errors.Is(err, lake.ErrExists) {
			t.Errorf("create %q: %v", name, err)
		}
		if _, err := s.Get(t.Context(), name); err == nil {
			t.Errorf("get %q: no error", name)
		}
		if err := s.Replace(t.Context(), name, nil); err == nil {
			t.Errorf("replace %q: no error", name)
		}
		if err := s.Delete(t.Context(), name); err == nil {
			t.Errorf("delete %q: no error", name)
		}
	}
	if got := Names(t, s, ""); len(got) != 0 {
		t.Errorf("refused names left %v", got)
	}
}

func cancelled(t *testing.T, s lake.Store) {
	t.Helper()
	create(t, s, "x", []byte("1"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Get(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("get: %v", err)
	}
	if err := s.Create(ctx, "y", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("create: %v", err)
	}
	if err := s.Replace(ctx, "x", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("replace: %v", err)
	}
	for _, err := range s.Entries(ctx, "", "") {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("entries: %v", err)
		}
	}
	if err := s.Delete(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("delete: %v", err)
	}
	for _, err := range s.List(ctx, "", "") {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("list: %v", err)
		}
	}
	if got := Names(t, s, ""); !slices.Equal(got, []string{"x"}) {
		t.Errorf("after ended contexts: %v", got)
	}
}

func neighbours(t *testing.T, s lake.Store) {
	t.Helper()
	// One object stays, so that the folder does: the gateway's directory backend loses a race between making a folder and
	// removing it as empty, which S3, having no folders, does not know.
	create(t, s, "shared/folder/stays", nil)
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for w := range errs {
		wg.Go(func() {
			for i := range 20 {
				name := fmt.Sprintf("shared/folder/%d-%d", w, i)
				if err := s.Create(t.Context(), name, []byte(name)); err != nil {
					errs[w] = err
					return
				}
				got, err := s.Get(t.Context(), name)
				if err != nil || string(got) != name {
					errs[w] = fmt.Errorf("get %s: %q, %w", name, got, err)
					return
				}
				if err := s.Delete(t.Context(), name); err != nil {
					errs[w] = err
					return
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if got := Names(t, s, ""); !slices.Equal(got, []string{"shared/folder/stays"}) {
		t.Errorf("left over: %v", got)
	}
}
