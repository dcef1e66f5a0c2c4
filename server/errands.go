package server

import (
	"context"

	"github.com/rushgate/rushgate/internal/account"
	"github.com/rushgate/rushgate/internal/auth"
)

// doErrands has the ledger do what players have proved to be allowed, and what they prove with codes.
func (s *Server) doErrands(ctx context.Context, proved []auth.Proved) ([]error, error) {
	var changes []account.PasswordChange
	var redemptions []account.Redemption
	for _, p := range proved {
		switch p.Kind {
		case auth.ChangePassword:
			changes = append(changes, account.PasswordChange{Account: p.Account, Hash: p.NewHash})
		case auth.Recover:
			redemptions = append(redemptions, account.Redemption{Account: p.Account, Code: p.Code, Hash: p.NewHash})
		}
	}
	ledger := account.New(s.store)
	outcomes := make(map[auth.Kind][]error)
	var err error
	if len(changes) > 0 {
		if outcomes[auth.ChangePassword], err = ledger.ChangePasswords(ctx, changes); err != nil {
			return nil, err
		}
	}
	if len(redemptions) > 0 {
		if outcomes[auth.Recover], err = ledger.Redeem(ctx, redemptions); err != nil {
			return nil, err
		}
	}
	errs := make([]error, len(proved)) // those that only prove the password have nothing done
	for i, p := range proved {
		if of := outcomes[p.Kind]; len(of) > 0 {
			errs[i], outcomes[p.Kind] = of[0], of[1:]
		}
	}
	return errs, nil
}
