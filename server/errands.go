package server

import (
	"context"

	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/auth"
)

// doErrands has the ledger do what players have proved to be allowed.
func (s *Server) doErrands(ctx context.Context, proved []auth.Proved) ([]error, error) {
	changes := make([]account.PasswordChange, len(proved))
	for i, p := range proved { // there is no other kind
		changes[i] = account.PasswordChange{Account: p.Account, Hash: p.NewHash}
	}
	return account.New(s.store).ChangePasswords(ctx, changes)
}
