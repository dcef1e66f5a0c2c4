package realm

import (
	"slices"

	"github.com/rushgate/rushgate/protocol"
)

const (
	// maxVisible is how many others a snapshot tells of: more do not fit on a screen, and cost everyone's bandwidth.
	maxVisible = 64
	// maxCandidates bounds the search where players crowd: of a crowd on one spot any of them will do.
	maxCandidates = 512
)

// interest finds who is near whom in one frame. It is built anew for each frame, by counting sort, and keeps its
// memory. Any number of goroutines may then search it at once.
type interest struct {
	zones []zoneGrid
	slot  [1 << 16]uint16 // zone number to its place in zones plus 1
	cells []int32         // of each entity, while building
	start []int32         // first place in order of each cell; one more at the end
	order []point         // entities, by cell
}

// point is what a search looks at, side by side in memory.
type point struct{ x, y, index int32 }

// zoneGrid divides the part of a zone in which anything is into square cells, no more than there are entities: a few in
// each cell make for the fewest looks at what is too far away.
type zoneGrid struct {
	zone                   uint16
	count                  int64 // of its entities
	minX, minY, maxX, maxY int32
	shift                  uint
	cols, rows             int32
	first                  int32 // its first cell in interest.start
}

// build indexes the entities of a frame, whose zones are those of the entities of the same index.
func (n *interest) build(states []protocol.State, zones []uint16) {
	for i := range n.zones {
		n.slot[n.zones[i].zone] = 0
	}
	n.zones = n.zones[:0]
	for i := range states {
		n.stretch(zones[i], &states[i])
	}
	cells := n.layOut()
	n.start = resize(n.start, cells+1)
	clear(n.start)
	n.cells = resize(n.cells, len(states))
	n.order = slices.Grow(n.order[:0], len(states))[:len(states)]
	for i := range states {
		cell := n.zones[n.slot[zones[i]]-1].cellAt(states[i].X, states[i].Y)
		n.cells[i] = cell
		n.start[cell]++
	}
	sum := int32(0)
	for i, count := range n.start {
		sum += count
		n.start[i] = sum
	}
	for i := len(states) - 1; i >= 0; i-- { // backwards, so that a cell keeps the entities' order
		cell := n.cells[i]
		n.start[cell]--
		n.order[n.start[cell]] = point{states[i].X, states[i].Y, int32(i)}
	}
}

func resize(s []int32, n int) []int32 { return slices.Grow(s[:0], n)[:n] }

// stretch makes a zone's bounds include an entity.
func (n *interest) stretch(zone uint16, s *protocol.State) {
	slot := n.slot[zone]
	if slot == 0 {
		n.zones = append(n.zones, zoneGrid{zone: zone, count: 1, minX: s.X, minY: s.Y, maxX: s.X, maxY: s.Y})
		n.slot[zone] = uint16(len(n.zones))
		return
	}
	g := &n.zones[slot-1]
	g.count++
	g.minX, g.maxX = min(g.minX, s.X), max(g.maxX, s.X)
	g.minY, g.maxY = min(g.minY, s.Y), max(g.maxY, s.Y)
}

// layOut gives each zone its cells and returns how many there are.
func (n *interest) layOut() int {
	cells := int32(0)
	for i := range n.zones {
		g := &n.zones[i]
		width, height := int64(g.maxX)-int64(g.minX), int64(g.maxY)-int64(g.minY)
		for g.shift = 0; (width>>g.shift+1)*(height>>g.shift+1) > g.count; g.shift++ {
		}
		g.cols, g.rows = int32(width>>g.shift)+1, int32(height>>g.shift)+1
		g.first = cells
		cells += g.cols * g.rows
	}
	return int(cells)
}

func (g *zoneGrid) column(x int32) int32 { return int32((int64(x) - int64(g.minX)) >> g.shift) }
func (g *zoneGrid) row(y int32) int32    { return int32((int64(y) - int64(g.minY)) >> g.shift) }
func (g *zoneGrid) cellAt(x, y int32) int32 {
	return g.first + g.row(y)*g.cols + g.column(x)
}

// search is what one goroutine needs to look for neighbours.
type search struct {
	near   []neighbour // reused
	reach2 uint64      // square of the radius
}

// neighbour is an entity at a distance, in one integer that sorts by distance: the square of the distance above the
// entity's index.
type neighbour uint64

// indexBits are enough for the entities of a frame; the rest are enough for the square of maxViewRadius.
const indexBits = 24

func (v neighbour) index() int32 { return int32(v & (1<<indexBits - 1)) }

// nearest returns up to maxVisible entities no further than radius (in 1/64 unit) from the entity self and in its zone,
// nearest first. They are the nearest there are, unless more than maxCandidates are closer together than the cells of
// the grid can tell. The result is valid until the next call.
func (s *search) nearest(n *interest, states []protocol.State, zone uint16, self int32, radius int32) []neighbour {
	g := &n.zones[n.slot[zone]-1]
	me := point{states[self].X, states[self].Y, self}
	s.near, s.reach2 = s.near[:0], uint64(int64(radius)*int64(radius))
	last := min((radius>>g.shift)+1, max(g.cols, g.rows))
	for ring := int32(0); ring <= last && len(s.near) < maxCandidates; ring++ {
		s.ring(n, g, me, ring)
		if len(s.near) >= maxVisible && s.complete(g.seen(me, ring)) {
			break
		}
	}
	if len(s.near) > maxVisible {
		selectLeast(s.near, maxVisible)
		s.near = s.near[:maxVisible]
	}
	slices.Sort(s.near)
	return s.near
}

// seen is the distance from a point up to which the rings so far leave nothing out.
func (g *zoneGrid) seen(p point, ring int32) int64 {
	cell := int64(1) << g.shift
	x, y := (int64(p.x)-int64(g.minX))&(cell-1), (int64(p.y)-int64(g.minY))&(cell-1)
	return int64(ring)*cell + min(x, y, cell-1-x, cell-1-y)
}

// complete reports whether maxVisible of those found are within a distance.
func (s *search) complete(distance int64) bool {
	limit := neighbour(min(uint64(distance*distance), s.reach2))<<indexBits | (1<<indexBits - 1)
	count := 0
	for _, v := range s.near {
		if v <= limit {
			count++
		}
	}
	return count >= maxVisible
}

// ring looks at the cells whose column or row is so far from that of a point.
func (s *search) ring(n *interest, g *zoneGrid, me point, ring int32) {
	col, row := g.column(me.x), g.row(me.y)
	left, right := max(col-ring, 0), min(col+ring, g.cols-1)
	for r := max(row-ring, 0); r <= min(row+ring, g.rows-1); r++ {
		first := g.first + r*g.cols
		if r == row-ring || r == row+ring { // the cells of a row lie side by side
			s.look(n, me, first+left, first+right)
			continue
		}
		if left == col-ring {
			s.look(n, me, first+left, first+left)
		}
		if right == col+ring {
			s.look(n, me, first+right, first+right)
		}
	}
}

// look adds what is in consecutive cells and near enough.
func (s *search) look(n *interest, me point, from, to int32) {
	for _, p := range n.order[n.start[from]:n.start[to+1]] {
		dx, dy := int64(p.x)-int64(me.x), int64(p.y)-int64(me.y)
		d := uint64(dx*dx + dy*dy)
		if d > s.reach2 || p.index == me.index {
			continue
		}
		if len(s.near) == maxCandidates {
			return
		}
		s.near = append(s.near, neighbour(d<<indexBits|uint64(p.index)))
	}
}

// selectLeast moves the k least of v to its front, in no particular order (Hoare's quickselect). v is longer than k.
func selectLeast(v []neighbour, k int) {
	low, high := 0, len(v)-1
	for low < high {
		pivot := v[low+(high-low)/2]
		i, j := low, high
		for i <= j {
			for v[i] < pivot {
				i++
			}
			for v[j] > pivot {
				j--
			}
			if i <= j {
				v[i], v[j] = v[j], v[i]
				i++
				j--
			}
		}
		switch {
		case k <= j:
			high = j
		case k >= i:
			low = i
		default:
			return
		}
	}
}
