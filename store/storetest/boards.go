package storetest

import (
	"math"
	"slices"
	"testing"

	"github.com/rushgate/rushgate"
)

var boardCases = []testCase{
	{"TiesShareARank", boardTies},
	{"EachBoardHasItsScore", boardScores},
	{"EmptyAndUnknown", boardEdges},
}

func wantRanks(t *testing.T, got, want []rushgate.Rank) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("leaderboard is\n%+v, want\n%+v", got, want)
	}
}

func boardTies(t *testing.T, h Harness) {
	s := h.open(t)
	scores := map[rushgate.PlayerID]int64{1: 10, 2: 30, 3: 20, 4: 20, 5: 10, 6: 20}
	for _, id := range []rushgate.PlayerID{4, 6, 1, 5, 3, 2} {
		in := register(t, s, id, string(rune('a'+id-1)))
		setNumber(&in.Character, "xp", scores[id])
		if err := save(t, s, rushgate.Save{Character: in.Character, Fence: in.Lease.Fence}); err != nil {
			t.Fatal(err)
		}
	}
	want := []rushgate.Rank{
		{Rank: 1, Player: 2, Name: "b", Score: 30},
		{Rank: 2, Player: 3, Name: "c", Score: 20},
		{Rank: 2, Player: 4, Name: "d", Score: 20},
		{Rank: 2, Player: 6, Name: "f", Score: 20},
		{Rank: 5, Player: 1, Name: "a", Score: 10},
		{Rank: 5, Player: 5, Name: "e", Score: 10},
	}
	for limit := 1; limit <= len(want)+1; limit++ {
		wantRanks(t, top(t, s, rushgate.BoardXP, limit), want[:min(limit, len(want))])
	}
}

func boardScores(t *testing.T, h Harness) {
	s := h.open(t)
	a, b := register(t, s, 1, "a"), register(t, s, 2, "b")
	setNumber(&a.Character, "xp", 100)
	setNumber(&a.Character, "level", 1)
	setNumber(&a.Character, "deaths", 7)
	setNumber(&b.Character, "xp", 50)
	setNumber(&b.Character, "level", 9)
	setNumber(&b.Character, "deaths", 8)
	setNumber(&b.Character, string(boardGold), math.MinInt64)
	saveAll(t, s, rushgate.Save{Character: a.Character, Fence: a.Lease.Fence, Release: true},
		rushgate.Save{Character: b.Character, Fence: b.Lease.Fence})
	line := func(rank int, in rushgate.Admitted, score int64) rushgate.Rank {
		return rushgate.Rank{Rank: rank, Player: in.Character.ID, Name: in.Character.Name, Score: score}
	}
	// Who has left stays on the board.
	wantRanks(t, top(t, s, rushgate.BoardXP, 9), []rushgate.Rank{line(1, a, 100), line(2, b, 50)})
	wantRanks(t, top(t, s, rushgate.BoardLevel, 9), []rushgate.Rank{line(1, b, 9), line(2, a, 1)})
	wantRanks(t, top(t, s, rushgate.BoardDeaths, 9), []rushgate.Rank{line(1, b, 8), line(2, a, 7)})
	wantRanks(t, top(t, s, boardGold, 9), []rushgate.Rank{line(1, a, 0), line(2, b, math.MinInt64)})
}

func boardEdges(t *testing.T, h Harness) {
	s := h.open(t)
	wantRanks(t, top(t, s, rushgate.BoardXP, 1), nil)
	for _, limit := range []int{0, -1} {
		if got, err := s.Top(t.Context(), rushgate.BoardXP, limit); err == nil {
			t.Errorf("Top with limit %d = %+v, want an error", limit, got)
		}
	}
	for _, board := range []rushgate.Board{"", "XP", "password_hash"} {
		if got, err := s.Top(t.Context(), board, 1); err == nil {
			t.Errorf("Top of board %q = %+v, want an error", board, got)
		}
	}
}
