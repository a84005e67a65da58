package lake

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// ErrUnchanged is what a plan returns to leave the clinic as it is without that being a failure.
var ErrUnchanged = errors.New("nothing to commit")

// Update makes the clinic's next commit. The plan is run on top of the newest commit: it writes objects (at once, though nobody
// sees them) and says what the next commit names. If another writer takes the number first, the plan is run again
// on top of that writer's commit, so it must start anew from what the Tx says each time. The commit that became
// visible is returned; if the plan returns ErrUnchanged, the newest one, which is nil in a clinic without commits.
//
// An error means that nothing became visible, with one exception that no store can avoid: where the request that creates
// the commit fails without an answer, and asking after it fails too, the error says that the commit may exist. Running the same
// import again is right in both cases.
func (c *Clinic) Update(ctx context.Context, kind Kind, plan func(ctx context.Context, tx *Tx) error) (*Commit, error) {
	if c.key == nil {
		return nil, fmt.Errorf("clinic %s was opened without its naming key, for reading only", c.id)
	}
	var ours, reused sync.Map
	// Every turn that fails is one in which another writer succeeded, so this ends when the others do.
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := c.allowed(ctx); err != nil {
			return nil, err
		}
		head, err := c.Head(ctx)
		if errors.Is(err, ErrNoCommit) {
			head, err = nil, nil
		}
		if err != nil {
			return nil, err
		}
		tx := &Tx{clinic: c, head: head, next: head.next(), ours: &ours, reused: &reused}
		if head == nil {
			tx.next.KeyVersion = c.keyVersion
			if c.encrypt {
				if c.keys == nil {
					return nil, fmt.Errorf("clinic %s is to be encrypted: %w", c.id, ErrSealed)
				}
				tx.next.Encryption = ByParquet
			}
		} else if err := c.sameKeys(head); err != nil {
			return nil, err
		}
		if head != nil {
			if err := c.follows(head, kind); err != nil {
				return nil, err
			}
			for o := range head.objects {
				tx.live.Store(o.Path, o)
			}
		}
		if err := plan(ctx, tx); err != nil {
			if errors.Is(err, ErrUnchanged) {
				return head, nil
			}
			return nil, err
		}
		tx.next.Kind, tx.next.Format = kind, tx.next.format()
		tx.next.CreatedAt = c.now().UTC()
		if tx.next.Writer, err = c.writer(); err != nil {
			return nil, err
		}
		if lost, err := tx.lost(ctx); err != nil {
			return nil, err
		} else if lost {
			continue
		}
		if err := c.allowed(ctx); err != nil {
			return nil, err
		}
		won, err := c.publish(ctx, tx.next)
		if err != nil {
			return nil, err
		}
		if won {
			c.hint(ctx, tx.next.Number)
			c.noteErasures(tx.next)
			return tx.next, nil
		}
	}
}

func (c *Clinic) writer() (string, error) {
	id := make([]byte, 16)
	if _, err := io.ReadFull(c.random, id); err != nil {
		return "", fmt.Errorf("draw a random number: %w", err)
	}
	return hex.EncodeToString(id), nil
}

// publish creates the commit, and says whether it is ours.
func (c *Clinic) publish(ctx context.Context, commit *Commit) (won bool, err error) {
	body, err := c.encode(commit)
	if err != nil {
		return false, fmt.Errorf("commit %d of clinic %s: %w", commit.Number, c.id, err)
	}
	name := c.name(commitName(commit.Number))
	failed := c.store.Create(ctx, name, body)
	if failed == nil {
		return true, nil
	}
	// The number is taken, perhaps by our own first attempt; or the request failed, perhaps after it succeeded. The object knows.
	stored, err := c.awaited(ctx, name, errors.Is(failed, ErrExists))
	switch {
	case err == nil && bytes.Equal(stored, body):
		return true, nil
	case err == nil:
		// That it differs is no proof that it is another's: it may have come in half. Planning again on top of one's own commit
		// would do the work twice.
		other, err := c.decode(commit.Number, stored)
		if err != nil || other.Writer == commit.Writer {
			return false, fmt.Errorf("commit %d of clinic %s: it is not known whether it was made; running the same again is safe: %w",
				commit.Number, c.id, errors.Join(failed, err))
		}
		return false, nil
	case errors.Is(err, ErrNotFound) && !errors.Is(failed, ErrExists):
		return false, fmt.Errorf("commit %d of clinic %s was not made, nothing changed: %w", commit.Number, c.id, failed)
	default:
		return false, fmt.Errorf("commit %d of clinic %s: it is not known whether it was made; running the same again is safe: %w", commit.Number, c.id, errors.Join(failed, err))
	}
}

// awaited reads an object; one that must be there or about to be, for five seconds: between the moment in which a store
// refuses a taken name and the one in which the winner's object can be read it may still be on its way.
func (c *Clinic) awaited(ctx context.Context, name string, exists bool) ([]byte, error) {
	pause := time.Millisecond
	for waited := time.Duration(0); ; waited += pause {
		body, err := c.store.Get(ctx, name)
		if !exists || !errors.Is(err, ErrNotFound) || waited > 5*time.Second {
			return body, err
		}
		pause = min(2*pause, time.Second)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}
