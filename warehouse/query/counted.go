package query

import (
	"context"
	"fmt"
)

// sums is a table that the engine adds up from the ledger, by what questions about it ask for: there are many leaks, and few kinds of
// them.
type sums struct {
	name string
	// from are the columns of the ledger that it is added up from, by the statement.
	from      []string
	statement string
	// followsWords says that what people say of leaks changes it.
	followsWords bool
}

var leakSums = []sums{
	{
		name: "leak_counted",
		from: []string{"category", "certainty", "state", "age_days", "amount_cents", "occurred_on"},
		statement: `
			select
				leak.category,
				leak.certainty,
				leak.state,
				cast(case
					when leak.age_days > 120 then 5
					when leak.age_days > 90 then 4
					when leak.age_days > 60 then 3
					when leak.age_days > 30 then 2
					else 1
				end as bigint) as age,
				count(*) as leaks,
				cast(sum(leak.amount_cents) as bigint) as amount_cents,
				min(leak.occurred_on) as oldest_on
			from ` + LedgerMart + ` as leak
			group by leak.category, leak.certainty, leak.state, age`,
		followsWords: true,
	},
	{
		name: "leak_months",
		from: []string{"category", "certainty", "discipline", "location", "amount_cents", "occurred_on"},
		statement: `
			select
				leak.occurred_on - cast(day(leak.occurred_on) as integer) + 1 as month,
				leak.category,
				leak.certainty,
				leak.discipline,
				leak.location,
				count(*) as leaks,
				cast(sum(leak.amount_cents) as bigint) as amount_cents
			from ` + LedgerMart + ` as leak
			group by month, leak.category, leak.certainty, leak.discipline, leak.location`,
	},
	{
		name: "leak_patients",
		from: []string{"certainty", "patient"},
		statement: `
			select count(distinct leak.patient) as patients
			from ` + LedgerMart + ` as leak
			where leak.certainty in ('firm', 'likely')`,
	},
}

// loadSums adds the ledger up, as far as it has what that takes: one of another version may not, and the queries that need the sums say
// so.
func (e *Engine) loadSums(ctx context.Context) error {
	for _, s := range leakSums {
		has, err := e.has(ctx, LedgerMart, s.from...)
		if err != nil {
			return err
		}
		if !has {
			continue
		}
		if _, err := e.db.ExecContext(ctx, "create table "+s.name+" as"+s.statement); err != nil {
			return fmt.Errorf("adding up the ledger of leaks: %w", err)
		}
		if s.followsWords {
			e.saying.sums = append(e.saying.sums, "delete from "+s.name, "insert into "+s.name+s.statement)
		}
	}
	return nil
}
