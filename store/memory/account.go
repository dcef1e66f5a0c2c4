package memory

import (
	"context"
	"fmt"

	"github.com/rushgate/rushgate"
	"github.com/rushgate/rushgate/store/internal/validate"
)

// SetPasswordHash implements [rushgate.Store]. An empty hash is an error.
func (s *Store) SetPasswordHash(ctx context.Context, username, hash string) error {
	if err := validate.Hash(hash); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	p := s.names[username]
	if p == nil {
		return rushgate.BadCredentials
	}
	p.account.PasswordHash, p.account.Version = hash, rushgate.AccountVersion
	return nil
}

// DeleteAccount implements [rushgate.Store].
func (s *Store) DeleteAccount(ctx context.Context, username string) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	p := s.names[username]
	switch {
	case p == nil:
		return rushgate.BadCredentials
	case p.lease.live(s.now()):
		return rushgate.AlreadyLoggedIn
	}
	delete(s.players, p.account.ID)
	delete(s.names, username)
	return nil
}
