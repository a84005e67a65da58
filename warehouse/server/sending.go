package server

import "sync"

// sending counts the bytes of answers that are on their way, and holds them below a bound. One answer may always go.
type sending struct {
	mu   sync.Mutex
	held int64
	most int64
}

func (s *sending) take(bytes int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held > 0 && s.held+bytes > s.most {
		return false
	}
	s.held += bytes
	return true
}

func (s *sending) give(bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held -= bytes
}

func (s *sending) bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}
