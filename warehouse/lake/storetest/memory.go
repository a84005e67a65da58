package storetest

import (
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// Memory is a Store that lasts as long as the process: for the thousands of short histories that a property test needs.
type Memory struct {
	mu      sync.Mutex
	objects map[string][]byte
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
	body, ok := m.objects[name]
	if !ok {
		return nil, &lake.StoreError{Op: "get", Name: name, Store: m.String(), Err: lake.ErrNotFound}
	}
	return slices.Clone(body), nil
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
	if m.objects == nil {
		m.objects = map[string][]byte{}
	}
	m.objects[name] = slices.Clone(body)
	return nil
}

// List implements lake.Store.
func (m *Memory) List(ctx context.Context, prefix, after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := ctx.Err(); err != nil {
			yield("", &lake.StoreError{Op: "list", Name: prefix, Store: m.String(), Err: err})
			return
		}
		m.mu.Lock()
		names := slices.Sorted(maps.Keys(m.objects))
		m.mu.Unlock()
		for _, name := range names {
			if strings.HasPrefix(name, prefix) && name > after && !yield(name, nil) {
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
