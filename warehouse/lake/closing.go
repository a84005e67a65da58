package lake

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"cloud.google.com/go/civil"
)

// Close marks a commit that fixed a month's figures and changed no data.
const Close Kind = "close"

// Closing is a month whose figures were published: what was published, and what later data made of it. The lake does not look
// inside of either.
type Closing struct {
	// Object is what was published; it is never replaced.
	Object
	// Restated is how the figures changed since, nil while they did not.
	Restated *Object `json:"restated,omitempty"`
	// AsOf is the day that the figures are for, Input the number of the commit whose data they came from, Built that of the commit
	// that had the marts.
	AsOf  civil.Date `json:"as_of"`
	Input int64      `json:"input"`
	Built int64      `json:"built"`
	// By is who closed it, At when, in UTC.
	By string    `json:"by,omitempty"`
	At time.Time `json:"at"`
	// Compared names the data that the figures were compared with last.
	Compared string `json:"compared,omitempty"`
	// Retired says that the data was removed at the end of its retention period, so that there is nothing to compare with.
	Retired bool `json:"retired,omitempty"`
}

// closedMonth is the name of a month that can be closed.
var closedMonth = regexp.MustCompile(`^\d{4}-(0[1-9]|1[0-2])$`)

// Closed is a month as the commit in the making has it, and whether it is closed.
func (tx *Tx) Closed(month string) (Closing, bool) {
	c, ok := tx.next.Closed[month]
	return c, ok
}

// CloseMonth stores what is published of a month, with this commit. A month is closed once; Object of the given closing is filled in.
func (tx *Tx) CloseMonth(ctx context.Context, month string, published []byte, c Closing) error {
	if !closedMonth.MatchString(month) {
		return fmt.Errorf("close month %q: a month is written YYYY-MM", month)
	}
	if _, closed := tx.next.Closed[month]; closed {
		return fmt.Errorf("month %s of clinic %s is closed already", month, tx.clinic.id)
	}
	o, err := tx.upload(ctx, closingFolder(month), closingEnding, published)
	if err != nil {
		return fmt.Errorf("store the figures of %s: %w", month, err)
	}
	c.Object = o
	put(&tx.next.Closed, month, c)
	return nil
}

// Restate replaces what is known of how a closed month's figures changed. Nil leaves the changes as they are, and says only
// what the figures were compared with.
func (tx *Tx) Restate(ctx context.Context, month string, restated []byte, compared string) error {
	c, closed := tx.next.Closed[month]
	if !closed {
		return fmt.Errorf("month %s of clinic %s is not closed", month, tx.clinic.id)
	}
	if restated != nil {
		o, err := tx.upload(ctx, closingFolder(month), closingEnding, restated)
		if err != nil {
			return fmt.Errorf("store the restatements of %s: %w", month, err)
		}
		c.Restated = &o
	}
	c.Compared = compared
	put(&tx.next.Closed, month, c)
	return nil
}

// RetireClosing says that there is no data left to compare a closed month with. What was published stays.
func (tx *Tx) RetireClosing(month string) {
	if c, closed := tx.next.Closed[month]; closed {
		c.Retired = true
		put(&tx.next.Closed, month, c)
	}
}

// Published is what was published of a closed month.
func (s *Snapshot) Published(ctx context.Context, month string) ([]byte, error) {
	c, closed := s.commit.Closed[month]
	if !closed {
		return nil, fmt.Errorf("month %s of clinic %s is not closed", month, s.clinic.id)
	}
	body, err := s.clinic.fetch(ctx, c.Object)
	if err != nil {
		return nil, fmt.Errorf("read the figures of %s of clinic %s: %w", month, s.clinic.id, err)
	}
	return body, nil
}

// Restated is how a closed month's figures changed since, nil where they did not.
func (s *Snapshot) Restated(ctx context.Context, month string) ([]byte, error) {
	c := s.commit.Closed[month]
	if c.Restated == nil {
		return nil, nil
	}
	body, err := s.clinic.fetch(ctx, *c.Restated)
	if err != nil {
		return nil, fmt.Errorf("read the restatements of %s of clinic %s: %w", month, s.clinic.id, err)
	}
	return body, nil
}

const closingEnding = ".json"

func closingFolder(month string) string { return "closings/" + month + "/" }

func (c Closing) validate(month string, number int64) error {
	if !closedMonth.MatchString(month) {
		return fmt.Errorf("closed month %q", month)
	}
	if err := c.Object.validate(closingFolder(month), closingEnding); err != nil {
		return fmt.Errorf("closed month %s: %w", month, err)
	}
	if c.Restated != nil {
		if err := c.Restated.validate(closingFolder(month), closingEnding); err != nil {
			return fmt.Errorf("closed month %s: %w", month, err)
		}
	}
	if c.Input < 1 || c.Built < c.Input || c.Built >= number || !plausible(c.AsOf) {
		return fmt.Errorf("closed month %s of commit %d is said to be of commit %d, built by %d, as of %v", month, number, c.Input, c.Built, c.AsOf)
	}
	return nil
}
