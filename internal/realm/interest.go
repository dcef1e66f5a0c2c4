package realm

import (
	"slices"

	"github.com/rushgate/rushgate/protocol"
)

const (
	// maxVisible is how many others a snapshot tells of: more do not fit on a screen, and cost everyone's bandwidth.
	maxVisible = 64
	// maxCandidates bounds the search where hundreds stand on one spot: of those any will do.
	maxCandidates = 512
	// cellsPerRadius is how many cells of the coarse grid the radius of view spans. Fewer mean looks at many that are too
	// far away where players are many, more mean looks into empty cells where they are few.
	cellsPerRadius = 8
	// finer is the ratio of the cells of the two grids, as a power of two.
	finer = 3
)

// interest finds which entities are near which others in one frame. It is built anew for each frame and keeps its
// memory. Any number of goroutines may then search it at once.
type interest struct {
	radius  int32 // how far everybody sees, in 1/64 unit
	coarse  grid
	fine    grid // for crowds
	crowded bool // fine is there
}

// grid divides the plane into square cells. They are hashed, so that neither an empty world nor one far-away entity
// makes the grid larger or coarser.
type grid struct {
	shift   uint // of coordinates, to get those of cells
	mask    uint64
	buckets []uint32 // of each entity, while building
	start   []int32  // first place in order of each bucket; one more at the end
	order   []point  // entities, by bucket
}

// point is what a search looks at, side by side in memory.
type point struct {
	x, y, index int32
	zone        uint16
}

// newInterest returns an empty grid for a radius in 1/64 unit.
func newInterest(radius int32) interest {
	n := interest{radius: radius}
	for int32(1)<<n.coarse.shift*cellsPerRadius < radius {
		n.coarse.shift++
	}
	n.fine.shift = max(n.coarse.shift, finer) - finer
	return n
}

// build indexes the entities of a frame, whose zones are those of the entities of the same index.
func (n *interest) build(states []protocol.State, zones []uint16) {
	largest := n.coarse.build(states, zones)
	if n.crowded = largest > maxCandidates/9; n.crowded { // a search looks at nine cells at least, as a rule
		n.fine.build(states, zones)
	}
}

// bucket is where the entities of a cell are, together with those of any other cell that happens to share it.
func (g *grid) bucket(zone uint16, col, row int32) uint64 {
	h := uint64(uint32(col))*0x9E3779B97F4A7C15 + uint64(uint32(row))*0xC2B2AE3D27D4EB4F + uint64(zone)*0x165667B19E3779F9
	return (h ^ h>>29) & g.mask
}

// build is a counting sort. It returns how many entities are in the fullest bucket.
func (g *grid) build(states []protocol.State, zones []uint16) (largest int32) {
	size := uint64(64)
	for size < 2*uint64(len(states)) {
		size *= 2
	}
	g.mask = size - 1
	g.start = slices.Grow(g.start[:0], int(size)+1)[:size+1]
	clear(g.start)
	g.buckets = slices.Grow(g.buckets[:0], len(states))[:len(states)]
	g.order = slices.Grow(g.order[:0], len(states))[:len(states)]
	for i := range states {
		b := g.bucket(zones[i], states[i].X>>g.shift, states[i].Y>>g.shift)
		g.buckets[i] = uint32(b)
		g.start[b]++
	}
	sum := int32(0)
	for i, count := range g.start {
		sum += count
		g.start[i] = sum
		largest = max(largest, count)
	}
	for i := len(states) - 1; i >= 0; i-- { // backwards, so that a bucket keeps the entities' order
		b := g.buckets[i]
		g.start[b]--
		g.order[g.start[b]] = point{states[i].X, states[i].Y, int32(i), zones[i]}
	}
	return largest
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

// nearest returns up to maxVisible entities no further than the radius from the entity self and in its zone, nearest
// first. They are the nearest there are, unless more than maxCandidates are within a few cells of the fine grid. The
// result is valid until the next call.
func (s *search) nearest(n *interest, states []protocol.State, zone uint16, self int32) []neighbour {
	me := point{states[self].X, states[self].Y, self, zone}
	s.reach2 = uint64(int64(n.radius) * int64(n.radius))
	if s.spread(&n.coarse, me, n.radius); len(s.near) == maxCandidates && n.crowded {
		s.spread(&n.fine, me, n.radius)
	}
	if len(s.near) > maxVisible {
		selectLeast(s.near, maxVisible)
		s.near = s.near[:maxVisible]
	}
	slices.Sort(s.near)
	return s.near
}

// spread looks at ring after ring of cells around a point until the nearest have been found, or maxCandidates.
func (s *search) spread(g *grid, me point, radius int32) {
	s.near = s.near[:0]
	last := radius>>g.shift + 1
	for ring := int32(0); ring <= last && len(s.near) < maxCandidates; ring++ {
		s.ring(g, me, ring)
		if len(s.near) >= maxVisible && s.complete(g.seen(me, ring)) {
			return
		}
	}
}

// seen is the distance from a point up to which the rings so far leave nothing out.
func (g *grid) seen(p point, ring int32) int64 {
	cell := int64(1) << g.shift
	x, y := int64(p.x)&(cell-1), int64(p.y)&(cell-1)
	return int64(ring)*cell + min(x, y, cell-1-x, cell-1-y)
}

// complete reports whether maxVisible of those found are within a distance.
func (s *search) complete(distance int64) bool {
	if distance >= maxViewRadius*protocol.Scale {
		return true
	}
	limit := neighbour(distance*distance)<<indexBits | (1<<indexBits - 1)
	count := 0
	for _, v := range s.near {
		if v <= limit {
			count++
		}
	}
	return count >= maxVisible
}

// ring looks at the cells whose column or row is so far from that of a point.
func (s *search) ring(g *grid, me point, ring int32) {
	col, row := me.x>>g.shift, me.y>>g.shift
	for c := col - ring; c <= col+ring; c++ {
		s.look(g, me, c, row-ring)
		if ring > 0 {
			s.look(g, me, c, row+ring)
		}
	}
	for r := row - ring + 1; r < row+ring; r++ {
		s.look(g, me, col-ring, r)
		s.look(g, me, col+ring, r)
	}
}

// look adds what is in a cell and near enough.
func (s *search) look(g *grid, me point, col, row int32) {
	b := g.bucket(me.zone, col, row)
	for _, p := range g.order[g.start[b]:g.start[b+1]] {
		if p.x>>g.shift != col || p.y>>g.shift != row || p.zone != me.zone || p.index == me.index {
			continue
		}
		dx, dy := int64(p.x)-int64(me.x), int64(p.y)-int64(me.y)
		if d := uint64(dx*dx + dy*dy); d <= s.reach2 && len(s.near) < maxCandidates {
			s.near = append(s.near, neighbour(d<<indexBits|uint64(p.index)))
		}
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
