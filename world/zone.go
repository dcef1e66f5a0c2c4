package world

import (
	"math"

	"github.com/rushgate/rushgate"
)

// zone is one zone in play. Its grids hold the living only, under their slots and monster indices.
type zone struct {
	spec     *zoneSpec
	players  *grid
	monsters *grid
}

func newZone(spec *zoneSpec, cell float64, players, monsters *gridNodes) zone {
	return zone{
		spec:     spec,
		players:  newGrid(players, spec.Width, spec.Height, cell),
		monsters: newGrid(monsters, spec.Width, spec.Height, cell),
	}
}

// clamp returns the point of the zone nearest to a point.
func (z *zoneSpec) clamp(x, y float64) (float64, float64) {
	return min(max(x, 0), z.Width), min(max(y, 0), z.Height)
}

// contains reports whether a point is inside the zone.
func (z *zoneSpec) contains(x, y float64) bool {
	return x >= 0 && x <= z.Width && y >= 0 && y <= z.Height
}

// portalAt returns the portal that a point lies in, or nil.
func (z *zoneSpec) portalAt(x, y float64) *portalSpec {
	for i := range z.Portals {
		p := &z.Portals[i]
		if distance2(x, y, p.X, p.Y) <= float64(p.Radius*p.Radius) {
			return p
		}
	}
	return nil
}

// spawnApart is how far from one another the places of a spawn are: of two players beside each other, neither stands on
// the other or on the other's name.
const spawnApart = 2.0

// place returns where a player appears: one of the places of a square grid within the circle, by the player's id, so
// that as many newcomers in a row as there are places each have one of their own, and those who follow one another are
// not neighbours.
func (s *spawnSpec) place(id rushgate.PlayerID) (x, y float64) {
	m := uint64(s.Radius / (spawnApart * math.Sqrt2)) // rings around the middle
	side := 2*m + 1
	places := side * side
	n := uint64(id) % places * stride(places) % places
	dx, dy := float64(n%side)-float64(m), float64(n/side)-float64(m)
	return s.X + float64(dx*spawnApart), s.Y + float64(dy*spawnApart)
}

// stride returns a number that has no factor in common with another one, and is about as much smaller as the golden
// ratio says, by which multiples are spread evenly.
func stride(n uint64) uint64 {
	s := n*618/1000 + 1
	for gcd(s, n) != 1 {
		s++
	}
	return s
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// distance2 is the square of the distance of two points. The conversions forbid fused multiply-add; see the package
// comment.
func distance2(ax, ay, bx, by float64) float64 {
	dx, dy := bx-ax, by-ay
	return float64(dx*dx) + float64(dy*dy)
}

// toward returns the point reached from a point by going step units towards another, never past it.
func toward(x, y, tx, ty, step float64) (float64, float64) {
	d := math.Sqrt(distance2(x, y, tx, ty))
	if d <= step {
		return tx, ty
	}
	k := step / d
	return x + float64((tx-x)*k), y + float64((ty-y)*k)
}

// velocity turns the direction of an intent into movement per step, no faster than speed.
func velocity(mx, my float32, speed float64) (vx, vy float64) {
	x, y := float64(mx), float64(my)
	n := math.Sqrt(distance2(0, 0, x, y)) // cannot overflow: the squares of float32s fit a float64
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, 0
	}
	k := speed / max(n, 1)
	return x * k, y * k
}
