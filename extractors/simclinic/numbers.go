package simclinic

import (
	"cmp"
	"slices"
)

// numberAppointments gives ids in the order in which rows were entered. Rows without a booking stamp came with the
// schedule, two weeks before.
func (w *world) numberAppointments() {
	entered := func(a *appointment) moment {
		if a.booked == 0 {
			return a.start - 14*24*3600
		}
		return a.booked
	}
	order := places(len(w.appointments))
	slices.SortFunc(order, func(i, j int32) int {
		a, b := &w.appointments[i], &w.appointments[j]
		return cmp.Or(cmp.Compare(entered(a), entered(b)), cmp.Compare(a.start, b.start), cmp.Compare(i, j))
	})
	for rank, i := range order {
		w.appointments[i].id = int64(40_001 + rank)
	}
}

// numberInvoices gives base numbers in the order in which invoices were opened. All have as many digits, so that they
// sort alike as text and as numbers.
func (w *world) numberInvoices() {
	first := int64(100_001)
	for first < int64(len(w.invoices)) {
		first = (first-1)*10 + 1
	}
	order := places(len(w.invoices))
	slices.SortFunc(order, func(i, j int32) int {
		return cmp.Or(cmp.Compare(w.invoices[i].created, w.invoices[j].created), cmp.Compare(i, j))
	})
	for rank, i := range order {
		w.invoices[i].number = first + int64(rank)
	}
}

// numberClaims gives ids in the order in which claims were filed.
func (w *world) numberClaims() {
	filed := func(c *claim) day {
		if c.submitted == never {
			return w.invoices[w.parts[c.part].invoice].created
		}
		return c.submitted
	}
	order := places(len(w.claims))
	slices.SortFunc(order, func(i, j int32) int {
		return cmp.Or(cmp.Compare(filed(&w.claims[i]), filed(&w.claims[j])), cmp.Compare(i, j))
	})
	for rank, i := range order {
		w.claims[i].id = int64(7_001 + rank)
	}
}

func places(n int) []int32 {
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	return order
}
