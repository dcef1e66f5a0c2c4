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
// turn may have been given out and forgotten.
func (s *Store) ReserveIDs(ctx context.Context, n int) (rushgate.PlayerID, error) {
	if err := validate.Count("block of ids", n); err != nil {
		return 0, fmt.Errorf("redis: %w", err)
	}
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.leave()
	skip := idSkip + rand.Int64N(idSkipMore)
	// Sent again after a lost answer, it leaves a gap.
	answers, err := s.runScripts(ctx, []command{{
		script: reserveScript, key: s.idsKey(), args: []string{strconv.Itoa(n), strconv.FormatInt(skip, 10)},
	}})
	if err != nil {
		return 0, err
	}
	if answers[0].word != "reserved" {
		return 0, answers[0].problem()
	}
	last := answers[0].number(0)
	if last < int64(n) {
		return 0, fmt.Errorf("redis: counter of ids shows %d", last)
	}
	return rushgate.PlayerID(last - int64(n) + 1), nil
}
