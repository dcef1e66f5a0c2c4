package netcode

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// replayModel is the standard's text with a set for memory.
type replayModel struct {
	received map[uint64]bool
	last     uint64
}

func (m *replayModel) seen(seq uint64) bool {
	return m.last >= replayWindowSize && seq <= m.last-replayWindowSize || m.received[seq]
}

func (m *replayModel) advance(seq uint64) {
	m.received[seq] = true
	m.last = max(m.last, seq)
}

// TestReplayWindowModel lets sequence numbers arrive near each other, with leaps, near zero and near 1<<64.
func TestReplayWindowModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w replayWindow
		m := replayModel{received: map[uint64]bool{}}
		base := rapid.OneOf(
			rapid.SampledFrom([]uint64{0, 1, 255, 256, 257, 1 << 63, math.MaxUint64 - 600, math.MaxUint64 - 256,
				math.MaxUint64 - 255, math.MaxUint64}),
			rapid.Uint64(),
		).Draw(t, "base")
		offset := rapid.OneOf(rapid.IntRange(-20, 20), rapid.IntRange(-300, 300), rapid.SampledFrom([]int{
			-257, -256, -255, -65, -64, -63, 63, 64, 65, 255, 256, 257, 512, 100_000}))
		for range rapid.IntRange(1, 200).Draw(t, "packets") {
			seq := base + uint64(offset.Draw(t, "offset"))
			if got, want := w.seen(seq), m.seen(seq); got != want {
				t.Fatalf("seen(%d) = %t with %d the last, want %t", seq, got, m.last, want)
			}
			if !m.seen(seq) || rapid.Bool().Draw(t, "advance anyway") {
				w.advance(seq)
				m.advance(seq)
			}
			if rapid.Bool().Draw(t, "move on") {
				base = seq
			}
		}
		for d := range uint64(2 * replayWindowSize) {
			if seq := m.last - d; w.seen(seq) != m.seen(seq) {
				t.Fatalf("seen(%d) = %t with %d the last, want %t", seq, w.seen(seq), m.last, m.seen(seq))
			}
		}
	})
}

// The last 256 sequence numbers there are must each be accepted exactly once.
func TestReplayWindowTop(t *testing.T) {
	var w replayWindow
	for seq := uint64(math.MaxUint64 - 2*replayWindowSize); ; seq++ {
		if w.seen(seq) {
			t.Fatalf("%d refused", seq)
		}
		w.advance(seq)
		if !w.seen(seq) {
			t.Fatalf("%d accepted twice", seq)
		}
		if seq == math.MaxUint64 {
			break
		}
	}
	for d := range uint64(3 * replayWindowSize) {
		if !w.seen(math.MaxUint64 - d) {
			t.Errorf("%d accepted again", math.MaxUint64-d)
		}
	}
}

func TestReplayWindowEdges(t *testing.T) {
	var w replayWindow
	w.advance(1000)
	if w.seen(1000-255) || !w.seen(1000-256) || w.seen(1001) || !w.seen(1000) {
		t.Errorf("after 1000: 745 seen %t, 744 seen %t, 1001 seen %t, 1000 seen %t", w.seen(745), w.seen(744),
			w.seen(1001), w.seen(1000))
	}
	before := w
	w.advance(744) // too old to be remembered, and no reason to forget others
	if w != before {
		t.Error("advancing to a number below the window changed it")
	}
}
