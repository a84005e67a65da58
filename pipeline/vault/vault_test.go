package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/falloff-analytics/falloff/transforms/identity"
)

// memory is a clinic's store in memory.
type memory struct {
	mu   sync.Mutex
	body map[string][]byte
}

func (m *memory) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b, ok := m.body[key]; ok {
		return b, nil
	}
	return nil, fs.ErrNotExist
}

func (m *memory) Create(_ context.Context, key string, body []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.body[key]; ok {
		return fs.ErrExist
	}
	m.body[key] = body
	return nil
}

func newMemory() *memory { return &memory{body: map[string][]byte{}} }

func same(a, b identity.Secret) bool { return bytes.Equal(a.Expose(), b.Expose()) }

func paths(t *testing.T) Paths {
	t.Helper()
	p, err := DefaultPaths(filepath.Join(t.TempDir(), "config"), "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustMachine(t *testing.T, p Paths) identity.Secret {
	t.Helper()
	k, _, err := Machine(p)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestMachineKeyIsMadeOnceAndPrivate(t *testing.T) {
	p := paths(t)
	a, made, err := Machine(p)
	if err != nil || !made {
		t.Fatalf("first use: made=%v, %v", made, err)
	}
	b, made, err := Machine(p)
	if err != nil || made || !same(a, b) {
		t.Fatalf("second use: made=%v, same=%v, %v", made, same(a, b), err)
	}
	st, err := os.Stat(p.KeyFile)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", st.Mode(), err)
	}
	if err := os.Chmod(p.KeyFile, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Machine(p); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Fatalf("a key that others can read: %v", err)
	}
}

func TestBrokenMachineKeyNamesTheFile(t *testing.T) {
	p := paths(t)
	mustMachine(t, p)
	if err := os.WriteFile(p.KeyFile, []byte("not hex"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Machine(p); err == nil || !strings.Contains(err.Error(), p.KeyFile) {
		t.Fatalf("got %v", err)
	}
}

func TestClinicKeyStaysAcrossLakesOfOneMachine(t *testing.T) {
	ctx, p := context.Background(), paths(t)
	m := mustMachine(t, p)
	first, second := newMemory(), newMemory()
	a, made, err := Clinic(ctx, p, m, "harbour", first)
	if err != nil || !made {
		t.Fatalf("made=%v, %v", made, err)
	}
	again, made, err := Clinic(ctx, p, m, "harbour", first)
	if err != nil || made || !same(again, a) {
		t.Fatalf("same lake: made=%v same=%v, %v", made, same(again, a), err)
	}
	b, _, err := Clinic(ctx, p, m, "harbour", second)
	if err != nil || !same(a, b) {
		t.Fatalf("a lake built again has another key: %v", err)
	}
	other, _, err := Clinic(ctx, p, m, "hillside", newMemory())
	if err != nil || same(other, a) {
		t.Fatalf("two clinics share a key: %v", err)
	}
}

func TestClinicKeyNeedsItsMachineAndItsClinic(t *testing.T) {
	ctx, p, q := context.Background(), paths(t), paths(t)
	m, stranger := mustMachine(t, p), mustMachine(t, q)
	lake := newMemory()
	if _, _, err := Clinic(ctx, p, m, "harbour", lake); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Clinic(ctx, q, stranger, "harbour", lake); err == nil || !strings.Contains(err.Error(), "--key-file") {
		t.Fatalf("another machine's key: %v", err)
	}
	if _, _, err := Clinic(ctx, p, m, "hillside", lake); err == nil {
		t.Fatal("a key sealed for one clinic opened for another")
	}
	body := lake.body[clinicKeyObject]
	var s sealed
	if err := json.Unmarshal(body, &s); err != nil {
		t.Fatal(err)
	}
	s.Body[len(s.Body)-1] ^= 1
	lake.body[clinicKeyObject], _ = json.Marshal(s)
	if _, _, err := Clinic(ctx, p, m, "harbour", lake); err == nil {
		t.Fatal("a changed sealed key opened")
	}
}

func TestRacersAgreeOnOneKey(t *testing.T) {
	ctx, p, lake := context.Background(), paths(t), newMemory()
	keys := make([]identity.Secret, 16)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			m, _, err := Machine(p)
			if err != nil {
				t.Error(err)
				return
			}
			if keys[i], _, err = Clinic(ctx, p, m, "harbour", lake); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range keys {
		if !same(keys[i], keys[0]) {
			t.Fatalf("racer %d got another key", i)
		}
	}
}
