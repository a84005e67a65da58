package lake

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// What is kept of a patient who was erased is a refusal: an empty object whose name is a keyed hash. The lake does not know of what;
// whoever brings rows asks before each commit, and leaves out whoever is refused.
//
//	clinic=<id>/erased/<hash>
const refusedFolder = "erased/"

// Refuse keeps a refusal, once.
func (c *Clinic) Refuse(ctx context.Context, hash string) error {
	if !hashName.MatchString(hash) {
		return fmt.Errorf("a refusal of clinic %s is named with 52 of a-z and 2-7", c.id)
	}
	err := c.store.Create(ctx, c.name(refusedFolder+hash), nil)
	if err == nil || errors.Is(err, ErrExists) {
		return nil
	}
	if there, looked := c.exists(ctx, c.name(refusedFolder+hash)); looked == nil && there {
		return nil // our own attempt, whose answer was lost
	}
	return fmt.Errorf("keep the refusal of a patient of clinic %s: %w", c.id, err)
}

// Refused are the refusals there are.
func (c *Clinic) Refused(ctx context.Context) (map[string]bool, error) {
	var out map[string]bool
	folder := c.name(refusedFolder)
	for name, err := range c.store.List(ctx, folder, "") {
		if err != nil {
			return nil, fmt.Errorf("list the refusals of clinic %s: %w", c.id, err)
		}
		put(&out, strings.TrimPrefix(name, folder), true)
	}
	return out, nil
}
