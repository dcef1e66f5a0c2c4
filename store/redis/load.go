package redis

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"github.com/rushgate/rushgate"
)

// LoadAccounts implements [rushgate.Store].
func (s *Store) LoadAccounts(ctx context.Context, usernames []string) ([]rushgate.Account, error) {
	return load(ctx, s, usernames, accountFields, readAccount)
}

// LoadCharacters implements [rushgate.Store].
func (s *Store) LoadCharacters(ctx context.Context, usernames []string) ([]rushgate.Character, error) {
	return load(ctx, s, usernames, characterFields, readCharacter)
}

func load[T any](
	ctx context.Context, s *Store, usernames, fields []string, read func([]rueidis.RedisMessage, error) (T, error),
) ([]T, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	commands := make([]command, len(usernames))
	for i, name := range usernames {
		commands[i] = command{name: "HMGET", key: s.playerKey(name), args: fields}
	}
	results, err := s.run(ctx, commands)
	if err != nil {
		return nil, err
	}
	loaded := make([]T, len(usernames))
	for i := range results {
		if loaded[i], err = read(results[i].ToArray()); err != nil {
			if len(results) == 1 {
				return nil, fmt.Errorf("redis: record of %q: %w", usernames[i], err)
			}
			// The others of the batch are not to suffer for it; this one is as good as absent.
			s.breaker.log.Error("a record cannot be used", "key", commands[i].key, "error", err)
			var none T
			loaded[i] = none
		}
	}
	return loaded, nil
}
