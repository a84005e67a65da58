package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// ErrNotErased is returned where something of a patient is still there.
var ErrNotErased = errors.New("a pseudonym of the patient is still there")

// ProveErased reads everything that lies in a clinic's prefix, and looks for a patient's pseudonyms in the stored bytes and, of all
// that any commit names, in the rows. It says how many objects it read. An error with ErrNotErased names those that have one.
func (c *Clinic) ProveErased(ctx context.Context, texts []string) (searched int, err error) {
	e := &erasing{clinic: c, commits: map[int64]*Commit{}}
	if err := e.survey(ctx); err != nil {
		return 0, fmt.Errorf("search clinic %s: %w", c.id, err)
	}
	p := &proof{clinic: c, sought: soughtTexts(texts), named: map[string]Object{}}
	for _, commit := range e.commits {
		for o := range commit.objects {
			o, _ = e.redirects.Resolve(o)
			o.erased = true // what else is true of it Verify says
			p.named[o.Path] = o
		}
	}
	group, searching := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	var listing error
	for t, err := range Everything(ctx, c.store, c.name("")) {
		if err != nil {
			listing = err
			break
		}
		group.Go(func() error { return p.search(searching, t) })
	}
	if err := errors.Join(group.Wait(), listing); err != nil {
		return p.searched, fmt.Errorf("search clinic %s: %w", c.id, err)
	}
	if len(p.found) > 0 {
		slices.Sort(p.found)
		return p.searched, fmt.Errorf("%w, in clinic %s: %s", ErrNotErased, c.id, strings.Join(p.found, ", "))
	}
	return p.searched, nil
}

// proof is one ProveErased at work.
type proof struct {
	clinic *Clinic
	sought sought
	named  map[string]Object

	mu       sync.Mutex
	searched int
	found    []string
}

func (p *proof) search(ctx context.Context, t Thing) error {
	path := strings.TrimPrefix(t.Name, p.clinic.name(""))
	rows := slices.ContainsFunc(rowFolders, func(folder string) bool { return strings.HasPrefix(path, folder) })
	if t.Earlier {
		if rows {
			p.note(path + " (an earlier version)")
		}
		return nil
	}
	stored, err := p.clinic.store.Get(ctx, t.Name)
	if errors.Is(err, ErrNotFound) {
		return nil // a register went on meanwhile
	}
	if err != nil {
		return err
	}
	found, err := p.in(ctx, path, stored, rows)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.searched++
	p.mu.Unlock()
	if found {
		p.note(path)
	}
	return nil
}

func (p *proof) in(ctx context.Context, path string, stored []byte, rows bool) (bool, error) {
	if p.sought.in(stored) {
		return true, nil
	}
	o, named := p.named[path]
	switch {
	case named && o.isTable():
		return p.clinic.holds(ctx, o, stored, p.sought)
	case named:
		body, err := p.clinic.reads(o).open(stored)
		if err != nil {
			return false, fmt.Errorf("object %s: %w", path, err)
		}
		if bytes.Equal(body, stored) && !rows {
			return false, nil
		}
		return p.clinic.holds(ctx, o, body, p.sought)
	case rows:
		return p.clinic.unnamedHolds(ctx, path, p.sought)
	}
	return false, nil
}

func (p *proof) note(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found = append(p.found, path)
}
