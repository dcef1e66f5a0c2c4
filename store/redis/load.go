package redis

import (
	"context"
	"errors"
	"slices"

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

// load has each record's fields read by its number, and logs which could not be read. Where a rename was left half done
// it is finished first.
func (s *Store) load(
	ctx context.Context, usernames, fields []string, read func(int, []rueidis.RedisMessage, error) error,
) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	records, err := s.loadFields(ctx, usernames, fields)
	if err != nil {
		return err
	}
	var again []int
	var names []string
	for i, r := range records {
		if r.marked {
			err := s.finishRename(ctx, usernames[i])
			if errors.Is(err, rushgate.ErrDamagedRecord) && r.values[0].IsNil() {
				records[i].err = err
				continue
			}
			if err != nil && !errors.Is(err, rushgate.ErrDamagedRecord) {
				return err
			}
			again, names = append(again, i), append(names, usernames[i])
		}
	}
	repeated, err := s.loadFields(ctx, names, fields)
	if err != nil {
		return err
	}
	for i, of := range again {
		records[of] = repeated[i]
	}
	for i, r := range records {
		if err := read(i, r.values, r.err); err != nil {
			s.breaker.log.Error("a record cannot be used", "key", s.playerKey(usernames[i]), "error", err)
		}
	}
	return nil
}

// loaded are the values of one record, and whether a rename concerns it.
type loaded struct {
	values []rueidis.RedisMessage
	marked bool
	err    error
}

func (s *Store) loadFields(ctx context.Context, usernames, fields []string) ([]loaded, error) {
	args := append(slices.Clip(fields), renameField)
	commands := make([]command, len(usernames))
	for i, name := range usernames {
		commands[i] = command{name: "HMGET", key: s.playerKey(name), args: args}
	}
	results, err := s.run(ctx, commands)
	if err != nil {
		return nil, err
	}
	records := make([]loaded, len(usernames))
	for i := range results {
		r := &records[i]
		if r.values, r.err = results[i].ToArray(); r.err == nil && len(r.values) == len(args) {
			last := len(r.values) - 1
			r.values, r.marked = r.values[:last], !r.values[last].IsNil()
		}
	}
	return records, nil
}
