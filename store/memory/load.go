package memory

import (
	"context"
	"slices"

	"github.com/rushgate/rushgate"
)

// LoadAccounts implements [rushgate.Accounts].
func (s *Store) LoadAccounts(ctx context.Context, usernames []string) ([]rushgate.LoadedAccount, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	accounts := make([]rushgate.LoadedAccount, len(usernames))
	for i, name := range usernames {
		if p := s.names[name]; p != nil {
			accounts[i].Account = p.account
			accounts[i].Zone = p.character.Zone
			accounts[i].Credentials = cloneCredentials(p.account.Credentials)
			accounts[i].Devices.List = slices.Clone(p.account.Devices.List)
		}
	}
	return accounts, nil
}

// PlayerNames implements [rushgate.Accounts].
func (s *Store) PlayerNames(ctx context.Context, players []rushgate.PlayerID) ([]string, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	names := make([]string, len(players))
	for i, id := range players {
		if p := s.players[id]; p != nil {
			names[i] = p.account.Username
		}
	}
	return names, nil
}

// LoadCharacters implements [rushgate.Characters].
func (s *Store) LoadCharacters(ctx context.Context, usernames []string) ([]rushgate.LoadedCharacter, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	characters := make([]rushgate.LoadedCharacter, len(usernames))
	for i, name := range usernames {
		if p := s.names[name]; p != nil {
			characters[i].Character = clone(p.character)
		}
	}
	return characters, nil
}
