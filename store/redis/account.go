package redis

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// SetPasswordHash implements [rushgate.Store]. An empty hash is an error.
func (s *Store) SetPasswordHash(ctx context.Context, username, hash string) error {
	if err := validate.Hash(hash); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	answers, err := s.runScripts(ctx, []command{{
		script: setHashScript, key: s.playerKey(username), args: []string{hash, strconv.Itoa(rushgate.AccountVersion)},
	}})
	if err != nil {
		return err
	}
	switch answers[0].word {
	case "set":
		return nil
	case "missing":
		return rushgate.BadCredentials
	}
	return answers[0].unexpected()
}

// DeleteAccount implements [rushgate.Store]. The player leaves the leaderboards right afterwards.
func (s *Store) DeleteAccount(ctx context.Context, username string) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	answers, err := s.runScripts(ctx, []command{{
		script: deleteScript, key: s.playerKey(username), args: []string{s.now()},
		once: true, // sent again, it would find no account
	}})
	if err != nil {
		return err
	}
	switch answers[0].word {
	case "deleted":
	case "missing":
		return rushgate.BadCredentials
	case "held":
		return rushgate.AlreadyLoggedIn
	default:
		return answers[0].unexpected()
	}
	// The answer is id, fence and time. A lease that ends later is one of the name's next account.
	id, fence := answers[0].number(0), answers[0].number(1)
	s.standings.put(standing{
		player: rushgate.PlayerID(id), name: username,
		score: &score{fence: math.MaxUint64, gone: true},
		seat:  &seat{fence: uint64(fence), until: answers[0].number(2)},
	})
	return nil
}
