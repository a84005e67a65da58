package settings

import (
	"fmt"
	"slices"

	"cloud.google.com/go/civil"
)

// pricesAgree refuses prices that contradict each other.
func (d document) pricesAgree(prices []typed[Price]) error {
	slices.SortStableFunc(prices, func(a, b typed[Price]) int { return comparePrices(a.value, b.value) })
	disciplines := map[string]typed[Price]{}
	for i, p := range prices {
		if p.value.Discipline != "" {
			first, seen := disciplines[p.value.Item]
			if seen && first.value.Discipline != p.value.Discipline {
				return d.wrong(p.node, "Give an item one discipline", "%q is of discipline %q here and of %q on line %d", p.value.Item, p.value.Discipline, first.value.Discipline, lineOf(first.node))
			}
			disciplines[p.value.Item] = p
		}
		if i == 0 || prices[i-1].value.Item != p.value.Item || prices[i-1].value.Location != p.value.Location {
			continue
		}
		before := prices[i-1]
		if problem := clash(before.value.From, before.value.To, p.value.From, lineOf(before.node)); problem != "" {
			return d.wrong(p.node, "Let one price end before the next begins, or leave out the older one's `to`", "two prices of %q: %s", p.value.Item, problem)
		}
	}
	return nil
}

// feesAgree does the same for fees.
func (d document) feesAgree(fees []typed[Fee]) error {
	slices.SortStableFunc(fees, func(a, b typed[Fee]) int { return compareFees(a.value, b.value) })
	for i, f := range fees {
		if i == 0 {
			continue
		}
		before := fees[i-1]
		if before.value.Kind != f.value.Kind || before.value.Discipline != f.value.Discipline || before.value.Location != f.value.Location {
			continue
		}
		if problem := clash(before.value.From, before.value.To, f.value.From, lineOf(before.node)); problem != "" {
			return d.wrong(f.node, "Let one fee end before the next begins, or leave out the older one's `to`", "two %s fees: %s", f.value.Kind, problem)
		}
	}
	return nil
}

// clash says how two entries of one scope contradict each other, the older one first. An entry without a last day ends
// quietly where the next begins: that is how a price rise is written. One with a last day means that day.
func clash(from, to, next *civil.Date, line int) string {
	switch {
	case compareStart(from, next) == 0 && from == nil:
		return fmt.Sprintf("neither this one nor that on line %d says from when it holds", line)
	case compareStart(from, next) == 0:
		return fmt.Sprintf("this one and that on line %d both begin on %s", line, from)
	case to != nil && !to.Before(*next):
		return fmt.Sprintf("that on line %d holds until %s, this one begins on %s", line, to, next)
	}
	return ""
}
