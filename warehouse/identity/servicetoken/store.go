package servicetoken

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// Store is the file with the tokens. It may be used by several goroutines and processes at once; who reads sees a change of another
// process at the next look.
type Store struct {
	path   string
	now    func() time.Time
	random io.Reader
	log    func(ctx context.Context, event Event, token Token) error

	mu   sync.Mutex
	read *file
	seen fs.FileInfo
}

// Options are what a store needs.
type Options struct {
	// Path is the file, which need not be there yet.
	Path string
	// Now is the clock, Random the source of tokens; nil for time.Now and crypto/rand.
	Now    func() time.Time
	Random io.Reader
	// Log is told each step before it is done; where it fails, the step is not done. It may be nil for whoever only looks.
	Log func(ctx context.Context, event Event, token Token) error
}

// Open makes a store, without reading the file.
func Open(o Options) *Store {
	s := &Store{path: o.Path, now: o.Now, random: o.Random, log: o.Log}
	if s.now == nil {
		s.now = time.Now
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	if s.log == nil {
		s.log = func(context.Context, Event, Token) error {
			return errors.New("service tokens are only looked at here, not changed")
		}
	}
	return s
}

// file is what is in the file.
type file struct {
	Version int    `json:"version"`
	Tokens  []kept `json:"tokens"`
	// Strangers are when codes of no token were tried.
	Strangers []time.Time `json:"strangers,omitempty"`
}

// kept is a token with its hashes.
type kept struct {
	Token
	Hash     string      `json:"hash"`
	CodeHash string      `json:"code_hash,omitempty"`
	Tries    []time.Time `json:"tries,omitempty"`
}

const (
	fileVersion = 1
	largestFile = 4 << 20
)

func (f *file) find(id string) (*kept, bool) {
	for i := range f.Tokens {
		if f.Tokens[i].ID == id && id != "" {
			return &f.Tokens[i], true
		}
	}
	return nil, false
}

// current gives what is in the file, read anew if it is another than last time. The answer must not be changed.
func (s *Store) current() (*file, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return &file{Version: fileVersion}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking at the service tokens: %w", err)
	}
	// A change puts another file in the place of this one.
	if s.read != nil && os.SameFile(info, s.seen) && info.ModTime().Equal(s.seen.ModTime()) && info.Size() == s.seen.Size() {
		return s.read, nil
	}
	read, err := s.load()
	if err != nil {
		return nil, err
	}
	s.read, s.seen = read, info
	return read, nil
}

func (s *Store) load() (*file, error) {
	out := &file{Version: fileVersion}
	opened, err := os.Open(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the service tokens: %w", err)
	}
	defer func() { _ = opened.Close() }()
	info, err := opened.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading the service tokens: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the service tokens in %s are open to others (mode %04o): run chmod 600 on it", s.path, info.Mode().Perm())
	}
	body, err := io.ReadAll(io.LimitReader(opened, largestFile))
	if err != nil {
		return nil, fmt.Errorf("reading the service tokens: %w", err)
	}
	if err := json.Unmarshal(body, out); err != nil || out.Version != fileVersion {
		return nil, fmt.Errorf("the service tokens in %s cannot be read: restore the file, or move it away and issue tokens anew", s.path)
	}
	return out, nil
}

// change changes the file as one step: alone among processes, and as a whole or not at all.
func (s *Store) change(step func(*file) error) error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return fmt.Errorf("keeping the service tokens: %w", err)
	}
	unlock, err := lockedfile.MutexAt(s.path + ".lock").Lock()
	if err != nil {
		return fmt.Errorf("keeping the service tokens: %w", err)
	}
	defer unlock()
	kept, err := s.load()
	if err != nil {
		return err
	}
	if err := step(kept); err != nil {
		return err
	}
	body, err := json.MarshalIndent(kept, "", "  ")
	if err != nil {
		return fmt.Errorf("keeping the service tokens: %w", err)
	}
	if err := replace(s.path, append(body, '\n')); err != nil {
		return fmt.Errorf("keeping the service tokens: %w", err)
	}
	return nil
}

// replace puts a file in the place of the one that is there, durably: whoever reads meanwhile sees the one or the other.
func replace(path string, body []byte) error {
	next, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = next.Write(body)
	if err == nil {
		err = next.Sync()
	}
	if err = errors.Join(err, next.Close()); err == nil {
		err = os.Rename(next.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(next.Name()))
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
