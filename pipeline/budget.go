package pipeline

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
)

// DefaultBudget is how many requests a day the portal is asked at most where nobody says otherwise: several nights' worth.
const DefaultBudget = 5000

// budgetRecord is what was spent on a day of the clinic's.
type budgetRecord struct {
	Day   civil.Date `json:"day"`
	Spent int        `json:"spent"`
}

// budget bounds how much a portal is asked in a day, by all runs on all machines together.
type budget struct {
	site   *Site
	record record[budgetRecord]
	zone   *time.Location
	limit  int
}

func newBudget(s *Site, zone *time.Location, limit int) *budget {
	if limit == 0 {
		limit = DefaultBudget
	}
	return &budget{site: s, record: recordOf[budgetRecord](s, budgetRegister, "counting requests"), zone: zone, limit: limit}
}

// open refuses to begin on a day whose budget is spent.
func (b *budget) open(ctx context.Context) error { return b.spend(ctx, 0) }

// spend adds requests, and returns an error when there is nothing left for more.
func (b *budget) spend(ctx context.Context, requests int) error {
	now := b.site.clock().In(b.zone)
	today := civil.DateOf(now)
	spent := 0
	err := b.record.change(ctx, func(r *budgetRecord) error {
		// A look that came before the clinic's zone was known has counted in this machine's, where it may be tomorrow already.
		if r.Day.Before(today) {
			*r = budgetRecord{Day: today}
		}
		r.Spent += requests
		spent = r.Spent
		if requests == 0 {
			return errAsItIs
		}
		return nil
	})
	if err != nil || b.limit < 0 || spent < b.limit {
		return err
	}
	resets := today.AddDays(1).In(b.zone)
	return &extractors.Failure{
		Cause: extractors.RateLimited, Doing: "asking the portal",
		Err:  fmt.Errorf("our own budget of %d requests a day is spent (%d)", b.limit, spent),
		Hint: fmt.Sprintf("It resets at %s, the clinic's midnight; requests_a_day in falloff.yaml raises it, and for one run --budget", resets.Format("2006-01-02 15:04 MST")),
	}
}
