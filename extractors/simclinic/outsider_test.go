package simclinic

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cloud.google.com/go/civil"
)

// outsider works out the leaks from the reports' rows and clinic.yaml alone, by the product's definitions, row by row and
// with no thought for speed. It shares nothing with the behaviour model, so that the two check each other.
type outsider struct {
	t        testing.TB
	c        *Clinic
	settings typedIn
	taxRate  int64
	at       civil.Date
	leaks    map[[2]string]*Leak
}

func outsidersLedger(t testing.TB, c *Clinic) []Leak {
	o := &outsider{t: t, c: c, settings: readSettings(t, c), at: c.ReportDate(), leaks: map[[2]string]*Leak{}}
	o.taxRate = parseDecimal(t, o.settings.Tax.Rate, 4)
	lines := o.standingLines(records(t, c, Sales))
	o.judgeSchedule(records(t, c, Appointments), lines)
	o.judgeMoney(lines, records(t, c, Claims), records(t, c, Policies))
	o.judgeWriteOffs(lines, records(t, c, WriteOffs))
	var out []Leak
	for _, leak := range o.leaks {
		out = append(out, *leak)
	}
	slices.SortFunc(out, func(a, b Leak) int {
		return cmp.Or(strings.Compare(a.Category, b.Category), strings.Compare(a.SourceID, b.SourceID))
	})
	return out
}

func (o *outsider) note(category, source string, on civil.Date, amount int64) {
	key := [2]string{category, source}
	if known := o.leaks[key]; known != nil {
		known.AmountCents += amount
		return
	}
	o.leaks[key] = &Leak{category, source, on, amount}
}

func (o *outsider) taxed(net int64, taxable bool) int64 {
	if !taxable {
		return net
	}
	return (net*(10_000+o.taxRate) + 5_000) / 10_000
}

func (o *outsider) price(item, location string, on civil.Date) int64 {
	best, amount := "", int64(-1)
	for _, p := range o.settings.Prices {
		if p.Item != item || p.Location != "" && p.Location != location || !within(p.From, p.To, on) {
			continue
		}
		rank := "0" + p.From
		if p.Location != "" {
			rank = "1" + p.From
		}
		if rank > best {
			best, amount = rank, o.taxed(parseDecimal(o.t, p.Price, 2), p.Taxable)
		}
	}
	if amount < 0 {
		o.t.Fatalf("no price for %s at %s on %v", item, location, on)
	}
	return amount
}

func (o *outsider) discipline(item string) string {
	for _, p := range o.settings.Prices {
		if p.Item == item {
			return p.Discipline
		}
	}
	o.t.Fatalf("no discipline for %s", item)
	return ""
}

// saleFee is the fee due for a missed visit and the notice, with the item it is sold as.
func (o *outsider) fee(kind, item string, on civil.Date) (due int64, notice int, feeItem string) {
	specific := false
	for _, f := range o.settings.Fees {
		if f.Kind != kind || f.Discipline != "" && f.Discipline != o.discipline(item) || !within(f.From, f.To, on) {
			continue
		}
		if feeItem == "" || f.Discipline != "" && !specific {
			due, notice, feeItem = o.taxed(parseDecimal(o.t, f.Amount, 2), f.Taxable), f.Notice, f.Item
			specific = f.Discipline != ""
		}
	}
	return due, notice, feeItem
}

// sale is one standing invoice: the lines of one number.
type sale struct {
	number, base, side, payer, patient, staff string
	sequence                                  int
	items                                     []string
	on, issued                                civil.Date
	total, balance                            int64
}

var invoicePattern = regexp.MustCompile(`^(\d+)-([PC])(\d\d)(X?)$`)

// standingLines leaves out reversals, what they reverse, what a later number replaces, and courtesy claims.
func (o *outsider) standingLines(rows []record) []*sale {
	byNumber := map[string]*sale{}
	reversed := map[string]bool{}
	latest := map[string]int{}
	var order []string
	for _, r := range rows {
		m := invoicePattern.FindStringSubmatch(r.text("Invoice #"))
		if m == nil {
			o.t.Fatalf("invoice number %q", r.text("Invoice #"))
		}
		payer := r.text("Payer")
		if strings.HasSuffix(payer, "(Patient Pre-Pay)") {
			continue
		}
		sequence, _ := strconv.Atoi(m[3])
		if m[4] == "X" {
			reversed[fmt.Sprintf("%s-%s%02d", m[1], m[2], sequence-1)] = true
			continue
		}
		number := r.text("Invoice #")
		s := byNumber[number]
		if s == nil {
			s = &sale{
				number: number, base: m[1], side: m[2], sequence: sequence, payer: payer, patient: r.text("Patient Guid"),
				staff: r.text("Staff Member"), on: r.date("Purchase Date"), issued: r.date("Invoice Date"),
			}
			byNumber[number] = s
			order = append(order, number)
		}
		s.items = append(s.items, r.text("Item"))
		s.total += r.number("Total")
		s.balance += r.number("Balance")
		group := m[1] + m[2] + payer
		latest[group] = max(latest[group], sequence)
	}
	var standing []*sale
	for _, number := range order {
		s := byNumber[number]
		if s.issued.After(o.at) || reversed[number] || s.sequence < latest[s.base+s.side+s.payer] {
			continue
		}
		standing = append(standing, s)
	}
	return standing
}

// pairing is visits and invoices that look alike.
type pairing struct {
	visits []record
	bases  map[string]bool
}

func (o *outsider) judgeSchedule(rows []record, lines []*sale) {
	zone := o.c.Zone()
	groups := map[string]*pairing{}
	pair := func(key string) *pairing {
		if groups[key] == nil {
			groups[key] = &pairing{bases: map[string]bool{}}
		}
		return groups[key]
	}
	for _, s := range lines {
		for _, item := range s.items {
			pair(s.patient + "|" + s.on.String() + "|" + s.staff + "|" + item).bases[s.base] = true
		}
	}
	type missing struct {
		category string
		amount   int64
	}
	expects := map[string]missing{}
	for _, r := range rows {
		patients := r.list("patient_guid")
		start := civil.DateOf(r.at("start_at", zone))
		ended := civil.DateOf(r.at("end_at", zone))
		item, staff := r.text("treatment_name"), r.text("staff_member_name")
		for _, patient := range patients {
			key := patient + "|" + start.String() + "|" + staff + "|"
			switch r.text("state") {
			case "booked":
				if o.at.DaysSince(ended) >= 2 {
					o.note("visit_not_closed", r.text("id"), start, o.price(item, r.text("location_name"), start))
				}
			case "arrived":
				if o.at.DaysSince(start) >= 2 {
					p := pair(key + item)
					p.visits = append(p.visits, r)
					expects[key+item] = missing{"arrived_no_charge", -1}
				}
			case "no_show":
				if due, _, feeItem := o.fee("no_show", item, start); due > 0 && o.at.DaysSince(start) >= 2 {
					p := pair(key + feeItem)
					p.visits = append(p.visits, r)
					expects[key+feeItem] = missing{"no_show_fee", due}
				}
			case "cancelled":
				due, notice, feeItem := o.fee("late_cancel", item, start)
				late := r.number("cancelled_at") > r.number("start_at")-int64(notice)*3600
				if due > 0 && late && o.at.DaysSince(start) >= 2 {
					p := pair(key + feeItem)
					p.visits = append(p.visits, r)
					expects[key+feeItem] = missing{"late_cancel_fee", due}
				}
			}
		}
	}
	for key, p := range groups {
		slices.SortFunc(p.visits, func(a, b record) int {
			return cmp.Or(cmp.Compare(a.number("start_at"), b.number("start_at")), cmp.Compare(a.number("id"), b.number("id")))
		})
		for i := len(p.bases); i < len(p.visits); i++ {
			r, want := p.visits[i], expects[key]
			on := civil.DateOf(r.at("start_at", zone))
			if want.amount < 0 {
				want.amount = o.price(r.text("treatment_name"), r.text("location_name"), on)
			}
			o.note(want.category, r.text("id"), on, want.amount)
		}
	}
}

// billed is what is known of one policy's or insurer's file of one patient.
func (o *outsider) judgeMoney(lines []*sale, claims, policies []record) {
	byNumber, byPayer := map[string][]record{}, map[string][]record{}
	for _, r := range claims {
		number := r.text("Invoice #")
		base, _, _ := strings.Cut(number, "-")
		byNumber[number] = append(byNumber[number], r)
		byPayer[base+"|"+r.text("Insurer")] = append(byPayer[base+"|"+r.text("Insurer")], r)
	}
	held := map[string][]record{}
	for _, r := range policies {
		key := r.text("Patient Guid") + "|" + r.text("Insurer(s)")
		held[key] = append(held[key], r)
	}
	files := map[string][]*sale{}
	insured := map[string]bool{}
	for _, s := range lines {
		if s.side == "C" {
			insured[s.base] = true
			files[s.patient+"|"+s.payer] = append(files[s.patient+"|"+s.payer], s)
		}
	}
	for key, file := range files {
		slices.SortFunc(file, func(a, b *sale) int {
			return cmp.Or(strings.Compare(a.on.String(), b.on.String()), strings.Compare(a.number, b.number))
		})
		running := int64(0)
		for i, s := range file {
			running += s.total
			if s.balance <= 0 {
				continue
			}
			rows := byNumber[s.number]
			if len(rows) == 0 {
				rows = byPayer[s.base+"|"+s.payer]
			}
			if category := o.insurerCategory(s, rows, held[key], i+1, len(file), running); category != "" {
				o.note(category, s.number, s.on, s.balance)
			}
		}
	}
	for _, s := range lines {
		switch {
		case s.side != "P" || s.balance <= 0:
		case insured[s.base]:
			if s.on.Before(o.at) {
				o.note("copay_missed", s.number, s.on, s.balance)
			}
		case o.at.DaysSince(s.issued) > 30:
			o.note("patient_balance_aged", s.number, s.on, s.balance)
		}
	}
}

func (o *outsider) judgeWriteOffs(lines []*sale, rows []record) {
	byNumber := map[string]*sale{}
	for _, s := range lines {
		byNumber[s.number] = s
	}
	for _, r := range rows {
		if s := byNumber[r.text("Invoice #")]; s != nil {
			o.note("write_off", s.number, s.on, r.number("Amount Written Off"))
		}
	}
}

func (o *outsider) insurerCategory(s *sale, claims, policies []record, place, count int, running int64) string {
	if len(claims) > 0 && claims[0].text("Folder") == "Waiting on Primary" {
		return ""
	}
	var force record
	for _, p := range policies {
		if !p.blank("End Date") && p.date("End Date").Before(s.on) {
			continue
		}
		if force == nil || p.blank("End Date") || !force.blank("End Date") && p.date("End Date").After(force.date("End Date")) {
			force = p
		}
	}
	if len(policies) > 0 && force == nil {
		return "after_policy_end"
	}
	if force != nil {
		number := place
		if used := int(force.number("Number of Treatments")); !force.blank("Number of Treatments") && used >= count {
			number = used - count + place
		}
		if !force.blank("Max Treatments") && number > int(force.number("Max Treatments")) ||
			!force.blank("Policy Maximum") && running > force.number("Policy Maximum") {
			return "over_policy_maximum"
		}
	}
	var latest record
	for _, r := range claims {
		if r.blank("Submitted Date") {
			continue
		}
		if latest == nil || r.number("Submitted Date") > latest.number("Submitted Date") {
			latest = r
		}
	}
	if latest == nil {
		if o.at.DaysSince(s.on) >= 7 {
			return "claim_never_sent"
		}
		return ""
	}
	switch latest.text("Folder") {
	case "Rejected":
		if o.at.DaysSince(latest.date("Response Date")) >= 14 {
			return "claim_rejected"
		}
	case "Response Received", "Approved", "Paid":
		if o.at.DaysSince(latest.date("Response Date")) >= 30 {
			return "claim_underpaid"
		}
	case "Submitted", "Queued", "On Hold":
		if o.at.DaysSince(latest.date("Submitted Date")) > 60 {
			return "insurer_balance_aged"
		}
	default:
		o.t.Fatalf("latest claim of %s lies in %s", s.number, latest.text("Folder"))
	}
	return ""
}

// compare prints the differences between the truth and what an outsider works out.
func compare(t testing.TB, truth, outside []Leak) {
	t.Helper()
	known := map[string]Leak{}
	for _, leak := range truth {
		key := leak.Category + " " + leak.SourceID
		if _, twice := known[key]; twice {
			t.Errorf("the truth has two rows for %s", key)
		}
		known[key] = leak
	}
	shown := 0
	say := func(format string, values ...any) {
		if shown++; shown <= 20 {
			t.Errorf(format, values...)
		}
	}
	for _, leak := range outside {
		key := leak.Category + " " + leak.SourceID
		noted, ok := known[key]
		switch {
		case !ok:
			say("reports show %s of %v (%d cents), and nobody forgot it", key, leak.OccurredOn, leak.AmountCents)
		case noted != leak:
			say("%s: noted %v for %d cents, the reports show %v for %d", key, noted.OccurredOn, noted.AmountCents, leak.OccurredOn, leak.AmountCents)
		}
		delete(known, key)
	}
	for key, leak := range known {
		say("noted %s of %v (%d cents), and the reports do not show it", key, leak.OccurredOn, leak.AmountCents)
	}
	if shown > 20 {
		t.Errorf("and %d more differences", shown-20)
	}
}

func TestReportsShowExactlyWhatWasForgotten(t *testing.T) {
	for seed := uint64(1); seed <= 8; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			c := defaultClinic(t, seed)
			compare(t, c.Truth(), outsidersLedger(t, c))
		})
	}
}
