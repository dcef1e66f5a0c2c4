package redis

import (
	"context"

	"github.com/redis/rueidis"

	"github.com/rushgate/rushgate"
)

// LoadAccounts implements [rushgate.Accounts].
func (s *Store) LoadAccounts(ctx context.Context, usernames []string) ([]rushgate.LoadedAccount, error) {
	loaded := make([]rushgate.LoadedAccount, len(usernames))
	err := s.load(ctx, usernames, accountFields, func(i int, values []rueidis.RedisMessage, err error) error {
		loaded[i].Account, loaded[i].Err = readAccount(values, err)
		return loaded[i].Err
	})
	if err != nil {
		return nil, err
	}
	return loaded, nil
}

// LoadCharacters implements [rushgate.Characters].
func (s *Store) LoadCharacters(ctx context.Context, usernames []string) ([]rushgate.LoadedCharacter, error) {
	loaded := make([]rushgate.LoadedCharacter, len(usernames))
	err := s.load(ctx, usernames, characterFields, func(i int, values []rueidis.RedisMessage, err error) error {
		loaded[i].Character, loaded[i].Err = readCharacter(values, err)
		return loaded[i].Err
	})
	if err != nil {
		return nil, err
	}
	return loaded, nil
}

// load has each record's fields read by its number, and logs which could not be read.
func (s *Store) load(
	ctx context.Context, usernames, fields []string, read func(int, []rueidis.RedisMessage, error) error,
) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	commands := make([]command, len(usernames))
	for i, name := range usernames {
		commands[i] = command{name: "HMGET", key: s.playerKey(name), args: fields}
	}
	results, err := s.run(ctx, commands)
	if err != nil {
		return err
	}
	for i := range results {
		values, err := results[i].ToArray()
		if err := read(i, values, err); err != nil {
			s.breaker.log.Error("a record cannot be used", "key", commands[i].key, "error", err)
		}
	}
	return nil
}
