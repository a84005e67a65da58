package server_test

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/falloff-analytics/falloff/warehouse/query"
	"github.com/falloff-analytics/falloff/warehouse/server"
)

// sayings keep what is said of leaks in memory, each with what it was asked; the real ones are tried by the command.
type sayings struct {
	mu      sync.Mutex
	version int64
	said    []query.LeakSaid
	asked   int
	err     error
	by      []server.Asker
}

func (s *sayings) Said(context.Context, string) (int64, []query.LeakSaid, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return s.version, append([]query.LeakSaid(nil), s.said...), s.err
}

func (s *sayings) History(_ context.Context, _, leakID string) (*server.LeakHistory, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.said {
		if one.LeakID == leakID {
			return &server.LeakHistory{LeakID: leakID, State: one.State, InLedger: true, Said: []server.LeakStepSaid{}, Money: &server.LeakMoney{}}, nil
		}
	}
	return nil, server.Refuse(http.StatusNotFound, "unknown_leak", "no such leak", "look again")
}

func (s *sayings) Say(_ context.Context, by server.Asker, _ string, steps []server.LeakStep) ([]server.LeakStepSaid, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by = append(s.by, by)
	said := []server.LeakStepSaid{}
	for _, step := range steps {
		s.version++
		s.said = append(s.said, query.LeakSaid{LeakID: step.LeakID, State: step.State, Note: step.Note})
		said = append(said, server.LeakStepSaid{LeakID: step.LeakID, Sequence: 1, At: time.Unix(0, 0), From: "open", State: step.State, Actor: "p1_x"})
	}
	return said, nil
}
