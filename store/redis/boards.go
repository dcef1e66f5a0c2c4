package redis

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

var boards = [...]rushgate.Board{rushgate.BoardXP, rushgate.BoardLevel, rushgate.BoardDeaths}

// scoresOf returns a character's scores in the order of boards.
func scoresOf(c *rushgate.Character) [3]int64 {
	return [3]int64{c.XP, int64(c.Level), int64(c.Deaths)}
}

// boardMember orders players of equal score by id, because Redis orders them by bytes.
func boardMember(id rushgate.PlayerID, name string) string {
	return fmt.Sprintf("%016x:%s", uint64(id), name)
}

// formatScore negates, because Redis puts the lowest score first.
func formatScore(value int64) string { return strconv.FormatInt(-value, 10) }

// Top implements [rushgate.Boards]. Scores are exact up to 2^53; greater ones are rounded as a float64 is.
func (s *Store) Top(ctx context.Context, board rushgate.Board, limit int) ([]rushgate.Rank, error) {
	if !slices.Contains(boards[:], board) {
		return nil, fmt.Errorf("redis: unknown leaderboard %q", board)
	}
	if err := validate.Count("leaderboard limit", limit); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	results, err := s.run(ctx, []command{{
		name: "ZRANGE", key: s.boardKey(board), args: []string{"0", strconv.Itoa(limit - 1), "WITHSCORES"},
	}})
	if err != nil {
		return nil, err
	}
	lines, err := results[0].AsZScores()
	if err != nil {
		return nil, fmt.Errorf("redis: leaderboard %s: %w", board, err)
	}
	return ranks(lines)
}

// boardLine is who is on one line of a leaderboard.
type boardLine struct {
	player rushgate.PlayerID
	name   string
}

func parseMember(member string) (boardLine, error) {
	id, name, _ := strings.Cut(member, ":")
	player, err := strconv.ParseUint(id, 16, 64)
	if err != nil {
		return boardLine{}, fmt.Errorf("redis: leaderboard has a line %q", member)
	}
	return boardLine{player: rushgate.PlayerID(player), name: name}, nil
}

func ranks(lines []rueidis.ZScore) ([]rushgate.Rank, error) {
	ranks := make([]rushgate.Rank, len(lines))
	for i, line := range lines {
		m, err := parseMember(line.Member)
		if err != nil {
			return nil, err
		}
		ranks[i] = rushgate.Rank{Rank: i + 1, Player: m.player, Name: m.name, Score: positive(-line.Score)}
		if i > 0 && ranks[i].Score == ranks[i-1].Score {
			ranks[i].Rank = ranks[i-1].Rank
		}
	}
	return ranks, nil
}

// positive converts what lies beyond an int64 to the nearest that does not.
func positive(score float64) int64 {
	if score >= math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(score)
}

// scanBatch is how many lines of a leaderboard are asked for at once. That keeps a server for some milliseconds.
const scanBatch = 5000

// eachMember calls f with all lines of a leaderboard, some at a time. Some may come twice, and those that are written
// meanwhile may not come; lines that make no sense are left out.
func (s *Store) eachMember(ctx context.Context, board rushgate.Board, f func([]boardLine) error) error {
	for cursor := "0"; ; {
		results, err := s.run(ctx, []command{{
			name: "ZSCAN", key: s.boardKey(board), args: []string{cursor, "COUNT", strconv.Itoa(scanBatch)},
		}})
		if err != nil {
			return err
		}
		found, err := results[0].AsScanEntry()
		if err != nil {
			return fmt.Errorf("redis: leaderboard %s: %w", board, err)
		}
		var lines []boardLine
		for i := 0; i < len(found.Elements); i += 2 { // a member and its score
			if m, err := parseMember(found.Elements[i]); err == nil {
				lines = append(lines, m)
			}
		}
		if err := f(lines); err != nil {
			return err
		}
		if cursor = strconv.FormatUint(found.Cursor, 10); cursor == "0" {
			return nil
		}
	}
}
