package server

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// answerKey names one answer: the same snapshot, asked the same by people who see the same, gives the same bytes.
type answerKey [sha256.Size]byte

// keyOf is the key of an answer. The parts are encoded with their lengths, so that no two lists of parts run together.
func keyOf(parts ...any) (answerKey, error) {
	text, err := json.Marshal(parts) // maps are written in the order of their keys
	if err != nil {
		return answerKey{}, fmt.Errorf("naming an answer: %w", err)
	}
	return sha256.Sum256(text), nil
}

// stored is an encoded answer.
type stored struct {
	body       []byte
	rows       int64
	suppressed int64
}

// overhead is about what an entry costs beside its body.
const overhead = 256

// answers keeps encoded answers, the lately used ones, within a number of bytes. A snapshot's commit is part of every key, so
// that nothing in it is ever stale; what nobody asks for any more is pushed out.
type answers struct {
	mu    sync.Mutex
	byKey *simplelru.LRU[answerKey, *stored]
	held  int64
	most  int64
}

func newAnswers(most int64) *answers {
	a := &answers{most: most}
	// Entries are bounded by bytes; the number only has to be larger than bytes allow.
	byKey, err := simplelru.NewLRU(max(1, int(most/overhead)+1), func(_ answerKey, s *stored) { a.held -= s.size() })
	if err != nil {
		panic(err) // for sizes below one alone
	}
	a.byKey = byKey
	return a
}

func (s *stored) size() int64 { return int64(len(s.body)) + overhead }

func (a *answers) get(key answerKey) (*stored, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byKey.Get(key)
}

// put keeps an answer, unless it alone is more than a quarter of all that may be kept.
func (a *answers) put(key answerKey, s *stored) {
	if s.size() > a.most/4 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byKey.Contains(key) {
		return
	}
	a.byKey.Add(key, s)
	a.held += s.size()
	for a.held > a.most {
		a.byKey.RemoveOldest()
	}
}

// bytes is how much is kept.
func (a *answers) bytes() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.held
}
