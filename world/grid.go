package world

import "math"

const (
	minCell = 8   // units; smaller cells cost more to walk over than they save
	maxSide = 128 // cells along one side of a grid, which bounds its memory
)

// none stands for no entity, no slot, no target.
const none = -1

// gridNodes holds what grids know of their entities, indexed by the entities' keys. Grids whose entities move from one
// to another share it: an entity is in one of them at most.
type gridNodes []gridNode

type gridNode struct {
	x, y             float64
	cell, next, prev int32
}

// grid finds the entities near a point. It divides a rectangle into square cells and keeps the entities of each in a
// doubly linked list, so that moving one is O(1) and, unlike with a slice per cell, never allocates however a crowd
// shifts.
type grid struct {
	inv        float64 // cells per unit
	cols, rows int
	heads      []int32    // first entity of each cell, or none
	nodes      *gridNodes // grown by its owner, to more than the greatest key in use
}

// newGrid covers 0..width × 0..height. Queries are fastest with radii of up to cell units.
func newGrid(nodes *gridNodes, width, height, cell float64) *grid {
	cell = max(cell, minCell, width/maxSide, height/maxSide)
	g := &grid{
		inv:   1 / cell,
		cols:  int(math.Ceil(width / cell)),
		rows:  int(math.Ceil(height / cell)),
		nodes: nodes,
	}
	g.heads = make([]int32, g.cols*g.rows)
	for i := range g.heads {
		g.heads[i] = none
	}
	return g
}

// insert adds an entity that is in no grid.
func (g *grid) insert(key int32, x, y float64) {
	node := &(*g.nodes)[key]
	node.x, node.y = x, y
	g.link(key, g.cellAt(x, y))
}

// move changes the position of an entity of the grid.
func (g *grid) move(key int32, x, y float64) {
	node := &(*g.nodes)[key]
	node.x, node.y = x, y
	if cell := g.cellAt(x, y); cell != node.cell {
		g.remove(key)
		g.link(key, cell)
	}
}

// remove takes an entity of the grid out.
func (g *grid) remove(key int32) {
	nodes := *g.nodes
	node := &nodes[key]
	if node.prev == none {
		g.heads[node.cell] = node.next
	} else {
		nodes[node.prev].next = node.next
	}
	if node.next != none {
		nodes[node.next].prev = node.prev
	}
}

func (g *grid) link(key, cell int32) {
	nodes := *g.nodes
	head := g.heads[cell]
	node := &nodes[key]
	node.cell, node.next, node.prev = cell, head, none
	if head != none {
		nodes[head].prev = key
	}
	g.heads[cell] = key
}

// nearest returns the key of the entity closest to a point, no further away than r. Of equally close ones it is the
// lowest key, so that the answer does not depend on the order of the lists.
func (g *grid) nearest(x, y, r float64) (key int32, ok bool) {
	key = none
	best := float64(r * r)
	nodes := *g.nodes
	c0, c1, r0, r1 := g.reach(x, y, r)
	for row := r0; row <= r1; row++ {
		for col := c0; col <= c1; col++ {
			for k := g.heads[row*g.cols+col]; k != none; k = nodes[k].next {
				d := distance2(x, y, nodes[k].x, nodes[k].y)
				if d < best || d == best && (key == none || k < key) {
					best, key = d, k
				}
			}
		}
	}
	return key, key != none
}

// within appends to keys those of all entities no further than r from a point, in no particular order.
func (g *grid) within(keys []int32, x, y, r float64) []int32 {
	nodes := *g.nodes
	c0, c1, r0, r1 := g.reach(x, y, r)
	for row := r0; row <= r1; row++ {
		for col := c0; col <= c1; col++ {
			for k := g.heads[row*g.cols+col]; k != none; k = nodes[k].next {
				if distance2(x, y, nodes[k].x, nodes[k].y) <= float64(r*r) {
					keys = append(keys, k)
				}
			}
		}
	}
	return keys
}

// reach returns the first and last column and row that a circle touches.
func (g *grid) reach(x, y, r float64) (c0, c1, r0, r1 int) {
	return g.clamp(x-r, g.cols), g.clamp(x+r, g.cols), g.clamp(y-r, g.rows), g.clamp(y+r, g.rows)
}

// cellAt is the index of the cell that a point lies in.
func (g *grid) cellAt(x, y float64) int32 {
	return int32(g.clamp(y, g.rows)*g.cols + g.clamp(x, g.cols))
}

// clamp is the column or row of a coordinate, the nearest of the n there are.
func (g *grid) clamp(v float64, n int) int {
	return min(max(int(v*g.inv), 0), n-1)
}
