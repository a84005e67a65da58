package settings

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/civil"
	"github.com/goccy/go-yaml/ast"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// Retention is how long the rows of one dataset are kept, by the day that they are about.
type Retention struct {
	Dataset string `json:"dataset"`
	Months  int    `json:"months"`
}

// A run reads the last quarter again each time, so a shorter period would fight with it.
const leastRetention, mostRetention = 6, 1200

// retainable are the datasets whose rows have a day, in the order in which they must go: what explains a row goes no earlier than
// the row. A visit whose invoice were gone would look as if nobody had charged it, an invoice whose claim were gone as if nobody
// had sent it. Datasets of the same step, and those of step 0, do not depend on each other.
var retainable = []struct {
	dataset string
	step    int
	// with are datasets that the same period holds for: the same rows by another report.
	with []string
}{
	{contract.Appointments, 1, nil},
	{contract.InvoiceLines, 2, nil},
	{contract.Claims, 3, nil},
	{contract.Payments, 3, nil},
	{contract.AppliedPayments, 3, nil},
	{contract.LeakStates, 3, nil},
	{contract.Adjustments, 3, []string{contract.WriteOffs}},
	{contract.Shifts, 0, []string{contract.ShiftPeriods}},
	{contract.Credits, 0, nil},
	{contract.AccountsReceivable, 0, nil},
	{contract.PortalActivity, 0, nil},
	{contract.AccessLedger, 0, nil},
}

// Keeps says, by dataset, how many months of it are kept. A dataset that is not in it is kept for ever.
func (c Clinic) Keeps() map[string]int {
	out := map[string]int{}
	for _, r := range c.Retention {
		out[r.Dataset] = r.Months
		for _, known := range retainable {
			if known.dataset == r.Dataset {
				for _, other := range known.with {
					out[other] = r.Months
				}
			}
		}
	}
	return out
}

// KeptFrom is the first day that is kept on a day of rows that are kept for so many months: months go whole, so it is the first
// of one, and never less than the period is kept.
func KeptFrom(today civil.Date, months int) civil.Date {
	at := today.Year*12 + int(today.Month) - 1 - months
	return civil.Date{Year: at / 12, Month: time.Month(at%12 + 1), Day: 1}
}

func (d document) retention(c *Clinic) func(ast.Node) error {
	return func(n ast.Node) error {
		if n.Type() == ast.NullType {
			return nil
		}
		var keys []key
		for _, r := range retainable {
			keys = append(keys, key{r.dataset, false, func(n ast.Node) error {
				months, err := d.period(n, "the period of "+r.dataset)
				if err == nil {
					c.Retention = append(c.Retention, Retention{r.dataset, months})
				}
				return err
			}})
		}
		if err := d.mapping(n, "retention", keys...); err != nil {
			return err
		}
		return d.retentionAgrees(n, *c)
	}
}

// period reads 7y or 24m as months.
func (d document) period(n ast.Node, what string) (int, error) {
	value, err := d.scalar(n, what)
	if err != nil {
		return 0, err
	}
	hint := "Write it in years or months, such as 7y or 24m, at least 6m"
	number, factor := strings.TrimSuffix(value, "m"), 1
	if number == value {
		number, factor = strings.TrimSuffix(value, "y"), 12
	}
	months, err := strconv.Atoi(number)
	if number == value || err != nil {
		return 0, d.wrong(n, hint, "%s is %q", what, value)
	}
	if months *= factor; months < leastRetention || months > mostRetention {
		return 0, d.wrong(n, hint, "%s is %q", what, value)
	}
	return months, nil
}

// retentionAgrees refuses periods by which what explains a row would go before the row.
func (d document) retentionAgrees(n ast.Node, c Clinic) error {
	keeps := c.Keeps()
	months := func(dataset string) int {
		if m, limited := keeps[dataset]; limited {
			return m
		}
		return mostRetention + 1 // for ever
	}
	for _, first := range retainable {
		for _, later := range retainable {
			if first.step == 0 || later.step <= first.step || months(first.dataset) <= months(later.dataset) {
				continue
			}
			return d.wrong(n, "Keep "+later.dataset+" at least as long, or "+first.dataset+" no longer",
				"%s would go before the %s that they belong to, and those would then look like leaks", later.dataset, first.dataset)
		}
	}
	return nil
}

func sortedRetention(all []Retention) []Retention {
	return slices.SortedFunc(slices.Values(all), func(a, b Retention) int { return cmp.Compare(a.Dataset, b.Dataset) })
}
