package lake

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// What stands beside the commits in a clinic's prefix, such as metadata for other engines, is written by packages that know
// nothing of sealing. They need to know where objects lie, and whether somebody else could read them there.

// Name is the store's name of something in the clinic's prefix, such as an object's path.
func (c *Clinic) Name(path string) string { return c.name(path) }

// Plain says that the store holds the plain bytes of all objects but those that a dataset seals under a key of its own.
func (c *Clinic) Plain() bool { return c.seal.transparent() }

// Numbers lists the numbers of the commits whose snapshots were not let go, in order.
func (c *Clinic) Numbers(ctx context.Context) ([]int64, error) {
	dropped, err := c.Dropped(ctx)
	if err != nil {
		return nil, err
	}
	var out []int64
	for name, err := range c.store.List(ctx, c.name("commits/"), "") {
		if err != nil {
			return nil, fmt.Errorf("list the commits of clinic %s: %w", c.id, err)
		}
		if n := commitNumber(strings.TrimPrefix(name, c.name(""))); n > 0 && !slices.Contains(dropped, n) {
			out = append(out, n)
		}
	}
	return out, nil
}

// DayColumn is the column, a date and never null, that says in which month's object a row of the dataset lies. It is empty for
// a dataset whose rows belong to no month, and for one that this program does not know.
func DayColumn(dataset string) string {
	for _, t := range []interface {
		dayColumn() (dataset, column string)
	}{
		Appointments, InvoiceLines, Claims, Policies, Shifts, ShiftPeriods, Insurers, Payments, AppliedPayments, Adjustments,
		WriteOffs, Credits, AccountsReceivable, UnscheduledPatients, PortalActivity, AccessLedger, LeakStates, Identities,
	} {
		if name, column := t.dayColumn(); name == dataset {
			return column
		}
	}
	return ""
}

func (t Table[T]) dayColumn() (dataset, column string) { return t.name, t.day }
