package redis

import (
	"context"

	"github.com/redis/rueidis"

	"github.com/rushgate/rushgate"
)

// Players are found by name. The names of those whose accounts have credentials, which may be shown without a name, are
// under keys of their own, and there before the credentials are: what dies in between leaves a name that is right, and
// that nobody asks for. A rename takes it along, see [Store.follow].

// PlayerNames implements [rushgate.Accounts].
func (s *Store) PlayerNames(ctx context.Context, players []rushgate.PlayerID) ([]string, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	commands := make([]command, len(players))
	for i, id := range players {
		commands[i] = command{name: "GET", key: s.nameKey(id)}
	}
	results, err := s.run(ctx, commands)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(players))
	for i := range results {
		name, err := results[i].ToString()
		if err != nil && !rueidis.IsRedisNil(err) {
			s.breaker.log.Error("the name of a player cannot be used", "key", s.nameKey(players[i]), "error", err)
		}
		names[i] = name
	}
	return names, nil
}

// owners are players with their names.
type owners map[rushgate.PlayerID]string

// add adds one, if there are credentials.
func (o *owners) add(id rushgate.PlayerID, name string, credentials []rushgate.Credential) {
	if len(credentials) == 0 {
		return
	}
	if *o == nil {
		*o = make(owners)
	}
	(*o)[id] = name
}

// noteOwners notes the names of players whose accounts are to have credentials.
func (s *Store) noteOwners(ctx context.Context, owners owners) error {
	commands := make([]command, 0, len(owners))
	for id, name := range owners {
		commands = append(commands, command{name: "SET", key: s.nameKey(id), args: []string{name}})
	}
	_, err := s.run(ctx, commands)
	return err
}

// noteOwnersThere is noteOwners for players who have accounts under these names. One who has another name by now is not
// to be found by that of before; a rename takes some more round trips than there are between the look and the note.
func (s *Store) noteOwnersThere(ctx context.Context, owners owners) error {
	if len(owners) == 0 {
		return nil
	}
	ids := make([]rushgate.PlayerID, 0, len(owners))
	commands := make([]command, 0, len(owners))
	for id, name := range owners {
		ids = append(ids, id)
		commands = append(commands, command{name: "HGET", key: s.playerKey(name), args: []string{"id"}})
	}
	results, err := s.run(ctx, commands)
	if err != nil {
		return err
	}
	there := make(map[rushgate.PlayerID]string, len(owners))
	for i, id := range ids {
		if text, err := results[i].ToString(); err == nil && text == formatID(id) {
			there[id] = owners[id]
		}
	}
	return s.noteOwners(ctx, there)
}

// followName has the name of a player follow that is renamed, if it is noted.
func (s *Store) followName(ctx context.Context, m *move) error {
	results, err := s.run(ctx, []command{{name: "HGET", key: s.playerKey(m.to), args: []string{"id"}}})
	if err != nil {
		return err
	}
	text, _ := results[0].ToString()
	id, err := parseUint(text)
	if err != nil || id == 0 {
		return nil // something else is there by now
	}
	_, err = s.run(ctx, []command{{name: "SET", key: s.nameKey(rushgate.PlayerID(id)), args: []string{m.to, "XX"}}})
	return err
}
