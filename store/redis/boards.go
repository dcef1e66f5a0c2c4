package redis

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// keptBoards are the leaderboards to which what concerns a player is written. The boards that a game has asked for are
// known to the server, so that a tool which was not told of them writes to them too.
func (s *Store) keptBoards() []rushgate.Board { return *s.kept.Load() }

// The states of a leaderboard, by its name in the hash at boardsKey: one that is new has yet to be given the players
// who were there before it.
const (
	boardNew  = "new"
	boardKept = "kept"
)

// maxKept is how many leaderboards there may be with those that a game has given up.
const maxKept = 4 * rushgate.MaxBoards

// learnBoards asks the server which leaderboards are kept, and tells it of those that this store was asked to keep. It
// returns those that are new.
func (s *Store) learnBoards(ctx context.Context) (fresh []rushgate.Board, err error) {
	results, err := s.run(ctx, []command{{name: "HGETALL", key: s.boardsKey()}})
	if err != nil {
		return nil, err
	}
	known, err := results[0].AsStrMap()
	if err != nil {
		return nil, fmt.Errorf("redis: which leaderboards are kept: %w", err)
	}
	news, err := s.newBoards(ctx, known)
	if err != nil {
		return nil, err
	}
	maps.Copy(known, news)
	var kept []rushgate.Board
	if s.asked {
		kept = slices.Clone(s.boards)
	}
	var strange []string
	for _, name := range slices.Sorted(maps.Keys(known)) {
		board := rushgate.Board(name)
		if _, err := rushgate.CheckBoards([]rushgate.Board{board}); err != nil || len(kept) == maxKept {
			strange = append(strange, name)
			continue
		}
		if !slices.Contains(kept, board) {
			kept = append(kept, board)
		}
		if known[name] == boardNew {
			fresh = append(fresh, board)
		}
	}
	if !slices.Equal(strange, s.strange) {
		s.strange = strange
		s.breaker.log.Warn("leaderboards that cannot be kept", "key", s.boardsKey(), "names", strange, "at_most", maxKept)
	}
	if len(kept) > 0 {
		s.kept.Store(&kept)
	}
	return fresh, s.setBoards(ctx, news)
}

// newBoards returns the boards that the server does not know yet, with the state of each. When a game asks for
// boards of its own for the first time, those that there were before it are kept, too: the players who have not come
// since are on them only.
func (s *Store) newBoards(ctx context.Context, known map[string]string) (map[string]string, error) {
	news := make(map[string]string)
	if !s.asked {
		return news, nil
	}
	for _, board := range s.boards {
		if known[string(board)] == "" {
			news[string(board)] = boardNew
		}
	}
	if len(known) > 0 {
		return news, nil
	}
	usual, _ := rushgate.CheckBoards(nil)
	commands := make([]command, len(usual))
	for i, board := range usual {
		commands[i] = command{name: "EXISTS", key: s.boardKey(board)}
	}
	results, err := s.run(ctx, commands)
	if err != nil {
		return nil, err
	}
	for i, board := range usual {
		if n, err := results[i].AsInt64(); err == nil && n == 1 {
			news[string(board)] = boardKept
		}
	}
	return news, nil
}

// setBoards writes the states of leaderboards.
func (s *Store) setBoards(ctx context.Context, states map[string]string) error {
	if len(states) == 0 {
		return nil
	}
	var args []string
	for name, state := range states {
		args = append(args, name, state)
	}
	_, err := s.run(ctx, []command{{name: "HSET", key: s.boardsKey(), args: args}})
	return err
}

// boardMember orders players of equal score by id, because Redis orders them by bytes.
func boardMember(id rushgate.PlayerID, name string) string {
	return fmt.Sprintf("%016x:%s", uint64(id), name)
}

// formatScore negates, because Redis puts the lowest score first.
func formatScore(value int64) string {
	if value == math.MinInt64 { // the one whose negative is no int64
		return strconv.FormatUint(1<<63, 10)
	}
	return strconv.FormatInt(-value, 10)
}

// Top implements [rushgate.Boards]. Scores are exact up to 2^53; greater ones are rounded as a float64 is.
func (s *Store) Top(ctx context.Context, board rushgate.Board, limit int) ([]rushgate.Rank, error) {
	boards := s.boards
	if !s.asked {
		boards = s.keptBoards()
	}
	if !slices.Contains(boards, board) {
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
