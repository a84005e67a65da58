package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/transforms/secret"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// stillPortal is a portal without waits, in which nothing goes wrong.
type stillPortal struct {
	world *world
	day   civil.Date
	// ordered is what was asked for last.
	ordered []extractors.Order
}

func (p *stillPortal) Kinds() []extractors.ReportKind { return simKinds() }

func (p *stillPortal) Visit(orders []extractors.Order, w Watch) (extractors.Source, error) {
	p.ordered = orders
	return stillSource{p, w}, nil
}

type stillSource struct {
	*stillPortal
	watch Watch
}

func (s stillSource) Reports(ctx context.Context, each func(extractors.Report) error) error {
	s.watch.Access(extractors.Access{At: time.Now(), Action: extractors.ActionSignedIn, Rows: -1, Bytes: -1, Outcome: extractors.AccessDone})
	for _, o := range s.ordered {
		if err := s.watch.Before(ctx); err != nil {
			return err
		}
		if err := each(s.world.report(o, s.day)); err != nil {
			return err
		}
	}
	return nil
}

// nights is a clinic that is read night after night.
type nights struct {
	*simulation

	portal stillPortal
	clinic *Site
}

func newNights(t *testing.T, seed uint64) *nights {
	t.Helper()
	s := newSimulation(t, seed, seed)
	return &nights{simulation: s, portal: stillPortal{world: s.portal.world, day: simLast}, clinic: s.site(&machine{}, "a")}
}

// read reads a night, or everything since a day.
func (n *nights) read(t testing.TB, from civil.Date) *Extracted {
	t.Helper()
	out, err := n.clinic.Extract(context.Background(), ExtractOptions{
		Portal: &n.portal, Credentials: "right", Account: secret.FromText("clerk"), Settings: &n.typed, Seal: plainCipher{}, Budget: -1,
		Plan: PlanOptions{Day: n.portal.day, Trailing: 40, Ahead: 30, From: from},
	})
	if err != nil {
		t.Fatalf("%s: %v", n.portal.day, err)
	}
	return out
}

func (n *nights) head(t testing.TB) *lake.Commit {
	t.Helper()
	head, err := n.clinic.Clinic.Head(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return head
}

// undated is the day of rows that have none.
const undated = math.MinInt32

// printedRows prints the rows of a dataset on the days that are wanted, without the day on which each was seen.
func printedRows[T contract.Row](t testing.TB, n *nights, table lake.Table[T], wanted func(day int32) bool) (out []string) {
	t.Helper()
	for row, err := range lake.Rows(context.Background(), n.clinic.Clinic.Snapshot(n.head(t)), table) {
		if err != nil {
			t.Fatal(err)
		}
		if day := row.Day(); day != undated && !wanted(day) {
			continue
		}
		body, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		fields := map[string]any{}
		if err := json.Unmarshal(body, &fields); err != nil {
			t.Fatal(err)
		}
		delete(fields, "ObservedOn")
		out = append(out, fmt.Sprintf("%s %v", table.Name(), fields))
	}
	slices.Sort(out)
	return out
}

// rows prints all rows on days that were covered last on the given day or later.
func (n *nights) rows(t testing.TB, covered map[string]lake.Dataset, since civil.Date) []string {
	t.Helper()
	in := func(dataset string) func(int32) bool {
		return func(day int32) bool {
			on := contract.DateOf(day)
			return slices.ContainsFunc(covered[dataset].Covers, func(c lake.Coverage) bool {
				return !c.ObservedOn.Before(since) && !on.Before(c.From) && !on.After(c.To)
			})
		}
	}
	return slices.Concat(
		printedRows(t, n, lake.Appointments, in(contract.Appointments)), printedRows(t, n, lake.InvoiceLines, in(contract.InvoiceLines)),
		printedRows(t, n, lake.Claims, in(contract.Claims)), printedRows(t, n, lake.Policies, in(contract.Policies)),
		printedRows(t, n, lake.ShiftPeriods, in(contract.ShiftPeriods)),
	)
}

// dataObjects are the objects of the lake that hold rows, the access ledger's left out.
func (n *nights) dataObjects(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for name, err := range n.store.List(context.Background(), "clinic=simulated/data/", "") {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(name, "/"+contract.AccessLedger+"/") {
			out[name] = true
		}
	}
	return out
}

// TestNights reads a clinic night after night, while rows are deleted, moved, renumbered, reversed and paid. Every night what was read
// must stand as an import of that day's portal has it, in one commit; months with open money are read every night, and the
// others in turn, the one longest unseen first. When nothing changes any more, everything comes right within one round, and
// then a night uploads nothing but its ledger, and the hours of a month that is not over.
func TestNights(t *testing.T) {
	t.Parallel()
	const changing, still = 12, 8
	seeds := uint64(1)
	if os.Getenv("FALLOFF_LONG") != "" {
		seeds = 30
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			n := newNights(t, seed)
			n.read(t, simFirst)
			chance := rand.New(rand.NewPCG(seed, 99))
			for night := 1; night <= changing+still; night++ {
				n.portal.day = simLast.AddDays(night)
				if night <= changing {
					n.portal.world = n.portal.world.tomorrow(chance, n.portal.day)
				}
				turn, open := n.expected(t)
				held := n.dataObjects(t)
				out := n.read(t, civil.Date{})
				if out.Commit != int64(night+1) {
					t.Fatalf("night %d made commit %d", night, out.Commit)
				}
				n.checkOrders(t, turn, open)

				whole := newNights(t, seed)
				whole.portal.world, whole.portal.day = n.portal.world, n.portal.day
				whole.read(t, simFirst)
				covered, since := n.head(t).Datasets, n.portal.day
				last := night == changing+still
				if last {
					since = simLast.AddDays(changing)
				}
				got, want := n.rows(t, covered, since), whole.rows(t, covered, since)
				compareRows(t, night, got, want)
				if !last {
					continue
				}
				if all := whole.rows(t, whole.head(t).Datasets, n.portal.day); len(all) != len(want) {
					t.Errorf("after a round %d of %d rows have been read again", len(want), len(all))
				}
				n.demandNothingNew(t, held, contract.ShiftPeriods) // the hours of a month so far are others every night
				held = n.dataObjects(t)
				n.read(t, civil.Date{})
				n.demandNothingNew(t, held, "")
			}
		})
	}
}

// demandNothingNew finds objects that were not held, other than of one dataset.
func (n *nights) demandNothingNew(t *testing.T, held map[string]bool, but string) {
	t.Helper()
	for name := range n.dataObjects(t) {
		if !held[name] && (but == "" || !strings.Contains(name, "/"+but+"/")) {
			t.Errorf("a night in which nothing changed has uploaded %s", name)
		}
	}
}

// expected says of the next night, by the lake and a calendar, which of the old months must be read: the one whose turn it is, and
// those with open money.
func (n *nights) expected(t *testing.T) (turn civil.Date, open []civil.Date) {
	t.Helper()
	head := n.head(t)
	limit := n.portal.day.AddDays(1 - 40)
	var oldest civil.Date
	for month := simFirst; month.Before(limit); {
		next := civil.Date{Year: month.Year, Month: month.Month, Day: 1}.AddDays(31)
		next.Day = 1
		end := next.AddDays(-1)
		if !end.Before(limit) {
			end = limit.AddDays(-1)
		}
		seen := n.portal.day
		for _, dataset := range []string{contract.Appointments, contract.InvoiceLines, contract.Claims, contract.ShiftPeriods} {
			for day := month; !day.After(end); day = day.AddDays(1) {
				for _, c := range head.Datasets[dataset].Covers {
					if !day.Before(c.From) && !day.After(c.To) && c.ObservedOn.Before(seen) {
						seen = c.ObservedOn
					}
				}
			}
		}
		if !turn.IsValid() || seen.Before(oldest) {
			turn, oldest = month, seen
		}
		if n.owes(t, head, month, end) {
			open = append(open, month)
		}
		month = next
	}
	return turn, open
}

// owes says whether money is open between two days, as the lake has it.
func (n *nights) owes(t *testing.T, head *lake.Commit, from, to civil.Date) bool {
	t.Helper()
	within := func(day int32) bool { on := contract.DateOf(day); return !on.Before(from) && !on.After(to) }
	snapshot := n.clinic.Clinic.Snapshot(head)
	balance := map[string]int64{}
	for row, err := range lake.Rows(context.Background(), snapshot, lake.InvoiceLines) {
		if err != nil {
			t.Fatal(err)
		}
		if within(row.PurchaseDate) { // in this world an invoice and its reversal are of one day
			balance[row.InvoiceBase+row.InvoiceSide] += row.BalanceCents
		}
	}
	for row, err := range lake.Rows(context.Background(), snapshot, lake.Claims) {
		if err != nil {
			t.Fatal(err)
		}
		if within(row.ServiceDate) && row.Folder == contract.ClaimSubmitted {
			return true
		}
	}
	for _, cents := range balance {
		if cents != 0 {
			return true
		}
	}
	return false
}

// checkOrders holds what was ordered against what must be.
func (n *nights) checkOrders(t *testing.T, turn civil.Date, open []civil.Date) {
	t.Helper()
	ordered := func(report string, day civil.Date) bool {
		return slices.ContainsFunc(n.portal.ordered, func(o extractors.Order) bool { return o.Report == report && o.Window.Contains(day) })
	}
	for _, report := range []string{"appointments", "sales", "claims", "shift"} {
		for _, day := range []civil.Date{n.portal.day, n.portal.day.AddDays(-39)} {
			if !ordered(report, day) {
				t.Errorf("%s: %s was not read about %s", n.portal.day, report, day)
			}
		}
		if !ordered(report, turn) {
			t.Errorf("%s: %s was not read about %s, whose turn it was", n.portal.day, report, turn)
		}
	}
	for _, month := range open {
		if !ordered("sales", month) || !ordered("claims", month) {
			t.Errorf("%s: money is open in the month of %s, and it was not read", n.portal.day, month)
		}
	}
	for month := simFirst; month.Before(n.portal.day.AddDays(-70)); month = month.AddDays(28) {
		first := civil.Date{Year: month.Year, Month: month.Month, Day: 1}
		if first.Month != turn.Month && ordered("appointments", month) {
			t.Errorf("%s: appointments were read about %s, whose turn it was not", n.portal.day, month)
		}
	}
}

func compareRows(t testing.TB, night int, got, want []string) {
	t.Helper()
	if len(want) < 20 {
		t.Fatalf("night %d: only %d rows are compared", night, len(want))
	}
	for _, row := range want {
		if !slices.Contains(got, row) {
			t.Errorf("night %d: missing %s", night, row)
		}
	}
	for _, row := range got {
		if !slices.Contains(want, row) {
			t.Errorf("night %d: unexpected %s", night, row)
		}
	}
}
