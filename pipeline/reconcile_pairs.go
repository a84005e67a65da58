package pipeline

import (
	"cmp"
	"slices"
	"time"
)

// pairing matches lines of two logs, both in the order of time, each line once at most.
type pairing struct {
	ours, theirs []AccessedThing
	// later is how much later the other clock is.
	later time.Duration
	// partner is, by line of theirs, the line of ours, or -1; taken says of ours that they have one.
	partner []int
	taken   []bool
}

// spot is a line of either log, at its time by our clock.
type spot struct {
	at     time.Time
	line   int
	theirs bool
}

// pair matches what is not matched yet, among lines of one kind: as many as can be, in the order of both logs, and then as
// close as can be.
func (p *pairing) pair(kind func(AccessedThing) string) {
	kinds := map[string][]spot{}
	for i, o := range p.ours {
		if !p.taken[i] {
			kinds[kind(o)] = append(kinds[kind(o)], spot{o.At, i, false})
		}
	}
	for i, t := range p.theirs {
		if p.partner[i] < 0 {
			kinds[kind(t)] = append(kinds[kind(t)], spot{t.At.Add(-p.later), i, true})
		}
	}
	for _, spots := range kinds {
		slices.SortStableFunc(spots, func(a, b spot) int { return a.at.Compare(b.at) })
		// Lines that are far from each other need not be looked at together.
		for from := 0; from < len(spots); {
			to := from + 1
			for to < len(spots) && spots[to].at.Sub(spots[to-1].at) <= sameMoment {
				to++
			}
			p.align(spots[from:to])
			from = to
		}
	}
}

// score is how good a matching is: how many lines it matches, and how far apart they are in all.
type score struct {
	pairs int
	apart time.Duration
}

func (s score) compare(o score) int {
	return cmp.Or(cmp.Compare(s.pairs, o.pairs), cmp.Compare(o.apart, s.apart))
}

// align finds the best matching of a few lines that keeps the order of both sides.
func (p *pairing) align(spots []spot) {
	var ours, theirs []spot
	for _, s := range spots {
		if s.theirs {
			theirs = append(theirs, s)
		} else {
			ours = append(ours, s)
		}
	}
	if len(ours) == 0 || len(theirs) == 0 {
		return
	}
	// best[i][j] is the best that the lines from i and j on can do.
	best := make([][]score, len(ours)+1)
	for i := range best {
		best[i] = make([]score, len(theirs)+1)
	}
	with := func(i, j int) (score, bool) {
		apart := ours[i].at.Sub(theirs[j].at).Abs()
		if apart > sameMoment || !alike(p.ours[ours[i].line], p.theirs[theirs[j].line]) {
			return score{}, false
		}
		rest := best[i+1][j+1]
		return score{rest.pairs + 1, rest.apart + apart}, true
	}
	for i := range slices.Backward(ours) {
		for j := range slices.Backward(theirs) {
			best[i][j] = best[i+1][j]
			if best[i][j+1].compare(best[i][j]) > 0 {
				best[i][j] = best[i][j+1]
			}
			if both, ok := with(i, j); ok && both.compare(best[i][j]) > 0 {
				best[i][j] = both
			}
		}
	}
	for i, j := 0, 0; i < len(ours) && j < len(theirs); {
		both, ok := with(i, j)
		switch {
		case ok && both == best[i][j]:
			p.partner[theirs[j].line], p.taken[ours[i].line] = ours[i].line, true
			i, j = i+1, j+1
		case best[i+1][j] == best[i][j]:
			i++
		default:
			j++
		}
	}
}

// clockDifference estimates how much later the portal's clock is: the difference under which most lines meet. Each line
// votes for the differences to those that are alike within an hour.
func clockDifference(ours, theirs []AccessedThing) time.Duration {
	const grain = time.Second
	votes := map[time.Duration]int{}
	for _, t := range theirs {
		seen := map[time.Duration]bool{}
		first, _ := slices.BinarySearchFunc(ours, t.At.Add(-farthest), func(o AccessedThing, from time.Time) int { return o.At.Compare(from) })
		for i := first; i < len(ours) && !ours[i].At.After(t.At.Add(farthest)); i++ {
			if d := t.At.Truncate(grain).Sub(ours[i].At.Truncate(grain)); alike(ours[i], t) && !seen[d] {
				seen[d] = true
				votes[d]++
			}
		}
	}
	type candidate struct {
		d     time.Duration
		votes int
	}
	var all []candidate
	for d := range votes {
		// Answers take a moment, differently long each time: neighbours count for each other.
		all = append(all, candidate{d, votes[d-grain] + 2*votes[d] + votes[d+grain]})
	}
	if len(all) == 0 {
		return 0
	}
	return slices.MinFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.votes, a.votes), cmp.Compare(a.d.Abs(), b.d.Abs()), cmp.Compare(a.d, b.d))
	}).d
}
