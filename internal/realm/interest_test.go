package realm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/rushgate/rushgate/protocol"
)

// TestNearest holds the search against a look at everyone, in worlds with crowds, with outliers and with several zones.
func TestNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(1, 300).Draw(t, "entities")
		spread := rapid.SampledFrom([]int{1, 100, 5_000, 60_000, 1 << 30}).Draw(t, "spread")
		radius := rapid.SampledFrom([]int32{0, 1, 64, 4096, maxViewRadius * protocol.Scale}).Draw(t, "radius")
		coordinate := rapid.IntRange(-spread, spread)
		states := make([]protocol.State, count)
		zones := make([]uint16, count)
		for i := range states {
			states[i] = protocol.State{X: int32(coordinate.Draw(t, "x")), Y: int32(coordinate.Draw(t, "y"))}
			zones[i] = rapid.SampledFrom([]uint16{0, 7, 65535}).Draw(t, "zone")
		}
		n := newInterest(radius)
		var s search
		n.build([]protocol.State{{}}, []uint16{9}) // what it held before must not show
		n.build(states, zones)
		for self := range states {
			got := s.nearest(&n, states, zones[self], int32(self))
			if want := nearestByLooking(states, zones, self, radius); !slices.Equal(got, want) {
				t.Fatalf("near %d: got %v, want %v", self, got, want)
			}
		}
	})
}

// TestTownInALargeZone checks that the players of a crowd see their neighbours, however much empty land is around.
func TestTownInALargeZone(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	states, zones := make([]protocol.State, 3300), make([]uint16, 3300)
	for i := range states {
		side := int32(40 * protocol.Scale)
		if i >= 3000 { // the land
			side = 2000 * protocol.Scale
		}
		states[i].X, states[i].Y = random.Int32N(side), random.Int32N(side)
	}
	n := newInterest(DefaultViewRadius * protocol.Scale)
	var s search
	n.build(states, zones)
	for self := 0; self < len(states); self += 7 {
		got := s.nearest(&n, states, 0, int32(self))
		if want := nearestByLooking(states, zones, self, n.radius); !slices.Equal(got, want) {
			t.Fatalf("near %d: got %v, want %v", self, got, want)
		}
	}
}

func nearestByLooking(states []protocol.State, zones []uint16, self int, radius int32) []neighbour {
	var out []neighbour
	for i := range states {
		dx, dy := int64(states[i].X)-int64(states[self].X), int64(states[i].Y)-int64(states[self].Y)
		d := uint64(dx*dx + dy*dy)
		if i != self && zones[i] == zones[self] && d <= uint64(int64(radius)*int64(radius)) {
			out = append(out, neighbour(d<<indexBits|uint64(i)))
		}
	}
	slices.Sort(out)
	return out[:min(len(out), maxVisible)]
}

// TestCrowdOnOneSpot bounds what a crowd costs: each player sees as many others as fit, whichever they are.
func TestCrowdOnOneSpot(t *testing.T) {
	states, zones := make([]protocol.State, 5000), make([]uint16, 5000)
	n := newInterest(4096)
	var s search
	n.build(states, zones)
	for _, self := range []int32{0, 2500, 4999} {
		got := s.nearest(&n, states, 0, self)
		if len(got) != maxVisible || cap(s.near) > 2*maxCandidates {
			t.Errorf("%d sees %d others, after a look at up to %d", self, len(got), cap(s.near))
		}
	}
}

func BenchmarkInterest(b *testing.B) {
	for _, c := range []struct {
		entities int
		spread   int32 // half the side of the square they are in, in 1/64 unit
	}{{1400, 100 * 64}, {5400, 100 * 64}, {5400, 8 * 64}} {
		random := rand.New(rand.NewPCG(1, 2))
		states, zones := make([]protocol.State, c.entities), make([]uint16, c.entities)
		for i := range states {
			states[i].X, states[i].Y = random.Int32N(2*c.spread)-c.spread, random.Int32N(2*c.spread)-c.spread
		}
		name := fmt.Sprintf("entities=%d,side=%d", c.entities, 2*c.spread/64)
		b.Run("build/"+name, func(b *testing.B) {
			n := newInterest(DefaultViewRadius * protocol.Scale)
			b.ReportAllocs()
			for b.Loop() {
				n.build(states, zones)
			}
		})
		b.Run("nearest/"+name, func(b *testing.B) {
			n := newInterest(DefaultViewRadius * protocol.Scale)
			var s search
			n.build(states, zones)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.nearest(&n, states, 0, int32(i%len(states)))
			}
		})
	}
}
