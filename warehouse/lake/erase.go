package lake

import (
	"context"
	"fmt"
)

// EraseDataset removes every object that a dataset ever had, those that earlier commits name among them: a snapshot of then
// lacks it from now on. The newest commit must not name any. It says how many objects went.
func (c *Clinic) EraseDataset(ctx context.Context, dataset string) (erased int, err error) {
	if !datasetName.MatchString(dataset) {
		return 0, fmt.Errorf("dataset %q: a name is a-z, 0-9 and '_'", dataset)
	}
	head, err := c.Head(ctx)
	if err != nil {
		return 0, err
	}
	if _, live := head.Datasets[dataset]; live {
		return 0, fmt.Errorf("dataset %s of clinic %s is live in commit %d: drop it first", dataset, c.id, head.Number)
	}
	for name, err := range c.store.List(ctx, c.name("data/"+dataset+"/"), "") {
		if err == nil {
			err = c.store.Delete(ctx, name)
		}
		if err != nil {
			return erased, fmt.Errorf("erase dataset %s of clinic %s: %w", dataset, c.id, err)
		}
		erased++
	}
	return erased, nil
}

// HoldsDataset says whether any object of a dataset is left, live or not.
func (c *Clinic) HoldsDataset(ctx context.Context, dataset string) (bool, error) {
	for _, err := range c.store.List(ctx, c.name("data/"+dataset+"/"), "") {
		if err != nil {
			return false, fmt.Errorf("look for dataset %s of clinic %s: %w", dataset, c.id, err)
		}
		return true, nil
	}
	return false, nil
}
