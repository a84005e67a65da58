package chain

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/falloff-analytics/falloff/pipeline/audit"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// listed is what lies in the folder of one server, in the order of the numbers.
type listed struct {
	server                string
	key                   bool
	segments, checkpoints []int64
}

// list gives the servers of a lake in the order of their names, and the names of objects that are none of a chain's.
func list(ctx context.Context, store lake.Store) (servers []*listed, strange []string, err error) {
	for name, err := range store.List(ctx, Folder, "") {
		if err != nil {
			return nil, nil, fmt.Errorf("reading the servers' audit chains: %w", err)
		}
		o := parseName(name)
		if o.kind == "" {
			strange = append(strange, name)
			continue
		}
		i, found := slices.BinarySearchFunc(servers, o.server, func(l *listed, name string) int { return cmp.Compare(l.server, name) })
		if !found {
			servers = slices.Insert(servers, i, &listed{server: o.server})
		}
		switch l := servers[i]; o.kind {
		case keyName:
			l.key = true
		case segments:
			l.segments = append(l.segments, o.number)
		case checkpoints:
			l.checkpoints = append(l.checkpoints, o.number)
		}
	}
	return servers, strange, nil
}

const (
	// parallel is how many objects are read at once: enough to hide the way to S3.
	parallel = 16
	// window is how many are held in memory.
	window = 64
)

// each reads objects, several at once, and gives them to use in order. One that has vanished since it was listed is nil.
func each(ctx context.Context, store lake.Store, numbers []int64, name func(number int64) string, use func(number int64, body []byte) error) error {
	for part := range slices.Chunk(numbers, window) {
		bodies := make([][]byte, len(part))
		group, inner := errgroup.WithContext(ctx)
		group.SetLimit(parallel)
		for i, number := range part {
			group.Go(func() error {
				body, err := store.Get(inner, name(number))
				if err != nil && !errors.Is(err, lake.ErrNotFound) {
					return fmt.Errorf("reading the servers' audit chains: %w", err)
				}
				bodies[i] = body
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		for i, number := range part {
			if err := use(number, bodies[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// linesOf splits a segment into its lines, each with its end.
func linesOf(body []byte) [][]byte {
	lines := bytes.SplitAfter(body, []byte("\n"))
	if last := len(lines) - 1; len(lines[last]) == 0 {
		lines = lines[:last]
	}
	return lines
}

// Search finds records in the chains of all servers and in the log of commands, the oldest first. It does not verify them: see Verify.
// What a server has not sent yet is not found; Flush has it sent. Of a range of time it opens what can hold it; Find gives a page.
func Search(ctx context.Context, store lake.Store, f audit.Filter) ([]audit.Record, error) {
	w, err := newWalk(ctx, store, f, "")
	if err != nil {
		return nil, err
	}
	var out []audit.Record
	for {
		r, ok, err := w.next(ctx)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if f.Passes(r) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b audit.Record) int {
		if a.Chain == b.Chain {
			return cmp.Compare(a.Number, b.Number)
		}
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Chain, b.Chain))
	})
	return out, nil
}
