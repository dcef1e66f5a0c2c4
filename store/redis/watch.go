package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/number"
)

// lookEvery is how often a store looks whether the server still is what it was: what its settings make of what it
// acknowledges, and whether a leaderboard has gone.
const lookEvery = 20 * time.Second

// watch looks until the store is closed.
func (s *Store) watch(ctx context.Context, every time.Duration) {
	defer close(s.watched)
	again := time.NewTicker(every)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			s.lookAround(ctx)
		}
	}
}

// lookAround is one look. What cannot be asked now is asked the next time.
func (s *Store) lookAround(ctx context.Context) {
	s.looking.Lock()
	defer s.looking.Unlock()
	if warnings, err := s.findWarnings(ctx); err == nil {
		s.noteWarnings(warnings)
	}
	fresh, err := s.learnBoards(ctx)
	if err == nil {
		err = s.mendBoards(ctx, fresh)
	}
	if err != nil && ctx.Err() == nil {
		s.breaker.log.Debug("redis: leaderboards were not looked at", "error", err)
	}
}

// noteWarnings keeps what is wrong with the settings, and logs what has changed since the last time.
func (s *Store) noteWarnings(found []string) {
	s.warningsMu.Lock()
	before := s.warnings
	s.warnings = found
	s.warningsMu.Unlock()
	for _, w := range found {
		if !slices.Contains(before, w) {
			s.breaker.log.Warn("Redis may lose what it acknowledges, see docs/operations.md", "because", w)
		}
	}
	for _, w := range before {
		if !slices.Contains(found, w) {
			s.breaker.log.Info("Redis keeps again what it acknowledges", "over", w)
		}
	}
}

// mendBoards fills the leaderboards that are new, for all have a line for each player, and writes one anew that has
// less than half of the lines of another, as one that was deleted by hand or by a server short of memory. The latter
// it does if the look before has found the same, for those of one login are not written in the same moment.
func (s *Store) mendBoards(ctx context.Context, fresh []rushgate.Board) error {
	var commands []command
	boards := s.keptBoards()
	for _, board := range boards {
		commands = append(commands, command{name: "ZCARD", key: s.boardKey(board)})
	}
	results, err := s.run(ctx, commands)
	if err != nil {
		return err
	}
	lines := make([]int64, len(boards))
	fullest := 0
	for i := range results {
		if lines[i], err = results[i].AsInt64(); err != nil {
			return fmt.Errorf("redis: leaderboard %s: %w", boards[i], err)
		}
		if lines[i] > lines[fullest] {
			fullest = i
		}
	}
	short := s.short
	s.short = make(map[rushgate.Board]bool)
	for i, board := range boards {
		if slices.Contains(fresh, board) {
			if err := s.fillBoard(ctx, board, boards[fullest]); err != nil {
				return err
			}
			continue
		}
		if lines[i] >= lines[fullest]/2 && (lines[i] > 0 || lines[fullest] == 0) {
			continue
		}
		if s.short[board] = true; !short[board] {
			continue
		}
		s.breaker.log.Error("a leaderboard was lost and is written anew", "key", s.boardKey(board),
			"lines", lines[i], "of", lines[fullest])
		if err := s.mendBoard(ctx, board, boards[fullest]); err != nil {
			return err
		}
	}
	return nil
}

// fillBoard gives a new leaderboard the players who were there before it.
func (s *Store) fillBoard(ctx context.Context, board, from rushgate.Board) error {
	if board != from {
		s.breaker.log.Info("a leaderboard is new and is given the players that there are", "key", s.boardKey(board))
		if err := s.mendBoard(ctx, board, from); err != nil {
			return err
		}
	}
	return s.setBoards(ctx, map[string]string{string(board): boardKept})
}

// mendBoard adds the players on another leaderboard, from their records, to the one that lacks them. What other nodes
// have written meanwhile is newer and stays.
func (s *Store) mendBoard(ctx context.Context, lost, from rushgate.Board) error {
	field := numbersField
	if number.Own(string(lost)) {
		field = string(lost)
	}
	return s.eachMember(ctx, from, func(players []boardLine) error {
		commands := make([]command, len(players))
		for i, p := range players {
			commands[i] = command{
				name: "HMGET", key: s.playerKey(p.name), args: []string{"id", field},
			}
		}
		results, err := s.run(ctx, commands)
		if err != nil {
			return err
		}
		add := []string{"NX"}
		for i := range results {
			values, err := results[i].ToArray()
			if err != nil {
				continue // not a record, which is logged when it is used
			}
			if score, ok := scoreIn(values, players[i].player, lost); ok {
				add = append(add, formatScore(score), boardMember(players[i].player, players[i].name))
			}
		}
		if len(add) == 1 {
			return nil
		}
		_, err = s.run(ctx, []command{{name: "ZADD", key: s.boardKey(lost), args: add}})
		return err
	})
}

// scoreIn reads a score beside the id of a record, which must be the player's.
func scoreIn(values []rueidis.RedisMessage, player rushgate.PlayerID, board rushgate.Board) (int64, bool) {
	if len(values) != 2 {
		return 0, false
	}
	if id, err := values[0].ToString(); err != nil || id != formatID(player) {
		return 0, false
	}
	if !number.Own(string(board)) && values[1].IsNil() {
		return 0, true
	}
	text, err := values[1].ToString()
	if err != nil {
		return 0, false
	}
	var score int64
	if number.Own(string(board)) {
		score, err = strconv.ParseInt(text, 10, 64)
	} else {
		score, err = number.In(text, string(board))
	}
	return score, err == nil
}
