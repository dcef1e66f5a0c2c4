package world

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The model is a plain list of points, searched from end to end. Two grids share their entities, as zones do.
func TestGridAgreesWithExhaustiveSearch(t *testing.T) {
	const entities = 12
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.Float64Range(minZoneSide, 400).Draw(t, "width")
		height := rapid.Float64Range(minZoneSide, 400).Draw(t, "height")
		cell := rapid.Float64Range(0, 50).Draw(t, "cell")
		nodes := make(gridNodes, entities)
		grids := [2]*grid{newGrid(&nodes, width, height, cell), newGrid(&nodes, width, height, cell)}
		var model [entities]struct {
			grid *grid // nil if in none
			x, y float64
		}
		drawGrid := func(t *rapid.T) *grid { return grids[rapid.IntRange(0, 1).Draw(t, "grid")] }
		// A few round numbers make equal distances and points on cell borders likely.
		drawPoint := func(t *rapid.T) (x, y float64) {
			x, y = float64(rapid.IntRange(0, 8).Draw(t, "x")), float64(rapid.IntRange(0, 8).Draw(t, "y"))
			return min(8*x, width), min(8*y, height)
		}
		t.Repeat(map[string]func(*rapid.T){
			"insert or move": func(t *rapid.T) {
				key := rapid.Int32Range(0, entities-1).Draw(t, "key")
				p := &model[key]
				p.x, p.y = drawPoint(t)
				if p.grid != nil {
					p.grid.move(key, p.x, p.y)
					return
				}
				p.grid = drawGrid(t)
				p.grid.insert(key, p.x, p.y)
			},
			"remove": func(t *rapid.T) {
				key := rapid.Int32Range(0, entities-1).Draw(t, "key")
				if model[key].grid == nil {
					t.Skip("in no grid")
				}
				model[key].grid.remove(key)
				model[key].grid = nil
			},
			"query": func(t *rapid.T) {
				g := drawGrid(t)
				x, y := drawPoint(t)
				r := float64(rapid.IntRange(0, 5).Draw(t, "r") * 8)
				var all []int32
				nearest, best := int32(none), r*r
				for key, p := range model { // the first of equals has the lowest key
					if p.grid != g {
						continue
					}
					d := (p.x-x)*(p.x-x) + (p.y-y)*(p.y-y)
					if d <= r*r {
						all = append(all, int32(key))
					}
					if d < best || d == best && nearest == none {
						best, nearest = d, int32(key)
					}
				}
				got := g.within(nil, x, y, r)
				slices.Sort(got)
				if !slices.Equal(got, all) {
					t.Fatalf("within %v of %v, %v: %v, want %v", r, x, y, got, all)
				}
				if key, ok := g.nearest(x, y, r); key != nearest || ok != (nearest != none) {
					t.Fatalf("nearest within %v of %v, %v: %v, %v, want %v", r, x, y, key, ok, nearest)
				}
			},
		})
	})
}

func TestGridMemoryIsBounded(t *testing.T) {
	if g := newGrid(new(gridNodes), maxZoneSide, maxZoneSide, 0); len(g.heads) > maxSide*maxSide {
		t.Errorf("%d cells", len(g.heads))
	}
}
