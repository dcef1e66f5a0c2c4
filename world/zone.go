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

const (
	// spawnApart is how far from one another the places of a spawn are: two players beside each other do not overlap.
	spawnApart = 1.5
	// spawnStride is by how many places players whose ids follow one another are apart. It is a prime, and no number of
	// places has it as a factor.
	spawnStride = 2_147_483_647
)

// place returns where a player appears: one of the places of a square grid within the circle, by the player's id, so
// that as many newcomers in a row as there are places each have one of their own.
func (s *spawnSpec) place(id rushgate.PlayerID) (x, y float64) {
	m := uint64(s.Radius / (spawnApart * math.Sqrt2)) // rings around the middle
	side := 2*m + 1
	n := uint64(id) % (side * side) * (spawnStride % (side * side)) % (side * side)
	dx, dy := float64(n%side)-float64(m), float64(n/side)-float64(m)
	return s.X + float64(dx*spawnApart), s.Y + float64(dy*spawnApart)
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
