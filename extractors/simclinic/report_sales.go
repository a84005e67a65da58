package simclinic

import (
	"cmp"
	"fmt"
	"slices"
)

func salesHeaders(tax string) []string {
	return []string{
		"Location", "Purchase Date", "Invoice Date", "Patient Guid", "Patient", "Item", "Staff Member", "Payer", "Invoice #",
		"Income Category", "Details", "Status", "Subtotal", tax, "Total", "Collected", "Balance",
	}
}

// What the fee items are called, here and in clinic.yaml.
var feeItems = [...]string{noShow: "No Show Fee", lateCancel: "Late Cancellation Fee"}

// orderByPurchase is the order of the sales report: parts by purchase day and number.
func (w *world) orderByPurchase() []int32 {
	order := places(len(w.parts))
	slices.SortFunc(order, func(i, j int32) int {
		a, b := &w.parts[i], &w.parts[j]
		x, y := &w.invoices[a.invoice], &w.invoices[b.invoice]
		return cmp.Or(cmp.Compare(x.service, y.service), cmp.Compare(x.number, y.number), cmp.Compare(b.side, a.side),
			cmp.Compare(i, j))
	})
	return order
}

// saleLine is what differs between the lines of one part.
type saleLine struct {
	item, category    string
	number            string
	issued            day
	total, collected  int64
	adjusted          int64 // taken off without money
	subtotal, taxPart int64
}

func (w *world) listSales(byPurchase []int32, first, last day, extra bool, yield func([]Cell) error) error {
	find := func(d day) int {
		at, _ := slices.BinarySearchFunc(byPurchase, d, func(i int32, d day) int {
			return cmp.Compare(w.invoices[w.parts[i].invoice].service, d)
		})
		return at
	}
	row := make([]Cell, 0, 18)
	var lines []saleLine
	for _, i := range byPurchase[find(first):find(last+1)] {
		p := &w.parts[i]
		inv := &w.invoices[p.invoice]
		who := &w.people[inv.person]
		lines = w.linesOf(lines[:0], p)
		for n := range lines {
			line := &lines[n]
			row = append(row[:0],
				text(w.premises.places[inv.place]), onDay(inv.service), onDay(line.issued), text(who.guid), text(who.name()),
				text(line.item), text(w.premises.staff[inv.staff].name), text(w.payerText(p, who)), text(line.number),
				text(line.category), text(w.detailText(i, p)), spelled(lineStatus(line), inv.number), cents(line.subtotal),
				cents(line.taxPart), cents(line.total), cents(line.collected), cents(line.balance()),
			)
			if extra {
				row = append(row, text(w.tokens.email(int(inv.person))))
			}
			if err := yield(row); err != nil {
				return err
			}
		}
	}
	return nil
}

// linesOf prints a part: what was taken back, what took it back, and what stands.
func (w *world) linesOf(lines []saleLine, p *part) []saleLine {
	if p.reversed != 0 {
		before := p.reversedTotal
		paid := int64(0)
		if p.reversedPaid {
			paid = before
		}
		lines = w.version(lines, p, w.invoiceNumber(p, p.reversed), p.issuedBefore, before, paid, 0, 1)
		undone := w.invoiceNumber(p, p.reversed+1) + "X"
		lines = w.version(lines, p, undone, p.takenBack, before, paid, 0, -1)
	}
	if p.gone {
		return lines
	}
	return w.version(lines, p, w.invoiceNumber(p, p.sequence), p.issued, p.total, p.collected, p.adjusted, 1)
}

// version adds the lines of one version of a part: the visit's, and the product's if one was sold beside it. Money
// collected pays the visit first, and what was taken off is what is open first.
func (w *world) version(lines []saleLine, p *part, number string, issued day, total, collected, adjusted, sign int64) []saleLine {
	inv := &w.invoices[p.invoice]
	beside := int64(0)
	if p.product != none {
		beside = p.productCents
	}
	main := total - beside
	if main != 0 || beside == 0 {
		paidHere := collected
		if beside != 0 {
			paidHere = min(collected, main)
		}
		collected -= paidHere
		item, category, taxed := w.soldAs(inv)
		offHere := adjusted
		if beside != 0 {
			offHere = min(adjusted, main-paidHere)
		}
		adjusted -= offHere
		lines = append(lines, w.line(item, category, number, issued, sign*main, sign*paidHere, taxed))
		lines[len(lines)-1].adjusted = offHere
	}
	if beside != 0 {
		lines = append(lines, w.line(products[p.product].name, "Products", number, issued, sign*beside, sign*collected, true))
		lines[len(lines)-1].adjusted = adjusted
	}
	return lines
}

// soldAs is the item and income category of an invoice's own line.
func (w *world) soldAs(inv *invoice) (item, category string, taxed bool) {
	it := &w.premises.items[inv.item]
	switch inv.category {
	case passSale:
		return fmt.Sprintf("%d Visit Package: %s", inv.passes, it.name), "Packages", it.taxable
	case passUse:
		return it.name, "Package Pass", it.taxable
	case missFee:
		return feeItems[inv.fee], "Fees", w.feeTaxed
	default:
		return it.name, w.premises.specialities[it.discipline].name, it.taxable
	}
}

// line splits a total into net and tax.
func (w *world) line(item, category, number string, issued day, total, collected int64, taxed bool) saleLine {
	l := saleLine{item: item, category: category, number: number, issued: issued, total: total, collected: collected}
	l.subtotal = total
	if whole := 10_000 + w.premises.taxRate; taxed && total >= 0 {
		l.subtotal = (total*10_000 + whole/2) / whole
	} else if taxed {
		l.subtotal = -((-total*10_000 + whole/2) / whole)
	}
	l.taxPart = total - l.subtotal
	return l
}

func (l *saleLine) balance() int64 { return l.total - l.collected - l.adjusted }

func lineStatus(l *saleLine) string {
	switch balance := l.balance(); {
	case l.total == 0:
		return "no_charge"
	case l.total < 0, balance <= 0:
		return "paid"
	case l.collected > 0:
		return "partially_paid"
	default:
		return "unpaid"
	}
}

// payerText is who an invoice is addressed to. The payer of a courtesy claim is marked.
func (w *world) payerText(p *part, who *person) string {
	switch {
	case p.insurer == none:
		return who.payerName()
	case p.prepay:
		return insurerName(p.insurer) + " (Patient Pre-Pay)"
	default:
		return insurerName(p.insurer)
	}
}
