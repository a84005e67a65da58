package disclosure

import (
	"container/heap"
	"math"
)

// unbounded is more than any flow that is looked for.
const unbounded = math.MaxInt64 / 4

// arc is one cell of a table, or a total, in the network of the table.
type arc struct{ from, to int }

// network is a table with its totals. A change of its cells that leaves all sums as they are is a circulation.
type network struct {
	arcs []arc
	// at lists each node's arcs.
	at [][]int

	// What searches need is kept from one to the next.
	flow    []int64
	touched []int
	by      []step
	cost    []int64
	reached []bool
	queue   []int
}

func newNetwork(nodes int) *network { return &network{at: make([][]int, nodes)} }

func (n *network) add(a arc) {
	n.arcs = append(n.arcs, a)
	at := len(n.arcs) - 1
	n.at[a.from] = append(n.at[a.from], at)
	n.at[a.to] = append(n.at[a.to], at)
}

// view is how far arc i may rise and fall, and what going through it costs: nothing where it is hidden already.
type view func(i int) (up, down, cost int64)

// search looks for changes that raise or lower one arc and leave all sums alone. A network has one at a time.
type search struct {
	*network

	view view
	// priced says that arcs may cost something, so that the cheapest way is not just the shortest.
	priced bool
}

// step is how a node was reached.
type step struct {
	arc  int
	from int
	gain int64 // +1 where the arc rises, −1 where it falls
	left int64
}

func (n *network) search(v view, priced bool) *search {
	if len(n.flow) < len(n.arcs) {
		n.flow = make([]int64, len(n.arcs))
	}
	if len(n.by) < len(n.at) {
		n.by, n.cost, n.reached = make([]step, len(n.at)), make([]int64, len(n.at)), make([]bool, len(n.at))
	}
	for _, i := range n.touched {
		n.flow[i] = 0
	}
	n.touched = n.touched[:0]
	return &search{network: n, view: v, priced: priced}
}

// residual is how much more arc i may carry in a direction.
func (s *search) residual(i int, gain int64) (left, cost int64) {
	up, down, cost := s.view(i)
	flow := s.flow[i]
	if flow != 0 {
		cost = 0
	}
	if gain > 0 {
		return up - flow, cost
	}
	return down + flow, cost
}

// path finds the cheapest way from one node to another on which every arc has room, without one arc.
func (s *search) path(from, to, without int) bool {
	if s.priced {
		return s.cheapest(from, to, without)
	}
	clear(s.reached)
	s.reached[from] = true
	s.queue = append(s.queue[:0], from)
	for at := 0; at < len(s.queue); at++ {
		node := s.queue[at]
		for _, i := range s.at[node] {
			next, gain := s.across(i, node)
			if i == without || s.reached[next] {
				continue
			}
			left, _ := s.residual(i, gain)
			if left <= 0 {
				continue
			}
			s.by[next] = step{arc: i, from: node, gain: gain, left: left}
			if next == to {
				return true
			}
			s.reached[next] = true
			s.queue = append(s.queue, next)
		}
	}
	return false
}

func (s *search) cheapest(from, to, without int) bool {
	for i := range s.cost {
		s.cost[i] = unbounded
	}
	clear(s.reached)
	s.cost[from] = 0
	queue := &nodeQueue{{node: from}}
	for queue.Len() > 0 {
		here, _ := heap.Pop(queue).(queued)
		if s.reached[here.node] {
			continue
		}
		s.reached[here.node] = true
		if here.node == to {
			return true
		}
		for _, i := range s.at[here.node] {
			next, gain := s.across(i, here.node)
			if i == without || s.reached[next] {
				continue
			}
			left, price := s.residual(i, gain)
			// One is added a step, so that of equally cheap ways the shortest is taken.
			if left <= 0 || here.cost+price+1 >= s.cost[next] {
				continue
			}
			s.cost[next] = here.cost + price + 1
			s.by[next] = step{arc: i, from: here.node, gain: gain, left: left}
			heap.Push(queue, queued{node: next, cost: s.cost[next]})
		}
	}
	return false
}

// across is the node at the other end of an arc, and whether the arc rises on the way there.
func (s *search) across(i, node int) (next int, gain int64) {
	if a := s.arcs[i]; a.from == node {
		return a.to, 1
	}
	return s.arcs[i].from, -1
}

// shift raises (gain +1) or lowers (−1) an arc by as much as it can be, up to most, and says by how much. The arc's own
// flow is not noted.
func (s *search) shift(i int, gain, most int64) int64 {
	left, _ := s.residual(i, gain)
	from, to := s.arcs[i].to, s.arcs[i].from
	if gain < 0 {
		from, to = to, from
	}
	return s.push(from, to, i, min(most, left))
}

// push carries as much as it can, up to most, from one node to another past an arc, and says how much.
func (s *search) push(from, to, without int, most int64) int64 {
	moved := int64(0)
	for moved < most && s.path(from, to, without) {
		least := most - moved
		for node := to; node != from; node = s.by[node].from {
			least = min(least, s.by[node].left)
		}
		for node := to; node != from; node = s.by[node].from {
			st := s.by[node]
			s.flow[st.arc] += st.gain * least
			s.touched = append(s.touched, st.arc)
		}
		moved += least
	}
	return moved
}

type queued struct {
	node int
	cost int64
}

type nodeQueue []queued

func (q *nodeQueue) Len() int { return len(*q) }
func (q *nodeQueue) Less(i, j int) bool {
	a, b := (*q)[i], (*q)[j]
	return a.cost < b.cost || a.cost == b.cost && a.node < b.node
}
func (q *nodeQueue) Swap(i, j int) { (*q)[i], (*q)[j] = (*q)[j], (*q)[i] }

// Push is heap.Interface's.
func (q *nodeQueue) Push(x any) {
	if item, ok := x.(queued); ok {
		*q = append(*q, item)
	}
}

// Pop is heap.Interface's.
func (q *nodeQueue) Pop() any {
	old := *q
	item := old[len(old)-1]
	*q = old[:len(old)-1]
	return item
}
