package redis

import (
	"testing"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

// Whatever order the calls of one node are answered in, what is written last is what happened last.
func TestMergedStandings(t *testing.T) {
	saved := func(fence, save uint64) standing { return standing{score: score{fence: fence, save: save}} }
	for _, tt := range []struct {
		name         string
		first, other standing // in either order, first is overruled
	}{
		{"save of the same session", saved(1, 5), saved(1, 6)},
		{"save of a later session", saved(1, 6), saved(2, 5)},
	} {
		for _, merged := range []standing{merge(tt.first, tt.other), merge(tt.other, tt.first)} {
			if merged.score.save != tt.other.score.save || merged.score.fence != tt.other.score.fence {
				t.Errorf("%s: %+v is left, want %+v", tt.name, merged, tt.other)
			}
		}
	}
}

// More than one pipeline's worth is written in one go.
func TestSettleWritesAll(t *testing.T) {
	const n = 3*settleBatch + 1
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}})
	for id := range rushgate.PlayerID(n) {
		s.standings.put(standing{player: id + 1, name: "x", score: score{numbers: rushgate.Numbers{"xp": int64(id)}}})
	}
	if ranks, err := s.Top(t.Context(), rushgate.BoardXP, 2*n); err != nil || len(ranks) != n {
		t.Errorf("leaderboard has %d lines, %v; want %d", len(ranks), err, n)
	}
}

// A server that stays away costs no more memory than this.
func TestPendingIsBounded(t *testing.T) {
	s := newStandings()
	for id := range rushgate.PlayerID(maxPending + 10) {
		s.put(standing{player: id, name: "x", score: score{}})
	}
	s.put(standing{player: 0, name: "x", score: score{save: 1}}) // who is known stays up to date
	if n := s.pending(); n != maxPending {
		t.Errorf("%d players are pending, want %d", n, maxPending)
	}
	if got := s.players[boardMember(0, "x")]; got.score.save != 1 {
		t.Errorf("player 0 has %+v", got.score)
	}
}
