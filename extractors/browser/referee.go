package browser

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrRefusedWrite is the cause of a session's context after a request was refused that could have changed something at
// the portal and is not one of those tolerated.
var ErrRefusedWrite = errors.New("a write to the portal was refused")

// A referee judges for both walls. Beside the policy it knows what the policy can't: the stage of the work, how often a
// request was sent, and whether an export is awaited.
type referee struct {
	policy *policy
	ledger *Ledger
	// alarm ends the session.
	alarm func(error)
	// ctx ends when the session does.
	ctx context.Context

	mu    sync.Mutex
	stage string
	used  map[use]int
	// passed counts the requests of a stage that the wall in the browser has let out and the proxy has not seen yet: the
	// stage may end while they are on their way.
	passed  map[*Rule]int
	capture *Capture
}

// A use is a rule at a wall. Each wall counts for itself, because what is allowed passes both.
type use struct {
	wall Wall
	rule *Rule
}

func newReferee(ctx context.Context, p *policy, l *Ledger, alarm func(error)) *referee {
	return &referee{policy: p, ledger: l, alarm: alarm, ctx: ctx, used: map[use]int{}, passed: map[*Rule]int{}}
}

// judge finds the rule that allows a request now, and the capture its answer belongs to if the rule captures; or the
// reason why none does.
func (r *referee) judge(wall Wall, q request) (*Rule, *Capture, Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rule, reason := r.policy.check(q, r.stage)
	if reason == notNow && wall == InProxy {
		if late, _ := r.policy.check(q, anyStage); late != nil && r.passed[late] > 0 {
			rule, reason = late, ""
		}
	}
	key := use{wall, rule}
	switch {
	case rule == nil:
		return nil, nil, reason
	case rule.Limit > 0 && r.used[key] >= rule.Limit:
		return nil, nil, tooOften
	case rule.Capture && r.capture == nil:
		return nil, nil, notExpected
	}
	r.used[key]++
	switch {
	case rule.Stage == "":
	case wall == InBrowser:
		r.passed[rule]++
	case r.passed[rule] > 0:
		r.passed[rule]--
	}
	if !rule.Capture {
		return rule, nil, ""
	}
	return rule, r.capture, ""
}

// refused counts a refused request, and raises the alarm if it is a write to the portal.
func (r *referee) refused(wall Wall, method, address, kind string, reason Reason) {
	host, path := r.policy.shape(address)
	entry := Entry{Wall: wall, Method: methodShape(method), Host: host, Path: path, Kind: kind, Reason: reason}
	toPortal := host == portalHost && writes(method)
	entry.Tolerated = toPortal && r.policy.tolerates(method, address)
	r.ledger.add(entry)
	if toPortal && !entry.Tolerated {
		r.alarm(fmt.Errorf("%w: %s %s (%s)", ErrRefusedWrite, entry.Method, path, reason))
	}
}

func (r *referee) enter(stage string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stage = stage
}

// awaited reports whether a capture still waits.
func (r *referee) awaited(c *Capture) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.capture == c
}
