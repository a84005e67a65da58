package disclosure

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// unprotectedError says that a cell's value could be told too nearly whatever else is suppressed.
type unprotectedError struct{ table string }

func (e *unprotectedError) Error() string {
	return "table " + e.table + " cannot be released beside what was released before"
}

// protect decides the state of every cell of the group. An unprotectedError comes only where there is a snapshot before:
// by itself every group can be released, if only its total.
func (p *groupPlan) protect(ctx context.Context) error {
	total := p.tables[p.group.Tables[0].Name].slots
	if len(total) == 1 && total[0].sensitive(p.threshold) {
		p.withholdAll(true)
		return nil
	}
	err := p.protectTables(ctx)
	if err != nil && !p.again {
		if ctx.Err() != nil {
			return err
		}
		p.withholdAll(false)
		return nil
	}
	return err
}

func (p *groupPlan) protectTables(ctx context.Context) error {
	for _, dimensions := range []int{1, 2} {
		for _, table := range p.group.Tables {
			if len(table.Dimensions) != dimensions {
				continue
			}
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("suppressing table %s: %w", table.Name, err)
			}
			plan := p.tables[table.Name]
			p.start(plan)
			if dimensions == 2 {
				p.inherit(plan)
			}
			if err := p.settle(ctx, p.net(plan)); err != nil {
				return err
			}
		}
	}
	return p.realise()
}

// inherit withholds the lines of a crossing whose totals are hidden. Where all cells of such lines at one value of the
// other dimension are of nobody, and the totals tell so, they are shown.
func (p *groupPlan) inherit(plan *tablePlan) {
	for i, dimension := range plan.table.Dimensions {
		margin, ok := p.group.margin(dimension)
		if !ok {
			continue
		}
		hiddenLines := map[string]bool{}
		for _, m := range p.tables[margin.Name].slots {
			if m.state != shown {
				hiddenLines[m.label[0]] = true
			}
		}
		somebody := map[string]bool{}
		for _, s := range plan.slots {
			if hiddenLines[s.label[i]] && !s.now.isZero() {
				somebody[s.label[1-i]] = true
			}
		}
		for _, s := range plan.slots {
			if hiddenLines[s.label[i]] && somebody[s.label[1-i]] && !s.linked {
				s.state = withheld
			}
		}
	}
}

// tableNet is a table's network, arc by slot.
type tableNet struct {
	*network
	plan  *tablePlan
	slots []*slot
	// lines are the nodes whose totals are shown, with the line's total; others carry nil.
	lines []*slot
	// node finds the node of a dimension's value.
	node [2]map[string]int
}

// net makes the network of a table: a node at either end for the total, a node a value of each dimension whose totals
// are released, an arc a cell, and an arc a hidden total.
func (p *groupPlan) net(plan *tablePlan) *tableNet {
	n := &tableNet{network: newNetwork(2), plan: plan, lines: make([]*slot, 2), node: [2]map[string]int{{}, {}}}
	if len(plan.table.Dimensions) == 1 {
		n.lines[0] = p.tables[p.group.Tables[0].Name].slots[0]
	}
	for i, dimension := range plan.table.Dimensions {
		margin, ok := p.group.margin(dimension)
		if !ok || len(plan.table.Dimensions) == 1 {
			continue
		}
		for _, m := range p.tables[margin.Name].slots {
			at := len(n.at)
			n.at = append(n.at, nil)
			n.node[i][m.label[0]] = at
			if m.state == shown {
				n.lines = append(n.lines, m)
			} else {
				n.lines = append(n.lines, nil)
			}
			if m.state == shown && m.beforeState == shown {
				continue
			}
			of := *m
			of.margin = true
			n.put(&of, [2][2]int{{0, at}, {at, 1}}[i])
		}
	}
	for _, s := range plan.slots {
		ends := [2]int{0, 1}
		for i := range plan.table.Dimensions {
			if at, ok := n.node[i][s.label[i]]; ok {
				ends[i] = at
			}
		}
		n.put(s, ends)
	}
	return n
}

func (n *tableNet) put(s *slot, ends [2]int) {
	n.add(arc{from: ends[0], to: ends[1]})
	n.slots = append(n.slots, s)
}

// The three views: what may change in this snapshot alone, in the one before alone, and in both alike. A cell that is
// linked is one number in both.

func (n *tableNet) now(i int) (int64, int64, int64) {
	s := n.slots[i]
	if s.state == shown || s.linked {
		return 0, 0, 0
	}
	return unbounded, down(s.now, s.state), 0
}

func (n *tableNet) before(i int) (int64, int64, int64) {
	s := n.slots[i]
	if s.beforeState == shown || s.linked {
		return 0, 0, 0
	}
	return unbounded, down(s.before, s.beforeState), 0
}

func (n *tableNet) both(i int) (int64, int64, int64) {
	s := n.slots[i]
	if s.state == shown || s.beforeState == shown {
		return 0, 0, 0
	}
	return unbounded, min(down(s.now, s.state), down(s.before, s.beforeState)), 0
}

// nowOrHidden and bothOrHidden are the views with what they would be if more were hidden, at its cost.
func (n *tableNet) nowOrHidden(i int) (int64, int64, int64) {
	if s := n.slots[i]; s.mayHide() {
		return unbounded, down(s.now, hidden), hideCost(s)
	}
	return n.now(i)
}

func (n *tableNet) bothOrHidden(i int) (int64, int64, int64) {
	if s := n.slots[i]; s.mayHide() && s.beforeState != shown {
		return unbounded, min(down(s.now, hidden), down(s.before, s.beforeState)), hideCost(s)
	}
	return n.both(i)
}

// hideCost prefers few cells to many, and small ones to large: what they lose is the least.
func hideCost(s *slot) int64 { return 10_000 + min(s.now.Patients, 100_000) }

// settle hides further cells until every suppressed cell, of this snapshot and of the one before, is free enough.
func (p *groupPlan) settle(ctx context.Context, n *tableNet) error {
	if p.again && n.isSame() {
		return nil
	}
	// Hiding more takes nothing from what is free already.
	done := make([]freedom, len(n.slots))
	for again := true; again; {
		again = false
		for i, s := range n.slots {
			if done[i] != bound || s.margin || s.state == shown {
				continue
			}
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("suppressing table %s: %w", n.plan.table.Name, err)
			}
			if done[i] = p.free(n, i); done[i] == bound {
				return &unprotectedError{table: n.plan.table.Name}
			}
			again = true
		}
		p.unite(n)
	}
	for i, s := range n.slots {
		if s.margin || s.beforeState == shown || done[i] == freeInBoth {
			continue
		}
		if !p.isFree(n, i, n.both, n.before) {
			return &unprotectedError{table: n.plan.table.Name}
		}
	}
	return nil
}

// isSame says whether nothing of the table changed, nor what is shown of its totals: what held before holds again then.
func (n *tableNet) isSame() bool {
	for _, s := range n.slots {
		if s.state != s.beforeState || !s.now.equal(s.before) {
			return false
		}
	}
	return true
}

// freedom is how a suppressed cell was found to be free enough.
type freedom uint8

const (
	bound      freedom = iota
	freeNow            // with what changed since the snapshot before
	freeInBoth         // in both snapshots alike
)

// isFree says whether tables that agree with all that is shown differ in slot i by the threshold. Each is found within
// one of the views.
func (p *groupPlan) isFree(n *tableNet, i int, views ...view) bool {
	var width [2]int64
	for side, gain := range []int64{1, -1} {
		for _, v := range views {
			width[side] = max(width[side], n.search(v, false).shift(i, gain, p.threshold))
			if width[0]+width[1] >= p.threshold {
				return true
			}
		}
	}
	return false
}

func (p *groupPlan) freedom(n *tableNet, i int) freedom {
	switch {
	case n.slots[i].beforeState != shown && p.isFree(n, i, n.both):
		return freeInBoth
	case !n.slots[i].linked && p.isFree(n, i, n.now), n.slots[i].beforeState != shown && p.isFree(n, i, n.both, n.now):
		return freeNow
	default:
		return bound
	}
}

// free hides what it takes to keep slot i from being told, and says how that could be done.
func (p *groupPlan) free(n *tableNet, i int) freedom {
	if f := p.freedom(n, i); f != bound {
		return f
	}
	// Cells that were hidden in the snapshot before help one that was, too; others only if they changed.
	for _, v := range []view{n.bothOrHidden, n.nowOrHidden} {
		for _, gain := range []int64{1, -1} {
			s := n.search(v, true)
			s.shift(i, gain, p.threshold)
			for _, j := range s.touched {
				if s.flow[j] != 0 && n.slots[j].state == shown {
					n.slots[j].state = hidden
				}
			}
			if f := p.freedom(n, i); f != bound {
				return f
			}
		}
	}
	for dimension := range n.plan.table.Dimensions {
		value := n.slots[i].label[dimension]
		if len(n.node[dimension]) > 0 && n.plan.withhold(dimension, &value) {
			if f := p.freedom(n, i); f != bound {
				return f
			}
		}
	}
	n.plan.withhold(0, nil)
	return p.freedom(n, i)
}

// unite sees to it that the suppressed cells of a line, whose sum everybody can tell, are of enough people together: the
// same few may be in all of them.
func (p *groupPlan) unite(n *tableNet) {
	for node, total := range n.lines {
		if total == nil || total.now.Patients < p.threshold {
			continue
		}
		var open []*slot
		var largest, visible int64
		suppressed := false
		for _, i := range n.at[node] {
			s := n.slots[i]
			switch {
			case s.margin:
			case s.state != shown:
				suppressed = true
				largest = max(largest, s.now.Patients)
			default:
				visible += s.now.Patients
				if s.mayHide() {
					open = append(open, s)
				}
			}
		}
		if !suppressed || largest >= p.threshold || total.now.Patients-visible >= p.threshold || len(open) == 0 {
			continue
		}
		slices.SortStableFunc(open, func(a, b *slot) int { return int(hideCost(a) - hideCost(b)) })
		open[0].state = hidden
	}
}

// realise holds that what may change in the totals of a dimension can be made of the cells of every crossing that the
// dimension is in, all crossings at once.
func (p *groupPlan) realise() error {
	for _, table := range p.group.Tables {
		if len(table.Dimensions) != 1 {
			continue
		}
		margin := p.net(p.tables[table.Name])
		var crossings []*tableNet
		var sides []int
		for _, crossing := range p.group.Tables {
			if side := slices.Index(crossing.Dimensions, table.Dimensions[0]); len(crossing.Dimensions) == 2 && side >= 0 {
				crossings, sides = append(crossings, p.net(p.tables[crossing.Name])), append(sides, side)
			}
		}
		for i, s := range margin.slots {
			if s.state != shown && !p.isRealised(margin, i, crossings, sides, true) ||
				s.beforeState != shown && !p.isRealised(margin, i, crossings, sides, false) {
				return &unprotectedError{table: table.Name}
			}
		}
	}
	return nil
}

func (p *groupPlan) isRealised(margin *tableNet, i int, crossings []*tableNet, sides []int, today bool) bool {
	var width [2]int64
	for side, gain := range []int64{1, -1} {
		for _, alone := range []bool{false, true} {
			s := margin.search(margin.which(alone, today), false)
			moved := s.shift(i, gain, p.threshold)
			change := map[string]int64{margin.slots[i].label[0]: gain * moved}
			for _, j := range s.touched {
				if s.flow[j] != 0 {
					change[margin.slots[j].label[0]] = s.flow[j]
				}
			}
			for at, crossing := range crossings {
				if moved > 0 && !crossing.carries(maps.Clone(change), sides[at], crossing.which(alone, today)) {
					moved = 0
				}
			}
			width[side] = max(width[side], moved)
		}
	}
	return width[0]+width[1] >= p.threshold
}

func (n *tableNet) which(alone, today bool) view {
	switch {
	case !alone:
		return n.both
	case today:
		return n.now
	default:
		return n.before
	}
}

// carries says whether a change of totals of one of the crossing's dimensions, by value, can be made of its cells, all
// other totals staying.
func (n *tableNet) carries(change map[string]int64, side int, v view) bool {
	s := n.search(func(i int) (int64, int64, int64) {
		if n.slots[i].margin {
			return 0, 0, 0
		}
		return v(i)
	}, false)
	values := slices.Sorted(maps.Keys(change))
	for _, gain := range values {
		for _, loss := range values {
			if change[gain] <= 0 || change[loss] >= 0 {
				continue
			}
			from, to := n.node[side][gain], n.node[side][loss]
			if side == 1 {
				from, to = to, from
			}
			moved := s.push(from, to, -1, min(change[gain], -change[loss]))
			change[gain] -= moved
			change[loss] += moved
		}
		if change[gain] > 0 {
			return false
		}
	}
	return true
}
