package redis

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/internal/redistest"
)

// Whatever order the calls of one node are answered in, what is written last is what happened last.
func TestMergedStandings(t *testing.T) {
	saved := func(fence, save uint64) standing { return standing{score: &score{fence: fence, save: save}} }
	in := func(fence uint64, until int64) standing {
		return standing{seat: &seat{fence: fence, inside: true, until: until}}
	}
	out := func(fence uint64, until int64) standing { return standing{seat: &seat{fence: fence, until: until}} }
	tests := []struct {
		name         string
		first, other standing // in either order, first is overruled
	}{
		{"save of the same session", saved(1, 5), saved(1, 6)},
		{"save of a later session", saved(1, 6), saved(2, 5)},
		{"refresh", in(1, 60), in(1, 90)},
		{"release", in(1, 60), out(1, 60)},
		{"release and late refresh", in(1, 90), out(1, 60)},
		{"later login", out(1, 60), in(2, 60)},
		{"later login that ends earlier", in(1, 60), in(2, 50)},
	}
	for _, tt := range tests {
		for _, merged := range []standing{merge(tt.first, tt.other), merge(tt.other, tt.first)} {
			if merged.score != tt.other.score || merged.seat != tt.other.seat {
				t.Errorf("%s: %+v %+v is left, want %+v %+v", tt.name, merged.score, merged.seat, tt.other.score, tt.other.seat)
			}
		}
	}
	both := merge(saved(1, 5), in(1, 60))
	if both.score == nil || both.seat == nil {
		t.Errorf("of a save and a refresh is left %+v", both)
	}
}

// The set of players online is shared: what one node writes late does not undo what another has written.
func TestSeatsOfSeveralNodes(t *testing.T) {
	server := redistest.Start(t)
	var now atomic.Int64 // the stores' own goroutines look at it, too
	now.Store(1000)
	clock := func() time.Time { return time.UnixMilli(now.Load()) }
	a := openStore(t, Options{URLs: []string{server.URL()}, clock: clock})
	b := openStore(t, Options{URLs: []string{server.URL()}, clock: clock})
	steps := []struct {
		s    *Store
		seat seat
		now  int64
		want int
	}{
		{a, seat{fence: 1, inside: true, until: 2000}, 1000, 1},
		{b, seat{fence: 2, inside: true, until: 5000}, 1000, 1},
		{a, seat{fence: 1, until: 2000}, 1000, 1},               // the end of the session before
		{a, seat{fence: 1, inside: true, until: 3000}, 4000, 1}, // and its last refresh
		{b, seat{fence: 2, until: 5000}, 4000, 0},
		{b, seat{fence: 2, until: 5000}, 4000, 0},
	}
	for i, step := range steps {
		step.s.standings.put(standing{player: 1, name: "alice", seat: &step.seat})
		if err := step.s.settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		now.Store(step.now)
		if n, err := step.s.Online(t.Context()); err != nil || n != step.want {
			t.Errorf("after step %d: Online = %d, %v; want %d", i, n, err, step.want)
		}
	}
}

// More than one pipeline's worth is written in one go.
func TestSettleWritesAll(t *testing.T) {
	const n = 3*settleBatch + 1
	server := redistest.Start(t)
	s := openStore(t, Options{URLs: []string{server.URL()}})
	for id := range rushgate.PlayerID(n) {
		s.standings.put(standing{player: id + 1, name: "x", score: &score{values: [3]int64{int64(id)}}})
	}
	if ranks, err := s.Top(t.Context(), rushgate.BoardXP, 2*n); err != nil || len(ranks) != n {
		t.Errorf("leaderboard has %d lines, %v; want %d", len(ranks), err, n)
	}
}

// A server that stays away costs no more memory than this.
func TestPendingIsBounded(t *testing.T) {
	s := newStandings()
	for id := range rushgate.PlayerID(maxPending + 10) {
		s.put(standing{player: id, name: "x", score: &score{}})
	}
	s.put(standing{player: 0, name: "x", score: &score{save: 1}}) // who is known stays up to date
	if n := s.pending(); n != maxPending {
		t.Errorf("%d players are pending, want %d", n, maxPending)
	}
	if got := s.players[boardMember(0, "x")]; got.score.save != 1 {
		t.Errorf("player 0 has %+v", got.score)
	}
}
