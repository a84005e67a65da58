package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"cloud.google.com/go/civil"

	"github.com/falloff-analytics/falloff/extractors"
	"github.com/falloff-analytics/falloff/transforms/secret"
)

// brokenPortal is a portal without waits that fails at one report of a visit.
type brokenPortal struct {
	stillPortal

	cause extractors.Cause
	at    int
}

func (p *brokenPortal) Visit(orders []extractors.Order, w Watch) (extractors.Source, error) {
	p.ordered = orders
	return brokenSource{stillSource{&p.stillPortal, w}, p}, nil
}

type brokenSource struct {
	stillSource
	broken *brokenPortal
}

func (s brokenSource) Reports(ctx context.Context, each func(extractors.Report) error) error {
	n := 0
	return s.stillSource.Reports(ctx, func(r extractors.Report) error {
		if n++; n == s.broken.at && s.broken.cause != "" {
			return &extractors.Failure{Cause: s.broken.cause, Doing: "exporting " + r.Order}
		}
		return each(r)
	})
}

// retryable are the causes after which a night is tried again.
func retryable() (out []extractors.Cause) {
	for _, c := range extractors.Causes() {
		if c.Retryable() {
			out = append(out, c)
		}
	}
	return out
}

// disturbed is one night that goes wrong until it has landed. It gives how many processes that took.
func (n *nights) disturbed(t *testing.T, chance *rand.Rand, from civil.Date, kinds map[string]int) (tries int) {
	t.Helper()
	for ; ; tries++ {
		if tries > 60 {
			t.Fatalf("%s: the night does not come to an end", n.portal.day)
		}
		portal := &brokenPortal{stillPortal: n.portal}
		m := &machine{}
		kind := chance.IntN(4)
		if tries > 3 {
			kind = 3
		}
		switch kind {
		case 0:
			m.trouble = trouble{1 + chance.IntN(150), chance.IntN(2) == 0, killed}
		case 1: // the store fails once
			m.trouble = trouble{1 + chance.IntN(150), chance.IntN(2) == 0, failing}
		case 2:
			causes := retryable()
			portal.cause, portal.at = causes[chance.IntN(len(causes))], 1+chance.IntN(12)
		default:
		}
		site := n.site(m, []string{"a", "b"}[chance.IntN(2)])
		out, err := site.Extract(context.Background(), ExtractOptions{
			Portal: portal, Credentials: "right", Account: secret.FromText("clerk"), Settings: &n.typed, Seal: plainCipher{}, Budget: -1,
			Plan: PlanOptions{Day: n.portal.day, Trailing: 40, Ahead: 30, From: from},
		})
		n.gone[site.asTenant.pid] = true
		failure := new(extractors.Failure)
		switch {
		case err == nil:
			if out.Discarded != "" {
				t.Fatalf("%s: a run was discarded: %s", n.portal.day, out.Discarded)
			}
			return tries + 1
		case m.killed():
			kinds["killed"]++
		case errors.As(err, &failure) && failure.Cause == portal.cause:
			kinds[string(failure.Cause)]++
		case errors.Is(err, errFailing):
			kinds["storage"]++
		case errors.As(err, &failure) && failure.Cause == extractors.WrongPassword:
			// A process died before it was let in for the first time: a person looks, and gives the password again.
			if err := n.clinic.proven(context.Background(), "right"); err != nil {
				t.Fatal(err)
			}
		case errors.As(err, new(*BusyError)):
			// One that died, or whose store failed, as it gave the lease back, on another machine: there it is not seen that it is
			// gone, and its hold ends with time, which does not pass here.
			for pid := range n.pids + 1 {
				n.gone[pid] = true
			}
			if err := recordOf[Lease](n.clinic, leaseRegister, "").change(context.Background(), func(l *Lease) error {
				*l = Lease{}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("%s: %v", n.portal.day, err)
		}
	}
}

// marts prints every row of every mart.
func (n *nights) marts(t *testing.T) map[string][]string {
	t.Helper()
	ctx := t.Context()
	view, err := n.clinic.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = view.Close() }()
	out := map[string][]string{}
	for name := range view.Commit.Marts {
		columns, rows, err := view.Query(ctx, "select * from marts."+name)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = []string{}
		for _, row := range rows {
			line := ""
			for i, c := range columns {
				line += fmt.Sprintf(" %s=%v", c, row[i])
			}
			out[name] = append(out[name], line)
		}
		slices.Sort(out[name])
	}
	return out
}

// TestHundredNights reads a clinic for a hundred nights, in which its rows are deleted, moved, renumbered, reversed and paid, processes
// die, the store fails, and the portal fails for every cause that passes. Every night ends in one commit of data. When nothing has changed
// for as long as it takes to see all of history again, its marts are, row by row, those of one import that nothing
// disturbed, into another lake.
func TestHundredNights(t *testing.T) {
	t.Parallel()
	count, seeds := 30, uint64(1)
	if os.Getenv("FALLOFF_LONG") != "" {
		count, seeds = 100, 3
	}
	const still = 12
	met := map[string]int{} // over all seeds
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			n := newNights(t, 40+seed)
			chance := rand.New(rand.NewPCG(seed, 100))
			kinds, tries := map[string]int{}, 0
			tries += n.disturbed(t, chance, simFirst, kinds)
			for night := 1; night <= count+still; night++ {
				n.portal.day = simLast.AddDays(night)
				if night <= count {
					n.portal.world = n.portal.world.tomorrow(chance, n.portal.day)
				}
				tries += n.disturbed(t, chance, civil.Date{}, kinds)
				if night%20 == 0 { // marts of a night long before the last are none of the last's
					n.build(t, chance)
				}
			}
			n.build(t, chance)
			whole := newNights(t, 40+seed)
			whole.portal = n.portal
			// Hours are asked for by the month, and so, when the turn of that month comes, is all else: the nights know of some
			// days more than their first reading was asked for, and that nothing is on them.
			whole.read(t, civil.Date{Year: simFirst.Year, Month: simFirst.Month, Day: 1})
			if _, err := whole.clinic.Build(t.Context(), BuildOptions{}); err != nil {
				t.Fatal(err)
			}
			got, want := n.marts(t), whole.marts(t)
			if len(want) < 20 || len(got) != len(want) {
				t.Fatalf("there are %d marts, and %d of an undisturbed import", len(got), len(want))
			}
			rows := 0
			for _, name := range sortedKeys(want) {
				rows += len(want[name])
				sameMart(t, name, got[name], want[name])
			}
			t.Logf("%d nights in %d processes, which ended so: %v; %d rows of %d marts", count+still+1, tries, kinds, rows, len(want))
			for kind, times := range kinds {
				met[kind] += times
			}
			if rows < 100 || tries < count+still+20 {
				t.Errorf("%d rows of marts after %d processes prove little", rows, tries)
			}
		})
	}
	for _, kind := range append([]string{"killed", "storage"}, causesAsText()...) {
		if met[kind] == 0 && count == 100 {
			t.Errorf("no night met %s: %v", kind, met)
		}
	}
}

func causesAsText() (out []string) {
	for _, c := range retryable() {
		out = append(out, string(c))
	}
	return out
}

// build builds the marts, with a process before it that dies.
func (n *nights) build(t *testing.T, chance *rand.Rand) {
	t.Helper()
	site := n.site(&machine{trouble: trouble{1 + chance.IntN(60), chance.IntN(2) == 0, killed}}, "a")
	_, _ = site.Build(t.Context(), BuildOptions{})
	n.gone[site.asTenant.pid] = true
	if _, err := n.clinic.Build(t.Context(), BuildOptions{}); err != nil {
		t.Fatalf("%s: building: %v", n.portal.day, err)
	}
}

func sameMart(t *testing.T, name string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	said := 0
	for _, side := range []struct {
		what     string
		of, than []string
	}{{"missing", want, got}, {"unexpected", got, want}} {
		for _, row := range side.of {
			if !slices.Contains(side.than, row) && said < 6 {
				t.Errorf("%s: %s %s", name, side.what, row)
				said++
			}
		}
	}
	if said == 0 {
		t.Errorf("%s: rows are there another number of times", name)
	}
}
