package storetest

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Memory is a Store that lasts as long as the process: for the thousands of short histories that a property test needs.
type Memory struct {
	// Now is the clock that dates objects; nil is time.Now.
	Now func() time.Time

	mu      sync.Mutex
	objects map[string]remembered
}

type remembered struct {
	body     []byte
	modified time.Time
}

// String implements lake.Store.
func (m *Memory) String() string { return "memory" }

func (m *Memory) check(ctx context.Context, op, name string) error {
	err := ctx.Err()
	if err == nil {
		err = lake.ValidName(name)
	}
	if err != nil {
		return &lake.StoreError{Op: op, Name: name, Store: m.String(), Err: err}
	}
	return nil
}

// Get implements lake.Store.
func (m *Memory) Get(ctx context.Context, name string) ([]byte, error) {
	if err := m.check(ctx, "get", name); err != nil { //nolint:goconst // the operations of lake.StoreError
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	object, ok := m.objects[name]
	if !ok {
		return nil, &lake.StoreError{Op: "get", Name: name, Store: m.String(), Err: lake.ErrNotFound}
	}
	return slices.Clone(object.body), nil
}

// GetRange implements lake.Store.
func (m *Memory) GetRange(ctx context.Context, name string, offset, length int64) ([]byte, error) {
	body, err := m.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	if offset < 0 || length < 0 {
		return nil, &lake.StoreError{Op: "get", Name: name, Store: m.String(), Err: fmt.Errorf("range of %d bytes from %d", length, offset)}
	}
	if int64(len(body))-offset < length {
		return nil, &lake.StoreError{Op: "get", Name: name, Store: m.String(), Err: io.ErrUnexpectedEOF}
	}
	return body[offset : offset+length], nil
}

// Create implements lake.Store.
func (m *Memory) Create(ctx context.Context, name string, body []byte) error {
	if err := m.check(ctx, "create", name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.objects[name]; ok {
		return &lake.StoreError{Op: "create", Name: name, Store: m.String(), Err: lake.ErrExists}
	}
	m.put(name, body)
	return nil
}

// put stores an object. The lock is held.
func (m *Memory) put(name string, body []byte) {
	if m.objects == nil {
		m.objects = map[string]remembered{}
	}
	now := time.Now
	if m.Now != nil {
		now = m.Now
	}
	m.objects[name] = remembered{slices.Clone(body), now()}
}

// Replace implements lake.Store.
func (m *Memory) Replace(ctx context.Context, name string, body []byte) error {
	if err := m.check(ctx, "replace", name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(name, body)
	return nil
}

// List implements lake.Store.
func (m *Memory) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return lake.NamesOf(m.Entries(ctx, prefix, after))
}

// Entries implements lake.Store.
func (m *Memory) Entries(ctx context.Context, prefix, after string) iter.Seq2[lake.Entry, error] {
	return func(yield func(lake.Entry, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(lake.Entry{}, &lake.StoreError{Op: "list", Name: prefix, Store: m.String(), Err: err})
			return
		}
		var entries []lake.Entry
		m.mu.Lock()
		for name, o := range m.objects {
			if strings.HasPrefix(name, prefix) && name > after {
				entries = append(entries, lake.Entry{Name: name, Bytes: int64(len(o.body)), Modified: o.modified})
			}
		}
		m.mu.Unlock()
		slices.SortFunc(entries, func(a, b lake.Entry) int { return strings.Compare(a.Name, b.Name) })
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Delete implements lake.Store.
func (m *Memory) Delete(ctx context.Context, name string) error {
	if err := m.check(ctx, "delete", name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, name)
	return nil
}
