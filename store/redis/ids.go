package redis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

const (
	// idSkip is the least number of ids to skip when the server may have forgotten some that it had given out: far more
	// than all nodes together take in the moments that a failover loses, or from a master that was cut off.
	idSkip = 1_000_000
	// idSkipMore is the bound of a random number of ids to skip as well, so that two servers that go on from the same id,
	// neither of which knows of the other, hardly ever come to the same ids.
	idSkipMore = 1_000_000_000
)

// ReserveIDs implements [rushgate.Accounts]. After a failover, a restart or a restore of the server, and each time on a
// server that refuses INFO, it skips a random number of ids from a million to a thousand million, because those next in
// turn may have been given out and forgotten. It does the same, and says so in the log, where the counter was lost: it
// then goes on from its copy, or where that is lost too, from the greatest id on the leaderboards.
func (s *Store) ReserveIDs(ctx context.Context, n int) (rushgate.PlayerID, error) {
	if err := validate.Count("block of ids", n); err != nil {
		return 0, fmt.Errorf("redis: %w", err)
	}
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.leave()
	skip := idSkip + rand.Int64N(idSkipMore)
	answer, err := s.reserve(ctx, strconv.Itoa(n), strconv.FormatInt(skip, 10))
	if err != nil {
		return 0, err
	}
	if answer.word != "reserved" {
		return 0, answer.problem()
	}
	last := answer.number(0)
	if last < int64(n) {
		return 0, fmt.Errorf("redis: counter of ids shows %d", last)
	}
	if answer.text(1) != "1" {
		s.breaker.log.Error("the counter of player ids was lost or set back; going on far behind all that are known",
			"key", s.idsKey(), "next", last-int64(n)+1)
	}
	for given := s.given.Load(); given < uint64(last) && !s.given.CompareAndSwap(given, uint64(last)); {
		given = s.given.Load()
	}
	return rushgate.PlayerID(last - int64(n) + 1), nil
}

// reserve runs the script, of which the last argument is an id known to be in use: the last one that this store was
// given, or where neither the counter nor its copy is found, the greatest on the leaderboards.
func (s *Store) reserve(ctx context.Context, n, skip string) (answer, error) {
	floor := ""
	if given := s.given.Load(); given > 0 {
		floor = formatID(rushgate.PlayerID(given))
	}
	for {
		// Sent again after a lost answer, the script leaves a gap.
		answers, err := s.runScripts(ctx, []command{{
			script: reserveScript, key: s.idsKey(), second: s.idsCopyKey(), args: []string{n, skip, floor},
		}})
		if err != nil {
			return answer{}, err
		}
		if answers[0].word != "none" || floor != "" {
			return answers[0], nil
		}
		highest, err := s.highestOnBoards(ctx)
		if err != nil {
			return answer{}, err
		}
		floor = formatID(highest)
	}
}

// highestOnBoards returns the greatest id of the players on any leaderboard, 0 if there are none.
func (s *Store) highestOnBoards(ctx context.Context) (highest rushgate.PlayerID, err error) {
	for _, board := range s.keptBoards() {
		err := s.eachMember(ctx, board, func(members []boardLine) error {
			for _, m := range members {
				highest = max(highest, m.player)
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return highest, nil
}
