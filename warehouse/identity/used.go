package identity

import (
	"crypto/sha256"
	"sync"
	"time"
)

// remembered is for how long a used token is known at least: longer than one lives, with the clocks as far apart as they may be.
const remembered = 90 * time.Second

// usedTokens are the tokens that were good for one request and have had it. It is as large as what was asked in three minutes at most; each
// of those tokens was signed and recorded, so nobody without the key can fill it.
type usedTokens struct {
	mu           sync.Mutex
	newer, older map[[16]byte]struct{}
	turned       time.Time
}

// use says whether a token is used for the first time.
func (u *usedTokens) use(key, id string, now time.Time) bool {
	sum := sha256.Sum256([]byte(key + "\x00" + id))
	name := [16]byte(sum[:16])
	u.mu.Lock()
	defer u.mu.Unlock()
	if since := now.Sub(u.turned); u.newer == nil || since >= remembered {
		u.older, u.newer, u.turned = u.newer, map[[16]byte]struct{}{}, now
		if since >= 2*remembered {
			u.older = nil
		}
	}
	_, young := u.newer[name]
	_, old := u.older[name]
	if young || old {
		return false
	}
	u.newer[name] = struct{}{}
	return true
}
